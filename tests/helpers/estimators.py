"""The four estimators, and data that they can learn."""

from itertools import pairwise

import numpy as np
import pytest
import scipy.sparse as sp

pytest.importorskip("sklearn")

from fastfm_c import FM
from fastfm_c.sklearn import FFMClassifier, FFMRegressor, FMClassifier, FMRegressor

CLASSIFIERS, REGRESSORS = (FMClassifier, FFMClassifier), (FMRegressor, FFMRegressor)
ALL = CLASSIFIERS + REGRESSORS

# Of the error that `fit` has after as many rows of a stream.
AS_GOOD_AS_FIT = 1.15

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


def targets_for(estimator, y, n_classes=2):
    """Targets, and the argument of `partial_fit` that says which there may be."""
    if estimator in REGRESSORS:
        return 900 + 28 * y, {}
    return np.digitize(y, [-0.6, 0.6][: n_classes - 1]), {"classes": list(range(n_classes))}


def in_chunks(model, X, y, edges, weight=None, **options):
    for begin, end in pairwise(edges):
        part = slice(begin, end)
        model.partial_fit(X[part], y[part], sample_weight=None if weight is None else weight[part], **options)
    return model
