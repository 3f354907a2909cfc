"""fit_lbfgs: it minimises the objective, and leaves the best parameters however it ends."""

import numpy as np
import pytest
import scipy.sparse as sp
from helpers.large_problem import large_matrix, large_model
from helpers.levels import assert_same_bits, at_all_levels
from helpers.make import make_csr, make_model
from scipy.optimize import minimize

from fastfm_c import FFM, FM, LogisticLoss, SoftmaxLoss, SquaredLoss, train
from fastfm_c.training._lbfgs import fit_lbfgs


@pytest.fixture
def xor():
    """(X, y) that no linear model fits."""
    X = sp.csr_array(np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [0.0, 0.0]]))
    return X, np.array([1.0, 1.0, 0.0, 0.0])


def test_what_a_linear_model_cannot_fit(xor):
    model = FM.random(2, 1, init_stdev=1.0, dtype="float64", rng=0)
    result = fit_lbfgs(model, *xor, LogisticLoss(), l2_factors=1e-4, max_iter=200)
    np.testing.assert_array_equal(model.predict(xor[0]) > 0, xor[1])
    assert result.fun == model.objective(*xor, LogisticLoss(), l2_factors=1e-4)


@pytest.mark.parametrize("kind", ["FM", "FFM"])
def test_planted_parameters_are_recovered(kind):
    """Scores of a planted model without noise, on new rows; 20 seeds left at most 2e-6 of their variance."""
    rng = np.random.default_rng(0)
    fields = (3, np.arange(15) % 3) if kind == "FFM" else ()
    planted = make_model(rng, (), 15, 2, "float64", *fields)
    X, X_new = (make_csr(rng, [6] * n, 15) for n in (3000, 500))
    model = make_model(rng, (), 15, 2, "float64", *fields)
    model.V = model.V * 0.1
    fit_lbfgs(model, X, planted.predict(X), SquaredLoss(), max_iter=400)
    truth = planted.predict(X_new)
    assert np.var(truth - model.predict(X_new)) < 1e-4 * np.var(truth)


def test_columns_of_very_different_size():
    """Also with columns of thousandths and of thousands: 40 seeds left at most 4e-10 of the variance."""
    rng = np.random.default_rng(0)
    planted, model = make_model(rng, (), 15, 2, "float64"), make_model(rng, (), 15, 2, "float64")
    X, X_new = (make_csr(rng, [6] * n, 15) for n in (3000, 500))
    y, truth = planted.predict(X), planted.predict(X_new)
    size = 10 ** rng.uniform(-3, 3, 15)
    for matrix in (X, X_new):
        matrix.data *= size[matrix.indices]
    model.w, model.V = model.w / size, 0.1 * model.V / size[:, None]
    result = fit_lbfgs(model, X, y, SquaredLoss(), max_iter=400)
    assert np.var(truth - model.predict(X_new)) < 1e-4 * np.var(truth)
    assert result.fun == pytest.approx(model.objective(X, y, SquaredLoss()), rel=1e-12)


def test_a_weight_counts_rows():
    """Weight 0 is no row and weight 2 two rows: also on the way, not only at the end."""
    rng = np.random.default_rng(0)
    X, y, weight = make_csr(rng, [4] * 90, 10), rng.integers(0, 2, 90), rng.integers(0, 3, 90)
    models = [make_model(np.random.default_rng(1), (), 10, 2, "float64") for _ in range(2)]
    fit_lbfgs(models[0], X, y, LogisticLoss(), sample_weight=weight, max_iter=8, l2_factors=0.01)
    rows = np.repeat(np.arange(90), weight)
    fit_lbfgs(models[1], X[rows], y[rows], LogisticLoss(), max_iter=8, l2_factors=0.01)
    np.testing.assert_allclose(models[0].predict(X), models[1].predict(X), rtol=1e-7)


def test_a_start_that_is_not_finite_is_refused(xor):
    X = xor[0].copy()
    X.data[1] = np.nan
    with pytest.raises(ValueError, match="objective is nan at the start"):
        fit_lbfgs(FM.random(2, 1, rng=0), X, xor[1], LogisticLoss())


def test_the_end_is_a_stationary_point():
    rng = np.random.default_rng(0)
    X, y = make_csr(rng, [4] * 200, 10), rng.integers(0, 3, 200)
    model = make_model(rng, (3,), 10, 2, "float64")
    options = {"l2_linear": 0.1, "l2_factors": 0.1, "sample_weight": rng.random(200)}
    fit_lbfgs(model, X, y, SoftmaxLoss(0.1), max_iter=1000, **options)
    _, gradient = model.gradient(X, y, SoftmaxLoss(0.1), **options)
    # The solver ends when the objective stays put in its last digits: slopes of 1e-5 or so.
    for part in (gradient.w0, gradient.w, gradient.V):
        assert np.max(np.abs(part)) < 1e-4


