"""What happens after each epoch of a training: validation, best parameters, callbacks, the end."""

import math
import time
from collections.abc import Callable, Sequence
from types import TracebackType
from typing import Any, Protocol, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from fastfm_c._validation import as_targets, as_weights
from fastfm_c.solvers._base import Model, Report
from fastfm_c.solvers._callbacks import any_ends
from fastfm_c.training._growth import FactorGrowth
from fastfm_c.training._history import EpochInfo, History
from fastfm_c.training._progress import NullReporter

__all__ = ["MeanValidation", "Metered", "Monitor", "Unmetered", "Validation", "validation_of"]


class Metered(Protocol):
    """Validation rows with a metric: a call is its value for the model as it is now."""

    greater_is_better: bool

    def __call__(self) -> float:
        """The value of the metric."""


class Unmetered(Protocol):
    """Validation rows that wait for their metric: what an eval_set may be beside a tuple."""

    def bound(self, metric: Callable[..., float], num_threads: int | None) -> Metered:
        """These rows, with a metric."""


class Validation:
    """The value of a metric for the model and validation rows.

    Parameters
    ----------
    model : FM or FFM
    eval_set : (X, y) or (X, y, sample_weight)
    metric : callable
        As in `train`; called once here, so that its errors and those of the rows come early.
    num_threads : int or None
    """

    def __init__(
        self,
        model: Model,
        eval_set: tuple[Any, ...],
        metric: Callable[..., float],
        num_threads: int | None,
    ) -> None:
        if not isinstance(eval_set, tuple) or len(eval_set) not in (2, 3):
            raise ValueError("eval_set must be a tuple (X, y) or (X, y, sample_weight)")
        self.model, self.metric, self.num_threads = model, metric, num_threads
        X = eval_set[0]
        self.X = X.tocsr() if sp.issparse(X) else np.asarray(X)  # converted once
        scores = self.scores()
        self.y = as_targets(eval_set[1], len(scores))
        weight = as_weights(eval_set[2], len(scores)) if len(eval_set) == 3 else None
        self.weight: dict[str, Any] = {} if weight is None else {"sample_weight": weight}
        self.greater_is_better = bool(getattr(metric, "greater_is_better", False))
        if len(scores) == 0:
            raise ValueError("eval_set has no rows")
        if not (np.isfinite(scores).all() and np.isfinite(self.y).all()):
            raise ValueError("eval_set holds nan or inf, or values so large that scores overflow")
        self.value_of(scores)

    def __call__(self) -> float:
        return self.value_of(self.scores())

    def scores(self) -> NDArray[np.float64]:
        return self.model.predict(self.X, num_threads=self.num_threads).astype(np.float64, copy=False)

    def value_of(self, scores: NDArray[np.float64]) -> float:
        return math.nan if np.isnan(scores).any() else float(self.metric(self.y, scores, **self.weight))


class MeanValidation:
    """The mean of a metric over several models, each with rows of its own.

    Parameters
    ----------
    models : sequence of FM or FFM
    eval_sets : sequence of (X, y) or (X, y, sample_weight)
        One for each model. Their total weights are the weights of the mean.
    """

    def __init__(self, models: Sequence[Model], eval_sets: Sequence[tuple[Any, ...]]) -> None:
        self.models, self.eval_sets = models, eval_sets
        self.greater_is_better = False

    def bound(self, metric: Callable[..., float], num_threads: int | None) -> Self:
        """This one, for a metric."""
        pairs = zip(self.models, self.eval_sets, strict=True)
        self.parts = [Validation(model, rows, metric, num_threads) for model, rows in pairs]
        self.greater_is_better = self.parts[0].greater_is_better
        self.weights = [float(np.sum(part.weight.get("sample_weight", len(part.y)))) for part in self.parts]
        return self

    def __call__(self) -> float:
        return float(np.average([part() for part in self.parts], weights=self.weights))


def validation_of(
    eval_set: tuple[Any, ...] | Unmetered,
    model: Model,
    metric: Callable[..., float],
    num_threads: int | None,
) -> Metered:
    """The validation that an eval_set asks for."""
    if hasattr(eval_set, "bound"):
        return eval_set.bound(metric, num_threads)
    return Validation(model, eval_set, metric, num_threads)


