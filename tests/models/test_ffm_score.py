"""Scores of field-aware factorization machines: FFM.predict, by pairs and by field sums."""

import numpy as np
import pytest
import scipy.sparse as sp
from helpers.oracles import assert_scores
from helpers.strategies import SEEDS, csr_of, make_csr, make_model, models, problems
from hypothesis import given
from hypothesis import strategies as st

from fastfm_c import FFM, FM

WIDTHS = [*range(1, 18), 32, 33, 70]  # each run of factors alone, and with every other


# --------------------------------------------------------------------------------- examples


def test_two_fields_by_hand(simd):
    V = np.array([[[9.0], [2.0]], [[3.0], [9.0]]])  # only the 2 and the 3 meet
    ffm = FFM(0.5, [1.0, 10.0], V, [0, 1])
    X = sp.csr_array([[1.0, 10.0], [1.0, 0.0], [0.0, 2.0], [0.0, 0.0]])
    np.testing.assert_array_equal(ffm.predict(X), [0.5 + 101 + 60, 1.5, 20.5, 0.5])


def test_pairs_inside_a_field_are_part_of_the_sum(simd):
    V = np.array([[[2.0], [100.0]], [[3.0], [100.0]]])
    np.testing.assert_array_equal(FFM(0.0, [0, 0], V, [0, 0]).predict(sp.csr_array([[1.0, 5.0]])), [30.0])


def test_six_values_in_two_fields_by_hand_take_the_field_sums(simd):
    """All V[i, b] = 1: each of the 15 pairs of ones counts 1, per factor."""
    X = sp.csr_array(np.ones((1, 6)))
    for k in WIDTHS:
        ffm = FFM(0.25, np.ones(6), np.ones((6, 2, k)), [0, 1, 0, 1, 0, 1])
        np.testing.assert_array_equal(ffm.predict(X), [0.25 + 6 + 15 * k])


def test_which_vector_meets_which(simd):
    """V[i, b] = 10^i for b = 0 and 2 * 10^i for b = 1, so that each pair leaves its own digit."""
    V = 10.0 ** np.arange(3)[:, None, None] * np.array([[1.0], [2.0]])
    ffm = FFM(0.0, np.zeros(3), V, [0, 1, 1])
    # pair (0, 1): V[0, 1] V[1, 0] = 2 * 10; (0, 2): 2 * 100; (1, 2): V[1, 1] V[2, 1] = 20 * 200
    np.testing.assert_array_equal(ffm.predict(sp.csr_array([[1.0, 1.0, 1.0]])), [20 + 200 + 4000])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("k", [1, 4, 7, 35])
def test_an_empty_row_scores_the_bias_and_one_value_has_no_pair(simd, k, dtype):
    V = np.full((2, 3, k), 1000, dtype)
    X = sp.csr_array(np.array([[0, 0], [0, 3], [0, 0]], dtype))
    expected = np.array([0.5, 6.5, 0.5], dtype)
    np.testing.assert_array_equal(FFM(0.5, [7, 2], V, [2, 0]).predict(X), expected)


@pytest.mark.parametrize("n_outputs", [1, 3])
def test_zero_rows_give_an_empty_result(simd, n_outputs):
    ffm = FFM.random([0, 1, 0], 4, n_outputs=n_outputs)
    shape = (0,) if n_outputs == 1 else (0, n_outputs)
    assert ffm.predict(sp.csr_array((0, 3))).shape == shape


def test_a_model_without_features_scores_the_bias(simd):
    ffm = FFM(2.5, [], np.zeros((0, 2, 3)), np.zeros(0, int))
    assert ffm.predict(sp.csr_array((2, 0))).tolist() == [2.5, 2.5]


