"""FTRL learns from values beyond 1 in units of their column, as the other solvers do."""

import numpy as np
import pytest
import scipy.sparse as sp
from helpers.solvers import bits, make_problem, parameters

from fastfm_c import FM, FTRL, LogisticLoss, train

ENOUGH = 0.02  # of mean loss, between the same rows in two units


def pairs(size):
    """Rows of two columns, in units of `size`, whose signs decide together; and a model in the same units."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((1000, 4))
    model = FM.random(4, 4, init_stdev=0.1, dtype="float64", rng=1)
    model.V[...] /= size
    return sp.csr_array(X * size), (X[:, 0] * X[:, 1] > 0).astype(int), model


@pytest.mark.parametrize("size", [10.0, 1e3, 1e7, 1e12])
def test_values_of_any_size_are_learned_from_as_well(size):
    losses = []
    for unit in (1.0, size):
        X, y, model = pairs(unit)
        history = train(model, X, y, LogisticLoss(), solver="ftrl", max_iter=20, rng=0, batch_size=8)
        losses.append(history.loss)
    np.testing.assert_allclose(*losses, rtol=0, atol=ENOUGH)
    assert losses[1][-1] < 0.4 < losses[1][0] < 1


@pytest.mark.parametrize("n_first", [8, 40])
def test_values_that_grow_in_the_middle_of_a_stream_keep_what_was_learned(n_first):
    """Values a million times as large, in rows that hardly weigh anything."""
    X, y, model = pairs(1.0)
    solver = FTRL(model, LogisticLoss(), batch_size=8)
    for _ in range(30):
        solver.partial_fit(X, y)
    before, late = model.copy(), X[:n_first] * 1e6
    solver.partial_fit(late, y[:n_first], np.full(n_first, 1e-12))
    for was, now in zip(parameters(before), parameters(model), strict=True):
        np.testing.assert_allclose(now, was, rtol=0, atol=1e-3 * np.abs(was).max())
    assert solver.state_arrays["scale"].min() > 1e5


@pytest.mark.parametrize("size", [2.0, 64.0])
def test_penalties_are_those_of_the_parameters_themselves(size):
    """In other units of X: l1 in units of the parameter, l2 in units of its square.

    Powers of 2 do not round.
    """
    X, y, weight, model, loss, _ = make_problem(3)
    X.data = np.copysign(1.0, X.data)  # so that both have one unit from the first row on
    other = FM(model.w0, model.w / size, model.V / size)
    shared = {"learning_rate": 0.2, "batch_size": 4}
    small = FTRL(model, loss, l1_linear=0.2, l1_factors=0.1, l2_linear=0.3, l2_factors=0.4, **shared)
    large = FTRL(other, loss, l1_linear=0.2 * size, l1_factors=0.1 * size, l2_linear=0.3 * size**2,
                 l2_factors=0.4 * size**2, **shared)  # fmt: skip
    for _ in range(4):
        a, b = small.partial_fit(X, y, weight), large.partial_fit(X * size, y, weight)
        assert a == pytest.approx(b, rel=1e-9)
    np.testing.assert_allclose(model.w, other.w * size, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(model.V, other.V * size, rtol=1e-9, atol=1e-12)
    assert 0 < np.count_nonzero(model.w) < model.w.size


def test_chunks_have_the_bits_of_one_call_where_columns_grow():
    X, y, weight, model, loss, _ = make_problem(3)
    X.data *= np.repeat(np.logspace(0, 6, X.shape[0]), np.diff(X.indptr))
    whole = FTRL(model.copy(), loss, batch_size=4)
    whole.partial_fit(X, y, weight)
    chunks = FTRL(model, loss, batch_size=4)
    for begin in range(0, X.shape[0], 8):
        rows = slice(begin, begin + 8)
        chunks.partial_fit(X[rows], y[rows], weight[rows])
    assert bits(chunks.model) == bits(whole.model)


def test_values_up_to_1_are_learned_from_as_they_are():
    """Also by train, where the other solvers measure small columns: penalties were chosen for them."""
    X, y, _, model, loss, _ = make_problem(3)
    solver = FTRL(model, loss)
    solver.run(solver.prepare(X, y), None, None, 1, Once())
    assert "scale" not in solver.state_arrays


class Once:
    """Watches nothing."""

    tol = 0.0

    def within(self, epoch):
        return None

    def after_epoch(self, loss):
        return None
