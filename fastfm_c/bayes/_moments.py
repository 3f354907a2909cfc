"""What a posterior keeps of its samples: means, and the leading part of a mean of products."""

import numpy as np
from numpy.typing import NDArray

from fastfm_c.bayes._ordered import grade_probabilities

__all__ = ["FactorMean", "ScoreMoments", "probit"]

_Array = NDArray[np.float64]
MOST_COLUMNS = 512  # that are kept of the products' root
MOST_BYTES = 1 << 28


class FactorMean:
    """The mean of ``V @ V.T`` over samples of V, as a root: ``root @ root.T`` is the sum so far.

    The root gets columns with each sample. Where there would be too many it is turned to its own axes, and
    loses the smallest. With at most 512 features, or columns, nothing is lost.

    Parameters
    ----------
    n_features, n_factors : int
    """

    def __init__(self, n_features: int, n_factors: int) -> None:
        room = min(MOST_COLUMNS, MOST_BYTES // (8 * max(n_features, 1)))
        self.most = max(room, 4 * n_factors)
        self.n_samples = 0
        self._parts: list[_Array] = [np.zeros((n_features, 0))]  # of the root, side by side

    @property
    def root(self) -> _Array:
        """(n_features, columns) float64: its columns are joined when they are asked for."""
        if len(self._parts) > 1:
            self._parts = [np.concatenate(self._parts, axis=1)]
        return self._parts[0]

    @root.setter
    def root(self, root: _Array) -> None:
        self._parts = [root]

    def add(self, V: NDArray[np.floating]) -> None:
        """One sample more."""
        if sum(part.shape[1] for part in self._parts) + V.shape[1] > self.most:
            self.root = self._leading(min(self.most // 2, V.shape[0]))
        self._parts.append(V.astype(np.float64))
        self.n_samples += 1

    def factors(self, n_factors: int) -> _Array:
        """The V of so many factors whose ``V @ V.T`` is the best approximation of the mean."""
        leading = self._leading(n_factors) / np.sqrt(max(self.n_samples, 1))
        return np.pad(leading, ((0, 0), (0, n_factors - leading.shape[1])))

    def _leading(self, n: int) -> _Array:
        """The root of the n leading axes of ``root @ root.T``."""
        if self.root.shape[1] > self.root.shape[0]:  # fewer features than columns
            values, vectors = np.linalg.eigh(self.root @ self.root.T)
            return np.asarray(vectors[:, ::-1][:, :n] * np.sqrt(np.maximum(values[::-1][:n], 0)))
        _, vectors = np.linalg.eigh(self.root.T @ self.root)
        return np.asarray(self.root @ vectors[:, ::-1][:, :n])


class ScoreMoments:
    """Mean and spread of the scores of rows over samples, and the mean of their probabilities.

    Parameters
    ----------
    n_rows : int
    is_probit : bool
        Whether there are probabilities.
    n_grades : int, optional
        There is one for each grade then.
    """

    def __init__(self, n_rows: int, is_probit: bool, n_grades: int | None = None) -> None:
        self.n_samples = 0
        self.mean, self.squares = np.zeros(n_rows), np.zeros(n_rows)
        self.proba = np.zeros(n_rows if n_grades is None else (n_rows, n_grades)) if is_probit else None

    def add(self, scores: NDArray[np.floating], thresholds: _Array | None = None) -> None:
        """One sample more (Welford 1962); the thresholds between the grades, if there are any."""
        self.n_samples += 1
        off = scores.astype(np.float64) - self.mean
        self.mean += off / self.n_samples
        self.squares += off * (scores - self.mean)
        if self.proba is not None:
            proba = probit(scores) if thresholds is None else grade_probabilities(scores, thresholds)
            self.proba += (proba - self.proba) / self.n_samples

    def std(self) -> _Array:
        """The standard deviation over the samples."""
        return np.asarray(np.sqrt(self.squares / max(self.n_samples - 1, 1)))


def probit(scores: NDArray[np.floating]) -> _Array:
    """The probability of a 1 at these scores: the standard normal distribution function."""
    from scipy.special import ndtr  # imported when used

    return np.asarray(ndtr(scores.astype(np.float64)))
