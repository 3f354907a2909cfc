"""`FieldCSR`: a CSR matrix that knows the field of each column."""

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, DTypeLike, NDArray

from fastfm_c._validation import as_fields

__all__ = ["Encoded", "FieldCSR", "assemble", "vstack"]


class FieldCSR(sp.csr_array):
    """A `scipy.sparse.csr_array` with the field of each column; `FFMClassifier` and its like read it.

    An operation that keeps the columns, or chooses some of them, keeps their fields: slices, masks and
    index arrays of rows and columns, ``copy``, ``astype``, products with numbers, pickling, and `vstack`.
    Every other operation gives a plain csr_array. So does a call without `fields`.

    Parameters
    ----------
    args, options
        Positional and named arguments of `scipy.sparse.csr_array`.
    fields : array_like of shape (n_features,), int
        At least 0. They are kept as a read-only array of int32.

    Examples
    --------
    >>> X = FieldCSR([[1.0, 0.0, 2.0], [0.0, 1.0, 3.0]], fields=[0, 0, 1])
    >>> X[1:, [2, 0]].fields
    array([1, 0], dtype=int32)
    """

    def __new__(cls, *args: Any, fields: ArrayLike | None = None, **options: Any) -> Any:
        # SciPy makes a result by calling the class of an operand. Without fields the result is plain.
        return sp.csr_array(*args, **options) if fields is None else super().__new__(cls)

    def __init__(self, *args: Any, fields: ArrayLike, **options: Any) -> None:
        super().__init__(*args, **options)
        if self.ndim != 2:
            raise ValueError(f"FieldCSR has the shape {self.shape}, expected 2 dimensions: rows and columns")
        self._fields: NDArray[np.int32] = as_fields(fields, self.shape[1], None)

    @property
    def fields(self) -> NDArray[np.int32]:
        """The field of each column, (n_features,) int32, read-only."""
        return self._fields

    def __getitem__(self, key: Any) -> Any:
        part = super().__getitem__(key)
        if not sp.issparse(part) or part.ndim != 2:
            return part
        columns = key[-1] if isinstance(key, tuple) and len(key) > 1 else slice(None)
        fields = np.atleast_2d(self.fields[columns])
        is_same_in_all_rows = fields.shape == (1, part.shape[1])
        return _with_fields(part, fields[0]) if is_same_in_all_rows else part

    def _with_data(self, data: Any, copy: bool = True) -> "FieldCSR":
        return _with_fields(super()._with_data(data, copy), self.fields)

    def __reduce__(self) -> tuple[Any, ...]:
        return _with_fields, (sp.csr_array(self), np.array(self.fields))


def _with_fields(X: Any, fields: ArrayLike) -> FieldCSR:
    return FieldCSR((X.data, X.indices, X.indptr), shape=X.shape, fields=fields)


def vstack(blocks: Iterable[FieldCSR]) -> FieldCSR:
    """Stack the rows of matrices that have the same fields. `scipy.sparse.vstack` would lose the fields.

    Parameters
    ----------
    blocks : iterable of FieldCSR
        At least one, with the same columns.

    Returns
    -------
    FieldCSR of shape (rows of all blocks, n_features)

    Raises
    ------
    ValueError
        If there are no blocks, or one is not a FieldCSR or has other fields than the first.

    Examples
    --------
    >>> X = FieldCSR([[1.0, 0.0, 2.0]], fields=[0, 0, 1])
    >>> vstack([X, 2 * X]).fields
    array([0, 0, 1], dtype=int32)
    """
    blocks = list(blocks)
    if not blocks:
        raise ValueError("blocks is empty, expected at least one FieldCSR")
    for i, block in enumerate(blocks):
        if not isinstance(block, FieldCSR):
            raise ValueError(f"blocks[{i}] is a {type(block).__name__}, expected a FieldCSR")
        if not np.array_equal(block.fields, blocks[0].fields):
            raise ValueError(
                f"blocks[{i}] has other fields than blocks[0], expected the same {blocks[0].shape[1]} columns"
            )
    return _with_fields(sp.vstack(blocks, format="csr"), blocks[0].fields)


class Encoded(NamedTuple):
    """A column of a table, encoded: the entries that its field has in each row, row after row."""

    features: NDArray[np.int32]
    values: NDArray[Any] | None  # None: all are 1
    sizes: NDArray[np.intp] | None  # how many entries each row has; None: one


def assemble(encoded: list[Encoded], n_rows: int, fields: NDArray[np.int32], dtype: DTypeLike) -> FieldCSR:
    """The matrix whose rows have the entries of one field after the other.

    Parameters
    ----------
    encoded : list of Encoded
        For each field, in order.
    n_rows : int
    fields : ndarray of shape (n_features,), int32
    dtype : float32 or float64

    Returns
    -------
    FieldCSR of shape (n_rows, n_features)
    """
    n_fields = len(encoded)
    positions: list[Any]  # in the arrays of the matrix, of the entries of each field
    if all(column.sizes is None for column in encoded):
        row_ends = np.arange(n_fields, n_rows * n_fields + 1, n_fields)
        positions = [slice(f, None, n_fields) for f in range(n_fields)]
    else:
        counts = np.ones((n_rows, n_fields), np.int64)
        for f, column in enumerate(encoded):
            if column.sizes is not None:
                counts[:, f] = column.sizes
        ends = counts.cumsum().reshape(counts.shape)
        row_ends = ends[:, -1]
        begins = ends - counts
        positions = [_positions(column.sizes, begins[:, f]) for f, column in enumerate(encoded)]
    n_values = int(row_ends[-1]) if n_rows else 0
    index: type[Any] = np.int32 if n_values <= np.iinfo(np.int32).max else np.int64
    indptr = np.zeros(n_rows + 1, index)
    indptr[1:] = row_ends
    indices, data = np.empty(n_values, index), np.ones(n_values, dtype)
    for where, column in zip(positions, encoded, strict=True):
        indices[where] = column.features
        if column.values is not None:
            data[where] = column.values
    return FieldCSR((data, indices, indptr), shape=(n_rows, len(fields)), fields=fields)


def _positions(sizes: NDArray[np.intp] | None, begins: NDArray[np.int64]) -> NDArray[np.int64]:
    """The positions of a field's entries: in row i there are sizes[i] of them, from begins[i] on."""
    if sizes is None:
        return begins
    positions: NDArray[np.int64] = np.repeat(begins - (sizes.cumsum() - sizes), sizes)
    positions += np.arange(sizes.sum())
    return positions
