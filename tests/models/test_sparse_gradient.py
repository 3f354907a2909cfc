"""FM.gradient(..., sparse=True): the rows of the features that occur, and no more."""

import numpy as np
import pytest
import scipy.sparse as sp
from helpers.make import csr_of

from fastfm_c import FFM, FM, LogisticLoss


def test_a_sparse_gradient_holds_the_columns_that_occur(simd):
    """Also with repeats, explicit zeros, rows out of order, and columns whose sum is zero."""
    indices = np.array([900, 3, 900, 7, 7, 500, 3, 4, 4])
    data = np.array([1.0, 2.0, 1.0, 0.0, 0.0, 3.0, 1.0, 1.0, -1.0])
    X = csr_of(np.array([0, 3, 5, 5, 9]), indices, data, (4, 1000))
    for model in (FM.random(1000, 3, rng=0), FFM.random(np.arange(1000) % 5, 3, rng=0)):
        leave_in_memory(999, len(indices))
        _, gradient = model.gradient(X, [0, 1, 1, 0], LogisticLoss(), sparse=True)
        assert gradient.features.tolist() == [3, 500, 900]
        assert gradient.features.dtype == np.int64
        assert gradient.w.shape == (3,)
        assert gradient.V.shape == (3, *model.V.shape[1:])
        _, dense = model.gradient(X, [0, 1, 1, 0], LogisticLoss())
        np.testing.assert_array_equal(gradient.w, dense.w[gradient.features])
        np.testing.assert_array_equal(gradient.V, dense.V[gradient.features])
        assert np.count_nonzero(dense.w) == 3


def leave_in_memory(number, length):
    """What an array that is not initialised may then hold."""
    arrays = [np.full(length, number) for _ in range(20)]
    del arrays


def test_a_sparse_gradient_ignores_what_lies_beyond_the_last_row():
    """scipy lets arrays be longer than indptr says; the rest may be anything."""
    X = csr_of(np.array([1, 2, 3]), np.array([5, 1, 2, 77, -4]), np.ones(5), (2, 10))
    _, gradient = FM.random(10, 2, rng=0).gradient(X, [0, 1], LogisticLoss(), sparse=True)
    assert gradient.features.tolist() == [1, 2]


def test_a_sparse_gradient_of_nothing():
    for X in (
        sp.csr_array((2, 5)),
        csr_of(np.array([0, 1, 1]), np.array([3]), np.zeros(1), (2, 5)),
    ):
        _, gradient = FM.random(5, 2).gradient(X, [0, 1], LogisticLoss(), sparse=True)
        assert gradient.features.tolist() == []
        assert gradient.V.shape == (0, 2)
        assert gradient.w0 == 0


def test_the_memory_of_a_sparse_gradient_grows_with_the_data():
    fm = FM.random(100_000, 4)
    _, gradient = fm.gradient(
        sp.csr_array(([1.0], ([0], [70_000])), (1, 100_000)), [1], LogisticLoss(), sparse=True
    )
    assert gradient.w.nbytes + gradient.V.nbytes == 20


@pytest.mark.parametrize("penalty", ["l2_linear", "l2_factors"])
def test_a_sparse_gradient_has_no_penalty(small, penalty):
    model, X, y = small
    with pytest.raises(ValueError, match="l2_linear and l2_factors must be 0"):
        model.gradient(X, y, LogisticLoss(), sparse=True, **{penalty: 0.1})


def test_repr_of_a_gradient(small):
    model, X, y = small
    assert repr(model.gradient(X, y, LogisticLoss())[1]) == "Gradient(w=(20,), V=(20, 4), dtype=float64)"
    _, sparse = model.gradient(X[:0:-1], y[1:], LogisticLoss(), sparse=True)
    assert f"features=({len(sparse.features)},)" in repr(sparse)
