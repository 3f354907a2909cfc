"""The parameters of the estimators, and the arguments that `train` and the solvers get because of them.

A fit to few rows takes more epochs and smaller batches. Otherwise it would make too few updates.
"""

import math
from abc import ABC
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Literal, TypeAlias, TypeVar, get_args

import numpy as np
from joblib import effective_n_jobs
from numpy.typing import DTypeLike
from sklearn.base import BaseEstimator
from sklearn.utils import check_random_state
from sklearn.utils.metaestimators import available_if

from fastfm_c._validation import as_fraction, require_choice
from fastfm_c.solvers import SOLVERS
from fastfm_c.training._folds import N_FOLDS
from fastfm_c.training._holdout import SplitName
from fastfm_c.training._search import LARGE, Settings

__all__ = ["EXACT", "OF_STEPS", "EarlyStopping", "Parameters", "if_by_parts"]

LEAST_EPOCHS, MOST_EPOCHS = 10, 100
LEAST_ROWS_LEARNED = 100_000  # in all epochs together, as far as MOST_EPOCHS allows

BATCHES_PER_EPOCH = 64  # as far as the limits of a batch allow
SMALLEST_BATCH = 8
LARGEST_BATCH_OF_SGD = 32

EXACT = "lbfgs", "als"  # solvers of the exact objective, which need all rows at once
OF_STEPS = "learning_rate", "schedule", "batch_size", "clip_value"  # what they have no use for
INIT_STDEV, INIT_STDEV_OF = 0.01, {"als": 0.1, "mcmc": 0.3}  # where the user gives none
ENOUGH_TO_STOP = 100  # validation rows; with fewer, a fit does not hold rows out by default
ENOUGH_TO_FOLD = 50  # rows; with fewer, a fit does not stop early by default
PATIENCE_OF_FEW = 15  # epochs without an improvement, where there are few rows and epochs are short
FIXED_L2 = 1e-5, 1e-5  # l2_linear and l2_factors where nothing is chosen

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
    l2_linear: float | None = None
    l2_factors: float | None = None
    init_stdev: float | None = None
    early_stopping: EarlyStopping = None
    validation_fraction: float = 0.1
    validation_split: SplitName = "random"
    n_iter_no_change: int | None = None
    tol: float = 1e-4
    normalize: Literal["instance", "xlearn"] | None = None
    refit: bool = True
    warm_start: bool = False
    dtype: DTypeLike = "float32"
    random_state: Any = None
    n_jobs: int | None = None
    verbose: bool | int = False
    # Of an FM 2048 rows cost quality: W1's log-loss is .576 to .579 instead of .569.
    _largest_batch: ClassVar[int] = 1024

    def _train_options(self, n_rows: int, has_eval_set: bool) -> dict[str, Any]:
        """Arguments of `train_on` for a fit to this number of rows."""
        early_stopping = self._early_stopping(n_rows, has_eval_set)
        return {
            "max_iter": self._max_iter(n_rows, early_stopping),
            "validation_fraction": self.validation_fraction,
            "early_stopping": self._metric(early_stopping),
            "n_iter_no_change": self._patience(n_rows),
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

    def _patience(self, n_rows: int) -> int | None:
        """Epochs without an improvement that end a training; None is the default of the solver."""
        if self.n_iter_no_change is not None or self.solver not in SOLVERS or n_rows >= LARGE:
            return self.n_iter_no_change
        return PATIENCE_OF_FEW

    def _uses_folds(self, n_rows: int, has_eval_set: bool, n_groups: int | None) -> bool:
        """Whether early stopping watches folds, because too few rows could be held out."""
        is_wanted = self.early_stopping is None and self.solver in SOLVERS and self.refit
        is_possible = self.validation_split == "random" and (n_groups is None or n_groups >= N_FOLDS)
        too_few = self.early_stopping is None and self._early_stopping(n_rows, has_eval_set) is False
        return is_wanted and is_possible and too_few and n_rows >= ENOUGH_TO_FOLD

    def _metric(self, early_stopping: EarlyStopping) -> EarlyStopping:
        """The figure that `train` watches, of targets and scores as the solver sees them."""
        return early_stopping

    def _max_iter(self, n_rows: int, early_stopping: EarlyStopping) -> int | None:
        """Largest number of epochs; None is the default of `train`."""
        if self.max_iter is not None or self.solver in EXACT or early_stopping not in (None, False):
            return self.max_iter
        return min(max(LEAST_EPOCHS, math.ceil(LEAST_ROWS_LEARNED / n_rows)), MOST_EPOCHS)

    def _given_settings(self) -> Settings:
        """What a search has not to choose; the rest is None. A warm start takes what was chosen before."""
        given = Settings(self.learning_rate, self.l2_linear, self.l2_factors)
        if not self.warm_start:
            return given
        before = (getattr(self, f"{name}_", None) for name in Settings._fields)
        return Settings(*(b if g is None else g for g, b in zip(given, before, strict=True)))

    def _fixed_settings(self, given: Settings) -> Settings:
        """The settings where nothing is chosen."""
        rate = SOLVERS[self.solver].default_learning_rate if self.solver in SOLVERS else None
        defaults = Settings(rate, *FIXED_L2)
        return Settings(*(d if g is None else g for g, d in zip(given, defaults, strict=True)))

    def _has_constant_rate(self) -> bool:
        """Whether all epochs have one learning rate, except those that learn all rows in the end."""
        rate = self.learning_rate
        is_number = rate is None or rate == "constant" or not (isinstance(rate, str) or callable(rate))
        return is_number and self.schedule in (None, "constant")

    def _take_settings(self, settings: Settings) -> None:
        """Note what a fit took."""
        self.learning_rate_: Any = settings.learning_rate
        self.l2_linear_: float = settings.l2_linear
        self.l2_factors_: float = settings.l2_factors

    def _solver_options(self, n_rows: int | None = None, settings: Settings | None = None) -> dict[str, Any]:
        """Arguments of the solver. n_rows is the number of all rows, if it is known."""
        if settings is None:
            settings = self._fixed_settings(Settings(self.learning_rate, self.l2_linear, self.l2_factors))
        options: dict[str, Any] = {"l2_linear": settings.l2_linear, "l2_factors": settings.l2_factors}
        if self.solver in EXACT:
            self._require_none(*OF_STEPS)
            return options
        batch_size = self.batch_size
        if batch_size is None and n_rows is not None:
            largest = LARGEST_BATCH_OF_SGD if self.solver == "sgd" else self._largest_batch
            batch_size = min(max(n_rows // BATCHES_PER_EPOCH, SMALLEST_BATCH), largest)
        options |= {name: getattr(self, name) for name in OF_STEPS} | {"batch_size": batch_size}
        options["learning_rate"] = settings.learning_rate
        return {name: value for name, value in options.items() if value is not None}

    def _require_words(self) -> None:
        """Refuse words and switches that no fit knows, also where this one does not look at them."""
        self._require_solver()
        require_choice(self.validation_split, "validation_split", get_args(SplitName))
        for name in "refit", "warm_start":
            if not isinstance(value := getattr(self, name), bool | np.bool_):
                raise ValueError(f"{name} must be True or False, got {value!r}")

    def _require_solver(self) -> None:
        """Refuse a solver of another name; one without `partial_fit` has no such method."""
        require_choice(self.solver, "solver", (*SOLVERS, *EXACT, "mcmc"))

    def _require_none(self, *names: str) -> None:
        """Refuse parameters that are given, although the solver has no use for them."""
        for name in names:
            if (value := getattr(self, name)) is not None:
                raise ValueError(
                    f"{name} is {value!r}, but solver={self.solver!r} takes no {name}: expected None"
                )

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


def if_by_parts(method: _Method) -> _Method:
    """Hide a method, which is partial_fit, from estimators whose solver needs all rows at once."""
    decorate: Callable[[_Method], _Method] = available_if(_has_partial_fit)
    return decorate(method)


def _has_partial_fit(estimator: Parameters) -> bool:
    if estimator.solver in (*EXACT, "mcmc"):
        raise AttributeError(f"solver={estimator.solver!r} has no partial_fit: it needs all rows at once")
    return True
