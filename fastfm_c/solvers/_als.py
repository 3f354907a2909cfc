"""Alternating least squares: the exact objective, column by column, without a learning rate."""

import math
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from fastfm_c import _core
from fastfm_c._errors import DivergenceError
from fastfm_c.losses import LogisticLoss, Loss, SquaredLoss
from fastfm_c.models import FFM, FM
from fastfm_c.solvers._base import Model, Observer, TrainingRows
from fastfm_c.solvers._exact import ExactSolver

__all__ = ["AlsSolver", "require_columns"]


class AlsSolver(ExactSolver):
    """Alternating least squares as `train` knows solvers: a sweep over all parameters counts as an epoch.

    Parameters
    ----------
    model : FM or FFM
        With one output, and without `normalize`.
    loss : SquaredLoss or LogisticLoss
    l2_linear, l2_factors : float
        Strength of the L2 term on w and on V, as in `FM.objective`.
    num_threads : int, optional
    """

    default_max_iter: ClassVar[int] = 20
    default_patience: ClassVar[int] = 5

    def _require_kind(self, model: Model, loss: Loss) -> None:
        require_columns(model, loss, "solver='als'", (FM, FFM))

    def run(
        self,
        data: TrainingRows,
        rows: NDArray[np.int64] | None,
        rng: np.random.Generator | None,
        max_iter: int,
        observer: Observer,
    ) -> str:
        """Sweep until it is over. Rows are not shuffled.

        The model always has the parameters of the last whole sweep, which are the best so far. Where a
        sweep finds nothing better, because roundings hide it, they stay.

        Raises
        ------
        ValueError
            If the objective is not finite at the start.
        DivergenceError
            If it is not finite after a sweep.
        """
        kind = _core.FieldColumns if isinstance(self._model, FFM) else _core.Columns
        columns = kind(self._model, self._loss, data, rows, self.num_threads)
        penalties = self.l2_linear, self.l2_factors
        best = columns.sweep(*penalties, has_sweep=False)
        if not math.isfinite(best):
            raise ValueError(
                f"the objective is {best} at the start: X, y or the model are not finite, or huge"
            )
        for sweep in range(1, max_iter + 1):
            objective = columns.sweep(*penalties)
            if not math.isfinite(objective):
                raise DivergenceError(
                    f"the objective is {objective} after sweep {sweep} (largest |x| {data._largest:.3g}): "
                    "values and targets of order 1, or a float64 model, help"
                )
            fall = best - objective
            if fall > 0:
                best = objective
                columns.write()
            reason = observer.after_epoch(best)
            if reason is not None:
                return reason
            if fall <= 0 or fall < observer.tol:
                return "converged"
        return "max_iter"


def require_columns(model: Model, loss: Loss, what: str, kinds: tuple[type[Model], ...] = (FM,)) -> None:
    """Raise unless this is a model of these kinds, and a loss, that can be learned by columns."""
    if not isinstance(model, kinds):
        words = " or an ".join(kind.__name__ for kind in kinds)
        raise ValueError(f"{what} takes an {words}, got {type(model).__name__}")
    if not isinstance(loss, SquaredLoss | LogisticLoss):
        raise ValueError(f"{what} takes a SquaredLoss or a LogisticLoss, got {type(loss).__name__}")
    if model.n_outputs != 1:
        raise ValueError(f"{what} takes a model of one output, got {model.n_outputs}")
    if model.normalize is not None:
        raise ValueError(
            f"{what} takes a model without normalize, got {model.normalize!r}: "
            "divide the rows of X by their lengths instead"
        )
