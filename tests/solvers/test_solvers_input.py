"""Solvers: odd rows, and what they refuse."""

import re

import numpy as np
import pytest
import scipy.sparse as sp
from helpers.solvers import RULES, make_problem, parameters

from fastfm_c import FFM, FM, SGD, AdaGrad, Adam, DivergenceError, LogisticLoss, SoftmaxLoss, SquaredLoss

# ------------------------------------------------------------------------------------ odd rows


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("create", [lambda n: FM.random(n, 1, rng=0),
                                    lambda n: FFM.random(np.arange(n) % 2, 1, rng=0)])  # fmt: skip
@pytest.mark.parametrize("X", [
    np.zeros((3, 4)), np.ones((3, 4)), np.ones((1, 4)), np.eye(4)[:3] * 1e-30, np.zeros((3, 0)),
])  # fmt: skip
def test_odd_rows_stay_finite(rule, create, X):
    solver_type, _, options = RULES[rule]
    model = create(X.shape[1])
    solver = solver_type(model, LogisticLoss(), **options)
    for y in (np.zeros(len(X)), np.ones(len(X))):
        assert np.isfinite([solver.partial_fit(X, y) for _ in range(20)]).all()
    assert all(np.isfinite(p).all() for p in parameters(model))


def test_a_row_of_weight_zero_is_as_if_absent():
    X, y, _, model, loss, _ = make_problem(4)
    weight = np.ones(len(y))
    weight[5] = 0
    X.data[X.indptr[5] : X.indptr[6]] = 0.99
    other, rows = model.copy(), np.delete(np.arange(len(y)), 5)
    a = SGD(model, loss, batch_size=100).partial_fit(X, y, weight)
    b = SGD(other, loss, batch_size=100).partial_fit(X[rows], y[rows])
    assert a == pytest.approx(b, rel=1e-12)
    np.testing.assert_allclose(model.V, other.V, rtol=1e-12)


# ------------------------------------------------------------------------------------------ errors


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n_fields", [0, 3])
def test_divergence_leaves_finite_parameters(dtype, n_fields):
    X, _, _, model, _, _ = make_problem(2, n_fields=n_fields, dtype=dtype)
    solver, y = SGD(model, SquaredLoss(), learning_rate=1e4, batch_size=2), np.full(X.shape[0], 1e3)
    message = r"epoch \d+ diverged at row \d+.*learning_rate 10000.0, largest \|x\| 0.9"
    with pytest.raises(DivergenceError, match=message):
        [solver.partial_fit(X, y) for _ in range(50)]
    assert all(np.isfinite(p).all() for p in parameters(model))


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_values_must_be_finite(value):
    X, y, _, model, loss, _ = make_problem(2)
    before = model.copy()
    X.data[X.indptr[7]] = value
    row = int(np.searchsorted(X.indptr, X.indptr[7], side="right")) - 1
    with pytest.raises(ValueError, match=f"row {row} of X holds {value}"):
        SGD(model, loss).partial_fit(X, y)
    assert model == before


@pytest.mark.parametrize("place", [0, 70_000, 199_999])
def test_a_nan_is_found_among_many_values(place):
    X = sp.csr_array(np.ones((50_000, 4)))
    X.data[place] = np.nan
    model = FM.random(4, 2, rng=0)
    before = model.copy()
    with pytest.raises(ValueError, match=f"row {place // 4} of X holds nan"):
        SGD(model, SquaredLoss()).partial_fit(X, np.zeros(50_000))
    assert model == before


def test_nothing_is_learned_when_a_late_target_is_bad():
    X, _, _, model, _, _ = make_problem(2)
    before, y = model.copy(), np.zeros(X.shape[0])
    y[-1] = 2
    with pytest.raises(ValueError, match=r"y\[39\] is 2"):
        SGD(model, LogisticLoss(), batch_size=1).partial_fit(X, y)
    assert model == before


