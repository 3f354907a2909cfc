"""Text to CSR matrices: the rows of a file at once, or block after block."""

import warnings
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray
from scipy.sparse import csr_array

from fastfm_c._core import _TextRows
from fastfm_c._field_csr import with_fields
from fastfm_c._field_table import FieldTable, as_fields
from fastfm_c._open_files import is_file
from fastfm_c._validation import as_real_dtype
from fastfm_c.text._arguments import INDEX_LIMIT
from fastfm_c.text._chunks import Chunk, within
from fastfm_c.text._feature_fields import (
    Columns,
    FeatureColumns,
    IndexColumns,
    PairColumns,
    Policy,
    columns_of,
)
from fastfm_c.text._streams import can_be_read_again, open_text, parts_of, whole_lines

__all__ = [
    "TextBlocks",
    "TextSource",
    "as_csr_array",
    "new_rows",
    "parse",
    "shift_of",
]


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


def parse(
    parts: list[Any], rows: _TextRows, columns: Columns | None = None, n_features: int | None = None
) -> Iterator[None]:
    """Append the rows of some files, one after the other, chunk by chunk.

    `columns` looks at the values of each chunk. Without it the indices of the files are below `n_features`.
    """
    has_fields = columns is not None and columns.has_fields
    index = within(n_features or INDEX_LIMIT) if columns is None else columns.expected_index
    lines_before = 0
    for i, part in enumerate(parts):
        with open_text(part, f"path[{i}]" if len(parts) > 1 else "<file>") as (file, name):
            chunk = Chunk(name, lines_before=lines_before)
            for buffer, n_bytes in whole_lines(file, chunk):
                parsed = rows.parse(buffer, n_bytes)
                chunk.has_labels = rows.has_labels
                if isinstance(parsed, tuple):
                    raise chunk.fault(*parsed, has_fields, index)
                if columns is not None:
                    columns.add(rows, chunk)
                chunk.first_line += parsed
                yield
        lines_before += chunk.first_line - 1


def shift_of(rows: _TextRows, first_index: int | None, n_features: int | None, unknown: str) -> int:
    """The index of the first column, if the file must tell: 1 if no index is 0. Otherwise 0.

    There is a warning where it may be 0 all the same: with `n_features` the columns are those of other rows.
    Only an index of n_features is certain to count from 1, unless larger ones are ignored.
    """
    if first_index is not None or rows.largest < 0:
        return 0
    if unknown == "error" and rows.least == 0 and rows.largest == n_features:
        raise ValueError(f"found both index 0 and index {n_features}, expected n_features = {n_features}")
    if n_features is not None and rows.least > 0 and (rows.largest < n_features or unknown == "ignore"):
        warnings.warn(
            f"found indices from {rows.least} to {rows.largest}, and n_features is {n_features}: the first "
            "column may have index 0 or 1, and 1 is assumed. Say so by zero_based=True (0, as in files of "
            "libFM) or zero_based=False (1, as in files of LIBSVM)",
            UserWarning,
            stacklevel=3,
        )
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
    """Paths and files that are read once or several times, always from the same place."""

    def __init__(self, source: Any, dtype: DTypeLike, num_threads: int | None) -> None:
        self._parts, self._dtype, self._num_threads = parts_of(source), dtype, num_threads
        self._can_be_read_again = all(map(can_be_read_again, self._parts))
        self._starts: list[int | None] = []  # where file objects stood at first; None for paths
        self._is_read = False

    def new_rows(self, has_fields: bool, first_index: int | None, n_features: int | None) -> _TextRows:
        """Memory for the rows of this file, see `new_rows`."""
        return new_rows(has_fields, self._dtype, first_index, n_features, self._num_threads)

    def parse(
        self, rows: _TextRows, columns: Columns | None, n_features: int | None = None
    ) -> Iterator[None]:
        """Append all rows, see `parse`."""
        if self._is_read and not self._can_be_read_again:
            raise ValueError("path is not seekable, and so cannot be read a second time")
        if self._can_be_read_again:
            self._starts = self._starts or [int(p.tell()) if is_file(p) else None for p in self._parts]
            for part, start in zip(self._parts, self._starts, strict=True):
                if start is not None:
                    part.seek(start)
        self._is_read = True
        return parse(self._parts, rows, columns, n_features)

    def scan(
        self, first_index: int | None, limit: int | None, columns: FeatureColumns | PairColumns | None = None
    ) -> tuple[_TextRows, int]:
        """Read all of the file and keep no rows. What remains are the indices seen, and how many rows."""
        if not self._can_be_read_again:
            wanted = "n_features and zero_based" if columns is None else "fields"
            raise ValueError(f"path is not seekable, and so can be read only once: give {wanted}")
        rows, n_rows = self.new_rows(columns is not None, first_index, limit), 0
        for _ in self.parse(rows, columns, limit):
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
        for _ in self._source.parse(rows, columns, limit):
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
