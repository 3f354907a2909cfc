"""Scores of rows whose values are so large that products of them are no finite numbers."""

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from fastfm_c.sklearn._trainable import Model, as_dtype, with_parameters

__all__ = ["scores_without_nan"]


def scores_without_nan(model: Model, X: Any, num_threads: int | None) -> NDArray[Any]:
    """The scores of rows of finite values, of which none is nan.

    A score that is too large for the dtype is infinite. Where a row has several scores they are then divided
    by one number, so that they keep their order and are finite.
    """
    scores: NDArray[Any] = model.predict(X, num_threads=num_threads)
    bad = np.flatnonzero(~np.isfinite(scores).all(axis=tuple(range(1, scores.ndim))))
    if len(bad):
        rows = sp.csr_array(X[bad] if sp.issparse(X) else np.asarray(X)[bad])
        with np.errstate(over="ignore", invalid="ignore"):
            scores[bad] = _scores_of_large_values(
                model, rows, num_threads, float(np.finfo(scores.dtype).max) / 4
            )
    return scores


def _scores_of_large_values(
    model: Model, X: sp.csr_array, num_threads: int | None, limit: float
) -> NDArray[np.float64]:
    """Scores of rows that are divided by their largest |x| first: w0 + m (linear + m pairs)."""
    model = as_dtype(model, "float64")
    X = X.astype(np.float64)
    largest = np.maximum(abs(X).max(axis=1).toarray().ravel(), np.finfo(np.float64).tiny)
    X.data /= np.repeat(largest, np.diff(X.indptr))
    if model.normalize is not None:  # the length of a row says nothing
        return model.predict(X, num_threads=num_threads)
    linear = with_parameters(model, model.w, np.zeros_like(model.V))
    first, both = (part.predict(X, num_threads=num_threads) for part in (linear, model))
    m = largest.reshape(-1, *[1] * (first.ndim - 1))
    scores: NDArray[np.float64] = m * ((first - model.w0) + m * (both - first)) + model.w0
    if scores.ndim == 1:
        return scores
    relative = (first - model.w0) / m + (both - first)
    relative *= limit / np.maximum(np.abs(relative).max(axis=1, keepdims=True), np.finfo(np.float64).tiny)
    is_large = ~(np.abs(scores) <= limit).all(axis=1, keepdims=True)
    return np.where(is_large, relative, scores)
