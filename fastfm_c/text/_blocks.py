"""Text to CSR matrices: all rows at once, or block after block."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray
from scipy.sparse import csr_array

from fastfm_c._core import _TextRows
from fastfm_c._field_csr import FieldCSR
from fastfm_c._validation import as_count, as_real_dtype
from fastfm_c.text._feature_fields import Columns, FieldTable
from fastfm_c.text._streams import Place, can_be_read_again, is_file, open_text, whole_lines

INDEX_LIMIT = 1 << 60


def first_index_of(zero_based: Any) -> int | None:
    """What the first column is called; None: to be found out."""
    if zero_based == "auto":
        return None
    if not isinstance(zero_based, (bool, np.bool_)):
        raise ValueError(f"zero_based must be True, False or 'auto', got {zero_based!r}")
    return 0 if zero_based else 1


def new_rows(
    has_fields: bool,
    dtype: DTypeLike,
    first_index: int | None,
    n_features: int | None,
    num_threads: int | None,
) -> _TextRows:
    """No rows yet; first_index None takes one index more than n_features."""
    dtype = as_real_dtype(dtype)
    limit = INDEX_LIMIT if n_features is None else n_features
    return _TextRows(has_fields, dtype, first_index or 0, limit + (first_index is None), num_threads)


def as_n_features(n_features: int | None) -> int | None:
    """A number of features from a user; None where it is to be found out."""
    return None if n_features is None else min(as_count(n_features, "n_features"), INDEX_LIMIT)


def parse(source: Any, rows: _TextRows, table: FieldTable | Columns | None = None) -> Iterator[None]:
    """Append the rows of a file chunk by chunk."""
    with open_text(source) as (file, name):
        place = Place(name)
        for buffer, n_bytes in whole_lines(file, place):
            parsed = rows.parse(buffer, n_bytes)
            if isinstance(parsed, tuple):
                raise place.fault(*parsed, table is not None)
            if table is not None:
                table.add(rows, place)
            place.line += parsed
            yield


def shift_of(rows: _TextRows, first_index: int | None, n_features: int | None) -> int:
    """With first_index None: 1 if no index is 0, so that all are one too high."""
    if first_index is not None or rows.largest < 0:
        return 0
    if rows.least == 0 and rows.largest == n_features:
        raise ValueError(f"found both index 0 and index {n_features}, expected n_features = {n_features}")
    return int(rows.least > 0)


def csr(
    indptr: NDArray,
    indices: NDArray,
    data: NDArray,
    n_features: int,
    fields: NDArray[np.int32] | None = None,
) -> csr_array:
    """With int32 indices if they fit, else int64; a FieldCSR if there are fields."""
    index = np.int32 if max(n_features, indptr[-1]) <= np.iinfo(np.int32).max else np.int64
    arrays = data, indices.astype(index, copy=False), indptr.astype(index)
    shape = len(indptr) - 1, n_features
    return csr_array(arrays, shape=shape) if fields is None else FieldCSR(arrays, shape=shape, fields=fields)


class TextBlocks:
    """What `iter_libsvm` and `iter_libffm` return: each iteration yields ``(X, y)`` of block after block.

    Attributes
    ----------
    n_features : int
        Columns of every X.
    fields : int32 array of shape (n_features,), or None
        Of a libffm file.
    n_rows : int or None
        Rows of the file; None before it has been read to its end.
    """

    n_features: int
    fields: NDArray[np.int32] | None
    n_rows: int | None

    def __init__(self, source: Any, rows: int, dtype: DTypeLike, num_threads: int | None):
        self._source, self._rows = source, as_count(rows, "rows")
        self._dtype, self._num_threads = dtype, num_threads
        self._can_be_read_again = can_be_read_again(source)
        self._start: int | None = None
        self._is_read = False
        self._first_index = 0
        self.fields = self.n_rows = None

    def _parse(self, rows: _TextRows, table: FieldTable | Columns | None) -> Iterator[None]:
        """Append all rows; a file object is read from where it was at first."""
        if self._is_read and not self._can_be_read_again:
            raise ValueError("path is not seekable, and so cannot be read a second time")
        if is_file(self._source) and self._can_be_read_again:
            if self._start is None:
                self._start = self._source.tell()
            self._source.seek(self._start)
        self._is_read = True
        return parse(self._source, rows, table)

    def _scan(
        self, has_fields: bool, first_index: int | None, n_features: int | None
    ) -> tuple[_TextRows, FieldTable]:
        """Read all of the file and keep no rows."""
        if not self._can_be_read_again:
            wanted = "fields" if has_fields else "n_features and zero_based"
            raise ValueError(f"path is not seekable, and so can be read only once: give {wanted}")
        rows = new_rows(has_fields, self._dtype, first_index, n_features, self._num_threads)
        table, n_rows = FieldTable(), 0
        for _ in self._parse(rows, table if has_fields else None):
            n_rows += rows.n_rows
            rows.forget()
        self.n_rows = n_rows
        return rows, table

    def __iter__(self) -> Iterator[tuple[csr_array, NDArray[np.float64]]]:
        with_fields = self.fields is not None
        rows = new_rows(with_fields, self._dtype, self._first_index, self.n_features, self._num_threads)
        n_rows = 0
        for _ in self._parse(rows, FieldTable(self.fields) if with_fields else None):
            n_whole = rows.n_rows // self._rows * self._rows
            n_rows += n_whole
            yield from self._blocks(rows, n_whole)
        n_rows += rows.n_rows
        yield from self._blocks(rows, rows.n_rows)
        self.n_rows = n_rows

    def _blocks(self, rows: _TextRows, n_rows: int) -> Iterator[tuple[csr_array, NDArray[np.float64]]]:
        if n_rows == 0:
            return
        indptr, indices, data, y = rows.take(n_rows)
        X = csr(indptr, indices, data, self.n_features, self.fields)
        if n_rows <= self._rows:
            yield X, y
            return
        for begin in range(0, n_rows, self._rows):
            yield X[begin : begin + self._rows], y[begin : begin + self._rows].copy()
