"""The estimators: passes over the rows, how they end, and partial_fit."""

import numpy as np
import pytest
import scipy.sparse as sp

pytest.importorskip("sklearn")

from helpers.estimators import ALL, CLASSIFIERS, planted, scores_of
from sklearn.base import clone

from fastfm_c import FM, FTRL, AdaGrad, LogisticLoss, SquaredLoss
from fastfm_c._errors import DivergenceError
from fastfm_c.sklearn import FMClassifier, FMRegressor

# -------------------------------------------------------------------------------------------- passes


def test_few_rows_get_more_passes_and_smaller_batches():
    for n_rows, n_iter, updates in ((50, 100, 700), (2000, 50, 3250), (12000, 10, 650)):
        X = sp.csr_array(np.ones((n_rows, 1)))
        model = FMRegressor(early_stopping=False, random_state=0).fit(X, np.arange(n_rows) % 2)
        assert model.n_iter_ == model.history_.n_iter == n_iter
        batch_size = model._solver_options(n_rows)["batch_size"]
        assert n_iter * -(-n_rows // batch_size) == updates
    assert FMRegressor(max_iter=2).fit(X, np.arange(n_rows) % 2).n_iter_ == 2
    assert FMRegressor(batch_size=3)._solver_options(n_rows)["batch_size"] == 3
    assert FMRegressor(solver="sgd")._solver_options(n_rows)["batch_size"] == 32
    for options in ({"solver": "lbfgs"}, {"early_stopping": True}):  # 100 by default, for any number
        estimator = FMRegressor(**options)
        assert estimator._max_iter(n_rows, estimator._early_stopping(n_rows, None)) is None


def test_lbfgs_ends_where_it_gains_nothing():
    X, y = planted()
    model = FMClassifier(solver="lbfgs", random_state=0).fit(X, y > 0)
    long = FMClassifier(solver="lbfgs", tol=0, random_state=0).fit(X, y > 0)
    assert model.history_.stop_reason == "converged"
    assert 10 < model.n_iter_ < long.n_iter_
    loss = model.history_.loss
    assert loss[-11] - loss[-1] < 1e-4 <= loss[-12] - loss[-2]


@pytest.mark.parametrize("solver", ["adagrad", "lbfgs"])
@pytest.mark.parametrize("estimator", ALL)
def test_early_stopping_keeps_the_best_pass(estimator, solver):
    X, y = planted(300, seed=1)
    y = np.array(["no", "yes"])[(y > 0).astype(int)] if estimator in CLASSIFIERS else y
    kept = []
    model = estimator(
        solver=solver, early_stopping=True, max_iter=30, l2_linear=0.0, l2_factors=0.0, random_state=0
    )
    model.fit(
        X[:60], y[:60], eval_set=(X[60:], y[60:]), callbacks=lambda info: kept.append(info.model.copy())
    )
    history = model.history_
    assert history.best_epoch == np.argmin(history.validation) + 1 <= model.n_iter_ == len(kept)
    scale = getattr(model, "target_scale_", 1.0)
    best = kept[history.best_epoch - 1].predict(X).astype(np.float32) * np.float32(scale)
    np.testing.assert_allclose(scores_of(model, X), best, rtol=1e-4, atol=1e-5 * scale)


def test_rows_are_held_out_without_an_eval_set():
    X, y = planted()
    model = FMRegressor(early_stopping=True, validation_fraction=0.25, random_state=0).fit(X, y)
    assert model.history_.rows == 300
    assert len(model.history_.validation) == model.n_iter_


@pytest.mark.parametrize("bad", [(1,), [1, 2], 3, (np.eye(3), [0, 1, 1])], ids=str)
def test_an_eval_set_that_is_none(bad):
    with pytest.raises(ValueError, match=r"eval_set|features"):
        FMClassifier().fit(np.eye(2), [0, 1], eval_set=bad)


@pytest.mark.parametrize("solver", ["adagrad", "lbfgs"])
def test_a_callback_ends_the_fit(solver):
    X, y = planted()
    model = FMRegressor(solver=solver, random_state=0)
    model.fit(X, y, callbacks=[lambda info: None, lambda info: info.epoch == 3])
    assert (model.n_iter_, model.history_.stop_reason) == (3, "callback")


@pytest.mark.parametrize("solver", ["adagrad", "lbfgs"])
@pytest.mark.parametrize("estimator", ALL)
def test_an_interrupted_fit_is_a_fit(estimator, solver):
    """As good as one that was told to end there, in the units of y."""
    X, y = planted()
    y = y > 0 if estimator in CLASSIFIERS else 1000 * y
    interrupted, ended = (estimator(solver=solver, random_state=0) for _ in range(2))

    def interrupt(info):
        if info.epoch == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        interrupted.fit(X, y, callbacks=interrupt)
    ended.fit(X, y, callbacks=lambda info: info.epoch == 3)
    assert interrupted.model_ == ended.model_
    assert interrupted.n_iter_ == 3
    assert interrupted.history_.loss == ended.history_.loss
    assert interrupted.score(X, y) == ended.score(X, y)


def test_divergence_leaves_finite_scores():
    X, y = planted()
    model = FMRegressor(solver="sgd", learning_rate=1e6, random_state=0)
    with pytest.raises(DivergenceError, match="learning_rate 1000000"):
        model.fit(X, y)
    assert np.isfinite(model.model_.w).all()
    assert np.isfinite(model.model_.V).all()


@pytest.mark.parametrize("solver", ["adagrad", "lbfgs"])
@pytest.mark.parametrize("estimator", ALL)
def test_warm_start_goes_on(estimator, solver):
    X, y = planted()
    y = y > 0 if estimator in CLASSIFIERS else 1000 * y
    cold = estimator(solver=solver, max_iter=3, random_state=0).fit(X, y)
    warm = clone(cold).set_params(warm_start=True).fit(X, y)
    assert cold.model_ == warm.model_
    first = warm.history_.loss
    warm.fit(X, y)
    assert warm.history_.loss[-1] < first[-1]
    assert cold.fit(X, y).model_ == clone(cold).fit(X, y).model_  # without it, a fit forgets
    with pytest.raises(ValueError, match="n_factors is 3, but the model to go on with has 8"):
        warm.set_params(n_factors=3).fit(X, y)
    with pytest.raises(ValueError, match="features"):
        warm.fit(X[:, :3], y)


# --------------------------------------------------------------------------------------- partial_fit


@pytest.mark.parametrize("solver", ["sgd", "adagrad", "adam", "ftrl"])
@pytest.mark.parametrize("unit", [1.0, 1000.0])
def test_partial_fit_in_chunks_is_one_pass(solver, unit):
    """Bit for bit, and in any unit of y: the model changes units between the calls."""
    X, y = planted(320)
    y = y * unit
    y[:64] = y[64:128]  # of the same deviation, so that both choose the same scale
    options = {"solver": solver, "batch_size": 16, "random_state": 0}
    whole, chunks = FMRegressor(**options), FMRegressor(**options)
    whole.partial_fit(X[:64], y[:64]).partial_fit(X[64:], y[64:])
    for begin in range(0, 320, 64):
        chunks.partial_fit(X[begin : begin + 64], y[begin : begin + 64])
    assert whole.model_ == chunks.model_
    assert chunks.n_iter_ == chunks.history_.n_iter == 5
    assert chunks.model_ is chunks.solver_.model


@pytest.mark.parametrize("solver", [AdaGrad, FTRL])
@pytest.mark.parametrize("estimator", [FMClassifier, FMRegressor])
def test_partial_fit_is_that_of_the_solver(estimator, solver):
    X, y = planted(320)
    y = (y > 0).astype(float) if estimator is FMClassifier else 1000 * y
    classes = ([0.0, 1.0],) if estimator is FMClassifier else ()
    options = {"batch_size": 16, "l2_linear": 0.1, "l2_factors": 0.2, "learning_rate": 0.05}
    model = estimator(solver=solver.__name__.lower(), random_state=0, **options)
    start = clone(model)
    start._begin(X[:160], y[:160], None, start._rng(), *classes)
    scale = start._scale
    own = FM(start.model_.w0 / scale, start.model_.w, start.model_.V / np.float32(np.sqrt(scale)))
    loss = LogisticLoss() if estimator is FMClassifier else SquaredLoss()
    solver = solver(own, loss, **options)
    losses = []
    for half in (slice(160), slice(160, 320)):
        model.partial_fit(X[half], y[half], *classes)
        losses.append(solver.partial_fit(X[half], y[half] / scale) * scale**2)
    assert model.history_.loss == losses
    np.testing.assert_array_equal(model.model_.w, own.w * np.float32(scale))
    np.testing.assert_array_equal(model.model_.V, own.V * np.float32(np.sqrt(scale)))


def test_partial_fit_wants_to_know_the_classes():
    X, y = planted(60)
    y = np.array(["a", "b"])[(y > 0).astype(int)]
    with pytest.raises(ValueError, match="classes must be given"):
        FMClassifier().partial_fit(X, y)
    model = FMClassifier().partial_fit(X, y, classes=["c", "a", "b"])
    np.testing.assert_array_equal(model.classes_, ["a", "b", "c"])
    assert model.partial_fit(X, y, ["a", "b", "c"]).predict_proba(X).shape == (60, 3)
    with pytest.raises(ValueError, match="before"):
        model.partial_fit(X, y, classes=["a", "b"])


def test_partial_fit_goes_on_from_a_fit():
    X, y = planted()
    model = FMRegressor(max_iter=3, random_state=0).fit(X, 1000 * y)
    before, history = model.model_.copy(), model.history_
    model.partial_fit(X, 1000 * y)
    assert model.n_iter_ == 1
    assert model.history_ is not history
    assert before != model.model_
    assert model.history_.loss[0] < history.loss[0]
    assert not hasattr(model.fit(X, y), "solver_")


def test_lbfgs_has_no_partial_fit():
    assert not hasattr(FMRegressor(solver="lbfgs"), "partial_fit")
    assert hasattr(FMClassifier(), "partial_fit")
