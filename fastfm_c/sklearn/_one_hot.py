"""Finds the fields of columns that were encoded one-hot, where nothing else tells them."""

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

__all__ = ["one_hot_fields"]


def one_hot_fields(X: sp.csr_array, most_fields: int) -> NDArray[np.int32]:
    """The field of each column: neighbours of which each row has exactly one, of value 1, are one field.

    Every other column is a field of its own. Fields are found from left to right, and each is as short as it
    can be. A column without values joins the field after it: an encoder's column of unknown values comes
    before those of the known ones. Columns without values at the end join the last field.

    Parameters
    ----------
    X : csr_array of shape (n_rows, n_features)
    most_fields : int
        The search ends with an error where more would be found.

    Returns
    -------
    ndarray of shape (n_features,), int32

    Raises
    ------
    ValueError
        If X has no rows, or more fields than `most_fields`.
    """
    n_rows, n_features = X.shape
    if n_rows == 0:
        raise ValueError('fields is "one-hot", but X has no rows to find fields in')
    next_column, next_is_one, place = _places(X)
    fields = np.zeros(n_features, np.int32)
    n_fields = begin = 0
    while (end := int(next_column[place].min())) < n_features:  # the next column that has a value
        if n_fields == most_fields:
            raise ValueError(
                f'fields is "one-hot", and more than {most_fields} fields are found in X; '
                "expected columns that were encoded one-hot, or numbers"
            )
        taken = next_column[place]  # by row, if the field has one value of each
        if taken.max() < next_column[place + (taken < n_features)].min() and (
            taken.max() == end or next_is_one[place].all()
        ):
            end = int(taken.max())
        fields[begin : end + 1] = n_fields
        place += next_column[place] <= end
        begin, n_fields = end + 1, n_fields + 1
    fields[begin:] = max(n_fields - 1, 0)
    return fields


def _places(X: sp.csr_array) -> tuple[NDArray[np.int64], NDArray[np.bool_], NDArray[np.int64]]:
    """The columns of all values, ascending in each row, whether each value is 1, and where each row begins.

    After the values of a row stands n_features, which is no column.
    """
    n_rows, n_features = X.shape
    X = sp.csr_array((X.data, X.indices, X.indptr), shape=X.shape, copy=True)
    X.sum_duplicates()
    X.eliminate_zeros()
    ends = X.indptr[1:].astype(np.int64)
    columns = np.insert(X.indices.astype(np.int64), ends, n_features)
    is_one = np.insert(X.data == 1, ends, False)
    return columns, is_one, X.indptr[:-1].astype(np.int64) + np.arange(n_rows)
