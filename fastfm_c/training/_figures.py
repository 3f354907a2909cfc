"""How a `History` is shown: its numbers as text, and its plot."""

import importlib
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from fastfm_c.training._history import History

__all__ = ["as_columns", "plot_history"]

# Numbers of these sizes are shown with six decimals, because they are easily compared then.
LEAST, LARGEST = 1e-3, 1e6


def as_columns(values: Sequence[float]) -> list[str]:
    """The numbers of a column as text, all in one format.

    Examples
    --------
    >>> as_columns([0.5, 12.0]), as_columns([0.5, 1.25e9])
    (['0.500000', '12.000000'], ['5.000000e-01', '1.250000e+09'])
    """
    sizes = [abs(value) for value in values if math.isfinite(value) and value != 0]
    is_plain = all(LEAST <= size < LARGEST for size in sizes)
    return [f"{value:.6f}" if is_plain else f"{value:.6e}" for value in values]


def plot_history(history: "History", ax: Any) -> Any:
    """`History.plot`."""
    try:
        # By name: matplotlib is optional, and takes long to import.
        pyplot, ticker = (importlib.import_module(f"matplotlib.{name}") for name in ("pyplot", "ticker"))
    except ImportError:
        raise ImportError("History.plot draws with matplotlib: pip install matplotlib") from None
    if ax is None:
        _, ax = pyplot.subplots()
    epochs = range(1, len(history) + 1)
    marker = "o" if len(history) == 1 else None  # a single point has no line
    name = history.loss_name or "loss"
    lines = ax.plot(epochs, history.loss, color="C0", marker=marker, label=f"training {name}")
    ax.set_xlabel("epoch")
    ax.set_ylabel(name)
    ax.xaxis.set_major_locator(ticker.MaxNLocator(integer=True))
    if history.validation:
        other = ax if history.metric == "loss" else ax.twinx()
        if other is not ax:
            other.set_ylabel(history.validation_name)
        lines += other.plot(
            epochs, history.validation, color="C1", marker=marker, label=history.validation_name
        )
    if history.best_epoch is not None:
        lines.append(
            ax.axvline(
                history.best_epoch, color="gray", linestyle=":", label=f"epoch {history.best_epoch}, best"
            )
        )
    ax.legend(handles=lines)
    return ax
