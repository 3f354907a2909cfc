"""`fastfm_c.bayes`: what a posterior says, with the same bits everywhere, and how a sampling ends."""

import numpy as np
import pytest
from helpers.columns import KINDS, make_rows, one_hot
from helpers.levels import assert_same_bits, at_all_levels

from fastfm_c import FFM, FM, FieldCSR, LogisticLoss, SoftmaxLoss, SquaredLoss, load, save
from fastfm_c.bayes import Posterior, sample
from fastfm_c.bayes._moments import FactorMean, probit
from fastfm_c.persistence._objects import object_of, state_of

LOSSES = {"regression": SquaredLoss(), "probit": LogisticLoss()}
each_loss = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES.keys())


def planted(seed=0, n_rows=4000, sizes=(40, 30), loss=None, noise=0.5):
    """X, y, start, new rows and their true scores."""
    rng = np.random.default_rng(seed)
    truth = FM.random(sum(sizes), 2, init_stdev=0.7, dtype="float64", rng=rng)
    truth.w[:] = rng.normal(scale=0.5, size=sum(sizes))
    X, X_new = one_hot(rng, n_rows, sizes), one_hot(rng, 1000, sizes)
    scores = truth.predict(X)
    y = scores + noise * rng.normal(size=n_rows)
    if isinstance(loss, LogisticLoss):
        y = (scores + rng.normal(size=n_rows) > 0).astype(float)
    groups = np.repeat(np.arange(len(sizes)), sizes)
    return X, y, FM.random(sum(sizes), 2, init_stdev=0.3, rng=rng), groups, X_new, truth.predict(X_new)


# ------------------------------------------------------------------------------ what it gives


@each_loss
def test_what_was_planted_is_found(loss):
    """Scores on new rows are near, nearer than their spread says in 95 of 100; 20 seeds had 91 to 98."""
    X, y, start, groups, X_new, truth = planted(loss=loss)
    posterior = sample(start, X, y, loss, groups=groups, X_test=X_new, rng=0)
    off = posterior.mean() - truth
    assert np.var(off) < 0.15 * np.var(truth)
    assert 0.85 < np.mean(np.abs(off) < 1.96 * posterior.std()) < 1
    assert np.var(posterior.model.predict(X_new) - truth) < 0.2 * np.var(truth)
    if isinstance(loss, LogisticLoss):
        assert np.mean(np.abs(posterior.proba() - probit(truth))) < 0.08
    else:
        assert np.mean(1 / posterior.trace["alpha"][20:]) == pytest.approx(0.25, rel=0.1)
        with pytest.raises(ValueError, match="of a probit model"):
            posterior.proba()


def test_the_trace_has_all_iterations():
    X, y, start, groups, _, _ = planted(n_rows=300)
    posterior = sample(start, X, y, SquaredLoss(), groups=groups, n_iter=12, burn_in=3, rng=0)
    shapes = {name: values.shape for name, values in posterior.trace.items()}
    assert shapes == {
        "alpha": (12,),
        "w0": (12,),
        "lambda_w": (12, 2),
        "mu_w": (12, 2),
        "lambda_V": (12, 2, 2),
        "mu_V": (12, 2, 2),
    }
    assert (posterior.n_iter, posterior.n_kept, posterior.samples) == (12, 9, ())


def test_the_model_has_the_means():
    X, y, start, _, X_new, _ = planted(n_rows=300)
    posterior = sample(start, X, y, SquaredLoss(), n_iter=40, burn_in=10, keep=30, X_test=X_new, rng=0)
    assert len(posterior.samples) == 30
    products = np.mean([m.V.astype(float) @ m.V.T for m in posterior.samples], axis=0)
    values, vectors = np.linalg.eigh(products)
    best = (vectors[:, -2:] * values[-2:]) @ vectors[:, -2:].T
    model = posterior.model
    np.testing.assert_allclose(model.V @ model.V.T, best, atol=1e-5)
    np.testing.assert_allclose(model.w, np.mean([m.w for m in posterior.samples], axis=0), atol=1e-6)
    assert model.w0 == pytest.approx(np.mean([m.w0 for m in posterior.samples]), abs=1e-6)
    scores = np.array([m.predict(X_new) for m in posterior.samples], float)
    for n in len(scores[0]), 100:  # X_test itself, and other rows
        rows, those = X_new[:n].copy(), scores[:, :n]
        np.testing.assert_allclose(posterior.mean(rows), those.mean(axis=0), atol=1e-5)
        np.testing.assert_allclose(posterior.std(rows), those.std(axis=0, ddof=1), atol=1e-5)


def test_rows_are_those_of_the_test_by_their_values():
    X, y, start, _, X_new, _ = planted(n_rows=300)
    posterior = sample(start, X, y, SquaredLoss(), n_iter=4, burn_in=2, X_test=X_new, rng=0)
    for rows in X_new, X_new.copy(), X_new.toarray(), X_new.astype(np.float64):
        np.testing.assert_array_equal(posterior.mean(rows), posterior.mean())
    for rows in X_new[:-1], 2 * X_new, X_new[::-1]:
        with pytest.raises(ValueError, match="X is not the X_test"):
            posterior.mean(rows)


