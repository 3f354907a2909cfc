"""How large the values of each column of a stream are so far, batch by batch."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastfm_c.sklearn._fit_rows import FitRows

__all__ = ["SizeChange", "size_changes"]

LEAST_VALUES = 2**20  # that are looked at together: few enough for the memory, many enough for NumPy
GROWTH = 4  # of a column's largest value, before its size is another

_Sizes: TypeAlias = NDArray[Any]


@dataclass(frozen=True)
class SizeChange:
    """What a batch of rows says about the sizes of columns.

    Parameters
    ----------
    columns : ndarray of int
    before, after : ndarray of float
        Their sizes, 0 for a column without a value.
    """

    columns: NDArray[Any]
    before: _Sizes
    after: _Sizes

    @property
    def matters(self) -> bool:
        """Whether factors change: those of a new column suit values of 1."""
        return bool(np.any(np.where(self.before == 0, 1, self.before) != self.after))


def size_changes(rows: FitRows, batch_size: int, sizes: _Sizes) -> dict[int, SizeChange]:
    """The batches, by their number, after which columns have other sizes than before.

    The size of a column is the largest |x| of the first batch in which it has a value. It becomes the largest
    of another batch that is more than four times as large. Rows of weight 0 do not count.
    """
    changes: dict[int, SizeChange] = {}
    sizes = sizes.copy()
    for first, last in _blocks(rows.X.indptr, batch_size):
        changes |= dict(_changes_of_block(rows, range(first, last), batch_size, sizes))
    return changes


def _blocks(indptr: NDArray[Any], batch_size: int) -> Iterator[tuple[int, int]]:
    """Numbers of batches, some at a time: from the first to before the last."""
    n_rows = len(indptr) - 1
    begins = np.minimum(np.arange(0, n_rows + batch_size, batch_size), n_rows)
    n_batches, first = len(begins) - 1, 0
    while first < n_batches:
        enough = np.searchsorted(indptr[begins], indptr[begins[first]] + LEAST_VALUES)
        last = int(min(max(enough, first + 1), n_batches))
        yield first, last
        first = last


def _changes_of_block(
    rows: FitRows, batches: range, batch_size: int, sizes: _Sizes
) -> Iterator[tuple[int, SizeChange]]:
    """The changes of some batches. `sizes` is brought up to date."""
    n_rows = rows.n_rows
    columns, values = _values(rows, batches.start * batch_size, min(batches.stop * batch_size, n_rows))
    largest = np.zeros(len(sizes), sizes.dtype)
    np.maximum.at(largest, columns, values)
    may_change = (largest > 0) & ((sizes == 0) | (largest > GROWTH * sizes))
    if not may_change.any():
        return
    for batch in batches:
        columns, values = _values(rows, batch * batch_size, min((batch + 1) * batch_size, n_rows))
        chosen = may_change[columns]
        found, place = np.unique(columns[chosen], return_inverse=True)
        after = np.zeros(len(found), sizes.dtype)
        np.maximum.at(after, place, values[chosen])
        before = sizes[found]
        changed = (after > 0) & ((before == 0) | (after > GROWTH * before))
        if changed.any():
            change = SizeChange(found[changed], before[changed], after[changed])
            sizes[change.columns] = change.after
            yield batch, change


def _values(rows: FitRows, begin: int, end: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Columns and |x| of the values of rows of positive weight."""
    indptr = rows.X.indptr
    block = slice(indptr[begin], indptr[end])
    columns, values = rows.X.indices[block], np.abs(rows.X.data[block])
    if rows.weight is None:
        return columns, values
    counts = np.repeat(rows.weight[begin:end] > 0, np.diff(indptr[begin : end + 1]))
    return columns[counts], values[counts]
