"""What a fit tells its estimator after each epoch, and whether it had settled when it ended."""

import warnings
from typing import Any

from sklearn.exceptions import ConvergenceWarning

from fastfm_c.sklearn._parameters import EXACT, EarlyStopping
from fastfm_c.solvers import StochasticSolver
from fastfm_c.training import EpochInfo
from fastfm_c.training._lbfgs import LbfgsSolver

__all__ = ["Recorder"]

_SETTLED = "converged", "early_stopping", "callback", "search"  # reasons why a fit is over


class Recorder:
    """A callback of `train`: keeps the history of an estimator, and notices that L-BFGS has converged.

    L-BFGS has converged if its last iterations, `n_iter_no_change` of them, made the objective smaller by
    less than `tol`. The callback then returns True, which ends the fit.

    Parameters
    ----------
    estimator : Estimator
    early_stopping : bool, str, callable or None
        As `train` takes it.
    """

    def __init__(self, estimator: Any, early_stopping: EarlyStopping) -> None:
        self.estimator = estimator
        self.is_lbfgs, self.is_exact = estimator.solver == "lbfgs", estimator.solver in EXACT
        self.stops_early = early_stopping not in (None, False)
        default = (LbfgsSolver if self.is_lbfgs else StochasticSolver).default_patience
        self.patience: int = estimator.n_iter_no_change or default
        self.has_converged = self.has_settled = False
        self.attempt: Any = None  # of a search, which gets the history too

    def __call__(self, info: EpochInfo) -> bool:
        history, tol, losses = info.history, self.estimator.tol, info.history.loss
        self.estimator.history_, self.estimator.n_iter_ = history, info.epoch
        if self.attempt is not None:
            self.attempt.history = history
        self.has_settled = history.settled(tol, self.patience)
        if self.is_lbfgs and len(losses) > self.patience:
            self.has_converged = losses[-1 - self.patience] - losses[-1] < tol
        return self.has_converged

    def finish(self) -> None:
        """Write down that L-BFGS has converged, or warn of a fit that ended at `max_iter` too early.

        L-BFGS and ALS have to converge. Of a stochastic solver it is the figure of early stopping that has to
        settle; without early stopping it is to go through `max_iter` epochs. A default number of epochs is
        not warned of: the user has not chosen it, and `History.settled` tells.
        """
        estimator, history = self.estimator, self.estimator.history_
        if self.has_converged:
            history.stop_reason = "converged"
        is_enough = estimator.max_iter is None
        is_enough |= not self.is_exact and (self.has_settled or not self.stops_early)
        if history.stop_reason in _SETTLED or is_enough:
            return
        epochs = "iterations" if self.is_lbfgs else "sweeps" if self.is_exact else "epochs"
        figure = "objective" if self.is_exact else history.validation_name
        warnings.warn(
            f"{type(estimator).__name__} ended after max_iter={history.n_iter} {epochs}, before the {figure} "
            "settled: increase max_iter or tol",
            ConvergenceWarning,
            stacklevel=3,
        )
