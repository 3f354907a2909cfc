"""What a training tells: its `History`, and what its callbacks see."""

from dataclasses import dataclass, field

from fastfm_c.solvers._base import Model

__all__ = ["EpochInfo", "History"]


@dataclass(repr=False)
class History:
    """What happened in each epoch of a training, and why it ended.

    Parameters
    ----------
    rows : int
        Rows learned from in each epoch, without those held out for validation.
    metric : str, optional
        Name of the validation metric; None without validation rows.
    loss : list of float
        Training loss of each epoch: the mean loss of the rows, each scored before it was learned
        from. For ``solver="lbfgs"`` the objective after each iteration, L2 included.
    validation : list of float
        Validation metric after each epoch; empty without validation rows.
    seconds : list of float
        Time that each epoch took, validation included, callbacks not.
    best_epoch : int, optional
        The epoch, counted from 1, of the best validation metric; None without validation rows.
    stop_reason : str, optional
        ``"max_iter"``, ``"early_stopping"``, ``"callback"``, for ``solver="lbfgs"`` also
        ``"converged"`` or what SciPy says; None while the training goes on.
    """

    rows: int
    metric: str | None = None
    loss: list[float] = field(default_factory=list)
    validation: list[float] = field(default_factory=list)
    seconds: list[float] = field(default_factory=list)
    best_epoch: int | None = None
    stop_reason: str | None = None

    @property
    def n_iter(self) -> int:
        """Number of epochs, or of L-BFGS iterations, that were completed."""
        return len(self.loss)

    def __repr__(self) -> str:
        n, best = self.n_iter, self.best_epoch
        head = f"History: {n} epochs of {self.rows:,} rows in {sum(self.seconds):.2f} s"
        end = f", stopped by {self.stop_reason}" if self.stop_reason else ""
        lines = [head + end, f"{'epoch':>7}{'loss':>12}{'seconds':>10}"]
        if self.metric:
            lines[1] += f"  validation {self.metric}"
        shown = sorted({1, 2, 3, best or 1, n - 2, n - 1, n} & set(range(1, n + 1)))
        for before, epoch in zip([0, *shown], shown, strict=False):
            lines += ["    ..."] * (epoch > before + 1)
            lines.append(f"{epoch:7}{self.loss[epoch - 1]:12.6f}{self.seconds[epoch - 1]:10.3f}")
            if self.metric:
                lines[-1] += f"{self.validation[epoch - 1]:12.6f}" + " best" * (epoch == best)
        return "\n".join(lines)


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
