"""What the tests of solvers share: the rules and a problem to solve."""

import functools

import numpy as np
from helpers.make import make_csr

from fastfm_c import FFM, FM, FTRL, SGD, AdaGrad, Adam, LogisticLoss, SoftmaxLoss, SquaredLoss, reference

RULES = {
    "sgd": (SGD, reference.sgd, {"learning_rate": 0.02}),
    "adagrad": (AdaGrad, reference.adagrad, {"learning_rate": 0.2, "initial_accumulator": 0.5}),
    "adam": (Adam, reference.adam, {"learning_rate": 0.05, "beta1": 0.8, "beta2": 0.95, "epsilon": 1e-6}),
    "ftrl": (FTRL, reference.ftrl, {"learning_rate": 0.3, "beta": 0.7}),
}


def make_problem(seed, *, n_rows=40, n_features=30, k=5, n_outputs=1, n_fields=0, dtype="float64", **kinds):
    """X with |x| < 1 (the reference has no scale), y, weights, a model, a loss and its reference."""
    rng = np.random.default_rng(seed)
    X = make_csr(rng, rng.integers(0, 13, n_rows), n_features, **kinds)
    X.data[:] = np.clip(X.data / 3, -0.9, 0.9)
    X.data[rng.random(X.nnz) < 0.1] = 0
    weight = rng.choice([0.0, 0.5, 1.0, 2.0], n_rows)
    shared = {"n_outputs": n_outputs, "init_stdev": 0.3, "dtype": dtype, "rng": rng}
    if n_fields:
        fields = np.concatenate([rng.integers(0, n_fields, n_features - 1), [n_fields - 1]])
        model = FFM.random(fields, k, **shared)
    else:
        model = FM.random(n_features, k, **shared)
    if n_outputs > 1:
        loss, oracle = SoftmaxLoss(0.2), functools.partial(reference.softmax_loss, label_smoothing=0.2)
        y = rng.integers(0, n_outputs, n_rows)
    elif seed % 2:
        loss, oracle = LogisticLoss(0.1), functools.partial(reference.logistic_loss, label_smoothing=0.1)
        y = rng.integers(0, 2, n_rows)
    else:
        loss, oracle, y = SquaredLoss(), reference.squared_loss, rng.standard_normal(n_rows)
    return X, y, weight, model, loss, oracle


def parameters(model):
    return np.atleast_1d(model.w0), model.w, model.V


def bits(model):
    return [p.tobytes() for p in parameters(model)]
