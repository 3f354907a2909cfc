"""Estimators learn alike from columns and targets in any units."""

import numpy as np
import pytest

pytest.importorskip("sklearn")

from helpers.estimators import data_for, labelled, planted, scores_of

from fastfm_c import LogisticLoss
from fastfm_c.sklearn import FFMClassifier, FMClassifier, FMRegressor


@pytest.mark.parametrize("estimator", [FMClassifier, FFMClassifier])
def test_powers_of_two_as_units_of_columns_change_nothing(estimator):
    """Penalties and first factors are in units of the columns."""
    X, y = data_for(estimator, 2000)
    units = 2.0 ** np.array([-20, -7, 0, 3, 9, 14])
    one = estimator(random_state=0, dtype="float64").fit(X, y)
    other = estimator(random_state=0, dtype="float64").fit(X * units, y)
    np.testing.assert_allclose(scores_of(other, X * units), scores_of(one, X), rtol=1e-6, atol=1e-6)


def test_one_outlier_in_each_column_decides_little():
    """6 seeds left no difference above 0.005; it was 0.11 with the largest value as the unit."""
    X, y = labelled(20_000)
    X = X.toarray()
    X[np.arange(6), np.arange(6)] = 100.0
    plain, _ = labelled(20_000)
    losses = [
        LogisticLoss().mean(
            y[15_000:], FMClassifier(random_state=0).fit(x[:15_000], y[:15_000]).decision_function(x[15_000:])
        )
        for x in (X, plain.toarray())
    ]
    assert losses[0] < losses[1] + 0.03


@pytest.mark.parametrize(("mean", "deviation"), [(1e6, 1.0), (1e4, 0.01), (-1e6, 1.0)])
def test_targets_far_from_zero_are_learned(mean, deviation):
    """20 seeds left no R2 below 0.9."""
    X, y = planted(2000)
    model = FMRegressor(random_state=0).fit(X[:1500], mean + deviation * y[:1500])
    assert model.score(X[1500:], mean + deviation * y[1500:]) > 0.85
