"""Regressors that keep to the range of the y that they learned."""

import numpy as np
import pytest

pytest.importorskip("sklearn")

from fastfm_c import load, save
from fastfm_c.sklearn import FFMRegressor, FMRegressor


def stars(n_rows=600, seed=0):
    rng = np.random.default_rng(seed)
    X = rng.standard_normal((n_rows, 3))
    return X, np.clip(np.rint(3 + 2 * X[:, 0] + X[:, 1] * X[:, 2]), 1, 5)


@pytest.mark.parametrize("estimator", [FMRegressor, FFMRegressor])
def test_predictions_keep_to_the_range_of_y(estimator, tmp_path):
    X, y = stars()
    model = estimator(clip=True, random_state=0).fit(X, y)
    raw = model.model_.predict(10 * X)
    assert raw.min() < 1
    assert raw.max() > 5
    np.testing.assert_array_equal(model.predict(10 * X), np.clip(raw, 1, 5))
    assert model.y_range_ == (1.0, 5.0)
    np.testing.assert_array_equal(model.set_params(clip=False).predict(10 * X), raw)
    save(model.set_params(clip=True), tmp_path / "model")
    np.testing.assert_array_equal(load(tmp_path / "model").predict(10 * X), np.clip(raw, 1, 5))


def test_solvers_by_columns():
    X, y = stars()
    for solver in "als", "mcmc":
        model = FMRegressor(
            solver=solver, max_iter=None if solver == "als" else 20, clip=True, random_state=0
        )
        predicted = model.fit(X, y).predict(10 * X)
        assert (predicted.min(), predicted.max()) == (1, 5)
    mean, std = model.predict(10 * X, return_std=True)
    np.testing.assert_array_equal(mean, predicted)
    assert std.shape == mean.shape


def test_a_stream_learns_its_range():
    X, y = stars()
    order = np.argsort(y)
    model = FMRegressor(clip=True, random_state=0)
    for part in np.split(order, 6):
        model.partial_fit(X[part], y[part])
        assert model.y_range_ == (1.0, y[part].max())
    model.partial_fit(X[:2], [-7.0, 9.0], sample_weight=[0.0, 1.0])
    assert model.y_range_ == (1.0, 9.0)
    assert model.fit(X, y).y_range_ == (1.0, 5.0)


def test_a_fit_without_a_range_says_so():
    X, y = stars()
    model = FMRegressor(clip=True, random_state=0).fit(X, y)
    del model.y_range_  # as of an older version
    with pytest.raises(ValueError, match="kept no range of y"):
        model.predict(X)
