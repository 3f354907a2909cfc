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
from fastfm_c.sklearn._fit_rows import FitRows, Weights
from fastfm_c.sklearn._mcmc import mean_and_std
from fastfm_c.sklearn._parameters import EarlyStopping, if_by_parts
from fastfm_c.sklearn._running import RunningTargets, seen_in_fit
from fastfm_c.sklearn._stream import Stream
from fastfm_c.sklearn._trainable import as_trainable, scale_scores
from fastfm_c.sklearn._units import unit_for, updated_unit
from fastfm_c.training import History

MOST_ROUNDING = 64  # what of a deviation may be rounding of the mean, in the last digits of that

__all__ = ["FFMRegressor", "FMRegressor", "power_of_4_near"]


@dataclass(kw_only=True, eq=False, repr=False)
class Regressor(RegressorMixin, Estimator):
    """An estimator of numbers. Its solver sees y divided by `target_scale_`."""

    clip: bool = False
    _targets_are_numbers = True

    @if_by_parts
    def partial_fit(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None) -> Self:
        """Learn from more rows, once and in their order.

        A stream has the same bits in chunks of any size that is a multiple of `batch_size`, if the learning
        rate is a constant: a schedule counts calls. The first rows of a stream
        decide nothing for good: the bias follows the mean of y, and `target_scale_` its deviation. Later rows
        count more in both. If `target_scale_` is not 1, each call also goes through all parameters twice.
        A call without rows, or without rows of positive weight, changes nothing.

        Parameters
        ----------
        X : {array_like, sparse matrix, DataFrame} of shape (n_rows, n_features)
            As for `fit`.
        y : array_like of shape (n_rows,)
            Finite numbers.
        sample_weight : array_like of shape (n_rows,), optional
            Finite weights >= 0, which multiply the steps.

        Returns
        -------
        estimator
            This estimator. ``history_.loss[-1]`` is the mean loss of the rows. Each row was scored before
            the solver learned from it, but the bias already knows the mean of its batch.

        Raises
        ------
        ValueError
            For malformed data.
        DivergenceError
            As for `fit`.
        """
        return self._partial_fit(X, y, None, sample_weight)

    def predict(self, X: Any, return_std: bool = False) -> Any:
        """Predicted targets of rows.

        Parameters
        ----------
        X : {array_like, sparse matrix, DataFrame} of shape (n_rows, n_features)
        return_std : bool
            Whether to return standard deviations too, after a fit with "mcmc".

        Returns
        -------
        predicted : ndarray of shape (n_rows,), of the dtype of the model
            With "mcmc" the mean over the samples of `posterior_`. With `clip`, in the range of the y learned.
        std : ndarray of shape (n_rows,), of the dtype of the model
            If `return_std`: the standard deviation of a target of the row, that of the noise included.

        Raises
        ------
        ValueError
            If `return_std`, after a fit with another solver.
        """
        if not return_std:
            return self._clipped(self._scores(X))
        rows = self._new_rows(X)
        if not hasattr(self, "posterior_"):
            raise ValueError(f'return_std is {return_std!r}, which needs a fit with solver="mcmc"')
        mean, std = mean_and_std(self.posterior_, self.model_, rows, self._num_threads())
        return self._clipped(mean), std

    def _clipped(self, predicted: NDArray[Any]) -> NDArray[Any]:
        """The numbers, or the nearest ones in the range of the y that was learned, if `clip` says so."""
        if not self.clip:
            return predicted
        if not hasattr(self, "y_range_"):
            raise ValueError(f"clip is {self.clip!r}, but the fit, of an older version, kept no range of y")
        clipped: NDArray[Any] = np.clip(predicted, *np.asarray(self.y_range_, predicted.dtype))
        return clipped

    def _checked_rows(
        self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None, is_new: bool, *args: Any, **options: Any
    ) -> tuple[FitRows, ArrayLike | None]:
        rows, fields = super()._checked_rows(X, y, sample_weight, is_new, *args, **options)
        seen = rows.targets if rows.weight is None else rows.targets[rows.weight > 0]
        if not is_new:
            seen = np.append(seen, getattr(self, "y_range_", ()))
        if len(seen):
            self.y_range_ = float(np.min(seen)), float(np.max(seen))
        return rows, fields

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
            _in_units_of_y(early_stopping, self._target_scale, self._stream.targets.mean)
            if callable(early_stopping)
            else early_stopping
        )

    def _fit_targets(self, rows: FitRows) -> None:
        eps = float(np.finfo(self.dtype).eps)
        self.target_scale_: float = power_of_4_near(rows.targets.astype(np.float64), rows.weight, eps)

    def _origin(self, targets: RunningTargets) -> float:
        return float(targets.mean)

    def _set_target_scale(self, unit: float) -> None:
        self.target_scale_ = unit

    def _go_on_with(self, rows: FitRows) -> None:
        """Give the scores of the model the mean and the deviation of y, if those are far from before."""
        before: RunningTargets | None = getattr(self, "_stream", Stream()).targets
        now = seen_in_fit(rows.targets, rows.weight, None)
        if before is None or before.mean is None:  # of a file of the first version
            before = RunningTargets(0, 0.0, float(self.model_.w0), self.target_scale_)
        unit = updated_unit(self.target_scale_, self._size(now))
        if unit == self.target_scale_ and abs(now.mean - before.mean) <= unit:
            return
        sizes = self._size(now), self._size(before)
        factor = 1.0 if unit == self.target_scale_ else unit / self.target_scale_
        if unit != self.target_scale_ and min(sizes) > 0:
            factor = sizes[0] / sizes[1]
        model = self.model_ = as_trainable(self.model_, self.model_.dtype)
        scale_scores(model, factor)
        model.w0 = model.w0 + (now.mean - factor * before.mean)
        self.target_scale_ = unit

    def _targets(self, y: NDArray[Any]) -> NDArray[Any]:
        return y if y.dtype in (np.float32, np.float64) else y.astype(np.float64)

    def _size(self, targets: RunningTargets) -> float:
        """The deviation of targets, or what of their mean is certainly no rounding."""
        rounding = np.sqrt(float(np.finfo(self.dtype).eps)) * abs(targets.mean)
        return float(max(targets.deviation, rounding))

    def _unit(self, targets: RunningTargets, is_first: bool) -> float:
        rounding = MOST_ROUNDING * float(np.finfo(self.dtype).eps) * abs(targets.mean)
        size = targets.deviation if targets.deviation > rounding else self._size(targets)
        return unit_for(size) if is_first else updated_unit(self.target_scale_, size)

    def _constant(self, targets: RunningTargets) -> Any:
        return targets.mean

    def _best_constant(self, targets: NDArray[Any], weight: Weights | None) -> Any:
        return np.average(targets, weights=weight)

    def _unscale_history(self, history: History) -> None:
        scale = self._target_scale
        history.loss = [loss * scale**2 for loss in history.loss]
        history.refit = [loss * scale**2 for loss in history.refit]
        power = {"loss": 2, "rmse": 1}.get(history.metric or "", 0)
        if power and not callable(self.early_stopping):
            factor = scale**power
            history.validation = [figure * factor for figure in history.validation]
            history.candidates = [
                tried if tried.validation is None else tried._replace(validation=tried.validation * factor)
                for tried in history.candidates
            ]


