"""What the estimators of `fastfm_c.sklearn` share."""

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self, TypeAlias

import numpy as np
import scipy.sparse as sp
from joblib import effective_n_jobs
from numpy.typing import ArrayLike, DTypeLike
from sklearn.base import BaseEstimator, RegressorMixin
from sklearn.utils import check_random_state
from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data

from fastfm_c._column_scale import column_max_abs
from fastfm_c.models import FFM, FM
from fastfm_c.sklearn._models import in_dtype, multiply_scores, to_train
from fastfm_c.solvers import SOLVERS
from fastfm_c.training import EpochInfo, History, train

__all__ = ["Estimator", "has_steps", "require_weight"]

_Callback: TypeAlias = Callable[[EpochInfo], Any]
_ACCEPTED = {"accept_sparse": "csr", "dtype": (np.float64, np.float32)}  # of X, by validate_data

# A fit to few rows takes more passes and smaller batches, for enough updates to get anywhere.
ROWS_LEARNED = 100_000  # from in all passes, unless that is more than MOST_PASSES
PASSES, MOST_PASSES = 10, 100
BATCHES = 64  # in a pass, unless that makes batches smaller than SMALLEST_BATCH
SMALLEST_BATCH = 8
LARGEST_BATCH = {"sgd": 32}  # 1024 for others
ENOUGH_TO_STOP = 100  # validation rows, for early stopping by default


def has_steps(estimator):
    """Whether there is a partial_fit."""
    if estimator.solver == "lbfgs":
        raise AttributeError("solver='lbfgs' has no partial_fit: it needs all rows at once")
    return True


