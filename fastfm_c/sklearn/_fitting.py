"""How `fit` trains: attempts from one start, a choice among them, and all rows again in the end."""

import math
from copy import deepcopy
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from fastfm_c._errors import DivergenceError
from fastfm_c.models import FFM
from fastfm_c.sklearn._convergence import Recorder
from fastfm_c.sklearn._fit_rows import FitRows, Split
from fastfm_c.sklearn._trainable import Model, as_dtype, as_trainable, into_solver_units, out_of_solver_units
from fastfm_c.solvers import SOLVERS, Solver, TrainingRows
from fastfm_c.training import History
from fastfm_c.training._folds import FoldSolver
from fastfm_c.training._metrics import metric_of
from fastfm_c.training._monitor import MeanValidation
from fastfm_c.training._refit import rates_after, rates_from_start
from fastfm_c.training._search import LARGE, Attempt, Judge, Settings, search
from fastfm_c.training._train import solver_of, train_on

if TYPE_CHECKING:
    from fastfm_c.sklearn._base import Estimator

__all__ = ["Fitting"]

MOST_EPOCHS = 100  # of an attempt, if the user gives no max_iter
LEAST_EPOCHS = 10  # that an attempt may have, however soon its rival ended


@dataclass
class _Learner:
    """What an attempt trains, and who keeps its history."""

    model: Model
    solver: Solver
    recorder: Recorder


