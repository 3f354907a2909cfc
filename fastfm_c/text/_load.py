"""Reads rows from text in the formats of LIBSVM and libffm."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray
from scipy.sparse import csr_array

from fastfm_c._field_table import FieldTable, as_fields
from fastfm_c._validation import as_count, require_choice
from fastfm_c.text._blocks import (
    TextBlocks,
    TextSource,
    as_csr_array,
    as_n_features,
    first_index_of,
    new_rows,
    parse,
    shift_of,
)
from fastfm_c.text._feature_fields import Policy, columns_of

__all__ = ["iter_libffm", "iter_libsvm", "load_libffm", "load_libsvm"]


def load_libsvm(
    path: Any,
    *,
    n_features: int | None = None,
    zero_based: bool | str = "auto",
    unknown: str = "error",
    dtype: DTypeLike = "float32",
    num_threads: int | None = None,
) -> tuple[csr_array, NDArray[np.float64]]:
    """Read rows from a text file of lines ``label index:value index:value ...``.

    Blanks or tabs separate; ``#`` starts a comment; blank lines are skipped. Values keep the order of the
    file. An index that occurs twice in a line stays so: the library sums its values. ``qid:`` is refused, and
    so is a line of 1 GiB or more.

    Parameters
    ----------
    path : path or binary file
        It may be a pipe. A path may be compressed by gzip, bzip2, xz or zstd (Python 3.14, or the zstandard
        package). A file object is read as it is: open a compressed file with ``gzip.open`` or the like.
    n_features : int, optional
        Default: as many as the largest index needs. For test rows, give the number of the training rows.
    zero_based : bool or "auto"
        Whether the first column has index 0. "auto": it has if index 0 occurs. Give True or False for test
        files, because 0 may be absent by chance, and their columns must be those of the training rows.
    unknown : "error" or "ignore"
        What to do with an index beyond `n_features`: refuse it, or leave its value out. `iter_libsvm` counts
        the values that it leaves out.
    dtype : float32 or float64
        The dtype of X. Numbers are rounded to the nearest float64, then to dtype.
    num_threads : int, optional
        Default: `get_num_threads`.

    Returns
    -------
    X : csr_array of shape (n_rows, n_features)
        With int32 indices if they fit, otherwise int64.
    y : float64 array of shape (n_rows,)
        The labels as they are. `LogisticLoss` takes 0 and 1: for labels -1 and 1, give it ``y > 0``.

    Raises
    ------
    ValueError
        For a malformed line, with path, line, column, what was found and what was expected; for infinite
        and NaN numbers; for an index beyond `n_features`; for damaged compressed data.

    Examples
    --------
    >>> import io
    >>> from fastfm_c import load_libsvm
    >>> X, y = load_libsvm(io.BytesIO(b"1 1:0.5 3:1\\n-1 2:1  # a comment\\n"))
    >>> X.toarray()
    array([[0.5, 0. , 1. ],
           [0. , 1. , 0. ]], dtype=float32)
    >>> y
    array([ 1., -1.])
    """
    first_index, n_features = first_index_of(zero_based), as_n_features(n_features)
    limit = _limit(n_features, unknown)
    rows = new_rows(False, dtype, first_index, limit, num_threads)
    for _ in parse(path, rows):
        pass
    shift = shift_of(rows, first_index, limit)
    n_columns = rows.largest + 1 - shift if n_features is None else n_features
    indptr, indices, data, y = rows.arrays()
    if shift:
        indices -= 1
    if limit is None and rows.largest - shift >= n_columns:
        is_known = indices < n_columns
        indptr = np.concatenate([[0], np.cumsum(is_known)])[indptr]
        indices, data = indices[is_known], data[is_known]
    return as_csr_array(indptr, indices, data, n_columns), y


def _limit(n_features: int | None, unknown: str) -> int | None:
    """How many features the file may have: n_features, or any number where those beyond it are ignored."""
    require_choice(unknown, "unknown", ("error", "ignore"))
    return None if unknown == "ignore" else n_features


def load_libffm(
    path: Any,
    *,
    fields: ArrayLike | None = None,
    n_features: int | None = None,
    on_field_conflict: str = "error",
    unknown: str = "error",
    dtype: DTypeLike = "float32",
    num_threads: int | None = None,
) -> tuple[csr_array, NDArray[np.float64], FieldTable]:
    """Read rows and fields from a text file of lines ``label field:index:value ...``.

    Indices and fields are those of the file; they begin with 0. The rest is as for `load_libsvm`.

    Parameters
    ----------
    path, dtype, num_threads
        As for `load_libsvm`.
    fields : FieldTable or array_like of shape (n_features,), optional
        The fields of another file, for example of the training rows: its third result here, or
        ``model.fields``. X then has the same columns. A feature that has had no value before is in no field
        yet, and the file decides about it.
    n_features : int, optional
        The number of columns of X. If `fields` are given, their number. Default: as many as the largest index
        needs, at most 2^26. Larger numbers must be asked for, because `fields` and a model have an entry for
        each feature. While the file is read, tables take up to 25 bytes for each feature below the largest
        one. With "split", columns that no pair takes are free for the pairs of the next file.
    on_field_conflict : "error", "split" or "ignore"
        What to do with a feature that occurs in two fields. "split" gives each pair of feature and field a
        column of its own, in the order of the file; give the `fields` that it returns to the next file, where
        "split" then adds columns. "ignore" leaves out a value that is not in its feature's first field.
    unknown : "error" or "ignore"
        What to do with a feature, or a pair of feature and field, that has no column, because `fields` or
        `n_features` is given: refuse it, or leave its value out as libffm does.

    Returns
    -------
    X : FieldCSR of shape (n_rows, n_features)
        A csr_array with `fields`, which `FFMClassifier` and `FFMRegressor` read.
    y : float64 array of shape (n_rows,)
    fields : FieldTable of shape (n_features,)
        The field of each column of X, an int32 array; 0 for a column that does not occur. It also knows which
        columns occur, and which pair of feature and field each column is. Its attribute ``n_ignored`` says
        how many values were left out.

    Raises
    ------
    ValueError
        As for `load_libsvm`; also for a feature in two fields, with the numbers of both lines.

    Examples
    --------
    >>> import io
    >>> from fastfm_c import FFM, load_libffm
    >>> X, y, fields = load_libffm(io.BytesIO(b"1 0:0:1 1:2:0.5\\n0 0:1:1\\n"))
    >>> X.shape, fields
    ((2, 3), FieldTable([0, 0, 1], dtype=int32))
    >>> model = FFM.random(fields, 4)
    """
    source = _FieldSource(fields, n_features, on_field_conflict, unknown)
    rows = new_rows(True, dtype, 0, source.columns.limit, num_threads)
    for _ in parse(path, rows, source.columns):
        pass
    table = source.columns.table(source.columns.n_columns(rows))
    indptr, indices, data, y = rows.arrays()
    return as_csr_array(indptr, indices, data, len(table), as_fields(table, None, None)), y, table


class _FieldSource:
    """The arguments of a reader of libffm files, checked."""

    def __init__(
        self, fields: ArrayLike | None, n_features: int | None, on_field_conflict: str, unknown: str
    ) -> None:
        require_choice(on_field_conflict, "on_field_conflict", ("error", "split", "ignore"))
        require_choice(unknown, "unknown", ("error", "ignore"))
        n_features = as_n_features(n_features)
        self.policy = Policy(on_field_conflict, unknown)
        self.known = None if fields is None else as_fields(fields, n_features, None)
        self.columns = columns_of(self.known, n_features, self.policy)

    @property
    def is_complete(self) -> bool:
        """Whether the columns are known before the file is read."""
        return self.known is not None and (
            self.policy.on_field_conflict != "split" or self.policy.unknown == "ignore"
        )


def iter_libsvm(
    path: Any,
    *,
    rows: int = 100_000,
    n_features: int | None = None,
    zero_based: bool | str = "auto",
    unknown: str = "error",
    dtype: DTypeLike = "float32",
    num_threads: int | None = None,
) -> TextBlocks:
    """Blocks of rows of a text file that does not fit in memory, for ``partial_fit``.

    Without `n_features`, or with ``zero_based="auto"``, the file is read once more, to find them.

    Parameters
    ----------
    path, n_features, zero_based, unknown, dtype, num_threads
        As for `load_libsvm`. A file object is read again from where it stands, and so must be seekable. A
        pipe or the like is read once, and needs `n_features` and `zero_based`.
    rows : int
        The number of rows of each block; the last block may have fewer.

    Returns
    -------
    TextBlocks
        Each iteration over it reads the file and yields ``(X, y)``.

    Raises
    ------
    ValueError
        As for `load_libsvm`, here or during iteration.

    Examples
    --------
    >>> import io
    >>> from fastfm_c import iter_libsvm
    >>> blocks = iter_libsvm(io.BytesIO(b"1 1:1\\n0 2:1\\n1 4:1\\n"), rows=2)
    >>> blocks.n_features, [X.shape for X, y in blocks]
    (4, [(2, 4), (1, 4)])
    """
    first_index, n_features = first_index_of(zero_based), as_n_features(n_features)
    block_rows, n_rows = as_count(rows, "rows"), None
    limit = _limit(n_features, unknown)
    source = TextSource(path, dtype, num_threads)
    if first_index is None or n_features is None:
        scanned, n_rows = source.scan(first_index, limit)
        shift = shift_of(scanned, first_index, limit)
        n_features = scanned.largest + 1 - shift if n_features is None else n_features
        first_index = shift if first_index is None else first_index
    policy = Policy(unknown=unknown)
    return TextBlocks(source, block_rows, n_features, first_index=first_index, n_rows=n_rows, policy=policy)


def iter_libffm(
    path: Any,
    *,
    rows: int = 100_000,
    fields: ArrayLike | None = None,
    n_features: int | None = None,
    on_field_conflict: str = "error",
    unknown: str = "error",
    dtype: DTypeLike = "float32",
    num_threads: int | None = None,
) -> TextBlocks:
    """Blocks of rows of a libffm file that does not fit in memory, for ``partial_fit``.

    Without `fields` the file is read once more, to find the field of each feature. So it is where
    ``on_field_conflict="split"`` may add columns to `fields`.

    Parameters
    ----------
    path, rows, dtype, num_threads
        As for `iter_libsvm`. A pipe needs `fields`.
    fields, n_features, on_field_conflict, unknown
        As for `load_libffm`.

    Returns
    -------
    TextBlocks
        Each iteration over it reads the file and yields ``(X, y)``. X is a FieldCSR. The attribute ``fields``
        has the table that `load_libffm` returns.

    Raises
    ------
    ValueError
        As for `load_libffm`, here or during iteration.

    Examples
    --------
    >>> import io
    >>> from fastfm_c import FFM, AdaGrad, LogisticLoss, iter_libffm
    >>> blocks = iter_libffm(io.BytesIO(b"1 0:0:1 1:2:1\\n0 0:1:1\\n"), rows=1)
    >>> solver = AdaGrad(FFM.random(blocks.fields, 4, rng=0), LogisticLoss())
    >>> for X, y in blocks:
    ...     loss = solver.partial_fit(X, y)
    """
    arguments = _FieldSource(fields, n_features, on_field_conflict, unknown)
    block_rows, n_rows, known = as_count(rows, "rows"), None, arguments.known
    source = TextSource(path, dtype, num_threads)
    if known is None or not arguments.is_complete:
        columns = arguments.columns
        scanned, n_rows = source.scan(0, columns.limit, columns)
        known = columns.table(columns.n_columns(scanned))
    known = as_fields(known, None, None)
    return TextBlocks(source, block_rows, len(known), fields=known, n_rows=n_rows, policy=arguments.policy)
