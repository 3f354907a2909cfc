"""FieldCSR: fields follow the columns, and what has no fields is a plain csr_array."""

import contextlib
import copy
import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st

from fastfm_c import FFM, FieldCSR, vstack

DENSE = np.array([[1.0, 0, 2, 0], [0, 3, 0, 4], [5, 0, 0, 6]])
FIELDS = [0, 2, 0, 1]


def matrix(dense=DENSE, fields=FIELDS):
    return FieldCSR(np.asarray(dense), fields=fields)


def check(X, dense, fields):
    assert isinstance(X, FieldCSR)
    np.testing.assert_array_equal(X.toarray(), dense)
    assert X.fields.dtype == np.int32
    assert not X.fields.flags.writeable
    np.testing.assert_array_equal(X.fields, fields)


def test_rows_keep_the_fields_and_columns_choose_them():
    X, mask = matrix(), np.array([True, False, True])
    check(X[1:], DENSE[1:], FIELDS)
    check(X[::-1], DENSE[::-1], FIELDS)
    check(X[[2, 0, 2]], DENSE[[2, 0, 2]], FIELDS)
    check(X[mask], DENSE[mask], FIELDS)
    check(X[...], DENSE, FIELDS)
    check(X[:, 1:3], DENSE[:, 1:3], [2, 0])
    check(X[:, [3, 0]], DENSE[:, [3, 0]], [1, 0])
    check(X[1:, np.array([True, False, False, True])], DENSE[1:][:, [0, 3]], [0, 1])
    check(X[np.ix_([0, 2], [3, 1])], DENSE[np.ix_([0, 2], [3, 1])], [1, 2])
    check(X[1:, ::-2], DENSE[1:, ::-2], [1, 2])
    check(X[:0], DENSE[:0], FIELDS)


def test_what_is_no_choice_of_columns_is_plain():
    X = matrix()
    assert X[1, 3] == 4
    for key in (1, (slice(None), 1), ([0, 1], [2, 3]), X > 1):
        with contextlib.suppress(NotImplementedError):  # some of one dimension, in older versions of SciPy
            assert not hasattr(X[key], "fields")
    for columns in ([[0], [3]], [[0, 1], [2, 3]]):
        part = X[[[0, 1], [1, 0]], columns]
        assert not hasattr(part, "fields")
        np.testing.assert_array_equal(part.toarray(), DENSE[[[0, 1], [1, 0]], columns])
    np.testing.assert_array_equal(np.asarray(X[[0, 1], [2, 3]]).ravel(), [2, 4])
    for other in (X.T, X @ X.T, X.tocsc(), sp.vstack([X, X]), sp.hstack([X, X]), FieldCSR(DENSE)):
        assert not isinstance(other, FieldCSR)
        assert not hasattr(other, "fields")


def test_what_changes_values_alone_keeps_the_fields():
    X = matrix()
    check(X * 2, DENSE * 2, FIELDS)
    check(-X / 4, -DENSE / 4, FIELDS)
    check(X.astype(np.float32), DENSE, FIELDS)
    check(X.copy(), DENSE, FIELDS)
    check(copy.copy(X), DENSE, FIELDS)
    check(copy.deepcopy(X), DENSE, FIELDS)
    check(X.tocsr(), DENSE, FIELDS)
    check(FieldCSR(X), DENSE, FIELDS)
    check(X + X, 2 * DENSE, FIELDS)
    check(X - X[[0, 0, 0]], DENSE - DENSE[[0, 0, 0]], FIELDS)
    check(X + sp.csr_array(DENSE), 2 * DENSE, FIELDS)
    check(X.maximum(2 * X), 2 * DENSE, FIELDS)
    check(X.minimum(2 * X), DENSE, FIELDS)
    for factor in (2.0, np.arange(3.0)[:, None], DENSE, X):
        dense = factor.toarray() if sp.issparse(factor) else factor
        check(X.multiply(factor), DENSE * dense, FIELDS)
    for protocol in range(2, pickle.HIGHEST_PROTOCOL + 1):
        check(pickle.loads(pickle.dumps(X, protocol)), DENSE, FIELDS)


def test_it_is_made_as_a_csr_array_is():
    X = sp.csr_array(DENSE)
    check(FieldCSR((X.data, X.indices, X.indptr), shape=X.shape, fields=FIELDS), DENSE, FIELDS)
    check(FieldCSR(X, dtype=np.float32, fields=FIELDS), DENSE, FIELDS)
    check(FieldCSR((3, 4), fields=FIELDS), np.zeros((3, 4)), FIELDS)
    mine = np.array(FIELDS)
    Y = matrix(fields=mine)
    mine[0] = 9
    assert Y.fields[0] == 0


@pytest.mark.parametrize("fields", [[0, 1], [0, 1, 2, -1], [0.5, 0, 1, 2], [[0, 1, 2, 3]]])
def test_bad_fields(fields):
    with pytest.raises(ValueError, match="fields"):
        matrix(fields=fields)


@pytest.mark.skipif(sp.csr_array([1]).ndim == 2, reason="this SciPy makes one row of it")
def test_one_dimension():
    with pytest.raises(ValueError, match=r"FieldCSR has the shape \(3,\), expected 2 dimensions"):
        FieldCSR([1, 2, 3], fields=[0, 0, 0])


def test_a_model_reads_it():
    X = matrix()
    model = FFM.random(X.fields, 2, rng=0, dtype="float64")
    np.testing.assert_array_equal(model.predict(X), model.predict(sp.csr_array(X)))


@given(st.lists(st.lists(st.sampled_from([0.0, 1.0, 2.5]), min_size=4, max_size=4), min_size=1, max_size=8))
def test_vstack(rows):
    dense = np.array(rows)
    blocks = [matrix(dense[i : i + 2]) for i in range(0, len(rows), 2)]
    check(vstack(iter(blocks)), dense, FIELDS)


def test_a_sum_of_matrices_with_values_in_other_fields_tells_that_it_has_none():
    with pytest.warns(UserWarning, match="the result has no fields"):
        assert not hasattr(matrix() + matrix(fields=[1, 2, 0, 1]), "fields")
    # A column without values conflicts with nothing.
    empty = DENSE * [1, 1, 0, 1]
    check(matrix(empty, [0, 2, 5, 1]) + matrix(), empty + DENSE, FIELDS)


def test_rows_share_the_fields_of_their_matrix():
    """So a model compares them with its own once, and not for each block of rows."""
    X = matrix()
    assert X[1:].fields is X.fields
    assert (2 * X).fields is X.fields
    assert vstack([X, X[:1]]).fields is X.fields


def test_vstack_does_not_depend_on_the_order_of_blocks():
    sparse = [matrix(DENSE * [1, 0, 1, 0], [0, 9, 0, 9]), matrix(DENSE * [0, 1, 0, 1], [7, 2, 7, 1])]
    for blocks in (sparse, sparse[::-1]):
        check(vstack(blocks), np.vstack([block.toarray() for block in blocks]), FIELDS)


def test_vstack_refuses():
    X = matrix()
    with pytest.raises(ValueError, match="blocks is empty"):
        vstack([])
    with pytest.raises(ValueError, match=r"blocks\[1\] is a csr_array, expected a FieldCSR"):
        vstack([X, sp.csr_array(DENSE)])
    with pytest.raises(ValueError, match=r"blocks\[2\] has other fields than blocks\[0\]"):
        vstack([X, X, matrix(fields=[0, 2, 0, 2])])
    with pytest.raises(ValueError, match=r"blocks\[1\] has 3 columns, expected 4"):
        vstack([X, X[:, :3]])
