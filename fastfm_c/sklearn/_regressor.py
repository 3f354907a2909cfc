"""Estimators of numbers: FMRegressor and FFMRegressor."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import RegressorMixin

from fastfm_c.losses import SquaredLoss
from fastfm_c.sklearn._base import Estimator
from fastfm_c.sklearn._docs import FFM, FM, REGRESSOR, shared_parameters
from fastfm_c.sklearn._ffm import FieldAware
from fastfm_c.sklearn._fit_rows import Weights
from fastfm_c.sklearn._parameters import EarlyStopping, unless_lbfgs
from fastfm_c.training import History

__all__ = ["FFMRegressor", "FMRegressor", "power_of_4_near"]


@dataclass(kw_only=True, eq=False, repr=False)
class Regressor(RegressorMixin, Estimator):
    """An estimator of numbers. Its solver sees y divided by `target_scale_`."""

    _targets_are_numbers = True

    @unless_lbfgs
    def partial_fit(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Learn from more rows, once and in their order.

        If `target_scale_` is not 1, each call also goes through all parameters twice.

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
            This estimator. ``history_.loss[-1]`` is the mean loss of the rows. Each row was scored before
            the model learned from it.

        Raises
        ------
        ValueError
            For malformed data.
        DivergenceError
            As for `fit`.
        """
        return self._partial_fit(X, y, None, sample_weight)

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
    def _target_scale(self) -> float:
        return self.target_scale_

    def _n_outputs(self) -> int:
        return 1

    def _loss(self) -> SquaredLoss:
        return SquaredLoss()

    def _metric(self, early_stopping: EarlyStopping) -> EarlyStopping:
        """A callable of the user gets targets and scores in the units of y."""
        return (
            _in_units_of_y(early_stopping, self._target_scale) if callable(early_stopping) else early_stopping
        )

    def _fit_targets(self, y: NDArray[Any], weight: Weights | None, classes: ArrayLike | None) -> None:
        eps = float(np.finfo(self.dtype).eps)
        self.target_scale_: float = power_of_4_near(y.astype(np.float64), weight, eps)

    def _targets(self, y: NDArray[Any]) -> NDArray[Any]:
        y = y if y.dtype in (np.float32, np.float64) else y.astype(np.float64)
        return y if self._target_scale == 1 else y / y.dtype.type(self._target_scale)

    def _best_constant(self, targets: NDArray[Any], weight: Weights | None) -> Any:
        return np.average(targets, weights=weight)

    def _unscale_history(self, history: History) -> None:
        scale = self._target_scale
        history.loss = [loss * scale**2 for loss in history.loss]
        if not callable(self.early_stopping):
            power = {"loss": 2, "rmse": 1}.get(history.metric or "", 0)
            history.validation = [figure * scale**power for figure in history.validation]


def _in_units_of_y(metric: Callable[..., float], scale: float) -> Callable[..., float]:
    """The metric of targets and scores that were divided by `scale`."""

    def scaled(y: NDArray[Any], scores: NDArray[Any], **weight: Any) -> float:
        return metric(y * scale, scores * scale, **weight)

    scaled.__name__ = getattr(metric, "__name__", type(metric).__name__)
    scaled.greater_is_better = getattr(metric, "greater_is_better", False)  # type: ignore[attr-defined]
    return scaled


def power_of_4_near(y: NDArray[np.float64], weight: Weights | None, eps: float) -> float:
    """A power of 4 within a factor of 2 of the standard deviation of y; 1 if y is all zeros.

    `eps` is the rounding of the model's dtype. A deviation below its square root times the mean is taken
    to be rounding: the numbers of a constant y may deviate from their mean by their last digit.
    """
    if not (largest := np.max(np.abs(y))) > 0:
        return 1.0
    y = y / largest  # so that no square overflows
    mean = np.average(y, weights=weight)
    deviation = np.sqrt(np.average((y - mean) ** 2, weights=weight))
    size = largest * max(deviation, np.sqrt(eps) * abs(mean))
    if not size > 0:
        return 1.0
    return float(4.0 ** np.clip(np.round(np.log2(size) / 2), -30, 30))


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
