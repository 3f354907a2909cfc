"""solver="als" of the estimators."""

import numpy as np
import pytest

pytest.importorskip("sklearn")

from helpers.columns import one_hot
from sklearn.base import clone
from sklearn.utils.estimator_checks import estimator_checks_generator

from fastfm_c import FM
from fastfm_c.sklearn import FFMClassifier, FFMRegressor, FMClassifier, FMRegressor

OPTIONS = {"solver": "als", "n_factors": 2, "init_stdev": 0.3, "l2_linear": 1e-4, "l2_factors": 1e-4}

# Ten rows determine no factors: penalties of 1e-5 do, and what is rounded in the first sweeps grows.
WEIGHTED = "check_sample_weight_equivalence_on_dense_data", "check_sample_weight_equivalence_on_sparse_data"
EXPECTED = dict.fromkeys(WEIGHTED, "roundings grow where rows determine nothing")


def rows(seed=0):
    rng = np.random.default_rng(seed)
    X = one_hot(rng, 3000, [12, 9, 5])
    planted = FM.random(26, 2, init_stdev=1.0, dtype="float64", rng=1)
    return X, 100 + 7 * planted.predict(X)


def test_numbers():
    X, y = rows()
    model = FMRegressor(**OPTIONS, max_iter=1000, tol=1e-8, random_state=0).fit(X, y)
    assert model.score(*rows(1)) > 0.999
    assert np.all(np.diff(model.history_.loss) <= 0)
    assert clone(model).fit(X, y).model_.n_factors == 2


def test_two_classes():
    X, y = rows()
    model = FMClassifier(**OPTIONS, max_iter=500, random_state=0).fit(X, np.where(y > 100, "high", "low"))
    X_new, y_new = rows(1)
    assert model.score(X_new, np.where(y_new > 100, "high", "low")) > 0.9
    assert model.predict_proba(X_new).shape == (3000, 2)


def test_field_aware_models():
    X, y = rows()
    fields, X_new, y_new = np.repeat([0, 1, 2], [12, 9, 5]), *rows(1)
    options = {**OPTIONS, "fields": fields, "random_state": 0}
    model = FFMRegressor(**options, max_iter=1000, tol=1e-8).fit(X, y)
    assert model.score(X_new, y_new) > 0.999
    assert np.all(np.diff(model.history_.loss) <= 0)
    model = FFMClassifier(**options, early_stopping=True).fit(X, np.where(y > 100, "high", "low"))
    assert model.score(X_new, np.where(y_new > 100, "high", "low")) > 0.9
    assert not hasattr(model, "partial_fit")


def test_twenty_sweeps_unless_told():
    X, y = rows()
    assert FMRegressor(**OPTIONS, tol=0, random_state=0).fit(X, y).n_iter_ == 20


def test_what_it_does_not_take():
    X, y = rows()
    with pytest.raises(ValueError, match="takes a SquaredLoss or a LogisticLoss, got SoftmaxLoss"):
        FMClassifier(**OPTIONS).fit(X, np.arange(3000) % 3)
    with pytest.raises(ValueError, match="solver='als' takes no learning_rate"):
        FMRegressor(**OPTIONS, learning_rate=0.1).fit(X, y)
    assert not hasattr(FMRegressor(solver="als"), "partial_fit")


@pytest.mark.parametrize(
    ("estimator", "check"),
    list(
        estimator_checks_generator(FMRegressor(solver="als"), expected_failed_checks=EXPECTED, mark="xfail")
    ),
    ids=lambda thing: thing.func.__name__ if hasattr(thing, "func") else "FMRegressor",
)
def test_checks_of_scikit_learn(estimator, check):
    check(estimator)