def test_the_callback_sees_falling_objectives(xor):
    model = FM.random(2, 1, init_stdev=1.0, dtype="float64", rng=0)
    seen = []

    def callback(n_iter, objective):
        seen.append((n_iter, objective, model.objective(*xor, LogisticLoss())))

    result = fit_lbfgs(model, *xor, LogisticLoss(), max_iter=10, callback=callback)
    assert [n for n, *_ in seen] == list(range(1, result.nit + 1))
    assert np.all(np.diff([value for _, value, _ in seen]) <= 0)
    for _, value, of_model in seen:
        assert of_model == pytest.approx(value, rel=1e-12)


@pytest.mark.parametrize("error", [KeyboardInterrupt, ZeroDivisionError, StopIteration])
def test_the_last_iteration_is_kept_however_it_ends(xor, error):
    model = FM.random(2, 1, init_stdev=1.0, dtype="float64", rng=0)
    kept = []

    def callback(n_iter, objective):
        kept.append(model.copy())
        if n_iter == 3:
            raise error

    if error is StopIteration:
        fit_lbfgs(model, *xor, LogisticLoss(), callback=callback)
    else:
        with pytest.raises(error):
            fit_lbfgs(model, *xor, LogisticLoss(), callback=callback)
    assert len(kept) == 3
    assert model == kept[-1]


def test_float32_models_are_fitted(xor):
    model = FM.random(2, 1, init_stdev=1.0, rng=0)
    fit_lbfgs(model, *xor, LogisticLoss(), l2_factors=1e-3)
    assert model.dtype == np.float32
    np.testing.assert_array_equal(model.predict(xor[0]) > 0, xor[1])


def hard_problem():
    """Two thousand rows that L-BFGS needs hundreds of iterations for."""
    rng = np.random.default_rng(0)
    X, y = make_csr(rng, [6] * 2000, 30), rng.integers(0, 2, 2000)
    return X, y, FM.random(30, 4, init_stdev=0.1, dtype="float64", rng=1)


def test_a_smaller_tol_goes_on_for_longer():
    """0 until rounding hides all progress; SciPy's own tolerance is the largest."""
    ends = {}
    for tol in (1e-4, 1e-8, 1e-10, 1e-12, 0.0):
        X, y, model = hard_problem()
        options = {"solver": "lbfgs", "max_iter": 3000, "l2_factors": 1e-3, "l2_linear": 1e-3, "tol": tol}
        history = train(model, X, y, LogisticLoss(), **options)
        assert history.stop_reason == "converged"
        ends[tol] = history.n_iter, history.loss[-1]
    assert ends[1e-4] == ends[1e-8]
    n_iters, losses = zip(*ends.values(), strict=True)
    assert np.all(np.diff(n_iters[1:]) > 0)
    assert np.all(np.diff(losses) <= 0)
    assert losses[0] - losses[-1] > 1e-9


def test_max_iter_is_told_where_it_ends_the_search():
    X, y, model = hard_problem()
    history = train(model, X, y, LogisticLoss(), solver="lbfgs", max_iter=3, tol=0)
    assert (history.n_iter, history.stop_reason) == (3, "max_iter")
    assert not history.settled()


CASES = "FM float32 k=17", "FFM float32 k=4"


@pytest.mark.parametrize("case", CASES)
def test_the_same_bits_for_any_threads_and_levels(case):
    """Models of several chunks of vectors, and rows of several blocks."""
    X = large_matrix()[:2000]
    y = np.random.default_rng(0).integers(0, 2, X.shape[0])

    def fitted(num_threads):
        model = large_model(case)
        options = {"l2_linear": 1e-3, "l2_factors": 1e-3, "num_threads": num_threads}
        result = fit_lbfgs(model, X, y, LogisticLoss(), max_iter=6, **options)
        return [model.w0, model.w, model.V, result.fun, result.nfev]

    expected = fitted(1)
    for n in (1, 2, 3, 16):
        assert_same_bits(at_all_levels(lambda n=n: fitted(n)), expected, f"{n} threads")


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n_outputs", [1, 3])
@pytest.mark.parametrize("kind", ["FM", "FFM"])
def test_it_ends_as_low_as_scipy_in_no_more_evaluations(kind, n_outputs, dtype):
    """With so much L2 that there is one minimum. SciPy has float64, whatever the model has."""
    rng = np.random.default_rng(0)
    X, y = make_csr(rng, [5] * 400, 12), rng.integers(0, max(n_outputs, 2), 400)
    loss = SoftmaxLoss() if n_outputs > 1 else LogisticLoss()
    fields = (3, np.arange(12) % 3) if kind == "FFM" else ()
    options = {"l2_linear": 0.1, "l2_factors": 0.1}
    outputs = (n_outputs,) if n_outputs > 1 else ()
    model = make_model(rng, outputs, 12, 2, dtype, *fields)
    peer = make_model(np.random.default_rng(0), outputs, 12, 2, "float64", *fields)
    for mine, theirs in ((peer.w, model.w), (peer.V, model.V)):
        mine[...] = theirs
    peer.w0 = np.float64(model.w0) if n_outputs == 1 else model.w0.astype(np.float64)
    shapes = [np.shape(peer.w0), peer.w.shape, peer.V.shape]
    cuts = np.cumsum([int(np.prod(shape)) for shape in shapes])[:-1]

    def value_and_gradient(theta):
        w0, w, V = (part.reshape(shape) for part, shape in zip(np.split(theta, cuts), shapes, strict=True))
        peer.w0, peer.w, peer.V = (float(w0) if n_outputs == 1 else w0), w, V
        value, gradient = peer.gradient(X, y, loss, **options)
        return value, np.concatenate([np.ravel(part) for part in (gradient.w0, gradient.w, gradient.V)])

    start = np.concatenate([np.ravel(part) for part in (peer.w0, peer.w, peer.V)])
    theirs = minimize(value_and_gradient, start, jac=True, method="L-BFGS-B", options={"gtol": 1e-9})
    ours = fit_lbfgs(model, X, y, loss, max_iter=1000, **options)
    assert ours.stop_reason == "converged"
    assert ours.fun <= theirs.fun * (1 + 1e-6)
    assert ours.nfev <= 1.3 * theirs.nfev + 10


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_columns_too_large_or_small_for_their_squares(dtype):
    """1e-25 squared is no float32, and 1e-200 squared no number."""
    size = 1e-25 if dtype == "float32" else 1e-200
    X = sp.csr_array(
        (np.array([1, size, 1, size]).astype(dtype), [0, 1, 0, 1], [0, 1, 2, 3, 4]), shape=(4, 2)
    )
    model = FM(0.0, np.zeros(2, dtype), np.zeros((2, 1), dtype))
    result = fit_lbfgs(model, X, np.array([1.0, 0.0, 1.0, 0.0]), SquaredLoss())
    assert np.isfinite(model.w).all()
    assert result.fun < 1e-9


