"""Rows that are scored again and again beside changing contexts."""

from typing import Any, Self, TypeAlias

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from fastfm_c._core import CandidateRows, Model
from fastfm_c._validation import as_count

__all__ = ["Candidates"]

_Array: TypeAlias = NDArray[Any]


class Candidates:
    """Rows that are scored again and again beside changing context, such as all items of a shop.

    The rows are reduced once to their sums. A context then costs ``n_factors`` multiplications a candidate
    with an `FM`, whatever the lengths of the rows are, and as many for each pair of a field of the context
    and a field of the candidates with an `FFM`.

    Parameters
    ----------
    model : FM, FFM, or a model of `fastfm_c.serving.quantize`
        Of one output and without `normalize`, which would divide by the length of the joined row. When its
        parameters change, the candidates have to be made anew. Small parameters are read where they are, and
        the sums are float32: so are the scores, with the bits that the model's `full` gives.
    X : scipy.sparse CSR matrix or array of shape (n_candidates, n_features)
        The candidates, whose columns no context has. As for `FM.predict`.
    own_pairs : bool, default True
        Whether a score has the pairs inside a candidate's own row. False leaves them out: for models that
        were learned without them.
    num_threads : int, optional
        As for `FM.predict`.

    Raises
    ------
    ValueError
        For a model of several outputs or with `normalize`, and for what `FM.predict` refuses.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.sparse import csr_array
    >>> from fastfm_c import FM
    >>> from fastfm_c.recommend import Candidates
    >>> fm = FM(0.0, [0.0, 0.0, 0.5, 0.0], np.array([[1.0], [-1.0], [1.0], [2.0]]))
    >>> items = Candidates(fm, csr_array([[0, 0, 1.0, 0], [0, 0, 0, 1.0]]))
    >>> items.scores(csr_array([[1.0, 0, 0, 0], [0, 1.0, 0, 0]]))
    array([[ 1.5,  2. ],
           [-0.5, -2. ]])
    >>> indices, scores = items.top_k(csr_array([[1.0, 0, 0, 0]]), 1)
    >>> indices, scores
    (array([[1]]), array([[2.]]))
    """

    __slots__ = ("_rows",)
    _rows: CandidateRows

    def __init__(
        self, model: Model, X: Any, *, own_pairs: bool = True, num_threads: int | None = None
    ) -> None:
        self._rows = _reduced(model, X, bool(own_pairs), True, num_threads)

    @classmethod
    def _without_pairs(cls, model: Model, X: Any, own_pairs: bool, num_threads: int | None) -> Self:
        """Candidates for contexts whose own pairs count only with `own_pairs`, as those of the candidates."""
        made = cls.__new__(cls)
        made._rows = _reduced(model, X, own_pairs, own_pairs, num_threads)
        return made

    def _taken(self, index: NDArray[np.int64]) -> Self:
        """Some of the candidates, in this order."""
        made = type(self).__new__(type(self))
        made._rows = self._rows.taken(index)
        return made

    @property
    def n_candidates(self) -> int:
        """Number of candidates."""
        return self._rows.n_candidates

    @property
    def n_features(self) -> int:
        """Number of columns of candidates and contexts."""
        return self._rows.n_features

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of scores: that of the model."""
        return self._rows.dtype

    @property
    def nbytes(self) -> int:
        """Bytes of the reduced candidates."""
        return int(self._rows.panels.nbytes + self._rows.constants.nbytes)

    def scores(self, X_context: Any, *, out: _Array | None = None, num_threads: int | None = None) -> _Array:
        """Scores of all candidates beside each context.

        Parameters
        ----------
        X_context : scipy.sparse CSR matrix or array of shape (n_context, n_features)
        out : ndarray of shape (n_context, n_candidates), optional
            Where to write the scores: the model's dtype, C order.
        num_threads : int, optional
            As for `FM.predict`. The bits of a score depend on nothing but the model, the context and the
            candidate.

        Returns
        -------
        ndarray of shape (n_context, n_candidates), of the model's dtype
            What `FM.predict` gives for the sum of both rows, up to rounding: the difference is at most 1e-5
            (float32) or 1e-13 (float64) of the sum of the absolute values of all terms of the score.

        Raises
        ------
        ValueError
            For a context with a column that a candidate has, too, an unfit `out`, and for what
            `FM.predict` refuses.
        """
        return self._rows.scores(X_context, out, num_threads)

    def top_k(
        self, X_context: Any, k: int, *, exclude: Any = None, num_threads: int | None = None
    ) -> tuple[NDArray[np.int64], _Array]:
        """The candidates of the highest scores for each context.

        There is never a matrix of all scores: memory grows with `k`, not with the number of candidates.

        Parameters
        ----------
        X_context
            As for `scores`.
        k : int
        exclude : scipy.sparse matrix or array of shape (n_context, n_candidates), optional
            Candidates that are not chosen: its stored entries, whatever their values are.
        num_threads : int, optional
            As for `scores`.

        Returns
        -------
        indices : int64 ndarray of shape (n_context, k)
            Rows of `X`, the highest score first; of equal scores the smaller index comes first. A score that
            is NaN or -inf is never chosen. -1 where fewer candidates are left.
        scores : ndarray of shape (n_context, k), of the model's dtype
            The bits that `scores` gives, except that 0.0 stands for -0.0. -inf where fewer are left.

        Raises
        ------
        ValueError
            As for `scores`; for a `k` below 1; for an `exclude` that is malformed or of another shape.
        """
        k = as_count(k, "k")
        if exclude is not None:
            exclude = _excluded(exclude, self.n_candidates)
        return self._rows.top_k(X_context, k, exclude, num_threads)

    def vectors(self) -> _Array:
        """A vector for each candidate whose inner products with `query_vectors` are the scores.

        So libraries for nearest neighbours by inner product find candidates: faiss, hnswlib, usearch.

        Returns
        -------
        ndarray of shape (n_candidates, d), of the model's dtype
            An FM has ``d = n_factors + 2``: the sums of the candidate, its own score, and 1.
        """
        panels, n = self._rows.panels, self.n_candidates
        vectors = np.ones((n, panels.shape[1] + 2), self.dtype)
        vectors[:, :-2] = panels.transpose(0, 2, 1).reshape(-1, panels.shape[1])[:n]
        vectors[:, -2] = self._rows.constants[:n]
        return vectors

    def query_vectors(self, X_context: Any, *, num_threads: int | None = None) -> _Array:
        """A vector for each context, for the inner products with `vectors`.

        Parameters
        ----------
        X_context, num_threads
            As for `scores`.

        Returns
        -------
        ndarray of shape (n_context, d), of the model's dtype
            The sums of the context, 1, and its own score.
        """
        sums, own = self._rows.query_vectors(X_context, num_threads)
        return np.column_stack([sums, np.ones_like(own), own])

    def __repr__(self) -> str:
        rows = self._rows
        return (
            f"Candidates(n_candidates={rows.n_candidates}, n_features={rows.n_features}, dtype={rows.dtype})"
        )


def _reduced(
    model: Model, X: Any, own_pairs: bool, context_pairs: bool, num_threads: int | None
) -> CandidateRows:
    if not isinstance(model, Model):
        raise ValueError(f"model must be an FM, an FFM or a quantised model, got {type(model).__name__}")
    now = model._snapshot()
    if now.has_outputs:
        raise ValueError(f"model has {len(now.w0)} outputs, expected one score a row")
    if now.normalize is not None:
        raise ValueError(
            f"model has normalize={now.normalize!r}, expected None: the length of a joined row is unknown "
            "beforehand"
        )
    return CandidateRows.of(now, X, own_pairs, context_pairs, num_threads)


def _excluded(exclude: Any, n_candidates: int) -> tuple[_Array, _Array]:
    """(indptr, indices) of excluded candidates, in ascending order in each row."""
    if not sp.issparse(exclude):
        raise ValueError(f"exclude must be a sparse matrix, got {type(exclude).__name__}")
    if len(exclude.shape) != 2 or exclude.shape[1] != n_candidates:
        raise ValueError(f"exclude has shape {exclude.shape}, expected (n_context, {n_candidates})")
    exclude = exclude.tocsr()
    indptr, indices = np.asarray(exclude.indptr), np.asarray(exclude.indices)
    lengths = np.diff(indptr)
    if (
        len(indptr) != exclude.shape[0] + 1
        or indptr[0] != 0
        or (lengths < 0).any()
        or indptr[-1] > len(indices)
    ):
        raise ValueError("exclude.indptr decreases or leaves the arrays")
    indices = indices[: indptr[-1]]
    outside = (indices < 0) | (indices >= n_candidates)
    row = np.repeat(np.arange(len(lengths)), lengths)
    if outside.any():
        p = int(np.argmax(outside))
        raise ValueError(f"row {row[p]} of exclude has column {indices[p]}, outside 0..{n_candidates - 1}")
    if ((np.diff(indices) < 0) & (np.diff(row) == 0)).any():
        indices = indices[np.lexsort((indices, row))]
    index = np.int32 if indptr.dtype == np.int32 and indices.dtype == np.int32 else np.int64
    return np.require(indptr, index, ["C", "A"]), np.require(indices, index, ["C", "A"])