def test_a_probit_model_says_that_its_scores_are_no_log_odds():
    X, y, start, _, _, _ = planted(n_rows=300, loss=LogisticLoss())
    posterior = sample(start, X, y, LogisticLoss(), n_iter=4, burn_in=2, rng=0)
    assert posterior.model.metadata == {"link": "probit"}
    assert sample(start, X, X @ start.w, SquaredLoss(), n_iter=4, burn_in=2, rng=0).model.metadata == {}


def test_a_long_root_keeps_what_leads():
    """More columns than are kept: the small axes are lost, not the large ones."""
    rng = np.random.default_rng(0)
    mean = FactorMean(60, 4)
    mean.most = 40
    factors = [
        (rng.normal(size=(60, 4)) * [3, 2, 1, 0.5]) * 0.1 + np.eye(60)[:, :4] * [6, 5, 4, 3]
        for _ in range(50)
    ]
    for V in factors:
        mean.add(V)
    values, vectors = np.linalg.eigh(np.mean([V @ V.T for V in factors], axis=0))
    found = mean.factors(4)
    best = (vectors[:, -4:] * values[-4:]) @ vectors[:, -4:].T
    np.testing.assert_allclose(found @ found.T, best, atol=0.02)


@each_loss
def test_float32_can_take_few_dense_rows(loss):
    """Pivots of factors that rows hardly determine were lost to rounding, and became negative."""
    rng = np.random.default_rng(0)
    X = 10 * rng.uniform(size=(40, 3))
    scores = X @ [1.0, -2.0, 1.0] + 0.1 * X[:, 0] * X[:, 1]
    means = []
    for dtype in "float32", "float64":
        start = FM.random(3, 8, init_stdev=0.3, dtype=dtype, rng=0)
        y = scores + rng.normal(size=40) if isinstance(loss, SquaredLoss) else np.sign(scores) / 2 + 0.5
        posterior = sample(start, X[:20], y[:20], loss, n_iter=400, X_test=X[20:], rng=0)
        means.append(posterior.mean() if posterior.loss == SquaredLoss() else posterior.proba())
    assert np.sqrt(np.mean((means[0] - means[1]) ** 2)) < (2 if isinstance(loss, SquaredLoss) else 0.15)


# ---------------------------------------------------------------------------------- same bits


@each_loss
@pytest.mark.parametrize("kind", KINDS)
def test_threads_and_levels_change_no_bit(kind, loss):
    X, y, weight = make_rows(kind, loss, seed=0, n_rows=6000)
    start = FM.random(X.shape[1], 10, init_stdev=0.3, rng=0)
    groups = np.arange(X.shape[1]) % 3
    weight = None if kind == "pair" else weight

    def run(num_threads=1):
        options = {"n_iter": 4, "burn_in": 1, "keep": 1, "rng": 0, "sample_weight": weight}
        posterior = sample(start, X, y, loss, groups=groups, num_threads=num_threads, **options)
        return [posterior.samples[0], *posterior.trace.values()]

    alone = at_all_levels(run)
    for num_threads in 2, 3, 7:
        assert_same_bits(run(num_threads), alone)


@each_loss
def test_to_resume_is_to_go_on(loss):
    X, y, start, groups, X_new, _ = planted(n_rows=300, loss=loss)
    options = {"groups": groups, "X_test": X_new, "rng": 3}
    whole = sample(start, X, y, loss, n_iter=30, burn_in=12, **options)
    first = sample(start, X, y, loss, n_iter=14, burn_in=12, **options)
    before = first.mean()
    second = sample(start, X, y, loss, n_iter=16, resume=first)
    assert_same_bits([second.mean(), second.std(), second.model], [whole.mean(), whole.std(), whole.model])
    assert_same_bits(list(second.trace.values()), list(whole.trace.values()))
    np.testing.assert_array_equal(first.mean(), before)
    assert first.n_iter == 14


@each_loss
def test_a_file_goes_on_too(tmp_path, loss):
    X, y, start, groups, X_new, _ = planted(n_rows=300, loss=loss)
    first = sample(start, X, y, loss, groups=groups, X_test=X_new, n_iter=14, burn_in=6, keep=2, rng=3)
    save(first, tmp_path / "posterior")
    loaded = load(tmp_path / "posterior")
    assert_same_bits([loaded.mean(), loaded.std(), loaded.model], [first.mean(), first.std(), first.model])
    assert_same_bits([loaded.mean(X_new.copy())], [first.mean(X_new.copy())])
    a = sample(start, X, y, loss, n_iter=5, resume=first)
    b = sample(start, X, y, loss, n_iter=5, resume=loaded, X_test=X_new)
    assert_same_bits([a.mean(), a.model, *a.trace.values()], [b.mean(), b.model, *b.trace.values()])
    with pytest.raises(ValueError, match="X_test is missing"):
        sample(start, X, y, loss, n_iter=5, resume=loaded)
    with pytest.raises(ValueError, match="X_test is not that of the earlier sampling"):
        sample(start, X, y, loss, n_iter=5, resume=loaded, X_test=X_new[::-1])


