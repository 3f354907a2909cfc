"""The sizes of columns: the largest |x|, the root mean square; equal however X is cut into blocks."""

import numpy as np
import pytest
from helpers.make import make_csr
from helpers.strategies import SEEDS
from hypothesis import given
from hypothesis import strategies as st

from fastfm_c import _column_scale
from fastfm_c._column_scale import column_max_abs, column_rms

RTOL = 1e-13  # the roundings of sums of some tens of numbers, in another order


def problem(seed, dtype="float64"):
    rng = np.random.default_rng(seed)
    X = make_csr(rng, rng.integers(0, 5, 40), 12, dtype)
    X.data[rng.random(X.nnz) < 0.2] = 0
    return X, rng.choice([0.0, 0.5, 2.0], 40)


@given(SEEDS, st.booleans(), st.sampled_from([1, 2**20]))
def test_max_abs(seed, weighted, least):
    X, weight = problem(seed)
    kept = abs(X.toarray()) * (weight[:, None] > 0 if weighted else 1)
    expected = kept.max(axis=0)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_column_scale, "LEAST_VALUES", least)
        found = column_max_abs(X.indptr, X.indices, X.data, 12, "float64", weight if weighted else None)
    np.testing.assert_array_equal(found, np.where(expected > 0, expected, 1))


@given(SEEDS, st.booleans(), st.sampled_from([1, 2**20]))
def test_rms(seed, weighted, least):
    X, weight = problem(seed)
    dense, rows = X.toarray(), weight[:, None] if weighted else np.ones((40, 1))
    total = (rows * (dense != 0)).sum(axis=0)
    squares = (rows * dense**2).sum(axis=0)
    expected = np.where(total > 0, np.sqrt(squares / np.where(total > 0, total, 1)), 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(_column_scale, "LEAST_VALUES", least)
        found = column_rms(X.indptr, X.indices, X.data, 12, weight if weighted else None)
    np.testing.assert_allclose(found, expected, rtol=RTOL)


def test_ones_need_no_scale():
    X, _ = problem(0)
    assert column_max_abs(X.indptr, X.indices, np.ones(X.nnz), 12, "float32") is None
    assert column_max_abs(np.zeros(3, int), X.indices[:0], X.data[:0], 12, "float32") is None
    np.testing.assert_array_equal(column_rms(np.zeros(3, int), X.indices[:0], X.data[:0], 12), np.ones(12))


def test_sizes_beyond_the_range_of_a_type():
    """What vanishes or overflows as a square is of size 1: no column is divided by zero or infinity."""
    indptr, indices = np.arange(4), np.arange(3)
    data = np.array([1e-200, 1e200, 3.0])
    assert column_rms(indptr, indices, data, 3).tolist() == [1.0, 1.0, 3.0]
    assert column_max_abs(indptr, indices, data[[0, 2, 2]], 3, "float32").tolist() == [1.0, 3.0, 3.0]
