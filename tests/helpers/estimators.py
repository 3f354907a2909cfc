"""The four estimators, and data that they can learn."""

import numpy as np
import pytest
import scipy.sparse as sp

pytest.importorskip("sklearn")

from fastfm_c import FM
from fastfm_c.sklearn import FFMClassifier, FFMRegressor, FMClassifier, FMRegressor

CLASSIFIERS, REGRESSORS = (FMClassifier, FFMClassifier), (FMRegressor, FFMRegressor)
ALL = CLASSIFIERS + REGRESSORS

# For tests of something else, whose fits take few epochs.
may_end_early = pytest.mark.filterwarnings(
    "ignore:.*ended after max_iter:sklearn.exceptions.ConvergenceWarning"
)


def planted(n_rows=400, n_features=6, seed=0):
    """CSR rows and noisy scores of an FM, of standard deviation 1 or so."""
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_rows, n_features))
    X[rng.random(X.shape) < 0.3] = 0
    model = FM(0.2, rng.standard_normal(n_features) * 0.3, rng.standard_normal((n_features, 2)) * 0.5)
    X = sp.csr_array(X)
    return X, model.predict(X) + 0.1 * rng.standard_normal(n_rows)


def labelled(n_rows, n_classes=2, seed=0):
    """Rows, 70 % of them of class 0."""
    X, score = planted(n_rows, seed=seed)
    score = score + np.random.default_rng(seed).logistic(0, 0.5, n_rows)
    edges = np.quantile(score, [0.7, 0.85][: n_classes - 1])
    return X, np.searchsorted(edges, score)


def data_for(estimator, n_rows=1200):
    """Rows and targets that an estimator of this kind can learn."""
    X, y = planted(n_rows)
    return X, (y > 0 if estimator in CLASSIFIERS else 1000 * y)


def scores_of(estimator, X):
    return getattr(estimator, "decision_function", estimator.predict)(X)
