"""Alternating least squares: the exact objective, column by column, without a learning rate."""

import math
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastfm_c import _core
from fastfm_c._errors import DivergenceError
from fastfm_c._validation import as_count, as_not_negative
from fastfm_c.losses import LogisticLoss, Loss, SquaredLoss
from fastfm_c.models import FM
from fastfm_c.solvers._base import Model, Observer, TrainingRows, require_trainable

__all__ = ["AlsSolver", "require_columns"]


class AlsSolver:
    """Alternating least squares as `train` knows solvers: a sweep over all parameters counts as an epoch.

    Parameters
    ----------
    model : FM
        With one output, and without `normalize`.
    loss : SquaredLoss or LogisticLoss
    l2_linear, l2_factors : float
        Strength of the L2 term on w and on V, as in `FM.objective`.
    num_threads : int, optional
    """

    option_names: ClassVar[tuple[str, ...]] = ("l2_linear", "l2_factors")
    default_max_iter: ClassVar[int] = 20
    default_patience: ClassVar[int] = 5

    def __init__(
        self,
        model: Model,
        loss: Loss,
        *,
        l2_linear: float = 0.0,
        l2_factors: float = 0.0,
        num_threads: int | None = None,
    ) -> None:
        require_trainable(model, loss)
        require_columns(model, loss, "solver='als'")
        if num_threads is not None:
            as_count(num_threads, "num_threads")
        self.l2_linear = as_not_negative(l2_linear, "l2_linear")
        self.l2_factors = as_not_negative(l2_factors, "l2_factors")
        self._model, self._loss, self.num_threads = model, loss, num_threads

    @property
    def model(self) -> Model:
        """The model that is trained."""
        return self._model

    @property
    def loss(self) -> Loss:
        """The loss that is minimised."""
        return self._loss

    @property
    def state_arrays(self) -> dict[str, NDArray[Any]]:
        """None: what a sweep needs is made from the rows and the model."""
        return {}

    def prepare(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None) -> TrainingRows:
        """The rows, after all checks that learning from them needs."""
        return TrainingRows(self._model, self._loss, X, y, sample_weight, self.num_threads)

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
        columns = _core.Columns(self._model, self._loss, data, rows, self.num_threads)
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


def require_columns(model: Model, loss: Loss, what: str) -> None:
    """Raise unless this is a model, and a loss, that can be learned by columns."""
    if not isinstance(model, FM):
        raise ValueError(f"{what} takes an FM, got {type(model).__name__}")
    if not isinstance(loss, SquaredLoss | LogisticLoss):
        raise ValueError(f"{what} takes a SquaredLoss or a LogisticLoss, got {type(loss).__name__}")
    if model.n_outputs != 1:
        raise ValueError(f"{what} takes a model of one output, got {model.n_outputs}")
    if model.normalize is not None:
        raise ValueError(
            f"{what} takes a model without normalize, got {model.normalize!r}: "
            "divide the rows of X by their lengths instead"
        )
