"""The estimators: labels, units of y, weights, and where a fit starts."""

import numpy as np
import pytest
import scipy.sparse as sp

pytest.importorskip("sklearn")

from helpers.estimators import ALL, CLASSIFIERS, REGRESSORS, may_end_early, planted

from fastfm_c import FM, LogisticLoss, SoftmaxLoss
from fastfm_c.sklearn import FMClassifier, FMRegressor, _regressor

pytestmark = may_end_early

# -------------------------------------------------------------------------------------------- labels


@pytest.mark.parametrize("estimator", CLASSIFIERS)
@pytest.mark.parametrize(
    "labels",
    [["no", "yes"], [False, True], [-1, 1], [7.0, 9.0], ["a", "bb", "c"], [3, 1, 2, 10]],
    ids=str,
)
def test_labels_of_any_kind(estimator, labels):
    labels = np.array(labels)
    X = np.eye(len(labels))[np.arange(60) % len(labels)]
    y = labels[np.arange(60) % len(labels)]
    model = estimator(solver="lbfgs", random_state=0).fit(X, y)
    np.testing.assert_array_equal(model.classes_, np.sort(labels))
    np.testing.assert_array_equal(model.predict(X), y)
    n_outputs = 1 if len(labels) == 2 else len(labels)
    assert model.model_.n_outputs == n_outputs
    assert model.decision_function(X).shape == ((60,) if n_outputs == 1 else (60, n_outputs))
    proba = model.predict_proba(X)
    assert proba.shape == (60, len(labels))
    np.testing.assert_allclose(proba.sum(axis=1), 1, rtol=1e-12)
    np.testing.assert_array_equal(model.classes_[proba.argmax(axis=1)], y)


def test_small_probabilities_keep_their_digits():
    model = FMClassifier().fit([[0.0], [1.0]], [0, 1])
    model.model_ = FM(-40.0, [80.0], np.zeros((1, 8)))
    expected = np.exp(-40) / (1 + np.exp(-40))
    proba = model.predict_proba([[0.0], [1.0]])
    np.testing.assert_allclose([proba[0, 1], proba[1, 0]], expected, rtol=1e-12)


@pytest.mark.parametrize("solver", ["adagrad", "sgd", "adam", "ftrl", "lbfgs"])
@pytest.mark.parametrize("estimator", CLASSIFIERS)
def test_one_class_only(estimator, solver):
    X, _ = planted(30)
    model = estimator(solver=solver, random_state=0).fit(X, ["only"] * 30)
    assert set(model.predict(X)) == {"only"}
    np.testing.assert_array_equal(model.predict_proba(X), np.ones((30, 1)))
    assert (model.decision_function(X) > 0).all()


def test_a_tie_goes_to_the_larger_class():
    empty = sp.csr_array((1, 2))
    for labels in (["a", "b"], ["a", "b", "c"]):
        model = FMClassifier().partial_fit(np.eye(2), labels[:2], classes=labels)
        model.model_.w0 = model.model_.w0 * 0
        assert model.predict(empty) == labels[-1]


@pytest.mark.parametrize("y", [["a", "z"], [0, 1]], ids=str)
def test_an_unknown_label_is_named(y):
    model = FMClassifier().fit(np.eye(2), ["a", "b"])
    for call in (
        lambda: model.partial_fit(np.eye(2), y),
        lambda: FMClassifier().fit(np.eye(2), ["a", "b"], eval_set=(np.eye(2), y)),
    ):
        with pytest.raises(ValueError, match=r"y holds \[.*, expected labels of \['a' 'b'\]"):
            call()


