"""Ordered probit: thresholds between grades, probabilities of grades, and all that holds for a posterior."""

from types import SimpleNamespace

import numpy as np
import pytest
from helpers.columns import make_rows, one_hot
from helpers.levels import assert_same_bits, at_all_levels
from scipy.special import ndtr
from scipy.stats import norm

from fastfm_c import FM, LogisticLoss, SquaredLoss, load, save
from fastfm_c.bayes import OrderedProbit, sample
from fastfm_c.bayes._ordered import Grades, grade_probabilities
from fastfm_c.persistence._objects import object_of, state_of
from fastfm_c.solvers import TrainingRows

CUTS = np.array([0.0, 0.5, 1.5, 2.0])
SIZES = (60, 40)


def planted(seed=0, n_rows=6000, n_new=3000):
    """X, grades, start, groups, new rows, their grades, their scores."""
    rng = np.random.default_rng(seed)
    truth = FM.random(100, 2, init_stdev=0.7, dtype="float64", rng=rng)
    truth.w0, truth.w[:] = 0.8, rng.normal(scale=0.5, size=100)
    X, X_new = one_hot(rng, n_rows, SIZES), one_hot(rng, n_new, SIZES)
    y, y_new = (np.searchsorted(CUTS, truth.predict(A) + rng.normal(size=A.shape[0])) for A in (X, X_new))
    start = FM.random(100, 2, init_stdev=0.3, rng=rng)
    return X, y, start, np.repeat([0, 1], SIZES), X_new, y_new, truth.predict(X_new)


def rows_with(scores, weight, y, n_grades):
    """Grades of rows of these scores, and what stands for a posterior with them."""
    scores = np.asarray(scores, float)
    model, X = FM(0.0, scores, np.zeros((len(scores), 1))), np.eye(len(scores))
    grades = Grades(TrainingRows(model, SquaredLoss(), X, y, weight), n_grades)
    return grades, SimpleNamespace(_seed=1, n_iter=0, burn_in=0, _now=model, _thresholds=None)


def log_density(gaps, scores, weight, y):
    """Of logarithms of gaps, literally."""
    ends = np.concatenate([[-np.inf], np.cumsum([0.0, *np.exp(gaps)]), [np.inf]])
    rows = zip(ends[y], ends[y + 1], scores, np.sqrt(weight), strict=True)
    ends = np.array([[(low - score) * root, (high - score) * root] for low, high, score, root in rows])
    ends = np.where(ends[:, :1] > 0, -ends[:, ::-1], ends)  # where the difference has more digits
    mass = np.diff(ndtr(ends), axis=1)
    return np.sum(np.log(mass)) + np.sum(norm.logpdf(gaps, scale=2.0)) - len(gaps) * norm.logpdf(0, scale=2.0)


# ----------------------------------------------------------------------------------- examples


def test_probabilities_of_grades():
    found = grade_probabilities(np.array([0.0, 1.0, 40.0, -40.0]), np.array([0.0, 1.0]))
    np.testing.assert_allclose(found[0], [0.5, ndtr(1) - 0.5, ndtr(-1)], rtol=1e-14)
    np.testing.assert_allclose(found[1], found[0][::-1], rtol=1e-14)
    np.testing.assert_allclose(found[2], [ndtr(-40), ndtr(-39) - ndtr(-40), 1], rtol=1e-12)
    np.testing.assert_allclose(found[3], [1, ndtr(-40) - ndtr(-41), ndtr(-41)], rtol=1e-12)


# ---------------------------------------------------------------------------------- reference


def test_the_quadratic_has_the_slope_of_the_log_density():
    rng = np.random.default_rng(0)
    scores, weight, y = 2 * rng.normal(size=40), rng.choice([0.5, 1.0, 3.0], 40), rng.integers(0, 5, 40)
    grades, _ = rows_with(scores, weight, y, 5)
    for gaps in np.zeros(3), np.array([-1.5, 1.0, 0.3]):
        found = grades._quadratic(gaps, scores)
        assert found.value == pytest.approx(log_density(gaps, scores, weight, y), abs=1e-10)
        slope = found.root @ found.root.T @ (found.centre - gaps)
        for a, unit in enumerate(1e-6 * np.eye(3)):
            ends = [log_density(gaps + step, scores, weight, y) for step in (unit, -unit)]
            assert slope[a] == pytest.approx((ends[0] - ends[1]) / 2e-6, rel=1e-5, abs=1e-6)


