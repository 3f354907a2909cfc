"""How large the values of each column are: of a sound CSR matrix, read some rows at a time."""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from fastfm_c._validation import aligned_zeros

__all__ = ["are_ones", "column_max_abs", "column_rms"]

LEAST_VALUES = 2**20  # in a block of rows: the values of all rows at once would take more memory than X


def are_ones(indptr: NDArray[Any], data: NDArray[Any]) -> bool:
    """Whether all values are 1."""
    values = data[indptr[0] : indptr[-1]]
    return bool(values.min(initial=1) == 1 == values.max(initial=1))


def column_max_abs(
    indptr: NDArray[Any],
    indices: NDArray[Any],
    data: NDArray[Any],
    n_features: int,
    dtype: DTypeLike,
    weight: NDArray[np.float64] | None = None,
) -> NDArray[Any] | None:
    """The largest |x| of each column, 1 where there is none; None if all values are 1.

    Rows of weight zero do not count.
    """
    if are_ones(indptr, data):
        return None
    largest = aligned_zeros((n_features,), dtype)
    for columns, x, x_weight in _blocks(indptr, indices, data, n_features, weight):
        sizes = np.abs(x).astype(largest.dtype)
        if x_weight is not None:
            sizes *= x_weight > 0
        np.maximum.at(largest, columns, sizes)
    largest[largest == 0] = 1
    return largest


def column_rms(
    indptr: NDArray[Any],
    indices: NDArray[Any],
    data: NDArray[Any],
    n_features: int,
    weight: NDArray[np.float64] | None = None,
) -> NDArray[np.float64]:
    """Weighted root mean square of the non-zeros of each column; 1 if that is no positive number.

    One value that is far larger than the others decides little: among n values it is at most sqrt(n) times
    the result. Weighted, so that a row of weight 2 remains the same as two rows, and one of weight 0 as none.
    """
    squares, totals = np.zeros((2, n_features))
    with np.errstate(over="ignore"):
        for columns, x, x_weight in _blocks(indptr, indices, data, n_features, weight):
            x = x.astype(np.float64)
            counted = np.ones(len(x)) if x_weight is None else x_weight
            squares += np.bincount(columns, counted * x * x, n_features)
            totals += np.bincount(columns, counted * (x != 0), n_features)
        size = np.sqrt(squares / np.where(totals > 0, totals, 1))
    return np.where((size > 0) & np.isfinite(size), size, 1.0)


def _blocks(
    indptr: NDArray[Any],
    indices: NDArray[Any],
    data: NDArray[Any],
    n_features: int,
    weight: NDArray[np.float64] | None,
) -> Iterator[tuple[NDArray[Any], NDArray[Any], NDArray[np.float64] | None]]:
    """Columns, values and weights (None: 1 each) of the values of some rows at a time."""
    n_blocks = 1 + int(indptr[-1]) // max(LEAST_VALUES, n_features)
    for begin, end in pairwise(np.linspace(0, len(indptr) - 1, n_blocks + 1).astype(np.int64)):
        block = slice(indptr[begin], indptr[end])
        counts = np.diff(indptr[begin : end + 1])
        yield indices[block], data[block], None if weight is None else np.repeat(weight[begin:end], counts)
