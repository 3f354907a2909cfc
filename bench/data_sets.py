"""The data sets of ``python -m bench defaults``: shipped, or made with fixed seeds.

- adult: UCI Adult, official split (shipped with the package), 16 bins a number; "adult 200", "adult 500":
  its first rows
- phishing: UCI phishing websites (bench/phishing), a random fifth held out
- planted: labels from a planted FM over 40 sparse normal columns; "unscaled": the same columns times
  10**uniform(-3, 3)
- outliers: the same with one value of 100 in each column
- xor: two ids, of which only the pair tells something
- planted ratings: few ratings for each user and item
- context: ids of users and items and eight fields of context, and who used what
- access: nine ids with Zipf frequencies, 6 % of one class
- clicks, ratings: the first rows of the workloads W1 and W2
"""

from __future__ import annotations

import csv
import lzma
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from fastfm_c.datasets import load_adult

from .workloads import labels, load, planted_scores, rows_of_ones, shuffled_zipf

PHISHING = Path(__file__).with_name("phishing")
ROWS = 100_000  # of W1 and W2


@dataclass(frozen=True)
class DataSet:
    """Rows to learn from, rows to test with, and the field of each column."""

    X: sp.csr_array
    y: np.ndarray
    X_test: sp.csr_array
    y_test: np.ndarray
    fields: np.ndarray
    is_regression: bool = False


def data_sets(directory: Path) -> dict[str, Callable[[], DataSet]]:
    """A function for each data set, by its name."""
    return {
        "adult": adult,
        "adult 200": lambda: adult(200),
        "adult 500": lambda: adult(500),
        "phishing": phishing,
        "planted": planted,
        "planted unscaled": lambda: planted(units=3),
        "planted outliers": lambda: planted(outlier=100),
        "xor": xor,
        "planted ratings": planted_ratings,
        "context": context,
        "access": access,
        "clicks": lambda: head("W1", directory),
        "ratings": lambda: head("W2", directory),
    }


def adult(n_rows: int | None = None) -> DataSet:
    data = load_adult()
    return DataSet(data.X_train[:n_rows], data.y_train[:n_rows], data.X_test, data.y_test, data.fields)


def phishing() -> DataSet:
    with lzma.open(PHISHING / "phishing.libsvm.xz", "rt") as file:
        lines = [line.split() for line in file]
    y = (np.array([float(line[0]) for line in lines]) > 0).astype(int)
    columns = np.array([[int(cell.split(":")[0]) - 1 for cell in line[1:]] for line in lines])
    values = np.array([[float(cell.split(":")[1]) for cell in line[1:]] for line in lines], np.float32)
    n_rows, n_values = columns.shape
    indptr = np.arange(0, columns.size + 1, n_values)
    X = sp.csr_array((values.ravel(), columns.ravel(), indptr), shape=(n_rows, columns.max() + 1))
    with (PHISHING / "fields.csv").open() as file:
        fields = np.array([int(row["field"]) for row in csv.DictReader(file)])
    order = np.random.default_rng(0).permutation(n_rows)
    train, test = order[: int(0.8 * n_rows)], order[int(0.8 * n_rows) :]
    return DataSet(X[train], y[train], X[test], y[test], fields)


def planted(units: float = 0, outlier: float = 0) -> DataSet:
    rng = np.random.default_rng(5)
    n_rows, n_columns, k, n_train = 20_000, 40, 4, 16_000
    X = rng.standard_normal((n_rows, n_columns)) * (rng.random((n_rows, n_columns)) < 0.3)
    V, w = 0.35 * rng.standard_normal((n_columns, k)), 0.4 * rng.standard_normal(n_columns)
    scores = X @ w + 0.5 * ((X @ V) ** 2 - X**2 @ V**2).sum(axis=1)
    y = labels(rng, scores).astype(int)
    if outlier:
        X[np.arange(n_columns), np.arange(n_columns)] = outlier
    X = sp.csr_array(X * 10 ** rng.uniform(-units, units, n_columns))
    return DataSet(X[:n_train], y[:n_train], X[n_train:], y[n_train:], np.arange(n_columns))


def one_hot(columns: np.ndarray, sizes: list[int]) -> tuple[sp.csr_array, np.ndarray]:
    """Rows of categories as a matrix, and the fields of its columns."""
    starts = np.concatenate([[0], np.cumsum(sizes)])
    X = rows_of_ones(columns + starts[:-1], starts[-1])
    return X, np.repeat(np.arange(len(sizes)), sizes)


