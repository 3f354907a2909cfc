"""What is right, and how far from it rounding may lead: `fastfm_c.reference` with error bounds."""

import functools

import numpy as np
import scipy.sparse as sp

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


def scores(model, X):
    of_kind = reference.fm_score if isinstance(model, FM) else reference.ffm_score
    return of_kind(canonical(X), *parameters(model))


def term_scale(model, X):
    of_kind = reference.fm_term_scale if isinstance(model, FM) else reference.ffm_term_scale
    return of_kind(canonical(X), *parameters(model))


def assert_close(actual, expected, bound, what=""):
    """|actual - expected| <= bound, elementwise; bound holds the tolerance already."""
    actual, expected = np.asarray(actual, np.float64), np.asarray(expected, np.float64)
    assert actual.shape == expected.shape, what
    error = np.abs(actual - expected)
    worst = np.max(error - bound, initial=-np.inf)
    assert np.all(error <= bound), f"{what} error {np.max(error)}, above the bound by {worst}"


def assert_scores(model, X, actual=None, what=""):
    """The scores are those of the reference, within what the library promises."""
    actual = model.predict(X) if actual is None else actual
    assert actual.dtype == model.dtype, what
    bound = SCORE_TOLERANCE[model.dtype.name] * term_scale(model, X) + UNDERFLOW
    assert_close(actual, scores(model, X), bound, what)


def loss_function(loss):
    """The reference of a loss object."""
    if isinstance(loss, SquaredLoss):
        return reference.squared_loss
    of_kind = {LogisticLoss: reference.logistic_loss, SoftmaxLoss: reference.softmax_loss}
    return functools.partial(of_kind[type(loss)], label_smoothing=loss.label_smoothing)


def objective(model, X, y, loss, **options):
    w0, w, V, *fields = parameters(model)
    return reference.objective(canonical(X), y, loss_function(loss), w0, w, V, *fields, **options)


def gradient(model, X, y, loss, **options):
    w0, w, V, *fields = parameters(model)
    return reference.gradient(canonical(X), y, loss_function(loss), w0, w, V, *fields, **options)


def gradient_bound(model, X, y, loss, sample_weight=None, l2_linear=0.0, l2_factors=0.0):
    """How far w0, w and V of a gradient may be off: the tolerance times their absolute terms.

    An error in a score moves the derivative of its loss by at most as much (squared 1, logistic
    1/4, softmax 1/2), so each row counts with its derivative and the terms of its scores.
    """
    w0, w, V, *fields = (np.abs(p) for p in parameters(model))
    row_grad_scores = loss_function(loss)(y, scores(model, X))[1]
    chain = np.abs(row_grad_scores) + term_scale(model, X)
    if chain.ndim == 2:  # the derivative of one softmax depends on all scores of the row
        chain = np.repeat(chain.sum(axis=1, keepdims=True), chain.shape[1], axis=1)
    weight = np.ones(len(chain)) if sample_weight is None else np.asarray(sample_weight, float)
    total = weight.sum()
    w0, w, V = (np.asarray(p, np.float64) for p in (w0, w, V))
    bounds = np.zeros_like(w0), l2_linear * w, l2_factors * V
    for (j, x), row_chain, row_weight in zip(reference.csr_rows(canonical(X)), chain, weight, strict=True):
        x = np.abs(x)
        for c in np.ndindex(w0.shape):
            if fields:
                grad_V = reference.ffm_score_gradient(j, x, V[c], fields[0])[1]
            else:
                grad_V = reference.fm_score_gradient(j, x, V[c])[1]
            own = x.reshape(-1, *[1] * (grad_V.ndim - 1)) ** 2 * V[c][j]
            share = row_weight / total * row_chain[c]
            bounds[0][c] += share
            bounds[1][c][j] += share * x
            bounds[2][c][j] += share * (grad_V + 2 * own)
    return tuple(GRADIENT_TOLERANCE[model.dtype.name] * b + UNDERFLOW for b in bounds)


def assert_gradient(model, X, y, loss, actual=None, what="", **options):
    """Objective and dense gradient are those of the reference."""
    value, grad = model.gradient(X, y, loss, **options) if actual is None else actual
    # A score's error moves the loss by as much as its derivative, so w0's bound serves (twice
    # for the curvature); the loss itself is rounded once more.
    expected = objective(model, X, y, loss, **options)
    tolerance = GRADIENT_TOLERANCE[model.dtype.name]
    assert abs(value - expected) <= tolerance * (
        abs(expected) + objective_scale(model, X, y, loss, options.get("sample_weight"))
    ), f"{what} objective {value}, expected {expected}"
    arrays = zip(
        ("w0", "w", "V"),
        (grad.w0, grad.w, grad.V),
        gradient(model, X, y, loss, **options),
        gradient_bound(model, X, y, loss, **options),
        strict=True,
    )
    for name, mine, theirs, bound in arrays:
        assert_close(mine, theirs, bound, f"{what} {name}:")


def objective_scale(model, X, y, loss, sample_weight=None):
    """How much the mean loss moves at most when each score moves by its absolute terms."""
    scale = term_scale(model, X)
    slope = np.abs(loss_function(loss)(y, scores(model, X))[1]) + scale
    rows = (slope * scale).reshape(len(scale), -1).sum(axis=1)
    weight = np.ones(len(rows)) if sample_weight is None else np.asarray(sample_weight, float)
    return np.sum(weight * rows) / np.sum(weight)


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
