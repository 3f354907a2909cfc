"""The estimators: epochs, and how they end."""

import numpy as np
import pytest
import scipy.sparse as sp

pytest.importorskip("sklearn")

from helpers.estimators import ALL, CLASSIFIERS, may_end_early, planted, scores_of
from sklearn.base import clone

from fastfm_c import DivergenceError
from fastfm_c.sklearn import FMClassifier, FMRegressor

pytestmark = may_end_early


@pytest.mark.parametrize(
    ("n_rows", "n_epochs", "batch_size"), [(50, 100, 8), (2000, 50, 31), (12000, 10, 187), (80000, 10, 1024)]
)
def test_few_rows_get_more_epochs_and_smaller_batches(n_rows, n_epochs, batch_size):
    """A batch_size of None makes the same bits as the number, and others than its neighbours."""
    X = sp.csr_array(np.linspace(-1, 1, n_rows)[:, None])
    y = np.arange(n_rows) % 2

    def fitted(batch_size):
        return FMRegressor(early_stopping=False, batch_size=batch_size, random_state=0).fit(X, y)

    model = fitted(None)
    assert model.n_iter_ == model.history_.n_iter == n_epochs
    assert model.model_ == fitted(batch_size).model_
    assert model.model_ != fitted(batch_size - 1).model_


def test_sgd_gets_batches_of_32_rows_at_most():
    X, y = planted(12000)
    models = [
        FMRegressor(solver="sgd", max_iter=1, batch_size=batch_size, random_state=0).fit(X, y).model_
        for batch_size in (None, 32, 31)
    ]
    assert models[0] == models[1] != models[2]


def test_given_numbers_stand_above_the_defaults():
    """12,000 rows would have 10 epochs. Early stopping and L-BFGS have 100 for any number of rows."""
    X, y = planted(12000, 2)
    assert FMRegressor(max_iter=2).fit(X, y).n_iter_ == 2
    patient = FMRegressor(early_stopping=True, n_iter_no_change=1000, n_factors=1)
    assert patient.fit(X, y).n_iter_ == 100
    assert FMRegressor(solver="lbfgs", tol=0).fit(X, y).n_iter_ > 10


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
def test_early_stopping_keeps_the_best_epoch(estimator, solver):
    X, y = planted(300, seed=1)
    y = np.array(["no", "yes"])[(y > 0).astype(int)] if estimator in CLASSIFIERS else y
    kept = []
    model = estimator(
        solver=solver, early_stopping=True, max_iter=30, l2_linear=0.0, l2_factors=0.0, random_state=0
    )
    if solver == "adagrad":
        model.set_params(learning_rate=0.05)
    model.fit(
        X[:60], y[:60], eval_set=(X[60:], y[60:]), callbacks=lambda info: kept.append(info.model.copy())
    )
    history = model.history_
    assert history.best_epoch == np.argmin(history.validation) + 1 <= model.n_iter_ == len(kept)
    scale = getattr(model, "target_scale_", 1.0)
    mean = 0 if estimator in CLASSIFIERS else y[:60].mean()
    best = kept[history.best_epoch - 1].predict(X).astype(np.float32) * np.float32(scale) + mean
    np.testing.assert_allclose(scores_of(model, X), best, rtol=1e-4, atol=1e-5 * scale)


def test_rows_are_held_out_without_an_eval_set():
    X, y = planted()
    model = FMRegressor(early_stopping=True, validation_fraction=0.25, random_state=0).fit(X, y)
    assert model.history_.rows == 300
    assert len(model.history_.validation) == model.n_iter_


@pytest.mark.parametrize("bad", [(1,), [1, 2], 3, (np.eye(3), [0, 1, 1])], ids=str)
def test_a_malformed_eval_set(bad):
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
    cold = estimator(solver=solver, max_iter=3, early_stopping=False, random_state=0).fit(X, y)
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
