"""Sums over rows: what a shard answers, and what the answers of several shards are together."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from fastfm_c.models._gradient import numbered_anew

__all__ = ["Delta", "add", "fold", "merge"]

_Part = TypeVar("_Part")
_Sums: TypeAlias = dict[str, NDArray[Any]]


@dataclass(frozen=True)
class Delta:
    """Sums over the rows of one shard or several.

    Parameters
    ----------
    features : ndarray of int64, ascending
        The features that the rows touch; no others are sent.
    rows : dict of str to ndarray
        Sums of each of these features: the first axis is theirs.
    totals : dict of str to ndarray
        Sums that belong to no feature.
    """

    features: NDArray[np.int64] = field(default_factory=lambda: np.empty(0, np.int64))
    rows: _Sums = field(default_factory=dict)
    totals: _Sums = field(default_factory=dict)

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays: what is sent."""
        return sum(array.nbytes for array in (self.features, *self.rows.values(), *self.totals.values()))


def add(a: Delta, b: Delta) -> Delta:
    """The sum of two, `a` first. An array that one of them lacks is zero."""
    zero: NDArray[Any] = np.zeros(())
    totals = {n: a.totals.get(n, zero) + b.totals.get(n, zero) for n in {**a.totals, **b.totals}}
    if not (len(a.features) and len(b.features)):
        longer = a if len(a.features) else b
        return Delta(longer.features, longer.rows, totals)
    if np.array_equal(a.features, b.features):
        return Delta(a.features, {name: a.rows[name] + b.rows[name] for name in a.rows}, totals)
    both = np.concatenate([a.features, b.features])
    features, places = numbered_anew(both, int(max(a.features[-1], b.features[-1])) + 1)
    of_a, of_b = np.split(places, [len(a.features)])
    rows = {name: np.zeros((len(features), *part.shape[1:]), part.dtype) for name, part in a.rows.items()}
    for name, of_both in rows.items():
        of_both[of_a] = a.rows[name]
        of_both[of_b] += b.rows[name]
    return Delta(features, rows, totals)


def fold(parts: Iterable[_Part], combine: Callable[[_Part, _Part], _Part]) -> _Part:
    """Combine neighbours, then neighbours of these, and so on: the order that decides the bits.

    No more than log2 of the number of parts wait for their neighbours at a time.

    Examples
    --------
    >>> fold("abcdefg", lambda a, b: f"({a}{b})")
    '(((ab)(cd))((ef)g))'
    """
    waiting: list[tuple[int, _Part]] = []  # how many parts each is made of, and what they are together
    for part in parts:
        n = 1
        while waiting and waiting[-1][0] == n:
            part = combine(waiting.pop()[1], part)
            n *= 2
        waiting.append((n, part))
    if not waiting:
        raise ValueError("there are no shards, expected at least one")
    whole = waiting.pop()[1]
    while waiting:
        whole = combine(waiting.pop()[1], whole)
    return whole


def merge(deltas: Iterable[Delta]) -> Delta:
    """The sum of the deltas of shards, made as a tree in the order of shards.

    The order decides the rounding, and so the bits. `Delta` holds sums, weighted by the occurrences of each
    feature: divided by the total of these they are means.

    Parameters
    ----------
    deltas : iterable of Delta
        In the order of shards; at least one.

    Returns
    -------
    Delta
    """
    return fold(deltas, add)
