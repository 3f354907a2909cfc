"""What `partial_fit` keeps from call to call, and how it learns: batch by batch, in units that may change."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastfm_c.sklearn._batches import batch_edges
from fastfm_c.sklearn._column_sizes import GROWTH, Edges, SizeChange, size_changes
from fastfm_c.sklearn._column_units import ColumnFigures
from fastfm_c.sklearn._fit_rows import FitRows
from fastfm_c.sklearn._running import RunningTargets
from fastfm_c.sklearn._trainable import Model
from fastfm_c.sklearn._units import (
    change_column_units,
    change_target_unit,
    follows_columns,
    initial_factors,
    per_feature,
    renew_proximal_state,
)
from fastfm_c.solvers import StochasticSolver, TrainingRows

__all__ = ["Lessons", "Stream", "stream_after_unknown_rows"]

CLOSE = 0.05  # the constant that a model scores with is corrected if it is further off, in the solver's unit


@dataclass
class Stream:
    """What was seen so far, and what of it the model already knows.

    Parameters
    ----------
    targets : RunningTargets
    constant : float, ndarray or None
        The best constant score, in the units of y, of the targets when the bias was last corrected. None if
        it is not known.
    seed, init_stdev : int or None, float
        What the factors of the start are made from. None after a fit, whose factors are not those.
    sizes : ndarray of shape (n_features,) or None
        The size of each column that its factors at the start suit, 0 for a column without a value so far.
        None if they are not followed.
    columns : ColumnFigures or None
        What the units of AdaGrad and Adam follow from. None after a fit, and in files from before there
        were such units.
    n_learned : int or None
        Rows of positive weight so far. None where `columns` is, if there is a solver with columns.
    """

    targets: RunningTargets = field(default_factory=RunningTargets)
    constant: Any = None
    seed: int | None = None
    init_stdev: float = 0.0
    sizes: NDArray[Any] | None = None
    columns: ColumnFigures | None = None
    n_learned: int | None = None
    _first: NDArray[Any] | None = None  # the factors at the start for columns of size 1, during a call

    def edges(self, rows: FitRows, solver: StochasticSolver, are_given: bool) -> Edges:
        """The batches of a call; the size of all of them is that of the solver if it was given."""
        return batch_edges(rows, solver.batch_size, None if are_given else self.n_learned)

    def size_changes(self, rows: FitRows, edges: Edges, solver: StochasticSolver) -> dict[int, SizeChange]:
        """The batches, by their number, before which columns get other sizes."""
        if self.sizes is None:
            return {}
        self.sizes = np.require(self.sizes, requirements=["W", "A"])  # joblib may have mapped it
        if self.columns is None or not follows_columns(solver):
            return size_changes(rows, edges, self.sizes)
        units = np.ones_like(self.sizes) if solver._scale is None else solver._scale.copy()
        return self.columns.changes(rows, edges, units)

    @contextmanager
    def held_units(self, solver: StochasticSolver) -> Iterator[None]:
        """Keep the solver from units of its own, those of the largest values, until the block ends."""
        solver._hold_scale(self.columns is not None and follows_columns(solver))
        try:
            yield
        finally:
            solver._hold_scale(False)
            self._first = None

    def start(self, model: Model) -> NDArray[Any] | None:
        """The factors that the model began with, or None."""
        if self.seed is None:
            return None
        start = self._first_factors(model, self.seed)
        if self.sizes is not None:
            start = start / per_feature(model, np.where(self.sizes == 0, 1, self.sizes))
        return start

    def change_unit(self, model: Model, solver: StochasticSolver, factor: float) -> None:
        """Express everything in a unit of the targets that is `factor` times as large."""
        change_target_unit(model, solver, factor, self.start(model))

    def change_sizes(self, model: Model, solver: StochasticSolver, change: SizeChange) -> None:
        """Make the random part of the factors as large as the values of these columns allow.

        A solver that learns in units of the sizes gets them as units.
        """
        if self.seed is None or self.sizes is None:
            return
        kept = None
        if change.squares is not None:
            change_column_units(model, solver, change.columns, change.after)
            change, kept = _far_change(change, self.sizes[change.columns], change.squares)
        if change.matters:
            self._resize_start(model, change, kept, self.seed)
            renew_proximal_state(solver)
        self.sizes[change.columns] = change.after

    def _first_factors(self, model: Model, seed: int) -> NDArray[Any]:
        """The factors at the start for columns of size 1: made once in a call, and not to be changed."""
        if self._first is None:
            self._first = initial_factors(model, seed, self.init_stdev)
        return self._first

    def _resize_start(
        self, model: Model, change: SizeChange, kept: NDArray[np.float64] | None, seed: int
    ) -> None:
        """Change the size of the factors at the start, which are a part of the factors, in these columns."""
        V, columns = _features_first(model.V, model), change.columns
        shape = -1, *[1] * (V.ndim - 1)
        after = change.after.astype(V.dtype).reshape(shape)
        if not change.before.any():
            V[columns] /= after
            return
        first = _features_first(self._first_factors(model, seed), model)[columns]
        learned = V[columns] - first / np.where(change.before == 0, 1, change.before).astype(V.dtype).reshape(
            shape
        )
        if kept is not None:
            w = _features_first(model.w, model)
            learned *= kept.astype(V.dtype).reshape(shape)
            w[columns] *= kept.astype(V.dtype).reshape(-1, *[1] * (w.ndim - 1))
        V[columns] = learned + first / after

    def correct_bias(self, model: Model, solver: StochasticSolver, constant: Any, unit: float) -> None:
        """Move the bias with the best constant score of the targets so far."""
        if self.constant is not None:
            model.w0 = np.asarray(model.w0 + (constant - self.constant) / unit, model.dtype)
            renew_proximal_state(solver, only_bias=True)
        self.constant = constant

    def is_far(self, constant: Any, unit: float) -> bool:
        """Whether the bias has to be corrected."""
        if self.constant is None:
            return True
        return bool(np.max(np.abs(np.subtract(constant, self.constant))) > CLOSE * unit)


def _far_change(
    change: SizeChange, sizes: NDArray[Any], squares: NDArray[np.float64]
) -> tuple[SizeChange, NDArray[np.float64]]:
    """The columns whose factors at the start are of another size, and how much of the learned part stays.

    What small values say about larger ones is what a ridge of one value of the new size leaves of it.
    """
    after, is_new, before = change.after, change.before == 0, np.where(sizes == 0, 1, sizes)
    has_grown = ~is_new & (after > GROWTH * before)
    is_far = is_new | has_grown | (after * GROWTH < before)
    kept = np.where(has_grown, squares / (squares + after.astype(np.float64) ** 2), 1)
    far = SizeChange(change.columns[is_far], np.where(is_new, 0, before)[is_far], after[is_far])
    return far, kept[is_far]


def _features_first(V: NDArray[Any], model: Model) -> NDArray[Any]:
    """A view of factors whose first axis is that of the features: several outputs come before it."""
    return V.swapaxes(0, 1) if model.w.ndim > 1 else V


def stream_after_unknown_rows(estimator: Any) -> Stream:
    """What is known after a fit by the first version, which kept no figures: rows, and the unit."""
    n_rows = max(getattr(getattr(estimator, "history_", None), "rows", 0), 1)
    return Stream(RunningTargets(n_rows, float(n_rows), None, getattr(estimator, "target_scale_", 0.0)))


class Lessons:
    """The rows of a call, which a solver learns from in order, some at a time.

    Parameters
    ----------
    solver : SGD, AdaGrad, Adam or FTRL
    rows : FitRows
        With targets in the units of y.
    """

    def __init__(self, solver: StochasticSolver, rows: FitRows) -> None:
        self.solver, self.rows = solver, rows
        self.n_learned, self.weight, self.loss = 0, 0.0, 0.0
        self.n_parts, self.only_loss = 0, 0.0
        self.data: TrainingRows | None = None
        self.unit = 0.0

    def learn_until(self, end: int, unit: float) -> None:
        """Learn from the rows before this one that were not learned from, as targets in this unit."""
        if end <= self.n_learned:
            return
        rows = self.rows
        if self.data is None or unit != self.unit:
            self.data, self.unit = self.solver.prepare(rows.X, rows.in_unit(unit), rows.weight), unit
        order = np.arange(self.n_learned, end, dtype=np.int64)
        weight = len(order) if rows.weight is None else float(rows.weight[order].sum())
        self.n_learned = end
        if not weight:  # the solver learns nothing, and there is no loss
            return
        if self.n_parts:  # a call is one epoch, and has one learning rate
            self.solver._resume_epoch()
        loss = self.solver.epoch(self.data, order) * unit**2
        self.n_parts, self.only_loss = self.n_parts + 1, loss
        self.weight += weight
        self.loss += weight * loss

    def mean_loss(self) -> float:
        """The mean loss of all rows, in the units of y."""
        if self.n_parts == 1:
            return self.only_loss
        return self.loss / self.weight if self.weight else 0.0