def _split(X: sp.csr_array, y: np.ndarray, n_train: int, fields: np.ndarray, **options: bool) -> DataSet:
    return DataSet(X[:n_train], y[:n_train], X[n_train:], y[n_train:], fields, **options)


def xor(n_users: int = 1000, n_items: int = 500, n_train: int = 20_000) -> DataSet:
    rng = np.random.default_rng(7)
    user, item = rng.integers(n_users, size=n_train + 5000), rng.integers(n_items, size=n_train + 5000)
    X, fields = one_hot(np.column_stack([user, item]), [n_users, n_items])
    y = rng.integers(2, size=n_users)[user] ^ rng.integers(2, size=n_items)[item]
    return _split(X, y, n_train, fields)


def planted_ratings(n_users: int = 1500, n_items: int = 800, n_train: int = 40_000) -> DataSet:
    rng = np.random.default_rng(8)
    n_rows = n_train + 10_000
    user, item = rng.integers(n_users, size=n_rows), rng.integers(n_items, size=n_rows)
    X, fields = one_hot(np.column_stack([user, item]), [n_users, n_items])
    w, V = rng.normal(0, 0.5, X.shape[1]), rng.normal(0, 0.5, (X.shape[1], 8))
    y = planted_scores(X.astype(np.float64), 3.5, w, V) + rng.normal(0, 0.5, n_rows)
    return _split(X, y, n_train, fields, is_regression=True)


def access(n_train: int = 33_000) -> DataSet:
    rng = np.random.default_rng(9)
    sizes = [7500, 4200, 130, 177, 450, 343, 2360, 67, 343]
    columns = [shuffled_zipf(rng, size, 0.9, n_train + 20_000) for size in sizes]
    X, fields = one_hot(np.column_stack(columns), sizes)
    w, V = rng.normal(0, 0.6, X.shape[1]), rng.normal(0, 0.25, (X.shape[1], 6))
    scores = planted_scores(X.astype(np.float64), 0.0, w, V)
    return _split(X, labels(rng, scores - np.quantile(scores, 0.02)).astype(int), n_train, fields)


def context(n_users: int = 1000, n_items: int = 4000, n_used: int = 40_000) -> DataSet:
    """Users use few items, each again and again. For each use there are two items that were not used."""
    rng = np.random.default_rng(10)
    sizes = [n_users, n_items, 7, 7, 2, 3, 2, 9, 80, 230]
    liking = 0.6 * rng.standard_normal((n_users, 6)) @ rng.standard_normal((6, n_items))
    liking -= 1.2 * np.log(1 + rng.permutation(n_items))
    user = np.sort(rng.choice(n_users, n_used, p=rng.dirichlet(np.full(n_users, 0.25))))
    item = np.empty(n_used, np.int64)
    for u in np.unique(user):
        rows = np.flatnonzero(user == u)
        n_liked = max(2, int(2 * len(rows) ** 0.6))
        liked = np.argsort(-(liking[u] + rng.gumbel(size=n_items)))[:n_liked]
        item[rows] = rng.choice(liked, len(rows))
    user = np.repeat(user, 3)
    item = np.column_stack([item, rng.integers(n_items, size=(n_used, 2))]).ravel()
    home = rng.integers(80, size=n_users)[user]
    place = [np.where(rng.random(len(user)) < 0.95, home, rng.integers(80, size=len(user)))]
    others = [np.repeat(rng.integers(size, size=n_used), 3) for size in sizes[2:8]]
    city = (3 * place[0] + rng.integers(3, size=len(user))) % 230
    X, fields = one_hot(np.column_stack([user, item, *others, *place, city]), sizes)
    order = rng.permutation(len(user))
    return _split(X[order], np.tile([1, 0, 0], n_used)[order], len(user) // 2, fields)


def head(workload: str, directory: Path) -> DataSet:
    train, test = load(f"{workload}_train", directory), load(f"{workload}_test", directory)
    y, y_test, is_regression = train.y[:ROWS], test.y, workload == "W2"
    if not is_regression:
        y, y_test = y.astype(int), y_test.astype(int)
    return DataSet(train.X[:ROWS], y, test.X, y_test, train.fields, is_regression)
