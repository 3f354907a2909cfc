"""Solvers: their updates against the reference, their bits, and what they refuse."""

import functools
import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from strategies import INDICES, REALS, SEEDS, csr_of, make_csr

from fastfm_c import FFM, FM, FTRL, SGD, AdaGrad, Adam, LogisticLoss, SoftmaxLoss, SquaredLoss, reference
from fastfm_c._errors import DivergenceError

RULES = {
    "sgd": (SGD, reference.sgd, {"learning_rate": 0.02}),
    "adagrad": (AdaGrad, reference.adagrad, {"learning_rate": 0.2, "initial_accumulator": 0.5}),
    "adam": (Adam, reference.adam, {"learning_rate": 0.05, "beta1": 0.8, "beta2": 0.95, "epsilon": 1e-6}),
    "ftrl": (FTRL, reference.ftrl, {"learning_rate": 0.3, "beta": 0.7}),
}


def make_problem(seed, *, n_rows=40, n_features=30, k=5, n_outputs=1, n_fields=0, dtype="float64", **kinds):
    """X with |x| < 1 (the reference has no scale), y, weights, a model, a loss and its reference."""
    rng = np.random.default_rng(seed)
    X = make_csr(rng, rng.integers(0, 13, n_rows), n_features, **kinds)
    X.data[:] = np.clip(X.data / 3, -0.9, 0.9)
    X.data[rng.random(X.nnz) < 0.1] = 0
    weight = rng.choice([0.0, 0.5, 1.0, 2.0], n_rows)
    shared = {"n_outputs": n_outputs, "init_stdev": 0.3, "dtype": dtype, "rng": rng}
    if n_fields:
        fields = np.concatenate([rng.integers(0, n_fields, n_features - 1), [n_fields - 1]])
        model = FFM.random(fields, k, **shared)
    else:
        model = FM.random(n_features, k, **shared)
    if n_outputs > 1:
        loss, oracle = SoftmaxLoss(0.2), functools.partial(reference.softmax_loss, label_smoothing=0.2)
        y = rng.integers(0, n_outputs, n_rows)
    elif seed % 2:
        loss, oracle = LogisticLoss(0.1), functools.partial(reference.logistic_loss, label_smoothing=0.1)
        y = rng.integers(0, 2, n_rows)
    else:
        loss, oracle, y = SquaredLoss(), reference.squared_loss, rng.standard_normal(n_rows)
    return X, y, weight, model, loss, oracle


def parameters(model):
    return np.atleast_1d(model.w0), model.w, model.V


def bits(model):
    return [p.tobytes() for p in parameters(model)]


# ---------------------------------------------------------------------------------------- updates


