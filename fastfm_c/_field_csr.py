"""`FieldCSR`: a CSR matrix that knows the field of each column."""

import warnings
from collections.abc import Iterable, Sequence
from copy import copy
from typing import Any, NamedTuple

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, DTypeLike, NDArray

from fastfm_c._field_table import FieldTable, as_fields

__all__ = ["Encoded", "FieldCSR", "assemble", "merged_fields", "vstack", "with_fields"]


class FieldCSR(sp.csr_array):
    """A `scipy.sparse.csr_array` with the field of each column; `FFMClassifier` and its like read it.

    An operation that keeps the columns, or chooses some of them, keeps their fields: slices, masks and
    index arrays of rows and columns, ``copy``, ``astype``, sums, differences, elementwise products and
    powers, pickling, and `vstack`. Operations that make other columns give a matrix without fields, and so
    do ``tocsc``, ``save_npz``, ``csr_matrix(X)`` and ``scipy.sparse.hstack``.

    Parameters
    ----------
    args, options
        Positional and named arguments of `scipy.sparse.csr_array`.
    fields : array_like of shape (n_features,), int, optional
        At least 0. They are kept as a read-only array of int32. Default: those of a FieldCSR that is given.
        Without any, the call gives a plain csr_array.

    Examples
    --------
    >>> X = FieldCSR([[1.0, 0.0, 2.0], [0.0, 1.0, 3.0]], fields=[0, 0, 1])
    >>> X[1:, [2, 0]].fields
    array([1, 0], dtype=int32)
    """

    _fields: NDArray[np.int32]

    def __new__(cls, *args: Any, fields: ArrayLike | None = None, **options: Any) -> Any:
        # SciPy makes a result by calling the class of an operand. Without fields the result is plain.
        has_fields = fields is not None or (args and isinstance(args[0], FieldCSR))
        return super().__new__(cls) if has_fields else sp.csr_array(*args, **options)

    def __init__(self, *args: Any, fields: ArrayLike | None = None, **options: Any) -> None:
        super().__init__(*args, **options)
        if self.ndim != 2:
            raise ValueError(f"FieldCSR has the shape {self.shape}, expected 2 dimensions: rows and columns")
        self._fields = as_fields(args[0].fields if fields is None else fields, self.shape[1], None)

    @property
    def fields(self) -> NDArray[np.int32]:
        """The field of each column, (n_features,) int32, read-only."""
        return self._fields

    def __getitem__(self, key: Any) -> Any:
        part = super().__getitem__(key)
        if not sp.issparse(part) or part.ndim != 2:
            return part
        columns = key[-1] if isinstance(key, tuple) and len(key) > 1 else slice(None)
        if columns is Ellipsis or (isinstance(columns, slice) and columns == slice(None)):
            return with_fields(part, self.fields)
        chosen = np.atleast_2d(np.arange(self.shape[1])[columns])
        is_same_in_all_rows = chosen.shape == (1, part.shape[1])
        return with_fields(part, _chosen(self.fields, chosen[0])) if is_same_in_all_rows else part

    def _with_data(self, data: Any, copy: bool = True) -> "FieldCSR":
        return with_fields(super()._with_data(data, copy), self.fields)

    def __add__(self, other: Any) -> Any:
        return self._with_fields_of(super().__add__(other), other)

    __radd__ = __add__

    def __sub__(self, other: Any) -> Any:
        return self._with_fields_of(super().__sub__(other), other)

    def multiply(self, other: Any) -> Any:
        """Multiply element by element, with numbers, arrays or a sparse matrix."""
        return self._with_fields_of(super().multiply(other), other)

    def maximum(self, other: Any) -> Any:
        """Take the larger one, element by element."""
        return self._with_fields_of(super().maximum(other), other)

    def minimum(self, other: Any) -> Any:
        """Take the smaller one, element by element."""
        return self._with_fields_of(super().minimum(other), other)

    def _with_fields_of(self, result: Any, other: Any) -> Any:
        """A result that has the columns of both operands. It is plain if they have other fields."""
        if not sp.issparse(result) or result.shape != self.shape:
            return result
        fields = self.fields
        if isinstance(other, FieldCSR) and other.fields is not fields:
            try:
                fields = merged_fields([self, other], ("X", "the other matrix"))
            except ValueError as error:
                warnings.warn(f"the result has no fields: {error}", UserWarning, stacklevel=3)
                return result
        return with_fields(sp.csr_array(result), fields)

    def __reduce__(self) -> tuple[Any, ...]:
        return _with_fields, (sp.csr_array(self), copy(self.fields))


