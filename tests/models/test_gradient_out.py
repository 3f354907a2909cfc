"""FM.gradient(..., out=): the arrays of an earlier gradient are used again."""

import numpy as np
import pytest
from helpers.large_problem import CASES, large_matrix, large_model, large_task
from helpers.make import csr_of, make_csr, make_model

from fastfm_c import FFM, FM, LogisticLoss, SoftmaxLoss, SquaredLoss
from fastfm_c.models import Gradient


def assert_same_gradient(actual, expected):
    np.testing.assert_array_equal(actual.w0, expected.w0)
    np.testing.assert_array_equal(actual.w, expected.w)
    np.testing.assert_array_equal(actual.V, expected.V)
    np.testing.assert_array_equal(actual.features, expected.features)


def spoil(gradient):
    """What no result may depend on."""
    gradient.w[...] = np.nan
    gradient.V[...] = np.nan


@pytest.mark.parametrize("case", CASES)
@pytest.mark.parametrize("options", [{}, {"l2_linear": 0.1, "l2_factors": 0.2}, {"sparse": True}])
def test_the_arrays_are_used_again(case, options):
    model, X = large_model(case), large_matrix()
    y, loss, weight = large_task(case, X)
    expected_value, expected = model.gradient(X, y, loss, sample_weight=weight, **options)
    _, out = model.gradient(X, y, loss, **options)
    w, V = out.w, out.V
    for n in (1, 2, 5):
        spoil(out)
        value, g = model.gradient(X, y, loss, sample_weight=weight, num_threads=n, out=out, **options)
        assert g is out
        assert g.w is w
        assert g.V is V
        assert value == expected_value
        assert type(g.w0) is type(expected.w0)
        assert_same_gradient(g, expected)


@pytest.mark.parametrize("kind", ["FM", "FFM"])
def test_arrays_of_many_pieces(kind):
    """Threads clear 2 MB at a time; most features occur in no row."""
    rng = np.random.default_rng(0)
    n, X = 300_001, make_csr(rng, [20] * 1500, 300_001, "float32")
    model = FM.random(n, 7, rng=0) if kind == "FM" else FFM.random(np.arange(n) % 5, 2, rng=0)
    y = rng.integers(0, 2, 1500)
    expected = model.gradient(X, y, LogisticLoss())[1]
    out = model.gradient(X, y, LogisticLoss())[1]
    for n_threads in (1, 3):
        spoil(out)
        assert_same_gradient(
            model.gradient(X, y, LogisticLoss(), num_threads=n_threads, out=out)[1], expected
        )


def test_a_sparse_gradient_leaves_out_columns_that_do_not_occur():
    """Column 7 is stored as zero, and the values of column 4 cancel: `out` has no row for them."""
    X = csr_of(np.array([0, 3, 6]), np.array([3, 7, 9, 4, 4, 9]), np.array([1.0, 0, 2, 1, -1, 1]), (2, 10))
    for model in (FM.random(10, 3, rng=0), FFM.random(np.arange(10) % 3, 3, rng=0)):
        expected = model.gradient(X, [0, 1], LogisticLoss(), sparse=True)[1]
        out = model.gradient(X, [1, 1], LogisticLoss(), sparse=True)[1]
        spoil(out)
        assert_same_gradient(model.gradient(X, [0, 1], LogisticLoss(), sparse=True, out=out)[1], expected)
        assert out.features.tolist() == [3, 9]


def test_a_sparse_gradient_of_other_columns_needs_as_many():
    model = FM.random(10, 3, rng=0)
    X = csr_of(np.array([0, 2, 4]), np.array([3, 9, 1, 5]), np.ones(4), (2, 10))
    out = model.gradient(X[:1], [1], LogisticLoss(), sparse=True)[1]
    expected = model.gradient(X[1:], [1], LogisticLoss(), sparse=True)[1]
    assert_same_gradient(model.gradient(X[1:], [1], LogisticLoss(), sparse=True, out=out)[1], expected)
    with pytest.raises(ValueError, match=r"out.w must be an array of shape \(4,\)"):
        model.gradient(X, [0, 1], LogisticLoss(), sparse=True, out=out)


@pytest.fixture(params=[(), (3,)], ids=["one output", "outputs"])
def problem(request):
    """(model, X, y)"""
    rng = np.random.default_rng(1)
    model = make_model(rng, request.param, 6, 4, "float32")
    return model, make_csr(rng, [2, 3, 1], 6, "float32"), np.zeros(3)


