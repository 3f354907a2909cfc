"""The History of a training: as text, as a sequence, as a table and as a plot."""

import math
import pickle
import re
import sys

import numpy as np
import pytest
from helpers.make import make_csr

from fastfm_c import FM, LogisticLoss, SoftmaxLoss, SquaredLoss, train
from fastfm_c.training import Epoch, History

X = make_csr(np.random.default_rng(0), [4] * 60, 12)
Y = np.arange(60) % 2


def trained(**options):
    loss = options.pop("loss", LogisticLoss())
    outputs = {"n_outputs": 2} if isinstance(loss, SoftmaxLoss) else {}
    return train(FM.random(12, 2, rng=0, **outputs), X, Y, loss, max_iter=4, rng=0, **options)


# ----------------------------------------------------------------------------------------- as text

FIGURES = [1.0 / (1 + abs(epoch - 8)) for epoch in range(20)]


def test_a_history_prints_its_ends_and_its_best():
    history = History(1234, "auc", [0.5] * 20, FIGURES, [0.25] * 20, 9, "early_stopping")
    lines = repr(history).splitlines()
    assert lines[0] == "History: 20 epochs of 1,234 rows in 5.00 s, stopped by early_stopping"
    assert lines[1].split() == ["epoch", "loss", "seconds", "validation", "auc"]
    assert [line.split()[0] for line in lines[2:]] == ["1", "2", "3", "...", "9", "...", "18", "19", "20"]
    assert lines[6].split() == ["9", "0.500000", "0.250", "1.000000", "best"]
    assert sum("best" in line for line in lines) == 1


def test_histories_without_validation():
    assert repr(History(7)).splitlines()[0] == "History: 0 epochs of 7 rows in 0.00 s"
    history = trained()
    assert [line.split()[0] for line in repr(history).splitlines()[2:]] == ["1", "2", "3", "4"]
    assert "validation" not in repr(history)
    assert all(math.isfinite(second) and second >= 0 for second in history.seconds)


@pytest.mark.parametrize(
    "loss", [1e-9, 1.0, 99999.5, 123456.0, 1e5, 12345678.9, 1e30, 1e300, math.nan, math.inf]
)
@pytest.mark.parametrize("seconds", [1e-7, 1.0, 123456.789])
@pytest.mark.parametrize("validation", [0.5, 1e12, -1e12, math.nan])
def test_columns_stay_apart_and_in_line_whatever_the_magnitudes(loss, seconds, validation):
    history = History(3, "rmse", [loss, 0.5], [validation, 2.0], [seconds, 1.0], 2)
    _, *lines = repr(history).splitlines()
    names, first, second = (re.split(r"\s{2,}", line.strip().removesuffix(" best")) for line in lines)
    assert names == ["epoch", "loss", "seconds", "validation rmse"]
    for line, epoch in ((first, history[0]), (second, history[1])):
        assert [float(cell) for cell in line] == pytest.approx(
            [epoch.epoch, epoch.loss, epoch.seconds, epoch.validation], rel=1e-5, abs=1e-3, nan_ok=True
        )
    ends = {len(line.removesuffix(" best")) for line in lines}
    assert len(ends) == 1


@pytest.mark.parametrize(("loss", "name"), [
    (SquaredLoss(), "half MSE"), (LogisticLoss(), "log loss"), (LogisticLoss(0.1), "smoothed log loss"),
    (SoftmaxLoss(), "log loss"),
])  # fmt: skip
@pytest.mark.parametrize("solver", ["adagrad", "lbfgs"])
def test_losses_are_named_for_what_they_are(loss, name, solver):
    history = trained(loss=loss, solver=solver, eval_set=(X, Y))
    name += " + L2" * (solver == "lbfgs")
    assert history.loss_name == name
    assert re.split(r"\s{2,}", repr(history).splitlines()[1]) == ["epoch", name, "seconds", "validation loss"]


def test_half_mse_is_half_the_mean_squared_error():
    model = FM.random(12, 2, rng=0)
    error = np.mean((model.predict(X) - Y) ** 2)
    history = train(
        model, X, Y, SquaredLoss(), batch_size=60, max_iter=1, eval_set=(X, Y), early_stopping="rmse"
    )
    assert history.loss[0] == pytest.approx(error / 2, rel=1e-5)
    assert history.validation[0] == pytest.approx(np.sqrt(np.mean((model.predict(X) - Y) ** 2)), rel=1e-5)


# ------------------------------------------------------------------------------- as a sequence


def test_a_history_is_a_sequence_of_epochs():
    history = trained(eval_set=(X, Y))
    rows = zip(history.loss, history.validation, history.seconds, strict=True)
    epochs = [Epoch(i, *row) for i, row in enumerate(rows, 1)]
    assert len(history) == history.n_iter == 4
    assert list(history) == history[:] == epochs
    assert (history[0], history[-1], history[1:3]) == (epochs[0], epochs[3], epochs[1:3])
    assert history[history.best_epoch - 1].validation == min(history.validation)
    assert [*reversed(history)] == epochs[::-1]
    for index in (4, -5):
        with pytest.raises(IndexError):
            history[index]
    with pytest.raises(TypeError):
        history["loss"]
    assert trained()[0].validation is None


