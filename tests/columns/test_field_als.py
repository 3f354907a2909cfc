"""Alternating least squares of an FFM: the sweeps of the reference, the same bits everywhere, never worse."""

import itertools

import numpy as np
import pytest
import scipy.sparse as sp
from helpers.columns import columns_of, one_hot, reference_loss, swept
from helpers.levels import assert_same_bits, at_all_levels
from helpers.make import csr_of
from hypothesis import given
from hypothesis import strategies as st

from fastfm_c import FFM, FM, LogisticLoss, SquaredLoss, reference, train

SWEEP_TOLERANCE = {"float64": 1e-10, "float32": 2e-3}
LOSSES = {"squared": SquaredLoss(), "logistic": LogisticLoss(), "smoothed": LogisticLoss(0.2)}
KINDS = ["one-hot", "numeric", "several", "mixed", "gaps"]
each_loss = pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES.keys())
each_kind = pytest.mark.parametrize("kind", KINDS)


def make_X(kind, rng, n_rows=120):
    """Rows of one kind, and the fields of their columns. Column 5 of all but one-hot rows is empty."""
    if kind == "one-hot":
        return one_hot(rng, n_rows, [5, 4, 3]), np.repeat([0, 1, 2], [5, 4, 3])
    values = rng.normal(size=(n_rows, 12))
    fields = {
        "numeric": np.arange(12) % 6,  # two columns of numbers in each field
        "several": np.repeat([0, 1, 3], 4),  # nobody has field 2
        "mixed": np.repeat([0, 1, 2], [8, 2, 2]),  # tags, flags, and numbers that are different in each row
        "gaps": np.arange(12),
    }[kind]
    share = {"numeric": 1, "several": 0.4, "mixed": 0.3, "gaps": 0.3}[kind]
    if kind == "several":
        values = np.ones_like(values)
    if kind == "mixed":
        values[:, :10] = 0.5
    if kind == "gaps":
        values[:, 7:] = 0
    values *= rng.random((n_rows, 12)) < share
    values[:, 5] = 0
    return sp.csr_array(values), fields


def make_rows(kind, loss, seed, n_rows=120):
    rng = np.random.default_rng(seed)
    X, fields = make_X(kind, rng, n_rows)
    y = rng.integers(0, 2, n_rows) if isinstance(loss, LogisticLoss) else rng.normal(size=n_rows)
    return X, fields, y, rng.choice([0.0, 0.5, 1.0, 2.0], n_rows)


def random_ffm(fields, k, dtype="float64", init_stdev=0.3, rng=0):
    return FFM.random(fields, k, init_stdev=init_stdev, dtype=dtype, rng=rng)


def expected_sweep(model, loss, X, y, **options):
    is_logistic = isinstance(loss, LogisticLoss)
    curvature = reference.logistic_curvature if is_logistic else np.ones_like
    return reference.ffm_als_sweep(
        X,
        y,
        reference_loss(loss)[0],
        model.w0,
        model.w,
        model.V,
        model.fields,
        curvature=curvature,
        **options,
    )


def assert_close(model, expected, tolerance):
    for actual, parameter in zip((model.w0, model.w, model.V), expected, strict=True):
        np.testing.assert_allclose(actual, parameter, rtol=0, atol=tolerance)


@each_kind
@each_loss
@pytest.mark.parametrize("k", [4, 19])
def test_a_sweep_is_that_of_the_reference(kind, loss, k):
    X, fields, y, weight = make_rows(kind, loss, seed=k)
    options = {"l2_linear": 0.02, "l2_factors": 0.05, "sample_weight": weight if k == 4 else None}
    start = random_ffm(fields, k, "float32")
    expected = expected_sweep(start, loss, X, y, **options)
    oracle = reference_loss(loss)[0]
    wanted = reference.objective(X, y, oracle, *expected, fields=fields, **options)
    for dtype, tolerance in SWEEP_TOLERANCE.items():
        model = FFM(start.w0, start.w.astype(dtype), start.V.astype(dtype), fields)
        columns = columns_of(model, loss, X, y, options["sample_weight"])
        assert columns.sweep(0.02, 0.05) == pytest.approx(wanted, rel=tolerance / 10)
        columns.write()
        assert_close(model, expected, tolerance)


