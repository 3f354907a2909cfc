"""Estimators of numbers: FMRegressor and FFMRegressor."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import RegressorMixin
from sklearn.utils.metaestimators import available_if

from fastfm_c._core import SquaredLoss
from fastfm_c.sklearn._base import Estimator, has_steps
from fastfm_c.sklearn._docs import FFM, FM, REGRESSOR, shared_parameters
from fastfm_c.sklearn._ffm import FieldAware

__all__ = ["FFMRegressor", "FMRegressor", "power_of_4_near"]


@dataclass(kw_only=True, eq=False, repr=False)
class Regressor(RegressorMixin, Estimator):
    @available_if(has_steps)
    def partial_fit(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Learn from more rows, once and in their order.

        Where `target_scale_` is not 1, each call takes the time of two passes over the parameters as well.

        Parameters
        ----------
        X : {array_like, sparse matrix, DataFrame} of shape (n_rows, n_features)
            As for `fit`.
        y : array_like of shape (n_rows,)
            Finite numbers. Those of the first call decide about `target_scale_`.
        sample_weight : array_like of shape (n_rows,), optional
            Finite weights >= 0, which multiply the steps.

        Returns
        -------
        estimator
            This estimator. ``history_.loss[-1]`` is the mean loss of the rows, each scored before it was
            learned from.

        Raises
        ------
        ValueError
            For malformed data.
        DivergenceError
            As for `fit`.
        """
        return self._learn(X, y, None, sample_weight)

    def predict(self, X: Any) -> NDArray[Any]:
        """Predicted targets of rows.

        Parameters
        ----------
        X : {array_like, sparse matrix, DataFrame} of shape (n_rows, n_features)

        Returns
        -------
        ndarray of shape (n_rows,), of the dtype of the model
        """
        return self._scores(X)

    @property
    def _scale(self):
        return self.target_scale_

    def _n_outputs(self):
        return 1

    def _loss(self):
        return SquaredLoss()

    def _metric(self, stopping):
        """A user's own figure is of targets and scores in the units of y."""
        metric, scale = stopping, self._scale
        if not callable(metric):
            return metric

        def scaled(y, scores, **weight):
            return metric(y * scale, scores * scale, **weight)

        scaled.__name__ = getattr(metric, "__name__", type(metric).__name__)
        scaled.greater_is_better = getattr(metric, "greater_is_better", False)
        return scaled

    def _meet(self, y, weight, classes):
        self.target_scale_ = power_of_4_near(y.astype(np.float64), weight, np.finfo(self.dtype).eps)

    def _targets(self, y):
        y = y if y.dtype in (np.float32, np.float64) else y.astype(np.float64)
        return y if self._scale == 1 else y / y.dtype.type(self._scale)

    def _weights(self, y, targets, weight):
        return weight

    def _best_constant(self, targets, weight):
        return np.average(targets, weights=weight)

    def _finish(self, history):
        history.loss = [loss * self._scale**2 for loss in history.loss]
        power = {"loss": 2, "rmse": 1}.get(history.metric, 0)
        if not callable(self.early_stopping):
            history.validation = [figure * self._scale**power for figure in history.validation]


@shared_parameters(REGRESSOR, FM)
class FMRegressor(Regressor):
    """Factorization machine for numbers, with squared loss.

    Parameters
    ----------
    <parameters>

    Examples
    --------
    >>> import numpy as np
    >>> from fastfm_c.sklearn import FMRegressor
    >>> X = np.random.default_rng(0).standard_normal((200, 3))
    >>> y = X[:, 0] * X[:, 1] - X[:, 2]
    >>> model = FMRegressor(n_factors=2, solver="lbfgs", random_state=0).fit(X, y)
    >>> model.score(X, y) > 0.99
    True
    """


@shared_parameters(REGRESSOR, FFM)
@dataclass(kw_only=True, eq=False, repr=False)
class FFMRegressor(FieldAware, Regressor):
    """Field-aware factorization machine for numbers, with squared loss.

    Parameters
    ----------
    <parameters>

    Examples
    --------
    >>> import numpy as np
    >>> from fastfm_c.sklearn import FFMRegressor
    >>> X = np.eye(4)[[0, 0, 1, 1]] + np.eye(4)[[2, 3, 2, 3]]  # two columns of two values, one-hot
    >>> y = [3.0, 1.0, 1.0, 3.0]
    >>> model = FFMRegressor(n_factors=2, solver="lbfgs", fields=[0, 0, 1, 1], random_state=0).fit(X, y)
    >>> model.predict(X).round(1)
    array([3., 1., 1., 3.], dtype=float32)
    """


def power_of_4_near(y, weight, eps):
    """A power of 4 within a factor of 2 of the standard deviation of y; 1 for zeros."""
    if not (largest := np.max(np.abs(y))) > 0:
        return 1.0
    y = y / largest  # whose squares do not overflow
    mean = np.average(y, weights=weight)
    deviation = np.sqrt(np.average((y - mean) ** 2, weights=weight))
    # A deviation that is next to nothing beside the mean is rounding: see a column of 0.1.
    size = largest * max(deviation, np.sqrt(eps) * abs(mean))
    if not size > 0:
        return 1.0
    return float(4.0 ** np.clip(np.round(np.log2(size) / 2), -30, 30))