class Fitting:
    """The training of an estimator, in the units of the solver.

    Parameters
    ----------
    estimator : Estimator
        With a model to start from, in the units of y.
    rows : FitRows
    is_new : bool
        Whether the factors of that model are random numbers.
    splits : list of Split
        The rows to learn from and those to validate with: one, or one for each fold.
    options : dict
        Of `train_on`.
    callbacks : tuple of callable
        The user's.
    rng : numpy.random.Generator
    """

    def __init__(
        self,
        estimator: "Estimator",
        rows: FitRows,
        is_new: bool,
        splits: list[Split],
        options: dict[str, Any],
        callbacks: tuple[Any, ...],
        rng: np.random.Generator,
    ) -> None:
        self.estimator, self.rows, self.splits, self.options = estimator, rows, splits, options
        self.callbacks, self.rng, self.threads = callbacks, rng, estimator._num_threads()
        self.loss, self.unit = estimator._loss(), estimator._target_scale
        self.stops_early = options["early_stopping"] not in (None, False)
        metric = metric_of(options["early_stopping"], self.loss)[1]
        self.sign = -1 if getattr(metric, "greater_is_better", False) else 1
        targets = rows.for_solver(self.unit)
        self.data = TrainingRows(estimator.model_, self.loss, rows.X, targets, rows.weight, self.threads)
        if is_new:  # the solver will ask data for the same numbers, which are measured once
            estimator._scale_factors(self.data.column_rms)
        # L-BFGS needs the digits of float64.
        dtype = "float64" if estimator.solver == "lbfgs" else estimator.dtype
        self.start = as_trainable(estimator.model_, dtype)
        if rows.centring is not None and not is_new:
            rows.centring.expressed(self.start, 1)
        into_solver_units(self.start, self.unit, rows.origin)
        self.given = estimator._given_settings()
        is_open = any(value is None for value in self.given)
        self.searches = self.stops_early and estimator.solver in SOLVERS and is_open
        self.kept: Attempt | None = None  # what the estimator is to take
        self.running: Attempt | None = None

    def train(self) -> Recorder:
        """Choose, learn all rows if that is asked for, and leave the estimator fitted, even after errors."""
        try:
            chosen = self._choose()
            recorder: Recorder = chosen.learner.recorder
            if self._may_refit() and chosen.history.stop_reason != "callback":
                self._refit(chosen)
            return recorder
        finally:
            self._finish()

    def _choose(self) -> Attempt:
        """The best attempt of a search; the only one where there is nothing to choose."""
        estimator = self.estimator
        if not self.searches:
            attempt = self.attempt(estimator._fixed_settings(self.given))
            if attempt.error is not None:
                raise attempt.error
            return attempt
        rate = SOLVERS[estimator.solver].default_learning_rate
        n_fields = self.start.n_fields if isinstance(self.start, FFM) else 2
        chosen, made = search(self.attempt, self.given, rate, self.rows.n_rows, n_fields)
        chosen.history.candidates = [attempt.candidate(attempt is chosen) for attempt in made]
        self.kept = chosen
        return chosen

    def attempt(self, settings: Settings, rival: Attempt | None = None, limit: int | None = None) -> Attempt:
        """Train a copy of the start with these settings; `Trainer` of the search says more."""
        learner, validation = self._learner(settings, self.splits)
        options = dict(self.options)
        most = options["max_iter"] or MOST_EPOCHS
        if limit is None and rival is not None:
            limit = max(2 * rival.history.n_iter, LEAST_EPOCHS)
        if limit is not None:
            options["max_iter"] = most = min(most, limit)
        is_short = self.rows.n_rows >= LARGE and self.estimator.n_iter_no_change is None
        judge = Judge(rival, most, is_short, self.sign)
        callbacks = (learner.recorder, *self.callbacks, *((judge,) if self.searches else ()))
        self.running = running = Attempt(settings, History(0), math.inf, learner)
        learner.recorder.attempt = running
        try:
            train_on(
                self.data,
                learner.solver,
                rows=self.splits[0].rows if self.splits else None,
                eval_set=validation,
                callbacks=callbacks,
                rng=deepcopy(self.rng),
                **options,
            )
        except DivergenceError as error:
            running.error, running.history.stop_reason = error, "diverged"
        self._judge(running, judge, limit)
        return running

    def _judge(self, attempt: Attempt, judge: Judge, limit: int | None) -> None:
        """Give an attempt that has ended its value, and keep it if it is the best so far."""
        history = attempt.history
        if judge.has_ended or (history.stop_reason == "max_iter" and history.n_iter == limit):
            history.stop_reason = "search"
        attempt.value = math.inf if attempt.error is not None else self._value(history)
        self._keep(attempt)
        self.running = None

    def _value(self, history: History) -> float:
        best = history.best_epoch
        return math.inf if best is None else self.sign * history.validation[best - 1]

    def _keep(self, attempt: Attempt) -> None:
        if self.kept is None or attempt.value < self.kept.value:
            self.kept = attempt

    def _learner(self, settings: Settings, splits: list[Split]) -> tuple[_Learner, Any]:
        """A copy of the start with a solver, and the validation rows as `train_on` takes them."""
        options = self.estimator._solver_options(self.rows.n_rows, settings)
        watched = self.options["early_stopping"] if len(splits) <= 1 else None  # folds warn of nothing
        recorder = Recorder(self.estimator, watched)
        solvers: list[Any] = []
        for _ in range(max(len(splits), 1)):
            model = self.start.copy() if self.searches or self._may_refit() else self.start
            solver: Any = solver_of(self.estimator.solver, model, self.loss, self.threads, options)
            if self.estimator.solver in SOLVERS and self.estimator.solver != "ftrl":
                solver._penalise_in_scale()
            solvers.append(solver)
        if len(splits) <= 1:
            return _Learner(solvers[0].model, solvers[0], recorder), splits[0].eval_set if splits else None
        models, rows = (
            [solver.model for solver in solvers],
            [split.rows for split in splits if split.rows is not None],
        )
        validation = MeanValidation(models, [split.eval_set for split in splits])
        return _Learner(models[0], FoldSolver(solvers, rows), recorder), validation

    def _may_refit(self) -> bool:
        """Whether rows were held out that are to be learned in the end."""
        is_held_out = any(split.rows is not None for split in self.splits)
        return bool(self.estimator.refit) and is_held_out and self.estimator.solver in SOLVERS

    def _refit(self, chosen: Attempt) -> None:
        """Learn all rows for as long as was best without some of them, at last with shorter steps."""
        n_epochs, learner = chosen.history.best_epoch or 1, chosen.learner
        is_constant = self.estimator._has_constant_rate()
        rates = rates_after(n_epochs) if is_constant and len(self.splits) == 1 else None
        if rates is None:
            learner, _ = self._learner(chosen.settings, [])
            rates = rates_from_start(n_epochs, self.options["max_iter"])
        if is_constant:
            _set_rates(learner.solver, rates)
        options = self.options | {"early_stopping": None, "max_iter": len(rates) if is_constant else n_epochs}
        history = train_on(
            self.data, learner.solver, eval_set=None, callbacks=self.callbacks, rng=self.rng, **options
        )
        chosen.history.refit = history.loss
        if history.stop_reason != "callback":
            chosen.learner = learner

    def _finish(self) -> None:
        """Give the estimator the best model there is, in the units of y."""
        estimator, running = self.estimator, self.running
        if running is not None:  # an exception has interrupted it
            running.value = self._value(running.history)
            self._keep(running)
        kept = self.kept
        model = self.start if kept is None else kept.learner.model
        out_of_solver_units(model, self.unit, self.rows.origin)
        if self.rows.centring is not None:
            self.rows.centring.expressed(model, -1)
        estimator.model_ = as_dtype(model, estimator.dtype)
        if kept is not None:
            estimator._take_settings(kept.settings)
            estimator.history_, estimator.n_iter_ = kept.history, kept.history.n_iter
        estimator._unscale_history(estimator.history_)


def _set_rates(solver: Any, rates: list[float]) -> None:
    """Multiply the learning rate of each of the next epochs."""
    first, rate = solver.n_epochs + 1, solver.learning_rate
    solver.learning_rate = lambda epoch: rate * rates[min(max(epoch - first, 0), len(rates) - 1)]
