"""Where the batches of a stream begin."""

import numpy as np
from numpy.typing import NDArray

from fastfm_c.sklearn._fit_rows import FitRows
from fastfm_c.sklearn._parameters import SMALLEST_BATCH

__all__ = ["batch_edges", "counted_rows"]

BATCHES_SO_FAR = 128  # a batch is this part of the rows before it, as far as the limits allow


def batch_edges(rows: FitRows, batch_size: int, n_before: int | None) -> NDArray[np.int64]:
    """Where each batch of a call begins, and where the last one ends.

    After few rows a batch has few: a stream that has just begun needs many updates, as a fit to few rows
    does. Each `batch_size` rows have batches of one size, so that the bits are those of one call if the
    calls have multiples of `batch_size` rows.

    Parameters
    ----------
    rows : FitRows
    batch_size : int
        The largest batch.
    n_before : int or None
        Rows of positive weight that were learned from in calls before. None: all batches are the largest.
    """
    begins = np.arange(0, rows.n_rows, batch_size, dtype=np.int64)
    end = np.array([rows.n_rows])
    if n_before is None or not len(begins):
        return np.concatenate([begins, end])
    counts = np.add.reduceat(_counts(rows), begins)
    before = n_before + np.cumsum(counts) - counts
    # The power of two that is at most a part of the rows before: 256 is cut into such batches without a rest.
    sizes = 2 ** (np.frexp(before / BATCHES_SO_FAR)[1].astype(np.int64) - 1).clip(0, 62)
    n_small = int(np.searchsorted(sizes, batch_size))  # sizes ascend
    small = [
        np.arange(begin, min(begin + batch_size, rows.n_rows), min(max(size, SMALLEST_BATCH), batch_size))
        for begin, size in zip(begins[:n_small].tolist(), sizes.tolist(), strict=False)
    ]
    return np.concatenate([*small, begins[n_small:], end])


def counted_rows(rows: FitRows) -> int:
    """How many rows have a positive weight."""
    return int(_counts(rows).sum())


def _counts(rows: FitRows) -> NDArray[np.int64]:
    """1 for a row of positive weight, else 0."""
    return np.ones(rows.n_rows, np.int64) if rows.weight is None else (rows.weight > 0).astype(np.int64)
