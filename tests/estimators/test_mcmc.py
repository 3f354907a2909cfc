"""solver="mcmc" of the estimators."""

import pickle

import numpy as np
import pytest

pytest.importorskip("sklearn")

from helpers.columns import one_hot
from scipy.special import ndtr
from sklearn.base import clone
from sklearn.utils.estimator_checks import estimator_checks_generator

from fastfm_c import FM, SquaredLoss, load, save
from fastfm_c._field_csr import with_fields
from fastfm_c.bayes import sample
from fastfm_c.sklearn import FFMRegressor, FMClassifier, FMRegressor

OPTIONS = {"solver": "mcmc", "n_factors": 2, "random_state": 0}
NOISE = 2.0
FIELDS = np.repeat([0, 1, 2], [12, 9, 5])

# Weights and repeated rows are one model, but other random numbers: the draws agree as distributions alone.
WEIGHTED = "check_sample_weight_equivalence_on_dense_data", "check_sample_weight_equivalence_on_sparse_data"
EXPECTED = dict.fromkeys(WEIGHTED, "a sampler draws other numbers for other rows")


def rows(seed=0, n=1500):
    rng = np.random.default_rng(seed)
    X = one_hot(rng, n, [12, 9, 5])
    planted = FM.random(26, 2, init_stdev=1.0, dtype="float64", rng=1)
    return X, 100 + 7 * planted.predict(X) + NOISE * rng.normal(size=n)


def labels(y):
    return np.where(y > 100, "high", "low")


def test_numbers():
    X, y = rows()
    model = FMRegressor(**OPTIONS).fit(X, y)
    assert model.n_iter_ == len(model.history_) == model.posterior_.n_iter == 200
    assert (model.posterior_.burn_in, len(model.posterior_.samples)) == (20, 32)
    assert model.history_.stop_reason == "max_iter"
    X_new, y_new = rows(1)
    assert np.std(y_new - model.predict(X_new)) < 1.1 * NOISE
    assert np.std(y_new - model.model_.predict(X_new)) < 1.1 * NOISE


def test_standard_deviations_include_the_noise():
    X, y = rows()
    model = FMRegressor(**OPTIONS, dtype="float64").fit(X, y)
    X_new, y_new = rows(1)
    mean, std = model.predict(X_new, return_std=True)
    assert np.array_equal(mean, model.predict(X_new))
    posterior = model.posterior_
    noise = np.mean(1 / posterior.trace["alpha"][20:])
    np.testing.assert_allclose(std, np.sqrt(posterior.std(X_new) ** 2 + noise))
    np.testing.assert_allclose(mean, posterior.mean(X_new))
    assert 0.9 * NOISE < np.sqrt(noise) < 1.1 * NOISE
    assert 0.85 < np.mean(np.abs(y_new - mean) < 1.645 * std) < 0.95  # 90 % of a normal distribution


def test_two_classes():
    X, y = rows()
    model = FMClassifier(**OPTIONS).fit(X, labels(y))
    X_new, y_new = rows(1)
    proba = model.predict_proba(X_new)
    np.testing.assert_allclose(proba[:, 1], model.posterior_.proba(X_new), rtol=1e-9)  # "low"
    np.testing.assert_allclose(proba.sum(axis=1), 1, rtol=1e-12)
    np.testing.assert_allclose(ndtr(model.decision_function(X_new)), proba[:, 1], rtol=1e-12)
    assert np.array_equal(model.predict(X_new), model.classes_[(proba[:, 1] >= 0.5).astype(int)])
    assert model.score(X_new, labels(y_new)) > 0.8


def test_small_probabilities_have_all_digits():
    X, y = rows()
    model = FMClassifier(**OPTIONS, max_iter=30).fit(X, labels(y))
    far = 30 * X  # scores grow, and no probability becomes 0 or 1
    proba = model.predict_proba(far)
    assert proba.min() < 1e-30
    assert np.isfinite(model.decision_function(far)).all()
    scores = np.stack([drawn.predict(far) for drawn in model.posterior_.samples]).astype(float)
    np.testing.assert_allclose(proba[:, 0], ndtr(-scores).mean(axis=0), rtol=1e-9, atol=1e-290)


def test_fields_of_X_are_the_groups():
    X, y = rows()
    for fields, groups in ((FIELDS, FIELDS), (FIELDS * 7, FIELDS)):
        model = FMRegressor(**OPTIONS, max_iter=30).fit(with_fields(X, fields), y)
        assert np.array_equal(model.posterior_.groups, groups)
        assert model.posterior_.trace["lambda_V"].shape == (30, 3, 2)
    assert FMRegressor(**OPTIONS, max_iter=30).fit(X, y).posterior_.groups is None


