"""The objective of a model's parameters, and its gradient."""

from typing import Any, TypeAlias

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from fastfm_c._core import Parameters
from fastfm_c._validation import aligned_zeros, as_not_negative
from fastfm_c.losses import Loss

__all__ = ["Gradient", "gradient_of", "objective_of", "outputs_first"]

_Array: TypeAlias = NDArray[Any]


class Gradient:
    """Gradient of an objective: `w0`, `w` and `V`, shaped like the parameters."""

    __slots__ = ("_V", "_features", "_w", "_w0")

    def __init__(
        self, w0: float | _Array, w: _Array, V: _Array, features: NDArray[np.int64] | None = None
    ) -> None:
        self._w0, self._w, self._V, self._features = w0, w, V, features

    @property
    def w0(self) -> float | _Array:
        """Derivative by the bias: float, or ndarray of shape (C,)."""
        return self._w0

    @property
    def w(self) -> _Array:
        """Derivatives by the linear weights, of the model's dtype."""
        return self._w

    @property
    def V(self) -> _Array:
        """Derivatives by the factors, of the model's dtype."""
        return self._V

    @property
    def features(self) -> NDArray[np.int64] | None:
        """Which features `w` and `V` hold: None for all of them.

        From ``gradient(..., sparse=True)`` an ascending array of int64: the columns that occur in X.
        """
        return self._features

    def __repr__(self) -> str:
        features = "" if self.features is None else f", features=({len(self.features)},)"
        return f"Gradient(w={self.w.shape}, V={self.V.shape}, dtype={self.V.dtype}{features})"


def outputs_first(array: _Array, has_outputs: bool) -> _Array:
    """A view of an array of parameters with the axis of outputs, if there is one, in front."""
    return array.swapaxes(0, 1) if has_outputs else array.view()


def objective_of(
    parameters: Parameters,
    X: Any,
    y: ArrayLike,
    loss: Any,
    sample_weight: ArrayLike | None,
    l2_linear: float,
    l2_factors: float,
    num_threads: int | None,
    gradient: tuple[_Array, _Array, _Array] | None = None,
) -> float:
    """The objective; its gradient is added to `gradient`, the arrays of w0 (float64), w and V."""
    if not isinstance(loss, Loss):
        raise ValueError(
            f"loss must be a SquaredLoss, LogisticLoss or SoftmaxLoss, got {type(loss).__name__}"
        )
    l2_linear = as_not_negative(l2_linear, "l2_linear")
    l2_factors = as_not_negative(l2_factors, "l2_factors")
    loss._check_model(len(parameters.w0), parameters.has_outputs)
    grad_w, grad_V = (None, None) if gradient is None else gradient[1:]
    value = parameters.data_term(X, y, loss, sample_weight, num_threads, gradient)
    value += parameters.penalty(parameters.w, l2_linear, grad_w, num_threads)
    value += parameters.penalty(parameters.V, l2_factors, grad_V, num_threads)
    return value


def gradient_of(
    parameters: Parameters,
    X: Any,
    y: ArrayLike,
    loss: Any,
    sample_weight: ArrayLike | None,
    l2_linear: float,
    l2_factors: float,
    sparse: bool,
    num_threads: int | None,
) -> tuple[float, Gradient]:
    """The objective and its gradient, of all features or of those that occur in X."""
    features = None
    if sparse:
        if l2_linear != 0 or l2_factors != 0:
            raise ValueError(
                "a sparse gradient has no L2 term: l2_linear and l2_factors must be 0, got "
                f"{l2_linear} and {l2_factors}"
            )
        parameters, X, features = _of_stored_columns(parameters, X, num_threads)
    w0 = np.zeros(len(parameters.w0))
    w, V = (aligned_zeros(p.shape, p.dtype) for p in (parameters.w, parameters.V))
    value = objective_of(
        parameters, X, y, loss, sample_weight, l2_linear, l2_factors, num_threads, (w0, w, V)
    )
    if features is not None:
        occurs = np.zeros(len(features), bool)
        occurs[X.indices[X.data != 0]] = True
        features, w, V = features[occurs], w[occurs], V[occurs]
    has_outputs = parameters.has_outputs
    return value, Gradient(
        w0.astype(w.dtype) if has_outputs else w0.item(),
        outputs_first(w, has_outputs),
        outputs_first(V, has_outputs),
        features,
    )


def _of_stored_columns(
    parameters: Parameters, X: Any, num_threads: int | None
) -> tuple[Parameters, Any, NDArray[np.int64]]:
    """The same problem with only the columns that are stored in X, and those columns.

    Explicit zeros are among them: they take a place in their row, which decides the order of sums.
    """
    indptr, indices, data = parameters.sound_rows(X, num_threads)
    stored = slice(indptr[0], indptr[-1])
    columns, data, indptr = indices[stored], data[stored], indptr - indptr[0]
    n_features = len(parameters.w)
    if n_features <= len(columns):  # a table is no larger than the data, and 10 times faster than sorting
        occurs = np.zeros(n_features, bool)
        occurs[columns] = True
        kept = np.flatnonzero(occurs)
        places = (np.cumsum(occurs) - 1)[columns]
    else:
        kept, places = np.unique(columns, return_inverse=True)
    indices = places.astype(columns.dtype)
    w, V = (_rows_of(p, kept) for p in (parameters.w, parameters.V))
    fields = None if parameters.fields is None else np.asarray(parameters.fields)[kept]
    compact = Parameters(parameters.w0, w, V, fields, parameters.has_outputs, parameters.normalize)
    shape = len(indptr) - 1, len(kept)
    return compact, sp.csr_array((data, indices, indptr), shape=shape), kept.astype(np.int64)


def _rows_of(parameter: _Array, features: NDArray[np.int64]) -> _Array:
    rows = aligned_zeros((len(features), *parameter.shape[1:]), parameter.dtype)
    np.take(parameter, features, axis=0, out=rows)
    return rows
