"""Gradients of factorization machines: FM.gradient, dense and sparse."""

import numpy as np
import pytest
import scipy.sparse as sp
from helpers.oracles import assert_gradient, directional_derivative
from helpers.strategies import SEEDS, csr_of, make_csr, make_model, tasks
from hypothesis import given

from fastfm_c import FM, LogisticLoss, SoftmaxLoss, SquaredLoss

WIDTHS = [*range(1, 18), 32, 33, 64, 70]
# Central differences of a float64 objective: error step^2 times the third derivative, plus
# rounding 1e-16 / step; both below 1e-9 of the terms at this step, for parameters around 1.
STEP, DIFFERENCE_TOLERANCE = 1e-5, 1e-7


# --------------------------------------------------------------------------------- examples


def test_one_row_by_hand(simd):
    fm = FM(0.5, [1.0, -1.0, 5.0], np.array([[1.0, 2.0], [3.0, 4.0], [7.0, 7.0]]))
    X = sp.csr_array([[1.0, 2.0, 0.0]])
    # score 0.5 + 1 - 2 + <(1, 2), (3, 4)> * 2 = 21.5, target 20: d loss / d score = 1.5
    value, gradient = fm.gradient(X, [20.0], SquaredLoss())
    assert value == 1.125
    assert gradient.w0 == 1.5
    np.testing.assert_array_equal(gradient.w, [1.5, 3.0, 0.0])
    # x_j s_f - v_jf x_j^2 with s = (7, 10), times 1.5
    np.testing.assert_array_equal(gradient.V, [[9.0, 12.0], [3.0, 6.0], [0.0, 0.0]])


@pytest.mark.parametrize("k", [1, 5, 64])
def test_one_value_has_a_linear_gradient_only(simd, k):
    fm = FM(0.0, [3.0, 0.0], np.ones((2, k)))
    _, gradient = fm.gradient(sp.csr_array([[2.0, 0.0]]), [0.0], SquaredLoss())
    assert gradient.w0 == 6
    assert gradient.w.tolist() == [12, 0]
    assert not gradient.V.any()


def test_an_empty_row_has_a_gradient_of_the_bias_only(simd):
    fm = FM.random(3, 4, init_stdev=1, rng=0)
    fm.w0 = 1.5
    _, gradient = fm.gradient(sp.csr_array((2, 3)), [0.0, 1.0], SquaredLoss())
    assert gradient.w0 == 1.0
    assert not gradient.w.any()
    assert not gradient.V.any()


def test_no_features(simd):
    fm = FM(1.0, [], np.zeros((0, 3)))
    for sparse in (False, True):
        value, gradient = fm.gradient(sp.csr_array((1, 0)), [0.0], SquaredLoss(), sparse=sparse)
        assert (value, gradient.w0) == (0.5, 1.0)
        assert gradient.w.shape == (0,)
        assert gradient.V.shape == (0, 3)


def test_shapes_and_types(simd):
    X = sp.csr_array(np.eye(3, 4))
    for dtype in ("float32", "float64"):
        _, one = FM.random(4, 5, dtype=dtype).gradient(X, [0, 1, 1], LogisticLoss())
        assert isinstance(one.w0, float)
        assert (one.w.shape, one.V.shape) == ((4,), (4, 5))
        assert one.w.dtype == one.V.dtype == dtype
        fm = FM.random(4, 5, n_outputs=3, dtype=dtype)
        _, many = fm.gradient(X, [0, 1, 2], SoftmaxLoss())
        assert (many.w0.shape, many.w.shape, many.V.shape) == ((3,), (3, 4), (3, 4, 5))
        assert many.w0.dtype == many.w.dtype == many.V.dtype == dtype
        assert one.features is None
        assert many.features is None


def test_huge_scores_have_a_finite_gradient(simd):
    fm = FM(0.0, [1e300, -1e300], np.zeros((2, 3)))
    _, gradient = fm.gradient(sp.csr_array(np.eye(2)), [0, 1], LogisticLoss())
    np.testing.assert_array_equal(gradient.w, [0.5, -0.5])
    assert gradient.w0 == 0


