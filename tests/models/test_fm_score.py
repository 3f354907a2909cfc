"""Scores of factorization machines: FM.predict."""

import numpy as np
import pytest
import scipy.sparse as sp
from helpers.oracles import assert_close, assert_scores, term_scale
from helpers.strategies import SEEDS, csr_of, make_csr, make_model, models, problems
from hypothesis import given
from hypothesis import strategies as st

from fastfm_c import FFM, FM

WIDTHS = [*range(1, 18), 32, 33, 64, 70]  # each panel of factors alone, and with every other


# --------------------------------------------------------------------------------- examples


def test_two_features_by_hand(simd):
    fm = FM(0.25, [0.5, -1.0], np.array([[1.0, 0.0], [1.0, 1.0]]))
    # 0.25 + 0.5 * 2 - 1 * 3 + <(1, 0), (1, 1)> * 2 * 3
    np.testing.assert_array_equal(fm.predict(sp.csr_array([[2.0, 3.0]])), [4.25])


def test_three_features_by_hand(simd):
    fm = FM(1.0, [1.0, 10.0, 100.0], np.array([[1.0], [2.0], [3.0]]))
    rows = [[1, 1, 1], [1, 1, 0], [0, 1, 2], [0, 0, 5]]
    expected = [1 + 111 + 2 + 3 + 6, 1 + 11 + 2, 1 + 210 + 12, 1 + 500]
    np.testing.assert_array_equal(fm.predict(sp.csr_array(np.array(rows, float))), expected)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("k", [1, 4, 7, 70])
def test_an_empty_row_scores_the_bias_and_one_value_has_no_pair(simd, k, dtype):
    V = np.full((2, k), 1000, dtype)
    X = sp.csr_array(np.array([[0, 0], [0, 3], [0, 0]], dtype))
    np.testing.assert_array_equal(FM(0.5, [7, 2], V).predict(X), np.array([0.5, 6.5, 0.5], dtype))


@pytest.mark.parametrize("n_outputs", [1, 3])
def test_zero_rows_give_an_empty_result(simd, n_outputs):
    fm = FM.random(5, 4, n_outputs=n_outputs)
    shape = (0,) if n_outputs == 1 else (0, n_outputs)
    assert fm.predict(sp.csr_array((0, 5))).shape == shape


def test_a_model_without_features_scores_the_bias(simd):
    assert FM(2.5, [], np.zeros((0, 3))).predict(sp.csr_array((2, 0))).tolist() == [2.5, 2.5]


def test_each_factor_counts_once(simd):
    for k in WIDTHS:
        V = np.zeros((2, k))
        V[0], V[1] = 1, 2.0 ** np.arange(k)
        score = FM(0.0, [0, 0], V).predict(sp.csr_array([[1.0, 1.0]]))
        # Exact: the squares need more than 53 bits only from k = 27 on.
        expected = 2.0**k - 1
        np.testing.assert_allclose(score, [expected], rtol=0 if k < 26 else 4.0**k * 1e-15 / expected)


def test_each_output_has_parameters_of_its_own(simd):
    fm = FM([1, 2], [[1, 0], [0, 1]], np.array([[[1.0], [1.0]], [[2.0], [2.0]]]))
    np.testing.assert_array_equal(fm.predict(sp.csr_array([[1.0, 3.0]])), [[1 + 1 + 3, 2 + 3 + 12]])


def test_huge_scores_stay_finite(simd):
    fm = FM(0.0, [0, 0], np.full((2, 5), 1e70))
    np.testing.assert_allclose(fm.predict(sp.csr_array([[1e80, -1e80]])), [-5e300], rtol=1e-12)


def test_an_explicit_zero_is_no_entry_even_for_parameters_that_are_not_finite(simd):
    V = np.array([[1.0] * 9, [np.inf] * 9, [np.nan] * 9])
    fm = FM(0.5, [1, np.nan, np.inf], V)
    X = csr_of(np.array([0, 3]), np.array([1, 0, 2]), np.array([0.0, 2.0, -0.0]), (1, 3))
    assert fm.predict(X).tolist() == [2.5]


def test_values_that_are_not_finite_spoil_their_row_alone(simd):
    rng = np.random.default_rng(0)
    X = make_csr(rng, [5, 40, 3], 60)
    fm = make_model(rng, (), 60, 20, "float64")
    before = fm.predict(X)
    for value in (np.nan, np.inf, -np.inf):
        X.data[10] = value
        after = fm.predict(X)
        assert not np.isfinite(after[1])
        np.testing.assert_array_equal(after[[0, 2]], before[[0, 2]])


# -------------------------------------------------------------------------------- reference


