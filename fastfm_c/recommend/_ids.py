"""Ids of users and items, and interactions that have some."""

from collections.abc import Hashable, Iterable
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["Ids", "Interactions", "joined_ids"]


class Ids:
    """Numbers 0, 1, 2, ... for keys of any hashable type, in the order in which the keys come.

    Parameters
    ----------
    keys : iterable of hashable
        Repeated ones keep their first number. As in a dict, 1, 1.0 and True are one key.

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

        Raises
        ------
        ValueError
            For a missing key (None, NaN), and for one that has no hash.
        """
        keys = _plain_keys(keys)
        for place, key in enumerate(keys):
            if _is_missing(key):
                raise ValueError(f"an id is missing: number {place} is {key!r}")
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


def joined_ids(given: Any, before: tuple[Any, Any], shape: tuple[int, int]) -> tuple[Any, Any]:
    """The ids of users and items after interactions of this shape; those of before may only grow."""
    is_named, found = isinstance(given, Interactions), []
    for old, n, name in zip(before, shape, ("user", "item"), strict=True):
        ids = getattr(given, f"{name}s") if is_named else old
        if ids is not None:
            if not isinstance(ids, Ids):
                raise ValueError(f"{name}s must be Ids, got {type(ids).__name__}")
            if len(ids) != n:
                raise ValueError(f"user_items has {n} {name}s, but there are ids of {len(ids)}")
            if old is not None and ids.keys(np.arange(min(len(old), n))) != old.keys():
                raise ValueError(
                    f"{name}s must begin with those of before: from_frame(..., {name}s={name}_ids_) does so"
                )
        found.append(ids)
    return found[0], found[1]


def _plain_keys(keys: Iterable[Hashable]) -> list[Hashable]:
    """Keys as a list; numbers of NumPy become Python's, which are equal and can be saved."""
    if hasattr(keys, "to_numpy"):
        keys = keys.to_numpy()
    if isinstance(keys, np.ndarray):
        keys = keys.tolist()
    plain = [key.item() if isinstance(key, np.generic) else key for key in keys]
    for key in plain:
        try:
            hash(key)
        except TypeError:
            raise ValueError(f"an id is {key!r:.200}, which has no hash") from None
    return plain


def _is_missing(key: Any) -> bool:
    """None, NaN, NaT, and the NA of pandas, which equals nothing."""
    return key is None or (key == key) is not True