@pytest.mark.parametrize(
    "name", ["n_iter", "seed", "groups", "root", "trace.alpha", "now.mu_V", "sample_0.V"]
)
def test_damaged_files_are_refused(tmp_path, name):
    X, y, start, groups, _, _ = planted(n_rows=300)
    posterior = sample(start, X, y, SquaredLoss(), groups=groups, n_iter=4, burn_in=1, keep=1, rng=3)
    state, tensors = state_of(posterior)
    if name in state:
        state[name] = -1
    elif name == "groups":
        tensors[name] = tensors[name] - 1
    else:
        tensors[name] = tensors[name][:-1]
    with pytest.raises(ValueError):  # noqa: PT011 - each says its own
        object_of(state, tensors)


def test_the_start_is_left_as_it_is():
    X, y, start, _, _, _ = planted(n_rows=300)
    before = start.copy()
    sample(start, X, y, SquaredLoss(), n_iter=3, burn_in=1, rng=0)
    assert start == before


def test_fields_of_X_are_groups():
    X, y, start, groups, _, _ = planted(n_rows=300)
    options = {"n_iter": 5, "burn_in": 1, "rng": 0}
    a = sample(start, FieldCSR(X, fields=groups), y, SquaredLoss(), **options)
    b = sample(start, X, y, SquaredLoss(), groups=groups, **options)
    assert_same_bits([*a.trace.values(), a.model], [*b.trace.values(), b.model])


# ----------------------------------------------------------------------------------- the ends


def test_a_callback_ends_it_and_an_interrupt_can_be_resumed():
    X, y, start, _, _, _ = planted(n_rows=300)
    seen = []

    def stop(info):
        seen.append(info)
        return info.iteration == 4

    posterior = sample(start, X, y, SquaredLoss(), n_iter=20, burn_in=2, callbacks=stop, rng=0)
    assert [info.iteration for info in seen] == [1, 2, 3, 4]
    assert posterior.n_iter == 4

    def interrupt(info):
        seen.append(info)
        if info.iteration == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        sample(start, X, y, SquaredLoss(), n_iter=20, burn_in=2, callbacks=interrupt, rng=0)
    again = sample(start, X, y, SquaredLoss(), n_iter=1, resume=seen[-1].posterior)
    assert again.model == posterior.model


def test_progress_is_told(capsys):
    X, y, start, _, _, _ = planted(n_rows=300)
    sample(start, X, y, SquaredLoss(), n_iter=3, burn_in=1, verbose=True, rng=0)
    assert capsys.readouterr().err.startswith("iteration 3/3  alpha ")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n_iter": 0}, "n_iter must be a positive integer"),
        ({"n_iter": 5, "burn_in": 5}, "n_iter=5 leaves nothing after burn_in=5"),
        ({"burn_in": -1}, "burn_in must be an integer >= 0, got -1"),
        ({"n_iter": 5, "burn_in": 3, "keep": 3}, "keep=3 is more than the 2 iterations"),
        ({"groups": [0, 1]}, r"groups must be 70 integers, one for each feature, got shape \(2,\)"),
        ({"groups": np.full(70, 0.5)}, "dtype float64"),
        ({"groups": np.full(70, -1)}, r"groups holds -1..-1, expected 0..69"),
        ({"X_test": np.ones((2, 3))}, "3 columns"),
        ({"X_test": np.full((2, 70), np.nan)}, "X_test holds nan or inf"),
        ({"resume": "it"}, "resume must be a Posterior, got str"),
        ({"sample_weight": np.zeros(300)}, "total weight"),
    ],
)
def test_what_is_refused(options, message):
    X, y, start, _, _, _ = planted(n_rows=300)
    with pytest.raises(ValueError, match=message):
        sample(start, X, y, SquaredLoss(), **options)


@pytest.mark.parametrize(
    ("make", "loss", "message"),
    [
        (lambda: FFM.random([0, 0, 1], 2, rng=0), SquaredLoss(), "sample takes an FM, got FFM"),
        (lambda: FM.random(3, 2, n_outputs=3, rng=0), SoftmaxLoss(), "sample takes a SquaredLoss or a"),
        (lambda: FM.random(3, 2, rng=0), LogisticLoss(0.1), "without label_smoothing, got 0.1"),
    ],
)
def test_models_and_losses_that_do_not_fit(make, loss, message):
    with pytest.raises(ValueError, match=message):
        sample(make(), np.eye(3), [0, 1, 1], loss)


def test_a_posterior_needs_rows_or_samples():
    X, y, start, _, X_new, _ = planted(n_rows=300)
    posterior = sample(start, X, y, SquaredLoss(), n_iter=5, burn_in=2, rng=0)
    assert isinstance(posterior, Posterior)
    with pytest.raises(ValueError, match="X is missing"):
        posterior.mean()
    with pytest.raises(ValueError, match="no samples were kept"):
        posterior.std(X_new)
