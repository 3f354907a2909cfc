"""Measures of recommendations, against their definitions and scikit-learn."""

import math

import numpy as np
import pytest
import scipy.sparse as sp

from fastfm_c.recommend import FMRecommender, evaluate


@pytest.fixture(scope="module")
def setting():
    """(recommender, train, test, scores)."""
    rng = np.random.default_rng(0)
    matrix = sp.csr_array(sp.random(40, 30, 0.4, "csr", random_state=rng))
    matrix.data[:] = 1
    is_test = rng.random(matrix.nnz) < 0.4
    train, test = matrix.copy(), matrix.copy()
    train.data, test.data = np.where(is_test, 0.0, 1), np.where(is_test, 1.0, 0)
    train.eliminate_zeros()
    test.eliminate_zeros()
    test = sp.csr_array(test.toarray() * (np.arange(40) % 7 > 0)[:, None])  # some users have no test items
    recommender = FMRecommender(n_factors=4, max_iter=5, random_state=0).fit(train)
    return recommender, train, test, recommender.item_candidates_.scores(recommender.user_rows())


def plain(scores, train, test, K):
    """The definitions, user by user."""
    users, recommended = [], set()
    for row, seen, wanted in zip(scores, train.toarray() > 0, test.toarray() > 0, strict=True):
        if not wanted.any():
            continue
        order = sorted((i for i in range(len(row)) if not seen[i]), key=lambda i: (-row[i], i))[:K]
        recommended |= set(order)
        hits = [bool(wanted[i]) for i in order]
        n = int(wanted.sum())
        average = sum(sum(hits[: r + 1]) / (r + 1) for r in range(len(hits)) if hits[r]) / min(K, n)
        gain = sum(hit / math.log2(r + 2) for r, hit in enumerate(hits))
        best = sum(1 / math.log2(r + 2) for r in range(min(K, n)))
        pairs = [
            (row[i] > row[j]) + (row[i] == row[j]) / 2
            for i in np.flatnonzero(wanted)
            for j in np.flatnonzero(~wanted & ~seen)
        ]
        users.append([sum(hits) / K, sum(hits) / n, average, gain / best, np.mean(pairs)])
    return [*np.mean(users, axis=0), len(recommended) / scores.shape[1]]


@pytest.mark.parametrize("K", [1, 5, 10, 30, 50])
def test_measures_are_their_definitions(setting, K):
    recommender, train, test, scores = setting
    found = evaluate(recommender, train, test, K)
    assert list(found) == ["precision", "recall", "map", "ndcg", "auc", "coverage"]
    np.testing.assert_allclose(list(found.values()), plain(scores, train, test, K), rtol=1e-12)


def test_ndcg_is_that_of_scikit_learn(setting):
    metrics = pytest.importorskip("sklearn.metrics")
    recommender, train, test, scores = setting
    has_items = np.diff(test.indptr) > 0
    scores = np.where(train.toarray() > 0, -1e9, scores)[has_items]
    wanted = test.toarray()[has_items]
    expected = metrics.ndcg_score(wanted, scores, k=10, ignore_ties=True)
    np.testing.assert_allclose(evaluate(recommender, train, test)["ndcg"], expected, rtol=1e-12)


def test_items_of_both_are_of_train(setting):
    recommender, train, test, _ = setting
    assert evaluate(recommender, train, train + test) == evaluate(recommender, train, test)


def test_nobody_to_ask(setting):
    recommender, train, _, _ = setting
    found = evaluate(recommender, train, sp.csr_array(train.shape))
    assert found.pop("coverage") == 0
    assert np.isnan(list(found.values())).all()


def test_refuses_shapes(setting):
    recommender, train, _, _ = setting
    with pytest.raises(ValueError, match=r"test has shape \(1, 2\), expected \(40, 30\)"):
        evaluate(recommender, train, sp.csr_array((1, 2)))
    with pytest.raises(ValueError, match="K must be a positive integer"):
        evaluate(recommender, train, train, 0)
