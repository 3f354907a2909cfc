"""What is right, and how far from it rounding may lead: `fastfm_c.reference` with error bounds.

Rows are CSR matrices as `canonical` makes them: the assertions call it once for a matrix.
"""

import functools

import numpy as np
import scipy.sparse as sp
from helpers.levels import gradient, predict

from fastfm_c import FM, LogisticLoss, SoftmaxLoss, SquaredLoss, reference

# Largest error of a score, relative to the sum of the absolute values of its terms, for rows of up
# to 1000 values: what the library promises. float32 keeps 6e-8 per operation, float64 1.1e-16.
SCORE_TOLERANCE = {"float32": 1e-5, "float64": 1e-13}
# A gradient adds two roundings of its own and the error of the score that it starts from.
GRADIENT_TOLERANCE = {"float32": 3e-5, "float64": 3e-13}
# Products below this are denormal in float32 (smallest normal 1e-38) and lose relative accuracy.
UNDERFLOW = 1e-36


def parameters(model):
    """The arguments of the reference functions that follow X."""
    own = (model.w0, model.w, model.V)
    return own if isinstance(model, FM) else (*own, model.fields)


def canonical(X):
    """X with the repeated columns of each row summed: in their order, in X's own precision."""
    indptr, indices, data = [0], [], []
    for begin, end in zip(X.indptr[:-1], X.indptr[1:], strict=True):
        columns, entry = np.unique(X.indices[begin:end], return_inverse=True)
        values = np.zeros(len(columns), X.dtype)
        np.add.at(values, entry, X.data[begin:end])
        indptr.append(indptr[-1] + len(columns))
        indices.extend(columns)
        data.extend(values)
    return sp.csr_array((np.array(data, X.dtype), np.array(indices, int), indptr), shape=X.shape)


def scores(model, rows):
    of_kind = reference.fm_score if isinstance(model, FM) else reference.ffm_score
    return of_kind(rows, *parameters(model))


def term_scale(model, rows):
    of_kind = reference.fm_term_scale if isinstance(model, FM) else reference.ffm_term_scale
    return of_kind(rows, *parameters(model))


def assert_close(actual, expected, bound, what=""):
    """|actual - expected| <= bound, elementwise; bound holds the tolerance already."""
    actual, expected = np.asarray(actual, np.float64), np.asarray(expected, np.float64)
    assert actual.shape == expected.shape, what
    error = np.abs(actual - expected)
    worst = np.max(error - bound, initial=-np.inf)
    assert np.all(error <= bound), f"{what} error {np.max(error)}, above the bound by {worst}"


def assert_scores(model, X, actual=None, what=""):
    """The scores, at each level, are those of the reference, within what the library promises."""
    actual = predict(model, X) if actual is None else actual
    assert actual.dtype == model.dtype, what
    rows = canonical(X)
    bound = SCORE_TOLERANCE[model.dtype.name] * term_scale(model, rows) + UNDERFLOW
    assert_close(actual, scores(model, rows), bound, what)


def loss_function(loss):
    """The reference of a loss object."""
    if isinstance(loss, SquaredLoss):
        return reference.squared_loss
    of_kind = {LogisticLoss: reference.logistic_loss, SoftmaxLoss: reference.softmax_loss}
    return functools.partial(of_kind[type(loss)], label_smoothing=loss.label_smoothing)


def assert_gradient(model, X, y, loss, actual=None, what="", **options):
    """Objective and dense gradient, at each level, are those of the reference."""
    value, grad = gradient(model, X, y, loss, **options) if actual is None else actual
    rows = canonical(X)
    arguments = rows, y, loss_function(loss), *parameters(model)
    row_scale = term_scale(model, rows)
    # An error in a score moves the derivative of its loss by at most as much (squared 1, logistic
    # 1/4, softmax 1/2), so each row counts with its derivative and the terms of its scores.
    slope = np.abs(loss_function(loss)(y, scores(model, rows))[1]) + row_scale

    # An error in a score moves the loss by as much as its derivative, so w0's bound serves (twice
    # for the curvature); the loss itself is rounded once more.
    expected = reference.objective(*arguments, **options)
    row_bound = (slope * row_scale).reshape(len(row_scale), -1).sum(axis=1)
    size = abs(expected) + np.sum(shares(len(row_bound), options.get("sample_weight")) * row_bound)
    bound = GRADIENT_TOLERANCE[model.dtype.name] * size
    assert abs(value - expected) <= bound, f"{what} objective {value}, expected {expected}"

    expected = reference.gradient(*arguments, **options)
    bounds = gradient_bound(model, rows, slope, **options)
    for name, theirs, bound in zip(("w0", "w", "V"), expected, bounds, strict=True):
        assert_close(getattr(grad, name), theirs, bound, f"{what} {name}:")


def gradient_bound(model, rows, slope, sample_weight=None, l2_linear=0.0, l2_factors=0.0):
    """How far w0, w and V of a gradient may be off: the tolerance times their absolute terms."""
    w0, w, V, *fields = parameters(model)
    w0, w, V = (np.abs(p).astype(np.float64) for p in (w0, w, V))
    if slope.ndim == 2:  # the derivative of one softmax depends on all scores of the row
        slope = np.repeat(slope.sum(axis=1, keepdims=True), slope.shape[1], axis=1)
    chains = (shares(len(slope), sample_weight) * slope.T).T
    bounds = np.zeros_like(w0), l2_linear * w, l2_factors * V
    for (j, x), chain in zip(reference.csr_rows(rows), chains, strict=True):
        x = np.abs(x)
        for c in np.ndindex(w0.shape):
            if fields:
                grad_V = reference.ffm_score_gradient(j, x, V[c], fields[0])[1]
            else:
                grad_V = reference.fm_score_gradient(j, x, V[c])[1]
            own = x.reshape(-1, *[1] * (grad_V.ndim - 1)) ** 2 * V[c][j]
            bounds[0][c] += chain[c]
            bounds[1][c][j] += chain[c] * x
            bounds[2][c][j] += chain[c] * (grad_V + 2 * own)
    return tuple(GRADIENT_TOLERANCE[model.dtype.name] * b + UNDERFLOW for b in bounds)


def shares(n_rows, sample_weight=None):
    """Which part of the total weight each row has."""
    weight = np.ones(n_rows) if sample_weight is None else np.asarray(sample_weight, float)
    return weight / weight.sum()


def directional_derivative(function, model, direction, step):
    """(f(p + step d) - f(p - step d)) / (2 step) over all parameters p of a model."""
    values = []
    for sign in (1, -1):
        moved = model.copy()
        moved.w0 = model.w0 + sign * step * direction[0]
        moved.w = model.w + sign * step * direction[1]
        moved.V = model.V + sign * step * direction[2]
        values.append(function(moved))
    return (values[0] - values[1]) / (2 * step)
