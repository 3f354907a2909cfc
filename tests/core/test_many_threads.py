"""The same bits with more threads than two, which divide the work in another way."""

import numpy as np
import pytest
from helpers.large_problem import large_task
from helpers.levels import assert_same_bits, at_all_levels
from helpers.make import csr_of, make_csr, make_model

from fastfm_c import AdaGrad, LogisticLoss, SquaredLoss

MANY = [2, 3, 5, 16]
N_ROWS, N = 9000, 70_001  # features in more cells than the table of shares has


def rows(index_type="int32", dtype="float32", repeats=False):
    """Short rows with explicit zeros; column 7 is in every second row."""
    rng = np.random.default_rng(0)
    X = make_csr(rng, rng.integers(0, 40, N_ROWS), N, dtype, repeats=repeats)
    X.indices[X.indptr[:-1][np.diff(X.indptr) > 20]] = 7
    X.data[::11] = 0
    return csr_of(X.indptr.astype(index_type), X.indices.astype(index_type), X.data, X.shape)


def gradient(model, X, y, loss, n, weight=None):
    value, g = model.gradient(X, y, loss, sample_weight=weight, num_threads=n)
    return [np.asarray(part) for part in (value, g.w0, g.w, g.V)]


@pytest.mark.parametrize("normalize", [None, "instance", "xlearn"])
@pytest.mark.parametrize("repeats", [False, True])
@pytest.mark.parametrize(("outputs", "dtype"), [((), "float32"), ((3,), "float64")])
def test_gradients(normalize, repeats, outputs, dtype):
    X = rows(repeats=repeats)
    model = make_model(np.random.default_rng(1), outputs, N, 5, dtype)
    model.normalize = normalize
    y, loss, weight = large_task("FM float32 k=5 outputs" if outputs else "FM float32 k=17", X)
    expected = gradient(model, X, y, loss, 1, weight)
    assert expected[3].any()
    for n in MANY:
        actual = at_all_levels(lambda n=n: gradient(model, X, y, loss, n, weight))
        assert_same_bits(actual, expected, f"{n} threads")


@pytest.mark.parametrize("index_type", ["int32", "int64"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("k", [1, 16, 70])
def test_types_and_factors(index_type, dtype, k):
    X = rows(index_type, dtype)
    model = make_model(np.random.default_rng(1), (), N, k, "float32")
    y = np.random.default_rng(2).standard_normal(N_ROWS)
    expected = gradient(model, X, y, SquaredLoss(), 1)
    for n in (3, 16):
        assert_same_bits(gradient(model, X, y, SquaredLoss(), n), expected, f"{n} threads")


@pytest.mark.parametrize("n_features", [1, 2, 300])
def test_fewer_features_than_shares(n_features):
    rng = np.random.default_rng(3)
    X = make_csr(rng, rng.integers(0, n_features + 1, 20_000), n_features, "float32")
    model = make_model(rng, (), n_features, 40, "float32")
    y = rng.standard_normal(20_000)
    expected = gradient(model, X, y, SquaredLoss(), 1)
    for n in (3, 16, 64):
        assert_same_bits(gradient(model, X, y, SquaredLoss(), n), expected, f"{n} threads")


def test_every_value_in_one_column():
    rng = np.random.default_rng(4)
    X = csr_of(np.arange(50_001), np.full(50_000, N - 1), rng.standard_normal(50_000), (50_000, N))
    model, y = make_model(rng, (), N, 20, "float32"), rng.standard_normal(50_000)
    expected = gradient(model, X, y, SquaredLoss(), 1)
    for n in (3, 16):
        assert_same_bits(gradient(model, X, y, SquaredLoss(), n), expected, f"{n} threads")


@pytest.mark.parametrize("n", [1, 3, 16])
@pytest.mark.parametrize("weight", [None, "zeros"])
def test_the_first_fault_is_named(n, weight):
    X, y = rows(), np.zeros(N_ROWS)
    model = make_model(np.random.default_rng(1), (), N, 30, "float32")
    sample_weight = None if weight is None else np.arange(N_ROWS) % 3
    for row in (8000, 5000):
        y[row] = np.nan
    with pytest.raises(ValueError, match=r"y\[5000\] is nan"):
        model.gradient(X, y, SquaredLoss(), sample_weight=sample_weight, num_threads=n)
    full = np.flatnonzero(np.diff(X.indptr))
    for row in full[full > 6000][:2]:
        X.indices[X.indptr[row]] = N
    with pytest.raises(ValueError, match=f"row {full[full > 6000][0]} of X has column index {N}"):
        model.gradient(X, y, SquaredLoss(), sample_weight=sample_weight, num_threads=n)


@pytest.mark.parametrize("n_fields", [(), (6,)])
@pytest.mark.parametrize("batch_size", [256, 2048])
def test_training(n_fields, batch_size):
    X, y = rows(), np.random.default_rng(5).integers(0, 2, N_ROWS)
    fields = () if not n_fields else (6, np.arange(N) % 6)

    def learned(n):
        model = make_model(np.random.default_rng(1), (), N, 8, "float32", *fields)
        solver = AdaGrad(
            model, LogisticLoss(), learning_rate=0.1, batch_size=batch_size, num_threads=n, rng=0
        )
        return [np.asarray(part) for part in (solver.partial_fit(X, y), model.w0, model.w, model.V)]

    expected = learned(1)
    for n in MANY:
        assert_same_bits(learned(n), expected, f"{n} threads")