# --------------------------------------------------------------------------------------------- start


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("smoothing", [0.0, 0.2])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_a_classifier_starts_at_the_best_constant(n_classes, smoothing, weighted):
    """Rows without values leave only w0, and the objective is already smallest there."""
    rng = np.random.default_rng(0)
    y = np.concatenate([np.arange(n_classes), rng.choice(n_classes, 97, p=[0.6, 0.4, 0][:n_classes])])
    weight = rng.random(len(y)) if weighted else None
    X = sp.csr_array((len(y), 2))
    model = FMClassifier(label_smoothing=smoothing, dtype="float64", max_iter=1, early_stopping=False)
    model.set_params(solver="sgd", learning_rate=1e-200)  # no step is long enough to change w0
    model.fit(X, y, weight)
    loss = (LogisticLoss if n_classes == 2 else SoftmaxLoss)(smoothing)
    _, gradient = model.model_.gradient(X, y, loss, sample_weight=weight)
    np.testing.assert_allclose(gradient.w0, 0, atol=1e-15)


@pytest.mark.parametrize("solver", ["adagrad", "lbfgs"])
def test_a_constant_target_is_predicted(solver):
    X, _ = planted(50)
    for value in (0.0, 0.1, -3e5):
        model = FMRegressor(solver=solver, random_state=0).fit(X, np.full(50, value))
        np.testing.assert_allclose(model.predict(X), value, rtol=1e-6, atol=0.01 * model.target_scale_)


def test_a_class_of_weight_zero_has_finite_scores():
    X, y = planted(50)
    for labels in (y > 0, np.digitize(y, [-0.5, 0.5])):
        model = FMClassifier(random_state=0).fit(X, labels, sample_weight=labels > 0)
        assert np.isfinite(model.decision_function(X)).all()
        assert 0 not in model.predict(X)


# ---------------------------------------------------------------------------------------- units of y


@pytest.mark.parametrize("solver", ["adagrad", "lbfgs"])
@pytest.mark.parametrize("estimator", REGRESSORS)
def test_other_units_of_y_make_the_same_model(estimator, solver):
    """Bit for bit, where the units differ by a power of 4."""
    X, y = planted()
    options = {"solver": solver, "max_iter": 5, "random_state": 0}
    model = estimator(**options).fit(X, y, eval_set=(X, y))
    for power in (-9, 3, 20):
        unit = 4.0**power
        other = estimator(**options).fit(X, y * unit, eval_set=(X, y * unit))
        assert other.target_scale_ == model.target_scale_ * unit
        assert other.model_.w0 == model.model_.w0 * unit
        np.testing.assert_array_equal(other.model_.w, model.model_.w * unit)
        np.testing.assert_array_equal(other.model_.V, model.model_.V * 2.0**power)
        np.testing.assert_array_equal(other.history_.loss, np.multiply(model.history_.loss, unit**2))
        np.testing.assert_array_equal(
            other.history_.validation, np.multiply(model.history_.validation, unit**2)
        )


@pytest.mark.parametrize("estimator", REGRESSORS)
@pytest.mark.parametrize(("unit", "mean"), [(1e-3, 0), (1, 100), (1e4, -1e5)])
def test_defaults_learn_in_any_unit(estimator, unit, mean):
    """20 seeds left no R2 below 0.92."""
    X, y = planted(2000)
    model = estimator(random_state=0).fit(X[:1500], unit * y[:1500] + mean)
    assert model.score(X[1500:], unit * y[1500:] + mean) > 0.85


UNITS = [
    ([0.0, 0.0], 1.0),
    ([-1.0, 1.0], 1.0),
    ([-6.0, 8.0], 4.0**1),
    ([-1e-3, 1e-3], 4.0**-5),
    ([5.0], 4.0**-5),  # there is no deviation: a part of the mean
]


@pytest.mark.parametrize(("y", "scale"), UNITS, ids=str)
def test_the_unit_of_the_solver(y, scale):
    assert FMRegressor().partial_fit(np.ones((len(y), 1)), y).target_scale_ == scale


@pytest.mark.parametrize(("y", "scale"), [*UNITS, ([-1e300, 1e300], 4.0**30), ([1e-300], 4.0**-30)], ids=str)
def test_the_unit_has_limits(y, scale):
    if len(y) > 1 or y[0] < 1:
        assert _regressor.power_of_4_near(np.array(y), None, 2.0**-23) == scale