def test_a_history_without_epochs_is_still_a_history():
    """`if history:` asks whether there is one."""
    assert History(3)
    assert (len(History(3)), [*History(3)]) == (0, [])


def test_histories_are_compared_and_pickled():
    history = trained(eval_set=(X, Y))
    assert pickle.loads(pickle.dumps(history)) == history
    assert history != trained()


@pytest.mark.parametrize(("figures", "settled"), [
    ([3, 2, 1], False), ([3, 2, 1, 1, 1, 1, 1], False), ([3, 2, 1, 1, 1, 1, 1, 1], True),
    ([3, 2, 1, 2, 3, 2, 3, 2], True), ([6, 5, 4, 3, 2, 1.0, 0.9, 0.8], False),
    ([3, 2, 1] + [1 - 1e-5] * 5, True), ([3, 2, 1] + [1 - 1e-3] * 5, False),
])  # fmt: skip
def test_settled_says_whether_the_last_epochs_brought_anything(figures, settled):
    """Of the loss, or of a validation metric in either direction."""
    n, figures = len(figures), [float(figure) for figure in figures]
    assert History(9, None, figures).settled() == settled
    for sign in (1, -1):
        signed = [sign * figure for figure in figures]
        best = 1 + int(np.argmin(figures))
        falling = [float(n - i) for i in range(n)]
        assert History(9, "auc", falling, signed, [], best).settled() == settled
    if n > 5:
        assert History(9, None, figures).settled(tol=9.0)
    assert not History(9, None, figures).settled(n_epochs=n)


# ----------------------------------------------------------------------------- as a table, as a plot


def test_pandas_makes_a_table_of_a_history():
    pd = pytest.importorskip("pandas")
    history = trained(eval_set=(X, Y), early_stopping="auc")
    frame = pd.DataFrame(history)
    assert [*frame.columns] == ["epoch", "loss", "validation", "seconds"]
    for name in ("loss", "validation", "seconds"):
        assert frame[name].tolist() == getattr(history, name)
        assert frame[name].dtype == np.float64
    assert frame["epoch"].tolist() == [1, 2, 3, 4]
    pd.testing.assert_frame_equal(history.to_frame(), frame)
    assert [*trained().to_frame().columns] == ["epoch", "loss", "seconds"]
    assert len(pd.DataFrame(History(3))) == len(History(3).to_frame()) == 0


def test_polars_makes_a_table_of_a_history():
    pl = pytest.importorskip("polars")
    history = trained(eval_set=(X, Y))
    assert pl.DataFrame(history).to_dicts() == [epoch._asdict() for epoch in history]


@pytest.fixture
def pyplot():
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("agg")
    from matplotlib import pyplot

    yield pyplot
    pyplot.close("all")


@pytest.mark.parametrize(("options", "axes"), [
    ({}, ["log loss"]), ({"eval_set": (X, Y)}, ["log loss"]),
    ({"early_stopping": "auc", "eval_set": (X, Y)}, ["log loss", "validation auc"]),
    ({"solver": "lbfgs"}, ["log loss + L2"]),
])  # fmt: skip
def test_a_plot_has_the_losses_and_the_validation_metric(pyplot, options, axes):
    history = trained(**options)
    ax = history.plot()
    assert [each.get_ylabel() for each in ax.figure.axes] == axes
    drawn = {line.get_label(): line.get_ydata() for each in ax.figure.axes for line in each.get_lines()}
    np.testing.assert_array_equal(drawn[f"training {axes[0]}"], history.loss)
    if options.get("eval_set"):
        np.testing.assert_array_equal(drawn[f"validation {history.metric}"], history.validation)
        assert f"epoch {history.best_epoch}, best" in drawn
    assert {text.get_text() for text in ax.get_legend().get_texts()} == drawn.keys()
    ax.figure.canvas.draw()


def test_a_plot_is_drawn_where_it_is_wanted(pyplot):
    _, axes = pyplot.subplots(2)
    assert trained().plot(ax=axes[1]) is axes[1]
    assert (len(axes[0].get_lines()), len(axes[1].get_lines())) == (0, 1)
    History(3).plot(ax=axes[0])


@pytest.mark.parametrize(("module", "use"), [
    ("matplotlib.pyplot", History.plot), ("matplotlib.ticker", History.plot), ("pandas", History.to_frame),
])  # fmt: skip
def test_what_is_not_installed_is_named(monkeypatch, module, use):
    monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(ImportError, match=f"pip install {module.split('.')[0]}"):
        use(trained())
