"""Trainings side by side, each without one fold of the rows: how few rows tell when to stop."""

from contextlib import ExitStack
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastfm_c.losses import Loss
from fastfm_c.solvers import Observer, StochasticSolver, TrainingRows
from fastfm_c.solvers._base import Model, Report, run_epochs
from fastfm_c.training._holdout import as_labels, hold_out

__all__ = ["N_FOLDS", "FoldSolver", "folds"]

N_FOLDS = 5

_Rows = NDArray[np.int64]


class FoldSolver:
    """Several solvers as one, with the methods that `train_on` calls.

    Parameters
    ----------
    solvers : list of SGD, AdaGrad, Adam or FTRL
        Each with a model of its own. The first model stands for all.
    rows : list of ndarray of int64
        The rows that each learns from.
    """

    option_names: ClassVar[tuple[str, ...]] = ()
    default_max_iter: ClassVar[int] = StochasticSolver.default_max_iter
    default_patience: ClassVar[int] = StochasticSolver.default_patience

    def __init__(self, solvers: list[StochasticSolver], rows: list[_Rows]) -> None:
        self.solvers, self.rows = solvers, [own.copy() for own in rows]

    @property
    def model(self) -> Model:
        return self.solvers[0].model

    @property
    def loss(self) -> Loss:
        return self.solvers[0].loss

    @property
    def state_arrays(self) -> dict[str, NDArray[Any]]:
        return {}

    def prepare(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None) -> TrainingRows:
        return self.solvers[0].prepare(X, y, sample_weight)

    def run(
        self,
        data: TrainingRows,
        rows: _Rows | None,
        rng: np.random.Generator | None,
        max_iter: int,
        observer: Observer,
    ) -> str:
        """Learn epoch by epoch, each solver from rows of its own."""

        def epoch(_: _Rows | None, progress: Report | None) -> float:
            losses = []
            for solver, own in zip(self.solvers, self.rows, strict=True):
                if rng is not None:
                    rng.shuffle(own)
                losses.append(solver.epoch(data, own, progress))
            return float(np.mean(losses))

        with ExitStack() as stack:
            for solver in self.solvers:
                stack.enter_context(solver._running(data, max_iter))
            return run_epochs(epoch, None, None, max_iter, observer)


def folds(
    n_rows: int,
    rng: np.random.Generator,
    classes: NDArray[Any] | None,
    sample_weight: NDArray[np.float64] | None,
    groups: ArrayLike | None,
) -> list[tuple[_Rows, _Rows]]:
    """Cut the rows into folds: for each, the rows outside and the rows in it, as `hold_out` returns them."""
    labels = None if groups is None else as_labels(groups, n_rows)
    rest, parts = np.arange(n_rows), []
    for n_left in range(N_FOLDS, 1, -1):
        stay, leave = hold_out(
            len(rest),
            1 / n_left,
            rng,
            classes=None if classes is None else classes[rest],
            sample_weight=None if sample_weight is None else sample_weight[rest],
            groups=None if labels is None else labels[rest],
        )
        parts.append(rest[leave])
        rest = rest[stay]
    parts.append(rest)
    return [(np.setdiff1d(np.arange(n_rows), part), part) for part in parts]
