"""What the targets of a stream are like so far, batch by batch.

The figures advance by batches of `batch_size` rows and not by calls, so that a stream that comes in chunks
has the figures, and the bits, of one call. Later rows count more: of all that counts, the first half of the
rows is an 8th. So a beginning that tells nothing, such as one class or one number, is soon forgotten.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastfm_c.sklearn._fit_rows import Weights

__all__ = ["BatchTargets", "RunningTargets", "batches_of", "seen_in_fit"]

_ROUNDING = 1e-12  # relative, of means of equal numbers
POWER = 3  # n rows count as n**POWER


@dataclass(frozen=True)
class BatchTargets:
    """The targets of one batch.

    Parameters
    ----------
    n_rows : int
    weight : float
        Total weight.
    mean : float or ndarray of shape (C,)
        Mean target, or the share of each class.
    deviation : float
        Standard deviation of the targets; 0 for classes.
    """

    n_rows: int
    weight: float
    mean: Any
    deviation: float = 0.0

    @property
    def has_one_target(self) -> bool:
        """Whether all targets are equal."""
        return _is_one_target(self.mean, self.deviation)

    def is_like(self, target: Any) -> bool:
        """Whether all targets are this one, or in one class of which the share is 1."""
        tolerance = _ROUNDING * np.max(np.abs(target))
        is_near = bool(np.all(np.abs(np.subtract(self.mean, target)) <= tolerance))
        return is_near and self.deviation <= tolerance


def _is_one_target(mean: Any, deviation: float) -> bool:
    if np.ndim(mean):
        return bool(np.max(mean) >= 1 - _ROUNDING)
    return bool(deviation <= _ROUNDING * abs(mean))


@dataclass
class RunningTargets:
    """The targets so far: number and weight of the rows, and figures in which later rows count more.

    Parameters
    ----------
    n_rows, weight, mean, deviation
        As for `BatchTargets`. `mean` is None while no row had a positive weight, and after rows of which
        nothing but their number is known.
    """

    n_rows: int = 0
    weight: float = 0.0
    mean: Any = None
    deviation: float = 0.0

    @property
    def has_one_target(self) -> bool:
        """Whether all targets so far, of which more than the number is known, were equal."""
        return self.mean is not None and _is_one_target(self.mean, self.deviation)

    def add(self, batch: BatchTargets) -> bool:
        """Take note of one more batch; whether it counts as the first.

        It does if all targets before were equal and those of the batch are not: the rows before tell nothing
        about what follows.
        """
        self.n_rows += batch.n_rows
        if not batch.weight > 0:
            return False
        if self.has_one_target and not batch.is_like(self.mean):
            if batch.has_one_target:  # such as one row: the two together are the first
                self.n_rows, self.weight = 2 * batch.n_rows, min(self.weight, batch.weight)
                self.deviation = 0.0
                self._merge(batch)
                return True
            self.n_rows, self.weight, self.mean = batch.n_rows, 0.0, None
        is_first = self.weight == 0
        self._merge(batch)
        return is_first

    def _merge(self, batch: BatchTargets) -> None:
        is_first = self.weight == 0
        total = self.weight + batch.weight
        share = 1 - (self.weight / total) ** POWER if total < math.inf else 0.5
        self.weight = min(total, float(np.finfo(np.float64).max))
        if self.mean is None:
            self.mean = batch.mean
            self.deviation = batch.deviation if is_first else max(self.deviation, batch.deviation)
            return
        difference = batch.mean - self.mean
        self.mean = self.mean + share * difference
        if isinstance(difference, float):
            own, other = math.sqrt(1 - share), math.sqrt(share)
            between = own * other * difference
            self.deviation = math.hypot(own * self.deviation, other * batch.deviation, between)


def batches_of(
    targets: NDArray[Any], weight: Weights | None, edges: NDArray[np.int64], n_classes: int | None
) -> Iterator[BatchTargets]:
    """The batches of the rows of a call, which begin at these edges, and the last of which ends there.

    None instead of a number of classes: the targets are numbers.
    """
    n_batches, n_rows = len(edges) - 1, np.diff(edges)
    batch = np.repeat(np.arange(n_batches), n_rows)
    totals = np.bincount(batch, weight).astype(np.float64)
    safe = np.where(totals > 0, totals, 1.0)
    if n_classes is not None:
        counts = np.bincount(batch * n_classes + targets, weight, n_batches * n_classes)
        shares = counts.reshape(n_batches, n_classes) / safe[:, None]
        yield from map(BatchTargets, n_rows.tolist(), totals.tolist(), shares)
        return
    y = targets.astype(np.float64)
    largest = np.maximum.reduceat(np.abs(y), edges[:-1]) if len(y) else y
    largest[largest == 0] = 1  # y is divided by it, so that no square overflows
    y /= largest[batch]
    mean = np.bincount(batch, y if weight is None else weight * y) / safe
    squares = (y - mean[batch]) ** 2
    deviation = np.sqrt(np.bincount(batch, squares if weight is None else weight * squares) / safe)
    numbers = (totals, mean * largest, deviation * largest)
    yield from map(BatchTargets, n_rows.tolist(), *(number.tolist() for number in numbers))


def seen_in_fit(targets: ArrayLike, weight: Weights | None, n_classes: int | None) -> RunningTargets:
    """The figures after a fit: of all rows alike."""
    y = np.asarray(targets)
    running = RunningTargets()
    for batch in batches_of(y, weight, np.array([0, len(y)]), n_classes):
        running.add(batch)
    return running
