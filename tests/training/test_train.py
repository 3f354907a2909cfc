"""train: epochs, validation, early stopping, the best parameters, callbacks, progress, errors."""

import math

import numpy as np
import pytest
import scipy.sparse as sp
from helpers.make import make_csr, make_model
from helpers.strategies import SEEDS
from hypothesis import example, given
from hypothesis import strategies as st

from fastfm_c import FFM, FM, AdaGrad, LogisticLoss, SoftmaxLoss, SquaredLoss
from fastfm_c._errors import DivergenceError
from fastfm_c.training import _monitor, train
from fastfm_c.training._lbfgs import fit_lbfgs

SOLVERS = ["sgd", "adagrad", "adam", "ftrl", "lbfgs"]


def make_task(n_rows=60, seed=0, n_features=12):
    """(X, y) of a planted model, y in {0, 1}."""
    rng = np.random.default_rng(seed)
    X = make_csr(rng, [4] * n_rows, n_features)
    return X, (make_model(rng, (), n_features, 2, "float64").predict(X) > 0).astype(np.int64)


X, Y = make_task()


def new_model(dtype="float64"):
    return FM.random(X.shape[1], 2, init_stdev=0.1, dtype=dtype, rng=1)


class Recorder(AdaGrad):
    """Notes the rows of each epoch; raises in the middle of one if it is told to."""

    def __init__(self, model, loss=None, fail_in=None, error=KeyboardInterrupt):
        super().__init__(model, loss or LogisticLoss(), learning_rate=0.3)
        self.orders, self.fail_in, self.error = [], fail_in, error

    def epoch(self, data, rows=None, progress=None):
        self.orders.append(None if rows is None else rows.copy())
        loss = super().epoch(data, rows, progress)
        if len(self.orders) == self.fail_in:
            raise self.error
        return loss


class Script:
    """A metric that returns given figures; the first call is the one before all epochs."""

    def __init__(self, figures, greater_is_better=False):
        self.figures, self.greater_is_better = iter([0.0, *figures]), greater_is_better

    def __call__(self, y, scores):
        return next(self.figures)


# ------------------------------------------------------------------------------- learning


@pytest.mark.parametrize("solver", SOLVERS)
def test_exclusive_or_is_learned(solver):
    """By each solver, from the factors: no linear model fits it."""
    X = sp.csr_array(np.tile([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [0.0, 0.0]], (50, 1)))
    y = np.tile([1, 1, 0, 0], 50)
    model = FM.random(2, 4, init_stdev=0.5, rng=0)
    options = {} if solver == "lbfgs" else {"learning_rate": 0.1, "batch_size": 4}
    history = train(model, X, y, LogisticLoss(), solver=solver, max_iter=60, rng=0, **options)
    np.testing.assert_array_equal(model.predict(X) > 0, y)
    assert history.loss[-1] < 0.3 < history.loss[0]


def test_ffm_and_many_classes():
    y = Y + (np.arange(len(Y)) % 2)
    model = FFM.random(np.arange(12) % 3, 2, n_outputs=3, init_stdev=0.1, rng=0)
    history = train(
        model, X, y, SoftmaxLoss(), early_stopping="log_loss", eval_set=(X, y), learning_rate=0.1, rng=0
    )
    assert min(history.validation) == pytest.approx(SoftmaxLoss().mean(y, model.predict(X)), rel=1e-5)
    assert history.validation[-1] < history.validation[0]


def test_an_epoch_in_order_is_a_partial_fit():
    model, peer = new_model(), new_model()
    weight = np.random.default_rng(0).random(len(Y))
    ones = abs(X).sign()  # a stream has no other units for these values
    history = train(
        model, ones, Y, LogisticLoss(), max_iter=2, shuffle=False, sample_weight=weight, learning_rate=0.2
    )
    solver = AdaGrad(peer, LogisticLoss(), learning_rate=0.2)
    assert history.loss == [solver.partial_fit(ones, Y, weight) for _ in range(2)]
    assert model == peer
    assert (history.n_iter, history.rows, history.stop_reason) == (2, len(Y), "max_iter")
    assert (history.validation, history.metric, history.best_epoch) == ([], None, None)


