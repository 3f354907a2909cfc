"""Shapley values of fields, and their interactions.

A field's own part is ``g_a(x)``: its linear terms and the pairs within it. Two fields have the product
``<S[a, b], S[b, a]>`` (FM: ``<S_a, S_b>``) of the sums of their factors. With R the background and E its
mean:

    phi_a = g_a(x) - E g_a(r) + 1/2 sum_{b != a} [ x x + x mu - mu x - E r r ]

where ``x mu`` stands for ``<S_x[a, b], S_mu[b, a]>``, and likewise the others. S is linear, so that the mean
of S is S of the mean.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from fastfm_c.inspection._terms import row_blocks, split_by

if TYPE_CHECKING:
    from fastfm_c.inspection._terms import Terms

__all__ = ["FieldGame"]

_Array: TypeAlias = NDArray[np.float64]


@dataclass
class _Sums:
    """What the fields of some rows add up to."""

    own: _Array  # (rows, P) g_a
    factors: _Array  # (rows, P, k) of an FM, (rows, P, P, k) of an FFM


class FieldGame:
    """The fields of one output as players, against a background or, with None, against the empty row."""

    def __init__(self, terms: "Terms", player: NDArray[np.intp], n_players: int, R: Any, pairs: bool) -> None:
        self._terms, self._player, self._n_players = terms, player, n_players
        self._is_field_aware = terms.n_fields > 1
        n = len(terms.w)
        rows = sp.csr_array((1, n)) if R is None else R
        mean = np.bincount(rows.indices, rows.data, n)[None] / rows.shape[0]
        self._mean = self._sums(sp.csr_array(mean)).factors
        own, cross = np.zeros(n_players), np.zeros(n_players)
        self._products = np.zeros((n_players, n_players))
        for block in row_blocks(rows, self.numbers_per_row(pairs)):
            sums = self._sums(rows[block])
            own += sums.own.sum(axis=0)
            cross += self._cross(sums.factors, sums.factors).sum(axis=0)
            if pairs:
                self._products += self._pairs_between(sums.factors, sums.factors).sum(axis=0)
        self._own, self._cross_mean = own / rows.shape[0], cross / rows.shape[0]
        self._products /= rows.shape[0]
        self.base = terms.w0 + float(self._own.sum()) + 0.5 * float(self._cross_mean.sum())

    def numbers_per_row(self, pairs: bool) -> int:
        """Numbers that are kept for a row while it is worked on."""
        P, k = self._n_players, int(self._terms.V.shape[2])
        return P * P * k if self._is_field_aware or pairs else P * k

    def values(self, X: Any) -> tuple[_Array, _Array]:
        """The values of the fields, (rows, P), and the sums of factors, for `interactions`."""
        sums = self._sums(X)
        S, mean = sums.factors, self._mean
        cross = self._cross(S, S) + self._cross(S, mean) - self._cross(mean, S) - self._cross_mean
        return sums.own - self._own + 0.5 * cross, S

    def interactions(self, S: _Array) -> _Array:
        """The interactions of each two fields, (rows, P, P), 0 on the diagonal."""
        mean = self._mean
        pairs = self._pairs_between(S, S) - self._pairs_between(S, mean) - self._pairs_between(mean, S)
        pairs += self._products
        diagonal = np.arange(self._n_players)
        pairs[:, diagonal, diagonal] = 0.0
        return pairs

    def _sums(self, X: Any) -> _Sums:
        terms, P = self._terms, self._n_players
        n, F, k = terms.V.shape
        by_player = split_by(X, self._player, P)
        shape = (X.shape[0], P, F, k) if self._is_field_aware else (X.shape[0], P, k)
        factors = (by_player @ terms.V.reshape(n, F * k)).reshape(shape)
        S = np.einsum("raak->rak", factors) if self._is_field_aware else factors
        squares = by_player.power(2) @ terms.square
        own = by_player @ terms.w + 0.5 * (np.einsum("rak,rak->ra", S, S).ravel() - squares)
        return _Sums(own.reshape(X.shape[0], P), factors)

    def _pairs_between(self, left: _Array, right: _Array) -> _Array:
        """``<left[a, b], right[b, a]>`` of each two fields, (rows, P, P)."""
        if self._is_field_aware:
            result: _Array = np.einsum("rabk,rbak->rab", *np.broadcast_arrays(left, right))
            return result
        result = left @ right.swapaxes(1, 2)
        return result

    def _cross(self, left: _Array, right: _Array) -> _Array:
        """The sum of `_pairs_between` over the other fields b, (rows, P)."""
        if not self._is_field_aware:
            left, right = np.broadcast_arrays(left, right)
            result: _Array = np.einsum("rak,rak->ra", left, right.sum(axis=1, keepdims=True) - right)
            return result
        pairs = self._pairs_between(left, right)
        result = pairs.sum(axis=2) - np.einsum("raa->ra", pairs)
        return result
