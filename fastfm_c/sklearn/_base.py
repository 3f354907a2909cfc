"""What the four estimators of `fastfm_c.sklearn` share: `fit`."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeAlias

import numpy as np
from numpy.typing import ArrayLike

from fastfm_c.sklearn._centring import far_columns
from fastfm_c.sklearn._explaining import Explaining
from fastfm_c.sklearn._fit_rows import FitRows, Split, weighted, with_mean_one
from fastfm_c.sklearn._fitting import Fitting
from fastfm_c.sklearn._mcmc import fit_by_sampling
from fastfm_c.sklearn._partial_fit import PartialFit
from fastfm_c.sklearn._running import seen_in_fit
from fastfm_c.sklearn._stream import Stream
from fastfm_c.sklearn._validation_rows import ValidationRows, given_validation_rows
from fastfm_c.solvers._callbacks import as_callbacks
from fastfm_c.training import EpochInfo
from fastfm_c.training._folds import folds
from fastfm_c.training._holdout import hold_out

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
            Each is called with a `fastfm_c.EpochInfo` after each epoch: of each training that is tried,
            whose epochs are counted from 1 again, and of the last one over all rows, which has no
            validation figure. A callback that returns True ends the fit, which then has the best model so
            far.

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
            Passed on. The estimator has the best model so far.
        """
        given = given_validation_rows(X_val, y_val, sample_weight_val, eval_set)
        self._require_words()
        if self.solver == "mcmc":
            fit_by_sampling(self, X, y, sample_weight, given, callbacks)
            return self
        goes_on = self.warm_start and hasattr(self, "model_")
        rng = self._rng()
        rows, fields = self._checked_rows(X, y, sample_weight, is_new=not goes_on)
        if rows.weight is not None:
            rows.weight = with_mean_one(rows.weight)
        self._centre(rows)
        if goes_on:
            self._go_on_with(rows)
        else:
            self._fit_targets(rows)
            self.model_ = self._new_model(rows, fields, rng)
        self._see_targets(rows)
        eval_set = None if given is None else self._checked_validation_rows(given, rows)
        splits, options = self._splits(rows, eval_set, groups, rng)
        self._begin_history(rows.n_rows)
        more = as_callbacks(() if callbacks is None else callbacks)
        Fitting(self, rows, not goes_on, splits, options, more, rng).train().finish()
        return self

    def _centre(self, rows: FitRows) -> None:
        """Take the means off columns far from zero. L-BFGS finds its way without."""
        if self.solver == "lbfgs" or self.normalize is not None:
            return
        centring = far_columns(rows)
        if centring is not None:
            rows.X, rows.centring = centring.centred(rows.X), centring

    def _see_targets(self, rows: FitRows) -> None:
        """Note what the targets of a fit are like, and where their origin is."""
        seen = seen_in_fit(rows.targets, rows.weight, self._n_shares())
        self._stream = Stream(seen, self._constant(seen))
        rows.origin = self._origin(seen)

    def _splits(
        self,
        rows: FitRows,
        eval_set: tuple[Any, ...] | None,
        groups: ArrayLike | None,
        rng: np.random.Generator,
    ) -> tuple[list[Split], dict[str, Any]]:
        """What is learned from and validated with, and the arguments of `train_on` for it."""
        n_rows, has_eval_set, unit = rows.n_rows, eval_set is not None, self._target_scale
        n_counted = n_rows if rows.weight is None else int(np.count_nonzero(rows.weight))
        options = self._train_options(n_rows, has_eval_set)
        if eval_set is not None:
            return [Split(None, eval_set)], options
        classes = None if self._n_shares() is None else rows.targets
        n_groups = None if groups is None else len(np.unique(np.asarray(groups)))
        if self._uses_folds(n_counted, has_eval_set, n_groups):
            parts = folds(n_rows, rng, classes, rows.weight, groups)
            options |= {"early_stopping": self._metric(True), "max_iter": self.max_iter}
        elif options["early_stopping"] not in (None, False):
            held_out = hold_out(
                n_rows,
                self.validation_fraction,
                rng,
                classes=classes,
                sample_weight=rows.weight,
                groups=groups,
                split=self.validation_split,
            )
            parts = [held_out]
        else:
            parts = []
        return [Split(learned, rows.part(others, unit)) for learned, others in parts], options

    def _checked_validation_rows(self, given: ValidationRows, rows: FitRows) -> tuple[Any, ...]:
        """Checked validation rows, with targets as the loss takes them and the class weights of training."""
        X, y = self._rows(given.X, given.y)
        self._require_fields(X)
        targets = self._targets(y)
        weight = weighted(targets, given.checked_weight(X), rows.factors)
        if rows.centring is not None:
            X = rows.centring.centred(X)
        return X, FitRows(X, targets, weight, origin=rows.origin).for_solver(self._target_scale), weight