def test_orders():
    """A new permutation of the rows in each epoch; the same seed, the same orders."""
    runs = []
    for _ in range(2):
        solver = Recorder(new_model())
        train(solver.model, X, Y, LogisticLoss(), solver=solver, max_iter=3, rng=5)
        runs.append(solver)
    for order in runs[0].orders:
        np.testing.assert_array_equal(np.sort(order), np.arange(len(Y)))
    np.testing.assert_array_equal(runs[0].orders, runs[1].orders)
    assert len({tuple(order) for order in runs[0].orders}) == 3
    assert runs[0].model == runs[1].model
    solver = Recorder(new_model())
    train(solver.model, X, Y, LogisticLoss(), solver=solver, max_iter=1, shuffle=False)
    assert solver.orders == [None]


@given(st.integers(2, 60), st.floats(0.01, 0.99), st.booleans(), SEEDS)
def test_held_out_rows(n_rows, fraction, shuffle, seed):
    """They are not learned from, they are all that validates, and the seed decides which they are."""
    X, y = make_task(n_rows, 3)
    y = y.astype(np.float64) + np.arange(n_rows)  # each row has its own target
    model, seen = new_model(), []
    solver = Recorder(model, SquaredLoss())
    orders = solver.orders

    def metric(y, scores):
        seen.append(y.copy())
        return 0.0

    options = {"solver": solver, "early_stopping": metric, "rng": seed, "shuffle": shuffle}
    n_held_out = round(fraction * n_rows)
    if not 0 < n_held_out < n_rows:
        with pytest.raises(ValueError, match=f"holds out {n_held_out} of {n_rows} rows"):
            train(model, X, y, SquaredLoss(), validation_fraction=fraction, **options)
        return
    history = train(model, X, y, SquaredLoss(), validation_fraction=fraction, **options)
    assert history.rows == n_rows - n_held_out == len(orders[0])
    np.testing.assert_array_equal(np.sort(np.concatenate([y[orders[0]], seen[0]])), np.sort(y))
    assert shuffle or np.all(np.diff(orders[0]) > 0)
    assert all(np.array_equal(seen[0], each) for each in seen)


def test_lbfgs_leaves_out_held_out_rows():
    """As if they were not there."""
    model, peer, kept = new_model(), new_model(), []
    train(
        model,
        X,
        Y,
        LogisticLoss(),
        solver="lbfgs",
        early_stopping=lambda y, scores: kept.append(len(y)) or -len(kept),
        max_iter=5,
        validation_fraction=0.5,
        l2_factors=0.1,
        rng=0,
    )
    order = np.random.default_rng(0).permutation(len(Y))
    rows = np.sort(order[30:])
    assert set(kept) == {30}
    fit_lbfgs(peer, X[rows], Y[rows], LogisticLoss(), max_iter=5, l2_factors=0.1)
    objectives = [m.objective(X[rows], Y[rows], LogisticLoss(), l2_factors=0.1) for m in (model, peer)]
    assert objectives[0] == pytest.approx(objectives[1], rel=1e-9)


def test_lbfgs_tells_the_objective_and_why_it_ended():
    model = new_model()
    history = train(model, X, Y, LogisticLoss(), solver="lbfgs", l2_linear=0.1, l2_factors=0.1)
    assert history.stop_reason == "converged"
    assert history.loss[-1] == model.objective(X, Y, LogisticLoss(), l2_linear=0.1, l2_factors=0.1)
    history = train(new_model(), X, Y, LogisticLoss(), solver="lbfgs", max_iter=2)
    assert (history.n_iter, history.stop_reason) == (2, "max_iter")


# ------------------------------------------------------- early stopping, best parameters

FIGURES = st.lists(
    st.sampled_from([0.0, 0.5, 0.9, 1.0, 1.1, 2.0, math.nan, math.inf]), min_size=1, max_size=9
)