@pytest.mark.parametrize("has_all", [True, False])
def test_thresholds_are_drawn_from_their_distribution(has_all):
    """Given scores: a gap has the moments that sums over a grid say, even where no row has its grade."""
    scores, weight = np.array([-0.5, 0.2, 0.9, 1.4, 2.0]), np.array([1.0, 0.5, 2.0, 1.0, 0.25])
    y = np.array([0, 1, 1, 2, 2]) if has_all else np.array([0, 0, 2, 2, 2])
    grades, chain = rows_with(scores, weight, y, 3)
    grid = np.linspace(-9, 2.5, 1200)[:, np.newaxis]
    density = np.exp([log_density(gaps, scores, weight, y) for gaps in grid])
    mean = np.average(grid[:, 0], weights=density)
    std = np.sqrt(np.average((grid[:, 0] - mean) ** 2, weights=density))
    found = np.zeros(4000)
    for i in range(len(found)):
        chain._thresholds, chain.n_iter = grades.draw(chain, 1), i
        found[i] = np.log(chain._thresholds[1])
    error = std * np.sqrt(np.mean(np.diff(found) == 0) * 2 + 1) / np.sqrt(len(found) / 4)
    assert abs(found.mean() - mean) < 4 * error
    assert found.std() == pytest.approx(std, rel=0.1)


# ------------------------------------------------------------------------------ what it gives


def test_what_was_planted_is_found():
    """Thresholds, scores and probabilities. The bounds leave room for other seeds."""
    X, y, start, groups, X_new, y_new, scores = planted()
    posterior = sample(start, X, y, OrderedProbit(5), groups=groups, n_iter=120, X_test=X_new, rng=0)
    thresholds = posterior.trace["thresholds"]
    assert thresholds.shape == (120, 4)
    np.testing.assert_allclose(thresholds[20:].mean(axis=0), CUTS, atol=0.15)
    assert np.mean(np.diff(thresholds[20:, 1]) != 0) > 0.7
    assert np.corrcoef(posterior.mean(), scores)[0, 1] > 0.93
    assert 0.85 < np.mean(np.abs(posterior.mean() - posterior.mean().mean() - scores + scores.mean())
                          < 1.96 * posterior.std()) < 1  # fmt: skip
    proba, true = posterior.proba(), grade_probabilities(scores, CUTS)
    np.testing.assert_allclose(proba.sum(axis=1), 1, rtol=1e-12)
    rows = np.arange(len(y_new))
    assert np.mean(np.log(proba[rows, y_new])) > np.mean(np.log(true[rows, y_new])) - 0.05
    for grade in range(5):  # calibrated: of the rows with about this probability so many have the grade
        for part in np.array_split(np.argsort(proba[:, grade]), 4):
            assert np.mean(y_new[part] == grade) == pytest.approx(proba[part, grade].mean(), abs=0.06)
    model = posterior.model
    assert model.metadata["link"] == "ordered probit"
    means = np.array(model.metadata["thresholds"].split(), float)
    np.testing.assert_allclose(means, thresholds[20:].mean(axis=0), rtol=1e-12)


def test_two_grades_are_a_probit_model():
    X, y, start, groups, X_new, _, _ = planted(n_rows=500)
    options = {"groups": groups, "n_iter": 12, "burn_in": 4, "X_test": X_new, "keep": 2, "rng": 0}
    two = sample(start, X, y > 1, OrderedProbit(2), **options)
    probit = sample(start, X, y > 1, LogisticLoss(), **options)
    assert_same_bits([two.mean(), two.std(), two.model], [probit.mean(), probit.std(), probit.model])
    assert_same_bits([two.samples[0], two.trace["mu_V"]], [probit.samples[0], probit.trace["mu_V"]])
    np.testing.assert_allclose(two.proba()[:, 1], probit.proba(), rtol=1e-12)


def test_rows_of_weight_zero_are_absent():
    X, y, start, groups, X_new, _, _ = planted(n_rows=400)
    weight = np.ones(400)
    weight[::3] = 0
    spoilt = np.where(weight > 0, y, 77)
    options = {"groups": groups, "n_iter": 6, "burn_in": 1, "X_test": X_new, "rng": 0}
    a = sample(start, X, spoilt, OrderedProbit(5), sample_weight=weight, **options)
    b = sample(start, X[weight > 0], y[weight > 0], OrderedProbit(5), **options)
    np.testing.assert_allclose(a.proba(), b.proba(), atol=1e-4)


