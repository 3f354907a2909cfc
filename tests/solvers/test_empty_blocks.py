"""A stream goes on where a block of it has no rows, or none that counts."""

import math
import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from helpers.solvers import RULES, make_problem

from fastfm_c import SoftmaxLoss


def without_rows(n_features):
    return sp.csr_array((0, n_features)), np.zeros(0), None


def without_rows_but_with_weights(n_features):
    return np.zeros((0, n_features)), [], []


def without_weight(n_features):
    return 1e6 * np.ones((3, n_features)), np.ones(3), np.zeros(3)


BLOCKS = [without_rows, without_rows_but_with_weights, without_weight]


@pytest.mark.parametrize("block", BLOCKS)
@pytest.mark.parametrize("options", [{}, {"shuffle": True}, {"schedule": "inverse_sqrt"}], ids=str)
@pytest.mark.parametrize("rule", RULES)
def test_an_empty_block_leaves_model_and_solver_as_if_it_had_not_come(rule, options, block):
    """At the beginning, where it decides about no units either, and in the middle."""
    X, y, weight, model, loss, _ = make_problem(3)
    solver = RULES[rule][0](model, loss, rng=0, **options)
    peer = pickle.loads(pickle.dumps(solver))
    for _ in range(2):
        before = pickle.dumps(solver)
        assert math.isnan(solver.partial_fit(*block(X.shape[1])))
        assert pickle.dumps(solver) == before
        assert solver.partial_fit(X, y, weight) == peer.partial_fit(X, y, weight)
    assert solver.model == peer.model
    assert solver.n_epochs == peer.n_epochs == 2


def test_an_empty_block_of_many_classes():
    X, _, _, model, _, _ = make_problem(3, n_outputs=3)
    solver = RULES["adam"][0](model, SoftmaxLoss())
    assert math.isnan(solver.partial_fit(X[:0], np.zeros(0, int)))
    assert solver.n_steps == 0


@pytest.mark.parametrize(("X", "y", "weight"), [
    (sp.csr_array((0, 31)), [], None),
    (sp.csr_array((0, 30)), [1.0], None),
    (np.zeros((2, 30)), [0, 7], [0, 0]),
])  # fmt: skip
def test_an_empty_block_is_checked_as_any_other(X, y, weight):
    _, _, _, model, loss, _ = make_problem(3)
    with pytest.raises(ValueError, match=r"columns|y has shape|expects 0 or 1"):
        RULES["sgd"][0](model, loss).partial_fit(X, y, weight)


def test_an_epoch_over_no_rows_or_over_rows_without_weight_is_none():
    X, y, _, model, loss, _ = make_problem(2)
    solver, weight = RULES["adagrad"][0](model, loss), np.ones(X.shape[0])
    weight[[3, 5]] = 0
    for data in (solver.prepare(X, y), solver.prepare(X, y, weight)):
        assert math.isnan(solver.epoch(data, []))
    assert math.isnan(solver.epoch(data, [3, 5, 3]))
    assert solver.n_steps == solver.n_epochs == 0
    assert math.isfinite(solver.epoch(data, [3, 4]))