class Monitor:
    """Writes the history of a training, keeps its best parameters and says when it is over.

    Parameters
    ----------
    model : FM or FFM
    history : History
    validation : Metered, optional
    patience : int or None
        Epochs without improvement that end the training; None: no early stopping.
    tol : float
    callbacks : sequence of callables
    report : NullReporter, LineReporter or TqdmReporter
    """

    def __init__(
        self,
        model: Model,
        history: History,
        validation: Metered | None,
        patience: int | None,
        tol: float,
        callbacks: Sequence[Callable[[EpochInfo], Any]],
        report: NullReporter,
    ) -> None:
        self.model, self.history, self.validation = model, history, validation
        self.patience, self.tol = patience, tol
        self.callbacks, self.report = callbacks, report
        self.best = self.threshold = math.inf  # smallest metric value; the one that the next must beat by tol
        self.threshold_epoch = 0  # the epoch of the threshold
        self.n_growing = 0  # epochs since then in which the factors grew much: they need no improvement
        self.checkpoint = None if patience is None else _Checkpoint(model)
        self.growth = None if patience is None else FactorGrowth(model)

    def __enter__(self) -> Self:
        self.clock = time.perf_counter()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.report.close()
        if self.checkpoint is None:
            return
        last_is_best = kind is None and self.history.best_epoch == self.history.n_iter
        self.checkpoint.close(restore=not last_is_best)

    def within(self, epoch: int) -> Report | None:
        """What the solver calls in the middle of an epoch."""
        return self.report.within(epoch)

    def after_epoch(self, loss: float) -> str | None:
        """Complete an epoch; why it is the last one, or None."""
        history = self.history
        validation = None if self.validation is None else self.validation()  # may be interrupted
        history.loss.append(float(loss))
        history.seconds.append(time.perf_counter() - self.clock)
        if self.validation is not None and validation is not None:
            history.validation.append(validation)
            self.update_best(-validation if self.validation.greater_is_better else validation)
        info = EpochInfo(
            history.n_iter, history.loss[-1], validation, history.seconds[-1], self.model, history
        )
        self.report.after(info)
        is_over = any_ends(self.callbacks, info)
        self.clock = time.perf_counter()
        if is_over:
            return "callback"
        if self.growth is not None and self.growth.goes_on():
            self.n_growing += 1
        if (
            self.patience is not None
            and history.n_iter - self.threshold_epoch - self.n_growing >= self.patience
        ):
            return "early_stopping"
        return None

    def update_best(self, value: float) -> None:
        """Compare the last metric value, of which smaller is better, with those before."""
        if value < self.best:
            self.best, self.history.best_epoch = value, self.history.n_iter
            if self.checkpoint is not None:
                self.checkpoint.save()
        if value < self.threshold - self.tol:
            self.threshold, self.threshold_epoch, self.n_growing = value, self.history.n_iter, 0


class _Checkpoint:
    """Room for a copy of the parameters of a model, and the copy once it is made.

    The room is taken before the first epoch. So a training for which there is not enough fails at once.
    """

    def __init__(self, model: Model) -> None:
        self.model, self.is_whole = model, False
        self.w0 = np.copy(model.w0)
        try:
            self.w, self.V = np.empty_like(model.w), np.empty_like(model.V)
        except MemoryError:
            raise MemoryError(
                "early stopping keeps the parameters of the best epoch beside those of the model: "
                f"{model.nbytes:,} bytes more, which cannot be had; train without early stopping, or with "
                "fewer factors"
            ) from None

    def save(self) -> None:
        self.is_whole = False  # after an interruption in the middle the model itself has these parameters
        copy_parameters(self.model, self)
        self.is_whole = True

    def close(self, restore: bool) -> None:
        """End; write the copy back first if asked to, and if there is one."""
        if restore and self.is_whole:
            copy_parameters(self, self.model)


def copy_parameters(source: Any, target: Any) -> None:
    """Copy w0, w and V from a model or a checkpoint to one of the same shapes."""
    np.copyto(target.w, source.w)
    np.copyto(target.V, source.V)
    target.w0 = np.copy(source.w0)
