"""The estimators: columns far from zero, such as years."""

import numpy as np
import pytest
import scipy.sparse as sp

pytest.importorskip("sklearn")

from helpers.estimators import ALL, CLASSIFIERS

from fastfm_c.sklearn import FFMClassifier, FMClassifier, FMRegressor
from fastfm_c.sklearn._centring import Centring


def years(n_rows=2000, first=1990.0, seed=0):
    """Rows of a year, a normal column and a sparse one, and scores that need a pair of them."""
    rng = np.random.default_rng(seed)
    year, normal = rng.integers(30, size=n_rows), rng.standard_normal(n_rows)
    few = rng.standard_normal(n_rows) * (rng.random(n_rows) < 0.3)
    late = (year - 14.5) / 8.6
    return np.column_stack([first + year, normal, few]), late + normal + 0.5 * late * normal + few


@pytest.mark.parametrize("first", [30.0, 1990.0, -2000.0])
@pytest.mark.parametrize("solver", ["adagrad", "sgd", "adam", "ftrl"])
def test_a_column_of_years_is_learned_as_well_as_its_distance_from_the_mean(solver, first):
    X, y = years(first=first)
    near = X.copy()
    near[:, 0] -= near[:, 0].mean()
    scores = [FMRegressor(solver=solver, random_state=0).fit(rows, y).score(rows, y) for rows in (X, near)]
    assert scores[0] > scores[1] - 0.01


@pytest.mark.parametrize(("first", "unit"), [(1990.0, 1.0), (1.6e9, 1e7), (0.0, 1e6)])
@pytest.mark.parametrize("solver", ["als", "mcmc"])
def test_solvers_by_columns_learn_from_any_origin_and_unit(solver, first, unit):
    X, y = years(first=0)
    options = {"solver": solver, "random_state": 0, "max_iter": None if solver == "als" else 60}
    expected = FMRegressor(**options).fit(X, y).score(X, y)
    X[:, 0] = first + unit * X[:, 0]
    model = FMRegressor(**options).fit(X[:1500], y[:1500], X_val=X[1500:], y_val=y[1500:])
    assert expected > 0.99
    assert model.score(X, y) > expected - 0.01
    assert model.history_.validation[-1] < 0.01 * np.var(y)


def test_a_posterior_of_centred_columns_has_the_same_model():
    X, y = years()
    model = FMRegressor(solver="mcmc", random_state=0, max_iter=40, dtype="float64").fit(X, y)
    scores = np.mean([drawn.predict(X) for drawn in model.posterior_.samples], axis=0)
    np.testing.assert_allclose(model.predict(X), scores)
    assert np.corrcoef(model.model_.predict(X), y)[0, 1] > 0.99
    assert np.corrcoef(model.posterior_.model.predict(X), y)[0, 1] > 0.99


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("estimator", ALL)
def test_years_in_validation_rows_and_a_warm_start(estimator, n_classes):
    X, y = years()
    if estimator in CLASSIFIERS:
        y = np.digitize(y, [-0.7, 0.7][: n_classes - 1])
    model = estimator(random_state=0, warm_start=True)
    model.fit(X[:1500], y[:1500], X_val=X[1500:], y_val=y[1500:])
    first = model.score(X[1500:], y[1500:])
    assert first > 0.85
    assert model.history_.loss[0] > 2 * model.history_.loss[-1]
    model.fit(X[:1500], y[:1500], X_val=X[1500:], y_val=y[1500:])
    assert model.score(X[1500:], y[1500:]) > first - 0.02
    assert model.history_.loss[0] < 0.1 * abs(y).mean() or estimator in CLASSIFIERS


@pytest.mark.parametrize("estimator", [FMClassifier, FFMClassifier, FMRegressor])
@pytest.mark.parametrize("labels", [2, 3])
def test_a_model_of_centred_rows_is_expressed_in_the_rows_as_they_were(estimator, labels):
    rng = np.random.default_rng(0)
    X = sp.csr_array(rng.standard_normal((50, 4)) * (rng.random((50, 4)) < 0.7))
    model = estimator(dtype="float64", init_stdev=0.5, max_iter=2, random_state=0)
    model = model.fit(X, np.arange(50) % labels).model_
    centring = Centring(np.array([0, 2]), np.array([3.0, -2.0]))
    before, scores = model.copy(), model.predict(centring.centred(X))
    centring.expressed(model, -1)
    np.testing.assert_allclose(model.predict(X), scores, rtol=1e-10, atol=1e-12)
    centring.expressed(model, 1)
    np.testing.assert_allclose(model.w, before.w, rtol=1e-10, atol=1e-12)


def test_other_columns_are_left_alone():
    """Constant ones, ones with zeros, and those whose mean is small beside their deviation."""
    X, y = years(400)
    X = np.column_stack([np.ones(400), X[:, 1:], X[:, 0] * (np.arange(400) % 2)])
    seen = []
    FMRegressor(random_state=0, max_iter=1, early_stopping=False).fit(
        X, y, callbacks=lambda info: seen.append(info.model.copy())
    )
    model = FMRegressor(random_state=0, max_iter=1, early_stopping=False).fit(X, y)
    scale = model.target_scale_
    np.testing.assert_array_equal(model.model_.w, seen[0].w * np.float32(scale))
