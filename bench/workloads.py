"""The data sets of the benchmarks, W1 to W4: synthetic, with fixed seeds, the same rows everywhere.

W1  clicks: 39 one-hot fields over 2^20 features, cardinalities log-uniform in 3..300k, Zipf 1.1;
    500k + 100k rows. Labels come from a planted FM (k=8), whose own test AUC is .7653 and
    log-loss .5026 (.6021 without features).
W2  ratings: 70k users, 10k items, 1 to 3 of 18 genres; 900k + 100k rows. The noise has standard
    deviation 0.7, the best RMSE possible.
W3  text: about 109 tf-idf values a row over 2^20 hashed features; 45k + 5k rows. For speed only.
W4  many values per field: 120 non-zeros in 10 fields of 100k features; 20k rows. For FFM.

A split is a file, ``W1_train.npz`` or ``W1_test.npz``, with the CSR arrays ``indptr``, ``indices``
(int32) and ``data`` (float32), ``shape``, ``y``, and (not W3) ``fields``, one per stored entry.
All four take about 10 s and 400 MB.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.sparse as sp


@dataclass(frozen=True)
class Split:
    """One split of a workload.

    ``fields`` is the field of each feature, int32 of shape (n_features,), or None where the
    workload has no fields. Features that occur in no row are in field 0.
    """

    X: sp.csr_matrix
    y: np.ndarray
    fields: np.ndarray | None

    @property
    def n_fields(self) -> int:
        return int(self.fields.max()) + 1

    def head(self, n_rows: int) -> Split:
        """The first ``n_rows`` rows."""
        return Split(self.X[:n_rows], self.y[:n_rows], self.fields)


def load(name: str, directory: Path) -> Split:
    """Read a split such as ``"W1_test"``, making its workload first if it is not there."""
    path = directory / f"{name}.npz"
    if not path.exists():
        print(f"making {name[:2]} in {directory}", flush=True)
        directory.mkdir(parents=True, exist_ok=True)
        MAKERS[name[:2]](directory)
    with np.load(path) as parts:
        X = sp.csr_matrix((parts["data"], parts["indices"], parts["indptr"]), shape=tuple(parts["shape"]))
        fields = None
        if "fields" in parts:
            fields = np.zeros(X.shape[1], np.int32)
            fields[X.indices] = parts["fields"]
        return Split(X, parts["y"], fields)


def save(
    directory: Path, name: str, X: sp.csr_matrix, y: np.ndarray, fields: np.ndarray | None = None
) -> None:
    """Write a split; the name appears when the file is complete."""
    X = X.tocsr()
    parts = {
        "data": X.data.astype(np.float32),
        "indices": X.indices.astype(np.int32),
        "indptr": X.indptr.astype(np.int32),
        "shape": np.array(X.shape),
        "y": y.astype(np.float32),
    }
    if fields is not None:
        parts["fields"] = fields.astype(np.int32)
    unfinished = directory / f"{name}.part.npz"
    np.savez(unfinished, **parts)
    unfinished.replace(directory / f"{name}.npz")


def zipf_cdf(n: int, exponent: float) -> np.ndarray:
    cumulative = np.cumsum(np.arange(1, n + 1, dtype=np.float64) ** -exponent)
    return cumulative / cumulative[-1]


def zipf_ranks(rng: np.random.Generator, n: int, exponent: float, size: int) -> np.ndarray:
    return np.minimum(np.searchsorted(zipf_cdf(n, exponent), rng.random(size)), n - 1)


def shuffled_zipf(rng: np.random.Generator, n: int, exponent: float, size: int) -> np.ndarray:
    """Draws from 0..n-1 with Zipf frequencies in a random order of popularity."""
    order = rng.permutation(n)
    return order[zipf_ranks(rng, n, exponent, size)]


def rows_of_ones(columns: np.ndarray, n_columns: int) -> sp.csr_array:
    """A matrix with a 1 in each of the columns that a row of `columns` names."""
    n_rows, n_values = columns.shape
    indptr = np.arange(0, columns.size + 1, n_values, dtype=np.int32)
    ones = np.ones(columns.size, np.float32)
    return sp.csr_array((ones, columns.ravel().astype(np.int32), indptr), shape=(n_rows, n_columns))


def planted_scores(X: sp.csr_matrix, w0: float, w: np.ndarray, V: np.ndarray) -> np.ndarray:
    S = X @ V
    return w0 + X @ w + 0.5 * ((S * S).sum(1) - X.multiply(X) @ (V * V).sum(1))


def labels(rng: np.random.Generator, scores: np.ndarray) -> np.ndarray:
    return rng.random(len(scores)) < 1 / (1 + np.exp(-scores))


def click_cardinalities(
    rng: np.random.Generator, n_fields: int, n_features: int, largest: int = 300_000
) -> np.ndarray:
    """Field sizes, log-uniform, the large ones scaled until the total is about n_features."""
    sizes = np.exp(rng.uniform(np.log(3), np.log(largest), n_fields))
    sizes = np.maximum(3, sizes * min(1, (n_features - 1) / sizes.sum())).astype(int)
    for _ in range(20):
        large = sizes > 1000
        scale = (n_features - sizes[~large].sum()) / sizes[large].sum()
        sizes[large] = np.minimum(largest, sizes[large] * scale).astype(int)
        if n_features - 100 < sizes.sum() <= n_features:
            break
    smallest_large = np.argmin(np.where(sizes > 1000, sizes, 10**9))
    sizes[smallest_large] += max(0, n_features - sizes.sum())
    return sizes


def make_w1(directory: Path) -> None:
    rng = np.random.default_rng(101)
    n_fields, n_features, n_rows, n_train = 39, 2**20, 600_000, 500_000
    sizes = click_cardinalities(rng, n_fields, n_features)
    start = np.concatenate([[0], np.cumsum(sizes)])
    columns = np.empty((n_rows, n_fields), np.int32)
    for field, size in enumerate(sizes):
        # The ranks are drawn before the order: other than in shuffled_zipf.
        ranks = zipf_ranks(rng, size, 1.1, n_rows)
        columns[:, field] = start[field] + rng.permutation(size)[ranks]
    w, V = rng.normal(0, 0.11, n_features), rng.normal(0, 0.114, (n_features, 8))
    indptr = np.arange(0, n_rows * n_fields + 1, n_fields)
    ones = np.ones(n_rows * n_fields, np.float32)
    X = sp.csr_matrix((ones, columns.ravel(), indptr), shape=(n_rows, n_features))
    parts = [X[i : i + 100_000].astype(np.float64) for i in range(0, n_rows, 100_000)]
    y = labels(rng, np.concatenate([planted_scores(part, -1.2, w, V) for part in parts]))
    fields = np.tile(np.arange(n_fields, dtype=np.int32), n_rows)
    cut = n_train * n_fields
    save(directory, "W1_train", X[:n_train], y[:n_train], fields[:cut])
    save(directory, "W1_test", X[n_train:], y[n_train:], fields[cut:])


def rating_rows(
    rng: np.random.Generator, n_users: int, n_items: int, n_genres: int, n_rows: int
) -> tuple[sp.csr_matrix, np.ndarray]:
    """User, item, and the one to three genres of the item: the matrix and its fields."""
    user = shuffled_zipf(rng, n_users, 0.7, n_rows)
    item = shuffled_zipf(rng, n_items, 0.9, n_rows)
    genres_of_item = rng.integers(1, 4, n_items)
    genres = np.argsort(rng.random((n_items, n_genres)), 1)[:, :3]
    indptr = np.concatenate([[0], np.cumsum(2 + genres_of_item[item])])
    columns, fields = np.empty((2, indptr[-1]), np.int32)
    at = indptr[:-1]
    columns[at], columns[at + 1] = user, n_users + item
    fields[at], fields[at + 1] = 0, 1
    for g in range(3):
        has = genres_of_item[item] > g
        columns[at[has] + 2 + g] = n_users + n_items + genres[item[has], g]
        fields[at[has] + 2 + g] = 2
    shape = n_rows, n_users + n_items + n_genres
    return sp.csr_matrix((np.ones(len(columns), np.float32), columns, indptr), shape=shape), fields


def make_w2(directory: Path) -> None:
    rng = np.random.default_rng(202)
    n_users, n_items, n_genres, n_rows, n_train = 70_000, 10_000, 18, 1_000_000, 900_000
    X, fields = rating_rows(rng, n_users, n_items, n_genres, n_rows)
    counts_and_scales = [(n_users, 0.4), (n_items, 0.4), (n_genres, 0.1)]
    w = np.concatenate([rng.normal(0, scale, count) for count, scale in counts_and_scales])
    V = rng.normal(0, 0.35, (X.shape[1], 8))
    V[n_users + n_items :] *= 0.4
    y = planted_scores(X.astype(np.float64), 3.5, w, V) + rng.normal(0, 0.7, n_rows)
    cut = X.indptr[n_train]
    save(directory, "W2_train", X[:n_train], y[:n_train], fields[:cut])
    save(directory, "W2_test", X[n_train:], y[n_train:], fields[cut:])


def make_w3(directory: Path) -> None:
    rng = np.random.default_rng(303)
    n_features, n_rows, n_train, n_words = 2**20, 50_000, 45_000, 2_000_000
    length = np.clip(rng.lognormal(np.log(130), 0.45, n_rows), 20, 600).astype(int)
    n_tokens = length.sum()
    ranks = zipf_ranks(rng, n_words, 1.05, n_tokens)
    columns = rng.integers(0, n_features, n_words).astype(np.int64)[ranks]
    rows = np.repeat(np.arange(n_rows), length)
    ones = np.ones(n_tokens, np.float32)
    X = sp.coo_matrix((ones, (rows, columns)), shape=(n_rows, n_features)).tocsr()
    X.sum_duplicates()
    idf = np.log((n_rows + 1) / (np.bincount(X.indices, minlength=n_features) + 1)) + 1
    X.data = (1 + np.log(X.data)) * idf[X.indices]
    norms = np.sqrt(np.asarray(X.multiply(X).sum(1)).ravel())
    X = (sp.diags(1 / norms) @ X).tocsr()
    X.sort_indices()
    w, V = rng.normal(0, 3.0, n_features), rng.normal(0, 1.0, (n_features, 8))
    scores = planted_scores(X.astype(np.float64), 0.0, w, V)
    y = labels(rng, scores - scores.mean())
    save(directory, "W3_train", X[:n_train], y[:n_train])
    save(directory, "W3_test", X[n_train:], y[n_train:])


def make_w4(directory: Path) -> None:
    rng = np.random.default_rng(404)
    n_rows, per_row, n_features, n_fields = 20_000, 120, 100_000, 10
    draws = rng.integers(0, n_features // n_fields, (n_rows, per_row))
    columns = np.sort(draws * n_fields + np.arange(per_row) % n_fields, 1)
    values = np.ones(n_rows * per_row, np.float32) / np.float32(np.sqrt(per_row))
    indptr = np.arange(0, n_rows * per_row + 1, per_row)
    X = sp.csr_matrix((values, columns.ravel(), indptr), shape=(n_rows, n_features))
    X.sum_duplicates()
    save(directory, "W4_test", X, rng.random(n_rows) < 0.5, X.indices % n_fields)


MAKERS = {"W1": make_w1, "W2": make_w2, "W3": make_w3, "W4": make_w4}
