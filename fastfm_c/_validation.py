"""Checks of what users pass, and conversions to what the kernels read.

Each function except `plain_fields` returns the given array itself if the kernels can read it. An error names
the argument, the value found and the value wanted.
"""

import operator
from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, DTypeLike, NDArray

__all__ = [
    "aligned_zeros",
    "as_count",
    "as_csr",
    "as_fraction",
    "as_not_negative",
    "as_parameter",
    "as_positive",
    "as_real_dtype",
    "as_row",
    "as_targets",
    "as_weights",
    "plain_fields",
    "require_choice",
]

_Array: TypeAlias = NDArray[Any]

# Bytes of a cache line. A row of V with 16 float32 factors is one line if it starts a line, else two.
ALIGNMENT = 64
_TARGET_DTYPES = (np.float32, np.float64, np.int32, np.int64, np.bool_)


def aligned_zeros(shape: tuple[int, ...], dtype: DTypeLike) -> _Array:
    """Zeros whose memory starts at a cache line.

    They come from `numpy.zeros`, which asks Linux for huge pages if the array is large. The system provides
    a page when it is first touched.
    """
    dtype = np.dtype(dtype)
    n_bytes = int(np.prod(shape, dtype=object)) * dtype.itemsize
    buffer = np.zeros(n_bytes + ALIGNMENT, np.uint8)
    start = -buffer.ctypes.data % ALIGNMENT
    return buffer[start : start + n_bytes].view(dtype).reshape(shape)


def _plain(array: _Array, dtype: DTypeLike) -> _Array:
    """The array itself if it is C-contiguous, aligned, native and of this dtype, else a copy that is."""
    array = np.require(array, dtype, ["C", "A"])
    return array if array.dtype.num == np.dtype(dtype).num else array.view(dtype)


def as_csr(X: Any) -> tuple[_Array, _Array, _Array, tuple[int, int]]:
    """The arrays of a sparse or dense matrix in CSR format, as the kernels can read them.

    Returns
    -------
    indptr, indices : ndarrays, both int32 or both int64
    data : ndarray, float32 or float64
    shape : (int, int)
    """
    if not sp.issparse(X):
        if np.ma.is_masked(X):
            raise ValueError("X is an array with masked values, which would be read; fill them first")
        X = np.asarray(X)
        if X.ndim != 2:
            raise ValueError(f"X must have 2 dimensions, got an array of {X.ndim}")
        _require_real(X.dtype, "X")
        X = sp.csr_array(X.astype(_real_dtype(X.dtype), copy=False))
    if len(X.shape) != 2:
        raise ValueError(f"X must have 2 dimensions, got a sparse array of {len(X.shape)}")
    if X.format != "csr":
        _require_real(X.dtype, "X")
        X = X.tocsr()
    n_rows, n_columns = X.shape
    for name in ("indptr", "indices", "data"):
        if not isinstance(getattr(X, name, None), np.ndarray):
            raise ValueError(f"X.{name} must be an array, got {type(getattr(X, name, None)).__name__}")
        if getattr(X, name).ndim != 1:
            raise ValueError(f"X.{name} must have 1 dimension, got {getattr(X, name).ndim}")
    _require_real(X.data.dtype, "X")
    for name in ("indptr", "indices"):
        if getattr(X, name).dtype.kind not in "iu":
            raise ValueError(f"X.{name} must hold integers, got {getattr(X, name).dtype}")
    if len(X.indptr) != n_rows + 1:
        raise ValueError(f"X.indptr has {len(X.indptr)} entries, expected {n_rows + 1} for {n_rows} rows")
    if len(X.indices) != len(X.data):
        raise ValueError(f"X.indices has {len(X.indices)} entries, X.data has {len(X.data)}")
    narrow = X.indptr.dtype == np.int32 and X.indices.dtype == np.int32
    index = np.int32 if narrow else np.int64
    data = _plain(X.data, _real_dtype(X.data.dtype))
    return _plain(X.indptr, index), _plain(X.indices, index), data, (n_rows, n_columns)


def _require_real(dtype: np.dtype[Any], name: str) -> None:
    if dtype.kind not in "fiub":
        raise ValueError(f"{name} must hold real numbers, got {dtype}")


def _real_dtype(dtype: np.dtype[Any]) -> DTypeLike:
    """float32 if it holds all values of `dtype` exactly, else float64."""
    return np.float32 if np.can_cast(dtype, np.float32) else np.float64


def as_row(indices: ArrayLike, values: ArrayLike) -> tuple[_Array, _Array]:
    """The indices and values of one row, as one-dimensional arrays of equal length."""
    indices, values = np.asarray(indices), np.asarray(values)
    if indices.ndim != 1 or values.ndim != 1 or len(indices) != len(values):
        raise ValueError(
            "indices and values must be one-dimensional and of equal length, got shapes "
            f"{indices.shape} and {values.shape}"
        )
    if len(indices) and indices.dtype.kind not in "iu":
        raise ValueError(f"indices must hold integers, got {indices.dtype}")
    _require_real(values.dtype, "values")
    index = np.int32 if indices.dtype == np.int32 else np.int64
    return _plain(indices, index), _plain(values, _real_dtype(values.dtype))


