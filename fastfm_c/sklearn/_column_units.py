"""The units in which AdaGrad and Adam learn from the columns of a stream, batch by batch.

`fit` takes the root mean square of a column's non-zeros as its unit. A stream has that of the values so far:
of all that counts, the first half of the values is an 8th, so that one outlier at the beginning is forgotten.
A unit is looked at whenever the number of values is twice what it was, and changes if it is off by more than
a factor of two. After `SETTLED` values it stays, unless a batch has values that are far larger: with them a
column begins anew.

All that decides about a column is added up value by value and looked at after whole batches. So the units,
and the bits of what is learned in them, are those of one call for chunks of whole batches.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastfm_c.sklearn._column_sizes import GROWTH, Edges, SizeChange, Sizes, blocks_of, values_of
from fastfm_c.sklearn._fit_rows import FitRows

__all__ = ["ColumnFigures"]

SETTLED = 2**12  # values; a power of two, so that a column settles when it is looked at
MOST_OFF = 2  # a unit changes if it is off by more than this factor
OLD_SHARE = 1 / 7  # what a value counts after the number of values has doubled
LEAST, MOST = 1e-145, 1e145  # values whose squares can be added up
LARGE = 0.999 * GROWTH  # that of a mean, which is rounded, is not more than that of the largest value


@dataclass
class ColumnFigures:
    """What is known of the columns of a stream. Rows of weight 0, and zeros, do not count.

    Parameters
    ----------
    squares, weights : ndarray of shape (n_features,)
        Sum of x**2, and of 1, over the values of a column, in which later ones count more. 0 for a column
        whose values were all 1 or -1 so far: its unit is 1.
    counts : ndarray of shape (n_features,)
        Number of values.
    """

    squares: NDArray[np.float64]
    weights: NDArray[np.float64]
    counts: NDArray[np.float64]

    @classmethod
    def none(cls, n_features: int) -> "ColumnFigures":
        """Those of columns without values."""
        return cls(*(np.zeros(n_features) for _ in range(3)))

    def changes(self, rows: FitRows, edges: Edges, units: Sizes) -> dict[int, SizeChange]:
        """The batches, by their number, before which columns get other units. They are counted as seen.

        `units` are those of now, and are brought up to date.
        """
        for name in "squares", "weights", "counts":  # joblib may have mapped them
            setattr(self, name, np.require(getattr(self, name), requirements=["W", "A"]))
        changes: dict[int, SizeChange] = {}
        for batches in blocks_of(rows.X.indptr, edges):
            columns, values = _sound_values(rows, edges[batches.start], edges[batches.stop])
            if (may_change := self._see_block(columns, values, units)) is None:
                continue
            for batch in batches:
                columns, values = _sound_values(rows, edges[batch], edges[batch + 1])
                chosen = may_change[columns]
                if chosen.any():
                    change = self._see_batch(columns[chosen], values[chosen], units)
                    if change is not None:
                        changes[batch] = change
        return changes

    def _see_block(
        self, columns: NDArray[Any], values: NDArray[Any], units: Sizes
    ) -> NDArray[np.bool_] | None:
        """Count the values of columns whose units stay in some batches; which others have to be looked at."""
        is_plain, is_one = self.weights[columns] == 0, values == 1
        if is_one.all() and is_plain.all():
            np.add.at(self.counts, columns, 1)
            return None
        before = self.counts[columns]
        is_settled = ~is_plain & (before >= SETTLED)
        asks = np.where(is_plain, ~is_one, values > LARGE * units[columns])
        if not is_settled.all():
            after = self.counts.copy()
            np.add.at(after, columns, 1)
            asks |= ~is_plain & ~is_settled & _has_doubled(before, after[columns])
        may_change = np.zeros(len(units), bool)
        may_change[columns[asks]] = True
        stays = ~may_change[columns]
        np.add.at(self.counts, columns[stays & ~is_settled], 1)
        self._add(columns, values, stays & ~is_settled & ~is_plain)
        return may_change if asks.any() else None

    def _add(self, columns: NDArray[Any], values: NDArray[Any], which: NDArray[np.bool_]) -> None:
        """Add values to the sums, one after the other: a sum has the same bits then in any blocks."""
        columns, values = columns[which], values[which]
        np.add.at(self.squares, columns, values * values)
        np.add.at(self.weights, columns, 1)

    def _see_batch(self, columns: NDArray[Any], values: NDArray[Any], units: Sizes) -> SizeChange | None:
        """Count the values of one batch; the columns that get other units, if there are any."""
        found, place, number = np.unique(columns, return_inverse=True, return_counts=True)
        before, unit = self.counts[found], units[found]
        squares = np.bincount(place, values * values, len(found))
        size = np.sqrt(squares / number)
        was_plain = self.weights[found] == 0
        stays_plain = was_plain & (np.bincount(place, values != 1, len(found)) == 0)
        starts = ~stays_plain & ((before == 0) | (size > GROWTH * unit))
        settled = ~was_plain & (before >= SETTLED)
        goes_on = ~starts & ~stays_plain & ~settled
        known = np.where(was_plain, before, before * self._mean_squares(found))
        ones = found[goes_on & was_plain]
        self.squares[ones] = self.weights[ones] = self.counts[ones]
        self._add(columns, values, goes_on[place])
        self.counts[found[goes_on | stays_plain]] += number[goes_on | stays_plain]
        begun = found[starts]
        self.squares[begun], self.weights[begun], self.counts[begun] = (
            squares[starts],
            number[starts],
            number[starts],
        )
        looked = goes_on & (was_plain | _has_doubled(before, self.counts[found]))
        size[goes_on] = np.sqrt(self._mean_squares(found))[goes_on]
        self.squares[found[looked]] *= OLD_SHARE
        self.weights[found[looked]] *= OLD_SHARE
        is_off = (size > MOST_OFF * unit) | (size * MOST_OFF < unit)
        changed = starts | (looked & is_off)
        if not changed.any():
            return None
        columns, after = found[changed], size[changed].astype(units.dtype)
        units[columns] = after
        return SizeChange(columns, np.where(before == 0, 0, unit)[changed], after, known[changed])

    def _mean_squares(self, columns: NDArray[Any]) -> NDArray[np.float64]:
        """Those of columns, 1 of plain ones."""
        weights = self.weights[columns]
        mean: NDArray[np.float64] = self.squares[columns] / np.where(weights > 0, weights, 1)
        return np.where(weights > 0, mean, 1)


def _sound_values(rows: FitRows, begin: int, end: int) -> tuple[NDArray[Any], NDArray[np.float64]]:
    """Columns and |x| of the values that count."""
    columns, found = values_of(rows, begin, end)
    values = found.astype(np.float64)
    sound = (values >= LEAST) & (values <= MOST)
    return (columns, values) if sound.all() else (columns[sound], values[sound])


def _has_doubled(before: NDArray[Any], after: NDArray[Any]) -> NDArray[np.bool_]:
    """Whether a number has reached the next power of two."""
    doubled: NDArray[np.bool_] = np.frexp(after)[1] != np.frexp(before)[1]
    return doubled
