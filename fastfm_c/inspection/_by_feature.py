"""Shapley values of features, and their interactions.

With mu the mean of the background R, and E its mean over R:

    phi_i = w_i (x_i - mu_i) + 1/2 [ x_i c_i(x) + x_i c_i(mu) - mu_i c_i(x) - E r_i c_i(r) ]

A column that is neither in x nor in mu has the value 0. So without a background the values are as sparse as
X.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, TypeAlias

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from fastfm_c.inspection._terms import Terms, row_blocks, rows_of_entries

__all__ = ["FeatureBackground", "FeaturePairs", "stored_values", "write_values"]

_Array: TypeAlias = NDArray[np.float64]


@dataclass
class FeatureBackground:
    """What the values need of the background, for one output."""

    mean: _Array  # (n,) mu
    pairs: _Array  # (n,) c_i(mu)
    own: _Array  # (n,) E r_i c_i(r)
    base: float  # E f(r)
    n_columns: int  # the columns of R, which come first, by field

    @classmethod
    def of(cls, terms: Terms, R: Any, n_columns: int) -> "FeatureBackground":
        """Take one pass over R, which may be None for the empty row."""
        n = len(terms.w)
        zeros = np.zeros(n)
        if R is None:
            return cls(zeros, zeros, zeros, terms.w0, 0)
        mean = np.bincount(R.indices, R.data, n) / R.shape[0]
        own = np.zeros(n)
        for block in row_blocks(R, terms.numbers_per_row):
            part = R[block]
            c = terms.pairs_of_entries(part, terms.sums(part))
            own += np.bincount(part.indices, part.data * c, n)
        own /= R.shape[0]
        S = terms.sums(sp.csr_array(mean[None]))[0]
        pairs = np.einsum("ibk,bik->i", terms.V, S[:, terms.field]) - terms.square * mean
        base = terms.w0 + float(terms.w @ mean) + 0.5 * float(own.sum())
        return cls(mean, pairs, own, base, n_columns)


def stored_values(terms: Terms, X: Any, background: FeatureBackground) -> _Array:
    """The values of the stored entries of X: all there are without a background."""
    values = np.empty(len(X.data))
    for block in row_blocks(X, terms.numbers_per_row):
        part = X[block]
        begin, end = X.indptr[block.start], X.indptr[block.stop]
        values[begin:end] = _of_entries(terms, part, terms.sums(part), background)
    return values


def write_values(
    terms: Terms, X: Any, background: FeatureBackground, out: _Array, columns: NDArray[np.intp]
) -> None:
    """Write the values of all columns; column i of X is column ``columns[i]`` of `out`."""
    n, n_mean = X.shape[1], background.n_columns
    mean = background.mean[:n_mean]
    V = terms.V[:n_mean] * (-0.5 * mean[:, None, None])
    constant = -terms.w[:n_mean] * mean - 0.5 * background.own[:n_mean]
    ends = np.searchsorted(terms.field[:n_mean], np.arange(terms.n_fields + 1))
    blocks = list(row_blocks(X, terms.numbers_per_row + n))
    room = np.zeros((blocks[0].stop if blocks else 0, n))  # one for all blocks: new memory costs more
    for block in blocks:
        part = X[block]
        S, values = terms.sums(part), room[: block.stop - block.start]
        for a, (begin, end) in enumerate(pairwise(ends)):
            of_field = V[begin:end].reshape(end - begin, terms.V[0].size if n else 0)
            np.matmul(S[:, :, a].reshape(len(S), -1), of_field.T, out=values[:, begin:end])
        values[:, :n_mean] += constant
        values[:, n_mean:] = 0.0
        values[rows_of_entries(part), part.indices] += _of_entries(terms, part, S, background)
        out[block, columns] = values


def _of_entries(terms: Terms, X: Any, S: _Array, background: FeatureBackground) -> _Array:
    """``x_i (w_i + c_i(x) / 2 + c_i(mu) / 2)``, and what of ``mu_i c_i(x)`` is not in ``<V[i], S>``."""
    weights = terms.w + 0.5 * (background.pairs + background.mean * terms.square)
    values: _Array = X.data * (weights[X.indices] + 0.5 * terms.pairs_of_entries(X, S))
    return values


class FeaturePairs(Sequence[Any]):
    """The Shapley interactions of the features of each row; one row's are made when it is asked for.

    ``pairs[row]`` is symmetric, (p, p), or (outputs, p, p) with several outputs. Without a background and
    with one output it is a `scipy.sparse.csr_array`, else an array. The interaction of i and j is ``a_ij
    E[(x_i - r_i)(x_j - r_j)]``, with a_ij the product of the pair's factors.
    """

    def __init__(
        self,
        terms: list[Terms],
        X: Any,
        R: Any,
        columns: NDArray[np.intp],
        n_features: int,
        has_outputs: bool,
    ) -> None:
        self._terms, self._X, self._columns = terms, X, columns
        self._n_features, self._has_outputs = n_features, has_outputs
        self._mean = np.zeros(len(columns))
        self._second = None
        if R is not None:
            self._mean = np.bincount(R.indices, R.data, len(columns)) / R.shape[0]
            self._second = sp.csr_array(R.T @ R) / R.shape[0]

    def __len__(self) -> int:
        return int(self._X.shape[0])

    def __getitem__(self, row: Any) -> Any:
        row = range(len(self))[row]
        if isinstance(row, range):
            return [self[i] for i in row]
        begin, end = self._X.indptr[row : row + 2]
        used, x = self._X.indices[begin:end].astype(np.intp), self._X.data[begin:end]
        if self._second is not None:
            used, x = np.arange(len(self._columns)), self._X[[row]].toarray()[0]
        mean = self._mean[used]
        moments = np.outer(x, x) - np.outer(x, mean) - np.outer(mean, x)
        if self._second is not None:
            moments += self._second.toarray()
        p, at = self._n_features, self._columns[used]
        of_outputs = [terms.products(used) * moments for terms in self._terms]
        if not self._has_outputs and self._second is None:
            index = np.repeat(at, len(at)), np.tile(at, len(at))
            pairs = sp.csr_array((of_outputs[0].ravel(), index), shape=(p, p))
            pairs.eliminate_zeros()
            return pairs
        result = np.zeros((len(of_outputs), p, p))
        for output, values in zip(result, of_outputs, strict=True):
            output[np.ix_(at, at)] = values
        return result if self._has_outputs else result[0]
