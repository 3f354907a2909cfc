"""Alternating least squares: a sweep is that of the reference, the same bits everywhere, and never worse."""

import itertools

import numpy as np
import pytest
import scipy.sparse as sp
from helpers.columns import (
    KINDS,
    columns_of,
    make_rows,
    make_X,
    one_hot,
    reference_loss,
    shared_rows,
    swept,
)
from helpers.levels import assert_same_bits, at_all_levels
from helpers.make import csr_of
from hypothesis import given
from hypothesis import strategies as st

from fastfm_c import FM, LogisticLoss, SquaredLoss, reference

# Systems of 16 unknowns, solved in one precision: whose condition is at most some thousands.
SWEEP_TOLERANCE = {"float64": 1e-10, "float32": 2e-3}
LOSSES = {"squared": SquaredLoss(), "logistic": LogisticLoss(), "smoothed": LogisticLoss(0.2)}
each_loss = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES.keys())
each_kind = pytest.mark.parametrize("kind", KINDS)


@each_kind
@each_loss
@pytest.mark.parametrize("k", [1, 8, 9, 16, 33])
def test_a_sweep_is_that_of_the_reference(kind, loss, k):
    X, y, weight = make_rows(kind, loss, seed=k)
    weight = weight if k in (8, 16) else None
    options = {"l2_linear": 0.02, "l2_factors": 0.05, "sample_weight": weight}
    oracle, curvature = reference_loss(loss)
    start = FM.random(X.shape[1], k, init_stdev=0.3, rng=k)
    expected = reference.als_sweep(X, y, oracle, start.w0, start.w, start.V, curvature=curvature, **options)
    wanted = reference.objective(X, y, oracle, *expected, **options)
    for dtype, tolerance in SWEEP_TOLERANCE.items():
        model = FM(start.w0, start.w.astype(dtype), start.V.astype(dtype))
        columns = columns_of(model, loss, X, y, weight)
        assert columns.plan()["is_pair"] == (kind == "pair" and weight is None and loss == SquaredLoss())
        assert columns.sweep(0.02, 0.05) == pytest.approx(wanted, rel=tolerance / 10)
        columns.write()
        for actual, parameter in zip((model.w0, model.w, model.V), expected, strict=True):
            np.testing.assert_allclose(actual, parameter, rtol=0, atol=tolerance)


@given(st.integers(0, 2**32 - 1), st.sampled_from(KINDS), st.integers(1, 20), st.booleans(), st.booleans())
def test_any_rows(seed, kind, k, is_logistic, is_weighted):
    """Explicit zeros, unsorted columns, repeats, wide indices, and penalties from none to large."""
    rng = np.random.default_rng(seed)
    loss = LOSSES["smoothed" if is_logistic else "squared"]
    X, y, weight = make_rows(kind, loss, seed, n_rows=int(rng.integers(2, 40)))
    weight[0] = 1
    X.data[rng.random(X.nnz) < 0.1] = 0
    order = np.concatenate([rng.permutation(np.arange(*ends)) for ends in itertools.pairwise(X.indptr)])
    X = csr_of(X.indptr.astype("int64"), X.indices[order].astype("int64"), X.data[order], X.shape)
    weight = weight if is_weighted else None
    l2 = 10 ** rng.uniform(-1, 1, 2)
    model = FM.random(X.shape[1], k, init_stdev=0.5, dtype="float64", rng=rng)
    oracle, curvature = reference_loss(loss)
    options = {"l2_linear": l2[0], "l2_factors": l2[1], "sample_weight": weight}
    expected = reference.als_sweep(X, y, oracle, model.w0, model.w, model.V, curvature=curvature, **options)
    actual = at_all_levels(lambda: swept(model, loss, X, y, sweeps=1, l2=l2, sample_weight=weight))
    for mine, wanted in zip((actual.w0, actual.w, actual.V), expected, strict=True):
        np.testing.assert_allclose(mine, wanted, rtol=0, atol=SWEEP_TOLERANCE["float64"])