def test_targets_are_sampled_in_their_unit_and_the_posterior_is_in_that_of_y():
    X, y = rows()
    one, other = (FMRegressor(**OPTIONS, max_iter=40).fit(X, scale * y) for scale in (1.0, 4.0**5))
    assert other.target_scale_ == 4.0**5 * one.target_scale_
    assert np.array_equal(other.predict(X), 4.0**5 * one.predict(X))
    for name, power in (
        ("alpha", -2),
        ("w0", 1),
        ("lambda_w", -2),
        ("mu_w", 1),
        ("lambda_V", -1),
        ("mu_V", 0.5),
    ):
        ours, theirs = one.posterior_.trace[name], other.posterior_.trace[name]
        assert np.array_equal(theirs, 4.0 ** (5 * power) * ours), name
    assert np.array_equal(other.history_.loss, np.multiply(4.0**10, one.history_.loss))


def test_a_posterior_goes_on_in_the_units_of_y():
    X, y = rows()
    model = FMRegressor(**OPTIONS, max_iter=60).fit(X, y)
    more = sample(model.model_, X, y, SquaredLoss(), resume=model.posterior_, n_iter=30, keep=10)
    assert more.n_iter == 90
    assert np.std(y - more.mean(X)) < 1.1 * NOISE
    assert 0.8 * NOISE < more.trace["alpha"][-1] ** -0.5 < 1.2 * NOISE


def test_same_bits():
    X, y = rows()
    first = FMRegressor(**OPTIONS, max_iter=30, n_jobs=1).fit(X, y)
    for n_jobs in 2, 3:
        again = clone(first).set_params(n_jobs=n_jobs).fit(X, y)
        assert np.array_equal(again.predict(X), first.predict(X))
        assert again.history_.loss == first.history_.loss
    assert not np.array_equal(clone(first).set_params(random_state=1).fit(X, y).predict(X), first.predict(X))


def test_weights_of_rows():
    X, y = rows()
    weight = np.ones(len(y))
    weight[:300] = 0
    wrong = np.where(weight == 0, 1e6, y)
    fitted = FMRegressor(**OPTIONS, max_iter=60).fit(X, wrong, sample_weight=weight)
    assert np.std(y - fitted.predict(X)) < 1.2 * NOISE
    times_three = clone(fitted).fit(X, wrong, sample_weight=3 * weight)
    assert np.array_equal(times_three.predict(X), fitted.predict(X))


def test_validation_rows_are_scored_by_the_mean_so_far():
    X, y = rows()
    X_val, y_val = rows(2)
    model = FMRegressor(**OPTIONS, max_iter=60, dtype="float64").fit(X, y, X_val=X_val, y_val=y_val)
    history = model.history_
    assert (history.metric, len(history.validation)) == ("loss", 60)
    expected = np.mean((y_val - sample_again(model, X, y, X_val)) ** 2) / 2
    np.testing.assert_allclose(history.validation[-1], expected, rtol=1e-6)
    assert history.best_epoch == 1 + np.argmin(history.validation)
    classifier = FMClassifier(**OPTIONS, max_iter=60).fit(X, labels(y), X_val=X_val, y_val=labels(y_val))
    proba = classifier.predict_proba(X_val)[np.arange(len(y_val)), (y_val <= 100).astype(int)]
    assert abs(classifier.history_.validation[-1] + np.log(proba).mean()) < 0.01


def sample_again(model, X, y, X_val):
    """Mean scores over all counted iterations, as a callback sees them."""
    means = []

    def follow(info):
        if info.epoch > model.posterior_.burn_in:
            means.append(info.model.predict(X_val) * model.target_scale_ + y.mean())

    clone(model).fit(X, y, callbacks=follow)
    return np.mean(means, axis=0)


def test_callbacks_end_a_fit():
    X, y = rows()
    seen = []

    def at_thirty(info):
        seen.append(info)
        return info.epoch == 30

    model = FMRegressor(**OPTIONS).fit(X, y, callbacks=at_thirty)
    assert len(seen) == model.n_iter_ == 30
    assert model.history_.stop_reason == "callback"
    assert seen[-1].history is model.history_
    assert np.isfinite(model.predict(X)).all()


@pytest.mark.parametrize("last", [1, 20, 21, 50])
@pytest.mark.parametrize("estimator", [FMRegressor, FMClassifier])
def test_an_interrupted_fit_has_its_samples(estimator, last, tmp_path):
    X, y = rows()

    def interrupt(info):
        if info.epoch == last:
            raise KeyboardInterrupt

    model = estimator(**OPTIONS)
    targets = y if estimator is FMRegressor else labels(y)
    with pytest.raises(KeyboardInterrupt):
        model.fit(X, targets, callbacks=interrupt)
    assert model.n_iter_ == model.posterior_.n_iter == last
    assert len(model.posterior_.samples) >= 1
    assert model.score(X, targets) > (0.5 if last > 1 else -np.inf)
    save(model, tmp_path / "model")
    assert np.array_equal(load(tmp_path / "model").predict(X), model.predict(X))