def test_pairs_of_fields_are_summed_by_kinds_or_by_rows():
    """Few kinds make a table; numbers that are different in each row do not, and both are covered above."""
    plans = {
        kind: columns_of(random_ffm(f, 2), SquaredLoss(), X, y).plan()
        for kind in KINDS
        for X, f, y, _ in [make_rows(kind, SquaredLoss(), seed=1)]
    }
    assert plans["one-hot"]["n_tables"] == plans["one-hot"]["n_pairs"] == 3
    assert plans["one-hot"]["n_kinds"] == 12
    assert plans["numeric"]["n_tables"] == 0 < plans["numeric"]["n_pairs"]
    assert plans["several"]["n_pairs"] == 3
    assert 0 < plans["mixed"]["n_tables"] < plans["mixed"]["n_pairs"]


@given(st.integers(0, 2**32 - 1), st.sampled_from(KINDS), st.integers(1, 20), st.booleans(), st.booleans())
def test_any_rows(seed, kind, k, is_logistic, is_weighted):
    """Any fields, explicit zeros, unsorted columns, wide indices, and penalties from small to large."""
    rng = np.random.default_rng(seed)
    loss = LOSSES["smoothed" if is_logistic else "squared"]
    X, fields, y, weight = make_rows(kind, loss, seed, n_rows=int(rng.integers(2, 40)))
    if rng.random() < 0.5:
        fields = rng.integers(0, 5, len(fields))
        fields[0] = 4
    weight[0] = 1
    X.data[rng.random(X.nnz) < 0.1] = 0
    order = np.concatenate([rng.permutation(np.arange(*ends)) for ends in itertools.pairwise(X.indptr)])
    X = csr_of(X.indptr.astype("int64"), X.indices[order].astype("int64"), X.data[order], X.shape)
    l2 = 10 ** rng.uniform(-1, 1, 2)
    options = {"sample_weight": weight if is_weighted else None}
    model = random_ffm(fields, k, rng=rng)
    expected = expected_sweep(model, loss, X, y, l2_linear=l2[0], l2_factors=l2[1], **options)
    assert_close(at_all_levels(lambda: swept(model, loss, X, y, sweeps=1, l2=l2, **options)), expected, 1e-10)


@each_kind
@each_loss
def test_the_objective_never_rises(kind, loss):
    X, fields, y, weight = make_rows(kind, loss, seed=3, n_rows=200)
    for k, l2 in (1, (0.0, 0.0)), (4, (1e-3, 1e-3)), (18, (0.1, 0.0)):
        model = random_ffm(fields, k, init_stdev=0.5)
        columns = columns_of(model, loss, X, y, weight)
        values = [columns.sweep(*l2, has_sweep=False)]
        values += [columns.sweep(*l2) for _ in range(12)]
        assert np.all(np.diff(values) <= 1e-13 * values[0])
        columns.write()
        options = {"l2_linear": l2[0], "l2_factors": l2[1], "sample_weight": weight}
        assert values[-1] == pytest.approx(model.objective(X, y, loss, **options), rel=1e-9)


@each_loss
@pytest.mark.parametrize("kind", ["one-hot", "mixed"])
def test_the_end_is_a_stationary_point(kind, loss):
    X, fields, y, _ = make_rows(kind, loss, seed=1, n_rows=300)
    end = swept(random_ffm(fields, 2, init_stdev=0.5), loss, X, y, sweeps=1500)
    _, gradient = end.gradient(X, y, loss, l2_linear=0.02, l2_factors=0.05)
    for part in (gradient.w0, gradient.w, gradient.V):
        assert np.max(np.abs(part)) < 1e-6


def many_rows(rng, n_rows=9000):
    """Categories, ids of which many are rare, tags that may be missing, and numbers."""
    ids = one_hot(rng, n_rows, [6, 900])
    tags = sp.csr_array((rng.random((n_rows, 5)) < 0.3) * 0.5)
    numbers = sp.csr_array(rng.normal(size=(n_rows, 1)).round(2) * (rng.random((n_rows, 1)) < 0.8))
    return sp.csr_array(sp.hstack([ids, tags, numbers])), np.repeat([0, 1, 2, 3], [6, 900, 5, 1])


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("loss", [SquaredLoss(), LogisticLoss()], ids=["squared", "logistic"])
def test_threads_and_levels_change_no_bit(dtype, loss):
    rng = np.random.default_rng(0)
    X, fields = many_rows(rng)
    y = rng.integers(0, 2, X.shape[0])
    model = random_ffm(fields, 4, dtype)
    plan = columns_of(model, loss, X, y).plan()
    assert 0 < plan["n_tables"] < plan["n_pairs"]
    alone = at_all_levels(lambda: swept(model, loss, X, y, sweeps=1))
    for num_threads in 2, 3, 7:
        assert_same_bits(swept(model, loss, X, y, sweeps=1, num_threads=num_threads), alone)


