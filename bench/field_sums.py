"""The FFM score by sums over fields, in SciPy and torch: what users of array libraries write.

With S[a, b] = sum of V[i, b] x_i over the features i of field a, the pairs of a row add up to
half of sum_ab <S[a, b], S[b, a]> - sum_i |V[i, a_i] x_i|^2. Batches of rows keep S in cache.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import scipy.sparse as sp

from .problem import Problem

BATCH_NUMBERS = 250_000  # of S: 1 MB in float32


def scipy_ffm(problem: Problem) -> Callable[[int], np.ndarray]:
    table = _table(problem)
    batches = _batches_by_field(problem)

    def batch_products(batch: sp.csr_matrix) -> np.ndarray:
        S = (batch @ table).reshape(-1, problem.n_fields, *problem.V.shape[1:])
        return np.einsum("iabf,ibaf->i", S, S)

    return _predictor(problem, lambda: [batch_products(batch) for batch in batches])


def torch_ffm(problem: Problem) -> Callable[[int], np.ndarray]:
    import torch

    table = torch.from_numpy(_table(problem))
    batches = [
        [torch.from_numpy(array) for array in (batch.indices, batch.indptr[:-1], batch.data)]
        for batch in _batches_by_field(problem)
    ]

    def batch_products(indices, offsets, x) -> np.ndarray:
        bag = torch.nn.functional.embedding_bag
        sums = bag(indices, table, offsets, mode="sum", per_sample_weights=x)
        S = sums.reshape(-1, problem.n_fields, *problem.V.shape[1:])
        return (S * S.transpose(1, 2)).sum((1, 2, 3)).numpy()

    @torch.inference_mode()
    def products() -> list[np.ndarray]:
        return [batch_products(*batch) for batch in batches]

    return _predictor(problem, products)


def _table(problem: Problem) -> np.ndarray:
    return problem.V.reshape(len(problem.V), -1)


def _batches_by_field(problem: Problem) -> list[sp.csr_matrix]:
    """X as matrices with a row for each (row, field), a batch of rows of X in each."""
    X, F = problem.X, problem.n_fields
    n_groups = X.shape[0] * F
    group = np.repeat(np.arange(X.shape[0]), np.diff(X.indptr)) * F + problem.fields[X.indices]
    order = np.argsort(group, kind="stable")
    indptr = np.searchsorted(group[order], np.arange(n_groups + 1)).astype(np.int32)
    arrays = X.data[order], X.indices[order], indptr
    grouped = sp.csr_matrix(arrays, shape=(n_groups, X.shape[1]))
    step = max(1, BATCH_NUMBERS // (F * F * problem.n_factors)) * F
    return [grouped[begin : begin + step] for begin in range(0, n_groups, step)]


def _predictor(problem: Problem, products: Callable[[], list[np.ndarray]]) -> Callable[[int], np.ndarray]:
    """Scores from a function that returns sum_ab <S[a, b], S[b, a]> of each row, in batches."""
    X_squared, squared_norms = problem.X.multiply(problem.X).tocsr(), problem.squared_norms()

    def predict(num_threads: int) -> np.ndarray:
        pairs = np.concatenate(products()) - X_squared @ squared_norms
        return np.float32(problem.w0) + problem.X @ problem.w + np.float32(0.5) * pairs

    return predict
