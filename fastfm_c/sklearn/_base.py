"""What the four estimators of `fastfm_c.sklearn` share.

`fit` and `partial_fit` both begin with `_prepare_fit`. It checks the rows. It also makes a new model, except
when the training goes on from a model that is there. Subclasses say what the targets are.
"""

import time
from abc import abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, Self, TypeAlias

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, DTypeLike, NDArray
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from fastfm_c.losses import Loss
from fastfm_c.models import FM
from fastfm_c.sklearn._fit_rows import FitRows, Weights, require_valid_weights
from fastfm_c.sklearn._parameters import Parameters
from fastfm_c.sklearn._trainable import Model, as_dtype, as_trainable, in_solver_units, scale_scores
from fastfm_c.solvers import SOLVERS, StochasticSolver, TrainingRows
from fastfm_c.training import EpochInfo, History
from fastfm_c.training._train import solver_of, train_on

__all__ = ["Estimator"]

_Callback: TypeAlias = Callable[[EpochInfo], Any]

_ACCEPTED = {"accept_sparse": "csr", "dtype": (np.float64, np.float32)}  # by validate_data, of X


@dataclass(kw_only=True, eq=False, repr=False)
class Estimator(Parameters):
    """What does not depend on the kind of targets."""

    _targets_are_numbers: ClassVar[bool]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def fit(
        self,
        X: Any,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        *,
        eval_set: tuple[Any, ...] | None = None,
        callbacks: _Callback | Sequence[_Callback] | None = None,
    ) -> Self:
        """Fit a model to rows and their targets.

        Parameters
        ----------
        X : {array_like, sparse matrix, DataFrame} of shape (n_rows, n_features)
            Finite values. A CSR matrix of float32 or float64 is read in place. Anything else is converted
            once.
        y : array_like of shape (n_rows,)
            Labels for a classifier, finite numbers for a regressor.
        sample_weight : array_like of shape (n_rows,), optional
            Finite weights >= 0. Only their ratios matter. A row of weight 0 counts as absent.
        eval_set : (X, y) or (X, y, sample_weight), optional
            Validation rows. Early stopping then holds no rows out.
        callbacks : callable or sequence of callables, optional
            Each is called with a `fastfm_c.training.EpochInfo` after each epoch. A callback that returns
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
        goes_on = self.warm_start and hasattr(self, "model_")
        rng = self._rng()
        rows = self._prepare_fit(X, y, sample_weight, None if goes_on else rng)
        if rows.weight is not None:  # the mean of the positive weights is 1: steps grow with the weights
            rows.weight *= np.count_nonzero(rows.weight) / rows.weight.sum()
        if eval_set is not None:
            eval_set = self._validation_rows(eval_set)
        options = self._train_options(rows.n_rows, eval_set is not None)
        self._begin_history(rows.n_rows)
        recorder = _Recorder(self)
        given = (callbacks,) if callable(callbacks) else tuple(callbacks or ())
        self._train(rows, not goes_on, eval_set=eval_set, callbacks=(recorder, *given), rng=rng, **options)
        if recorder.has_converged:
            self.history_.stop_reason = "converged"
        return self

    def _train(self, rows: FitRows, is_new: bool, **options: Any) -> None:
        """Train `model_` in the units of the solver. Even after an exception it ends in those of y."""
        loss, threads = self._loss(), self._num_threads()
        data = TrainingRows(self.model_, loss, rows.X, rows.targets, rows.weight, threads)
        if is_new:  # the solver will ask data for the same numbers, which are measured once
            self._scale_factors(data.column_max_abs)
        # L-BFGS needs the digits of float64.
        model = as_trainable(self.model_, "float64" if self.solver == "lbfgs" else self.dtype)
        try:
            with in_solver_units(model, self._target_scale):
                solver = solver_of(self.solver, model, loss, threads, self._solver_options(rows.n_rows))
                train_on(data, solver, **options)
        finally:
            self.model_: Model = as_dtype(model, self.dtype)
            self._unscale_history(self.history_)

    def _partial_fit(
        self, X: Any, y: ArrayLike, classes: ArrayLike | None, sample_weight: ArrayLike | None
    ) -> Self:
        """Learn from the rows once: `partial_fit` of all estimators."""
        rng = None if hasattr(self, "model_") else self._rng()
        rows = self._prepare_fit(X, y, sample_weight, rng, classes)
        if self.solver not in SOLVERS:
            raise ValueError(f"solver must be one of {', '.join(SOLVERS)} or lbfgs, got {self.solver!r}")
        is_first = not hasattr(self, "solver_")
        if rng is not None:
            self._scale_factors(rows.column_max_abs)
        if is_first:
            self._begin_history(rows.n_rows)
            self.model_ = as_trainable(self.model_, self.model_.dtype)
        start = time.perf_counter()
        with in_solver_units(self.model_, self._target_scale):
            if is_first:
                self.solver_ = self._new_solver()
            loss = self.solver_.partial_fit(rows.X, rows.targets, rows.weight)
        self.history_.rows = rows.n_rows
        self.history_.loss.append(loss * self._target_scale**2)
        self.history_.seconds.append(time.perf_counter() - start)
        self.n_iter_ += 1
        return self

    def _begin_history(self, n_rows: int) -> None:
        """Forget the solver and the history of the training before."""
        self.__dict__.pop("solver_", None)
        self.history_, self.n_iter_ = History(n_rows), 0

    def _new_solver(self) -> StochasticSolver:
        """A solver object for `partial_fit`."""
        create = SOLVERS[self.solver]
        return create(self.model_, self._loss(), num_threads=self._num_threads(), **self._solver_options())

    # ------------------------------------------------------------------------------ rows and models

    def _prepare_fit(
        self,
        X: Any,
        y: ArrayLike,
        sample_weight: ArrayLike | None,
        new_model_rng: np.random.Generator | None,
        classes: ArrayLike | None = None,
    ) -> FitRows:
        """Check rows, targets and weights. With a generator also make a new `model_` for them."""
        is_new = new_model_rng is not None
        fields = getattr(X, "fields", None) if sp.issparse(X) else None  # a DataFrame may have such a column
        if not is_new:
            self._require_fields(X)
        X, y = self._rows(X, y, reset=is_new)
        weight = None
        if sample_weight is not None:
            weight = _check_sample_weight(sample_weight, X, dtype=np.float64, copy=True)
            require_valid_weights(weight)
        if is_new:
            self._fit_targets(y, weight, classes)
        targets = self._targets(y)
        rows = FitRows(X, targets, self._weights(y, targets, weight))
        if new_model_rng is not None:
            self.model_ = self._new_model(rows, fields, new_model_rng)
        if self.model_.n_factors != self.n_factors:
            was = self.model_.n_factors
            raise ValueError(f"n_factors is {self.n_factors}, but the model to go on with has {was}")
        return rows

    def _new_model(self, rows: FitRows, fields: ArrayLike | None, rng: np.random.Generator) -> Model:
        """Make a model of random factors and the best constant score, in the units of y."""
        options = {"init_stdev": self.init_stdev, "dtype": self.dtype, "rng": rng}
        model = self._random_model(rows.X.shape[1], fields, n_outputs=self._n_outputs(), **options)
        model.normalize = self.normalize
        model.w0 = np.asarray(self._best_constant(rows.targets, rows.weight), model.dtype)
        scale_scores(model, self._target_scale)
        return model

    def _scale_factors(self, column_max_abs: Callable[[DTypeLike], NDArray[Any] | None]) -> None:
        """Make a pair as large as if each column were in units of its largest value."""
        if self.normalize is not None:  # the sizes of columns then say little
            return
        if (size := column_max_abs(self.model_.dtype)) is not None:
            V = self.model_.V
            V /= size.reshape(-1, *[1] * (V.ndim - self.model_.w.ndim))

    def _random_model(self, n_features: int, fields: ArrayLike | None, **options: Any) -> Model:
        return FM.random(n_features, self.n_factors, **options)

    def _require_fields(self, X: Any) -> None:
        """Refuse an X whose fields are not those of the model."""

    def _rows(self, X: Any, y: Any, reset: bool = False) -> tuple[Any, NDArray[Any]]:
        """X as CSR, and y, both checked."""
        numeric = self._targets_are_numbers
        X, y = validate_data(self, X, y, reset=reset, y_numeric=numeric, **_ACCEPTED)
        return X if sp.issparse(X) else sp.csr_array(X), y

    def _validation_rows(self, eval_set: tuple[Any, ...]) -> tuple[Any, ...]:
        """The eval_set with checked rows, and targets as the loss takes them."""
        if not isinstance(eval_set, tuple) or len(eval_set) not in (2, 3):
            raise ValueError("eval_set must be a tuple (X, y) or (X, y, sample_weight)")
        self._require_fields(eval_set[0])
        X, y = self._rows(*eval_set[:2])
        return X, self._targets(y), *eval_set[2:]

    def _scores(self, X: Any) -> NDArray[Any]:
        """Raw scores of rows that are not yet checked."""
        check_is_fitted(self, "model_")
        self._require_fields(X)
        X = validate_data(self, X, reset=False, **_ACCEPTED)
        return self.model_.predict(X, num_threads=self._num_threads())

    # ---------------------------------------------------------------------- what the targets decide

    @property
    def _target_scale(self) -> float:
        """The unit of the solver's targets, in the units of y."""
        return 1.0

    @abstractmethod
    def _fit_targets(self, y: NDArray[Any], weight: Weights | None, classes: ArrayLike | None) -> None:
        """Learn from y what targets there are: the classes, or the scale of the numbers."""

    @abstractmethod
    def _targets(self, y: NDArray[Any]) -> NDArray[Any]:
        """The targets that the loss takes."""

    def _weights(self, y: NDArray[Any], targets: NDArray[Any], weight: Weights | None) -> Weights | None:
        """The weights of the rows, from those that the user gave."""
        return weight

    @abstractmethod
    def _n_outputs(self) -> int:
        """Number of scores of a row."""

    @abstractmethod
    def _loss(self) -> Loss:
        """The loss that a fit minimises."""

    @abstractmethod
    def _best_constant(self, targets: NDArray[Any], weight: Weights | None) -> Any:
        """The scores that a model without features would learn, in the units of the solver."""

    def _unscale_history(self, history: History) -> None:
        """Convert the figures of a history from the units of the solver to those of y."""


class _Recorder:
    """A callback of `train`: keeps the history of an estimator, and notices that L-BFGS has converged.

    L-BFGS has converged if its last iterations, `n_iter_no_change` of them, made the objective smaller by
    less than `tol`. The callback then returns True, which ends the fit.
    """

    def __init__(self, estimator: Estimator) -> None:
        self.estimator = estimator
        self.patience = (estimator.n_iter_no_change or 10) if estimator.solver == "lbfgs" else None
        self.has_converged = False

    def __call__(self, info: EpochInfo) -> bool:
        self.estimator.history_, self.estimator.n_iter_ = info.history, info.epoch
        losses, patience = info.history.loss, self.patience
        if patience is not None and len(losses) > patience:
            self.has_converged = losses[-1 - patience] - losses[-1] < self.estimator.tol
        return self.has_converged
