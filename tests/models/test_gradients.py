"""Gradients of FM and FFM, dense and sparse. `gradient` calls the method at each SIMD level."""

import types

import numpy as np
import pytest
import scipy.sparse as sp
from helpers.levels import gradient
from helpers.make import csr_of, make_csr, make_model
from helpers.oracles import assert_gradient, directional_derivative
from helpers.strategies import SEEDS, tasks
from hypothesis import given
from hypothesis import strategies as st

from fastfm_c import FFM, FM, LogisticLoss, SoftmaxLoss, SquaredLoss

# Central differences of a float64 objective: error step^2 times the third derivative, plus
# rounding 1e-16 / step; both below 1e-9 of the terms at this step, for parameters around 1.
STEP, DIFFERENCE_TOLERANCE = 1e-5, 1e-7


class Gradients:
    """What the gradients of both kinds of model promise.

    A subclass has `KIND`, its name; `WIDTHS`, numbers of factors that use each block of factors alone
    and with every other; `REFERENCE_ROWS`, lengths of rows; `FIELDS`, the shape of the fields in V;
    `make`, a model with the scores of the FM of these parameters; and `random`.
    """

    # ------------------------------------------------------------------------------ examples

    @pytest.mark.parametrize("k", [1, 5, 16, 64])
    def test_one_value_has_a_linear_gradient_only(self, simd, k):
        model = self.make(0.0, [3.0, 0.0], np.ones((2, k)))
        _, g = model.gradient(sp.csr_array([[2.0, 0.0]]), [0.0], SquaredLoss())
        assert g.w0 == 6
        assert g.w.tolist() == [12, 0]
        assert not g.V.any()

    def test_an_empty_row_has_a_gradient_of_the_bias_only(self, simd):
        model = self.random(np.random.default_rng(0), (), 3, 4, "float32")
        model.w0 = 1.5
        _, g = model.gradient(sp.csr_array((2, 3)), [0.0, 1.0], SquaredLoss())
        assert g.w0 == 1.0
        assert not g.w.any()
        assert not g.V.any()

    def test_no_features(self, simd):
        model = self.make(1.0, [], np.zeros((0, 3)))
        for sparse in (False, True):
            value, g = model.gradient(sp.csr_array((1, 0)), [0.0], SquaredLoss(), sparse=sparse)
            assert (value, g.w0) == (0.5, 1.0)
            assert g.w.shape == (0,)
            assert g.V.shape == (0, *self.FIELDS, 3)

    def test_shapes_and_types(self, simd):
        X, rng = sp.csr_array(np.eye(3, 4)), np.random.default_rng(0)
        for dtype in ("float32", "float64"):
            _, one = self.random(rng, (), 4, 5, dtype).gradient(X, [0, 1, 1], LogisticLoss())
            assert isinstance(one.w0, float)
            assert (one.w.shape, one.V.shape) == ((4,), (4, *self.FIELDS, 5))
            assert one.w.dtype == one.V.dtype == dtype
            _, many = self.random(rng, (3,), 4, 5, dtype).gradient(X, [0, 1, 2], SoftmaxLoss())
            assert (many.w0.shape, many.w.shape, many.V.shape) == ((3,), (3, 4), (3, 4, *self.FIELDS, 5))
            assert many.w0.dtype == many.w.dtype == many.V.dtype == dtype
            assert one.features is None
            assert many.features is None

    def test_huge_scores_have_a_finite_gradient(self, simd):
        model = self.make(0.0, [1e300, -1e300], np.zeros((2, 3)))
        _, g = model.gradient(sp.csr_array(np.eye(2)), [0, 1], LogisticLoss())
        np.testing.assert_array_equal(g.w, [0.5, -0.5])
        assert g.w0 == 0

    def test_an_explicit_zero_is_no_entry_even_for_parameters_that_are_not_finite(self, simd):
        model = self.make(0.5, [1, np.nan], np.array([[1.0] * 9, [np.inf] * 9]))
        X = csr_of(np.array([0, 2]), np.array([1, 0]), np.array([0.0, 2.0]), (1, 2))
        value, g = model.gradient(X, [0.0], SquaredLoss())
        assert value == 3.125
        np.testing.assert_array_equal(g.w, [5.0, 0.0])
        assert not g.V.any()

    # ----------------------------------------------------------------------------- reference

    @pytest.mark.parametrize("index", ["int32", "int64"])
    @pytest.mark.parametrize("data", ["float32", "float64"])
    @pytest.mark.parametrize("dtype", ["float32", "float64"])
    def test_reference(self, dtype, data, index):
        rng = np.random.default_rng(1)
        X = make_csr(rng, self.REFERENCE_ROWS, 60, data, index)
        X.data[rng.random(len(X.data)) < 0.1] = 0
        y = rng.integers(0, 2, X.shape[0])
        for k in self.WIDTHS:
            outputs, loss = ((2,), SoftmaxLoss()) if k in (3, 33) else ((), LogisticLoss())
            assert_gradient(self.random(rng, outputs, 60, k, dtype), X, y, loss, what=f"k={k}")

    # ---------------------------------------------------------------------------- properties

    @given(data=st.data())
    def test_any_task(self, data):
        """The same bits at every level, as in each of these."""
        model, X, y, loss, weight = data.draw(tasks(self.KIND))
        assert_gradient(model, X, y, loss, sample_weight=weight)

    @given(data=st.data(), seed=SEEDS)
    def test_finite_differences(self, data, seed):
        """Along a random direction through all parameters."""
        model, X, y, loss, weight = data.draw(tasks(self.KIND, dtype="float64"))
        X.data /= np.maximum(1, np.abs(X.data))  # scores of a moderate size: a usable third derivative
        options = {"sample_weight": weight, "l2_linear": 0.1, "l2_factors": 0.2}
        rng = np.random.default_rng(seed)
        direction = [rng.standard_normal(np.shape(p)) for p in (model.w0, model.w, model.V)]
        direction = [d / np.sqrt(1 + sum(np.size(d) for d in direction)) for d in direction]
        _, g = gradient(model, X, y, loss, **options)
        mine = sum(np.sum(d * p) for d, p in zip(direction, (g.w0, g.w, g.V), strict=True))
        theirs = directional_derivative(lambda m: m.objective(X, y, loss, **options), model, direction, STEP)
        size = np.abs(mine) + np.abs(model.objective(X, y, loss, **options)) + 1
        assert abs(mine - theirs) <= DIFFERENCE_TOLERANCE * size

    @given(data=st.data())
    def test_a_sparse_gradient_is_the_dense_rows(self, data):
        model, X, y, loss, weight = data.draw(tasks(self.KIND))
        value, dense = gradient(model, X, y, loss, sample_weight=weight)
        sparse_value, sparse = gradient(model, X, y, loss, sample_weight=weight, sparse=True)
        assert sparse_value == value
        np.testing.assert_array_equal(sparse.w0, dense.w0)
        np.testing.assert_array_equal(sparse.w, dense.w[..., sparse.features])
        rows_of_V = dense.V.ndim - len(self.FIELDS) - 2
        np.testing.assert_array_equal(sparse.V, dense.V.take(sparse.features, axis=rows_of_V))

    @given(data=st.data(), seed=SEEDS)
    def test_the_order_of_rows_matters_to_rounding_only(self, data, seed):
        model, X, y, loss, weight = data.draw(tasks(self.KIND))
        order = np.random.default_rng(seed).permutation(X.shape[0])
        weight = np.ones(X.shape[0]) if weight is None else weight
        actual = gradient(model, X[order], y[order], loss, sample_weight=weight[order])
        assert_gradient(model, X, y, loss, actual, sample_weight=weight)

    @given(data=st.data())
    def test_a_repeated_row_is_a_row_of_weight_two(self, data):
        model, X, y, loss, weight = data.draw(tasks(self.KIND))
        weight = np.ones(X.shape[0]) if weight is None else weight
        twice = sp.vstack([X, X], "csr"), np.tile(y, 2), loss
        actual = gradient(model, *twice, sample_weight=np.tile(weight, 2))
        assert_gradient(model, X, y, loss, actual, sample_weight=weight)


