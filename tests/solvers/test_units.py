"""The units of columns that `train` and `run` learn in."""

import numpy as np
import pytest

from fastfm_c import FM, FTRL, SGD, AdaGrad, Adam, SquaredLoss

RNG = np.random.default_rng(0)
X = RNG.standard_normal((300, 4)) * [1.0, 1e-3, 1e4, 1.0]
X[7, 3] = 1000.0
Y = RNG.standard_normal(300)
RMS = np.sqrt(np.mean(X**2, axis=0))


class Watcher:
    tol = 1e-4

    def within(self, epoch):
        return None

    def after_epoch(self, loss):
        return None


def trained(solver, rows, **options):
    model = FM(0.0, np.zeros(4), 0.1 / np.sqrt(np.mean(rows**2, axis=0))[:, None])
    learner = solver(model, SquaredLoss(), batch_size=10, **options)
    learner.run(learner.prepare(rows, Y), None, None, 3, Watcher())
    return learner


@pytest.mark.parametrize("solver", [AdaGrad, Adam])
def test_a_run_is_one_of_columns_that_are_divided_by_their_root_mean_square(solver):
    learner, peer = trained(solver, X), trained(solver, X / RMS)
    np.testing.assert_allclose(learner.state_arrays["scale"], RMS, rtol=1e-12)
    np.testing.assert_allclose(learner.model.w * RMS, peer.model.w, rtol=1e-6, atol=1e-12)
    np.testing.assert_allclose(learner.model.V[:, 0] * RMS, peer.model.V[:, 0], rtol=1e-6, atol=1e-12)


def test_sgd_keeps_the_largest_value_and_ftrl_units_of_one():
    np.testing.assert_allclose(trained(SGD, X).state_arrays["scale"], np.abs(X).max(axis=0))
    assert trained(FTRL, X).state_arrays["scale"][1] == 1


@pytest.mark.parametrize("solver", [AdaGrad, Adam])
def test_a_stream_after_a_run_raises_the_units(solver):
    learner = trained(solver, X)
    learner.partial_fit(X[:5] * 100, Y[:5])
    scale, largest = learner.state_arrays["scale"], 100 * np.abs(X[:5]).max(axis=0)
    np.testing.assert_array_equal(scale, np.maximum(RMS, largest))


@pytest.mark.parametrize("solver", [AdaGrad, Adam])
def test_penalties_in_units_of_the_columns(solver):
    learners = []
    for rows in (X, X / RMS):
        model = FM(0.0, np.zeros(4), np.full((4, 2), 0.1) / np.sqrt(np.mean(rows**2, axis=0))[:, None])
        learner = solver(model, SquaredLoss(), batch_size=10, l2_linear=0.1, l2_factors=0.2)
        learner._penalise_in_scale()
        learner.run(learner.prepare(rows, Y), None, None, 3, Watcher())
        learners.append(learner)
    np.testing.assert_allclose(learners[0].model.w * RMS, learners[1].model.w, rtol=1e-6, atol=1e-12)
    plain = trained(solver, X, l2_linear=0.1, l2_factors=0.2)  # of the parameters: too much for small columns
    assert not np.allclose(plain.model.w * RMS, learners[0].model.w * RMS, rtol=0.01)
