"""The formulas in numba, as its users write them: parallel over rows, fast math."""

from __future__ import annotations

import numba
import numpy as np


@numba.njit(parallel=True, fastmath=True)
def fm_scores(indptr, indices, data, w0, w, V, squared_norms, scores):
    n_factors = V.shape[1]
    for i in numba.prange(len(scores)):
        s = np.zeros(n_factors, np.float32)
        linear = np.float32(w0)
        squares = np.float32(0)
        for p in range(indptr[i], indptr[i + 1]):
            j = indices[p]
            x = data[p]
            linear += w[j] * x
            squares += squared_norms[j] * x * x
            for f in range(n_factors):
                s[f] += V[j, f] * x
        pairs = np.float32(0)
        for f in range(n_factors):
            pairs += s[f] * s[f]
        scores[i] = linear + np.float32(0.5) * (pairs - squares)


@numba.njit(parallel=True, fastmath=True)
def ffm_scores(indptr, indices, data, fields, w0, w, V, scores):
    """The loop over pairs of non-zeros."""
    n_factors = V.shape[2]
    for i in numba.prange(len(scores)):
        score = np.float32(w0)
        for p in range(indptr[i], indptr[i + 1]):
            j = indices[p]
            score += w[j] * data[p]
            for q in range(p + 1, indptr[i + 1]):
                h = indices[q]
                dot = np.float32(0)
                for f in range(n_factors):
                    dot += V[j, fields[h], f] * V[h, fields[j], f]
                score += dot * data[p] * data[q]
        scores[i] = score