@pytest.mark.parametrize("n_values", [2, 40])
def test_an_explicit_zero_is_no_entry_even_for_parameters_that_are_not_finite(simd, n_values):
    """By pairs and by field sums. The zeros lie in a field of their own and in the others."""
    rng = np.random.default_rng(0)
    clean = make_model(rng, (), n_values + 3, 5, "float64", 3, np.arange(n_values + 3) % 2)
    X = make_csr(rng, [n_values], n_values, sort=True)
    fields = clean.fields.copy()
    fields[-1] = 2
    V, w = clean.V.copy(), clean.w.copy()
    V[-3:], w[-3:] = np.nan, np.inf
    indices = np.concatenate([[n_values + 2, n_values], X.indices, [n_values + 1]])
    data = np.concatenate([[0.0, -0.0], X.data, [0.0]])
    with_zeros = csr_of(np.array([0, len(data)]), indices, data, (1, n_values + 3))
    X.resize(1, n_values + 3)
    np.testing.assert_array_equal(FFM(clean.w0, w, V, fields).predict(with_zeros), clean.predict(X))


@pytest.mark.parametrize("n_values", [3, 40])
def test_values_that_are_not_finite_spoil_their_row_alone(simd, n_values):
    rng = np.random.default_rng(0)
    X = make_csr(rng, [5, n_values, 3], 60)
    ffm = make_model(rng, (), 60, 6, "float64", 4, np.arange(60) % 4)
    before = ffm.predict(X)
    for value in (np.nan, np.inf, -np.inf):
        X.data[6] = value
        after = ffm.predict(X)
        assert not np.isfinite(after[1])
        np.testing.assert_array_equal(after[[0, 2]], before[[0, 2]])


# -------------------------------------------------------------------------------- reference


