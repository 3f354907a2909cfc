"""What a training tells: its `History`, and what its callbacks see."""

import importlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, overload

from fastfm_c.solvers._base import Model
from fastfm_c.training._figures import as_columns, plot_history

__all__ = ["Candidate", "Epoch", "EpochInfo", "History"]


class Epoch(NamedTuple):
    """What a `History` holds of one epoch.

    Parameters
    ----------
    epoch : int
        Counted from 1.
    loss : float
        Training loss of the epoch.
    validation : float or None
        Validation metric after the epoch; None without validation rows.
    seconds : float
        Time that the epoch took.
    """

    epoch: int
    loss: float
    validation: float | None
    seconds: float


class Candidate(NamedTuple):
    """Settings that a fit tried, and how well they did.

    Parameters
    ----------
    learning_rate : float, str or callable
    l2_linear, l2_factors : float
    validation : float or None
        The best validation metric of its epochs; None if it diverged before there was one.
    best_epoch : int or None
        The epoch of it.
    n_iter : int
        Epochs that it took.
    stop_reason : str or None
        As of a `History`; also ``"search"``, if it could not beat the one before it, and ``"diverged"``.
    is_chosen : bool
        Whether the fit took these settings.
    """

    learning_rate: Any
    l2_linear: float
    l2_factors: float
    validation: float | None
    best_epoch: int | None
    n_iter: int
    stop_reason: str | None
    is_chosen: bool


