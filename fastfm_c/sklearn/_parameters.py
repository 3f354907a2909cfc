"""The parameters of the estimators, and the arguments that `train` and the solvers get because of them.

A fit to few rows takes more epochs and smaller batches. Otherwise it would make too few updates.
"""

import math
from abc import ABC
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, TypeVar

import numpy as np
from joblib import effective_n_jobs
from numpy.typing import DTypeLike
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.metaestimators import available_if

from fastfm_c._validation import as_fraction
from fastfm_c.training._holdout import Split

__all__ = ["EXACT", "EarlyStopping", "Parameters", "unless_lbfgs"]

LEAST_EPOCHS, MOST_EPOCHS = 10, 100
LEAST_ROWS_LEARNED = 100_000  # in all epochs together, as far as MOST_EPOCHS allows

BATCHES_PER_EPOCH = 64  # as far as the limits of a batch allow
SMALLEST_BATCH = 8
LARGEST_BATCH, LARGEST_BATCH_OF_SGD = 1024, 32

_OF_STEPS = "learning_rate", "schedule", "batch_size", "clip_value"  # what these have no use for:
EXACT = "lbfgs", "als"  # solvers of the exact objective, which need all rows at once
INIT_STDEV, INIT_STDEV_OF = 0.01, {"als": 0.1, "mcmc": 0.3}  # where the user gives none
ENOUGH_TO_STOP = 100  # validation rows; with fewer, a fit does not stop early by default

SolverName: TypeAlias = Literal["adagrad", "sgd", "adam", "ftrl", "lbfgs", "als", "mcmc"]
ScheduleName: TypeAlias = Literal["constant", "inverse_sqrt", "cosine"]
MetricName: TypeAlias = Literal["log_loss", "auc", "accuracy", "rmse"]
EarlyStopping: TypeAlias = bool | MetricName | Callable[..., float] | None


@dataclass(kw_only=True, eq=False, repr=False)
class Parameters(BaseEstimator, ABC):
    """The parameters that all estimators have, with their defaults."""

    n_factors: int = 8
    solver: SolverName = "adagrad"
    learning_rate: float | ScheduleName | Callable[[int], float] | None = None
    schedule: ScheduleName | None = None
    max_iter: int | None = None
    batch_size: int | None = None
    clip_value: float | None = None
    l2_linear: float = 1e-5
    l2_factors: float = 1e-5
    init_stdev: float | None = None
    early_stopping: EarlyStopping = None
    validation_fraction: float = 0.1
    validation_split: Split = "random"
    n_iter_no_change: int | None = None
    tol: float = 1e-4
    normalize: Literal["instance", "xlearn"] | None = None
    warm_start: bool = False
    dtype: DTypeLike = "float32"
    random_state: Any = None
    n_jobs: int | None = None
    verbose: bool | int = False

    def _train_options(self, n_rows: int, has_eval_set: bool) -> dict[str, Any]:
        """Arguments of `train_on` for a fit to this number of rows."""
        early_stopping = self._early_stopping(n_rows, has_eval_set)
        return {
            "max_iter": self._max_iter(n_rows, early_stopping),
            "validation_fraction": self.validation_fraction,
            "early_stopping": self._metric(early_stopping),
            "n_iter_no_change": self.n_iter_no_change,
            "tol": self.tol,
            "verbose": self.verbose,
            "num_threads": self._num_threads(),
            "shuffle": True,
        }

    def _early_stopping(self, n_rows: int, has_eval_set: bool) -> EarlyStopping:
        """The parameter of this name. None becomes True if there are enough validation rows."""
        if self.early_stopping is not None or self.solver in EXACT:
            return self.early_stopping
        fraction = as_fraction(self.validation_fraction, "validation_fraction")
        return has_eval_set or fraction * n_rows >= ENOUGH_TO_STOP

    def _metric(self, early_stopping: EarlyStopping) -> EarlyStopping:
        """The figure that `train` watches, of targets and scores as the solver sees them."""
        return early_stopping

    def _max_iter(self, n_rows: int, early_stopping: EarlyStopping) -> int | None:
        """Largest number of epochs; None is the default of `train`."""
        if self.max_iter is not None or self.solver in EXACT or early_stopping not in (None, False):
            return self.max_iter
        return min(max(LEAST_EPOCHS, math.ceil(LEAST_ROWS_LEARNED / n_rows)), MOST_EPOCHS)

    def _solver_options(self, n_rows: int | None = None) -> dict[str, Any]:
        """Arguments of the solver. n_rows is the number of all rows, if it is known."""
        options: dict[str, Any] = {"l2_linear": self.l2_linear, "l2_factors": self.l2_factors}
        if self.solver in EXACT:
            for name in _OF_STEPS:
                if (value := getattr(self, name)) is not None:
                    raise ValueError(
                        f"{name} is {value!r}, but solver={self.solver!r} takes no {name}: expected None"
                    )
            return options
        batch_size = self.batch_size
        if batch_size is None and n_rows is not None:
            largest = LARGEST_BATCH_OF_SGD if self.solver == "sgd" else LARGEST_BATCH
            batch_size = min(max(n_rows // BATCHES_PER_EPOCH, SMALLEST_BATCH), largest)
        options |= {name: getattr(self, name) for name in _OF_STEPS} | {"batch_size": batch_size}
        return {name: value for name, value in options.items() if value is not None}

    def _init_stdev(self) -> float:
        """The parameter of this name. None is what suits the solver."""
        return INIT_STDEV_OF.get(self.solver, INIT_STDEV) if self.init_stdev is None else self.init_stdev

    def _rng(self) -> np.random.Generator:
        """A generator whose seed `random_state` decides."""
        return np.random.default_rng(self._seed())

    def _seed(self) -> int:
        return int(check_random_state(self.random_state).randint(2**31 - 1))

    def _num_threads(self) -> int | None:
        return None if self.n_jobs is None else effective_n_jobs(self.n_jobs)


_Method = TypeVar("_Method", bound=Callable[..., Any])


def unless_lbfgs(method: _Method) -> _Method:
    """Hide a method, which is partial_fit, from estimators whose solver needs all rows at once."""
    decorate: Callable[[_Method], _Method] = available_if(_has_partial_fit)
    return decorate(method)


def _has_partial_fit(estimator: Parameters) -> bool:
    if estimator.solver in (*EXACT, "mcmc"):
        raise AttributeError(f"solver={estimator.solver!r} has no partial_fit: it needs all rows at once")
    return True
