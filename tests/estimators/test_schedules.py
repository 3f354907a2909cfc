"""Learning rates of estimators that change from epoch to epoch."""

import math
import pickle

import numpy as np
import pytest

pytest.importorskip("sklearn")

from helpers.estimators import ALL, CLASSIFIERS, planted
from sklearn.base import clone
from sklearn.model_selection import GridSearchCV

from fastfm_c import load, save
from fastfm_c.sklearn import FMClassifier, FMRegressor

SOLVERS = ["sgd", "adagrad", "adam", "ftrl"]


def tenth(epoch):
    return 0.1 / epoch


def data_for(estimator, n_rows=320):
    X, y = planted(n_rows)
    return (X, y > 0, {"classes": [False, True]}) if estimator in CLASSIFIERS else (X, 30 * y + 7, {})


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("estimator", ALL)
def test_a_fit_with_a_schedule_is_one_with_the_rates_of_its_epochs(estimator, solver):
    X, y, _ = data_for(estimator)
    options = {"solver": solver, "max_iter": 4, "early_stopping": False, "random_state": 0}
    factors = {
        "constant": lambda epoch: 0.1,
        "inverse_sqrt": lambda epoch: 0.1 / math.sqrt(epoch),
        "cosine": lambda epoch: 0.1 * ((1 + math.cos(math.pi * (epoch - 1) / 4)) / 2),
    }
    for name, rate in factors.items():
        named = estimator(learning_rate=0.1, schedule=name, **options).fit(X, y)
        assert named.model_ == estimator(learning_rate=rate, **options).fit(X, y).model_
        assert named.history_.loss != estimator(learning_rate=0.2, **options).fit(X, y).history_.loss


def test_the_name_of_a_schedule_is_that_from_the_default_rate_on():
    X, y, _ = data_for(FMRegressor)
    one, other = (FMRegressor(max_iter=4, early_stopping=False, random_state=0) for _ in range(2))
    one.set_params(learning_rate="cosine").fit(X, y)
    assert one.model_ == other.set_params(schedule="cosine").fit(X, y).model_


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("estimator", ALL)
def test_a_call_of_partial_fit_is_one_epoch_however_its_units_change(estimator, solver):
    """What is learned changes the unit, and divides a call, in the middle."""
    X, y, options = data_for(estimator)
    y = y.copy()
    y[:48] = y[0]
    rates = []

    def rate(epoch):
        rates.append(epoch)
        return 0.1 / epoch

    model = estimator(solver=solver, batch_size=16, learning_rate=rate, random_state=0)
    for call in range(1, 4):
        model.partial_fit(X, y, **options)
        assert model.solver_.n_epochs == call
        assert model.solver_.current_learning_rate == 0.1 / call
    assert set(rates) == {1, 2, 3}


@pytest.mark.parametrize("how", ["pickle", "file"])
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("estimator", ALL)
def test_a_schedule_goes_on_after_a_stop(estimator, solver, how, tmp_path):
    X, y, options = data_for(estimator)
    model = estimator(solver=solver, learning_rate=0.02, schedule="inverse_sqrt", random_state=0)
    for _ in range(2):
        model.partial_fit(X, y, **options)
    if how == "file":
        save(model, tmp_path / "model")
        again = load(tmp_path / "model")
    else:
        again = pickle.loads(pickle.dumps(model))
    assert (again.learning_rate, again.schedule) == (0.02, "inverse_sqrt")
    for one in (model, again):
        one.partial_fit(X, y)
        assert one.solver_.current_learning_rate == 0.02 / math.sqrt(3)
    assert model.model_ == again.model_


def test_a_name_as_learning_rate_is_saved_and_a_function_is_not(tmp_path):
    X, y, _ = data_for(FMRegressor)
    model = FMRegressor(learning_rate="cosine", max_iter=2, random_state=0).fit(X, y)
    save(model, tmp_path / "model")
    assert load(tmp_path / "model").learning_rate == "cosine"
    with pytest.raises(ValueError, match=r"FMRegressor\.learning_rate is <function tenth"):
        save(model.set_params(learning_rate=tenth), tmp_path / "model")


def test_schedules_are_cloned_and_searched():
    X, y, _ = data_for(FMClassifier)
    model = FMClassifier(learning_rate=tenth, max_iter=2, random_state=0)
    assert clone(model).learning_rate is tenth
    grid = {"learning_rate": [tenth, 0.1, "inverse_sqrt"]}
    assert GridSearchCV(model, grid, cv=2, error_score="raise").fit(X, y).best_params_
    scores = GridSearchCV(model, grid, cv=2).fit(X, y).cv_results_["mean_test_score"]
    assert np.isfinite(scores).all()


@pytest.mark.parametrize(("options", "words"), [
    ({"schedule": "linear"}, "schedule must be None, 'constant', 'inverse_sqrt' or 'cosine', got 'linear'"),
    ({"schedule": 3}, "schedule must be .* got 3"),
    ({"learning_rate": "linear"}, "name of a schedule"),
    ({"learning_rate": "0.1"}, "learning_rate must be a finite number > 0, got '0.1'"),
    ({"learning_rate": "cosine", "schedule": "cosine"}, "give the number as learning_rate"),
    ({"learning_rate": tenth, "schedule": "cosine"}, "a callable, which takes no schedule"),
    ({"learning_rate": lambda epoch: -1.0}, r"learning_rate\(1\) must be a finite number > 0"),
    ({"solver": "lbfgs", "schedule": "cosine"}, "solver='lbfgs' takes no schedule: expected None"),
    ({"solver": "lbfgs", "learning_rate": tenth}, "solver='lbfgs' takes no learning_rate"),
])  # fmt: skip
@pytest.mark.parametrize("estimator", ALL)
def test_a_rate_that_is_none_is_refused(estimator, options, words):
    X, y, more = data_for(estimator)
    model = estimator(**options)
    with pytest.raises(ValueError, match=words):
        model.fit(X, y)
    if model.solver != "lbfgs":
        model = clone(model)
        with pytest.raises(ValueError, match=words):
            model.partial_fit(X, y, **more)
        assert not hasattr(model, "model_")


@pytest.mark.parametrize("estimator", ALL)
def test_partial_fit_knows_no_last_epoch(estimator):
    X, y, options = data_for(estimator)
    model = estimator(schedule="cosine", max_iter=2)
    with pytest.raises(ValueError, match=r"'cosine' ends with the last epoch.* take 'inverse_sqrt'"):
        model.partial_fit(X, y, **options)
    assert not hasattr(model, "model_")
    before = model.fit(X, y).model_.copy()
    with pytest.raises(ValueError, match="'cosine' ends"):
        model.partial_fit(X, y)
    assert model.model_ == before
