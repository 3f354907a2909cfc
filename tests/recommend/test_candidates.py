"""Candidates beside contexts: their scores, the best of them, and what they refuse."""

import numpy as np
import pytest
import scipy.sparse as sp
from helpers.candidates import BOUND, joined, problem, without_signs
from helpers.levels import at_all_levels
from helpers.make import make_csr, make_model

from fastfm_c import FFM, FM
from fastfm_c.recommend import Candidates


def best_of(scores, k, excluded=None):
    """The k best by a plain sort: highest score first, then the smaller index."""
    indices = np.full((len(scores), k), -1)
    found = np.full((len(scores), k), -np.inf, scores.dtype)
    for i, row in enumerate(scores + 0):
        allowed = np.flatnonzero(row > -np.inf)
        if excluded is not None:
            allowed = np.setdiff1d(allowed, excluded[[i]].indices)
        order = allowed[np.lexsort((allowed, -row[allowed]))][:k]
        indices[i, : len(order)], found[i, : len(order)] = order, row[order]
    return indices, found


@pytest.mark.parametrize("kind", [FM, FFM])
def test_example(kind):
    """Two context columns, two candidate columns; worked out by hand."""
    V = np.array([[1.0], [2.0], [3.0], [4.0]])
    w = [0.1, 0.2, 0.3, 0.4]
    model = FM(1.0, w, V) if kind is FM else FFM(1.0, w, V[:, None, :], [0, 0, 0, 0])
    contexts = sp.csr_array([[1.0, 1.0, 0, 0], [0, 0, 0, 0]])
    items = Candidates(model, sp.csr_array([[0, 0, 1.0, 2.0], [0, 0, 0, 0.5], [0, 0, 0, 0]]))
    # Alone: 1 + .3 + 2 = 3.3 and 1; 1.1 + 24, .2 and 0. Together: 3 * 11, 3 * 2 and 0.
    expected = [[3.3 + 25.1 + 33, 3.3 + 0.2 + 6, 3.3], [1 + 25.1, 1.2, 1.0]]
    np.testing.assert_allclose(items.scores(contexts), expected, rtol=1e-15)
    bare = Candidates(model, sp.csr_array([[0, 0, 1.0, 2.0]]), own_pairs=False)
    np.testing.assert_allclose(bare.scores(contexts), [[3.3 + 1.1 + 33], [2.1]], rtol=1e-15)


@pytest.mark.parametrize("k", [1, 2, 5, 16, 33])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", [FM, FFM])
def test_scores_are_those_of_joined_rows(kind, dtype, k):
    rng = np.random.default_rng(k)
    for index in "int32", "int64":
        model, contexts, candidates = problem(rng, kind, k, dtype, index=index)
        items = Candidates(model, candidates)
        scores = at_all_levels(lambda items=items, contexts=contexts: items.scores(contexts))
        rows = joined(contexts, candidates)
        expected = model.predict(rows).reshape(scores.shape)
        terms = without_signs(model).predict(abs(rows)).reshape(scores.shape)
        assert scores.dtype == dtype
        assert (abs(scores - expected) <= BOUND[dtype] * terms).all()


@pytest.mark.parametrize("kind", [FM, FFM])
def test_long_rows_keep_their_accuracy(kind):
    """Runs of 32 values: 1000 values, which are added in two steps."""
    rng = np.random.default_rng(0)
    fields = None if kind is FM else rng.integers(0, 3, 2400)
    model = make_model(rng, (), 2400, 4, "float32", 3, fields)
    X = make_csr(rng, [1000, 0, 33, 1000], 1200, "float32")
    candidates = sp.csr_array((X.data, X.indices + 1200, X.indptr), shape=(4, 2400))
    X.resize(4, 2400)
    scores = Candidates(model, candidates).scores(X)
    rows = joined(X, candidates)
    terms = without_signs(model).predict(abs(rows)).reshape(4, 4)
    exact = type(model)(
        model.w0, model.w.astype("f8"), model.V.astype("f8"), *([] if kind is FM else [fields])
    ).predict(rows)
    assert (abs(scores - exact.reshape(4, 4)) <= 1e-5 * terms).all()


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", [FM, FFM])
@pytest.mark.parametrize("k_top", [1, 10, 69, 100])
def test_top_k_is_the_sorted_scores(kind, dtype, k_top):
    rng = np.random.default_rng(k_top)
    model, contexts, candidates = problem(rng, kind, 3, dtype, n_candidates=1000)
    candidates = sp.csr_array(candidates[rng.integers(0, 500, 1000)])  # many equal scores
    items = Candidates(model, candidates)
    some = sp.csr_array(sp.random(13, 1000, 0.3, "csr", random_state=rng))
    for excluded in None, some:
        indices, scores = at_all_levels(
            lambda excluded=excluded: items.top_k(contexts, k_top, exclude=excluded)
        )
        expected = best_of(items.scores(contexts), k_top, excluded)
        np.testing.assert_array_equal(indices, expected[0])
        np.testing.assert_array_equal(scores, expected[1])