@dataclass(repr=False)
class History:
    """What happened in each epoch of a training, and why it ended.

    It is a sequence of epochs: ``len(history)`` is their number, ``history[-1]`` the last of them, an
    `Epoch`. ``pandas.DataFrame(history)`` is a table of them. `print` shows the first, the last and the best.

    Parameters
    ----------
    rows : int
        Rows learned from in each epoch, without those held out for validation.
    metric : str, optional
        Name of the validation metric; None without validation rows. ``"loss"`` is that of training,
        without L2.
    loss : list of float
        Training loss of each epoch: the mean loss of the rows, each scored before it was learned
        from. For ``"lbfgs"`` and ``"als"`` the objective after each iteration or sweep, L2 included; for
        ``"mcmc"`` the mean loss of the sample of each iteration. `loss_name` says what it is; the squared
        loss is half the squared error.
    validation : list of float
        Validation metric after each epoch; empty without validation rows.
    seconds : list of float
        Time that each epoch took, validation included, callbacks not.
    best_epoch : int, optional
        The epoch, counted from 1, of the best validation metric; None without validation rows.
    stop_reason : str, optional
        ``"max_iter"``, ``"early_stopping"``, ``"callback"``, for ``"lbfgs"`` and ``"als"`` also
        ``"converged"``; ``"search"`` if an estimator ended it while it tried settings. None while the
        training goes on.
    loss_name : str, optional
        ``"log loss"``, ``"smoothed log loss"`` or ``"half MSE"``, half the mean squared error; with
        ``" + L2"`` for ``"lbfgs"`` and ``"als"``; ``"probit loss"`` of classes for ``"mcmc"``;
        ``"ranking loss"`` of a recommender. None if it is not known.
    candidates : list of Candidate
        What an estimator tried before it chose, in this order. Empty if there was nothing to choose. The
        epochs of the history are those of the settings that were chosen.
    refit : list of float
        Training loss of each epoch in which an estimator learned from all rows in the end.
    """

    rows: int
    metric: str | None = None
    loss: list[float] = field(default_factory=list)
    validation: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    best_epoch: int | None = None
    stop_reason: str | None = None
    loss_name: str | None = None
    candidates: list[Candidate] = field(default_factory=list)
    refit: list[float] = field(default_factory=list)

    @property
    def n_iter(self) -> int:
        """Number of epochs, iterations or sweeps that were completed."""
        return len(self.loss)

    def __len__(self) -> int:
        return len(self.loss)

    def __bool__(self) -> bool:
        """True, as of any object: also before the first epoch."""
        return True

    @overload
    def __getitem__(self, index: int) -> Epoch: ...
    @overload
    def __getitem__(self, index: slice) -> list[Epoch]: ...
    def __getitem__(self, index: int | slice) -> Epoch | list[Epoch]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        i = range(len(self))[index]
        validation = self.validation[i] if i < len(self.validation) else None
        return Epoch(i + 1, self.loss[i], validation, self.seconds[i])

    def __iter__(self) -> Iterator[Epoch]:
        return iter(self[:])

    @property
    def validation_name(self) -> str:
        """What the validation metric is called in print and plot."""
        return f"validation {self.metric}"

    def settled(self, tol: float = 1e-4, n_epochs: int = 5) -> bool:
        """Whether the last epochs brought no improvement any more.

        Parameters
        ----------
        tol : float
            Smallest change that counts as an improvement.
        n_epochs : int
            The number of last epochs in which the validation metric, or the training loss where there are no
            validation rows, must not have become better by more than `tol`.

        Returns
        -------
        bool
            False with no more than `n_epochs` epochs.
        """
        if len(self) <= n_epochs:
            return False
        if self.best_epoch is not None:  # the closest to the best of all is the best of the first ones
            best = self.validation[self.best_epoch - 1]
            return any(abs(value - best) <= tol for value in self.validation[:-n_epochs])
        return min(self.loss[:-n_epochs]) - min(self.loss[-n_epochs:]) <= tol

    def to_frame(self) -> Any:
        """The epochs as a pandas.DataFrame.

        Returns
        -------
        pandas.DataFrame
            A row for each epoch, with the columns epoch, loss, seconds and, with validation rows, validation.

        Raises
        ------
        ImportError
            Without pandas.
        """
        try:
            pd = importlib.import_module("pandas")
        except ImportError:
            raise ImportError("History.to_frame makes a DataFrame: pip install pandas") from None
        columns = [name for name in Epoch._fields if name != "validation" or self.validation]
        return pd.DataFrame(self[:], columns=Epoch._fields)[columns]

    def plot(self, ax: Any = None) -> Any:
        """Draw the training loss and the validation metric of each epoch with matplotlib.

        Parameters
        ----------
        ax : matplotlib.axes.Axes, optional
            Where to draw. Default: a new figure.

        Returns
        -------
        matplotlib.axes.Axes
            That of the training loss. A validation metric other than the loss has an axis on the right.

        Raises
        ------
        ImportError
            Without matplotlib.
        """
        return plot_history(self, ax)

    def __repr__(self) -> str:
        n, best = self.n_iter, self.best_epoch
        head = f"History: {n} epochs of {self.rows:,} rows in {sum(self.seconds):.2f} s"
        end = f", stopped by {self.stop_reason}" if self.stop_reason else ""
        columns = {"epoch": [f"{epoch}" for epoch in range(1, n + 1)]}
        columns[self.loss_name or "loss"] = as_columns(self.loss)
        columns["seconds"] = [f"{seconds:.3f}" for seconds in self.seconds]
        if self.metric:
            columns[self.validation_name] = as_columns(self.validation)
        widths = [max(map(len, [name, *cells])) for name, cells in columns.items()]
        lines = [head + end, _line(columns, widths)]
        shown = sorted({1, 2, 3, best or 1, n - 2, n - 1, n} & set(range(1, n + 1)))
        for before, epoch in zip([0, *shown], shown, strict=False):
            lines += ["  ..."] * (epoch > before + 1)
            cells = [column[epoch - 1] for column in columns.values()]
            lines.append(_line(cells, widths) + " best" * (epoch == best and self.metric is not None))
        return "\n".join(lines)


# What makes tables of rows asks for a Sequence: pandas, polars. Its `index` and `count` have no use here.
Sequence.register(History)


def _line(cells: Any, widths: list[int]) -> str:
    """Cells of a table: each to the right of its column, two blanks between."""
    return "  ".join(f"{cell:>{width}}" for cell, width in zip(cells, widths, strict=True))


@dataclass(frozen=True)
class EpochInfo:
    """What a callback of `train` is told after an epoch.

    Parameters
    ----------
    epoch : int
        Counted from 1.
    loss : float
        Training loss of the epoch.
    validation : float or None
        Validation metric after the epoch; None without validation rows.
    seconds : float
        Time that the epoch took.
    model : FM or FFM
        The model itself, with the parameters of this epoch.
    history : History
        All epochs so far, this one included.
    """

    epoch: int
    loss: float
    validation: float | None
    seconds: float
    model: Model
    history: History
