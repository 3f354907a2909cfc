"""A ConvergenceWarning tells that a fit ended at max_iter before it had settled."""

import warnings

import numpy as np
import pytest

pytest.importorskip("sklearn")

from helpers.estimators import ALL, CLASSIFIERS, planted
from sklearn.exceptions import ConvergenceWarning

from fastfm_c.sklearn import FMClassifier, FMRegressor

STOCHASTIC = ["sgd", "adagrad", "adam", "ftrl"]


def data_for(estimator, n_rows=400):
    X, y = planted(n_rows)
    return X, (y > 0 if estimator in CLASSIFIERS else y)


@pytest.mark.parametrize("max_iter", [1, 3])
@pytest.mark.parametrize("solver", [*STOCHASTIC, "lbfgs"])
@pytest.mark.parametrize("estimator", ALL)
def test_too_few_epochs_are_warned_of_where_the_call_stands(estimator, solver, max_iter):
    X, y = data_for(estimator, 1200)
    model = estimator(solver=solver, max_iter=max_iter, random_state=0)
    words = f"{estimator.__name__} ended after max_iter={max_iter} .* settled"
    with pytest.warns(ConvergenceWarning, match=words) as caught:
        model.fit(X, y)
    assert [warning.filename for warning in caught] == [__file__]
    assert model.history_.stop_reason == "max_iter"


@pytest.mark.parametrize("estimator", [FMClassifier, FMRegressor])
def test_too_few_sweeps_are_warned_of(estimator):
    X, y = data_for(estimator)
    with pytest.warns(
        ConvergenceWarning, match="ended after max_iter=2 sweeps, before the objective settled"
    ):
        estimator(solver="als", max_iter=2, random_state=0).fit(X, y)
    estimator(solver="als", max_iter=500, tol=1e-3, random_state=0).fit(X, y)


@pytest.mark.parametrize("solver", ["adagrad", "lbfgs"])
@pytest.mark.parametrize("estimator", ALL)
def test_a_fit_that_settled_is_not_warned_of(estimator, solver):
    X, y = data_for(estimator, 2000)
    model = estimator(solver=solver, early_stopping=True, learning_rate=0.3 if solver == "adagrad" else None)
    model.set_params(max_iter=1000, random_state=0).fit(X, y)
    assert model.history_.stop_reason in ("early_stopping", "converged")


@pytest.mark.parametrize("options", [{"early_stopping": False}, {}], ids=str)
def test_without_early_stopping_the_number_of_epochs_is_that_of_the_user(options):
    """Of 400 rows none are held out by default."""
    X, y = planted(400)
    model = FMRegressor(max_iter=2, random_state=0, **options).fit(X, y)
    assert (model.n_iter_, model.history_.stop_reason) == (2, "max_iter")


def test_a_stochastic_fit_whose_figure_stood_still_has_settled():
    X, y = planted(1200)
    model = FMRegressor(max_iter=8, early_stopping=True, n_iter_no_change=7, tol=9.0, random_state=0)
    assert model.fit(X, y).history_.stop_reason in ("max_iter", "early_stopping")


def test_tol_is_of_targets_in_the_units_of_the_solver():
    """A figure that is large only because y is has settled as well as that of a y of 1."""
    X, y = planted(1200)
    for unit in (1.0, 4.0**8, 4.0**-8):
        model = FMRegressor(max_iter=3, tol=0.05, early_stopping=True, random_state=0)
        with pytest.warns(ConvergenceWarning):
            model.fit(X, unit * y)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            model.set_params(max_iter=100).fit(X, unit * y)


def test_a_callback_that_ends_a_fit_is_asked_for():
    X, y = planted(1200)
    for solver in ("adagrad", "lbfgs"):
        model = FMRegressor(solver=solver, random_state=0).fit(X, y, callbacks=lambda info: True)
        assert model.history_.stop_reason == "callback"


def test_a_smaller_tol_takes_more_iterations():
    X, y = planted(400)
    n_iter = [
        FMClassifier(solver="lbfgs", tol=tol, max_iter=5000, random_state=0).fit(X, y > 0).n_iter_
        for tol in (1e-2, 1e-4, 1e-6)
    ]
    assert np.all(np.diff(n_iter) > 0)


@pytest.mark.parametrize("solver", ["adagrad", "lbfgs"])
def test_a_default_number_of_epochs_is_not_warned_of(solver):
    X, y = planted(1200)
    noise = np.random.default_rng(0).standard_normal(len(y))
    model = FMRegressor(solver=solver, n_factors=32, tol=0, n_iter_no_change=100, early_stopping=True)
    assert model.set_params(random_state=0).fit(X, noise).history_.stop_reason == "max_iter"
