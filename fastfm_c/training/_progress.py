"""What ``verbose`` shows: a bar where tqdm is installed, else lines on stderr."""

import importlib
import sys
import time

__all__ = ["reporter"]

PAUSE = 5.0  # seconds without a line before one is written in the middle of an epoch


def reporter(verbose, max_iter, rows):
    """Bar, lines or silence for a training of at most max_iter epochs of so many rows."""
    if not verbose:
        return Silence(max_iter, rows)
    try:
        tqdm = importlib.import_module("tqdm.auto").tqdm
    except ImportError:
        return Lines(max_iter, rows)
    return Bar(max_iter, rows, tqdm)


class Silence:
    """Shows nothing; the interface of the others.

    ``within(epoch)`` is what the solver calls in the middle of an epoch, or None; ``after(info)``
    ends an epoch; ``close()`` ends the training.
    """

    def __init__(self, max_iter, rows):
        self.max_iter, self.rows = max_iter, rows

    def within(self, epoch):
        return None

    def after(self, info):
        pass

    def close(self):
        pass


class Lines(Silence):
    """A line at the end of each epoch, and at most three in the middle of a long one."""

    def within(self, epoch):
        start = last = time.monotonic()
        quarter = 1

        def progress(done, total, loss):
            nonlocal last, quarter
            now = time.monotonic()
            if 4 * done >= quarter * total and done < total and now - last >= PAUSE:
                last, quarter = now, 4 * done // total + 1
                share = f"{100 * done // total}%"
                self.write(f"{share:>4} of epoch {epoch}/{self.max_iter}", loss, done / (now - start))

        return progress

    def after(self, info):
        figure = (
            "" if info.validation is None else f"  validation {info.history.metric} {info.validation:.5f}"
        )
        rate = self.rows / max(info.seconds, 1e-9)
        self.write(f"epoch {info.epoch}/{self.max_iter}", info.loss, rate, figure)

    def write(self, where, loss, rate, figure=""):
        print(f"{where}  training loss {loss:.5f}{figure}  {rate:,.0f} rows/s", file=sys.stderr, flush=True)


class Bar(Silence):
    """One bar for all epochs, in rows."""

    def __init__(self, max_iter, rows, tqdm):
        super().__init__(max_iter, rows)
        self.bar = tqdm(total=max_iter * rows, unit="rows", unit_scale=True)
        self.figures = {}

    def within(self, epoch):
        def progress(done, total, loss):
            self.show(epoch, (epoch - 1) * self.rows + done, loss=loss)

        return progress

    def after(self, info):
        validation = {} if info.validation is None else {"validation": info.validation}
        self.show(info.epoch, info.epoch * self.rows, loss=info.loss, **validation)

    def show(self, epoch, rows, **figures):
        self.figures |= {name: f"{figure:.5f}" for name, figure in figures.items()}
        self.bar.set_description(f"epoch {epoch}/{self.max_iter}", refresh=False)
        self.bar.set_postfix(self.figures, refresh=False)
        self.bar.update(rows - self.bar.n)

    def close(self):
        self.bar.close()