@each_kind
@each_loss
def test_the_objective_never_rises(kind, loss):
    X, y, weight = make_rows(kind, loss, seed=3, n_rows=200)
    for k, l2 in (1, (0.0, 0.0)), (9, (0.0, 0.0)), (16, (1e-3, 1e-3)), (20, (0.1, 0.0)):
        model = FM.random(X.shape[1], k, init_stdev=0.5, dtype="float64", rng=0)
        columns = columns_of(model, loss, X, y, weight)
        values = [columns.sweep(*l2, has_sweep=False)]
        values += [columns.sweep(*l2) for _ in range(15)]
        assert np.all(np.diff(values) <= 1e-13 * values[0])
        columns.write()
        options = {"l2_linear": l2[0], "l2_factors": l2[1], "sample_weight": weight}
        assert values[-1] == pytest.approx(model.objective(X, y, loss, **options), rel=1e-9)


@each_loss
def test_the_end_is_a_stationary_point(loss):
    X, y, _ = make_rows("mixed", loss, seed=1, n_rows=300)
    model = FM.random(X.shape[1], 3, init_stdev=0.5, dtype="float64", rng=0)
    end = swept(model, loss, X, y, sweeps=1000)
    _, gradient = end.gradient(X, y, loss, l2_linear=0.02, l2_factors=0.05)
    for part in (gradient.w0, gradient.w, gradient.V):
        assert np.max(np.abs(part)) < 1e-6


def heavy_rows(rng, kind, n_rows=9000):
    """Rows with columns of more than 4096 values, and of a few."""
    X = one_hot(rng, n_rows, [2, 1000] if kind == "pair" else [2, 3, 1000])
    if kind == "numeric":
        X.data[:] = rng.choice([0.5, 1.0, 2.0], X.nnz)
    return X


