"""Interactions of users and items: their checks, and tables of them."""

from collections.abc import Callable
from typing import Any, TypeAlias

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from fastfm_c._validation import as_csr
from fastfm_c.recommend._ids import Ids, Interactions

__all__ = ["as_interactions", "checked_csr", "from_frame", "resized", "weights_of"]

_Array: TypeAlias = NDArray[Any]


def from_frame(
    frame: Any, user: str, item: str, weight: str | None = None, *, users: Any = None, items: Any = None
) -> Interactions:
    """Interactions from a table with a row for each of them.

    Parameters
    ----------
    frame : pandas, polars or pyarrow table, or a dict of columns
    user, item : str
        The columns of the ids, of any hashable type.
    weight : str, optional
        The column of the weights; 1 each without it. Those of repeated pairs are summed.
    users, items : Ids, optional
        Ids so far, which a copy of them goes on with.

    Returns
    -------
    Interactions
        What `FMRecommender.fit` and `partial_fit` take. Then ids stand in the place of numbers.

    Raises
    ------
    ValueError
        For a column that is not there, missing ids, and weights that are negative or not finite.

    Examples
    --------
    >>> from fastfm_c.recommend import from_frame
    >>> seen = from_frame({"who": ["ann", "bob"], "what": ["tea", "jam"]}, user="who", item="what")
    >>> seen.matrix.toarray(), seen.items.keys()
    (array([[1., 0.],
           [0., 1.]], dtype=float32), ['tea', 'jam'])
    """
    known = [Ids(() if old is None else old.keys()) for old in (users, items)]
    rows, columns = (
        _in_column(name, ids.add, _column(frame, name)) for ids, name in zip(known, (user, item), strict=True)
    )
    if len(rows) != len(columns):
        raise ValueError(f"column {user!r} has {len(rows)} values, column {item!r} has {len(columns)}")
    values = np.ones(len(rows), np.float32)
    if weight is not None:
        values = _in_column(weight, lambda column: np.asarray(column, np.float32), _column(frame, weight))
    if values.shape != rows.shape:
        raise ValueError(f"column {weight!r} has shape {values.shape}, expected {rows.shape}")
    bad = ~(np.isfinite(values) & (values >= 0))
    if bad.any():
        row = int(np.argmax(bad))
        raise ValueError(f"row {row} of column {weight!r} holds {values[row]}, expected finite weights >= 0")
    shape = len(known[0]), len(known[1])
    matrix = sp.csr_array(sp.coo_array((values, (rows, columns)), shape=shape))
    return Interactions(matrix, *known)


def as_interactions(user_items: Any, name: str = "user_items") -> Any:
    """A matrix of interactions as a CSR array in canonical form, of float64 weights > 0.

    Stored zeros are no interactions.
    """
    matrix = canonical(user_items, name)
    matrix.eliminate_zeros()
    return matrix


def canonical(matrix: Any, name: str) -> Any:
    """A sparse matrix of float64 weights >= 0 as a CSR array in canonical form: a copy."""
    if not sp.issparse(matrix):
        raise ValueError(f"{name} must be a sparse matrix, got {type(matrix).__name__}")
    matrix = checked_csr(matrix, name, np.float64)
    bad = ~(np.isfinite(matrix.data) & (matrix.data >= 0))
    if bad.any():
        p = int(np.argmax(bad))
        row = int(np.searchsorted(matrix.indptr, p, side="right")) - 1
        raise ValueError(f"row {row} of {name} holds {matrix.data[p]}, expected finite weights >= 0")
    matrix = matrix.copy()
    matrix.sum_duplicates()
    return matrix


def checked_csr(matrix: Any, name: str, dtype: Any) -> Any:
    """A matrix as a CSR array of this dtype, whose indptr and indices are sound."""
    try:
        indptr, indices, data, shape = as_csr(matrix)
        starts, outside = np.append(0, indptr[:-1]), (indices < 0) | (indices >= shape[1])
        broken = (indptr < starts) | (indptr > len(indices)) | (np.arange(len(indptr)) == 0) & (indptr != 0)
        if broken.any():
            raise ValueError(f"indptr is broken at row {max(int(np.argmax(broken)) - 1, 0)}")
        outside = outside[: indptr[-1]]
        if outside.any():
            p = int(np.argmax(outside))
            row = int(np.searchsorted(indptr, p, side="right")) - 1
            raise ValueError(f"row {row} has column index {indices[p]}, outside 0..{shape[1] - 1}")
        return sp.csr_array((data.astype(dtype), indices, indptr), shape=shape)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None


def weights_of(matrix: Any, sample_weight: Any) -> NDArray[np.float64]:
    """The weights of the interactions, times those of `sample_weight` in the same places."""
    if sample_weight is None:
        return np.array(matrix.data)
    given = canonical(sample_weight, "sample_weight")
    if given.shape != matrix.shape:
        raise ValueError(f"sample_weight has shape {given.shape}, expected {matrix.shape}")
    wanted, found = _places(matrix), _places(given)
    at = np.minimum(np.searchsorted(found, wanted), max(len(found) - 1, 0))
    missing = found[at] != wanted if len(found) else np.ones(len(wanted), bool)
    if missing.any():
        row, column = divmod(int(wanted[np.argmax(missing)]), matrix.shape[1])
        raise ValueError(
            f"sample_weight has no entry in row {row}, column {column}, where user_items has one"
        )
    weights: NDArray[np.float64] = matrix.data * given.data[at]
    return weights


def resized(matrix: Any, shape: tuple[int, int]) -> Any:
    """The matrix with more rows and columns, which are empty."""
    indptr = np.append(matrix.indptr, np.repeat(matrix.indptr[-1], shape[0] - matrix.shape[0]))
    return sp.csr_array((matrix.data, matrix.indices, indptr), shape=shape)


def _places(matrix: Any) -> NDArray[np.int64]:
    """The number of each stored entry in the whole matrix, ascending."""
    row = np.repeat(np.arange(matrix.shape[0], dtype=np.int64), np.diff(matrix.indptr))
    places: NDArray[np.int64] = row * matrix.shape[1] + matrix.indices
    return places


def _column(frame: Any, name: str) -> Any:
    try:
        return frame[name]
    except Exception as error:  # the table library's own
        raise ValueError(f"the frame has no column {name!r}") from error


def _in_column(name: str, make: Callable[[Any], _Array], column: Any) -> _Array:
    try:
        return make(column)
    except (TypeError, ValueError) as error:
        raise ValueError(f"column {name!r}: {error}") from None
