"""The losses: what they mean, what they take, and their small print. The loops are in the extension."""

from typing import Any, ClassVar, NoReturn, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastfm_c import _core
from fastfm_c._validation import as_targets

__all__ = ["LogisticLoss", "Loss", "SoftmaxLoss", "SquaredLoss"]


class Loss(_core.Loss):
    """A loss of the raw scores of rows and their targets: what all losses share.

    A subclass names its function in the C library (`_function`) and the shape of its scores. A model needs
    nothing else to be trained with it.
    """

    __slots__ = ()
    _function: ClassVar[str]
    _score_shape: ClassVar[str] = "(rows,)"

    def loss(self, y: ArrayLike, scores: ArrayLike) -> NDArray[Any]:
        """Loss of each row.

        Parameters
        ----------
        y : array_like of shape (rows,)
            Targets; see the class.
        scores : array_like of shape (rows,), or (rows, C) for softmax, float32 or float64
            Raw scores; other types become float64.

        Returns
        -------
        ndarray of shape (rows,), of the dtype of scores

        Raises
        ------
        ValueError
            For a target that the loss does not take, or shapes that do not fit.
        """
        return self._loss_rows(*self._checked(y, scores), True, False)[0]

    def gradient(self, y: ArrayLike, scores: ArrayLike) -> NDArray[Any]:
        """Derivative of each row's loss by its scores.

        Parameters and errors are those of `loss`.

        Returns
        -------
        ndarray, shape and dtype of scores
        """
        return self._loss_rows(*self._checked(y, scores), False, True)[1]

    def loss_gradient(self, y: ArrayLike, scores: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
        """`loss` and `gradient` in one pass.

        Returns
        -------
        (ndarray, ndarray)
        """
        return self._loss_rows(*self._checked(y, scores), True, True)

    def mean(self, y: ArrayLike, scores: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Weighted mean of the losses: ``sum(weight * loss) / sum(weight)``.

        Parameters
        ----------
        y, scores
            As for `loss`.
        sample_weight : array_like of shape (rows,), optional
            Finite weights >= 0. A row of weight zero is as if absent.

        Returns
        -------
        float

        Raises
        ------
        ValueError
            As for `loss`, and when the total weight is zero.
        """
        return self._weighted_mean(self.loss(y, scores).astype(np.float64, copy=False), y, sample_weight)

    def _checked(self, y: ArrayLike, scores: ArrayLike) -> tuple[NDArray[Any], NDArray[Any]]:
        """Targets and scores as the loops read them."""
        rows = self._as_scores(scores)
        targets = as_targets(y, len(rows))
        self._check_outputs(rows.shape[1] if rows.ndim == 2 else 1)
        return targets, rows

    def _as_scores(self, scores: ArrayLike) -> NDArray[Any]:
        scores = np.asarray(scores)
        if not self._is_score_shape(scores.shape):
            raise ValueError(
                f"scores has shape {scores.shape}, {type(self).__name__} expects {self._score_shape}"
            )
        if scores.dtype.kind not in "fiub":
            raise ValueError(f"scores must hold real numbers, got {scores.dtype}")
        return np.require(scores, np.float32 if scores.dtype == np.float32 else np.float64, ["C", "A"])

    def _is_score_shape(self, shape: tuple[int, ...]) -> bool:
        return len(shape) == 1

    def _check_outputs(self, n_outputs: int) -> None:
        if n_outputs != 1:
            raise ValueError(f"{type(self).__name__} takes one output, got {n_outputs}")

    def _check_model(self, n_outputs: int, is_multiple: bool) -> None:
        """Raise for a model that does not fit; is_multiple: it has an axis of outputs, even if only one."""
        self._check_outputs(n_outputs)

    def _refuse_target(self, y: NDArray[Any], row: int, n_outputs: int) -> NoReturn:
        wanted = self._expects.format(last=n_outputs - 1)
        raise ValueError(f"y[{row}] is {y[row]}, {type(self).__name__} expects {wanted}")

    def __eq__(self, other: object) -> bool:
        return type(self) is type(other) and isinstance(other, Loss) and self._smoothing == other._smoothing

    def __hash__(self) -> int:
        return hash((type(self), self._smoothing))


class SquaredLoss(Loss):
    """Squared loss of a raw score s and a finite target y: ``(s - y)**2 / 2``.

    Examples
    --------
    >>> from fastfm_c import SquaredLoss
    >>> SquaredLoss().loss([1.0, 2.0], [3.0, 2.0])
    array([2., 0.])
    """

    __slots__ = ()
    _function = "squared"

    def __init__(self) -> None:
        super().__init__()

    def __reduce__(self) -> tuple[type[Self], tuple[()]]:
        return type(self), ()

    def __repr__(self) -> str:
        return f"{type(self).__name__}()"


class _ClassLoss(Loss):
    """A loss of classes, whose targets can be smoothed and whose scores have probabilities."""

    __slots__ = ()

    def __init__(self, label_smoothing: float = 0.0) -> None:
        super().__init__()
        if not 0 <= label_smoothing < 1:
            raise ValueError(f"label_smoothing must be in [0, 1), got {label_smoothing}")
        self._smoothing = label_smoothing

    @property
    def label_smoothing(self) -> float:
        """The part of the target that is spread over the classes, in [0, 1)."""
        return self._smoothing

    def __reduce__(self) -> tuple[type[Self], tuple[float]]:
        return type(self), (self._smoothing,)

    def __repr__(self) -> str:
        eps = self._smoothing
        return f"{type(self).__name__}({f'label_smoothing={eps}' if eps else ''})"


class LogisticLoss(_ClassLoss):
    """Logistic loss of a raw score s and a target y in {0, 1}.

    ``max(s, 0) - s t + log1p(exp(-abs(s)))`` with ``t = y (1 - eps) + eps / 2``, where eps is the label
    smoothing. No score overflows, and a loss near zero keeps its relative accuracy.

    Parameters
    ----------
    label_smoothing : float, default 0
        In [0, 1).

    Examples
    --------
    >>> from fastfm_c import LogisticLoss
    >>> LogisticLoss().loss([1, 0], [1000.0, 1000.0])
    array([   0., 1000.])
    """

    __slots__ = ()
    _function = "logistic"

    def proba(self, scores: ArrayLike) -> NDArray[Any]:
        """Probability of class 1: the sigmoid of each score.

        Parameters
        ----------
        scores : array_like of shape (rows,)

        Returns
        -------
        ndarray of shape (rows,), float32 for float32 scores, else float64
        """
        return self._proba_rows(self._as_scores(scores))


class SoftmaxLoss(_ClassLoss):
    """Softmax loss of C raw scores s and an integer class y in 0..C-1.

    ``logsumexp(s) - sum_c t_c s_c``; ``t_c`` is ``1 - eps`` for the true class and ``eps / (C - 1)`` for
    the others, where eps is the label smoothing. No score overflows, and a loss near zero keeps its
    relative accuracy. With two classes it equals the logistic loss with twice the label smoothing.

    Parameters
    ----------
    label_smoothing : float, default 0
        In [0, 1).

    Examples
    --------
    >>> from fastfm_c import SoftmaxLoss
    >>> SoftmaxLoss().proba([[0.0, 0.0, 1000.0]])
    array([[0., 0., 1.]])
    """

    __slots__ = ()
    _function = "softmax"
    _score_shape = "(rows, C)"

    def proba(self, scores: ArrayLike) -> NDArray[Any]:
        """Probabilities of the classes: the softmax of each row.

        Parameters
        ----------
        scores : array_like of shape (rows, C)

        Returns
        -------
        ndarray of shape (rows, C), float32 for float32 scores, else float64
        """
        return self._proba_rows(self._as_scores(scores))

    def _is_score_shape(self, shape: tuple[int, ...]) -> bool:
        return len(shape) == 2 and shape[1] >= 1

    def _check_outputs(self, n_outputs: int) -> None:
        if n_outputs == 1 and self._smoothing > 0:
            raise ValueError("label smoothing needs at least 2 classes, got 1")

    def _check_model(self, n_outputs: int, is_multiple: bool) -> None:
        if not is_multiple:
            raise ValueError(f"{type(self).__name__} needs a model with several outputs, this one has one")
        self._check_outputs(n_outputs)
