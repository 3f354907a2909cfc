"""What training tells while it runs and afterwards: callbacks, verbose, History."""

import io
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from helpers.make import make_csr
from helpers.subprocesses import output_of

from fastfm_c import FM, LogisticLoss
from fastfm_c.training import _progress, train

RNG = np.random.default_rng(0)
X, Y = make_csr(RNG, [3] * 40, 8), np.arange(40) % 2


def run(**options):
    model = FM.random(8, 2, rng=0)
    return model, train(model, X, Y, LogisticLoss(), rng=0, **options)


# ------------------------------------------------------------------------------ callbacks


@pytest.mark.parametrize("solver", ["adagrad", "lbfgs"])
def test_what_a_callback_sees(solver):
    seen = []

    def callback(info):
        assert info.history.n_iter == info.epoch == len(seen) + 1
        assert info.validation == pytest.approx(LogisticLoss().mean(Y, info.model.predict(X)), rel=1e-5)
        seen.append(info)

    model, history = run(solver=solver, eval_set=(X, Y), max_iter=3, callbacks=callback)
    assert len(seen) == 3
    for info in seen:
        assert info.model is model
        assert info.history is history
    assert [info.loss for info in seen] == history.loss
    assert [info.validation for info in seen] == history.validation
    assert [info.seconds for info in seen] == history.seconds


@pytest.mark.parametrize("solver", ["adagrad", "lbfgs"])
@pytest.mark.parametrize("yes", [True, np.True_])
def test_true_stops(solver, yes):
    """Each callback is called all the same; other objects that are true stop nothing."""
    seen = []
    callbacks = [lambda info: "a result", lambda info: yes if info.epoch == 2 else None, seen.append]
    _, history = run(solver=solver, max_iter=5, callbacks=callbacks)
    assert (history.n_iter, history.stop_reason, len(seen)) == (2, "callback", 2)


@pytest.mark.parametrize("solver", ["adagrad", "lbfgs"])
def test_an_error_in_a_callback_is_passed_on(solver):
    with pytest.raises(ZeroDivisionError):
        run(solver=solver, callbacks=lambda info: 1 // (info.epoch - 2))


# -------------------------------------------------------------------------------- verbose


@pytest.fixture
def no_tqdm(monkeypatch):
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)


@pytest.fixture
def bars(monkeypatch):
    """Bars of a stand-in for tqdm."""
    bars = []

    class Bar:
        def __init__(self, **options):
            self.options, self.n, self.open = options, 0, True
            self.shown = []
            bars.append(self)

        def update(self, n):
            self.n += n
            self.shown.append((self.description, self.n, dict(self.postfix)))

        def set_description(self, text, refresh):
            self.description = text

        def set_postfix(self, figures, refresh):
            self.postfix = figures

        def close(self):
            self.open = False

    monkeypatch.setitem(sys.modules, "tqdm.auto", SimpleNamespace(tqdm=Bar))
    return bars


def test_silence(capfd, bars):
    for verbose in (False, 0):
        run(verbose=verbose, max_iter=1)
    assert capfd.readouterr() == ("", "")
    assert bars == []


@pytest.mark.parametrize("solver", ["adagrad", "lbfgs"])
def test_lines(capfd, no_tqdm, solver):
    _, history = run(solver=solver, verbose=1, eval_set=(X, Y), early_stopping="auc", max_iter=2)
    out, err = capfd.readouterr()
    lines = err.splitlines()
    assert out == ""
    assert len(lines) == 2
    for epoch, line in enumerate(lines, 1):
        figures = f"loss {history.loss[epoch - 1]:.5f}  validation auc {history.validation[epoch - 1]:.5f}"
        assert line.startswith(f"epoch {epoch}/2  training {figures}  ")
        assert line.endswith(" rows/s")


def test_lines_in_the_middle_of_an_epoch(monkeypatch):
    """At most three an epoch, and only after a while."""
    clock, err = [0.0], io.StringIO()
    monkeypatch.setattr(_progress, "time", SimpleNamespace(monotonic=lambda: clock[0]))
    monkeypatch.setattr(sys, "stderr", err)
    progress = _progress.LineReporter(5, 1000).within(2)
    for done in range(10, 1001, 10):
        clock[0] += 1.0
        progress(done, 1000, 0.5)
    lines = err.getvalue().splitlines()
    assert [line.split("  ")[0].strip() for line in lines] == [
        f"{share}% of epoch 2/5" for share in (25, 50, 75)
    ]
    assert all("loss 0.50000  10 rows/s" in line for line in lines)
    progress = _progress.LineReporter(5, 1000).within(3)
    for done in range(10, 1001, 10):
        clock[0] += 0.01
        progress(done, 1000, 0.5)
    assert err.getvalue().splitlines() == lines


@pytest.mark.parametrize("solver", ["adagrad", "lbfgs"])
def test_a_bar(capfd, bars, solver):
    _, history = run(solver=solver, verbose=True, eval_set=(X, Y), max_iter=3)
    (bar,) = bars
    assert bar.options == {"total": 3 * 40, "unit": "rows", "unit_scale": True}
    assert not bar.open
    figures = {"loss": f"{history.loss[-1]:.5f}", "validation": f"{history.validation[-1]:.5f}"}
    assert bar.shown[-1] == ("epoch 3/3", 120, figures)
    assert np.all(np.diff([n for _, n, _ in bar.shown]) >= 0)
    assert capfd.readouterr() == ("", "")


def test_the_bar_is_closed_after_an_error(bars):
    def callback(info):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run(verbose=True, callbacks=callback)
    assert not bars[0].open


def test_optional_modules_are_imported_when_used():
    modules = set(output_of("import sys, fastfm_c.training; print(*sys.modules)").split())
    assert "fastfm_c.training" in modules
    assert not {"scipy.optimize", "tqdm", "sklearn"} & modules
