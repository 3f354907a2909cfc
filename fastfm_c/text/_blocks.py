"""Text to CSR matrices: the rows of a file at once, or block after block."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray
from scipy.sparse import csr_array

from fastfm_c._core import _TextRows
from fastfm_c._field_csr import with_fields
from fastfm_c._field_table import FieldTable, as_fields
from fastfm_c._validation import as_count, as_real_dtype
from fastfm_c.text._feature_fields import (
    Columns,
    FeatureColumns,
    IndexColumns,
    PairColumns,
    Policy,
    columns_of,
)
from fastfm_c.text._streams import Chunk, can_be_read_again, is_file, open_text, whole_lines

__all__ = [
    "TextBlocks",
    "TextSource",
    "as_csr_array",
    "as_n_features",
    "first_index_of",
    "new_rows",
    "parse",
    "shift_of",
]

INDEX_LIMIT = 1 << 60


def first_index_of(zero_based: Any) -> int | None:
    """The index of the first column in a file; None if the file must tell."""
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
    """Memory for rows, without rows yet. While first_index is None, one index more than n_features fits."""
    dtype = as_real_dtype(dtype)
    limit = INDEX_LIMIT if n_features is None else n_features
    return _TextRows(has_fields, dtype, first_index or 0, limit + (first_index is None), num_threads)


def as_n_features(n_features: int | None) -> int | None:
    """A number of features from a user; None if the file must tell."""
    return None if n_features is None else min(int(as_count(n_features, "n_features")), INDEX_LIMIT)


def parse(source: Any, rows: _TextRows, columns: Columns | None = None) -> Iterator[None]:
    """Append the rows of a file, chunk by chunk. `columns` looks at the values of each chunk."""
    has_fields = columns is not None and columns.has_fields
    with open_text(source) as (file, name):
        chunk = Chunk(name)
        for buffer, n_bytes in whole_lines(file, chunk):
            parsed = rows.parse(buffer, n_bytes)
            if isinstance(parsed, tuple):
                raise chunk.fault(*parsed, has_fields)
            if columns is not None:
                columns.add(rows, chunk)
            chunk.first_line += parsed
            yield


def shift_of(rows: _TextRows, first_index: int | None, n_features: int | None) -> int:
    """The index of the first column, if the file must tell: 1 if no index is 0. Otherwise 0."""
    if first_index is not None or rows.largest < 0:
        return 0
    if rows.least == 0 and rows.largest == n_features:
        raise ValueError(f"found both index 0 and index {n_features}, expected n_features = {n_features}")
    return int(rows.least > 0)


def as_csr_array(
    indptr: NDArray[Any],
    indices: NDArray[Any],
    data: NDArray[Any],
    n_features: int,
    fields: NDArray[np.int32] | None = None,
) -> csr_array:
    """A matrix with int32 indices if they fit, otherwise int64. With fields it is a FieldCSR."""
    index = np.int32 if max(n_features, indptr[-1]) <= np.iinfo(np.int32).max else np.int64
    arrays = data, indices.astype(index, copy=False), indptr.astype(index)
    shape = len(indptr) - 1, n_features
    X = csr_array(arrays, shape=shape)
    return X if fields is None else with_fields(X, fields)


class TextSource:
    """A path or a file that is read once or several times, always from the same place."""

    def __init__(self, source: Any, dtype: DTypeLike, num_threads: int | None) -> None:
        self._source, self._dtype, self._num_threads = source, dtype, num_threads
        self._can_be_read_again = can_be_read_again(source)
        self._start: int | None = None  # where a file object stood at first
        self._is_read = False

    def new_rows(self, has_fields: bool, first_index: int | None, n_features: int | None) -> _TextRows:
        """Memory for the rows of this file, see `new_rows`."""
        return new_rows(has_fields, self._dtype, first_index, n_features, self._num_threads)

    def parse(self, rows: _TextRows, columns: Columns | None) -> Iterator[None]:
        """Append all rows, chunk by chunk."""
        if self._is_read and not self._can_be_read_again:
            raise ValueError("path is not seekable, and so cannot be read a second time")
        if is_file(self._source) and self._can_be_read_again:
            if self._start is None:
                self._start = int(self._source.tell())
            self._source.seek(self._start)
        self._is_read = True
        return parse(self._source, rows, columns)

    def scan(
        self, first_index: int | None, limit: int | None, columns: FeatureColumns | PairColumns | None = None
    ) -> tuple[_TextRows, int]:
        """Read all of the file and keep no rows. What remains are the indices seen, and how many rows."""
        if not self._can_be_read_again:
            wanted = "n_features and zero_based" if columns is None else "fields"
            raise ValueError(f"path is not seekable, and so can be read only once: give {wanted}")
        rows, n_rows = self.new_rows(columns is not None, first_index, limit), 0
        for _ in self.parse(rows, columns):
            n_rows += rows.n_rows
            rows.forget()
        return rows, n_rows


class TextBlocks:
    """What `iter_libsvm` and `iter_libffm` return. Each iteration yields ``(X, y)``, block after block.

    Attributes
    ----------
    n_features : int
        The number of columns of every X.
    fields : int32 array of shape (n_features,), or None
        The fields of a libffm file; a FieldTable where a column is a pair or has had no value.
    n_rows : int or None
        The number of rows of the file; None before it has been read to its end.
    n_ignored : int
        How many values of the file were left out when it was read last, because ``unknown`` or
        ``on_field_conflict`` is "ignore".
    """

    n_features: int
    fields: NDArray[np.int32] | None
    n_rows: int | None
    n_ignored: int

    def __init__(
        self,
        source: TextSource,
        block_rows: int,
        n_features: int,
        *,
        first_index: int = 0,
        fields: NDArray[np.int32] | None = None,
        n_rows: int | None = None,
        policy: Policy | None = None,
    ) -> None:
        self._source, self._block_rows, self._first_index = source, block_rows, first_index
        self.n_features, self.fields, self.n_rows, self.n_ignored = n_features, fields, n_rows, 0
        # A table holds all pairs by now. A file that has changed since is refused.
        self._policy = policy or Policy()
        if self._policy.on_field_conflict == "split":
            self._policy = replace(self._policy, on_field_conflict="error")

    def __iter__(self) -> Iterator[tuple[csr_array, NDArray[np.float64]]]:
        columns, limit = self._columns()
        rows = self._source.new_rows(self.fields is not None, self._first_index, limit)
        n_rows = 0
        for _ in self._source.parse(rows, columns):
            in_whole_blocks = rows.n_rows // self._block_rows * self._block_rows
            n_rows += in_whole_blocks
            yield from self._take(rows, in_whole_blocks, columns)
        n_rows += rows.n_rows
        yield from self._take(rows, rows.n_rows, columns)
        self.n_rows, self.n_ignored = n_rows, 0 if columns is None else columns.n_ignored

    def _columns(self) -> tuple[Columns | None, int | None]:
        """What gives values their columns, and how large the features of the file can be."""
        if self.fields is not None:
            columns = columns_of(self.fields, None, self._policy)
            return columns, columns.limit
        if self._policy.unknown == "ignore":
            return IndexColumns(self.n_features), None
        return None, self.n_features

    def _take(
        self, rows: _TextRows, n_rows: int, columns: Columns | None
    ) -> Iterator[tuple[csr_array, NDArray[np.float64]]]:
        """Take the first rows, in blocks."""
        if n_rows == 0:
            return
        indptr, indices, data, y = rows.take(n_rows)
        X = as_csr_array(indptr, indices, data, self.n_features, self._fields_so_far(columns))
        if n_rows <= self._block_rows:
            yield X, y
            return
        for begin in range(0, n_rows, self._block_rows):
            yield X[begin : begin + self._block_rows], y[begin : begin + self._block_rows].copy()

    def _fields_so_far(self, columns: Columns | None) -> NDArray[np.int32] | None:
        """The fields, with those of columns that have values for the first time in this file."""
        if not isinstance(self.fields, FieldTable) or columns is None or isinstance(columns, IndexColumns):
            return self.fields
        if self.fields.has_values.all():
            return self.fields
        return as_fields(columns.table(self.n_features), None, None)