def as_parameter(
    value: ArrayLike, dtype: DTypeLike, shape: tuple[int, ...], name: str, features_first: bool = False
) -> _Array:
    """A parameter of a model as an array of this shape: the given one if it is usable, else a copy.

    An array is usable if it has this dtype, is in C order, and starts at a cache line. With
    `features_first`, the axes (outputs, features) of the given array are swapped before that.
    """
    value = np.asarray(value)
    _require_real(value.dtype, name)
    if value.shape != shape:
        raise ValueError(f"{name} has shape {value.shape}, expected {shape}")
    if features_first:
        value = value.swapaxes(0, 1)
    is_usable = (
        value.dtype.num == np.dtype(dtype).num
        and value.dtype.isnative
        and value.flags.c_contiguous
        and value.flags.aligned
        and value.ctypes.data % ALIGNMENT == 0
    )
    if is_usable:
        return value
    copy = aligned_zeros(value.shape, dtype)
    copy[...] = value
    return copy


def as_real_dtype(dtype: DTypeLike) -> np.dtype[Any]:
    """float32 or float64, in any spelling that NumPy knows."""
    real = np.dtype(dtype)
    if real not in (np.float32, np.float64):
        said = repr(dtype) if isinstance(dtype, str) else real
        raise ValueError(f"dtype must be float32 or float64, got {said}")
    return real


def plain_fields(fields: ArrayLike, n_features: int | None, n_fields: int | None) -> NDArray[np.int32]:
    """A new int32 array of the fields of features; None for `n_features` or `n_fields` means any number."""
    fields = np.asarray(fields)
    if fields.dtype.kind not in "iu" and fields.size:
        raise ValueError(f"fields must hold integers, got {fields.dtype}")
    if fields.ndim != 1 or (n_features is not None and len(fields) != n_features):
        wanted = "(n_features,)" if n_features is None else f"({n_features},)"
        raise ValueError(f"fields has shape {fields.shape}, expected {wanted}")
    limit = np.iinfo(np.int32).max if n_fields is None else n_fields
    outside = (fields < 0) | (fields >= limit)
    if outside.any():
        j = int(np.argmax(outside))
        raise ValueError(f"fields[{j}] is {fields[j]}, expected 0 <= field < {limit}")
    return np.array(fields, np.int32, order="C")


def as_targets(y: ArrayLike, n_rows: int) -> _Array:
    """One target for each row; a copy only if the kernels cannot read the dtype of y."""
    y = np.asarray(y)
    if y.shape != (n_rows,):
        raise ValueError(f"y has shape {y.shape}, expected ({n_rows},): one target for each row")
    _require_real(y.dtype, "y")
    for dtype in _TARGET_DTYPES:
        if y.dtype.newbyteorder("=") == dtype:
            return _plain(y, dtype)
    return _plain(y, np.int64 if np.can_cast(y.dtype, np.int64) else np.float64)


def as_weights(sample_weight: ArrayLike | None, n_rows: int) -> NDArray[np.float64] | None:
    """Weights of rows as float64, finite and not negative; None stays None."""
    if sample_weight is None:
        return None
    weight = np.asarray(sample_weight)
    _require_real(weight.dtype, "sample_weight")
    if weight.shape != (n_rows,):
        raise ValueError(f"sample_weight has shape {weight.shape}, expected ({n_rows},)")
    weight = _plain(weight, np.float64)
    bad = ~(np.isfinite(weight) & (weight >= 0))
    if bad.any():
        i = int(np.argmax(bad))
        raise ValueError(f"sample_weight[{i}] is {weight[i]}, expected a finite weight >= 0")
    return weight


def as_count(value: Any, name: str, smallest: int = 1) -> int:
    """An int >= smallest, from an integer of any type."""
    try:
        number = operator.index(value)
    except TypeError:
        number = smallest - 1
    if isinstance(value, bool) or number < smallest:
        wanted = "a positive integer" if smallest == 1 else f"an integer >= {smallest}"
        raise ValueError(f"{name} must be {wanted}, got {value!r}")
    return number


def _as_number(value: Any, name: str, is_valid: Callable[[float], bool], wanted: str) -> float:
    try:
        number = float("nan") if isinstance(value, str | bytes | bytearray) else float(value)
    except (TypeError, ValueError, OverflowError):
        number = float("nan")
    if isinstance(value, bool | str | bytes) or not is_valid(number):
        raise ValueError(f"{name} must be {wanted}, got {value!r}")
    return number


def as_positive(value: Any, name: str) -> float:
    """A finite float > 0."""
    return _as_number(value, name, lambda number: 0 < number < float("inf"), "a finite number > 0")


def as_not_negative(value: Any, name: str) -> float:
    """A finite float >= 0."""
    return _as_number(value, name, lambda number: 0 <= number < float("inf"), "finite and >= 0")


def as_fraction(value: Any, name: str) -> float:
    """A float in [0, 1)."""
    return _as_number(value, name, lambda number: 0 <= number < 1, "in [0, 1)")


def require_choice(value: Any, name: str, choices: tuple[str | None, ...]) -> None:
    """Refuse what is none of the words that an argument takes; None may be one."""
    if not isinstance(value, str | None) or value not in choices:
        *first, last = map(repr, choices)
        raise ValueError(f"{name} must be {', '.join(first)} or {last}, got {value!r}")
