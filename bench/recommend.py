"""``python -m bench recommend``: candidates beside NumPy and `predict`, and learning to rank beside implicit
and LightFM, on a planted set of implicit feedback."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np
import scipy.sparse as sp

from fastfm_c import FM
from fastfm_c.recommend import Candidates, FMRecommender, evaluate, split_by_user

from .movielens import movielens
from .timing import least_seconds, seconds_of
from .workloads import rows_of_ones

SIZE = (6_000, 4_000, 1_000_000)  # users, items, interactions: about those of MovieLens-1M
QUICK = (600, 400, 30_000)
N_CANDIDATES, K_TOP, VALUES, N_CONTEXT_VALUES = 100_000, 100, 8, 30
EPOCHS, FACTORS, DIM, FEATURES, VOCABULARY = 20, 32, 16, 5, 40
MOVIELENS_EPOCHS = 30


def planted(n_users: int, n_items: int, total: int, seed: int = 0) -> dict[str, Any]:
    """Interactions drawn without replacement by softmax of logits; half of the variance of the factors comes
    from five features of forty values each. A fifth of the interactions is held out. "factors": of users, and
    of items as far as their features tell."""
    rng = np.random.default_rng(seed)

    def side(n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        features = rng.integers(0, VOCABULARY, (n, FEATURES)) + np.arange(FEATURES) * VOCABULARY
        of_feature = rng.standard_normal((FEATURES * VOCABULARY, DIM))
        mean = of_feature[features].sum(axis=1) / np.sqrt(FEATURES)
        return features, np.sqrt(0.5) * (mean + rng.standard_normal((n, DIM))), mean

    (of_users, p, _), (of_items, q, expected) = side(n_users), side(n_items)
    popularity = rng.standard_normal(n_items)
    counts = np.clip(rng.lognormal(0, 0.8, n_users), 0.12, 6)
    counts = np.clip((counts / counts.sum() * total).astype(int), 10, n_items // 2)
    users, items = [], []
    for begin in range(0, n_users, 1000):
        logits = 2.5 / np.sqrt(DIM) * p[begin : begin + 1000] @ q.T + popularity
        order = np.argsort(-(logits - np.log(-np.log(rng.random(logits.shape) + 1e-12))), axis=1)
        for user, chosen in enumerate(order, begin):
            users.append(np.full(counts[user], user))
            items.append(chosen[: counts[user]])
    user, item = np.concatenate(users), np.concatenate(items)
    held_out = rng.random(len(user)) < 0.2
    shape = n_users, n_items
    parts = [
        sp.csr_array((np.ones(keep.sum(), np.float32), (user[keep], item[keep])), shape=shape)
        for keep in (~held_out, held_out)
    ]
    features = [rows_of_ones(part, FEATURES * VOCABULARY) for part in (of_users, of_items)]
    return {"train": parts[0], "test": parts[1], "features": features, "factors": (p, expected)}


def candidates(n: int, n_factors: int, repeats: int) -> dict[str, float]:
    """Microseconds a context: the 100 best of n candidates, against NumPy and against `predict`."""
    rng = np.random.default_rng(0)
    n_columns, first = 1_000, 1_000 * N_CONTEXT_VALUES
    width = first + n_columns * VALUES
    of_items = first + rng.integers(0, n_columns, (n, VALUES)) + n_columns * np.arange(VALUES)
    of_contexts = rng.integers(0, n_columns, (200, N_CONTEXT_VALUES))
    of_contexts += n_columns * np.arange(N_CONTEXT_VALUES)
    items, contexts = rows_of_ones(of_items, width), rows_of_ones(of_contexts, width)
    model = FM.random(width, n_factors, init_stdev=0.1, rng=0)
    made = Candidates(model, items)
    vectors, queries = made.vectors(), made.query_vectors(contexts)
    first_rows = sp.csr_array((np.ones(n, np.float32), np.zeros(n, int), np.arange(n + 1)), shape=(n, 1))
    joined = sp.csr_array(first_rows @ contexts[:1] + items)
    expected = model.predict(joined)
    if not np.allclose(made.scores(contexts[:1])[0], expected, rtol=1e-3, atol=1e-4):
        raise AssertionError("scores differ from predict")
    one = contexts[:1]

    def us(call: Callable[[], Any]) -> float:
        return 1e6 * least_seconds(call, repeats + 1)

    return {
        "predict": us(lambda: model.predict(joined, num_threads=1)),
        "one context": us(lambda: made.top_k(one, K_TOP, num_threads=1)),
        "NumPy, one": us(lambda: _numpy_top(vectors, queries[:1])),
        "200 contexts": us(lambda: made.top_k(contexts, K_TOP, num_threads=1)) / 200,
        "NumPy, 200": us(lambda: _numpy_top(vectors, queries)) / 200,
    }


def _numpy_top(vectors: np.ndarray, queries: np.ndarray) -> np.ndarray:
    scores = queries @ vectors.T
    chosen = np.argpartition(-scores, K_TOP, axis=1)[:, :K_TOP]
    order = np.argsort(-np.take_along_axis(scores, chosen, axis=1), axis=1)
    return np.take_along_axis(chosen, order, axis=1)


def ranking(data: dict[str, Any], loss: str, with_features: bool, epochs: int) -> dict[str, float]:
    """Seconds an epoch and measures of FMRecommender on one thread."""
    model = FMRecommender(n_factors=FACTORS, loss=loss, max_iter=epochs, random_state=0, n_jobs=1)
    model.fit(data["train"], *(data["features"] if with_features else ()))
    found = evaluate(model, data["train"], data["test"])
    return {
        "seconds an epoch": min(model.history_.seconds),
        "ndcg": found["ndcg"],
        "precision": found["precision"],
    }


def cold_items(data: dict[str, Any], loss: str, epochs: int) -> dict[str, float]:
    """ndcg of the tenth of the items that nobody has chosen yet, among themselves. The oracle knows all but
    what features do not tell."""
    (users, expected), everything = data["factors"], sp.csc_array(data["train"] + data["test"])
    n_known = everything.shape[1] * 9 // 10
    known = sp.csr_array(
        sp.hstack([everything[:, :n_known], sp.csc_array((len(users), len(expected) - n_known))])
    )
    model = FMRecommender(n_factors=FACTORS, loss=loss, max_iter=epochs, random_state=0).fit(
        known, *data["features"]
    )
    cold = sp.csr_array(everything[:, n_known:])
    asked = {"train": sp.csr_array(cold.shape), "test": cold}
    found = _measures(asked, model.item_candidates_.scores(model.user_rows())[:, n_known:])["ndcg"]
    oracle = _measures(asked, users @ expected[n_known:].T)["ndcg"]
    return {"ndcg": found, "oracle": oracle, "share": found / oracle}


def of_lightfm(data: dict[str, Any], loss: str, with_features: bool, epochs: int) -> dict[str, float]:
    """The same of lightfm or lightfm-next, on one thread."""
    model = import_module("lightfm").LightFM(no_components=FACTORS, loss=loss, random_state=0)
    features = [None, None]
    if with_features:  # beside the columns of their own, which LightFM adds only where there are no features
        features = [
            sp.csr_matrix(sp.hstack([sp.identity(f.shape[0]), f]), dtype=np.float32) for f in data["features"]
        ]
    times, entries = [], data["train"].tocoo()
    places = [numbers.astype(np.int32) for numbers in (entries.row, entries.col)]  # LightFM takes no other
    train = sp.coo_matrix((np.ones(entries.nnz, np.float32), places), shape=entries.shape)
    for _ in range(epochs):
        times.append(seconds_of(lambda: model.fit_partial(train, *features, num_threads=1)))
    bias_u, users = model.get_user_representations(features[0])
    bias_i, items = model.get_item_representations(features[1])
    return {"seconds an epoch": min(times), **_measures(data, users @ items.T + bias_u[:, None] + bias_i)}


def of_implicit(data: dict[str, Any], loss: str, with_features: bool, epochs: int) -> dict[str, float]:
    """The same of implicit's BPR, which has no features."""
    if loss != "bpr" or with_features:
        return {}
    create = import_module("implicit.bpr").BayesianPersonalizedRanking
    model = create(factors=FACTORS, iterations=epochs, num_threads=1, random_state=0)
    train = sp.csr_matrix(data["train"])
    each = seconds_of(lambda: model.fit(train, show_progress=False)) / epochs
    return {"seconds an epoch": each, **_measures(data, model.user_factors @ model.item_factors.T)}


