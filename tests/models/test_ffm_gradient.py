"""Gradients of field-aware factorization machines: FFM.gradient, dense and sparse."""

import numpy as np
import pytest
import scipy.sparse as sp
from helpers.oracles import assert_gradient, directional_derivative
from helpers.strategies import SEEDS, csr_of, make_csr, make_model, tasks
from hypothesis import given

from fastfm_c import FFM, FM, LogisticLoss, SoftmaxLoss, SquaredLoss

WIDTHS = [*range(1, 18), 32, 33]
# As for the factorization machine: error and rounding of the difference below 1e-9 of the terms.
STEP, DIFFERENCE_TOLERANCE = 1e-5, 1e-7


# --------------------------------------------------------------------------------- examples


def test_one_row_by_hand(simd):
    V = np.array([[[9.0], [2.0]], [[3.0], [9.0]]])
    ffm = FFM(0.5, [1.0, 10.0], V, [0, 1])
    # score 0.5 + 1 + 100 + 2 * 3 * 10 = 161.5, target 161: d loss / d score = 0.5
    value, gradient = ffm.gradient(sp.csr_array([[1.0, 10.0]]), [161.0], SquaredLoss())
    assert value == 0.125
    assert gradient.w0 == 0.5
    np.testing.assert_array_equal(gradient.w, [0.5, 5.0])
    # V[0, 1] gets 0.5 * 3 * 10, V[1, 0] gets 0.5 * 2 * 10; the pair uses nothing else
    np.testing.assert_array_equal(gradient.V[..., 0], [[0.0, 15.0], [10.0, 0.0]])


def test_pairs_inside_a_field_by_hand(simd):
    V = np.array([[[2.0], [50.0]], [[3.0], [50.0]], [[5.0], [50.0]]])
    ffm = FFM(0.0, np.zeros(3), V, [0, 0, 0])
    # score 6 + 10 + 15 = 31; each feature gets the sum of the two others
    _, gradient = ffm.gradient(sp.csr_array(np.ones((1, 3))), [30.0], SquaredLoss())
    np.testing.assert_array_equal(gradient.V[..., 0], [[8.0, 0.0], [7.0, 0.0], [5.0, 0.0]])


@pytest.mark.parametrize("k", [1, 5, 16])
def test_one_value_has_a_linear_gradient_only(simd, k):
    ffm = FFM(0.0, [3.0, 0.0], np.ones((2, 3, k)), [2, 1])
    _, gradient = ffm.gradient(sp.csr_array([[2.0, 0.0]]), [0.0], SquaredLoss())
    assert gradient.w0 == 6
    assert gradient.w.tolist() == [12, 0]
    assert not gradient.V.any()


def test_an_empty_row_has_a_gradient_of_the_bias_only(simd):
    ffm = FFM.random([0, 1, 1], 4, init_stdev=1, rng=0)
    ffm.w0 = 1.5
    _, gradient = ffm.gradient(sp.csr_array((2, 3)), [0.0, 1.0], SquaredLoss())
    assert gradient.w0 == 1.0
    assert not gradient.w.any()
    assert not gradient.V.any()


def test_shapes_and_types(simd):
    X = sp.csr_array(np.eye(3, 4))
    for dtype in ("float32", "float64"):
        ffm = FFM.random([0, 1, 1, 2], 5, dtype=dtype)
        _, one = ffm.gradient(X, [0, 1, 1], LogisticLoss())
        assert isinstance(one.w0, float)
        assert (one.w.shape, one.V.shape) == ((4,), (4, 3, 5))
        assert one.w.dtype == one.V.dtype == dtype
        ffm = FFM.random([0, 1, 1, 2], 5, n_outputs=3, dtype=dtype)
        _, many = ffm.gradient(X, [0, 1, 2], SoftmaxLoss())
        assert (many.w0.shape, many.w.shape, many.V.shape) == ((3,), (3, 4), (3, 4, 3, 5))
        assert many.w0.dtype == many.w.dtype == many.V.dtype == dtype


