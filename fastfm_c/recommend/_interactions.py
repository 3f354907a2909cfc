"""Interactions of users and items: their checks, the ids of both, and tables of them."""

from collections.abc import Hashable, Iterable
from typing import Any, NamedTuple, TypeAlias

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from fastfm_c._validation import as_csr

__all__ = ["Ids", "Interactions", "as_interactions", "from_frame", "resized", "weights_of"]

_Array: TypeAlias = NDArray[Any]


class Ids:
    """Numbers 0, 1, 2, ... for keys of any hashable type, in the order in which the keys come.

    Parameters
    ----------
    keys : iterable of hashable
        Repeated ones keep their first number.

    Examples
    --------
    >>> from fastfm_c.recommend import Ids
    >>> ids = Ids(["ann", "bob", "ann"])
    >>> ids.numbers(["bob", "ann", "eve"]), ids.keys([1])
    (array([ 1,  0, -1]), ['bob'])
    >>> ids.add(["eve"])
    array([2])
    """

    def __init__(self, keys: Iterable[Hashable] = ()) -> None:
        self._numbers: dict[Hashable, int] = {}
        self._keys: list[Hashable] = []
        self.add(keys)

    def add(self, keys: Iterable[Hashable]) -> NDArray[np.int64]:
        """The numbers of the keys; new ones get the next numbers.

        Parameters
        ----------
        keys : iterable of hashable

        Returns
        -------
        int64 ndarray
        """
        keys = _plain_keys(keys)
        for key in keys:
            if key not in self._numbers:
                self._numbers[key] = len(self._keys)
                self._keys.append(key)
        return self.numbers(keys)

    def numbers(self, keys: Iterable[Hashable]) -> NDArray[np.int64]:
        """The numbers of the keys; -1 for one that is not known.

        Parameters
        ----------
        keys : iterable of hashable

        Returns
        -------
        int64 ndarray
        """
        return np.array([self._numbers.get(key, -1) for key in _plain_keys(keys)], np.int64)

    def keys(self, numbers: Any = None) -> list[Any]:
        """The keys of numbers; None for -1.

        Parameters
        ----------
        numbers : array_like of int, optional
            Default: all.

        Returns
        -------
        list
        """
        if numbers is None:
            return list(self._keys)
        return [None if number < 0 else self._keys[number] for number in np.ravel(numbers).tolist()]

    def __len__(self) -> int:
        return len(self._keys)

    def __contains__(self, key: object) -> bool:
        return key in self._numbers

    def __eq__(self, other: object) -> bool:
        return self._keys == other._keys if isinstance(other, Ids) else NotImplemented

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"Ids({len(self)} keys)"


class Interactions(NamedTuple):
    """A matrix of interactions, and what its rows and columns stand for.

    Parameters
    ----------
    matrix : csr_array of shape (n_users, n_items)
    users, items : Ids
    """

    matrix: Any
    users: Ids
    items: Ids


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

    Examples
    --------
    >>> from fastfm_c.recommend import from_frame
    >>> seen = from_frame({"who": ["ann", "bob"], "what": ["tea", "jam"]}, user="who", item="what")
    >>> seen.matrix.toarray(), seen.items.keys()
    (array([[1., 0.],
           [0., 1.]], dtype=float32), ['tea', 'jam'])
    """
    known = [Ids(() if old is None else old.keys()) for old in (users, items)]
    rows, columns = (ids.add(frame[name]) for ids, name in zip(known, (user, item), strict=True))
    if len(rows) != len(columns):
        raise ValueError(f"column {user!r} has {len(rows)} values, column {item!r} has {len(columns)}")
    values = np.ones(len(rows), np.float32) if weight is None else np.asarray(frame[weight], np.float32)
    if values.shape != rows.shape:
        raise ValueError(f"column {weight!r} has shape {values.shape}, expected {rows.shape}")
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
    try:
        indptr, indices, data, shape = as_csr(matrix)
        matrix = sp.csr_array((data.astype(np.float64), indices, indptr), shape=shape)
        matrix.check_format(full_check=True)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    bad = ~(np.isfinite(matrix.data) & (matrix.data >= 0))
    if bad.any():
        p = int(np.argmax(bad))
        row = int(np.searchsorted(matrix.indptr, p, side="right")) - 1
        raise ValueError(f"row {row} of {name} holds {matrix.data[p]}, expected finite weights >= 0")
    matrix = matrix.copy()
    matrix.sum_duplicates()
    return matrix


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


def _plain_keys(keys: Iterable[Hashable]) -> list[Hashable]:
    """Keys as a list; numbers of NumPy become Python's, which are equal and can be saved."""
    if hasattr(keys, "to_numpy"):
        keys = keys.to_numpy()
    if isinstance(keys, np.ndarray):
        plain: list[Hashable] = keys.tolist()
        return plain
    return [key.item() if isinstance(key, np.generic) else key for key in keys]