def test_many_rows_are_those_of_the_gradient():
    """Sums of chunks are sums: the objective of many rows falls to where the gradient is nearly nothing."""
    rng = np.random.default_rng(0)
    X, fields = many_rows(rng)
    y = rng.normal(size=X.shape[0])
    end = swept(random_ffm(fields, 2), SquaredLoss(), X, y, sweeps=60, l2=(0.05, 0.05))
    _, gradient = end.gradient(X, y, SquaredLoss(), l2_linear=0.05, l2_factors=0.05)
    for part in (gradient.w0, gradient.w, gradient.V):
        assert np.max(np.abs(part)) < 1e-6


def test_two_fields_are_learned_as_by_an_fm():
    """With two one-hot fields both are the same model, and so is the best objective."""
    rng = np.random.default_rng(0)
    X, y, l2 = one_hot(rng, 300, [7, 6]), rng.normal(size=300), {"l2_linear": 0.02, "l2_factors": 0.01}
    fields = np.repeat([0, 1], [7, 6])
    ffm = random_ffm(fields, 3)
    fm = FM(ffm.w0, ffm.w, ffm.V[np.arange(13), 1 - fields])
    ends = [
        train(m, X, y, SquaredLoss(), solver="als", max_iter=500, tol=0, **l2).loss[-1] for m in (ffm, fm)
    ]
    assert ends[0] == pytest.approx(ends[1], rel=1e-9)
    np.testing.assert_allclose(ffm.predict(X), fm.predict(X), atol=1e-5)
    np.testing.assert_array_equal(ffm.V[np.arange(13), fields], 0)  # nothing reaches them but the penalty


def test_rows_are_chosen():
    X, fields, y, weight = make_rows("mixed", LogisticLoss(), seed=0)
    chosen = np.random.default_rng(0).permutation(120)[:70]
    model = random_ffm(fields, 3)
    a = swept(model, LogisticLoss(), X, y, rows=chosen, sample_weight=weight)
    b = swept(model, LogisticLoss(), X[chosen], y[chosen], sample_weight=weight[chosen])
    assert a == b
    with pytest.raises(ValueError, match="rows holds 120, expected 0 <= row < 120"):
        columns_of(model, LogisticLoss(), X, y, rows=np.array([0, 120]))


def test_what_no_row_reaches_goes_to_the_penalty():
    X, fields, y, _ = make_rows("several", SquaredLoss(), seed=0)
    model = random_ffm(fields, 3)
    model.w[5] = 1
    for l2, kept in ((0.02, 0.05), (0, 0)), ((0.0, 0.05), (1, 0)), ((0.02, 0.0), (0, 1)):
        end = swept(model, SquaredLoss(), X, y, l2=l2)
        assert end.w[5] == kept[0]
        np.testing.assert_array_equal(end.V[5], kept[1] * model.V[5])
        np.testing.assert_array_equal(end.V[:, 2], kept[1] * model.V[:, 2])


def test_scores_do_not_drift():
    """float32, over sweeps enough for scores to be made afresh: what is kept is what the model says."""
    rng = np.random.default_rng(0)
    X, y, fields = one_hot(rng, 3000, [50, 30, 10]), rng.normal(size=3000), np.repeat([0, 1, 2], [50, 30, 10])
    model = random_ffm(fields, 4, "float32")
    columns = columns_of(model, SquaredLoss(), X, y)
    for _ in range(25):
        objective = columns.sweep(1e-3, 1e-2)
        columns.write()
        wanted = model.objective(X, y, SquaredLoss(), l2_linear=1e-3, l2_factors=1e-2)
        assert objective == pytest.approx(wanted, rel=1e-5)