def test_a_grade_without_rows_has_a_gap_from_its_prior():
    X, y, start, groups, X_new, _, _ = planted(n_rows=400)
    posterior = sample(start, X, np.minimum(y, 2), OrderedProbit(6), groups=groups, X_test=X_new, rng=0)
    assert np.isfinite(posterior.trace["thresholds"]).all()
    assert posterior.proba()[:, 4:].max() < 0.3


# ---------------------------------------------------------------------------------- same bits


def test_threads_and_levels_change_no_bit():
    X, _, weight = make_rows("mixed", SquaredLoss(), seed=0, n_rows=6000)
    y = np.random.default_rng(1).integers(0, 4, 6000)
    start = FM.random(X.shape[1], 10, init_stdev=0.3, rng=0)

    def run(num_threads=1):
        options = {"n_iter": 4, "burn_in": 1, "keep": 1, "rng": 0, "sample_weight": weight}
        posterior = sample(start, X, y, OrderedProbit(4), num_threads=num_threads, **options)
        return [posterior.samples[0], *posterior.trace.values()]

    alone = at_all_levels(run)
    for num_threads in 2, 3, 7:
        assert_same_bits(run(num_threads), alone)


def test_to_resume_is_to_go_on_from_a_file_too(tmp_path):
    X, y, start, groups, X_new, _, _ = planted(n_rows=400)
    options = {"groups": groups, "X_test": X_new, "rng": 3}
    whole = sample(start, X, y, OrderedProbit(5), n_iter=20, burn_in=6, **options)
    first = sample(start, X, y, OrderedProbit(5), n_iter=9, burn_in=6, keep=2, **options)
    save(first, tmp_path / "posterior")
    loaded = load(tmp_path / "posterior")
    assert loaded.loss == OrderedProbit(5)
    assert_same_bits([loaded.proba(), loaded.proba(X_new[:9])], [first.proba(), first.proba(X_new[:9])])
    for one in first, loaded:
        more = sample(start, X, y, OrderedProbit(5), n_iter=11, resume=one, X_test=X_new)
        assert_same_bits([more.proba(), more.model, *more.trace.values()],
                         [whole.proba(), whole.model, *whole.trace.values()])  # fmt: skip
        assert more.model.metadata == whole.model.metadata


# ------------------------------------------------------------------------------ what is refused


@pytest.mark.parametrize(
    ("value", "message"),
    [(5, r"y\[3\] is 5.0, expected a grade in 0..4"), (-1, r"y\[3\] is -1"), (0.5, r"y\[3\] is 0.5")],
)
def test_targets_that_are_no_grades(value, message):
    X, y, start, _, _, _, _ = planted(n_rows=30)
    y = y.astype(float)
    y[3] = value
    with pytest.raises(ValueError, match=message):
        sample(start, X, y, OrderedProbit(5))


def test_losses_that_do_not_fit():
    X, y, start, _, _, _, _ = planted(n_rows=30)
    for n_grades in 0, 1, 1001, 2.5, "3":
        with pytest.raises(ValueError, match="n_grades"):
            OrderedProbit(n_grades)
    first = sample(start, X, y, OrderedProbit(5), n_iter=2, burn_in=1, rng=0)
    with pytest.raises(ValueError, match="another loss"):
        sample(start, X, y, OrderedProbit(6), resume=first)
    assert repr(first).startswith("Posterior(FM(")
    assert OrderedProbit(5) == OrderedProbit(5) != OrderedProbit(6)
    assert len({OrderedProbit(5), OrderedProbit(5)}) == 1


@pytest.mark.parametrize("damage", ["order", "first", "words", "count", "trace"])
def test_damaged_files_are_refused(damage):
    X, y, start, _, _, _, _ = planted(n_rows=60)
    posterior = sample(start, X, y, OrderedProbit(5), n_iter=3, burn_in=1, keep=1, rng=0)
    if damage == "words":
        posterior.samples[0].metadata = {"thresholds": "0.0 nan 1.0 2.0"}
    elif damage == "count":
        posterior.samples[0].metadata = {"thresholds": "0.0 1.0"}
    state, tensors = state_of(posterior)
    if damage == "order":
        tensors["thresholds"] = tensors["thresholds"][::-1].copy()
    elif damage == "first":
        tensors["thresholds"] = tensors["thresholds"] + 1
    elif damage == "trace":
        tensors["trace.thresholds"] = tensors["trace.thresholds"][:, :-1].copy()
    with pytest.raises(ValueError, match="threshold"):
        object_of(state, tensors)