def _measures(data: dict[str, Any], scores: np.ndarray) -> dict[str, float]:
    """ndcg and precision at 10 of all scores."""
    scores = np.where(data["train"].toarray() > 0, -np.inf, scores)
    top = np.argsort(-scores, axis=1)[:, :10]
    test = data["test"].toarray() > 0
    hits = np.take_along_axis(test, top, axis=1)
    gains, n_test = 1 / np.log2(np.arange(2, 12)), test.sum(axis=1)
    best = np.concatenate([[0], np.cumsum(gains)])[np.minimum(n_test, 10)]
    has = n_test > 0
    return {
        "ndcg": float((hits @ gains)[has].dot(1 / best[has]) / has.sum()),
        "precision": float(hits[has].mean()),
    }


def compare(data: dict[str, Any], loss: str, with_features: bool, epochs: int) -> dict[str, Any]:
    """Prints the figures of ours and of the peers that are installed; returns them."""
    figures = {}
    for name, run in ("fastfm_c", ranking), ("lightfm", of_lightfm), ("implicit", of_implicit):
        try:
            found = run(data, loss, with_features, epochs)
        except ImportError:
            continue
        if found:
            label = f"{name} {loss}{' with features' if with_features else ''}"
            figures[label] = found
            print(f"{label:30}", "  ".join(f"{key} {value:.4f}" for key, value in found.items()), flush=True)
    return figures


def run_recommend(options: argparse.Namespace) -> dict[str, Any]:
    """Prints the tables; returns the figures."""
    figures: dict[str, Any] = {}
    n = 10_000 if options.quick else N_CANDIDATES
    print(f"\nmicroseconds a context: the {K_TOP} best of {n:,} candidates, FM, one thread")
    for k in (32, 128):
        figures[f"candidates k={k}"] = found = candidates(n, k, options.repeats)
        print(f"k = {k:3}", "  ".join(f"{name} {value:,.0f}" for name, value in found.items()))
    size = QUICK if options.quick else SIZE
    data, epochs = planted(*size), 2 if options.quick else EPOCHS
    print(f"\nplanted set of {size}: {data['train'].nnz:,} to learn from, {epochs} epochs, one thread")
    for with_features in False, True:
        for loss in "warp", "bpr":
            figures |= compare(data, loss, with_features, epochs)
    for loss in "warp", "bpr":
        figures[f"cold items {loss}"] = found = cold_items(data, loss, epochs)
        print(
            f"cold items by features, {loss}: ",
            "  ".join(f"{key} {value:.4f}" for key, value in found.items()),
        )
    ratings = movielens()
    if ratings is not None:
        train, test = split_by_user(ratings, 0.2, rng=0)
        print(f"\nMovieLens, a fifth of each user's ratings held out: {train.nnz:,} to learn from")
        found = compare({"train": train, "test": test}, "warp", False, MOVIELENS_EPOCHS)
        figures |= {f"MovieLens {name}": values for name, values in found.items()}
    return figures
