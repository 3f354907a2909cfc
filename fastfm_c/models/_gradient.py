"""The objective of a model's parameters, and its gradient."""

from typing import Any, TypeAlias

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from fastfm_c._core import Parameters
from fastfm_c._validation import aligned_zeros, as_not_negative
from fastfm_c.losses import Loss

__all__ = ["Gradient", "gradient_of", "numbered_anew", "objective_of", "outputs_first", "rows_of"]

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
    is_stale: bool = False,
) -> float:
    """The objective; its gradient is written to `gradient`, the arrays of w0 (float64, zeros), w and V.

    w and V are zeros that nobody has touched yet, or, if `is_stale`, anything.
    """
    if not isinstance(loss, Loss):
        raise ValueError(
            f"loss must be a SquaredLoss, LogisticLoss or SoftmaxLoss, got {type(loss).__name__}"
        )
    l2_linear = as_not_negative(l2_linear, "l2_linear")
    l2_factors = as_not_negative(l2_factors, "l2_factors")
    loss._check_model(len(parameters.w0), parameters.has_outputs)
    grad_w, grad_V = (None, None) if gradient is None else gradient[1:]
    value = parameters.data_term(X, y, loss, sample_weight, num_threads, gradient, is_stale)
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
    out: Gradient | None,
    num_threads: int | None,
) -> tuple[float, Gradient]:
    """The objective and its gradient, of all features or of those that occur in X."""
    if sparse and (l2_linear != 0 or l2_factors != 0):
        raise ValueError(
            "a sparse gradient has no L2 term: l2_linear and l2_factors must be 0, got "
            f"{l2_linear} and {l2_factors}"
        )
    now, features, occurs = parameters, None, None
    if sparse:
        now, X, features, occurs = _of_stored_columns(parameters, X, num_threads)
    to_w, to_V = (None, None) if out is None else _arrays_of(out, parameters, features)
    # Columns that are stored but do not occur take part: their rows are left out at the end.
    if to_w is not None and to_V is not None and occurs is None:
        w, V = to_w, to_V
    else:
        w, V = (aligned_zeros(p.shape, p.dtype) for p in (now.w, now.V))
    w0 = np.zeros(len(now.w0))
    value = objective_of(
        now, X, y, loss, sample_weight, l2_linear, l2_factors, num_threads, (w0, w, V), w is to_w
    )
    if occurs is not None:
        w, V = np.compress(occurs, w, 0, to_w), np.compress(occurs, V, 0, to_V)
    if out is None:
        out = Gradient(0.0, *(outputs_first(a, now.has_outputs) for a in (w, V)))
    out._w0, out._features = w0.astype(w.dtype) if now.has_outputs else w0.item(), features
    return value, out


def _arrays_of(
    out: Gradient, parameters: Parameters, features: NDArray[np.int64] | None
) -> tuple[_Array, _Array]:
    """The arrays w and V of `out`, as the kernels fill them, for the gradient of these features."""
    if not isinstance(out, Gradient):
        raise ValueError(f"out must be a Gradient, got {type(out).__name__}")
    arrays: list[_Array] = []
    for name in ("w", "V"):
        array, parameter = getattr(out, name), getattr(parameters, name)
        n_features = len(parameter) if features is None else len(features)
        inner, n_outputs = parameter.shape[1:], parameter.shape[1 : 1 + parameters.has_outputs]
        wanted = (*n_outputs, n_features, *inner[len(n_outputs) :])
        if not isinstance(array, np.ndarray) or array.shape != wanted or array.dtype != parameter.dtype:
            raise ValueError(
                f"out.{name} must be an array of shape {wanted} and dtype {parameter.dtype}, got "
                f"{type(array).__name__} of shape {np.shape(array)}"
            )
        array = outputs_first(array, parameters.has_outputs)  # as it lies in memory
        if not array.flags.carray:
            raise ValueError(f"out.{name} must be writable and lie in memory as `gradient` makes it")
        arrays.append(array)
    read = (parameters.w0, parameters.w, parameters.V, parameters.fields)
    w, V = arrays
    shares = (np.may_share_memory(a, b) for a in arrays for b in read if b is not None)
    if np.may_share_memory(w, V) or any(shares):
        raise ValueError("out shares memory with the model, or its w with its V")
    return w, V


def numbered_anew(columns: NDArray[Any], n_features: int) -> tuple[NDArray[np.int64], NDArray[Any]]:
    """The columns that occur, ascending, and the place of each of the given ones among them."""
    if n_features <= 4 * len(columns):  # up to here a table takes less time than sorting
        occurs = np.zeros(n_features, bool)
        occurs[columns] = True
        kept, places = np.flatnonzero(occurs), (np.cumsum(occurs) - 1)[columns]
    else:
        kept, places = np.unique(columns, return_inverse=True)
    return kept, places.astype(columns.dtype)


def _of_stored_columns(
    parameters: Parameters, X: Any, num_threads: int | None
) -> tuple[Parameters, Any, NDArray[np.int64], NDArray[np.bool_] | None]:
    """The same problem with only the columns that are stored in X; and those of them that occur.

    Explicit zeros are stored: they take a place in their row, which decides the order of sums. But they do
    not make a column occur. The last of what is returned marks the columns that do; None: all.
    """
    indptr, indices, data = parameters.sound_rows(X, num_threads)
    stored = slice(indptr[0], indptr[-1])
    columns, data, indptr = indices[stored], data[stored], indptr - indptr[0]
    kept, indices = numbered_anew(columns, len(parameters.w))
    w, V = (rows_of(p, kept) for p in (parameters.w, parameters.V))
    fields = None if parameters.fields is None else np.asarray(parameters.fields)[kept]
    compact = Parameters(parameters.w0, w, V, fields, parameters.has_outputs, parameters.normalize)
    shape = len(indptr) - 1, len(kept)
    compact_X, kept = sp.csr_array((data, indices, indptr), shape=shape), kept.astype(np.int64)
    occurs = np.zeros(len(kept), bool)
    occurs[indices[data != 0]] = True
    if occurs.all():
        return compact, compact_X, kept, None
    return compact, compact_X, kept[occurs], occurs


def rows_of(parameter: _Array, features: NDArray[Any]) -> _Array:
    """What belongs to some of the features: a copy, which a model can share."""
    rows = aligned_zeros((len(features), *parameter.shape[1:]), parameter.dtype)
    np.take(parameter, features, axis=0, out=rows, mode="clip")  # "raise" would make one more copy
    return rows