def test_the_unit_of_a_constant_is_its_rounding():
    assert _regressor.power_of_4_near(np.array([5.0]), None, 2.0**-23) == 4.0**-10


def largest_error(y, scores):
    return np.max(np.abs(y - scores))


def closeness(y, scores):
    return -largest_error(y, scores)


closeness.greater_is_better = True  # type: ignore[attr-defined]


def test_the_figures_of_early_stopping_are_in_units_of_y():
    X, y = planted()
    y = 1000 * y
    for figure, own in (
        ("rmse", lambda y, s: np.sqrt(np.mean((y - s) ** 2))),
        *[(f, f) for f in (largest_error, closeness)],
    ):
        model = FMRegressor(early_stopping=figure, max_iter=4, random_state=0).fit(X, y, eval_set=(X, y))
        history = model.history_
        assert history.validation[history.best_epoch - 1] == pytest.approx(own(y, model.predict(X)), rel=1e-5)
        assert history.metric == getattr(figure, "__name__", figure)
        assert abs(history.validation[-1]) < abs(history.validation[0])
        assert history.best_epoch > 1


def test_weights_of_validation_rows():
    X, y = planted()
    y = 1000 * y
    weight = np.repeat([0.0, 3.0], 200)
    half, weighted = (
        FMRegressor(max_iter=2, random_state=0).fit(X, y, eval_set=eval_set).history_.validation
        for eval_set in ((X[200:], y[200:]), (X, y, weight))
    )
    np.testing.assert_allclose(half, weighted, rtol=1e-12)


# ------------------------------------------------------------------------------------------- weights


@pytest.mark.parametrize("solver", ["adagrad", "lbfgs"])
def test_class_weights_are_row_weights(solver):
    X, y = planted()
    y = np.array(["a", "b", "c"])[np.digitize(y, [-0.8, 0.5])]
    weight = np.random.default_rng(0).random(len(y))
    totals = {label: weight[y == label].sum() for label in "abc"}
    balanced = {label: weight.sum() / (3 * totals[label]) for label in "abc"}
    for given, factors in (({"a": 5, "c": 0.5}, {"a": 5, "b": 1, "c": 0.5}), ("balanced", balanced)):
        options = {"solver": solver, "max_iter": 3, "random_state": 0}
        model = FMClassifier(class_weight=given, **options).fit(X, y, weight)
        other = FMClassifier(**options).fit(X, y, weight * np.array([factors[label] for label in y]))
        np.testing.assert_allclose(
            model.decision_function(X), other.decision_function(X), rtol=1e-4, atol=1e-5
        )
        plain = FMClassifier(**options).fit(X, y, weight)
        assert np.max(np.abs(model.decision_function(X) - plain.decision_function(X))) > 0.05


@pytest.mark.parametrize("estimator", ALL)
def test_only_ratios_of_weights_matter(estimator):
    X, y = planted(100)
    weight = np.random.default_rng(0).random(100)
    given = weight.copy()
    models = [estimator(max_iter=3, random_state=0).fit(X, y > 0, w).model_ for w in (weight, weight * 1024)]
    assert models[0] == models[1]
    np.testing.assert_array_equal(weight, given)


@pytest.mark.parametrize("estimator", ALL)
def test_weights_that_are_refused(estimator):
    X, y = planted(10)
    y = np.arange(10) % 2
    for weight, words in (
        (np.zeros(10), "zero"),
        (-np.ones(10), "weight of row 0 is -1"),
        (np.ones(9), "shape"),
    ):
        with pytest.raises(ValueError, match=words):
            estimator().fit(X, y, weight)


def test_class_weights_that_are_refused():
    X = np.eye(2)
    with pytest.raises(ValueError, match="zero"):
        FMClassifier(class_weight={0: 0, 1: 0}).fit(X, [0, 1])
    with pytest.raises(ValueError, match="class_weight"):
        FMClassifier(class_weight={"x": 2}).fit(X, [0, 1])
    with pytest.raises(ValueError, match="balanced"):
        FMClassifier(class_weight="balanced").partial_fit(X, [0, 1], classes=[0, 1])