def _with_fields(X: Any, fields: ArrayLike) -> FieldCSR:
    """What pickles call: X and fields that are checked."""
    return FieldCSR((X.data, X.indices, X.indptr), shape=X.shape, fields=fields)


def with_fields(X: Any, fields: NDArray[np.int32]) -> FieldCSR:
    """The CSR matrix X with fields that another FieldCSR has, or `as_fields` gave; they are shared."""
    result: FieldCSR = sp.csr_array.__new__(FieldCSR)
    sp.csr_array.__init__(result, (X.data, X.indices, X.indptr), shape=X.shape)
    result._fields = fields
    return result


def _chosen(fields: NDArray[np.int32], columns: NDArray[np.intp]) -> NDArray[np.int32]:
    if isinstance(fields, FieldTable) and fields._says_more:
        table = fields._select(columns)
        table.flags.writeable = False
        return table
    return as_fields(np.asarray(fields)[columns], None, None)


def vstack(blocks: Iterable[FieldCSR]) -> FieldCSR:
    """Stack the rows of matrices that have the same fields. `scipy.sparse.vstack` would lose the fields.

    The field of a column comes from the blocks that have values in it. So blocks of several files, each of
    which lacks some features, fit each other.

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
        If there are no blocks, or one is not a FieldCSR, or two have values in a column that is in another
        field of each.

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
        if block.shape[1] != blocks[0].shape[1]:
            raise ValueError(f"blocks[{i}] has {block.shape[1]} columns, expected {blocks[0].shape[1]}")
    fields = merged_fields(blocks, [f"blocks[{i}]" for i in range(len(blocks))])
    return with_fields(sp.vstack(blocks, format="csr"), fields)


def merged_fields(blocks: Sequence[FieldCSR], names: Sequence[str]) -> NDArray[np.int32]:
    """The field of each column, from the blocks that have values in it.

    A column without values has the largest of its fields: a reader gives 0 to a column that it has not seen.
    """
    if all(block.fields is blocks[0].fields for block in blocks):
        return blocks[0].fields
    n = blocks[0].shape[1]
    fields, features = np.zeros(n, np.int32), np.full(n, -1)
    owner = np.full(n, -1)  # the first block with values in the column
    is_known, is_split = np.zeros(n, bool), False
    for i, block in enumerate(blocks):
        table = block.fields if isinstance(block.fields, FieldTable) else FieldTable(block.fields)
        mine, has_values = np.asarray(block.fields), np.zeros(n, bool)
        has_values[block.indices[block.indptr[0] : block.indptr[-1]]] = True
        differs = mine != fields
        if table.is_split:
            differs |= (table.features != features) & (features >= 0) & (table.features >= 0)
        for j in np.flatnonzero(differs & has_values & (owner >= 0))[:1]:
            raise ValueError(
                f"{names[i]} has other fields than {names[owner[j]]}: a value in column {j} and field "
                f"{mine[j]}, expected field {fields[j]}"
            )
        fields = np.where(owner >= 0, fields, np.where(has_values, mine, np.maximum(fields, mine)))
        if table.is_split:
            is_split = True
            features = np.where((features < 0) | (has_values & (owner < 0)), table.features, features)
        owner[has_values & (owner < 0)] = i
        is_known |= table.has_values | has_values
    return as_fields(FieldTable(fields, features if is_split else None, is_known), n, None)


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
