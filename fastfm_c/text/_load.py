"""Reads rows from text in the formats of LIBSVM and libffm."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray
from scipy.sparse import csr_array

from fastfm_c._field_table import FieldTable, as_fields
from fastfm_c.text._arguments import FieldArguments, as_n_features, first_index_of, limit_of
from fastfm_c.text._blocks import as_csr_array, new_rows, parse, shift_of
from fastfm_c.text._streams import parts_of

__all__ = ["load_libffm", "load_libsvm"]


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

    Blanks, tabs or commas separate; ``#`` starts a comment; blank lines are skipped. Values keep the order of
    the file. An index that occurs twice in a line stays so: the library sums its values. A query, ``qid:7``
    behind the label, is read over. Rows of several labels, ``1,2 3:1``, are refused, and so is a line of
    1 GiB or more.

    The labels may be absent, from all rows or from none, as the first row says: it has none if its first word
    has a ``:``. A row without a label and without values would be a blank line, which is no row.

    Parameters
    ----------
    path : path or binary file, or a list of them
        The rows of several files follow each other, as if they were one. A path may be a pipe. It may be
        compressed by gzip, bzip2, xz or zstd (Python 3.14, or the zstandard package). A file object is read
        as it is: open a compressed file with ``gzip.open`` or the like.
    n_features : int, optional
        Default: as many as the largest index needs. For test rows, give the number of the training rows.
    zero_based : bool or "auto"
        Whether the first column has index 0, as in files of libFM, or 1, as in files of LIBSVM. "auto": 0 if
        index 0 occurs, otherwise 1. Give True or False for test files, because 0 may be absent by chance, and
        their columns must be those of the training rows. With `n_features` there is a warning if the indices
        fit both.
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
        The labels as they are; NaN if the file has none. `LogisticLoss` takes 0 and 1: for labels -1 and 1,
        give it ``y > 0``.

    Warns
    -----
    UserWarning
        If ``zero_based="auto"`` is a guess: with `n_features`, if neither index 0 nor index `n_features`
        occurs.

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
    limit = limit_of(n_features, unknown)
    rows = new_rows(False, dtype, first_index, limit, num_threads)
    for _ in parse(parts_of(path), rows, n_features=n_features):
        pass
    shift = shift_of(rows, first_index, n_features, unknown)
    n_columns = rows.largest + 1 - shift if n_features is None else n_features
    indptr, indices, data, y = rows.arrays()
    if shift:
        indices -= 1
    if limit is None and rows.largest - shift >= n_columns:
        is_known = indices < n_columns
        indptr = np.concatenate([[0], np.cumsum(is_known)])[indptr]
        indices, data = indices[is_known], data[is_known]
    return as_csr_array(indptr, indices, data, n_columns), y


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
    source = FieldArguments(fields, n_features, on_field_conflict, unknown)
    rows = new_rows(True, dtype, 0, source.columns.limit, num_threads)
    for _ in parse(parts_of(path), rows, source.columns):
        pass
    table = source.columns.table(source.columns.n_columns(rows))
    indptr, indices, data, y = rows.arrays()
    return as_csr_array(indptr, indices, data, len(table), as_fields(table, None, None)), y, table
