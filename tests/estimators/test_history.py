"""The history of an estimator, whoever made it."""

import copy
import pickle
import re

import numpy as np
import pytest

pytest.importorskip("sklearn")

from helpers.estimators import ALL, CLASSIFIERS, may_end_early, planted

from fastfm_c import load, save
from fastfm_c.sklearn import FMClassifier, FMRegressor
from fastfm_c.training import Epoch

pytestmark = may_end_early

HOW = ["fit", "early stopping", "rmse or accuracy", "warm start", "lbfgs", "partial_fit"]
HOW += ["fit, then partial_fit"]


def fitted(estimator, how):
    X, y = planted(300)
    is_classifier = estimator in CLASSIFIERS
    y, options = (y > 0, {"classes": [False, True]}) if is_classifier else (3e4 * y, {})
    model = estimator(max_iter=3, early_stopping=False, random_state=0)
    if how == "early stopping":
        model.set_params(early_stopping=True)
    elif how == "rmse or accuracy":
        model.set_params(early_stopping="accuracy" if is_classifier else "rmse")
    elif how == "lbfgs":
        model.set_params(solver="lbfgs")
    if how != "partial_fit":
        model.fit(X, y)
    if how == "warm start":
        model.set_params(warm_start=True).fit(X, y)
    if "partial_fit" in how:
        for half in (slice(100), slice(100, 300)):
            model.partial_fit(X[half], y[half], **options)
    return model


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("estimator", ALL)
def test_a_history_is_whole_whoever_made_it(estimator, how, tmp_path):
    model = fitted(estimator, how)
    save(model, tmp_path / "model")
    for one in (model, load(tmp_path / "model"), pickle.loads(pickle.dumps(model)), copy.deepcopy(model)):
        history = one.history_
        name = ("log loss" if estimator in CLASSIFIERS else "half MSE") + " + L2" * (how == "lbfgs")
        assert history.loss_name == name
        assert history == model.history_
        assert len(history) == history.n_iter == one.n_iter_ == (2 if "partial_fit" in how else 3)
        assert history[-1] == [*history][-1] == Epoch(len(history), *[
            None if name == "validation" and not history.validation else getattr(history, name)[-1]
            for name in ("loss", "validation", "seconds")
        ])  # fmt: skip
        _, names, *lines = repr(history).splitlines()
        cells = [re.split(r"\s{2,}", line.strip().removesuffix(" best")) for line in [names, *lines]]
        assert cells[0][:3] == ["epoch", name, "seconds"]
        assert {len(row) for row in cells} == {4 if history.validation else 3}
        assert [float(row[1]) for row in cells[1:]] == pytest.approx(history.loss, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("how", HOW)
@pytest.mark.parametrize("estimator", [FMClassifier, FMRegressor])
def test_a_history_is_a_table_and_a_plot(estimator, how):
    pd = pytest.importorskip("pandas")
    history = fitted(estimator, how).history_
    frame = pd.DataFrame(history)
    assert frame["loss"].tolist() == history.to_frame()["loss"].tolist() == history.loss
    assert ("validation" in history.to_frame()) == bool(history.validation)
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("agg")
    from matplotlib import pyplot

    ax = history.plot()
    assert ax.get_ylabel() == history.loss_name
    np.testing.assert_array_equal(ax.get_lines()[0].get_ydata(), history.loss)
    pyplot.close("all")


def test_the_loss_of_a_regressor_is_half_the_mean_squared_error_in_units_of_y():
    X, y = planted(64)
    y = 3e4 * y + 1e5
    model = FMRegressor(solver="sgd", batch_size=64, max_iter=1, learning_rate=1e-12, early_stopping="rmse")
    model.fit(X, y, X_val=X, y_val=y)
    error = np.mean((model.predict(X).astype(float) - y) ** 2)
    assert model.history_.loss[0] == pytest.approx(error / 2, rel=1e-4)
    assert model.history_.validation[0] == pytest.approx(np.sqrt(error), rel=1e-4)
    assert model.history_.metric == "rmse"