@pytest.mark.parametrize("index", ["int32", "int64"])
@pytest.mark.parametrize("data", ["float32", "float64"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_reference(simd, dtype, data, index):
    rng = np.random.default_rng(1)
    X = make_csr(rng, [0, 1, 2, 3, 31, 32, 33, 65, 100], 120, data, index)
    X.data[rng.random(len(X.data)) < 0.1] = 0
    for k in WIDTHS:
        outputs = (2,) if k in (3, 33) else ()
        assert_scores(make_model(rng, outputs, 120, k, dtype), X, what=f"k={k}")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_reference_for_a_thousand_values_of_one_sign(simd, dtype):
    """The longest rows that the accuracy is promised for; equal signs add up the rounding."""
    rng = np.random.default_rng(2)
    X = make_csr(rng, [1000] * 4, 1000, dtype)
    X.data[:] = np.abs(X.data) + 0.1
    model = make_model(rng, (), 1000, 8, dtype)
    model.V = np.abs(model.V)
    model.w = np.abs(model.w)
    assert_scores(model, X)


def test_sums_are_made_in_runs():
    """One float32 sum of a thousand equal terms would be off by 1e-5 of their total."""
    X = csr_of(np.array([0, 1000]), np.arange(1000), np.full(1000, 0.1, "float32"), (1, 1000))
    for w, V in [(0.1, 0), (0, 0.1)]:
        fm = FM(0.0, np.full(1000, w), np.full((1000, 4), V, "float32"))
        assert_close(fm.predict(X), fm_float64(fm).predict(X), 1e-6 * term_scale(fm, X))


def fm_float64(fm):
    return FM(fm.w0, fm.w.astype(float), fm.V.astype(float))


# ------------------------------------------------------------------------------- properties


@given(problem=problems("FM"))
def test_any_matrix_and_model(simd, problem):
    assert_scores(*problem)


@given(problem=problems("FM", min_rows=1), seed=SEEDS)
def test_the_order_of_rows_does_not_matter(simd, problem, seed):
    model, X = problem
    order = np.random.default_rng(seed).permutation(X.shape[0])
    np.testing.assert_array_equal(model.predict(X[order]), model.predict(X)[order])


@given(problem=problems("FM", repeats=False))
def test_the_order_of_columns_matters_to_rounding_only(simd, problem):
    model, X = problem
    X.sort_indices()
    assert_scores(model, X)


@given(problem=problems("FM", repeats=False))
def test_repeated_columns_are_summed(simd, problem):
    """Each value in two halves: their sum is exact, and so are the bits."""
    model, X = problem
    halves = [np.tile(row, 2) for row in np.split(np.arange(len(X.data)), X.indptr[1:-1])]
    places = np.concatenate([[], *halves]).astype(int)
    twice = csr_of(2 * X.indptr, X.indices[places], X.data[places] / 2, X.shape)
    np.testing.assert_array_equal(model.predict(twice), model.predict(X))


@given(problem=problems("FM"))
def test_twice_the_values_and_half_the_parameters(simd, problem):
    model, X = problem
    half = FM(model.w0, model.w / 2, model.V / 2)
    np.testing.assert_array_equal(
        half.predict(csr_of(X.indptr, X.indices, X.data * 2, X.shape)), model.predict(X)
    )


@given(problem=problems("FM"))
def test_zero_factors_add_nothing(simd, problem):
    model, X = problem
    wider = FM(model.w0, model.w, np.concatenate([model.V, np.zeros_like(model.V)], axis=-1))
    assert_scores(model, X, wider.predict(X))


@given(problem=problems("FM"), data=st.data())
def test_a_field_aware_model_with_equal_vectors_is_the_same(simd, problem, data):
    model, X = problem
    n_fields = data.draw(st.integers(1, 4))
    fields = np.random.default_rng(0).integers(0, n_fields, model.n_features)
    V = np.repeat(model.V[..., None, :], n_fields, axis=-2)
    assert_scores(model, X, FFM(model.w0, model.w, V, fields).predict(X))


@given(problem=problems("FM", min_rows=2), cut=st.integers(0, 6))
def test_a_batch_may_be_split(simd, problem, cut):
    model, X = problem
    parts = [model.predict(part) for part in (X[:cut], X[cut:])]
    np.testing.assert_array_equal(np.concatenate(parts), model.predict(X))


@given(data=st.data())
def test_outputs_are_independent(simd, data):
    X = make_csr(np.random.default_rng(data.draw(SEEDS)), [0, 3, 40], 50)
    model = data.draw(models(50, "FM", n_outputs=3))
    scores = model.predict(X)
    for c in range(3):
        alone = FM(model.w0[c], model.w[c], model.V[c])
        np.testing.assert_array_equal(scores[:, c], alone.predict(X))


# -------------------------------------------------------------------------------- same bits


@given(problem=problems("FM"))
def test_every_level_gives_the_same_bits(problem, levels):
    model, X = problem
    first, *others = [levels(name, lambda: model.predict(X)) for name in levels.names]
    for other in others:
        np.testing.assert_array_equal(first, other)


@given(problem=problems("FM"))
def test_row_by_row_gives_the_same_bits(simd, problem):
    model, X = problem
    for i, expected in enumerate(model.predict(X)):
        row = slice(X.indptr[i], X.indptr[i + 1])
        np.testing.assert_array_equal(model.predict_row(X.indices[row], X.data[row]), expected)
