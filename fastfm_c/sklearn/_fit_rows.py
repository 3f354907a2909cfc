"""What a fit learns from: checked rows, their targets and their weights."""

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray
from sklearn.utils.validation import _check_sample_weight

__all__ = [
    "FitRows",
    "Split",
    "Weights",
    "checked_weights",
    "require_valid_weights",
    "weighted",
    "with_mean_one",
]

Weights: TypeAlias = NDArray[np.float64]


@dataclass
class FitRows:
    """Checked rows, with the targets and the weights that a solver learns from.

    Parameters
    ----------
    X : CSR matrix or array of shape (n_rows, n_features)
    targets : ndarray of shape (n_rows,)
        Numbers in the units of y, or classes 0, 1 ...
    weight : ndarray of shape (n_rows,) or None
        The weights of the rows times those of their classes.
    factors : ndarray of float, or None
        The weight of each class 0, 1 ..., which validation rows get too.
    centring : Centring or None
        What was taken off the columns of X.
    origin : float
        What is taken off the targets that a solver of all rows sees.
    """

    X: Any
    targets: NDArray[Any]
    weight: Weights | None
    factors: NDArray[np.float64] | None = None
    centring: Any = None
    origin: float = 0.0

    @property
    def n_rows(self) -> int:
        return int(self.X.shape[0])

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to learn from."""
        return self.n_rows == 0 or (self.weight is not None and not np.any(self.weight))

    def in_unit(self, unit: float) -> NDArray[Any]:
        """The targets in this unit. A power of 4 causes no rounding."""
        return self.targets if unit == 1 else self.targets / self.targets.dtype.type(unit)

    def for_solver(self, unit: float) -> NDArray[Any]:
        """The distance of the targets to the origin in this unit, in float64 if there is an origin."""
        if self.origin == 0:
            return self.in_unit(unit)
        centred: NDArray[Any] = (self.targets.astype(np.float64) - self.origin) / unit
        return centred

    def part(self, rows: NDArray[np.int64], unit: float) -> tuple[Any, ...]:
        """Some rows as `train` takes validation rows."""
        weight = None if self.weight is None else self.weight[rows]
        return self.X[rows], self.for_solver(unit)[rows], weight


@dataclass
class Split:
    """The rows to learn from, and those to validate with.

    Parameters
    ----------
    rows : ndarray of int64 or None
        None is all rows: then others were given to validate with.
    eval_set : (X, y, sample_weight)
        As the solver sees them.
    """

    rows: NDArray[np.int64] | None
    eval_set: tuple[Any, ...]


def weighted(
    targets: NDArray[Any], weight: Weights | None, factors: NDArray[np.float64] | None
) -> Weights | None:
    """The weights of rows times those of their classes."""
    if factors is None:
        return weight
    product: Weights = factors[targets] if weight is None else weight * factors[targets]
    return product


def with_mean_one(weight: Weights) -> Weights:
    """The weights times a number, so that the mean of the positive ones is 1: steps grow with the weights."""
    n_positive = np.count_nonzero(weight)
    with np.errstate(over="ignore"):
        factor = n_positive / weight.sum()
    if 0 < factor < np.inf:
        weight *= factor
    else:  # the sum is too large, or too small, to divide by
        weight /= weight.max()
        weight *= np.count_nonzero(weight) / weight.sum()
    return weight


def checked_weights(sample_weight: Any, X: Any, may_be_zero: bool = False) -> Weights:
    """The weights that a user gives to the rows of X, as a copy."""
    given = np.asarray(sample_weight)
    if may_be_zero and given.shape == (X.shape[0],) and given.dtype.kind in "biuf" and not given.any():
        return np.zeros(X.shape[0])  # scikit-learn refuses weights that are all zero
    weight: Weights = _check_sample_weight(sample_weight, X, dtype=np.float64, copy=True)
    require_valid_weights(weight, may_be_zero)
    return weight


def require_valid_weights(weight: Weights, may_be_zero: bool = False) -> None:
    """Refuse negative weights and, unless `may_be_zero`, weights that are all zero."""
    if np.min(weight, initial=0) < 0:
        raise ValueError(f"the weight of row {np.argmin(weight)} is {np.min(weight)}, expected a weight >= 0")
    if not may_be_zero and not np.max(weight, initial=0) > 0:
        raise ValueError("the weights of all rows are zero")
