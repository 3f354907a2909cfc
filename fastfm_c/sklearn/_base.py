"""What the four estimators of `fastfm_c.sklearn` share: `fit`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastfm_c.sklearn._centring import far_columns
from fastfm_c.sklearn._convergence import Recorder
from fastfm_c.sklearn._explaining import Explaining
from fastfm_c.sklearn._fit_rows import FitRows, weighted, with_mean_one
from fastfm_c.sklearn._mcmc import fit_by_sampling
from fastfm_c.sklearn._parameters import EXACT
from fastfm_c.sklearn._partial_fit import PartialFit
from fastfm_c.sklearn._running import seen_in_fit
from fastfm_c.sklearn._stream import Stream
from fastfm_c.sklearn._trainable import as_dtype, as_trainable, in_solver_units
from fastfm_c.sklearn._validation_rows import ValidationRows, given_validation_rows
from fastfm_c.solvers import TrainingRows
from fastfm_c.training import EpochInfo
from fastfm_c.training._holdout import hold_out
from fastfm_c.training._train import solver_of, train_on

__all__ = ["Estimator"]

_Callback: TypeAlias = Callable[[EpochInfo], Any]


@dataclass(kw_only=True, eq=False, repr=False)
class Estimator(Explaining, PartialFit):
    """What does not depend on the kind of targets."""

    def fit(
        self,
        X: Any,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        X_val: Any = None,
        y_val: ArrayLike | None = None,
        sample_weight_val: ArrayLike | None = None,
        groups: ArrayLike | None = None,
        eval_set: Any = None,
        callbacks: _Callback | Sequence[_Callback] | None = None,
    ) -> Self:
        """Fit a model to rows and their targets.

        Parameters
        ----------
        X : {array_like, sparse matrix, DataFrame} of shape (n_rows, n_features)
            Finite values. A CSR matrix of float32 or float64 is read in place. Anything else is converted
            once. Columns far from zero, such as years, are centred in a copy for the fit, but not with
            "lbfgs", "als" or `normalize`. Callbacks then see a model of the centred columns; `model_` is one
            of the columns as they are.
        y : array_like of shape (n_rows,)
            Labels for a classifier, finite numbers for a regressor.
        sample_weight : array_like of shape (n_rows,), optional
            Finite weights >= 0. Only their ratios matter. A row of weight 0 counts as absent.
        X_val : as X, optional
            Validation rows. Early stopping then holds no rows out. A Pipeline with
            ``transform_input=["X_val"]`` brings them through the steps before.
        y_val : as y, optional
            Their targets.
        sample_weight_val : array_like of shape (n_val_rows,), optional
            Weights of the validation rows. `class_weight` multiplies them as it does those of the training.
        groups : array_like of shape (n_rows,), optional
            A label for each row, such as a user. No label is both held out and learned from.
        eval_set : (X, y) or (X, y, sample_weight), or a list of one such tuple, optional
            Validation rows, in the way of other libraries.
        callbacks : callable or sequence of callables, optional
            Each is called with a `fastfm_c.EpochInfo` after each epoch. A callback that returns
            True ends the fit.

        Returns
        -------
        estimator
            This estimator.

        Raises
        ------
        ValueError
            For malformed data and for parameters out of range.
        DivergenceError
            If a loss or a parameter is no longer finite. The model keeps the last finite parameters.
        KeyboardInterrupt
            Passed on. The estimator is fitted by the epochs that it completed.
        """
        given = given_validation_rows(X_val, y_val, sample_weight_val, eval_set)
        if self.solver == "mcmc":
            fit_by_sampling(self, X, y, sample_weight, given, callbacks)
            return self
        goes_on = self.warm_start and hasattr(self, "model_")
        rng = self._rng()
        rows, fields = self._checked_rows(X, y, sample_weight, is_new=not goes_on)
        if rows.weight is not None:
            rows.weight = with_mean_one(rows.weight)
        if (
            self.solver not in EXACT
            and self.normalize is None
            and (centring := far_columns(rows)) is not None
        ):
            rows.X, rows.centring = centring.centred(rows.X), centring
        if goes_on:
            self._go_on_with(rows)
        else:
            self._fit_targets(rows)
            self.model_ = self._new_model(rows, fields, rng)
        seen = seen_in_fit(rows.targets, rows.weight, self._n_shares())
        self._stream = Stream(seen, self._constant(seen))
        eval_set = None if given is None else self._checked_validation_rows(given, rows)
        options, learned = self._train_options(rows.n_rows, eval_set is not None), None
        if eval_set is None and options["early_stopping"] not in (None, False):
            learned, eval_set = self._held_out(rows, groups, rng)
        self._begin_history(rows.n_rows)
        recorder = Recorder(self, options["early_stopping"])
        more = (callbacks,) if callable(callbacks) else tuple(callbacks or ())
        self._train(
            rows, not goes_on, learned, eval_set=eval_set, callbacks=(recorder, *more), rng=rng, **options
        )
        recorder.finish()
        return self

    def _train(self, rows: FitRows, is_new: bool, learned: NDArray[np.int64] | None, **options: Any) -> None:
        """Train `model_` in the units of the solver. Even after an exception it ends in those of y."""
        loss, threads = self._loss(), self._num_threads()
        targets, centring = rows.in_unit(self._target_scale), rows.centring
        data = TrainingRows(self.model_, loss, rows.X, targets, rows.weight, threads)
        if is_new:  # the solver will ask data for the same numbers, which are measured once
            self._scale_factors(data.column_max_abs)
        # L-BFGS needs the digits of float64.
        model = as_trainable(self.model_, "float64" if self.solver == "lbfgs" else self.dtype)
        if centring is not None and not is_new:
            centring.expressed(model, 1)
        try:
            with in_solver_units(model, lambda: self._target_scale):
                solver = solver_of(self.solver, model, loss, threads, self._solver_options(rows.n_rows))
                train_on(data, solver, rows=learned, **options)
        finally:
            if centring is not None:
                centring.expressed(model, -1)
            self.model_ = as_dtype(model, self.dtype)
            self._unscale_history(self.history_)

    def _held_out(
        self, rows: FitRows, groups: ArrayLike | None, rng: np.random.Generator
    ) -> tuple[NDArray[np.int64], tuple[Any, ...]]:
        """The rows to learn from, and the others as `train_on` takes validation rows."""
        learned, held_out = hold_out(
            rows.n_rows,
            self.validation_fraction,
            rng,
            classes=None if self._n_shares() is None else rows.targets,
            sample_weight=rows.weight,
            groups=groups,
            split=self.validation_split,
        )
        targets = rows.in_unit(self._target_scale)[held_out]
        return learned, (rows.X[held_out], targets, None if rows.weight is None else rows.weight[held_out])

    def _checked_validation_rows(self, given: ValidationRows, rows: FitRows) -> tuple[Any, ...]:
        """Checked validation rows, with targets as the loss takes them and the class weights of training."""
        X, y = self._rows(given.X, given.y)
        self._require_fields(X)
        targets = self._targets(y)
        weight = weighted(targets, given.checked_weight(X), rows.factors)
        if rows.centring is not None:
            X = rows.centring.centred(X)
        return X, FitRows(X, targets, weight).in_unit(self._target_scale), weight
