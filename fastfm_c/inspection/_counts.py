"""What a `Drift` counts of rows. Counts of the same bins add up, in any order."""

from dataclasses import dataclass, field
from typing import Any, TypeAlias

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from fastfm_c._validation import as_csr

__all__ = ["MOST_EMPTY_FIELDS", "Bins", "Counts", "checked_rows", "checked_scores"]

_Array: TypeAlias = NDArray[Any]

_MOST_NUMBER_COLUMNS = 8  # a field with more columns is one of categories, whatever its values are
MOST_EMPTY_FIELDS = 1024  # fields without columns: each takes memory
_ROWS = 8192  # rows of a block


def checked_rows(X: Any, n_features: int | None) -> Any:
    """X as a CSR array without explicit zeros, whose columns and row pointers are sound."""
    indptr, indices, data, (n_rows, n_columns) = as_csr(X)
    if n_features is not None and n_columns != n_features:
        raise ValueError(f"X has {n_columns} columns, expected {n_features}")
    if (np.diff(indptr) < 0).any() or indptr[0] < 0 or indptr[-1] > len(indices):
        raise ValueError("X.indptr decreases or leaves the arrays")
    data, indices = data[indptr[0] : indptr[-1]], indices[indptr[0] : indptr[-1]]
    if len(indices) and (indices.min() < 0 or indices.max() >= n_columns):
        bad = int(np.argmax((indices < 0) | (indices >= n_columns)))
        row = int(np.searchsorted(indptr, bad + indptr[0], side="right")) - 1
        raise ValueError(f"row {row} of X has column index {indices[bad]}, outside 0..{n_columns - 1}")
    rows = sp.csr_array((data.copy(), indices.copy(), indptr - indptr[0]), shape=(n_rows, n_columns))
    rows.sum_duplicates()
    rows.eliminate_zeros()
    return rows


def checked_scores(scores: Any, n_rows: int) -> NDArray[np.float64] | None:
    """Scores as float64, finite, one for each row; None stays None."""
    if scores is None:
        return None
    array = np.asarray(scores)
    if array.dtype.kind not in "fiub" or array.shape != (n_rows,):
        raise ValueError(f"scores has shape {array.shape} and {array.dtype}, expected ({n_rows},) numbers")
    array = array.astype(np.float64)
    if not (finite := np.isfinite(array)).all():
        row = int(np.argmin(finite))
        raise ValueError(f"scores[{row}] is {array[row]}, expected a finite number")
    return array


@dataclass
class Bins:
    """The fields of columns, and the bins of numbers, which the first rows decide."""

    fields: NDArray[np.int32]  # (n_features,)
    n_fields: int
    number_columns: NDArray[np.int64]  # (n_numbers,) ascending: columns whose values are numbers
    edges: list[_Array]  # of each: bin b has the values below edges[b], and not below the edge before
    score_edges: _Array

    @classmethod
    def of(cls, X: Any, fields: NDArray[np.int32], scores: _Array | None, n_bins: int) -> "Bins":
        """Bins with about equally many of these values each."""
        n_fields = int(fields.max(initial=-1)) + 1
        if n_fields > len(fields) + MOST_EMPTY_FIELDS:
            raise ValueError(f"fields goes to {n_fields - 1}, with {len(fields)} columns")
        columns_of_field = np.bincount(fields, minlength=n_fields)
        is_number = np.zeros(X.shape[1], bool)
        is_number[X.indices[X.data != 1]] = True
        is_number &= columns_of_field[fields] <= _MOST_NUMBER_COLUMNS
        columns = np.flatnonzero(is_number)
        by_column = X[:, columns].tocsc()
        edges = []
        for at in range(len(columns)):
            values = by_column.data[by_column.indptr[at] : by_column.indptr[at + 1]]
            edges.append(_edges(np.concatenate([values, np.zeros(X.shape[0] - len(values))]), n_bins))
        score_edges = np.zeros(0) if scores is None else _edges(scores, n_bins)
        return cls(fields, n_fields, columns, edges, score_edges)


def _edges(values: _Array, n_bins: int) -> _Array:
    """Distinct quantiles of the finite values. All others are in the first or the last bin."""
    values = values[np.isfinite(values)].astype(np.float64)
    if not len(values):
        return np.zeros(0)
    return np.unique(np.quantile(values, np.arange(1, n_bins) / n_bins))


@dataclass
class Counts:
    """What was counted of some rows."""

    bins: Bins
    n_rows: int = 0
    n_scores: int = 0
    columns: _Array = field(default_factory=lambda: np.zeros(0))  # (n_features,) rows that have a value
    present: _Array = field(default_factory=lambda: np.zeros(0))  # (n_fields,) rows that have any
    numbers: list[_Array] = field(default_factory=list)  # of each number column: rows in each bin
    scores: _Array = field(default_factory=lambda: np.zeros(0))  # rows in each bin of scores

    @classmethod
    def empty(cls, bins: Bins) -> "Counts":
        """Those of no rows."""
        columns, present = np.zeros(len(bins.fields), np.int64), np.zeros(bins.n_fields, np.int64)
        numbers = [np.zeros(len(edges) + 1, np.int64) for edges in bins.edges]
        return cls(bins, 0, 0, columns, present, numbers, np.zeros(len(bins.score_edges) + 1, np.int64))

    def add_rows(self, X: Any, scores: _Array | None) -> None:
        """Count more rows."""
        bins = self.bins
        self.n_rows += X.shape[0]
        self.columns += np.bincount(X.indices, minlength=len(bins.fields))
        for begin in range(0, X.shape[0], _ROWS):
            part = X[begin : begin + _ROWS]
            has = np.zeros((part.shape[0], bins.n_fields), bool)
            has[np.repeat(np.arange(part.shape[0]), np.diff(part.indptr)), bins.fields[part.indices]] = True
            self.present += has.sum(axis=0)
        by_column = X[:, bins.number_columns].tocsc()
        for at, (edges, counts) in enumerate(zip(bins.edges, self.numbers, strict=True)):
            values = by_column.data[by_column.indptr[at] : by_column.indptr[at + 1]]
            counts += np.bincount(np.searchsorted(edges, values, side="right"), minlength=len(counts))
            counts[np.searchsorted(edges, 0.0, side="right")] += X.shape[0] - len(values)
        if scores is not None:
            self.n_scores += len(scores)
            at_bin = np.searchsorted(bins.score_edges, scores, side="right")
            self.scores += np.bincount(at_bin, minlength=len(self.scores))

    def add(self, other: "Counts") -> None:
        """Add the counts of other rows in the same bins."""
        self.n_rows += other.n_rows
        self.n_scores += other.n_scores
        self.columns += other.columns
        self.present += other.present
        self.scores += other.scores
        for mine, theirs in zip(self.numbers, other.numbers, strict=True):
            mine += theirs