@dataclass(kw_only=True, eq=False, repr=False)
class Estimator(BaseEstimator):
    """The parameters with their defaults, and what does not depend on the kind of targets."""

    n_factors: int = 8
    solver: str = "adagrad"
    learning_rate: float | None = None
    max_iter: int | None = None
    batch_size: int | None = None
    l2_linear: float = 1e-5
    l2_factors: float = 1e-5
    init_stdev: float = 0.01
    early_stopping: bool | str | Callable[..., float] | None = None
    validation_fraction: float = 0.1
    n_iter_no_change: int | None = None
    tol: float = 1e-4
    normalize: str | None = None
    warm_start: bool = False
    dtype: DTypeLike = "float32"
    random_state: Any = None
    n_jobs: int | None = None
    verbose: bool | int = False

    def __sklearn_tags__(self):
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
            Finite. A CSR matrix of float32 or float64 is read in place, anything else converted once.
        y : array_like of shape (n_rows,)
            Labels for a classifier, finite numbers for a regressor.
        sample_weight : array_like of shape (n_rows,), optional
            Finite weights >= 0, of which only the ratios matter. A row of weight 0 is as if absent.
        eval_set : (X, y) or (X, y, sample_weight), optional
            Validation rows. Early stopping then holds no rows out.
        callbacks : callable or sequence of callables, optional
            Each is called with a `fastfm_c.training.EpochInfo` after each pass; one that returns True
            ends the fit.

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
            Passed on. The estimator is fitted as far as it came.
        """
        again = self.warm_start and hasattr(self, "model_")
        rng = self._rng()
        X, targets, weight = self._begin(X, y, sample_weight, None if again else rng)
        if weight is not None:  # the solvers' steps grow with the weights
            weight *= np.count_nonzero(weight) / weight.sum()
        if eval_set is not None:
            eval_set = self._validation_rows(eval_set)
        stopping = self._early_stopping(X.shape[0], eval_set)
        self.__dict__.pop("solver_", None)
        self.history_, self.n_iter_ = History(X.shape[0]), 0
        converged = False
        patience = (self.n_iter_no_change or 10) if self.solver == "lbfgs" else None

        def note(info):
            nonlocal converged
            self.history_, self.n_iter_, losses = info.history, info.epoch, info.history.loss
            converged = (
                patience is not None
                and len(losses) > patience
                and losses[-1 - patience] - losses[-1] < self.tol
            )
            return converged

        given = (callbacks,) if callable(callbacks) else tuple(callbacks or ())
        # L-BFGS needs the digits of float64.
        model = to_train(self.model_, "float64" if self.solver == "lbfgs" else self.dtype)
        multiply_scores(model, 1 / self._scale)
        try:
            train(
                model,
                X,
                targets,
                self._loss(),
                solver=self.solver,
                max_iter=self._max_iter(X.shape[0], stopping),
                sample_weight=weight,
                eval_set=eval_set,
                validation_fraction=self.validation_fraction,
                early_stopping=self._metric(stopping),
                n_iter_no_change=self.n_iter_no_change,
                tol=self.tol,
                callbacks=(note, *given),
                verbose=self.verbose,
                rng=rng,
                num_threads=self._num_threads(),
                **self._solver_options(X.shape[0]),
            )
        finally:
            multiply_scores(model, self._scale)
            self.model_: FM | FFM = in_dtype(model, self.dtype)
            self._finish(self.history_)
        if converged:
            self.history_.stop_reason = "converged"
        return self

    def _learn(self, X, y, classes, sample_weight):
        """One pass over some rows: `partial_fit` of all estimators."""
        rng = None if hasattr(self, "model_") else self._rng()
        X, targets, weight = self._begin(X, y, sample_weight, rng, classes)
        if self.solver not in SOLVERS:
            raise ValueError(f"solver must be one of {', '.join(SOLVERS)} or lbfgs, got {self.solver!r}")
        if not hasattr(self, "solver_"):
            self.history_, self.n_iter_ = History(X.shape[0]), 0
            self.model_ = to_train(self.model_, self.model_.dtype)
        start = time.perf_counter()
        multiply_scores(self.model_, 1 / self._scale)
        try:
            if not hasattr(self, "solver_"):
                create, options = SOLVERS[self.solver], self._solver_options()
                self.solver_ = create(self.model_, self._loss(), num_threads=self._num_threads(), **options)
            loss = self.solver_.partial_fit(X, targets, weight)
        finally:
            multiply_scores(self.model_, self._scale)
        self.history_.rows = X.shape[0]
        self.history_.loss.append(loss * self._scale**2)
        self.history_.seconds.append(time.perf_counter() - start)
        self.n_iter_ += 1
        return self

    def _begin(self, X, y, sample_weight, rng, classes=None):
        """Checked rows, targets and weights; with an rng also a new model for them."""
        first = rng is not None
        fields = getattr(X, "fields", None) if sp.issparse(X) else None  # a DataFrame may have such a column
        if not first:
            self._require_fields(X)
        X, y = self._rows(X, y, first)
        weight = None
        if sample_weight is not None:
            weight = _check_sample_weight(sample_weight, X, dtype=np.float64, copy=True)
            require_weight(weight)
        if first:
            self._meet(y, weight, classes)
        targets = self._targets(y)
        weight = self._weights(y, targets, weight)
        if first:
            options = {"init_stdev": self.init_stdev, "dtype": self.dtype, "rng": rng}
            self.model_ = self._random_model(X.shape[1], fields, n_outputs=self._n_outputs(), **options)
            self.model_.normalize = self.normalize
            self.model_.w0 = np.asarray(self._best_constant(targets, weight), self.model_.dtype)
            multiply_scores(self.model_, self._scale)
            # As if every column were in units of its largest value.
            columns = column_max_abs(X.indptr, X.indices, X.data, X.shape[1], self.model_.dtype, weight)
            if columns is not None and self.normalize is None:
                self.model_.V[...] /= columns.reshape(-1, *[1] * (2 if hasattr(self.model_, "fields") else 1))
        if self.model_.n_factors != self.n_factors:
            was = self.model_.n_factors
            raise ValueError(f"n_factors is {self.n_factors}, but the model to go on with has {was}")
        return X, targets, weight

    def _rows(self, X, y, reset=False):
        numeric = isinstance(self, RegressorMixin)
        X, y = validate_data(self, X, y, reset=reset, y_numeric=numeric, **_ACCEPTED)
        return X if sp.issparse(X) else sp.csr_array(X), y

    def _validation_rows(self, eval_set):
        if not isinstance(eval_set, tuple) or len(eval_set) not in (2, 3):
            raise ValueError("eval_set must be a tuple (X, y) or (X, y, sample_weight)")
        self._require_fields(eval_set[0])
        X, y = self._rows(*eval_set[:2])
        return X, self._targets(y), *eval_set[2:]

    def _early_stopping(self, n_rows, eval_set):
        """None becomes True where the validation rows are enough to go by."""
        if self.early_stopping is not None or self.solver == "lbfgs":
            return self.early_stopping
        return eval_set is not None or self.validation_fraction * n_rows >= ENOUGH_TO_STOP

    def _max_iter(self, n_rows, stopping):
        if self.max_iter is not None or self.solver == "lbfgs" or stopping not in (None, False):
            return self.max_iter
        return min(max(PASSES, math.ceil(ROWS_LEARNED / n_rows)), MOST_PASSES)

    def _solver_options(self, n_rows=None):
        """Arguments of the solver, by the number of rows where all are there."""
        options = {"l2_linear": self.l2_linear, "l2_factors": self.l2_factors}
        if self.solver == "lbfgs":
            return options
        batch_size = self.batch_size
        if batch_size is None and n_rows is not None:
            batch_size = min(max(n_rows // BATCHES, SMALLEST_BATCH), LARGEST_BATCH.get(self.solver, 1024))
        options |= {"learning_rate": self.learning_rate, "batch_size": batch_size}
        return {name: value for name, value in options.items() if value is not None}

    def _rng(self):
        return np.random.default_rng(check_random_state(self.random_state).randint(2**31 - 1))

    def _num_threads(self):
        return None if self.n_jobs is None else effective_n_jobs(self.n_jobs)

    def _scores(self, X):
        check_is_fitted(self, "model_")
        self._require_fields(X)
        X = validate_data(self, X, reset=False, **_ACCEPTED)
        return self.model_.predict(X, num_threads=self._num_threads())

    def _random_model(self, n_features, fields, **options):
        return FM.random(n_features, self.n_factors, **options)

    def _require_fields(self, X):
        pass


def require_weight(weight):
    if np.min(weight) < 0:
        raise ValueError(f"the weight of row {np.argmin(weight)} is {np.min(weight)}, expected a weight >= 0")
    if not np.max(weight) > 0:
        raise ValueError("the weights of all rows are zero")
