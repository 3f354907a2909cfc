"""Solvers: their updates against the reference, and their bits."""

import functools
import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from helpers.levels import assert_same_bits, at_all_levels
from helpers.make import csr_of
from helpers.oracles import loss_function
from helpers.solvers import RULES, bits, make_problem
from helpers.strategies import INDICES, REALS, SEEDS
from hypothesis import given
from hypothesis import strategies as st

from fastfm_c import FFM, FM, FTRL, SGD, AdaGrad, Adam, LogisticLoss, SoftmaxLoss, SquaredLoss, reference

# ---------------------------------------------------------------------------------------- updates


def learned(rule, model, loss, X, y, weight=None, **options):
    """(mean loss, model) after a pass at each SIMD level, with the options of the rule and more."""
    create, _, own = RULES[rule]

    def learn():
        other = model.copy()
        return create(other, loss, **own, **options).partial_fit(X, y, weight), other

    return at_all_levels(learn)


def assert_pass(found, rule, model, loss, X, y, weight=None, *, rtol, atol, **options):
    """What was learned is what the reference learns from the model as it was."""
    _, update, own = RULES[rule]
    *expected, expected_loss = reference.solver_epoch(
        X, y, loss_function(loss), model.w0, model.w, model.V, getattr(model, "fields", None),
        rule=functools.partial(update, **own), sample_weight=weight, **options,
    )  # fmt: skip
    mean_loss, other = found
    assert mean_loss == pytest.approx(expected_loss, rel=max(1e-9, rtol))
    for mine, theirs in zip((other.w0, other.w, other.V), expected, strict=True):
        np.testing.assert_allclose(mine, theirs, rtol=rtol, atol=atol)


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
def test_a_pass_is_the_reference(rule, seed, k, n_outputs, n_fields, batch_size, weighted, kinds):
    X, y, weight, model, loss, _ = make_problem(seed, k=k, n_outputs=n_outputs, n_fields=n_fields, **kinds)
    penalties = {} if rule == "ftrl" else {"l2_linear": 0.03, "l2_factors": 0.02}
    task = rule, model, loss, X, y, weight if weighted else None
    options = {"batch_size": batch_size, **penalties}
    assert_pass(learned(*task, **options), *task, **options, rtol=1e-7, atol=1e-10)


@pytest.mark.parametrize("n_fields", [3, 8, 9, 11, 14])
@pytest.mark.parametrize("n_outputs", [1, 2])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_rows_that_have_all_fields_in_order(n_fields, n_outputs, dtype):
    """With four factors: the rows that are added in tiles of four by four fields, and some others."""
    rng = np.random.default_rng(n_fields)
    dense = np.zeros((60, n_fields, 3))
    np.put_along_axis(
        dense, rng.integers(0, 3, (60, n_fields, 1)), rng.uniform(0.3, 1, (60, n_fields, 1)), axis=2
    )
    dense[7, 2] = 0  # a field less
    dense[8, 1] = 1  # a field with three values
    X = sp.csr_array(dense.reshape(60, -1).astype(dtype))
    X.data[n_fields * 20] = 0  # an explicit zero
    y = rng.integers(0, 2, 60)
    loss = LogisticLoss() if n_outputs == 1 else SoftmaxLoss()
    fields = np.repeat(np.arange(n_fields), 3)
    model = FFM.random(fields, 4, n_outputs=n_outputs, init_stdev=0.3, dtype=dtype, rng=1)
    task, options = ("adagrad", model, loss, X, y), {"batch_size": 13, "l2_linear": 0.03, "l2_factors": 0.02}
    close = {"rtol": 1e-9, "atol": 1e-12} if dtype == "float64" else {"rtol": 1e-4, "atol": 1e-5}
    assert_pass(learned(*task, **options), *task, **options, **close)


@pytest.mark.parametrize("rule", ["adagrad", "adam"])
@pytest.mark.parametrize("k", [3, 4])
def test_a_batch_of_several_blocks(rule, k):
    """Its FFM has features that are in one row, in several rows of a block, and in several blocks; and some
    rows lack fields, or have some twice."""
    rng = np.random.default_rng(k)
    n_rows, n_fields, per_field = 350, 9, 150
    columns = np.arange(n_fields) * per_field + (per_field * rng.random((n_rows, n_fields)) ** 4).astype(int)
    X = sp.lil_array((n_rows, n_fields * per_field))
    X[np.arange(n_rows)[:, None], columns] = rng.uniform(0.3, 1, columns.shape)
    for row in range(0, n_rows, 7):
        X[row, columns[row, row % n_fields]] = 0
        X[row + 1, rng.integers(0, n_fields * per_field)] = 0.5
    X, y = sp.csr_array(X), rng.integers(0, 2, n_rows)
    rows_of_feature = np.bincount(X.indices)
    assert X.nnz > 2048
    assert 1 in rows_of_feature
    model = FFM.random(np.repeat(np.arange(n_fields), per_field), k, init_stdev=0.3, dtype="float64", rng=1)
    task = rule, model, LogisticLoss(), X, y
    options = {"batch_size": 300, "l2_linear": 0.03, "l2_factors": 0.02}
    found, by_two = (learned(*task, **options, num_threads=n) for n in (1, 2))
    assert_same_bits(by_two, found)
    assert_pass(found, *task, **options, rtol=1e-9, atol=1e-12)


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
    scaled = sp.csr_array(sp.diags(1 / np.where(scale > 0, scale, 1)) @ X)
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
def test_bits_do_not_depend_on_threads_and_level(rule, n_fields, n_outputs):
    X, y, weight, model, loss, _ = make_problem(
        7, n_rows=1500, n_features=400, k=9, n_fields=n_fields, n_outputs=n_outputs, dtype="float32"
    )
    results = [
        learned(rule, model, loss, X, y, weight, batch_size=600, num_threads=n, shuffle=True, rng=3)
        for n in (1, 2, 3, 8)
    ]
    for other in results[1:]:
        assert_same_bits(other, results[0])


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


def test_a_long_row_of_many_fields_does_not_need_a_large_batch():
    """300 values in 300 fields: the gradients of a whole batch would take 460 MB."""
    n, k = 300, 64
    X = sp.csr_array(np.full((20, n), 0.01, np.float32))
    model = FFM.random(np.arange(n), k, rng=0)
    solver = AdaGrad(model, LogisticLoss(), batch_size=20)
    assert solver.partial_fit(X, np.zeros(20)) > 0
    assert solver.n_steps > 1


def test_memory_is_bounded_by_the_batch():
    """One number a parameter for AdaGrad, none for SGD."""
    fm = FM.random(1000, 8)
    assert SGD(fm, SquaredLoss()).nbytes == 0
    assert AdaGrad(fm, SquaredLoss()).nbytes == fm.nbytes
    assert Adam(fm, SquaredLoss()).nbytes == 2 * fm.nbytes
