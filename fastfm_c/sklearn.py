"""scikit-learn estimators: FMClassifier, FMRegressor, FFMClassifier and FFMRegressor."""

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, DTypeLike, NDArray

try:
    from joblib import effective_n_jobs
    from sklearn.base import BaseEstimator, ClassifierMixin, RegressorMixin
    from sklearn.utils import check_random_state
    from sklearn.utils.class_weight import compute_class_weight
    from sklearn.utils.metaestimators import available_if
    from sklearn.utils.multiclass import check_classification_targets, unique_labels
    from sklearn.utils.validation import _check_sample_weight, check_is_fitted, validate_data
except ImportError as error:
    raise ImportError(
        "fastfm_c.sklearn needs scikit-learn 1.6 or newer: pip install 'fastfm-c[sklearn]'"
    ) from error

import fastfm_c

from ._core import FFM, FM, LogisticLoss, SoftmaxLoss, SquaredLoss
from ._metrics import METRICS
from ._validation import as_fields
from .training import train

__all__ = ["FFMClassifier", "FFMRegressor", "FMClassifier", "FMRegressor"]

_SOLVER_CLASSES = {"sgd": "SGD", "adagrad": "AdaGrad", "adam": "Adam", "ftrl": "FTRL"}

_PARAMETERS = """n_factors : int
        Length of the factor vectors.
    solver : {"adagrad", "sgd", "adam", "ftrl", "lbfgs"}
        How the parameters are found. "lbfgs" minimises the exact objective, in float64 whatever `dtype` is.
    learning_rate : float or None
        Step size; None is the default of the solver. Not used by "lbfgs".
    max_iter : int or None
        Largest number of passes over the rows (of iterations for "lbfgs"); None is the default of the solver.
    batch_size : int or None
        Rows that one update learns from; None is the default of the solver. Not used by "lbfgs".
    l2_linear, l2_factors : float
        Strength of the L2 penalty of the linear weights and of the factors. The bias is never penalised.{penalty}{classes}
    init_stdev : float
        Standard deviation of the normally distributed factors that the fit begins with.
    early_stopping : None, bool, "log_loss", "auc", "rmse" or callable
        What is watched on `eval_set`, or on rows held out for it, to end the fit and to keep the best epoch's
        parameters: see `fastfm_c.training.train`. None stops early where an `eval_set` is given.
    validation_fraction : float
        Share of the rows to hold out where early stopping has no `eval_set`.
    n_iter_no_change : int
        Passes without progress after which the fit ends.
    tol : float
        Progress smaller than this counts as none.
    warm_start : bool
        `fit` begins with the parameters of the last one, which was to data of the same columns{same_classes}.
    dtype : "float32" or "float64"
        Of the model and of its scores.
    random_state : int, RandomState instance or None
        Decides the first factors, the order of the rows and which rows are held out. The same int gives the
        same model, bit for bit, for any number of threads.
    n_jobs : int or None
        Threads. None is the library's default (see `fastfm_c.set_num_threads`), -1 is all there are.
    verbose : int or bool
        Whether to report on each pass.{fields}

    Attributes
    ----------
    model_ : {model}
        The fitted model; ``model_.predict_row`` serves single rows fastest.
    {attributes}history_ : History or None
        Losses and seconds of each pass, see `fastfm_c.training.train`; None after a fit that was interrupted.
    n_iter_ : int
        Passes that were made, by `fit` and then by `partial_fit`.
    n_features_in_ : int
        Number of columns of X.
    feature_names_in_ : ndarray of shape (n_features_in_,)
        Names of the columns, where X was a DataFrame whose columns have names.
    solver_ : fastfm_c.SGD, fastfm_c.AdaGrad, fastfm_c.Adam or fastfm_c.FTRL
        What `partial_fit` goes on with from call to call."""

_CLASSES = """
    label_smoothing : float
        In [0, 1): how much of the probability mass the loss moves to the other classes.
    class_weight : dict, "balanced" or None
        Factors of the weights of the rows, by label; "balanced" gives each class the same total weight."""

_PENALTY = """
        The penalties are those of the problem in which the targets are divided by `target_scale_`."""

_FIELDS = """
    fields : array_like of int, shape (n_features,), or None
        Field of each column, in 0..n_fields-1. None takes ``X.fields`` where X has it, else each column is its
        own field (and the model has n_features * n_features * n_factors factors)."""

_CLASSES_ = """classes_ : ndarray of shape (C,)
        The labels, sorted.
    """

_SCALE_ = """target_scale_ : float
        A power of 4 near the standard deviation of y. Targets are divided by it while the model learns, so that
        step sizes suit any unit of y, and the parameters are then multiplied back, without rounding.
        Callbacks see the model before that.
    """


def _documented(cls):
    """Completes the docstring of an estimator with what all of them share."""
    classifier = issubclass(cls, ClassifierMixin)
    if cls.__doc__ is not None:  # not under python -OO
        text = _PARAMETERS.format(
            penalty="" if classifier else _PENALTY,
            classes=_CLASSES if classifier else "",
            same_classes=" and classes" if classifier else "",
            fields=_FIELDS if issubclass(cls, _FieldAware) else "",
            model="FFM" if issubclass(cls, _FieldAware) else "FM",
            attributes=_CLASSES_ if classifier else _SCALE_,
        )
        cls.__doc__ = cls.__doc__.replace("{parameters}", text)
    return cls


@dataclass(kw_only=True, eq=False, repr=False)
class _Estimator(BaseEstimator):
    """Parameters with their defaults, and everything that does not depend on the kind of target."""

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
    n_iter_no_change: int = 5
    tol: float = 1e-4
    warm_start: bool = False
    dtype: DTypeLike = "float32"
    random_state: Any = None
    n_jobs: int | None = None
    verbose: bool | int = 0

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
        eval_set: tuple | None = None,
        callbacks: Sequence[Callable[..., Any]] | None = None,
    ) -> Self:
        """Fit the model to rows and their targets.

        A CSR matrix of float32 or float64 is read where it is; anything else is converted once.

        Parameters
        ----------
        X : {array_like, sparse matrix or DataFrame} of shape (n_rows, n_features)
        y : array_like of shape (n_rows,)
            Labels of any kind for a classifier, numbers for a regressor.
        sample_weight : array_like of shape (n_rows,), optional
            Not negative. A row of weight 0 is as if absent.
        eval_set : tuple (X, y) or (X, y, sample_weight), optional
            Rows to judge each pass by, instead of some that are held out.
        callbacks : sequence of callable, optional
            Called after each pass, see `fastfm_c.training.train`; a true result ends the fit.

        Returns
        -------
        estimator
            Itself.

        Raises
        ------
        ValueError
            When X, y, a weight, `fields` or a parameter is not what it must be.
        DivergenceError
            When the solver ran away; the estimator then has the last finite parameters.
        KeyboardInterrupt
            Passed on. The estimator is fitted as far as it had come.
        """
        again = self.warm_start and hasattr(self, "model_")
        X, y, targets, weight = self._prepare(X, y, sample_weight, first=not again)
        seed = check_random_state(self.random_state).randint(np.iinfo(np.int32).max)
        rng = np.random.default_rng(seed)
        if not again:
            self._start(X, targets, weight, rng)
        return self