@pytest.mark.parametrize("kind", [FM, FFM])
def test_same_bits_for_threads_and_batches(kind):
    rng = np.random.default_rng(1)
    model, contexts, candidates = problem(rng, kind, 20, "float32", 150, 9000)
    items = Candidates(model, candidates)
    scores, best = items.scores(contexts, num_threads=1), items.top_k(contexts, 30, num_threads=1)
    for num_threads in 2, 3, 7:
        np.testing.assert_array_equal(items.scores(contexts, num_threads=num_threads), scores)
        for mine, theirs in zip(items.top_k(contexts, 30, num_threads=num_threads), best, strict=True):
            np.testing.assert_array_equal(mine, theirs)
        np.testing.assert_array_equal(items.top_k(contexts[:1], 30, num_threads=num_threads)[0], best[0][:1])
    for step in 1, 7, 64:
        parts = [items.scores(contexts[i : i + step]) for i in range(0, 150, step)]
        np.testing.assert_array_equal(np.concatenate(parts), scores)
        parts = [items.top_k(contexts[i : i + step], 30)[0] for i in range(0, 150, step)]
        np.testing.assert_array_equal(np.concatenate(parts), best[0])


def test_fewer_than_k_are_left():
    items = Candidates(FM(0.0, [1.0, 2.0, 3.0], np.ones((3, 1))), sp.csr_array([[0, 1.0, 0], [0, 0, 1.0]]))
    contexts = sp.csr_array([[1.0, 0, 0]] * 2)
    exclude = sp.csr_array((np.ones(3), ([0, 1, 1], [1, 1, 0])), shape=(2, 2))
    indices, scores = items.top_k(contexts, 3, exclude=exclude)
    np.testing.assert_array_equal(indices, [[0, -1, -1], [-1, -1, -1]])
    np.testing.assert_array_equal(scores, [[4.0, -np.inf, -np.inf], [-np.inf] * 3])


def test_exclusions_in_any_order_and_repeated():
    rng = np.random.default_rng(0)
    model, contexts, candidates = problem(rng, FM, 3, "float32", 2)
    items = Candidates(model, candidates)
    tangled = sp.csr_array((np.zeros(5), [60, 3, 3, 20, 0], [0, 4, 5]), shape=(2, 70))
    tidy = sp.csr_array((np.ones(4), [3, 20, 60, 0], [0, 3, 4]), shape=(2, 70))
    for mine, theirs in zip(
        items.top_k(contexts, 70, exclude=tangled), items.top_k(contexts, 70, exclude=tidy), strict=True
    ):
        np.testing.assert_array_equal(mine, theirs)


@pytest.mark.parametrize("order", [1, -1])
def test_scores_in_sorted_order(order):
    """The threshold rises with every candidate, or never."""
    w = np.arange(5000.0)[::order]
    items = Candidates(FM(0.0, [*w, 0.0], np.zeros((5001, 1))), sp.csr_array(sp.eye(5000, 5001)))
    indices, _ = items.top_k(sp.csr_array((1, 5001)), 40)
    np.testing.assert_array_equal(indices[0], np.argsort(-w)[:40])


def test_zeros_are_equal_and_nan_is_never_chosen():
    w = [-0.0, 0.0, np.nan, -np.inf, -1.0, 0.0]
    items = Candidates(FM(-0.0, w, np.zeros((6, 1))), sp.csr_array(sp.eye(5, 6)))
    indices, scores = items.top_k(sp.csr_array((1, 6)), 5)
    np.testing.assert_array_equal(indices, [[0, 1, 4, -1, -1]])
    assert not np.signbit(scores[0, :2]).any()


@pytest.mark.parametrize("kind", [FM, FFM])
def test_vectors_give_the_scores(kind):
    rng = np.random.default_rng(3)
    model, contexts, candidates = problem(rng, kind, 5, "float64")
    for own_pairs in True, False:
        items = Candidates(model, candidates, own_pairs=own_pairs)
        products = items.query_vectors(contexts) @ items.vectors().T
        np.testing.assert_allclose(products, items.scores(contexts), rtol=1e-11, atol=1e-12)