def test_an_explicit_zero_is_no_entry_even_for_parameters_that_are_not_finite(simd):
    fm = FM(0.5, [1, np.nan], np.array([[1.0] * 9, [np.inf] * 9]))
    X = csr_of(np.array([0, 2]), np.array([1, 0]), np.array([0.0, 2.0]), (1, 2))
    value, gradient = fm.gradient(X, [0.0], SquaredLoss())
    assert value == 3.125
    np.testing.assert_array_equal(gradient.w, [5.0, 0.0])
    assert not gradient.V.any()


# -------------------------------------------------------------------------------- reference


@pytest.mark.parametrize("index", ["int32", "int64"])
@pytest.mark.parametrize("data", ["float32", "float64"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_reference(simd, dtype, data, index):
    rng = np.random.default_rng(1)
    X = make_csr(rng, [0, 1, 2, 5, 31, 33, 50], 60, data, index)
    X.data[rng.random(len(X.data)) < 0.1] = 0
    y = rng.integers(0, 2, 7)
    for k in WIDTHS:
        outputs, loss = ((2,), SoftmaxLoss()) if k in (3, 33) else ((), LogisticLoss())
        assert_gradient(make_model(rng, outputs, 60, k, dtype), X, y, loss, what=f"k={k}")


# ------------------------------------------------------------------------------- properties


@given(task=tasks("FM"))
def test_any_task(simd, task):
    model, X, y, loss, weight = task
    assert_gradient(model, X, y, loss, sample_weight=weight)


@given(task=tasks("FM", dtype="float64"), seed=SEEDS)
def test_finite_differences(task, seed):
    """Along a random direction through all parameters."""
    model, X, y, loss, weight = task
    X.data /= np.maximum(1, np.abs(X.data))  # scores of a moderate size: a usable third derivative
    options = {"sample_weight": weight, "l2_linear": 0.1, "l2_factors": 0.2}
    rng = np.random.default_rng(seed)
    direction = [rng.standard_normal(np.shape(p)) for p in (model.w0, model.w, model.V)]
    direction = [d / np.sqrt(1 + sum(np.size(d) for d in direction)) for d in direction]
    _, gradient = model.gradient(X, y, loss, **options)
    mine = sum(np.sum(d * g) for d, g in zip(direction, (gradient.w0, gradient.w, gradient.V), strict=True))
    theirs = directional_derivative(lambda m: m.objective(X, y, loss, **options), model, direction, STEP)
    size = np.abs(mine) + np.abs(model.objective(X, y, loss, **options)) + 1
    assert abs(mine - theirs) <= DIFFERENCE_TOLERANCE * size


@given(task=tasks("FM"))
def test_a_sparse_gradient_is_the_dense_rows(simd, task):
    model, X, y, loss, weight = task
    value, dense = model.gradient(X, y, loss, sample_weight=weight)
    sparse_value, sparse = model.gradient(X, y, loss, sample_weight=weight, sparse=True)
    assert sparse_value == value
    np.testing.assert_array_equal(sparse.w0, dense.w0)
    np.testing.assert_array_equal(sparse.w, dense.w[..., sparse.features])
    np.testing.assert_array_equal(sparse.V, dense.V[..., sparse.features, :])


@given(task=tasks("FM"), seed=SEEDS)
def test_the_order_of_rows_matters_to_rounding_only(simd, task, seed):
    model, X, y, loss, weight = task
    order = np.random.default_rng(seed).permutation(X.shape[0])
    weight = np.ones(X.shape[0]) if weight is None else weight
    actual = model.gradient(X[order], y[order], loss, sample_weight=weight[order])
    assert_gradient(model, X, y, loss, actual, sample_weight=weight)


@given(task=tasks("FM"))
def test_a_repeated_row_is_a_row_of_weight_two(simd, task):
    model, X, y, loss, weight = task
    weight = np.ones(X.shape[0]) if weight is None else weight
    twice = model.gradient(sp.vstack([X, X], "csr"), np.tile(y, 2), loss, sample_weight=np.tile(weight, 2))
    assert_gradient(model, X, y, loss, twice, sample_weight=weight)


# -------------------------------------------------------------------------------- same bits


@given(task=tasks("FM"))
def test_every_level_gives_the_same_bits(task, levels):
    model, X, y, loss, weight = task
    results = []
    for name in levels.names:
        value, g = levels(name, lambda: model.gradient(X, y, loss, sample_weight=weight))
        results.append([value, *np.ravel(g.w0), *np.ravel(g.w), *np.ravel(g.V)])
    for other in results[1:]:
        np.testing.assert_array_equal(other, results[0])