@pytest.mark.parametrize("kind", ["pair", "one-hot", "numeric"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("loss", [SquaredLoss(), LogisticLoss()], ids=["squared", "logistic"])
def test_threads_and_levels_change_no_bit(kind, dtype, loss):
    rng = np.random.default_rng(0)
    X = heavy_rows(rng, kind)
    y = rng.integers(0, 2, X.shape[0])
    model = FM.random(X.shape[1], 20, init_stdev=0.3, dtype=dtype, rng=0)
    alone = at_all_levels(lambda: swept(model, loss, X, y))
    for num_threads in 2, 3, 7:
        assert_same_bits(swept(model, loss, X, y, num_threads=num_threads), alone)


@pytest.mark.parametrize("kind", ["pair", "one-hot", "numeric"])
def test_heavy_columns_are_those_of_the_gradient(kind):
    """Sums of chunks are sums: in float64 the end of many sweeps has no slope."""
    rng = np.random.default_rng(0)
    X = heavy_rows(rng, kind)
    y = rng.normal(size=X.shape[0]) + X @ rng.normal(size=X.shape[1])
    model = FM.random(X.shape[1], 2, init_stdev=0.3, dtype="float64", rng=0)
    end = swept(model, SquaredLoss(), X, y, sweeps=1000, l2=(0.5, 0.02))
    _, gradient = end.gradient(X, y, SquaredLoss(), l2_linear=0.5, l2_factors=0.02)
    for part in (gradient.w0, gradient.w, gradient.V):
        assert np.max(np.abs(part)) < 1e-6


def test_pairs_are_learned_as_other_rows():
    """A row of weight 0 makes no pair plan: the two ways differ by roundings only."""
    X, y, _ = make_rows("pair", SquaredLoss(), seed=0, n_rows=500)
    weight = np.ones(501)
    weight[-1] = 0.5
    more, last = sp.csr_array(sp.vstack([X, X[[0]]])), np.append(y, y[0])
    ways = []
    for k in 4, 20:
        model = FM.random(X.shape[1], k, init_stdev=0.3, dtype="float64", rng=0)
        # The same objective in two ways: rows of weight 1/2 twice, and rows of weight 1 once.
        twice = sp.csr_array(sp.vstack([X, X]))
        halves = np.full(2 * len(y), 0.5)
        a = swept(model, SquaredLoss(), X, y, sweeps=3)
        b = swept(model, SquaredLoss(), twice, np.tile(y, 2), sweeps=3, sample_weight=halves)
        np.testing.assert_allclose(a.V, b.V, atol=1e-11)
        np.testing.assert_allclose(a.w, b.w, atol=1e-11)
        ways.append((a, b))
    assert columns_of(model, SquaredLoss(), X, y).plan()["is_pair"]
    assert not columns_of(model, SquaredLoss(), more, last, weight).plan()["is_pair"]


def test_columns_of_few_rows_are_those_of_many():
    """A column of at most 6 rows is solved by its rows, a longer one by its factors: both exactly."""
    rng = np.random.default_rng(0)
    X, y = one_hot(rng, 40, [10, 4, 3]), rng.normal(size=40)
    model = FM.random(X.shape[1], 16, init_stdev=0.3, dtype="float64", rng=0)
    many = sp.csr_array(sp.vstack([X] * 8))  # the same objective
    a = swept(model, SquaredLoss(), X, y)
    b = swept(model, SquaredLoss(), many, np.tile(y, 8))
    np.testing.assert_allclose(a.V, b.V, atol=1e-11)


def test_the_order_of_columns_inside_a_field_does_not_matter():
    rng = np.random.default_rng(0)
    X, y = one_hot(rng, 300, [20, 10, 5]), rng.normal(size=300)
    model = FM.random(35, 6, init_stdev=0.3, dtype="float64", rng=0)
    order = np.concatenate([rng.permutation(20), 20 + rng.permutation(10), 30 + rng.permutation(5)])
    moved = FM(model.w0, model.w[order], model.V[order])
    a, b = swept(model, SquaredLoss(), X, y), swept(moved, SquaredLoss(), sp.csr_array(X[:, order]), y)
    np.testing.assert_array_equal(a.V[order], b.V)
    np.testing.assert_array_equal(a.w[order], b.w)


@each_kind
def test_colours_are_those_of_the_reference(kind):
    X = make_X(kind, np.random.default_rng(0))
    colours = reference.colours(X)
    plan = columns_of(FM.random(X.shape[1], 2, rng=0), LogisticLoss(), X, np.ones(60)).plan()
    assert plan["n_colours"] == colours.max() + 1
    for colour in range(plan["n_colours"]):
        assert np.all((X[:, colours == colour] != 0).sum(axis=1) <= 1)


def test_more_colours_than_masks():
    """A dense matrix of 300 columns has as many colours, of which only the first have a mask."""
    rng = np.random.default_rng(0)
    X, y = sp.csr_array(rng.normal(size=(400, 300)) * (rng.random((400, 300)) < 0.3)), rng.normal(size=400)
    model = FM.random(300, 2, init_stdev=0.1, dtype="float64", rng=0)
    columns = columns_of(model, SquaredLoss(), X, y)
    values = [columns.sweep(0.1, 0.1) for _ in range(10)]
    assert columns.plan()["n_colours"] > 128
    assert np.all(np.diff(values) < 0)
    columns.write()
    wanted = model.objective(X, y, SquaredLoss(), l2_linear=0.1, l2_factors=0.1)
    assert values[-1] == pytest.approx(wanted, rel=1e-12)


def test_columns_without_values_lose_their_parameters_to_the_penalty():
    X, y, _ = make_rows("sparse", SquaredLoss(), seed=0)
    model = FM.random(X.shape[1], 3, init_stdev=0.3, dtype="float64", rng=0)
    model.w[5] = 1
    for l2, kept in ((0.02, 0.05), (0, 0)), ((0.0, 0.05), (1, 0)), ((0.02, 0.0), (0, 1)):
        end = swept(model, SquaredLoss(), X, y, l2=l2)
        assert end.w[5] == kept[0]
        np.testing.assert_array_equal(end.V[5], kept[1] * model.V[5])


def test_residuals_do_not_drift():
    """float32, over sweeps enough for residuals to be made afresh: what is kept is what scores say."""
    rng = np.random.default_rng(0)
    X = one_hot(rng, 3000, [50, 30, 10])
    y = rng.normal(size=3000)
    model = FM.random(90, 8, init_stdev=0.3, rng=0)
    columns = columns_of(model, SquaredLoss(), X, y)
    for sweep in range(1, 25):
        objective = columns.sweep(1e-3, 1e-2)
        columns.write()
        wanted = model.objective(X, y, SquaredLoss(), l2_linear=1e-3, l2_factors=1e-2)
        assert objective == pytest.approx(wanted, rel=2e-6), sweep


# -------------------------------------------------------------------------------------- relations


@pytest.mark.parametrize("k", [3, 16, 20])
def test_a_relation_is_learned_as_other_rows(k):
    """Columns that repeat come last here, as in the order of colours: so the reference has the same order."""
    rng = np.random.default_rng(k)
    X, _ = shared_rows(rng, 160, 6)
    y, weight = rng.normal(size=X.shape[0]), rng.choice([0.0, 0.5, 1.0, 2.0], X.shape[0])
    for sample_weight in None, weight:
        model = FM.random(X.shape[1], k, init_stdev=0.3, dtype="float64", rng=k)
        options = {"l2_linear": 0.02, "l2_factors": 0.05, "sample_weight": sample_weight}
        expected = model.w0, model.w.copy(), model.V.copy()
        columns = columns_of(model, SquaredLoss(), X, y, sample_weight)
        assert columns.plan()["n_relations"] == 1
        for _ in range(2):
            expected = reference.als_sweep(X, y, reference.squared_loss, *expected, **options)
            objective = columns.sweep(0.02, 0.05)
        columns.write()
        for actual, parameter in zip((model.w0, model.w, model.V), expected, strict=True):
            np.testing.assert_allclose(actual, parameter, rtol=0, atol=SWEEP_TOLERANCE["float64"])
        assert objective == pytest.approx(model.objective(X, y, SquaredLoss(), **options), rel=1e-12)


@pytest.mark.parametrize("is_wide", [False, True])
def test_what_hardly_differs_is_no_relation(is_wide):
    """One value that is missing, or other, in one row: its column does not repeat; the rest does."""
    rng = np.random.default_rng(0)
    X, first = shared_rows(rng, 160, 6)
    index = "int64" if is_wide else "int32"
    X = csr_of(X.indptr.astype(index), X.indices.astype(index), X.data, X.shape)
    y, nnz = rng.normal(size=X.shape[0]), []
    for value in X.data[3], 0.25, 0.0:
        X.data[3] = value
        model = FM.random(X.shape[1], 4, init_stdev=0.3, dtype="float64", rng=0)
        expected = reference.als_sweep(
            X, y, reference.squared_loss, model.w0, model.w, model.V, l2_linear=0.02, l2_factors=0.05
        )
        columns = columns_of(model, SquaredLoss(), X, y)
        nnz.append(columns.plan()["nnz"])
        columns.sweep(0.02, 0.05)
        columns.write()
        if value == X.data[4]:  # else the order of columns is another one
            np.testing.assert_allclose(model.V, expected[2], atol=SWEEP_TOLERANCE["float64"])
    assert nnz[0] < nnz[2] < nnz[1] < X.nnz
    assert first == 6


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_threads_and_levels_change_no_bit_of_a_relation(dtype):
    """A column of more than 4096 shared rows, too."""
    rng = np.random.default_rng(0)
    X, _ = shared_rows(rng, 80000, 9000, 40, 5)
    y = rng.normal(size=X.shape[0])
    model = FM.random(X.shape[1], 20, init_stdev=0.3, dtype=dtype, rng=0)
    assert columns_of(model, SquaredLoss(), X, y).plan()["n_relations"] == 1
    alone = at_all_levels(lambda: swept(model, SquaredLoss(), X, y))
    for num_threads in 2, 3, 7:
        assert_same_bits(swept(model, SquaredLoss(), X, y, num_threads=num_threads), alone)


def test_a_relation_lowers_the_objective_as_far():
    rng = np.random.default_rng(1)
    X, _ = shared_rows(rng, 2000, 30, 12, 4)
    y = rng.normal(size=2000) + X @ rng.normal(size=X.shape[1])
    model = FM.random(X.shape[1], 3, init_stdev=0.3, dtype="float64", rng=0)
    end = swept(model, SquaredLoss(), X, y, sweeps=600, l2=(0.2, 0.05))
    _, gradient = end.gradient(X, y, SquaredLoss(), l2_linear=0.2, l2_factors=0.05)
    for part in (gradient.w0, gradient.w, gradient.V):
        assert np.max(np.abs(part)) < 1e-6