class TestWhatIsRefused:
    def gradient(self, problem, out):
        model, X, y = problem
        loss = SoftmaxLoss() if model.n_outputs > 1 else SquaredLoss()
        return model.gradient(X, y, loss, out=out)[1]

    def test_what_is_no_gradient(self, problem):
        for out in (problem[0].w, (problem[0].w, problem[0].V), 1, "out"):
            with pytest.raises(ValueError, match="out must be a Gradient, got"):
                self.gradient(problem, out)

    def test_other_shapes_and_types(self, problem):
        g = self.gradient(problem, None)
        w, V = g.w, g.V
        for bad_w in (w[..., :-1], w.astype("float64"), w.astype(">f4"), w.tolist(), None, w[..., None]):
            with pytest.raises(ValueError, match=r"out\.w must be an array of shape"):
                self.gradient(problem, Gradient(g.w0, bad_w, V))
        for bad_V in (V[..., :-1], V.astype("float64"), V.swapaxes(-1, -2), [], V[..., None]):
            with pytest.raises(ValueError, match=r"out\.V must be an array of shape"):
                self.gradient(problem, Gradient(g.w0, w, bad_V))

    def test_another_layout(self, problem):
        g = self.gradient(problem, None)
        wide = np.zeros((*g.V.shape[:-1], 2 * g.V.shape[-1]), g.V.dtype)
        read_only = g.V.copy("K")
        read_only.flags.writeable = False
        unaligned = np.zeros(g.V.nbytes + 1, np.uint8)[1:].view(g.V.dtype).reshape(g.V.shape)
        for V in (wide[..., ::2], np.asfortranarray(g.V), read_only, unaligned):
            with pytest.raises(ValueError, match=r"out\.V must be writable and lie in memory as"):
                self.gradient(problem, Gradient(g.w0, g.w, V))

    def test_shared_memory(self, problem):
        model = problem[0]
        g = self.gradient(problem, None)
        before = model.copy()
        for w, V in ((model.w, g.V), (g.w, model.V)):
            with pytest.raises(ValueError, match="out shares memory with the model"):
                self.gradient(problem, Gradient(g.w0, w, V))
        size, shape = g.V.size, g.V.swapaxes(0, g.V.ndim - 2).shape if model.n_outputs > 1 else g.V.shape
        both = np.zeros(size, g.V.dtype)
        V = both.reshape(shape).swapaxes(0, 1) if model.n_outputs > 1 else both.reshape(shape)
        w = both[: g.w.size].reshape(g.w.swapaxes(0, -1).shape)
        w = w.swapaxes(0, 1) if model.n_outputs > 1 else w
        with pytest.raises(ValueError, match="or its w with its V"):
            self.gradient(problem, Gradient(g.w0, w, V))
        assert model == before

    def test_memory_of_the_rows(self):
        """Indices that are overwritten during the call would be read unchecked."""
        rng = np.random.default_rng(1)
        model = make_model(rng, (), 6, 4, "float64")
        memory = np.zeros((5, 24))
        X = csr_of(np.array([0, 6, 12]), np.tile(np.arange(6), 2), memory[0, :12], (2, 6))
        y, weight = memory[1, :2], memory[2, :2]
        weight[:] = 1
        for row in (0, 1, 2):
            with pytest.raises(ValueError, match="out shares memory with X, y or sample_weight"):
                model.gradient(
                    X,
                    y,
                    SquaredLoss(),
                    sample_weight=weight,
                    out=Gradient(0.0, memory[4, :6], memory[row].reshape(6, 4)),
                )

    def test_a_gradient_of_another_kind(self, problem):
        model, X, y = problem
        if model.n_outputs == 1:
            sparse = model.gradient(X[:1], y[:1], SquaredLoss(), sparse=True)[1]
            with pytest.raises(ValueError, match=r"out\.w must be an array of shape \(6,\)"):
                model.gradient(X, y, SquaredLoss(), out=sparse)


def test_after_an_error_the_arrays_can_be_used_again():
    rng = np.random.default_rng(2)
    model, X = make_model(rng, (), 50, 3, "float64"), make_csr(rng, [4] * 30, 50)
    y = np.zeros(30)
    expected = model.gradient(X, y, SquaredLoss())[1]
    out = model.gradient(X, y, SquaredLoss())[1]
    y[20] = np.nan
    with pytest.raises(ValueError, match=r"y\[20\] is nan"):
        model.gradient(X, y, SquaredLoss(), out=out)
    assert_same_gradient(model.gradient(X, np.zeros(30), SquaredLoss(), out=out)[1], expected)
