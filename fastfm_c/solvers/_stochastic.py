"""What SGD, AdaGrad, Adam and FTRL share: options, state, pickling, epochs. Memory and loops are in _core."""

import math
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastfm_c._errors import DivergenceError
from fastfm_c.losses import Loss
from fastfm_c.models import FFM
from fastfm_c.solvers._base import Model, Observer, Report, TrainingRows, require_trainable, run_epochs
from fastfm_c.solvers._options import OptionChecks, Rng, checked_options, option_names
from fastfm_c.solvers._properties import SolverProperties
from fastfm_c.solvers._restore import Progress, restore_solver
from fastfm_c.solvers._schedule import LearningRate, as_learning_rate, rate_of_epoch

__all__ = ["StochasticSolver"]


class StochasticSolver(SolverProperties):
    """A solver that learns from batches of rows. It writes to the parameters of its model while it learns.

    A subclass names its rule in the C library (`_rule`), what that keeps for each parameter
    (`state_names`, by the names of the papers) and the options of its own, with their checks
    (`_option_checks`). `SGD` documents the parameters.
    """

    __slots__ = ()
    _rule: ClassVar[str]
    _column_measure: ClassVar[str | None] = "column_rms"  # of TrainingRows, before the first epoch of `run`
    _option_checks: ClassVar[OptionChecks] = {}
    option_names: ClassVar[tuple[str, ...]] = option_names(_option_checks)
    default_max_iter: ClassVar[int] = 10
    default_patience: ClassVar[int] = 5

    def __init__(
        self,
        model: Model,
        loss: Loss,
        *,
        learning_rate: LearningRate,
        batch_size: int,
        l2_linear: float = 0.0,
        l2_factors: float = 0.0,
        schedule: str | None = None,
        shuffle: bool = False,
        clip_value: float | None = None,
        normalize: str | None = None,
        num_threads: int | None = None,
        rng: Rng = None,
        _own_options: Mapping[str, Any],
    ) -> None:
        super().__init__()
        require_trainable(model, loss)
        if normalize is not None and model.normalize not in (None, normalize):
            raise ValueError(f"normalize is {normalize!r}, but the model has {model.normalize!r}")
        rate, schedule = as_learning_rate(learning_rate, schedule, self.default_learning_rate)
        values = {"learning_rate": rate, "schedule": schedule}
        values |= checked_options(l2_linear, l2_factors, batch_size, shuffle, clip_value, num_threads)
        values |= {name: check(_own_options[name], name) for name, check in self._option_checks.items()}
        generator = np.random.default_rng(rng)
        first = rate_of_epoch(rate, schedule, 1, (0, 1))
        self._bind(model, loss, values | {"learning_rate": first})
        if normalize is not None:
            model.normalize = normalize
        self._values, self._rng, self._n_epochs, self._run = values, generator, 0, None
        self._fit_state()

    def _start_state(
        self, s: int, arrays: tuple[NDArray[Any], ...], parameters: tuple[NDArray[Any], ...]
    ) -> None:
        """Fill the s-th state, one array of zeros for each of the parameters, with what it starts from."""

    def _change_rate(
        self,
        states: list[tuple[NDArray[Any], ...]],
        parameters: tuple[NDArray[Any], ...],
        scale: NDArray[Any] | None,
        rate: float,
    ) -> None:
        """Convert the states, in place, to another learning rate than `_rate`; the parameters stay."""

    def _divergence(self, row: int, largest: float) -> DivergenceError:
        return DivergenceError(
            f"epoch {self._n_epochs + 1} diverged at row {row}: a loss or a parameter is not finite "
            f"any more (learning_rate {self._rate}, largest |x| {largest:.3g}); a smaller learning_rate, "
            "or values and targets of order 1, help"
        )

    def prepare(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None) -> TrainingRows:
        """The rows, after all checks that learning from them needs.

        Parameters and errors are those of `partial_fit`.

        Returns
        -------
        TrainingRows
        """
        self._require_state()
        num_threads = self._values["num_threads"]
        return TrainingRows(self._model, self.loss, X, y, sample_weight, num_threads)

    def epoch(
        self, data: TrainingRows, rows: ArrayLike | None = None, progress: Report | None = None
    ) -> float:
        """Learn from prepared rows once, in batches of `batch_size`.

        Parameters
        ----------
        data : TrainingRows
            What `prepare` returned.
        rows : array_like of int64, optional
            The rows to learn from, in this order. Default: all, in order.
        progress : callable, optional
            Called as ``progress(rows_done, n_rows, mean_loss_so_far)`` some times a second.

        Returns
        -------
        float
            The progressive loss: the weighted mean over the rows, each scored before it is learned from.
            Without rows of positive weight it is nan; nothing is learned, and no epoch is counted.
        """
        self._require_state()
        if not isinstance(data, TrainingRows):
            raise TypeError(f"data must be what prepare returned, got {type(data).__name__}")
        if rows is not None:
            rows = np.ascontiguousarray(rows, np.int64)
        if not self._has_weight(data, rows):
            return math.nan
        self._set_rate(self._next_rate())
        loss = self._learn(data, rows, progress, self._values["num_threads"])
        self._n_epochs += 1
        return loss

    def _resume_epoch(self) -> None:
        """Make the next call of `epoch` a part of the last epoch."""
        self._n_epochs -= 1

    def _has_weight(self, data: TrainingRows, rows: NDArray[np.int64] | None) -> bool:
        """Whether there is anything to learn from."""
        if rows is None or data.sample_weight is None:
            return data.has_weight and (rows is None or len(rows) > 0)
        return bool(np.any(data.sample_weight.take(rows, mode="clip")))  # the epoch refuses other rows

    def run(
        self,
        data: TrainingRows,
        rows: NDArray[np.int64] | None,
        rng: np.random.Generator | None,
        max_iter: int,
        observer: Observer,
    ) -> str:
        """Learn epoch by epoch until it is over. Steps are in units of the columns of data.

        With ``schedule="cosine"`` the learning rate falls from its first value at the first of these epochs
        to nearly 0 at the last of `max_iter`.

        Parameters and errors are those of `fastfm_c.solvers.Solver.run`.

        Returns
        -------
        str
            "max_iter", or why the observer ended it.
        """
        self._require_state()
        if rng is not None:
            rows = np.arange(data.n_rows, dtype=np.int64) if rows is None else rows.copy()
        with self._running(data, max_iter):
            return run_epochs(partial(self.epoch, data), rows, rng, max_iter, observer)

    @contextmanager
    def _running(self, data: TrainingRows, max_iter: int) -> Iterator[None]:
        """Make units those of the columns of data, and a schedule one of max_iter epochs, for a while."""
        if self.n_steps == 0 and self._column_measure is not None and self._has_scale():
            self._set_scale(getattr(data, self._column_measure)(self._model.dtype))
        self._hold_scale(self._column_measure is not None and self._scale is not None)
        self._run = self._n_epochs, max_iter
        try:
            yield
        finally:
            self._hold_scale(False)  # from now on a larger value raises a unit
            self._run = None

    def partial_fit(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float:
        """Learn from the rows once, in batches of `batch_size`, in order or shuffled.

        Two calls with the two halves of the rows leave the bits of one call with all of them, if the
        first half is a multiple of `batch_size` rows, nothing is shuffled and the learning rate is a
        constant: a schedule counts calls.

        Parameters
        ----------
        X : scipy.sparse CSR matrix or array of shape (rows, n_features)
            As for `FM.predict`, but finite. A block without rows, or without rows of positive weight, is
            as if it had not come.
        y : array_like of shape (rows,)
            Targets that the loss takes.
        sample_weight : array_like of shape (rows,), optional
            Finite weights >= 0, which multiply the rows' losses. A row of weight zero is as if absent.

        Returns
        -------
        float
            The progressive loss: the weighted mean over the rows, each scored before it is learned from.
            nan if there is none.

        Raises
        ------
        ValueError
            For rows or targets that are unfit, before anything is learned.
        DivergenceError
            When a loss or a parameter is not finite; the parameters in the model still are.
        """
        data = self.prepare(X, y, sample_weight)
        shuffles = self._values["shuffle"] and data.has_weight
        return self.epoch(data, self._rng.permutation(data.n_rows) if shuffles else None)

    def resize(
        self,
        n_features: int,
        fields: ArrayLike | None = None,
        *,
        init_stdev: float = 0.01,
        rng: Rng = None,
    ) -> None:
        """Append features to the model, and state for them.

        A `partial_fit` after the model's own `resize` makes the state for them too.

        Parameters
        ----------
        n_features : int
            At least that of now.
        fields : array_like of int, shape (n_features,)
            Of an FFM, as for `FFM.resize`.
        init_stdev, rng
            As for `FM.resize`.
        """
        self._require_state()
        if isinstance(self._model, FFM):
            self._model.resize(n_features, fields, init_stdev=init_stdev, rng=rng)
        elif fields is not None:
            raise ValueError("fields is given, but an FM has none")
        else:
            self._model.resize(n_features, init_stdev=init_stdev, rng=rng)
        self._fit_state()

    def _options(self) -> dict[str, Any]:
        """The arguments that the solver was made with, except model, loss, normalize and rng."""
        self._require_state()
        return dict(self._values)

    def _progress(self) -> Progress:
        """What learning has made, for copies and files."""
        self._require_state()
        self._fit_state()
        return self._n_steps, self._n_epochs, self._rng, list(self._states), self._scale, self._rate

    def _go_on(self, model: Model, progress: Progress) -> None:
        """Continue with a model as another solver did; this one has learned nothing yet."""
        n_steps, n_epochs, rng, states, scale, *rate = progress
        # The first version wrote no rate, which was the same in all epochs.
        self._set_state(model, n_steps, states, scale, rate[0] if rate else self._rate)
        self._n_epochs, self._rng = n_epochs, rng

    def __reduce__(self) -> tuple[Any, ...]:
        options, progress = self._options(), self._progress()
        return restore_solver, (type(self), self._model, self._loss, options, progress)

    def __repr__(self) -> str:
        try:
            self._require_state()
        except TypeError:  # debuggers show objects that are not yet made, too
            return f"<{type(self).__name__} without state>"
        options = ", ".join(
            f"{name}={value!r}"
            for name, value in self._options().items()
            if value is not None and value is not False
        )
        return f"{type(self).__name__}({self._model!r}, {self._loss!r}, {options})"
