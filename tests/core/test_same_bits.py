"""The same bits at every SIMD level, with any number of threads, in batches of any size.

Each kernel's file compares small matrices over the levels; here the matrices are large enough
that threads are used (work is counted in multiply-adds, a thread for each 300,000) and that rows
are shared out in more blocks than there are threads (16,384 values each).
"""

import numpy as np
import pytest
import scipy.sparse as sp
from helpers.large_problem import CASES, N, digest, everything, large_matrix, large_model
from helpers.levels import LEVELS, assert_same_bits, at_all_levels, predict
from helpers.make import csr_of, make_csr
from helpers.subprocesses import output_of

from fastfm_c import FFM, SquaredLoss, config

THREADS = [1, 2, 3, 5, 16]


@pytest.mark.parametrize("case", CASES)
def test_levels_and_threads(case):
    X = large_matrix()
    expected = everything(case, X, 1)
    for n in THREADS:
        actual = at_all_levels(lambda n=n: everything(case, X, n))
        assert_same_bits(actual, expected, f"{n} threads")


def test_a_level_that_differs_is_noticed():
    """A check of the check, where there are two levels."""
    if len(LEVELS) > 1:
        with pytest.raises(AssertionError, match=f"{LEVELS[1]} differs from baseline"):
            at_all_levels(lambda: LEVELS.index(config()["simd"]))
    with pytest.raises(AssertionError):
        assert_same_bits(0.0, -0.0)


@pytest.mark.parametrize("case", CASES)
def test_int64_indices(case):
    X = large_matrix()
    wide = csr_of(X.indptr.astype("int64"), X.indices.astype("int64"), X.data, X.shape)
    assert_same_bits(everything(case, wide, 3), everything(case, X, 3))


DIGESTS = """
import sys
from helpers.large_problem import digest, everything, large_matrix
from fastfm_c import config
print(config()["simd"], *(digest(everything(case, large_matrix(), 2)) for case in sys.argv[1:]))
"""


def test_levels_chosen_at_import():
    cases = "FM float32 k=17", "FFM float32 k=4"
    expected = [digest(everything(case, large_matrix(), 1)) for case in cases]
    for level in LEVELS:
        assert output_of(DIGESTS, *cases, FASTFM_C_SIMD=level).split() == [level, *expected]


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("num_threads", [1, 3])
def test_batches(case, num_threads):
    model, X = large_model(case), large_matrix()
    expected = predict(model, X)
    for size in (977, 5000):
        parts = [X[at : at + size] for at in range(0, X.shape[0], size)]
        scores = at_all_levels(lambda parts=parts: [model.predict(p, num_threads=num_threads) for p in parts])
        np.testing.assert_array_equal(np.concatenate(scores), expected)


@pytest.mark.parametrize("case", CASES)
def test_rows_one_by_one(case):
    model, X = large_model(case), large_matrix()
    expected = predict(model, X)
    for i in [*range(150), 3000, X.shape[0] - 1]:
        row, X_row = slice(X.indptr[i], X.indptr[i + 1]), X[i : i + 1]
        one = at_all_levels(lambda row=row: model.predict_row(X.indices[row], X.data[row]))
        np.testing.assert_array_equal(one, expected[i])
        np.testing.assert_array_equal(predict(model, X_row), expected[i : i + 1])


@pytest.mark.parametrize("case", CASES)
def test_the_order_of_rows(case):
    model, X = large_model(case), large_matrix()
    order = np.random.default_rng(3).permutation(X.shape[0])
    np.testing.assert_array_equal(model.predict(X[order]), model.predict(X)[order])


@pytest.mark.parametrize("case", CASES)
def test_where_rows_lie_in_memory(case):
    """The prefetch looks past the end of a row, and must not matter: here at both ends of X."""
    model, X = large_model(case), large_matrix()
    expected = model.predict(X)
    for i in (X.shape[0] - 1, 0, 100):
        row = slice(X.indptr[i], X.indptr[i + 1])
        alone = csr_of(np.array([0, row.stop - row.start]), X.indices[row].copy(), X.data[row].copy(), (1, N))
        np.testing.assert_array_equal(model.predict(alone)[0], expected[i])


def test_twice_the_same_call_gives_the_same_bits():
    X = large_matrix()
    first = everything("FM float32 k=17", X, 8)
    for _ in range(5):
        assert_same_bits(everything("FM float32 k=17", X, 8), first)


# ------------------------------------------- in pieces: long calls look at signals in between


def in_pieces():
    """(models, X): equal but for fields that no feature has, so that one goes in three pieces.

    The rows between two looks at pending signals are counted by the size of the model, and that
    of the second has 2,000 fields.
    """
    rng = np.random.default_rng(4)
    X = make_csr(rng, [2] * 7000, 4)
    V = rng.standard_normal((4, 2, 70)).astype("float32")
    wide = np.zeros((4, 2000, 70), "float32")
    wide[:, :2] = V
    w, fields = rng.standard_normal(4), [0, 1, 1, 0]
    return FFM(0.5, w, V, fields), FFM(0.5, w, wide, fields), X


def test_pieces_of_rows_give_the_same_bits():
    narrow, wide, X = in_pieces()
    np.testing.assert_array_equal(narrow.predict(X), wide.predict(X))
    rng = np.random.default_rng(5)
    y, weight = rng.standard_normal(7000), rng.random(7000)
    expected, a = narrow.gradient(X, y, SquaredLoss(), sample_weight=weight)
    actual, b = wide.gradient(X, y, SquaredLoss(), sample_weight=weight)
    sparse_value, c = wide.gradient(X, y, SquaredLoss(), sample_weight=weight, sparse=True)
    assert actual == sparse_value == expected
    assert a.w0 == b.w0 == c.w0
    for name in ("w", "V"):
        np.testing.assert_array_equal(getattr(b, name), getattr(c, name))
    # The batches of a gradient are smaller where a feature has more numbers: the order of sums differs.
    np.testing.assert_allclose(a.w, b.w, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(a.V, b.V[:, :2], rtol=1e-4, atol=1e-6)
    assert not b.V[:, 2:].any()


def test_errors_in_later_pieces_name_their_row():
    _, wide, X = in_pieces()
    y = np.zeros(7000)
    y[6789] = np.nan
    with pytest.raises(ValueError, match=r"y\[6789\] is nan"):
        wide.objective(X, y, SquaredLoss())
    X.indices[X.indptr[6500]] = 4
    for call in (wide.predict, lambda X: wide.gradient(X, y, SquaredLoss())):
        with pytest.raises(ValueError, match="row 6500 of X has column index 4"):
            call(X)
    X.indices[X.indptr[6500]] = X.indices[X.indptr[6500] + 1]  # now twice the same
    repeated = wide.predict(X)
    assert np.isfinite(repeated).all()
    summed = sp.csr_array(X)
    summed.sum_duplicates()
    np.testing.assert_allclose(repeated, wide.predict(summed), rtol=1e-4, atol=1e-4)