def test_repeats_and_explicit_zeros():
    """Repeated columns are summed as for predict; a stored zero is no common column."""
    rng = np.random.default_rng(0)
    model = make_model(rng, (), 4, 3, "float64")
    contexts = sp.csr_array((1, 4))
    contexts.indptr, contexts.indices = np.array([0, 4], np.int32), np.array([0, 1, 0, 2], np.int32)
    contexts.data = np.array([1.0, 2.0, 3.0, 0.0])
    candidates = sp.csr_array([[0, 0, 1.0, 2.0]])
    score = Candidates(model, candidates).scores(contexts)
    np.testing.assert_allclose(score[0], model.predict(sp.csr_array([[4.0, 2.0, 1.0, 2.0]])), rtol=1e-14)


def test_no_rows():
    model = FM.random(4, 2, rng=0)
    some, none = sp.csr_array([[0, 0, 1.0, 0]]), sp.csr_array((0, 4))
    assert Candidates(model, none).scores(sp.csr_array([[1.0, 0, 0, 0]])).shape == (1, 0)
    assert Candidates(model, some).scores(none).shape == (0, 1)
    np.testing.assert_array_equal(
        Candidates(model, none).top_k(sp.csr_array([[1.0, 0, 0, 0]]), 2)[0], [[-1, -1]]
    )


def test_memory_of_top_k():
    """10^4 contexts beside 10^5 candidates: a matrix of scores would take 4 GB, the result 1.2 MB."""
    import resource

    rng = np.random.default_rng(0)
    model = FM.random(20, 4, rng=0)
    candidates = sp.csr_array(
        (np.ones(100_000), (np.arange(100_000), rng.integers(10, 20, 100_000))), (100_000, 20)
    )
    items = Candidates(model, candidates)
    contexts = sp.csr_array((np.ones(10_000), (np.arange(10_000), rng.integers(0, 10, 10_000))), (10_000, 20))
    items.top_k(contexts[:64], 10)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    items.top_k(contexts, 10)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000  # kB


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (dict(contexts=sp.csr_array([[0, 0, 1.0, 0]])), "row 0 of X_context has a value in column 2"),
        (dict(contexts=sp.csr_array([[1.0, 0]])), "X has 2 columns, the model has 4 features"),
        (dict(exclude=sp.csr_array((1, 3))), r"exclude has shape \(1, 3\), expected \(n_context, 2\)"),
        (dict(exclude=sp.csr_array((2, 2))), "exclude has 2 rows, X_context has 1"),
        (dict(exclude=np.zeros((1, 2))), "exclude must be a sparse matrix, got ndarray"),
        (dict(k=0), "k must be a positive integer, got 0"),
    ],
)
def test_refuses(change, message):
    items = Candidates(FM.random(4, 2, rng=0), sp.csr_array([[0, 0, 1.0, 0], [0, 0, 0, 1.0]]))
    arguments = dict(contexts=sp.csr_array([[1.0, 0, 0, 0]]), k=1, exclude=None) | change
    with pytest.raises(ValueError, match=message):
        items.top_k(arguments["contexts"], arguments["k"], exclude=arguments["exclude"])


def test_refuses_hostile_exclusions():
    items = Candidates(FM.random(4, 2, rng=0), sp.csr_array([[0, 0, 1.0, 0], [0, 0, 0, 1.0]]))
    for indptr, indices, message in (
        ([0, 1], [5], "row 0 of exclude has column 5, outside 0..1"),
        ([0, 1], [-1], "row 0 of exclude has column -1"),
        ([0, 9], [1], "exclude.indptr decreases"),
        ([-3, 1], [1], "exclude.indptr decreases"),
    ):
        exclude = sp.csr_array((1, 2))
        exclude.indptr, exclude.indices, exclude.data = np.array(indptr), np.array(indices), np.ones(1)
        with pytest.raises(ValueError, match=message):
            items.top_k(sp.csr_array([[1.0, 0, 0, 0]]), 1, exclude=exclude)


@pytest.mark.parametrize(
    ("model", "message"),
    [
        (FM.random(4, 2, n_outputs=3, rng=0), "model has 3 outputs, expected one score a row"),
        (FM(0.0, np.zeros(4), np.zeros((4, 1)), normalize="instance"), "model has normalize='instance'"),
        ("fm", "model must be an FM, an FFM or a quantised model, got str"),
    ],
)
def test_refuses_models(model, message):
    with pytest.raises(ValueError, match=message):
        Candidates(model, sp.csr_array([[0, 0, 1.0, 0]]))


def test_refuses_out():
    items = Candidates(FM.random(2, 2, rng=0), sp.csr_array([[0, 1.0]]))
    contexts = sp.csr_array([[1.0, 0]])
    out = np.zeros((1, 1), np.float32)
    assert items.scores(contexts, out=out) is out
    for wrong in np.zeros((1, 2), np.float32), np.zeros((1, 1)):
        with pytest.raises(ValueError, match="out must be a writable array"):
            items.scores(contexts, out=wrong)
