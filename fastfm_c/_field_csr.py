"""A CSR matrix whose columns know their fields."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import scipy.sparse as sp

from fastfm_c._validation import as_fields

__all__ = ["FieldCSR", "assemble", "vstack"]


class FieldCSR(sp.csr_array):
    """A `scipy.sparse.csr_array` with the field of each column; `FFMClassifier` and its like read it.

    What keeps the columns, or chooses some of them, keeps their fields: slices, masks and index arrays of
    rows and columns, ``copy``, ``astype``, products with numbers, pickling, and `vstack`. Every other
    operation gives a plain csr_array, and so does a call without `fields`.

    Parameters
    ----------
    args, options
        Positional and named arguments of `scipy.sparse.csr_array`.
    fields : array_like of shape (n_features,), int
        At least 0; kept as a read-only array of int32.

    Examples
    --------
    >>> X = FieldCSR([[1.0, 0.0, 2.0], [0.0, 1.0, 3.0]], fields=[0, 0, 1])
    >>> X[1:, [2, 0]].fields
    array([1, 0], dtype=int32)
    """

    def __new__(cls, *args, fields=None, **options):
        # SciPy makes its results by calling the class of an operand: without fields they are plain.
        return sp.csr_array(*args, **options) if fields is None else super().__new__(cls)

    def __init__(self, *args: Any, fields: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        if self.ndim != 2:
            raise ValueError(f"FieldCSR has the shape {self.shape}, expected 2 dimensions: rows and columns")
        self._fields = as_fields(fields, self.shape[1], None)

    @property
    def fields(self) -> np.ndarray:
        """The field of each column, (n_features,) int32, read-only."""
        return self._fields

    def __getitem__(self, key):
        part = super().__getitem__(key)
        if not sp.issparse(part) or part.ndim != 2:
            return part
        columns = key[-1] if isinstance(key, tuple) and len(key) > 1 else slice(None)
        fields = np.atleast_2d(self.fields[columns])
        one_for_each = fields.shape == (1, part.shape[1])  # and not another in each row
        return _with_fields(part, fields[0]) if one_for_each else part

    def _with_data(self, data, copy=True):
        return _with_fields(super()._with_data(data, copy), self.fields)

    def __reduce__(self):
        return _with_fields, (sp.csr_array(self), np.array(self.fields))


def _with_fields(X, fields):
    return FieldCSR((X.data, X.indices, X.indptr), shape=X.shape, fields=fields)


def vstack(blocks: Iterable[FieldCSR]) -> FieldCSR:
    """Stack the rows of matrices that have the same fields, as `scipy.sparse.vstack` does without fields.

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
        If there are no blocks, or one is no FieldCSR or has other fields than the first.

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


def assemble(parts, n_rows, fields, dtype):
    """Rows whose entries are those of one field after the other, as `Field.encode` gives them."""
    n_fields = len(parts)
    if all(sizes is None for _, _, sizes in parts):
        ends = np.arange(n_fields, n_rows * n_fields + 1, n_fields)
        places = [slice(f, None, n_fields) for f in range(n_fields)]
    else:
        counts = np.ones((n_rows, n_fields), np.int64)
        for f, (_, _, sizes) in enumerate(parts):
            if sizes is not None:
                counts[:, f] = sizes
        last = counts.cumsum().reshape(counts.shape)
        ends = last[:, -1]
        first = last - counts
        places = [_places(sizes, first[:, f]) for f, (_, _, sizes) in enumerate(parts)]
    n_values = int(ends[-1]) if n_rows else 0
    index = np.int32 if n_values <= np.iinfo(np.int32).max else np.int64
    indptr = np.zeros(n_rows + 1, index)
    indptr[1:] = ends
    indices, data = np.empty(n_values, index), np.ones(n_values, dtype)
    for place, (columns, values, _) in zip(places, parts, strict=True):
        indices[place] = columns
        if values is not None:
            data[place] = values
    return FieldCSR((data, indices, indptr), shape=(n_rows, len(fields)), fields=fields)


def _places(sizes, first):
    """Where the values of a field go, of which each row has so many from this place on."""
    if sizes is None:
        return first
    return np.repeat(first - (sizes.cumsum() - sizes), sizes) + np.arange(sizes.sum())