def _in_units_of_y(metric: Callable[..., float], scale: float, origin: float) -> Callable[..., float]:
    """The metric of targets and scores that were divided by `scale`, after an origin was subtracted."""

    def scaled(y: NDArray[Any], scores: NDArray[Any], **weight: Any) -> float:
        return metric(y * scale + origin, scores * scale + origin, **weight)

    scaled.__name__ = getattr(metric, "__name__", type(metric).__name__)
    scaled.greater_is_better = getattr(metric, "greater_is_better", False)  # type: ignore[attr-defined]
    return scaled


def power_of_4_near(y: NDArray[np.float64], weight: Weights | None, eps: float) -> float:
    """A power of 4 within a factor of 2 of the standard deviation of y; 1 if y is all zeros.

    `eps` is the rounding of the model's dtype. A deviation below the mean times it is taken to be rounding:
    the numbers of a constant y may deviate from their mean by their last digit.
    """
    if not (largest := np.max(np.abs(y))) > 0:
        return 1.0
    y = y / largest  # so that no square overflows
    mean = np.average(y, weights=weight)
    deviation = np.sqrt(np.average((y - mean) ** 2, weights=weight))
    size = largest * max(deviation, eps * abs(mean))
    return unit_for(float(size))


@shared_parameters(REGRESSOR, FM)
@dataclass(kw_only=True, eq=False, repr=False)
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
