"""Models and solvers that grow."""

import pickle
import re

import numpy as np
import pytest
import scipy.sparse as sp
from helpers.solvers import RULES, bits, make_problem

from fastfm_c import FFM, FM, SGD, SquaredLoss


def widened(X, n_features):
    return sp.csr_array((X.data, X.indices, X.indptr), shape=(X.shape[0], n_features))


@pytest.mark.parametrize("n_outputs", [1, 3])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n_fields", [0, 4])
def test_old_features_stay(n_outputs, dtype, n_fields):
    X, *_, model, _, _ = make_problem(2, n_outputs=n_outputs, dtype=dtype, n_fields=n_fields)
    before, fields = model.copy(), [[*model.fields, 1, 5]] if n_fields else []
    model.resize(32, *fields, init_stdev=0.5, rng=0)
    assert model.n_features == 32
    np.testing.assert_array_equal(model.predict(widened(X, 32)), before.predict(X))
    np.testing.assert_array_equal(model.w[..., :30], before.w)
    assert not model.w[..., 30:].any()
    if n_fields:
        assert model.n_fields == 6
        assert model.V.shape[-3:] == (32, 6, 5)
        assert model.fields[-2:].tolist() == [1, 5]
        np.testing.assert_array_equal(model.V[..., :30, :4, :], before.V)
        fresh = [model.V[..., 30:, :, :], model.V[..., :30, 4:, :]]
    else:
        np.testing.assert_array_equal(model.V[..., :30, :], before.V)
        fresh = [model.V[..., 30:, :]]
    for block in fresh:
        assert 0.2 < np.std(block) < 0.9
    assert model.nbytes > before.nbytes
    assert pickle.loads(pickle.dumps(model)) == model
    again = before.copy()
    again.resize(32, *fields, init_stdev=0.5, rng=0)
    assert again == model


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("n_fields", [0, 4])
@pytest.mark.parametrize("by", ["solver", "model"])
def test_a_solver_goes_on(rule, n_fields, by):
    """Growing before the second half is learned equals having had the room from the start."""
    X, y, _, model, loss, _ = make_problem(1, n_fields=n_fields)
    fields = [[*model.fields, 0, 1, 2, 3]] if n_fields else []
    create, _, options = RULES[rule]
    large = model.copy()
    large.resize(34, *fields, rng=3)
    solvers = create(model, loss, **options), create(large, loss, **options)
    solvers[0].partial_fit(X[:20], y[:20])
    solvers[1].partial_fit(widened(X[:20], 34), y[:20])
    (solvers[0] if by == "solver" else model).resize(34, *fields, rng=3)
    X = widened(X[20:], 34).tolil()
    X[:, 33] = 0.5
    for solver in solvers:
        solver.partial_fit(sp.csr_array(X), y[20:])
    assert bits(model) == bits(large)
    for solver in map(pickle.dumps, solvers):
        assert pickle.loads(solver).n_steps == solvers[1].n_steps


def test_a_measured_scale_grows_too():
    model = FM.random(2, 2, rng=0)
    solver = SGD(model, SquaredLoss())
    solver.partial_fit([[100.0, 1.0]], [1.0])
    solver.resize(3)
    solver.partial_fit([[1.0, 0.0, 200.0]], [1.0])
    assert np.isfinite(model.V).all()
    assert model.w[2] != 0


def test_an_empty_model_grows():
    model = FM(0.0, [], np.zeros((0, 3)))
    model.resize(2)
    assert model.predict(np.eye(2)).tolist() == [0, 0]
    ffm = FFM(0.0, [], np.zeros((0, 1, 3)), np.zeros(0, int))
    ffm.resize(3, [0, 1, 1])
    assert ffm.n_fields == 2


def test_what_is_refused():
    fm, ffm = FM.random(3, 2), FFM.random([0, 1, 1], 2)
    for model, arguments, wanted in [
        (fm, (2,), "n_features is 2, expected at least 3"),
        (fm, (-1,), "n_features must be"),
        (ffm, (4, [0, 1, 1]), "fields has shape (3,), expected (4,)"),
        (ffm, (4, [0, 1, 0, 1]), "fields[:3] must be those of the model"),
        (ffm, (4, [0, 1, 1, -1]), "fields[3] is -1"),
        (ffm, (4, [0.0, 1, 1, 1]), "fields must hold integers"),
    ]:
        before = model.copy()
        with pytest.raises(ValueError, match=re.escape(wanted)):
            model.resize(*arguments)
        assert model == before
    with pytest.raises(ValueError, match="init_stdev"):
        fm.resize(4, init_stdev=-1)
    with pytest.raises((MemoryError, ValueError)):
        fm.resize(10**18)
    assert fm.n_features == 3
