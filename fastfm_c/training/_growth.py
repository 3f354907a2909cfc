"""Whether the factors of a model still grow: early stopping waits for them.

Factors begin close to zero, where their gradients are small, too. So they grow by a share of themselves from
epoch to epoch before pairs of features tell anything. Until then a validation metric may stand still.
"""

import numpy as np

from fastfm_c.solvers._base import Model

__all__ = ["FactorGrowth"]

LEAST_GROWTH = 1.2  # of the squared length of all factors in an epoch, for as long as they are at their start
BLOCK = 2**16  # values that are squared and summed at a time


class FactorGrowth:
    """Follows the squared length of the factors of a model from epoch to epoch."""

    def __init__(self, model: Model) -> None:
        self.model, self.square = model, _square(model)

    def goes_on(self) -> bool:
        """Whether the factors grew much in the epoch that has just ended."""
        before, self.square = self.square, _square(self.model)
        return self.square > LEAST_GROWTH * before


def _square(model: Model) -> float:
    """The sum of the squares of all factors."""
    values = model._snapshot().V.reshape(-1)  # as it lies in memory: a view
    blocks = (values[begin : begin + BLOCK] for begin in range(0, len(values), BLOCK))
    return float(sum(float(np.einsum("i,i", block, block)) for block in blocks))