@pytest.mark.parametrize("rule", RULES)
@given(
    seed=SEEDS,
    k=st.sampled_from([1, 3, 4, 8, 21, 64]),
    n_outputs=st.sampled_from([1, 3]),
    n_fields=st.sampled_from([0, 1, 6]),
    batch_size=st.sampled_from([1, 7, 40, 1000]),
    weighted=st.booleans(),
    kinds=st.fixed_dictionaries({"data": REALS, "index": INDICES}),
)
def test_a_pass_is_the_reference(simd, rule, seed, k, n_outputs, n_fields, batch_size, weighted, kinds):
    create, update, options = RULES[rule]
    X, y, weight, model, loss, oracle = make_problem(
        seed, k=k, n_outputs=n_outputs, n_fields=n_fields, **kinds
    )
    penalties = {} if rule == "ftrl" else {"l2_linear": 0.03, "l2_factors": 0.02}
    weight = weight if weighted else None
    w0, w, V, expected_loss = reference.solver_pass(
        X, y, oracle, model.w0, model.w, model.V, model.fields if n_fields else None,
        rule=functools.partial(update, **options), batch_size=batch_size, sample_weight=weight, **penalties,
    )  # fmt: skip
    solver = create(model, loss, batch_size=batch_size, **options, **penalties)
    assert solver.partial_fit(X, y, weight) == pytest.approx(expected_loss, rel=1e-9)
    for found, expected in zip((model.w0, model.w, model.V), (w0, w, V), strict=True):
        np.testing.assert_allclose(found, expected, rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("n_fields", [0, 6])
def test_float32_is_close_to_float64(rule, n_fields):
    create, _, options = RULES[rule]
    passes = []
    for dtype in ("float32", "float64"):
        X, y, weight, model, loss, _ = make_problem(3, n_fields=n_fields, dtype="float64")
        arrays = [np.asarray(p, dtype) for p in (model.w0, model.w, model.V)]
        model = FFM(*arrays, model.fields) if n_fields else FM(*arrays)
        create(model, loss, batch_size=8, **options).partial_fit(X, y, weight)
        passes.append(model)
    np.testing.assert_allclose(passes[0].V, passes[1].V, atol=2e-3 if rule == "adam" else 1e-5)


def test_by_hand():
    X, model = sp.csr_array([[1.0, 0.5]]), FM(0.0, [0.0, 0.0], np.array([[1.0], [2.0]]))
    # score 1 * 2 * 0.5 = 1, derivative -1: dw = (-1, -.5), dV = -x (s - v x) = (-1, -.5), s = 2
    assert SGD(model, SquaredLoss(), learning_rate=0.5).partial_fit(X, [2.0]) == 0.5
    assert model.w0 == 0.5
    assert model.w.tolist() == [0.5, 0.25]
    assert model.V.tolist() == [[1.5], [2.25]]


def test_ftrl_makes_exact_zeros():
    X, y, _, model, loss, _ = make_problem(1, n_rows=200)
    FTRL(model, loss, l1_linear=2.0, l1_factors=1e6).partial_fit(X, y)
    assert 0 < np.count_nonzero(model.w) < len(model.w)
    assert not model.V[np.unique(X.indices[X.data != 0])].any()


def test_ftrl_starts_at_the_parameters():
    X, y, _, model, loss, _ = make_problem(1)
    before = model.copy()
    FTRL(model, loss, l2_factors=0.3, learning_rate=1e-9).partial_fit(X, y)
    np.testing.assert_allclose(model.V, before.V, atol=1e-7)


def test_clip_value_bounds_the_step():
    X, model = sp.csr_array([[1.0, 1.0]]), FM.random(2, 3, dtype="float64", rng=0)
    SGD(model, SquaredLoss(), learning_rate=1.0, clip_value=0.25).partial_fit(X, [100.0])
    assert model.w.tolist() == [0.25, 0.25]
    assert model.w0 == 0.25


@pytest.mark.parametrize("n_fields", [0, 4])
def test_rows_can_be_normalised(n_fields):
    X, y, _, model, loss, _ = make_problem(5, n_fields=n_fields)
    other, scale = model.copy(), np.sqrt(X.multiply(X).sum(axis=1))
    scaled = sp.csr_array(sp.diags_array(1 / np.where(scale > 0, scale, 1)) @ X)
    SGD(model, loss, normalize="instance").partial_fit(X, y)
    SGD(other, loss).partial_fit(scaled, y)
    np.testing.assert_allclose(model.V, other.V, rtol=1e-9)


@pytest.mark.parametrize("rule", ["sgd", "adagrad", "adam"])
def test_the_unit_of_a_large_column_does_not_matter(rule):
    create, _, options = RULES[rule]
    unit = np.array([1.0, 4.0, 1024.0])
    X = sp.csr_array(np.random.default_rng(0).uniform(-1, 1, (60, 3)))
    X.data[:3] = 1  # the largest value of each column comes first
    y = np.random.default_rng(1).standard_normal(60)
    V = np.random.default_rng(2).standard_normal((3, 4))
    one, other = FM(0.0, np.zeros(3), V), FM(0.0, np.zeros(3), V / unit[:, None])
    losses = [create(one, SquaredLoss(), **options).partial_fit(X, y),
              create(other, SquaredLoss(), **options).partial_fit(sp.csr_array(X * unit), y)]  # fmt: skip
    assert losses[0] == pytest.approx(losses[1])
    np.testing.assert_allclose(other.V * unit[:, None], one.V, rtol=1e-10)
    np.testing.assert_allclose(other.w * unit, one.w, rtol=1e-10)


def test_adagrad_learns_from_unscaled_columns():
    """Values up to 1e3, and no option chosen: nearly as good as on values up to 1."""
    rng = np.random.default_rng(0)
    dense = rng.uniform(0, 1, (4000, 6))
    y = (dense @ [3, -2, 1, 0, 2, -4] + 4 * dense[:, 0] * dense[:, 1] > 0.8).astype(int)
    unit = np.array([1, 10, 100, 1000, 1000, 1000])
    losses = []
    for X in (dense, dense * unit):
        model = FM.random(6, 4, rng=1)
        solver = AdaGrad(model, LogisticLoss(), batch_size=32)
        losses.append([solver.partial_fit(sp.csr_array(X), y) for _ in range(60)][-1])
    assert losses[0] < 0.2
    assert losses[1] < 0.3


# ------------------------------------------------------------------------------------------- bits


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("n_fields", [0, 7])
@pytest.mark.parametrize("n_outputs", [1, 3])
def test_bits_do_not_depend_on_threads_and_level(levels, rule, n_fields, n_outputs):
    create, _, options = RULES[rule]
    results = set()
    for level in levels.names:
        for num_threads in (1, 2, 3, 8):
            X, y, weight, model, loss, _ = make_problem(
                7, n_rows=1500, n_features=400, k=9, n_fields=n_fields, n_outputs=n_outputs, dtype="float32"
            )
            solver = create(model, loss, batch_size=600, num_threads=num_threads, shuffle=True, rng=3,
                            **options)  # fmt: skip
            value = levels(level, functools.partial(solver.partial_fit, X, y, weight))
            results.add((value, *bits(model)))
    assert len(results) == 1


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("n_fields", [0, 4])
def test_chunks_are_one_pass(rule, n_fields):
    create, _, options = RULES[rule]
    X, y, weight, model, loss, _ = make_problem(9, n_rows=100, n_fields=n_fields)
    whole, solver = model.copy(), create(model, loss, batch_size=10, **options)
    create(whole, loss, batch_size=10, **options).partial_fit(X, y, weight)
    for begin in range(0, 100, 20):
        part = slice(begin, begin + 20)
        solver.partial_fit(X[part], y[part], weight[part])
    assert bits(model) == bits(whole)
    assert solver.n_steps == 10


@pytest.mark.parametrize("rule", RULES)
def test_a_pickled_solver_resumes(rule):
    create, _, options = RULES[rule]
    X, y, weight, model, loss, _ = make_problem(11)
    X.data[0] = 5  # so that there is a scale
    solver = create(model, loss, batch_size=8, shuffle=True, rng=5, **options)
    solver.partial_fit(X, y, weight)
    other = pickle.loads(pickle.dumps(solver))
    assert repr(other) == repr(solver)
    assert other.nbytes == solver.nbytes
    assert solver.partial_fit(X, y, weight) == other.partial_fit(X, y, weight)
    assert bits(other.model) == bits(solver.model)


def test_repeats_are_summed_and_x_stays():
    repeated = csr_of(np.array([0, 3]), np.array([1, 0, 1]), np.array([0.5, 1.0, 0.25]), (1, 2))
    models = [FM.random(2, 3, dtype="float64", rng=0) for _ in range(2)]
    SGD(models[0], SquaredLoss()).partial_fit(repeated, [1.0])
    SGD(models[1], SquaredLoss()).partial_fit(sp.csr_array([[1.0, 0.75]]), [1.0])
    np.testing.assert_allclose(models[0].V, models[1].V, rtol=1e-12)
    assert repeated.data.tolist() == [0.5, 1.0, 0.25]


@pytest.mark.parametrize("n_fields", [0, 5])
def test_hogwild_learns(n_fields):
    X, y, _, model, _, _ = make_problem(2, n_rows=3000, n_features=200, n_fields=n_fields, dtype="float32")
    y = (np.asarray(X.sum(axis=1)).ravel() > 0).astype(int)
    losses = []
    for hogwild in (False, True):
        solver = AdaGrad(model.copy(), LogisticLoss(), hogwild=hogwild, batch_size=16, num_threads=3)
        losses.append([solver.partial_fit(X, y) for _ in range(4)])
        assert solver.n_steps == 4 * 188
    assert losses[1][-1] < 0.95 * losses[1][0]
    assert losses[1][-1] == pytest.approx(losses[0][-1], rel=0.1)


def test_a_long_row_of_many_fields_does_not_need_a_large_batch():
    """300 values in 300 fields: the gradients of a whole batch would take 11 GB."""
    n, k = 300, 64
    X = sp.csr_array(np.full((500, n), 0.01, np.float32))
    model = FFM.random(np.arange(n), k, rng=0)
    solver = AdaGrad(model, LogisticLoss(), batch_size=500)
    assert solver.partial_fit(X, np.zeros(500)) > 0
    assert solver.n_steps > 1


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
    solver = SGD(model, SquaredLoss(), learning_rate=1e4, batch_size=2)
    with pytest.raises(DivergenceError, match=r"epoch \d+ diverged at row \d+.*learning_rate 10000.0, "
                                              r"largest \|x\| 0.9"):  # fmt: skip
        for _ in range(50):
            solver.partial_fit(X, np.full(X.shape[0], 1e3))
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
    ({"batch_size": 0}, "batch_size must be a positive integer, got 0"),
    ({"batch_size": 2.5}, "batch_size must be a positive integer, got 2.5"),
    ({"l2_linear": -1}, "l2_linear must be finite and >= 0, got -1"),
    ({"clip_value": 0}, "clip_value must be a finite number > 0, got 0"),
    ({"normalize": "l2"}, "normalize must be None or 'instance', got 'l2'"),
    ({"num_threads": 0}, "num_threads must be a positive integer, got 0"),
    ({"initial_accumulator": 0}, "initial_accumulator must be a finite number > 0, got 0"),
])  # fmt: skip
def test_options_are_checked(options, message):
    with pytest.raises(ValueError, match=message.replace("(", r"\(")):
        AdaGrad(FM.random(2, 2), SquaredLoss(), **options)


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
        with pytest.raises(ValueError, match="model.V is read-only"):
            SGD(shared, SquaredLoss())


def test_memory_is_bounded_by_the_batch():
    """One number a parameter for AdaGrad, none for SGD."""
    fm = FM.random(1000, 8)
    assert SGD(fm, SquaredLoss()).nbytes == 0
    assert AdaGrad(fm, SquaredLoss()).nbytes == fm.nbytes
    assert Adam(fm, SquaredLoss()).nbytes == 2 * fm.nbytes
