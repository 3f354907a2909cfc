"""How large the values of each column of a stream are so far, batch by batch."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastfm_c.sklearn._fit_rows import FitRows

__all__ = ["Edges", "SizeChange", "Sizes", "blocks_of", "size_changes", "values_of"]

LEAST_VALUES = 2**20  # that are looked at together: few enough for the memory, many enough for NumPy
GROWTH = 4  # of a column's largest value, before its size is another

Sizes: TypeAlias = NDArray[Any]
Edges: TypeAlias = NDArray[np.int64]  # where batches begin, and where the last one ends


@dataclass(frozen=True)
class SizeChange:
    """What a batch of rows says about the sizes of columns.

    Parameters
    ----------
    columns : ndarray of int
    before, after : ndarray of float
        Their sizes, 0 for a column without a value.
    squares : ndarray of float, optional
        The sum of the squares of their values before this batch, if the solver learns in units of the sizes.
    """

    columns: NDArray[Any]
    before: Sizes
    after: Sizes
    squares: NDArray[np.float64] | None = None

    @property
    def matters(self) -> bool:
        """Whether factors change: those of a new column suit values of 1."""
        return bool(np.any(np.where(self.before == 0, 1, self.before) != self.after))


def size_changes(rows: FitRows, edges: Edges, sizes: Sizes) -> dict[int, SizeChange]:
    """The batches, by their number, after which columns have other sizes than before.

    The size of a column is the largest |x| of the first batch in which it has a value. It becomes the largest
    of another batch that is more than four times as large. Rows of weight 0 do not count.
    """
    changes: dict[int, SizeChange] = {}
    sizes = sizes.copy()
    for batches in blocks_of(rows.X.indptr, edges):
        changes |= dict(_changes_of_block(rows, batches, edges, sizes))
    return changes


def blocks_of(indptr: NDArray[Any], edges: Edges) -> Iterator[range]:
    """Numbers of batches, some at a time."""
    n_batches, first = len(edges) - 1, 0
    while first < n_batches:
        enough = np.searchsorted(indptr[edges], indptr[edges[first]] + LEAST_VALUES)
        last = int(min(max(enough, first + 1), n_batches))
        yield range(first, last)
        first = last


def _changes_of_block(
    rows: FitRows, batches: range, edges: Edges, sizes: Sizes
) -> Iterator[tuple[int, SizeChange]]:
    """The changes of some batches. `sizes` is brought up to date."""
    columns, values = values_of(rows, edges[batches.start], edges[batches.stop])
    largest = np.zeros(len(sizes), sizes.dtype)
    np.maximum.at(largest, columns, values)
    may_change = (largest > 0) & ((sizes == 0) | (largest > GROWTH * sizes))
    if not may_change.any():
        return
    for batch in batches:
        columns, values = values_of(rows, edges[batch], edges[batch + 1])
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


def values_of(rows: FitRows, begin: int, end: int) -> tuple[NDArray[Any], NDArray[Any]]:
    """Columns and |x| of the values of rows of positive weight."""
    indptr = rows.X.indptr
    block = slice(indptr[begin], indptr[end])
    columns, values = rows.X.indices[block], np.abs(rows.X.data[block])
    if rows.weight is None:
        return columns, values
    counts = np.repeat(rows.weight[begin:end] > 0, np.diff(indptr[begin : end + 1]))
    return columns[counts], values[counts]
