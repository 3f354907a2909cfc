"""The Gibbs sampler draws from the distribution that it says."""

import numpy as np
import pytest
from helpers.columns import columns_of, one_hot, shared_rows

from fastfm_c import FM, LogisticLoss, SquaredLoss
from fastfm_c.bayes import sample
from fastfm_c.bayes._moments import probit

LOSSES = {"regression": SquaredLoss(), "probit": LogisticLoss()}
each_loss = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES.keys())


def prior(rng, shape, n_groups, groups):
    """Hyperparameters and parameters as the model says, w0 = 0."""
    lambda_ = rng.gamma(0.5, 2.0, (n_groups, shape[1]))
    mu = rng.normal(size=lambda_.shape) / np.sqrt(lambda_)
    return lambda_, mu, mu[groups] + rng.normal(size=shape) / np.sqrt(lambda_[groups])


def statistics(alpha, lambda_, mu, p):
    """Bounded numbers, because the priors have no moments."""
    scaled = np.mean(np.tanh((p - mu[GROUPS]) * np.sqrt(lambda_[GROUPS])) ** 2, axis=1)
    own = scaled, np.tanh(p - mu[GROUPS]), np.tanh(p) ** 2, np.tanh(p[0] * p[1]), np.tanh(p[2, 0] * p[2, -1])
    parts = [lambda_ / (1 + lambda_), np.tanh(mu), np.tanh(mu) ** 2, *own]
    return np.concatenate([[alpha / (1 + alpha)], *(np.ravel(part) for part in parts)])


GROUPS = np.array([0, 0, 0, 1, 1, 1, 1, 1])


@each_loss
@pytest.mark.parametrize(
    ("k", "dtype", "steepness", "repeats"), [(2, "float64", 1, 1), (9, "float64", 1, 1), (8, "float32", 8, 6)]
)
def test_iterations_leave_the_joint_distribution_as_it_is(loss, k, dtype, steepness, repeats):
    """Parameters from the priors, rows from the parameters, some iterations: the priors again.

    Geweke 2004, with a fresh start each time, because the priors are so wide that a chain mixes slowly. w0
    has no proper prior, but the rest does not depend on it. A wrong factor in any of the conditional
    distributions moves some mean by many standard errors. Large values hide penalties behind the roundings
    of float32: then a step is drawn about another one.
    """
    rng = np.random.default_rng(1)
    X = one_hot(rng, 9, [3, 3]).toarray()
    # The last two columns: a dense one, and one without values.
    X = np.concatenate([X, rng.normal(size=(9, 1)), np.zeros((9, 1))], axis=1) * steepness
    weight = rng.choice([0.5, 1.0, 2.0], 9)
    is_probit = isinstance(loss, LogisticLoss)
    seen, wanted = [], []
    for iteration in range(4000):
        lambda_, mu, p = prior(rng, (8, k + 1), 2, GROUPS)
        alpha = 1.0 if is_probit else rng.gamma(0.5, 2.0)
        wanted.append(statistics(alpha, lambda_, mu, p))
        model = FM(0.0, p[:, -1].astype(dtype), p[:, :-1].astype(dtype))
        scores = model.predict(X)
        if is_probit:
            y = (rng.random(9) < probit(scores * np.sqrt(weight))).astype(float)
        else:
            y = scores + rng.normal(size=9) / np.sqrt(alpha * weight)
        hyper = [lambda_[:, -1].copy(), mu[:, -1].copy(), lambda_[:, :-1].copy(), mu[:, :-1].copy()]
        columns = columns_of(model, loss, X, y, weight)
        columns.set_groups(GROUPS.astype(np.int32), hyper)
        for repeat in range(repeats):
            alpha = columns.sample(5, repeats * iteration + repeat, alpha)
        columns.write()
        joined = [np.column_stack([hyper[2 + i], hyper[i]]) for i in range(2)]
        seen.append(statistics(alpha, *joined, np.column_stack([model.V, model.w])))
    error = np.sqrt((np.var(seen, axis=0) + np.var(wanted, axis=0)) / len(seen)) + 1e-12
    off = np.abs(np.mean(seen, axis=0) - np.mean(wanted, axis=0)) / error
    assert np.max(off) < 4.5, np.argmax(off)


def test_a_relation_is_sampled_as_other_rows():
    """Values that differ by less than a rounding of the result make no relation."""
    rng = np.random.default_rng(0)
    X, _ = shared_rows(rng)
    y, ends = rng.normal(size=X.shape[0]), []
    near = X.copy()
    near.data *= 1 + 1e-13 * rng.random(X.nnz)
    for rows in X, near:
        model = FM.random(X.shape[1], 9, init_stdev=0.3, dtype="float64", rng=0)
        columns = columns_of(model, SquaredLoss(), rows, y)
        assert columns.plan()["n_relations"] == (rows is X)
        columns.set_groups(None, [np.ones(1), np.zeros(1), np.ones((1, 9)), np.zeros((1, 9))])
        columns.sample(5, 0, 1.0)
        columns.write()
        ends.append(model)
    np.testing.assert_allclose(ends[0].V, ends[1].V, atol=1e-8)
    np.testing.assert_allclose(ends[0].w, ends[1].w, atol=1e-8)


def test_all_planted_factors_are_found():
    """w = 0 of the start says nothing about its penalty. Drawn from it, that of the first iteration was so
    large that a factor took the place of w: then the noise had a precision of 3.4 for hundreds of iterations.
    """
    rng = np.random.default_rng(0)
    truth = FM.random(2300, 8, init_stdev=0.5, dtype="float64", rng=rng)
    truth.w[:] = rng.normal(scale=0.5, size=2300)
    X = one_hot(rng, 40_000, (1500, 800))
    y = truth.predict(X) + 0.5 * rng.normal(size=X.shape[0])
    start, groups = FM.random(2300, 8, init_stdev=0.3, rng=1), np.repeat([0, 1], [1500, 800])
    posterior = sample(start, X, y, SquaredLoss(), groups=groups, n_iter=60, rng=2)
    assert np.mean(posterior.trace["alpha"][40:]) == pytest.approx(4, rel=0.1)
    assert np.all(posterior.trace["lambda_w"][0] == 1)
    assert np.all(posterior.trace["lambda_V"][0] == 10)