def test_a_fit_that_fails_leaves_no_model_behind():
    X, y = rows()
    model = FMRegressor(**OPTIONS, max_iter=5).fit(X, y)
    with pytest.raises(ValueError, match="without normalize"):
        model.set_params(normalize="instance").fit(X, y)
    assert not hasattr(model, "model_")
    assert not hasattr(model, "posterior_")


@pytest.mark.parametrize("estimator", [FMRegressor, FMClassifier])
def test_files_and_pickles(estimator, tmp_path):
    X, y = rows()
    model = estimator(**OPTIONS, max_iter=40).fit(
        with_fields(X, FIELDS), y if estimator is FMRegressor else labels(y)
    )
    save(model, tmp_path / "model")
    for copy in load(tmp_path / "model"), pickle.loads(pickle.dumps(model)):
        assert np.array_equal(copy.predict(X), model.predict(X))
        assert copy.posterior_.n_iter == 40
        assert copy.get_params() == model.get_params()
        if estimator is FMRegressor:
            assert np.array_equal(copy.predict(X, return_std=True), model.predict(X, return_std=True))
        else:
            assert np.array_equal(copy.predict_proba(X), model.predict_proba(X))


def test_a_file_with_the_posterior_of_another_model_is_refused(tmp_path):
    X, y = rows()
    model = FMRegressor(**OPTIONS, max_iter=5).fit(X, y)
    for other in (
        FMRegressor(solver="mcmc", n_factors=3, max_iter=5).fit(X, y).posterior_,
        FMClassifier(**OPTIONS, max_iter=5).fit(X, labels(y)).posterior_,
    ):
        model.posterior_ = other
        save(model, tmp_path / "model")
        with pytest.raises(ValueError, match="unfit for a model"):
            load(tmp_path / "model")


def test_another_solver_forgets_the_posterior():
    X, y = rows()
    model = FMRegressor(**OPTIONS, max_iter=5).fit(X, y)
    model.set_params(solver="lbfgs", max_iter=None).fit(X, y)
    assert not hasattr(model, "posterior_")
    assert np.array_equal(model.predict(X), model.model_.predict(X))
    with pytest.raises(ValueError, match='needs a fit with solver="mcmc"'):
        model.predict(X, return_std=True)


def test_what_it_does_not_take():
    X, y = rows()
    for given in {"learning_rate": 0.1}, {"l2_factors": 0.5}, {"batch_size": 8}:
        with pytest.raises(ValueError, match=f"takes no {next(iter(given))}"):
            FMRegressor(**OPTIONS, **given).fit(X, y)
    with pytest.raises(ValueError, match="does not stop early"):
        FMRegressor(**OPTIONS, early_stopping=True).fit(X, y)
    with pytest.raises(ValueError, match="warm_start is True"):
        FMRegressor(**OPTIONS, warm_start=True).fit(X, y)
    with pytest.raises(ValueError, match="y has 3 classes"):
        FMClassifier(**OPTIONS).fit(X, np.arange(len(y)) % 3)
    with pytest.raises(ValueError, match="without label_smoothing"):
        FMClassifier(**OPTIONS, label_smoothing=0.1).fit(X, labels(y))
    with pytest.raises(ValueError, match="samples an FM"):
        FFMRegressor(**OPTIONS).fit(X, y)
    with pytest.raises(ValueError, match="max_iter"):
        FMRegressor(**OPTIONS, max_iter=0).fit(X, y)
    assert not hasattr(FMRegressor(solver="mcmc"), "partial_fit")


@pytest.mark.parametrize("y", [[1, 1, 1], [2.5, 2.5, 2.5]], ids=["one class", "one number"])
def test_targets_that_are_all_the_same(y):
    estimator = FMClassifier if isinstance(y[0], int) else FMRegressor
    model = estimator(**OPTIONS, max_iter=20).fit(np.eye(3), y)
    np.testing.assert_allclose(model.predict(np.eye(3)), y, rtol=1e-2)


def test_scores_too_large_for_the_dtype_are_no_nan():
    X, y = rows()
    huge = X * 1e25
    assert not np.isnan(FMRegressor(**OPTIONS, max_iter=20).fit(X, y).predict(huge)).any()
    proba = FMClassifier(**OPTIONS, max_iter=20).fit(X, labels(y)).predict_proba(huge)
    np.testing.assert_allclose(proba.sum(axis=1), 1)


@pytest.mark.parametrize(
    ("estimator", "check"),
    [
        pair
        for estimator in (FMRegressor(solver="mcmc", max_iter=50), FMClassifier(solver="mcmc", max_iter=50))
        for pair in estimator_checks_generator(estimator, expected_failed_checks=EXPECTED, mark="xfail")
    ],
    ids=lambda thing: thing.func.__name__ if hasattr(thing, "func") else type(thing).__name__,
)
def test_checks_of_scikit_learn(estimator, check):
    check(estimator)
