"""`top_pairs`: the pairs of features with the largest products, without a square of n_features.

Features are sorted by the length of their factors. No product is larger than that of the lengths, so that
blocks are taken in descending order of this bound, until it is below the n-th largest product that was found.
"""

from itertools import combinations_with_replacement
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastfm_c._validation import as_count
from fastfm_c.inspection._terms import as_model

__all__ = ["top_pairs"]

_Array: TypeAlias = NDArray[np.float64]
_Index: TypeAlias = NDArray[np.intp]

_SIDE = 1024  # features of a block; its products take 8 MB
# Rounding may make a product larger than its bound, by less than this share.
_ROUNDING = 1e-12


def top_pairs(model: Any, n: int, *, features: ArrayLike | None = None) -> list[tuple[int, int, float]]:
    """The n pairs of features whose factors have the largest absolute product.

    Parameters
    ----------
    model
        As for `explain`.
    n : int
        How many.
    features : array_like of int, optional
        Look at pairs of these features alone. Default: all.

    Returns
    -------
    list of (int, int, float)
        Features i < j and ``<v_i, v_j>``, of an FFM ``<V[i, field of j], V[j, field of i]>``; the largest
        absolute value first, equal ones by i and j. With several outputs a pair has the value that is largest
        among them.

    Raises
    ------
    ValueError
        For an n < 1, and for features that the model does not have or that are named twice.

    Examples
    --------
    >>> from fastfm_c import FM
    >>> top_pairs(FM(0.0, [0.0, 0.0, 0.0], [[1.0], [-3.0], [2.0]]), 2)
    [(1, 2, -6.0), (0, 1, -3.0)]
    """
    n, model = as_count(n, "n"), as_model(model)
    chosen = _features(features, model.n_features)
    fields = getattr(model, "fields", None)
    V = model.V if model._snapshot().has_outputs else model.V[None]
    best = _Best(n, len(V))
    for V_c in V:
        if fields is None:
            factors = V_c[chosen].astype(np.float64)
            _search(best, chosen, factors, chosen, factors)
            continue
        of_field = [chosen[np.asarray(fields)[chosen] == a] for a in range(model.n_fields)]
        for a, b in combinations_with_replacement(range(model.n_fields), 2):
            left, right = of_field[a], of_field[b]
            _search(best, left, V_c[left, b].astype(np.float64), right, V_c[right, a].astype(np.float64))
    return best.pairs()


def _features(features: ArrayLike | None, n_features: int) -> _Index:
    if features is None:
        return np.arange(n_features)
    chosen = np.asarray(features)
    if chosen.ndim != 1 or (chosen.size and chosen.dtype.kind not in "iu"):
        raise ValueError(f"features must be integers in one dimension, got {chosen.dtype} of {chosen.shape}")
    for j in chosen[(chosen < 0) | (chosen >= n_features)][:1]:
        raise ValueError(f"features has {j}, outside 0..{n_features - 1}")
    values, counts = np.unique(chosen, return_counts=True)
    if (counts > 1).any():
        raise ValueError(f"features has {values[counts > 1][0]} twice")
    return values.astype(np.intp)


class _Best:
    """The pairs that were found, cut to the best ones now and then."""

    def __init__(self, n: int, n_outputs: int) -> None:
        self._n = n * n_outputs  # a pair may come once for each output
        self._wanted = n
        self._i, self._j = np.zeros(0, np.intp), np.zeros(0, np.intp)
        self._value = np.zeros(0)
        self.least = -1.0  # a smaller absolute value is of no use

    def add(self, i: _Index, j: _Index, value: _Array) -> None:
        """Take pairs, and forget those that are too small."""
        i, j = np.minimum(i, j), np.maximum(i, j)
        self._i, self._j = np.concatenate([self._i, i]), np.concatenate([self._j, j])
        self._value = np.concatenate([self._value, value])
        if len(self._value) > self._n:
            order = np.lexsort([self._j, self._i, -np.abs(self._value)])[: self._n]
            self._i, self._j, self._value = self._i[order], self._j[order], self._value[order]
            self.least = float(np.abs(self._value[-1]))

    def pairs(self) -> list[tuple[int, int, float]]:
        """The result."""
        found: dict[tuple[int, int], float] = {}
        for at in np.lexsort([self._j, self._i, -np.abs(self._value)]):
            found.setdefault((int(self._i[at]), int(self._j[at])), float(self._value[at]))
        return [(i, j, value) for (i, j), value in list(found.items())[: self._wanted]]


def _search(best: _Best, left: _Index, A: _Array, right: _Index, B: _Array) -> None:
    """Add the pairs of a feature of `left` and one of `right`, whose factors are A and B."""
    if not (len(left) and len(right)):
        return
    same = left is right
    left, A, of_left = _by_length(left, A)
    right, B, of_right = _by_length(right, B)
    starts = [
        (i, j) for i in range(0, len(left), _SIDE) for j in range(0, len(right), _SIDE) if not same or j >= i
    ]
    bounds = np.array([of_left[i] * of_right[j] for i, j in starts]) * (1 + _ROUNDING)
    for block in np.argsort(-bounds, kind="stable"):
        if bounds[block] < best.least:
            return
        i, j = starts[block]
        products = A[i : i + _SIDE] @ B[j : j + _SIDE].T
        is_pair = np.abs(products) >= best.least
        if same:  # each pair once, and none of a feature with itself
            is_pair &= left[i : i + _SIDE, None] != right[None, j : j + _SIDE]
            if i == j:
                is_pair &= np.arange(len(products))[:, None] < np.arange(products.shape[1])
        rows, columns = np.nonzero(is_pair)
        best.add(left[i + rows], right[j + columns], products[rows, columns])


def _by_length(features: _Index, factors: _Array) -> tuple[_Index, _Array, _Array]:
    length = np.linalg.norm(factors, axis=1)
    order = np.argsort(-length, kind="stable")
    return features[order], factors[order], length[order]
