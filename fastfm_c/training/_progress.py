"""What ``verbose`` shows: a bar where tqdm is installed, else lines on stderr."""

import importlib
import sys
import time
from typing import Any

from fastfm_c.solvers._base import Report
from fastfm_c.training._history import EpochInfo

__all__ = ["LineReporter", "NullReporter", "TqdmReporter", "reporter"]

PAUSE = 5.0  # seconds without a line before one is written in the middle of an epoch


def reporter(verbose: bool | int, max_iter: int, rows: int) -> "NullReporter":
    """A bar, lines or nothing for a training of at most max_iter epochs of so many rows."""
    if not verbose:
        return NullReporter(max_iter, rows)
    try:
        tqdm = importlib.import_module("tqdm.auto").tqdm
    except ImportError:
        return LineReporter(max_iter, rows)
    return TqdmReporter(max_iter, rows, tqdm)


class NullReporter:
    """Shows nothing; the interface of the others.

    ``within(epoch)`` is what the solver calls in the middle of an epoch, or None; ``after(info)``
    ends an epoch; ``close()`` ends the training.
    """

    def __init__(self, max_iter: int, rows: int) -> None:
        self.max_iter, self.rows = max_iter, rows

    def within(self, epoch: int) -> Report | None:
        return None

    def after(self, info: EpochInfo) -> None:
        pass

    def close(self) -> None:
        pass


class LineReporter(NullReporter):
    """A line at the end of each epoch, and at most three in the middle of a long one."""

    def within(self, epoch: int) -> Report:
        start = last = time.monotonic()
        quarter = 1

        def progress(done: int, total: int, loss: float) -> None:
            nonlocal last, quarter
            now = time.monotonic()
            if 4 * done >= quarter * total and done < total and now - last >= PAUSE:
                last, quarter = now, 4 * done // total + 1
                share = f"{100 * done // total}%"
                self.write(f"{share:>4} of epoch {epoch}/{self.max_iter}", loss, done / (now - start))

        return progress

    def after(self, info: EpochInfo) -> None:
        validation = ""
        if info.validation is not None:
            validation = f"  validation {info.history.metric} {info.validation:.5f}"
        rate = self.rows / max(info.seconds, 1e-9)
        self.write(f"epoch {info.epoch}/{self.max_iter}", info.loss, rate, validation)

    def write(self, where: str, loss: float, rate: float, validation: str = "") -> None:
        line = f"{where}  training loss {loss:.5f}{validation}  {rate:,.0f} rows/s"
        print(line, file=sys.stderr, flush=True)


class TqdmReporter(NullReporter):
    """One bar for all epochs, in rows."""

    def __init__(self, max_iter: int, rows: int, tqdm: Any) -> None:
        super().__init__(max_iter, rows)
        self.bar = tqdm(total=max_iter * rows, unit="rows", unit_scale=True)
        self.shown: dict[str, str] = {}

    def within(self, epoch: int) -> Report:
        def progress(done: int, total: int, loss: float) -> None:
            self.show(epoch, (epoch - 1) * self.rows + done, loss=loss)

        return progress

    def after(self, info: EpochInfo) -> None:
        validation = {} if info.validation is None else {"validation": info.validation}
        self.show(info.epoch, info.epoch * self.rows, loss=info.loss, **validation)

    def show(self, epoch: int, rows: int, **values: float) -> None:
        self.shown |= {name: f"{value:.5f}" for name, value in values.items()}
        self.bar.set_description(f"epoch {epoch}/{self.max_iter}", refresh=False)
        self.bar.set_postfix(self.shown, refresh=False)
        self.bar.update(rows - self.bar.n)

    def close(self) -> None:
        self.bar.close()
