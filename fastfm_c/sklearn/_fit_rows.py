"""What a fit learns from: checked rows, their targets and their weights."""

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import DTypeLike, NDArray

from fastfm_c._column_scale import column_max_abs

__all__ = ["FitRows", "Weights", "require_valid_weights"]

Weights: TypeAlias = NDArray[np.float64]


@dataclass
class FitRows:
    """Checked rows, with the targets and the weights that a solver learns from."""

    X: Any  # a CSR matrix or array
    targets: NDArray[Any]
    weight: Weights | None

    @property
    def n_rows(self) -> int:
        return int(self.X.shape[0])

    def column_max_abs(self, dtype: DTypeLike) -> NDArray[Any] | None:
        """The largest |x| of each column, or None if all values are 1."""
        X = self.X
        return column_max_abs(X.indptr, X.indices, X.data, X.shape[1], dtype, self.weight)


def require_valid_weights(weight: Weights) -> None:
    """Refuse negative weights, and weights that are all zero."""
    if np.min(weight) < 0:
        raise ValueError(f"the weight of row {np.argmin(weight)} is {np.min(weight)}, expected a weight >= 0")
    if not np.max(weight) > 0:
        raise ValueError("the weights of all rows are zero")
