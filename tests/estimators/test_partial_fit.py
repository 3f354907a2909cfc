"""The estimators: partial_fit."""

import pickle

import numpy as np
import pytest

pytest.importorskip("sklearn")

from helpers.estimators import ALL, CLASSIFIERS, planted, scores_of
from sklearn.base import clone

from fastfm_c import FM, FTRL, AdaGrad, LogisticLoss, SquaredLoss
from fastfm_c.sklearn import FMClassifier, FMRegressor


@pytest.mark.parametrize("solver", ["sgd", "adagrad", "adam", "ftrl"])
@pytest.mark.parametrize("unit", [1.0, 1000.0])
def test_partial_fit_in_chunks_is_one_call(solver, unit):
    """Bit for bit, and in any unit of y: the model changes units between the calls."""
    X, y = planted(320)
    y = y * unit
    options = {"solver": solver, "batch_size": 16, "random_state": 0}
    whole, chunks = FMRegressor(**options), FMRegressor(**options)
    whole.partial_fit(X, y)
    for begin in range(0, 320, 64):
        chunks.partial_fit(X[begin : begin + 64], y[begin : begin + 64])
    assert whole.model_ == chunks.model_
    assert chunks.n_iter_ == chunks.history_.n_iter == 5
    assert chunks.model_ is chunks.solver_.model
    np.testing.assert_allclose(np.mean(chunks.history_.loss), whole.history_.loss, rtol=1e-12)


def first_units(X):
    """The root mean square of the non-zeros of each column, as float32 holds it."""
    X = X.toarray()
    return np.sqrt((X**2).sum(axis=0) / (X != 0).sum(axis=0)).astype("float32")


@pytest.mark.parametrize("solver", [AdaGrad, FTRL])
@pytest.mark.parametrize("estimator", [FMClassifier, FMRegressor])
def test_partial_fit_is_that_of_the_solver(estimator, solver):
    """Where all batches have the same targets: nothing moves the bias and the unit then.

    Nor do 320 values of a normal distribution move the unit of a column.
    """
    X, y = planted(320)
    y = np.resize(y[:16], 320)
    y = (y > 0).astype(float) if estimator is FMClassifier else 1000 * y
    classes = ([0.0, 1.0],) if estimator is FMClassifier else ()
    options = {"batch_size": 16, "l2_linear": 0.1, "l2_factors": 0.2, "learning_rate": 0.05}
    model = estimator(solver=solver.__name__.lower(), random_state=0, **options)
    # Steps of a length that float32 rounds to 0 leave the model with which the first call starts.
    start = clone(model).set_params(learning_rate=1e-200)
    if solver is FTRL:  # which divides by the length
        start.set_params(solver="sgd")
    start.partial_fit(X[:160], y[:160], *classes)
    scale = getattr(start, "target_scale_", 1.0)
    own = FM(start.model_.w0 / scale, start.model_.w, start.model_.V / np.float32(np.sqrt(scale)))
    loss = LogisticLoss() if estimator is FMClassifier else SquaredLoss()
    solver = solver(own, loss, **options)
    if isinstance(solver, AdaGrad):
        solver._penalise_in_scale()
        solver._set_scale(first_units(X[:16]))
        solver._hold_scale(True)
    losses = []
    for half in (slice(160), slice(160, 320)):
        model.partial_fit(X[half], y[half], *classes)
        losses.append(solver.partial_fit(X[half], y[half] / scale) * scale**2)
    assert model.history_.loss == losses
    np.testing.assert_array_equal(model.model_.w, own.w * np.float32(scale))
    np.testing.assert_array_equal(model.model_.V, own.V * np.float32(np.sqrt(scale)))


def test_partial_fit_wants_to_know_the_classes():
    X, y = planted(60)
    y = np.array(["a", "b"])[(y > 0).astype(int)]
    with pytest.raises(ValueError, match="classes must be given"):
        FMClassifier().partial_fit(X, y)
    model = FMClassifier().partial_fit(X, y, classes=["c", "a", "b"])
    np.testing.assert_array_equal(model.classes_, ["a", "b", "c"])
    assert model.partial_fit(X, y, ["a", "b", "c"]).predict_proba(X).shape == (60, 3)
    with pytest.raises(ValueError, match="before"):
        model.partial_fit(X, y, classes=["a", "b"])


def test_partial_fit_goes_on_from_a_fit():
    X, y = planted()
    model = FMRegressor(max_iter=3, random_state=0).fit(X, 1000 * y)
    before, history = model.model_.copy(), model.history_
    model.partial_fit(X, 1000 * y)
    assert model.n_iter_ == 1
    assert model.history_ is not history
    assert before != model.model_
    assert model.history_.loss[0] < history.loss[0]
    assert not hasattr(model.fit(X, y), "solver_")


def test_lbfgs_has_no_partial_fit():
    assert not hasattr(FMRegressor(solver="lbfgs"), "partial_fit")
    assert hasattr(FMClassifier(), "partial_fit")


@pytest.mark.parametrize("estimator", ALL)
def test_a_pickled_estimator_goes_on(estimator):
    X, y = planted(128)
    y = (y > 0).astype(int)
    options = {"classes": [0, 1]} if estimator in CLASSIFIERS else {}
    model = estimator(random_state=0).partial_fit(X, y, **options)
    copy = pickle.loads(pickle.dumps(model))
    np.testing.assert_array_equal(scores_of(copy, X), scores_of(model, X))
    assert copy.partial_fit(X, y).model_ == model.partial_fit(X, y).model_
    assert copy.solver_.model is copy.model_
