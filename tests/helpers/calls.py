"""Models, and the methods that take X: for the tests of what X may be."""

import numpy as np
from helpers.make import make_csr, make_model

from fastfm_c import FM, LogisticLoss

N = 30  # features of the models here

MODELS = {
    "FM": make_model(np.random.default_rng(0), (), N, 5, "float64"),
    "FFM": make_model(np.random.default_rng(0), (), N, 5, "float64", 4, np.arange(N) % 4),
    "outputs": FM.random(N, 5, n_outputs=3, init_stdev=1, dtype="float64", rng=0),
}


def predict(model, X):
    return model.predict(X)


def objective(model, X):
    return model.objective(X, targets(X), LogisticLoss())


def gradient(model, X):
    value, g = model.gradient(X, targets(X), LogisticLoss())
    return np.concatenate([[value, g.w0], g.w, g.V.ravel()])


def sparse_gradient(model, X):
    value, g = model.gradient(X, targets(X), LogisticLoss(), sparse=True)
    return np.concatenate([[value, g.w0], g.features, g.w, g.V.ravel()])


def targets(X):
    n_rows = X.shape[0] if hasattr(X, "shape") and X.shape else len(X)
    return np.arange(n_rows) % 2


CALLS = [predict, objective, gradient, sparse_gradient]


def small_matrix():
    """Six rows, one of them empty, with columns in order and values that float16 holds."""
    rng = np.random.default_rng(1)
    X = make_csr(rng, [3, 0, 5, 20, 1, 2], N, sort=True)
    X.data[:] = rng.integers(-8, 9, len(X.data)) + 0.5
    return X


def read_only(array):
    own = array.copy()
    own.flags.writeable = False
    return own