@example([1.0, 0.9, 0.5], 1, 0.2, False)
@given(FIGURES, st.integers(1, 4), st.sampled_from([0.0, 0.2]), st.booleans())
def test_patience_and_the_best_epoch(figures, patience, tol, greater):
    best, best_epoch, mark, marked, end = math.inf, None, math.inf, 0, None
    for epoch, figure in enumerate([-f if greater else f for f in figures], 1):
        if figure < best:
            best, best_epoch = figure, epoch
        if figure < mark - tol:
            mark, marked = figure, epoch
        if epoch - marked == patience:
            end = epoch
            break
    model, states = new_model("float32"), []
    history = train(
        model,
        X,
        Y,
        LogisticLoss(),
        max_iter=len(figures),
        early_stopping=Script(figures, greater),
        n_iter_no_change=patience,
        tol=tol,
        learning_rate=1e-4,  # the factors do not grow
        callbacks=lambda info: states.append(model.copy()),
    )
    assert history.n_iter == len(states) == (end or len(figures))
    assert history.stop_reason == ("max_iter" if end is None else "early_stopping")
    assert history.best_epoch == best_epoch
    np.testing.assert_array_equal(history.validation, figures[: history.n_iter])
    assert model == states[(best_epoch or history.n_iter) - 1]


@pytest.mark.parametrize("early_stopping", [True, None])
@pytest.mark.parametrize("error", [KeyboardInterrupt, DivergenceError])
def test_an_error_in_the_middle_of_an_epoch(early_stopping, error):
    """With early stopping the parameters of the best epoch come back; else the last ones stay."""
    model, states = new_model(), []
    solver = Recorder(model, fail_in=3, error=error)
    with pytest.raises(error):
        train(
            model,
            X,
            Y,
            LogisticLoss(),
            solver=solver,
            early_stopping=early_stopping,
            eval_set=(X, Y),
            callbacks=lambda info: states.append((info.validation, model.copy())),
            rng=0,
        )
    assert len(states) == 2
    assert states[1][0] < states[0][0]
    assert (model == states[1][1]) == bool(early_stopping)


@pytest.mark.parametrize("solver", ["adagrad", "lbfgs"])
def test_an_interruption_after_a_worse_epoch(solver):
    model, states = new_model(), []

    def callback(info):
        states.append(model.copy())
        if info.epoch == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(
            model,
            X,
            Y,
            LogisticLoss(),
            solver=solver,
            early_stopping=Script([2.0, 1.0, 3.0]),
            callbacks=callback,
        )
    assert model == states[1] != states[2]


def test_an_interruption_while_the_best_is_saved(monkeypatch):
    """The half-written copy is not used: the model itself has the best parameters at that moment."""
    saved, copyto = [], np.copyto

    def interrupted(target, source):
        saved.append(source.copy())
        if len(saved) == 4:  # V of the second epoch
            raise KeyboardInterrupt
        copyto(target, source)

    monkeypatch.setattr(_monitor.np, "copyto", interrupted)
    model = new_model()
    with pytest.raises(KeyboardInterrupt):
        train(model, X, Y, LogisticLoss(), early_stopping=Script([2.0, 1.0]))
    np.testing.assert_array_equal(model.w, saved[2])
    np.testing.assert_array_equal(model.V, saved[3])


def test_divergence():
    model = new_model("float32")
    with pytest.raises(DivergenceError, match=r"epoch 1 .*learning_rate 1e\+30.*\|x\|"):
        train(model, X, Y * 1.0, SquaredLoss(), solver="sgd", learning_rate=1e30)
    for part in (model.w0, model.w, model.V):
        assert np.isfinite(part).all()


def test_validation_without_early_stopping():
    """The figure is in the history; it stops nothing and restores nothing."""
    model, weight = new_model(), np.random.default_rng(0).random(len(Y))
    history = train(model, X, Y, LogisticLoss(0.1), eval_set=(X, Y, weight), max_iter=4, rng=0)
    assert (history.n_iter, history.metric, history.stop_reason) == (4, "loss", "max_iter")
    assert history.validation[-1] == pytest.approx(LogisticLoss(0.1).mean(Y, model.predict(X), weight))
    assert history.best_epoch == 1 + np.argmin(history.validation)
