"""Checks and copies of the arrays of parameters."""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastfm_c._field_table import FieldTable

__all__ = ["assign", "copy_into_corner", "require_stdev", "shown_fields"]

_Array: TypeAlias = NDArray[Any]


def assign(array: _Array, value: ArrayLike, name: str) -> None:
    """Write a value of the same shape and dtype to a parameter."""
    new = np.asarray(value)
    # A plain number has no dtype of its own to be wrong.
    if new.shape != array.shape or (new.dtype != array.dtype and np.ndim(value) > 0):
        raise ValueError(
            f"{name} must have shape {array.shape} and dtype {array.dtype}, got {new.shape} and {new.dtype}"
        )
    if new.dtype.kind not in "fiub":  # NumPy would make nan of None, and a number of a string
        raise ValueError(f"{name} must hold real numbers, got {value!r:.200}")
    array[...] = new


def copy_into_corner(larger: _Array, array: _Array) -> _Array:
    """Write an array to the beginning of a larger one, along every axis, and return the larger one."""
    larger[tuple(slice(n) for n in array.shape)] = array
    return larger


def require_stdev(init_stdev: float) -> None:
    """Refuse what is no standard deviation."""
    if not 0 <= init_stdev < float("inf"):
        raise ValueError(f"init_stdev must be finite and >= 0, got {init_stdev}")


def shown_fields(fields: Any) -> NDArray[np.int32]:
    """The fields of an FFM for users: read-only, and a FieldTable if they are one."""
    shown: NDArray[np.int32] = fields if isinstance(fields, FieldTable) else fields.view()
    return shown
