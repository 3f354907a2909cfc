"""What is scored: the rows of a workload and the parameters of a random model."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import scipy.sparse as sp

from .workloads import Split


@dataclass(frozen=True)
class Problem:
    """Rows and a float32 model; ``V`` is (n_features, n_factors), or for an FFM
    (n_features, n_fields, n_factors). Every contender gets these very arrays."""

    workload: str
    model: str
    X: sp.csr_matrix
    y: np.ndarray
    fields: np.ndarray | None
    w0: float
    w: np.ndarray
    V: np.ndarray

    @property
    def n_factors(self) -> int:
        return self.V.shape[-1]

    @property
    def n_fields(self) -> int:
        return self.V.shape[1]

    def squared_norms(self) -> np.ndarray:
        """For each feature |v|^2 of the factors that meet the feature itself."""
        own = self.V if self.model == "FM" else self.V[np.arange(len(self.V)), self.fields]
        return np.einsum("jf,jf->j", own, own)


def make_problem(workload: str, model: str, n_factors: int, split: Split) -> Problem:
    """A problem with parameters drawn from N(0, 0.1), always with the same seed."""
    rng = np.random.default_rng(1)
    n_features = split.X.shape[1]
    shape = (n_features, n_factors) if model == "FM" else (n_features, split.n_fields, n_factors)
    w = rng.normal(0, 0.1, n_features).astype(np.float32)
    V = rng.standard_normal(shape, np.float32)
    V *= np.float32(0.1)
    return Problem(workload, model, split.X, split.y, split.fields, 0.1, w, V)


def make_model(problem: Problem):
    """The fastfm_c model of a problem."""
    import fastfm_c

    if problem.model == "FM":
        return fastfm_c.FM(problem.w0, problem.w, problem.V)
    return fastfm_c.FFM(problem.w0, problem.w, problem.V, problem.fields)