class TestFM(Gradients):
    KIND = "FM"
    WIDTHS = (*range(1, 18), 32, 33, 64, 70)
    REFERENCE_ROWS = (0, 1, 2, 5, 31, 33, 50)
    FIELDS = ()

    def make(self, w0, w, V):
        return FM(w0, w, V)

    def random(self, rng, outputs, n_features, k, dtype):
        return make_model(rng, outputs, n_features, k, dtype)

    def test_one_row_by_hand(self, simd):
        fm = FM(0.5, [1.0, -1.0, 5.0], np.array([[1.0, 2.0], [3.0, 4.0], [7.0, 7.0]]))
        X = sp.csr_array([[1.0, 2.0, 0.0]])
        # score 0.5 + 1 - 2 + <(1, 2), (3, 4)> * 2 = 21.5, target 20: d loss / d score = 1.5
        value, g = fm.gradient(X, [20.0], SquaredLoss())
        assert value == 1.125
        assert g.w0 == 1.5
        np.testing.assert_array_equal(g.w, [1.5, 3.0, 0.0])
        # x_j s_f - v_jf x_j^2 with s = (7, 10), times 1.5
        np.testing.assert_array_equal(g.V, [[9.0, 12.0], [3.0, 6.0], [0.0, 0.0]])


class TestFFM(Gradients):
    KIND = "FFM"
    WIDTHS = (*range(1, 18), 32, 33)
    REFERENCE_ROWS = (0, 1, 2, 3, 8, 34)
    FIELDS = (5,)

    def make(self, w0, w, V):
        """Each feature has the same vector against each field."""
        return FFM(w0, w, np.repeat(V[..., None, :], 5, axis=-2), np.arange(np.shape(V)[-2]) % 2 * 2)

    def random(self, rng, outputs, n_features, k, dtype):
        return make_model(rng, outputs, n_features, k, dtype, 5, rng.integers(0, 5, n_features))

    def test_one_row_by_hand(self, simd):
        ffm = FFM(0.5, [1.0, 10.0], np.array([[[9.0], [2.0]], [[3.0], [9.0]]]), [0, 1])
        # score 0.5 + 1 + 100 + 2 * 3 * 10 = 161.5, target 161: d loss / d score = 0.5
        value, g = ffm.gradient(sp.csr_array([[1.0, 10.0]]), [161.0], SquaredLoss())
        assert value == 0.125
        assert g.w0 == 0.5
        np.testing.assert_array_equal(g.w, [0.5, 5.0])
        # V[0, 1] gets 0.5 * 3 * 10, V[1, 0] gets 0.5 * 2 * 10; the pair uses nothing else
        np.testing.assert_array_equal(g.V[..., 0], [[0.0, 15.0], [10.0, 0.0]])

    def test_pairs_inside_a_field_by_hand(self, simd):
        V = np.array([[[2.0], [50.0]], [[3.0], [50.0]], [[5.0], [50.0]]])
        ffm = FFM(0.0, np.zeros(3), V, [0, 0, 0])
        # score 6 + 10 + 15 = 31; each feature gets the sum of the two others
        _, g = ffm.gradient(sp.csr_array(np.ones((1, 3))), [30.0], SquaredLoss())
        np.testing.assert_array_equal(g.V[..., 0], [[8.0, 0.0], [7.0, 0.0], [5.0, 0.0]])

    @pytest.mark.parametrize("n_fields", [1, 2, 3, 10, 39, 60])
    def test_reference_from_one_field_to_a_field_for_each_value(self, n_fields):
        rng = np.random.default_rng(2)
        X = make_csr(rng, [1, 2, 3, 6, 20, 60], 60, "float32")
        model = make_model(rng, (), 60, 4, "float32", n_fields, np.arange(60) % n_fields)
        assert_gradient(model, X, np.ones(6), LogisticLoss())

    @given(task=tasks("FFM"))
    def test_one_field_is_a_factorization_machine(self, task):
        model, X, y, loss, weight = task
        fm = FM(model.w0, model.w, model.V[..., 0, :])
        ffm = FFM(model.w0, model.w, model.V[..., :1, :], np.zeros(model.n_features, int))
        value, g = gradient(ffm, X, y, loss, sample_weight=weight)
        without_fields = types.SimpleNamespace(w0=g.w0, w=g.w, V=g.V[..., 0, :])
        assert_gradient(fm, X, y, loss, (value, without_fields), sample_weight=weight)
