"""`partial_fit` of the estimators: a stream of rows, whose units become known on the way."""

import time
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike

from fastfm_c.sklearn._batches import counted_rows
from fastfm_c.sklearn._column_units import ColumnFigures
from fastfm_c.sklearn._fit_rows import FitRows
from fastfm_c.sklearn._parameters import EXACT
from fastfm_c.sklearn._rows_and_models import RowsAndModels
from fastfm_c.sklearn._running import batches_of
from fastfm_c.sklearn._stream import Lessons, Stream, stream_after_unknown_rows
from fastfm_c.sklearn._trainable import Model, as_trainable, in_solver_units
from fastfm_c.sklearn._units import follows_columns
from fastfm_c.solvers import SOLVERS, StochasticSolver
from fastfm_c.training import History
from fastfm_c.training._metrics import loss_name

__all__ = ["PartialFit"]


@dataclass(kw_only=True, eq=False, repr=False)
class PartialFit(RowsAndModels):
    """Learning from a stream, with the bits of one call over all of its rows."""

    def _partial_fit(
        self, X: Any, y: ArrayLike, classes: ArrayLike | None, sample_weight: ArrayLike | None
    ) -> Self:
        """Learn from the rows once: `partial_fit` of all estimators."""
        self.model_: Model
        is_new = not hasattr(self, "model_")
        self._require_solver()
        rows, fields = self._checked_rows(X, y, sample_weight, is_new, classes, least_rows=0)
        if is_new:
            self._begin_stream(rows, fields)
        if not hasattr(self, "_stream"):  # of a pickle of the first version
            self._stream = stream_after_unknown_rows(self)
        if not hasattr(self, "solver_"):
            self._begin_lessons(rows.n_rows, is_new)
        if rows.is_empty:
            return self
        if self.solver != "ftrl":  # its penalties are those of the parameters themselves
            self.solver_._penalise_in_scale()
        start = time.perf_counter()
        units = in_solver_units(self.model_, lambda: self._target_scale)
        with units, self._stream.held_units(self.solver_):
            loss = self._learn_stream(rows)
        self.history_.rows = rows.n_rows
        self.history_.loss.append(loss)
        self.history_.seconds.append(time.perf_counter() - start)
        self.n_iter_ += 1
        return self

    def _begin_stream(self, rows: FitRows, fields: ArrayLike | None) -> None:
        """Make a model that knows nothing: no bias, and random factors for values of 1."""
        seed = self._seed()
        self.model_ = self._model_without_bias(rows, fields, np.random.default_rng(seed))
        zero = np.zeros(np.shape(self.model_.w0)) if np.ndim(self.model_.w0) else 0.0
        self._stream = Stream(constant=zero, seed=seed, init_stdev=self._init_stdev(), n_learned=0)
        if self.normalize is None:
            self._stream.sizes = np.zeros(rows.X.shape[1], self.model_.dtype)
            if follows_columns(SOLVERS[self.solver]):
                self._stream.columns = ColumnFigures.none(rows.X.shape[1])
        self._set_target_scale(1.0)

    def _begin_lessons(self, n_rows: int, is_new: bool) -> None:
        """Make the solver. A new model is forgotten if there is none for these parameters."""
        self._begin_history(n_rows)
        self.model_ = as_trainable(self.model_, self.model_.dtype)
        try:
            with in_solver_units(self.model_, lambda: self._target_scale):
                self.solver_ = self._new_solver()
        except ValueError:
            if is_new:
                del self.model_
            raise

    def _learn_stream(self, rows: FitRows) -> float:
        """Learn from the rows, batch by batch. The mean loss, in the units of y.

        What is known of the targets and the columns includes a batch before it is learned from.
        """
        stream, solver, lessons = self._stream, self.solver_, Lessons(self.solver_, rows)
        edges = stream.edges(rows, solver, are_given=self.batch_size is not None)
        changes = stream.size_changes(rows, edges, solver)
        batches = batches_of(rows.targets, rows.weight, edges, self._n_shares())
        for number, batch in enumerate(batches):
            is_first = stream.targets.add(batch)
            if stream.targets.mean is None:
                continue
            before, change = self._target_scale, changes.get(number)
            unit = self._unit(stream.targets, is_first)
            constant = self._constant(stream.targets)
            is_far = stream.is_far(constant, unit)
            is_small = number > 0 and edges[number] - edges[number - 1] < solver.batch_size
            if change is None and unit == before and not is_far and not is_small:
                continue
            lessons.learn_until(int(edges[number]), before)
            if change is not None:
                stream.change_sizes(self.model_, solver, change)
            if unit != before:
                stream.change_unit(self.model_, solver, unit / before)
                self._set_target_scale(unit)
            if is_far:
                stream.correct_bias(self.model_, solver, constant, unit)
        lessons.learn_until(rows.n_rows, self._target_scale)
        if stream.n_learned is not None:
            stream.n_learned += counted_rows(rows)
        return lessons.mean_loss()

    def _begin_history(self, n_rows: int) -> None:
        """Forget the solver and the history of the training before."""
        for before in ("solver_", "posterior_"):
            self.__dict__.pop(before, None)
        name = loss_name(self._loss()) + " + L2" * (self.solver in EXACT)
        self.history_, self.n_iter_ = History(n_rows, loss_name=name), 0

    def _new_solver(self) -> StochasticSolver:
        """A solver object for `partial_fit`."""
        create, options = SOLVERS[self.solver], self._solver_options()
        solver = create(self.model_, self._loss(), num_threads=self._num_threads(), **options)
        solver._next_rate()  # "cosine" has none, because it does not know the last epoch
        return solver