@pytest.mark.parametrize(("options", "message"), [
    ({"learning_rate": 0}, "learning_rate must be a finite number > 0, got 0"),
    ({"learning_rate": float("nan")}, "learning_rate must be a finite number > 0, got nan"),
    ({"learning_rate": "fast"}, "learning_rate must be a finite number > 0, got 'fast'"),
    ({"learning_rate": "0.1"}, "learning_rate must be a finite number > 0, got '0.1'"),
    ({"learning_rate": b"0.1"}, "learning_rate must be a finite number > 0, got b'0.1'"),
    ({"learning_rate": None}, "learning_rate must be a finite number > 0, got None"),
    ({"learning_rate": True}, "learning_rate must be a finite number > 0, got True"),
    ({"l2_factors": "1"}, "l2_factors must be finite and >= 0, got '1'"),
    ({"clip_value": "1"}, "clip_value must be a finite number > 0, got '1'"),
    ({"schedule": "linear"}, "schedule must be None, 'constant', 'inverse_sqrt' or 'cosine', got 'linear'"),
    ({"schedule": 0.5}, "schedule must be None, 'constant', 'inverse_sqrt' or 'cosine', got 0.5"),
    ({"learning_rate": "cosine", "schedule": "cosine"}, "give the number as learning_rate and the name"),
    ({"learning_rate": lambda e: 1, "schedule": "cosine"}, "a callable, which takes no schedule"),
    ({"learning_rate": lambda e: -1}, "learning_rate(1) must be a finite number > 0, got -1"),
    ({"learning_rate": lambda e: None}, "learning_rate(1) must be a finite number > 0, got None"),
    ({"batch_size": 0}, "batch_size must be a positive integer, got 0"),
    ({"batch_size": 2.5}, "batch_size must be a positive integer, got 2.5"),
    ({"l2_linear": -1}, "l2_linear must be finite and >= 0, got -1"),
    ({"clip_value": 0}, "clip_value must be a finite number > 0, got 0"),
    ({"normalize": "l2"}, "normalize must be None, 'instance' or 'xlearn', got 'l2'"),
    ({"num_threads": 0}, "num_threads must be a positive integer, got 0"),
    ({"initial_accumulator": 0}, "initial_accumulator must be a finite number > 0, got 0"),
])  # fmt: skip
def test_options_are_checked(options, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        AdaGrad(FM.random(2, 2), SquaredLoss(), **options)


def test_the_message_of_divergence_advises_what_everybody_has():
    """clip_value is an option of solvers, which estimators do not have."""
    solver = SGD(FM.random(2, 2, rng=0), SquaredLoss(), learning_rate=1e30)
    with pytest.raises(DivergenceError, match="a smaller learning_rate, or values and targets") as error:
        [solver.partial_fit(np.eye(2), [1e3, 1e3]) for _ in range(5)]
    assert "clip_value" not in str(error.value)


def test_other_refusals():
    fm = FM.random(2, 2)
    with pytest.raises(ValueError, match="beta1 must be in"):
        Adam(fm, SquaredLoss(), beta1=1)
    with pytest.raises(ValueError, match="SoftmaxLoss needs a model with several outputs"):
        SGD(fm, SoftmaxLoss())
    with pytest.raises(ValueError, match="model must be an FM or an FFM, got str"):
        SGD("fm", SquaredLoss())
    with pytest.raises(ValueError, match="loss must be"):
        SGD(fm, "squared")
    with pytest.raises(TypeError):
        SGD(fm, SquaredLoss(), no_such_option=1)
    with pytest.raises(ValueError, match="X has 3 columns, the model has 2 features"):
        SGD(fm, SquaredLoss()).partial_fit(sp.csr_array((1, 3)), [0.0])


def test_a_read_only_model_is_refused():
    fm = FM.random(50, 8)
    V = fm.V
    V.flags.writeable = False
    shared = FM(0.0, np.zeros(50, np.float32), V)
    if np.shares_memory(shared.V, V):
        with pytest.raises(ValueError, match=r"model\.V is read-only"):
            SGD(shared, SquaredLoss())


def test_a_batch_may_be_larger_than_all_rows():
    X, y, _, model, loss, _ = make_problem(2)
    other = model.copy()
    value = AdaGrad(model, loss, batch_size=10**30).partial_fit(X, y)
    assert value == AdaGrad(other, loss, batch_size=X.shape[0]).partial_fit(X, y)
    assert model == other


def test_an_accumulator_must_not_vanish_in_float32():
    with pytest.raises(ValueError, match="initial_accumulator 1e-50 is no float32 > 0"):
        AdaGrad(FM.random(2, 2), SquaredLoss(), initial_accumulator=1e-50)


@pytest.mark.parametrize("size", [1e-200, 1e200])
def test_rows_of_any_size_are_normalised(size):
    model, other = FM.random(3, 2, dtype="float64", rng=0), FM.random(3, 2, dtype="float64", rng=0)
    X = np.array([[3.0, 0.0, 4.0]])
    SGD(model, SquaredLoss(), normalize="instance").partial_fit(X * size, [1.0])
    SGD(other, SquaredLoss()).partial_fit(X / 5, [1.0])
    np.testing.assert_allclose(model.V, other.V, rtol=1e-12)
    np.testing.assert_allclose(model.w, other.w, rtol=1e-12)