def test_a_start_without_a_slope_has_converged():
    X, y = sp.csr_array((4, 3)), np.array([1.0, 2.0, 3.0, 4.0])
    history = train(FM(2.5, np.zeros(3), np.zeros((3, 2))), X, y, SquaredLoss(), solver="lbfgs")
    assert (history.n_iter, history.stop_reason) == (0, "converged")


def test_one_parameter():
    model = FM(0.0, np.zeros(0), np.zeros((0, 1)))
    result = fit_lbfgs(model, sp.csr_array((3, 0)), np.array([1.0, 2.0, 6.0]), SquaredLoss())
    assert model.w0 == pytest.approx(3.0, rel=1e-6)
    assert result.stop_reason == "converged"


def test_no_rows_are_refused():
    with pytest.raises(ValueError, match="weight"):
        fit_lbfgs(FM.random(3, 2, rng=0), sp.csr_array((0, 3)), np.zeros(0), SquaredLoss())


@pytest.mark.parametrize("column", [-1, 2, 2**31 - 1])
def test_a_matrix_that_is_malformed_is_refused(xor, column):
    """Before the sizes of its columns are measured, which would write outside of the arrays."""
    X = xor[0].copy()
    X.indices[1] = column
    with pytest.raises(ValueError, match="row 1"):
        fit_lbfgs(FM.random(2, 1, rng=0), X, xor[1], LogisticLoss())


def test_repeated_columns_count_once():
    """As in the gradient: the sizes of columns too are those of the sums."""
    one = sp.csr_array(([3.0, 1.0], [0, 1], [0, 1, 2]), shape=(2, 2))
    two = sp.csr_array(([1.0, 2.0, 1.0], [0, 0, 1], [0, 2, 3]), shape=(2, 2))
    models = [FM.random(2, 1, init_stdev=0.5, dtype="float64", rng=0) for _ in range(2)]
    for model, X in zip(models, (one, two), strict=True):
        fit_lbfgs(model, X, np.array([1.0, 2.0]), SquaredLoss(), l2_factors=0.1)
    np.testing.assert_allclose(models[0].predict(one), models[1].predict(one), rtol=1e-12)


def test_fields_of_X_are_compared_once_for_each_vector():
    """An FFM whose X has fields of its own: a conflict is refused, and agreement is not asked again."""
    from fastfm_c import FieldCSR

    rng = np.random.default_rng(0)
    X, y = make_csr(rng, [3] * 20, 6), rng.integers(0, 2, 20)
    fields = np.repeat([0, 1, 2], 2)
    model = FFM.random(fields, 2, dtype="float64", rng=0)
    fit_lbfgs(model, FieldCSR(X, fields=fields), y, LogisticLoss(), max_iter=5)
    with pytest.raises(ValueError, match="field"):
        fit_lbfgs(model, FieldCSR(X, fields=fields[::-1]), y, LogisticLoss())


def test_a_callback_that_ends_the_fit_is_named(xor):
    def callback(n_iter, objective):
        raise StopIteration

    model = FM.random(2, 1, init_stdev=1.0, dtype="float64", rng=0)
    result = fit_lbfgs(model, *xor, LogisticLoss(), callback=callback)
    assert (result.nit, result.stop_reason) == (1, "callback")