def test_an_explicit_zero_is_no_entry_even_for_parameters_that_are_not_finite(simd):
    V = np.array([[[1.0] * 9] * 2, [[np.inf] * 9] * 2])
    X = csr_of(np.array([0, 2]), np.array([1, 0]), np.array([0.0, 2.0]), (1, 2))
    value, gradient = FFM(0.5, [1, np.nan], V, [0, 1]).gradient(X, [0.0], SquaredLoss())
    assert value == 3.125
    np.testing.assert_array_equal(gradient.w, [5.0, 0.0])
    assert not gradient.V.any()


# -------------------------------------------------------------------------------- reference


@pytest.mark.parametrize("index", ["int32", "int64"])
@pytest.mark.parametrize("data", ["float32", "float64"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_reference(simd, dtype, data, index):
    rng = np.random.default_rng(1)
    X = make_csr(rng, [0, 1, 2, 3, 8, 34], 40, data, index)
    X.data[rng.random(len(X.data)) < 0.1] = 0
    y = rng.integers(0, 2, 6)
    for k in WIDTHS:
        outputs, loss = ((2,), SoftmaxLoss()) if k in (3, 33) else ((), LogisticLoss())
        model = make_model(rng, outputs, 40, k, dtype, 5, rng.integers(0, 5, 40))
        assert_gradient(model, X, y, loss, what=f"k={k}")


@pytest.mark.parametrize("n_fields", [1, 2, 3, 10, 39, 60])
def test_reference_from_one_field_to_a_field_for_each_value(simd, n_fields):
    rng = np.random.default_rng(2)
    X = make_csr(rng, [1, 2, 3, 6, 20, 60], 60, "float32")
    model = make_model(rng, (), 60, 4, "float32", n_fields, np.arange(60) % n_fields)
    assert_gradient(model, X, np.ones(6), LogisticLoss())


# ------------------------------------------------------------------------------- properties


@given(task=tasks("FFM"))
def test_any_task(simd, task):
    model, X, y, loss, weight = task
    assert_gradient(model, X, y, loss, sample_weight=weight)


@given(task=tasks("FFM", dtype="float64"), seed=SEEDS)
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


@given(task=tasks("FFM"))
def test_a_sparse_gradient_is_the_dense_rows(simd, task):
    model, X, y, loss, weight = task
    value, dense = model.gradient(X, y, loss, sample_weight=weight)
    sparse_value, sparse = model.gradient(X, y, loss, sample_weight=weight, sparse=True)
    assert sparse_value == value
    np.testing.assert_array_equal(sparse.w0, dense.w0)
    np.testing.assert_array_equal(sparse.w, dense.w[..., sparse.features])
    np.testing.assert_array_equal(sparse.V, dense.V[..., sparse.features, :, :])


@given(task=tasks("FFM"), seed=SEEDS)
def test_the_order_of_rows_matters_to_rounding_only(simd, task, seed):
    model, X, y, loss, weight = task
    order = np.random.default_rng(seed).permutation(X.shape[0])
    weight = np.ones(X.shape[0]) if weight is None else weight
    actual = model.gradient(X[order], y[order], loss, sample_weight=weight[order])
    assert_gradient(model, X, y, loss, actual, sample_weight=weight)


@given(task=tasks("FFM"))
def test_one_field_is_a_factorization_machine(simd, task):
    model, X, y, loss, weight = task
    fm = FM(model.w0, model.w, model.V[..., 0, :])
    ffm = FFM(model.w0, model.w, model.V[..., :1, :], np.zeros(model.n_features, int))
    value, gradient = ffm.gradient(X, y, loss, sample_weight=weight)
    assert_gradient(fm, X, y, loss, (value, WithoutFields(gradient)), sample_weight=weight)


class WithoutFields:
    """A gradient of one field, as one of a factorization machine."""

    def __init__(self, gradient):
        self.w0, self.w, self.V = gradient.w0, gradient.w, gradient.V[..., 0, :]


# -------------------------------------------------------------------------------- same bits


@given(task=tasks("FFM"))
def test_every_level_gives_the_same_bits(task, levels):
    model, X, y, loss, weight = task
    results = []
    for name in levels.names:
        value, g = levels(name, lambda: model.gradient(X, y, loss, sample_weight=weight))
        results.append([value, *np.ravel(g.w0), *np.ravel(g.w), *np.ravel(g.V)])
    for other in results[1:]:
        np.testing.assert_array_equal(other, results[0])
