"""What X may be: every form gives the same bits, X is never changed, repeats and zeros."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from helpers.calls import MODELS, N, read_only
from helpers.make import csr_of, make_csr

from fastfm_c import FM, LogisticLoss

SCORES_RTOL = 1e-13  # the same sums in another order


# ------------------------------------------------------------------------- accepted, same bits


def widths(X, indptr, indices):
    return csr_of(X.indptr.astype(indptr), X.indices.astype(indices), X.data, X.shape)


def strided(array):
    return np.repeat(array, 2)[::2]


def unaligned(array):
    buffer = np.zeros(array.nbytes + 1, np.uint8)
    own = buffer[1:].view(array.dtype)
    own[:] = array
    return own


def of_each(change):
    return lambda X: csr_of(change(X.indptr), change(X.indices), change(X.data), X.shape)


SAME_BITS = {
    "csr_matrix": sp.csr_matrix,
    "int32 indptr, int64 indices": lambda X: widths(X, "int32", "int64"),
    "int64 indptr, int32 indices": lambda X: widths(X, "int64", "int32"),
    "int64": lambda X: widths(X, "int64", "int64"),
    "longlong": lambda X: widths(X, "longlong", "longlong"),
    "uint8 indices": lambda X: widths(X, "int32", "uint8"),
    "uint64": lambda X: widths(X, "uint64", "uint64"),
    "int16": lambda X: widths(X, "int16", "int16"),
    "big-endian": of_each(lambda a: a.astype(a.dtype.newbyteorder(">"))),
    "strided": of_each(strided),
    "reversed view": of_each(lambda a: a[::-1].copy()[::-1]),
    "unaligned": of_each(unaligned),
    "read-only": of_each(read_only),
    "float32 data": lambda X: csr_of(X.indptr, X.indices, X.data.astype("float32"), X.shape),
    "float16 data": lambda X: csr_of(X.indptr, X.indices, X.data.astype("float16"), X.shape),
    "longdouble data": lambda X: csr_of(X.indptr, X.indices, X.data.astype("longdouble"), X.shape),
    "csc": lambda X: X.tocsc(),
    "coo": lambda X: X.tocoo(),
    "lil": lambda X: X.tolil(),
    "dok": lambda X: X.todok(),
    "bsr": lambda X: X.tobsr((1, 1)),
    "csc_matrix": sp.csc_matrix,
    "dense": lambda X: X.toarray(),
    "dense float32": lambda X: X.toarray().astype("float32"),
    "dense Fortran": lambda X: np.asfortranarray(X.toarray()),
    "dense strided": lambda X: np.repeat(X.toarray(), 2, axis=1)[:, ::2],
    "np.matrix": lambda X: X.todense(),
    "list of lists": lambda X: X.toarray().tolist(),
    "masked as nothing": lambda X: np.ma.masked_array(X.toarray()),
    "more values than rows say": lambda X: csr_of(
        X.indptr, np.append(X.indices, [-7, 999]), np.append(X.data, [np.nan, 1]), X.shape
    ),
    "values before the first row": lambda X: csr_of(
        X.indptr + 2, np.append([-7, 999], X.indices), np.append([np.nan, 1], X.data), X.shape
    ),
}


@pytest.mark.parametrize("form", SAME_BITS)
def test_every_form_gives_the_same_bits(model, call, X, form):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", PendingDeprecationWarning)  # np.matrix
        other = SAME_BITS[form](X)
    np.testing.assert_array_equal(call(model, other), call(model, X))


@pytest.mark.parametrize("dtype", ["bool", "int8", "uint8", "int16", "int32", "int64", "uint64", "longlong"])
@pytest.mark.parametrize("dense", [False, True])
def test_integers_and_booleans_are_read_as_numbers(model, call, X, dtype, dense):
    X.data = np.abs(np.floor(X.data)).astype(dtype)
    X.eliminate_zeros()
    expected = call(model, X.astype(float))
    np.testing.assert_array_equal(call(model, X.toarray() if dense else X), expected)


def test_a_memory_mapped_matrix_is_read_in_place(model, call, X, tmp_path):
    expected = call(model, X)
    for name in ("indptr", "indices", "data"):
        array = getattr(X, name)
        array.tofile(tmp_path / name)
        setattr(X, name, np.memmap(tmp_path / name, array.dtype, "r"))
    np.testing.assert_array_equal(call(model, X), expected)


def test_columns_in_any_order(model, X):
    reverse = [np.arange(a, b)[::-1] for a, b in zip(X.indptr[:-1], X.indptr[1:], strict=True)]
    p = np.concatenate(reverse)
    shuffled = csr_of(X.indptr, X.indices[p], X.data[p], X.shape)
    np.testing.assert_allclose(model.predict(shuffled), model.predict(X), rtol=SCORES_RTOL)


def test_zero_rows_of_every_kind():
    for model in (*MODELS.values(), MODELS["FM"].copy()):
        shape = (0, 3) if model.n_outputs == 3 else (0,)
        for X in (
            sp.csr_array((0, N)),
            sp.csc_array((0, N)),
            np.zeros((0, N)),
            sp.csr_array((0, N), dtype=int),
        ):
            assert model.predict(X).shape == shape


# ------------------------------------------------------------------------- never changed


FORMS = {
    "plain": lambda X: X,
    "csr_matrix": sp.csr_matrix,
    "unsorted": lambda X: X[:, ::-1],
    "repeats": lambda X: csr_of(X.indptr * 2, np.repeat(X.indices, 2), np.repeat(X.data, 2), X.shape),
    "zeros": lambda X: csr_of(X.indptr, X.indices, X.data * (X.data > 0), X.shape),
    "mixed widths": lambda X: widths(X, "int32", "int64"),
    "integers": lambda X: X.astype("int32"),
    "strided": of_each(strided),
    "csc": lambda X: X.tocsc(),
    "csc with repeats": lambda X: sp.csc_array(([1.0, 2.0], [0, 0], [0, 2, *[2] * (N - 1)]), shape=X.shape),
    "coo with repeats": lambda X: sp.coo_array(([1.0, 2.0], ([0, 0], [1, 1])), shape=X.shape),
    "dense": lambda X: X.toarray(),
}


def snapshot(X):
    """All that can be seen of a matrix: its attributes, and the bytes and flags of its arrays."""
    if isinstance(X, np.ndarray):
        return X.tobytes(), str(X.flags), X.strides
    state = {}
    for name, value in vars(X).items():
        for i, part in enumerate(value if isinstance(value, tuple) else [value]):
            is_array = isinstance(part, np.ndarray)
            state[name, i] = (id(part), *snapshot(part)) if is_array else part
    return state


@pytest.mark.parametrize("form", FORMS)
def test_x_is_never_changed(model, call, X, form):
    X = FORMS[form](X)
    before = snapshot(X)
    call(model, X)
    assert snapshot(X) == before


def test_y_and_weights_are_never_changed(X):
    y, weight = np.arange(6) % 2, np.arange(6.0)
    before = y.tobytes(), weight.tobytes()
    MODELS["FM"].gradient(X, y, LogisticLoss(), sample_weight=weight)
    assert (y.tobytes(), weight.tobytes()) == before


# ------------------------------------------------------------------------- repeats and zeros


def test_repeats_are_summed(model):
    """The example of an interaction of a column with itself: v^2 * 2 * 3 would be added."""
    X = csr_of(np.array([0, 2]), np.array([4, 4]), np.array([2.0, 3.0]), (1, N))
    expected = model.w0 + 5 * model.w[4]
    np.testing.assert_allclose(model.predict(X), [expected], rtol=1e-15)


def test_three_of_a_kind_in_long_and_short_rows(model, call):
    """Pair by pair up to 32 values, by hashing beyond; repeats first, last and apart."""
    rng = np.random.default_rng(0)
    for length in (3, 5, 31, 32, 33, 34, 100):
        for _ in range(20):
            columns = rng.integers(0, N, length)
            columns[rng.choice(length, 3, replace=False)] = 7
            data = rng.integers(1, 9, length).astype(float)
            X = csr_of(np.array([0, length]), columns, data, (1, N))
            summed, inverse = np.unique(columns, return_index=True)
            order = np.argsort(inverse)  # the order of first occurrence
            total = np.bincount(columns, data, N)
            single = csr_of(np.array([0, len(summed)]), summed[order], total[summed[order]], (1, N))
            np.testing.assert_array_equal(call(model, X), call(model, single))


@pytest.mark.parametrize("length", [2, 20, 33, 300])
def test_one_repeat_among_many_columns(length):
    """Wherever it is. With w = 1 and V = 1 a repeat that is not summed adds a square to the score."""
    rng = np.random.default_rng(length)
    fm = FM(0.0, np.zeros(5000), np.ones((5000, 1)))
    for _ in range(30):
        columns = rng.choice(5000, length, replace=False)
        first, second = rng.choice(length, 2, replace=False)
        columns[second] = columns[first]
        X = csr_of(np.array([0, length]), columns, np.ones(length), (1, 5000))
        # (s^2 - sum of squares) / 2, where one of length - 1 columns counts 2
        assert fm.predict(X).tolist() == [(length**2 - (length + 2)) / 2]


def test_empty_rows_hide_no_repeat():
    """Rows that follow each other may descend, once for each border; a repeat must still be seen."""
    fm = FM(0.0, np.zeros(N), np.ones((N, 1)))
    for empty in range(4):
        # 7 | nothing, some times | 2 | 3 3
        indptr = np.array([0, 1, *[1] * empty, 2, 4])
        X = csr_of(indptr, np.array([7, 2, 3, 3]), np.ones(4), (len(indptr) - 1, N))
        assert fm.predict(X).tolist() == [0] * (empty + 3)


def test_repeats_in_a_row_leave_the_bits_of_other_rows(model):
    rng = np.random.default_rng(2)
    X = make_csr(rng, [20] * 200, N)  # columns in no order: the bits depend on their order
    before = model.predict(X)
    for row in (0, 57, 199):
        X.indices[X.indptr[row]] = X.indices[X.indptr[row] + 5]
    after = model.predict(X)
    changed = np.flatnonzero(after != before)
    assert changed.tolist() == [0, 57, 199]


@pytest.mark.parametrize("index", ["int32", "int64"])
@pytest.mark.parametrize("data", ["float32", "float64"])
def test_repeats_of_every_type(model, data, index):
    X = csr_of(
        np.array([0, 1, 5, 6], index),
        np.array([3, 9, 2, 9, 2, 1], index),
        np.arange(1, 7, dtype=data),
        (3, N),
    )
    summed = csr_of(np.array([0, 1, 3, 4]), np.array([3, 9, 2, 1]), np.array([1.0, 6, 8, 6]), (3, N))
    np.testing.assert_array_equal(model.predict(X), model.predict(summed))
    np.testing.assert_array_equal(model.predict_row(X.indices[1:5], X.data[1:5]), model.predict(summed)[1])


def test_repeats_that_sum_to_zero_are_no_entry():
    fm = FM(1.5, np.full(3, np.inf), np.full((3, 2), np.nan))
    X = csr_of(np.array([0, 2, 2]), np.array([1, 1]), np.array([2.0, -2.0]), (2, 3))
    assert fm.predict(X).tolist() == [1.5, 1.5]
    assert fm.predict_row([1, 1], [2.0, -2.0]) == 1.5


def test_many_outputs_with_repeats():
    model = MODELS["outputs"]
    X = csr_of(np.array([0, 3]), np.array([4, 8, 4]), np.array([1.0, 2.0, 3.0]), (1, N))
    single = csr_of(np.array([0, 2]), np.array([4, 8]), np.array([4.0, 2.0]), (1, N))
    np.testing.assert_array_equal(model.predict(X), model.predict(single))
    np.testing.assert_array_equal(model.predict_row([4, 8, 4], [1.0, 2.0, 3.0]), model.predict(single)[0])


def test_nan_spoils_its_row_alone(model, X):
    before = model.predict(X)
    for value in (np.nan, np.inf):
        X.data[X.indptr[3] + 4] = value
        after = model.predict(X)
        assert not np.isfinite(after[3])
        np.testing.assert_array_equal(np.delete(after, 3), np.delete(before, 3))