@pytest.mark.parametrize("index", ["int32", "int64"])
@pytest.mark.parametrize("data", ["float32", "float64"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_reference(simd, dtype, data, index):
    """Rows of up to 4 and of many values per field: both forms, next to each other."""
    rng = np.random.default_rng(1)
    X = make_csr(rng, [0, 1, 2, 3, 5, 8, 33, 34, 65, 90], 100, data, index)
    X.data[rng.random(len(X.data)) < 0.1] = 0
    for k in WIDTHS:
        outputs = (2,) if k in (3, 33) else ()
        model = make_model(rng, outputs, 100, k, dtype, 7, rng.integers(0, 7, 100))
        assert_scores(model, X, what=f"k={k}")


@pytest.mark.parametrize("n_fields", [1, 2, 3, 10, 39, 60])
def test_reference_from_one_field_to_a_field_for_each_value(simd, n_fields):
    rng = np.random.default_rng(2)
    X = make_csr(rng, [1, 2, 3, 4, 5, 6, 10, 20, 39, 60], 60, "float32")
    assert_scores(make_model(rng, (), 60, 4, "float32", n_fields, np.arange(60) % n_fields), X)


def test_reference_around_the_change_of_form(simd):
    """z values in f fields: field sums where f (2 z + f) < z (z - 1)."""
    rng = np.random.default_rng(3)
    for f in range(1, 13):
        for z in range(2 * f, 3 * f + 3):
            model = make_model(rng, (), z, 5, "float64", f, np.arange(z) % f)
            assert_scores(model, make_csr(rng, [z], z), what=f"{z} values in {f} fields")


@pytest.mark.parametrize("n_fields", [10, 1000])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_reference_for_a_thousand_values_of_one_sign(simd, dtype, n_fields):
    """The longest rows that the accuracy is promised for, by field sums and by pairs."""
    rng = np.random.default_rng(4)
    n = 1000 if n_fields == 10 else 400  # the reference makes a matrix of all pairs
    X = make_csr(rng, [n], n, dtype)
    X.data[:] = np.abs(X.data) + 0.1
    model = make_model(rng, (), n, 1, dtype, min(n_fields, n), np.arange(n) % n_fields)
    model.V, model.w = np.abs(model.V), np.abs(model.w)
    assert_scores(model, X)


# ------------------------------------------------------------------------------- properties


@given(problem=problems("FFM"))
def test_any_matrix_and_model(simd, problem):
    assert_scores(*problem)


@given(problem=problems("FFM", min_rows=1), seed=SEEDS)
def test_the_order_of_rows_does_not_matter(simd, problem, seed):
    model, X = problem
    order = np.random.default_rng(seed).permutation(X.shape[0])
    np.testing.assert_array_equal(model.predict(X[order]), model.predict(X)[order])


@given(problem=problems("FFM", repeats=False))
def test_the_order_of_columns_matters_to_rounding_only(simd, problem):
    model, X = problem
    X.sort_indices()
    assert_scores(model, X)


@given(problem=problems("FFM", repeats=False))
def test_repeated_columns_are_summed(simd, problem):
    """Each value in two halves: their sum is exact, and so are the bits."""
    model, X = problem
    halves = [np.tile(row, 2) for row in np.split(np.arange(len(X.data)), X.indptr[1:-1])]
    places = np.concatenate([[], *halves]).astype(int)
    twice = csr_of(2 * X.indptr, X.indices[places], X.data[places] / 2, X.shape)
    np.testing.assert_array_equal(model.predict(twice), model.predict(X))


@given(problem=problems("FFM"))
def test_twice_the_values_and_half_the_parameters(simd, problem):
    model, X = problem
    half = FFM(model.w0, model.w / 2, model.V / 2, model.fields)
    double = csr_of(X.indptr, X.indices, X.data * 2, X.shape)
    np.testing.assert_array_equal(half.predict(double), model.predict(X))


@given(problem=problems("FFM"), data=st.data())
def test_the_names_of_fields_do_not_matter(simd, problem, data):
    model, X = problem
    name = np.random.default_rng(data.draw(SEEDS)).permutation(model.n_fields)
    V = np.empty_like(model.V)
    V[..., name, :] = model.V
    renamed = FFM(model.w0, model.w, V, name[model.fields])
    np.testing.assert_array_equal(renamed.predict(X), model.predict(X))


@given(problem=problems("FFM"))
def test_fields_that_no_feature_has_do_not_matter(simd, problem):
    model, X = problem
    V = np.concatenate([model.V, np.full_like(model.V, np.nan)], axis=-2)
    wider = FFM(model.w0, model.w, V, model.fields)
    np.testing.assert_array_equal(wider.predict(X), model.predict(X))


@given(problem=problems("FFM"))
def test_one_field_is_a_factorization_machine(simd, problem):
    model, X = problem
    fm = FM(model.w0, model.w, model.V[..., 0, :])
    ffm = FFM(model.w0, model.w, model.V[..., :1, :], np.zeros(model.n_features, int))
    assert_scores(fm, X, ffm.predict(X))


@given(problem=problems("FFM", min_rows=2), cut=st.integers(0, 6))
def test_a_batch_may_be_split(simd, problem, cut):
    model, X = problem
    parts = [model.predict(part) for part in (X[:cut], X[cut:])]
    np.testing.assert_array_equal(np.concatenate(parts), model.predict(X))


@given(data=st.data())
def test_outputs_are_independent(simd, data):
    X = make_csr(np.random.default_rng(data.draw(SEEDS)), [0, 3, 40], 50)
    model = data.draw(models(50, "FFM", n_outputs=3))
    scores = model.predict(X)
    for c in range(3):
        alone = FFM(model.w0[c], model.w[c], model.V[c], model.fields)
        np.testing.assert_array_equal(scores[:, c], alone.predict(X))


# -------------------------------------------------------------------------------- same bits


@given(problem=problems("FFM"))
def test_every_level_gives_the_same_bits(problem, levels):
    model, X = problem
    first, *others = [levels(name, lambda: model.predict(X)) for name in levels.names]
    for other in others:
        np.testing.assert_array_equal(first, other)


@given(problem=problems("FFM"))
def test_row_by_row_gives_the_same_bits(simd, problem):
    model, X = problem
    for i, expected in enumerate(model.predict(X)):
        row = slice(X.indptr[i], X.indptr[i + 1])
        np.testing.assert_array_equal(model.predict_row(X.indices[row], X.data[row]), expected)
