"""Metrics of raw scores: what early stopping watches."""

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastfm_c.losses import LogisticLoss, Loss, SoftmaxLoss, SquaredLoss

__all__ = ["accuracy", "auc", "log_loss", "loss_name", "metric_of", "predicted_class", "rmse"]


def log_loss(y: ArrayLike, scores: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
    """Weighted mean logistic or softmax loss of raw scores, without label smoothing.

    Parameters
    ----------
    y : ndarray of shape (n_rows,)
        0 or 1, or classes 0..C-1 where there is a score for each.
    scores : ndarray of shape (n_rows,) or (n_rows, C)
    sample_weight : ndarray of shape (n_rows,), optional

    Returns
    -------
    float

    Examples
    --------
    >>> round(log_loss(np.array([0, 1]), np.array([0.0, 1000.0])), 4)
    0.3466
    """
    loss = SoftmaxLoss() if np.ndim(scores) == 2 else LogisticLoss()
    return loss.mean(y, scores, sample_weight)


def rmse(y: ArrayLike, scores: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
    """Square root of the weighted mean squared error.

    Parameters
    ----------
    y, scores : ndarray of shape (n_rows,)
    sample_weight : ndarray of shape (n_rows,), optional

    Returns
    -------
    float

    Examples
    --------
    >>> rmse(np.array([1.0, 2.0]), np.array([1.0, 4.0]), np.array([1.0, 3.0]))
    1.7320508075688772
    """
    return float(np.sqrt(2 * SquaredLoss().mean(y, scores, sample_weight)))


def accuracy(y: ArrayLike, scores: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
    """Weighted share of the rows whose class has the highest score; the larger class where scores are equal.

    Parameters
    ----------
    y : ndarray of shape (n_rows,)
        0 or 1, or classes 0..C-1 where there is a score for each.
    scores : ndarray of shape (n_rows,) or (n_rows, C)
        One score is that of class 1, against 0.
    sample_weight : ndarray of shape (n_rows,), optional

    Returns
    -------
    float

    Examples
    --------
    >>> accuracy(np.array([0, 1, 1]), np.array([-1.0, 2.0, -0.5]), np.array([1.0, 1.0, 2.0]))
    0.5
    """
    found = predicted_class(np.asarray(scores))
    weight = None if sample_weight is None else np.asarray(sample_weight, np.float64)
    return float(np.average(found == np.asarray(y), weights=weight))


def predicted_class(scores: NDArray[Any]) -> NDArray[np.int64]:
    """The class with the highest score, as for `accuracy`. Of classes with equal scores it is the largest."""
    if scores.ndim == 2:
        index: NDArray[np.int64] = scores.shape[1] - 1 - np.argmax(scores[:, ::-1], axis=1)
        return index
    return (scores >= 0).astype(np.int64)


def auc(y: ArrayLike, scores: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
    """Share of the pairs (one of class 1, one of class 0) that scores put in order; a tie is a half.

    Of several classes it is the mean over the classes of that of a class against the rest, by probability.

    Parameters
    ----------
    y : ndarray of shape (n_rows,)
        0 or 1, or classes 0..C-1 where there is a score for each. Two of them must occur. A class that does
        not occur is not part of the mean.
    scores : ndarray of shape (n_rows,) or (n_rows, C)
    sample_weight : ndarray of shape (n_rows,), optional
        A pair weighs the product of its two weights.

    Returns
    -------
    float

    Examples
    --------
    >>> auc(np.array([0, 1, 0, 1]), np.array([0.1, 0.8, 0.8, 0.9]))
    0.875
    """
    y, scores = np.asarray(y), np.asarray(scores)
    weight = np.ones(len(y)) if sample_weight is None else np.asarray(sample_weight, np.float64)
    if scores.ndim == 1:
        if not np.isin(y, (0, 1)).all():
            raise ValueError("auc needs y of 0 and 1 only")
        return _auc_of_two(y == 1, scores, weight)
    proba = SoftmaxLoss().proba(scores)
    occurring = np.unique(y[weight > 0]).astype(np.int64)
    if len(occurring) < 2:
        raise ValueError(_ONE_CLASS)
    return float(np.mean([_auc_of_two(y == c, proba[:, c], weight) for c in occurring]))


_ONE_CLASS = "auc needs rows of both classes, of positive weight, in the validation data"


def _auc_of_two(is_one: NDArray[np.bool_], scores: NDArray[Any], weight: NDArray[np.float64]) -> float:
    _, rank = np.unique(scores, return_inverse=True)
    ones, zeros = (np.bincount(rank, weight * side) for side in (is_one, ~is_one))
    pairs = ones.sum() * zeros.sum()
    if not pairs > 0:
        raise ValueError(_ONE_CLASS)
    return float(ones @ (np.cumsum(zeros) - zeros / 2) / pairs)


accuracy.greater_is_better = True  # type: ignore[attr-defined]
auc.greater_is_better = True  # type: ignore[attr-defined]

METRICS: dict[str, Callable[..., float]] = {
    "log_loss": log_loss,
    "auc": auc,
    "accuracy": accuracy,
    "rmse": rmse,
}


def metric_of(early_stopping: object, loss: Loss) -> tuple[str, Callable[..., float]]:
    """Name and function of what the argument of `train` of this name asks for.

    Parameters
    ----------
    early_stopping : None, bool, str or callable
    loss : SquaredLoss, LogisticLoss or SoftmaxLoss
        Its mean is the metric where nothing else is named.

    Returns
    -------
    name : str
    function : callable

    Examples
    --------
    >>> metric_of("auc", LogisticLoss())[0]
    'auc'
    """
    if early_stopping is None or isinstance(early_stopping, bool | np.bool_):
        return "loss", loss.mean
    if callable(early_stopping):
        return getattr(early_stopping, "__name__", type(early_stopping).__name__), early_stopping
    if not isinstance(early_stopping, str) or early_stopping not in METRICS:
        raise ValueError(
            f"early_stopping must be None, True, False, a callable or one of {', '.join(METRICS)}, "
            f"got {early_stopping!r}"
        )
    if early_stopping in ("log_loss", "accuracy") and isinstance(loss, SquaredLoss):
        raise ValueError(
            f"early_stopping={early_stopping!r} needs LogisticLoss or SoftmaxLoss, got SquaredLoss"
        )
    if early_stopping == "rmse" and not isinstance(loss, SquaredLoss):
        raise ValueError(f"early_stopping='rmse' needs SquaredLoss, got {type(loss).__name__}")
    return early_stopping, METRICS[early_stopping]


def loss_name(loss: Loss) -> str:
    """What the mean of a loss is called in a `History`.

    Examples
    --------
    >>> loss_name(SquaredLoss()), loss_name(SoftmaxLoss(label_smoothing=0.1))
    ('half MSE', 'smoothed log loss')
    """
    if isinstance(loss, SquaredLoss):
        return "half MSE"
    return "smoothed log loss" if getattr(loss, "label_smoothing", 0) else "log loss"
