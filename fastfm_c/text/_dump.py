"""Writes rows as text in the formats of LIBSVM and libffm."""

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike

from fastfm_c._core import _text_of
from fastfm_c._field_table import as_fields
from fastfm_c._validation import as_csr, as_targets
from fastfm_c.text._arguments import first_index_of
from fastfm_c.text._streams import open_text_output

__all__ = ["dump_libffm", "dump_libsvm"]


def dump_libsvm(X: Any, y: ArrayLike, path: Any, *, zero_based: bool = False) -> None:
    """Write rows as text, from which `load_libsvm` reads every bit.

    Numbers have the fewest digits that keep every bit. Give `load_libsvm` the dtype of X; if the first or the
    last columns may be empty, also ``n_features`` and ``zero_based``.

    Parameters
    ----------
    X : scipy.sparse CSR matrix or array of shape (n_rows, n_features)
        Its values must be finite. Anything else is converted to such a matrix.
    y : array_like of shape (n_rows,)
        Finite numbers, written as float64.
    path : path or binary file
        A file that is there is overwritten. ``.gz``, ``.bz2``, ``.xz`` and ``.zst`` are compressed. An open
        file, such as an io.BytesIO, is written to as it is, and left open.
    zero_based : bool, default False
        Whether the first column gets index 0. LIBSVM's own files begin with 1. A file that begins with 0, but
        has no values in the first column, needs ``load_libsvm(zero_based=True)``: give it for test files.

    Returns
    -------
    None

    Raises
    ------
    ValueError
        If X or y are not finite, or do not fit each other.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from scipy.sparse import csr_array
    >>> from fastfm_c import dump_libsvm
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "rows.txt")
    ...     dump_libsvm(csr_array(np.array([[0.5, 0, 2]])), [1], path)
    ...     print(path.read_text(), end="")
    1 1:0.5 3:2
    """
    first_index = first_index_of(zero_based)
    if first_index is None:
        raise ValueError("zero_based is 'auto', expected True or False")
    _dump(X, y, None, path, first_index)


def dump_libffm(X: Any, y: ArrayLike, path: Any, fields: ArrayLike | None = None) -> None:
    """Write rows and their fields as text, from which `load_libffm` reads every bit.

    Parameters
    ----------
    X, y, path
        As for `dump_libsvm`.
    fields : array_like of shape (n_features,), optional
        The field of each column. Fields of columns without values are not written. Default: ``X.fields``,
        which the matrices of `FieldEncoder` and `load_libffm` have.

    Returns
    -------
    None

    Raises
    ------
    ValueError
        As for `dump_libsvm`; also for fields that do not fit X, or are absent.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from scipy.sparse import csr_array
    >>> from fastfm_c import dump_libffm
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "rows.txt")
    ...     dump_libffm(csr_array(np.array([[0.5, 0, 2]])), [1], path, fields=[0, 0, 1])
    ...     print(path.read_text(), end="")
    1 0:0:0.5 1:2:2
    """
    if fields is None and sp.issparse(X):  # a DataFrame may have such a column
        fields = getattr(X, "fields", None)
    if fields is None:
        raise ValueError("fields is None and X has none, expected the field of each column")
    _dump(X, y, fields, path, 0)


def _dump(X: Any, y: ArrayLike, fields: ArrayLike | None, path: Any, first_index: int) -> None:
    indptr, indices, data, (n_rows, n_features) = arrays = as_csr(X)
    y = np.ascontiguousarray(as_targets(y, n_rows), np.float64)
    plain_fields = None if fields is None else as_fields(fields, n_features, None)
    if indptr[0] < 0 or indptr[-1] > len(indices) or (np.diff(indptr) < 0).any():
        raise ValueError(f"X.indptr decreases or leaves 0..{len(indices)}, the number of stored values")
    begin, end = indptr[0], indptr[-1]
    for p in np.flatnonzero((indices[begin:end] < 0) | (indices[begin:end] >= n_features))[:1]:
        raise ValueError(f"X has column index {indices[begin + p]}, outside 0..{n_features - 1}")
    for name, values in (("X.data", data[begin:end]), ("y", y)):
        for p in np.flatnonzero(~np.isfinite(values))[:1]:
            raise ValueError(f"{name}[{p}] is {values[p]}, expected a finite number")
    with open_text_output(path) as file:
        for piece in _text_of(arrays, y, plain_fields, first_index):
            file.write(piece)
