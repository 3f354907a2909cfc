"""What is refused: malformed X, unfit out and num_threads, with words that say why."""

import re

import numpy as np
import pytest
import scipy.sparse as sp
from helpers.calls import MODELS, N, read_only
from helpers.make import csr_of, make_csr

from fastfm_c import FM

# -------------------------------------------------------------------------------- malformed


def broken(X, **arrays):
    """X with some of its arrays replaced."""
    named = {name: arrays.get(name, getattr(X, name)) for name in ("indptr", "indices", "data")}
    return csr_of(named["indptr"], named["indices"], named["data"], arrays.get("shape", X.shape))


def with_index(X, row, value):
    indices = X.indices.copy()
    indices[X.indptr[row]] = value
    return broken(X, indices=indices)


MALFORMED = {
    "negative index": (
        lambda X: with_index(X, 3, -1),
        r"row 3 of X has column index -1, outside 0..29",
    ),
    "index n": (lambda X: with_index(X, 0, N), r"row 0 of X has column index 30, outside 0..29"),
    "index n at the end of an ascending row": (
        lambda X: broken(X, indices=np.where(np.arange(31) == 27, N, X.indices)),
        "row 3 of X has column index 30, outside 0..29",
    ),
    "huge index": (
        lambda X: with_index(X, 5, 2**31 - 1),
        r"row 5 of X has column index 2147483647",
    ),
    "least index": (
        lambda X: with_index(X, 4, -(2**31)),
        r"row 4 of X has column index -2147483648",
    ),
    "the first of several": (
        lambda X: with_index(with_index(X, 4, 99), 2, 88),
        "row 2 of X has column index 88",
    ),
    "bad index and a repeat before it": (
        lambda X: with_index(broken(X, indices=np.where(np.arange(31) == 1, X.indices[0], X.indices)), 5, 99),
        "row 5 of X has column index 99",
    ),
    "indptr decreases": (
        lambda X: broken(X, indptr=np.array([0, 3, 2, 8, 28, 29, 31])),
        "X.indptr is broken at row 1: it goes from 3 to 2, with 31 stored values",
    ),
    "indptr too far": (
        lambda X: broken(X, indptr=np.array([0, 3, 3, 8, 28, 29, 32])),
        "X.indptr is broken at row 5: it goes from 29 to 32, with 31 stored values",
    ),
    "indptr too far and back": (
        lambda X: broken(X, indptr=np.array([0, 3, 1000, 8, 28, 29, 31])),
        "X.indptr is broken at row 1",
    ),
    "negative indptr": (
        lambda X: broken(X, indptr=np.array([-1, 3, 3, 8, 28, 29, 31])),
        "X.indptr is broken at row 0",
    ),
    "first indptr too far": (
        lambda X: broken(X, indptr=np.array([40, 40, 40, 40, 40, 40, 40])),
        "X.indptr is broken at row 0",
    ),
    "short indptr": (
        lambda X: broken(X, indptr=X.indptr[:-1]),
        "X.indptr has 6 entries, expected 7 for 6 rows",
    ),
    "long indptr": (
        lambda X: broken(X, indptr=np.append(X.indptr, 31)),
        "X.indptr has 8 entries, expected 7",
    ),
    "no indptr": (lambda X: broken(X, indptr=X.indptr[:0]), "X.indptr has 0 entries, expected 7"),
    "short data": (
        lambda X: broken(X, data=X.data[:-1]),
        "X.indices has 31 entries, X.data has 30",
    ),
    "short indices": (
        lambda X: broken(X, indices=X.indices[:-1]),
        "X.indices has 30 entries, X.data has 31",
    ),
    "both short": (
        lambda X: broken(X, indices=X.indices[:-1], data=X.data[:-1]),
        "X.indptr is broken at row 5",
    ),
    "indptr of two axes": (
        lambda X: broken(X, indptr=X.indptr[:, None]),
        "X.indptr must have 1 dimension",
    ),
    "indices of two axes": (
        lambda X: broken(X, indices=X.indices[:, None]),
        "X.indices must have 1 dimension",
    ),
    "data of two axes": (lambda X: broken(X, data=X.data[:, None]), "X.data must have 1 dimension"),
    "float indices": (
        lambda X: broken(X, indices=X.indices * 1.0),
        "X.indices must hold integers, got float64",
    ),
    "float indptr": (
        lambda X: broken(X, indptr=X.indptr * 1.0),
        "X.indptr must hold integers, got float64",
    ),
    "bool indices": (
        lambda X: broken(X, indices=X.indices > 0),
        "X.indices must hold integers, got bool",
    ),
    "complex": (lambda X: X.astype(complex), "X must hold real numbers, got complex128"),
    "object": (
        lambda X: broken(X, data=X.data.astype(object)),
        "X must hold real numbers, got object",
    ),
    "text": (lambda X: broken(X, data=X.data.astype(str)), "X must hold real numbers, got <U"),
    "dates": (
        lambda X: broken(X, data=X.data.astype("M8[s]")),
        "X must hold real numbers, got datetime64",
    ),
    "dense complex": (lambda X: X.toarray() * 1j, "X must hold real numbers, got complex128"),
    "dense object": (lambda X: X.toarray().astype(object), "X must hold real numbers, got object"),
    "dense text": (lambda X: X.toarray().astype(str), "X must hold real numbers, got <U"),
    "csc complex": (
        lambda X: X.astype(complex).tocsc(),
        "X must hold real numbers, got complex128",
    ),
    "too narrow": (lambda X: X[:, :-1], "X has 29 columns, the model has 30 features"),
    "too wide": (
        lambda X: sp.hstack([X, X[:, :1]], "csr"),
        "X has 31 columns, the model has 30 features",
    ),
    "dense too narrow": (
        lambda X: X.toarray()[:, :-1],
        "X has 29 columns, the model has 30 features",
    ),
    "coo too narrow": (lambda X: X[:, :-1].tocoo(), "X has 29 columns, the model has 30 features"),
    "one axis": (lambda X: np.ones(N), "X must have 2 dimensions, got an array of 1"),
    "three axes": (lambda X: np.ones((2, N, 1)), "X must have 2 dimensions, got an array of 3"),
    "sparse of one axis": (
        lambda X: sp.csr_array(np.ones(N)),
        "X must have 2 dimensions, got a sparse array of 1",
    ),
    "coo of one axis": (
        lambda X: sp.coo_array(np.ones(N)),
        "X must have 2 dimensions, got a sparse array of 1",
    ),
}


@pytest.mark.parametrize("index", ["int32", "int64"])
@pytest.mark.parametrize("case", MALFORMED)
def test_malformed(model, call, X, case, index):
    make, message = MALFORMED[case]
    bad = make(csr_of(X.indptr.astype(index), X.indices.astype(index), X.data, X.shape))
    if case.endswith(" of one axis") and bad.ndim == 2:
        pytest.skip("this SciPy makes one row of it")
    with pytest.raises(ValueError, match=re.escape(message)):
        call(model, bad)


def test_indices_beyond_32_bits(model, call, X):
    for value in (2**32 + 1, -(2**32) + 1, 2**63 - 1, -(2**63)):
        bad = with_index(
            csr_of(X.indptr.astype("int64"), X.indices.astype("int64"), X.data, X.shape), 2, value
        )
        with pytest.raises(ValueError, match=f"row 2 of X has column index {value}, outside 0..29"):
            call(model, bad)
    bad = X.indptr.astype("int64")
    bad[3] = 2**62
    with pytest.raises(ValueError, match=r"X\.indptr is broken at row 2"):
        call(model, broken(X, indptr=bad, indices=X.indices.astype("int64")))


def test_a_bad_row_far_into_the_matrix_is_named(model, call):
    """Beyond the first block of rows, by several threads, and the first of two."""
    X = make_csr(np.random.default_rng(0), [20] * 5000, N, sort=True)
    X.indices[X.indptr[[3210, 4999]]] = N
    with pytest.raises(ValueError, match="row 3210 of X has column index 30"):
        call(model, X)


def test_no_column_fits_a_model_without_features():
    fm = FM(0.0, [], np.zeros((0, 2)))
    X = csr_of(np.array([0, 0, 1]), np.array([0]), np.array([1.0]), (2, 0))
    with pytest.raises(ValueError, match="row 1 of X has column index 0"):
        fm.predict(X)


@pytest.mark.parametrize("bad", [None, "text", 5, object(), [[1, 2], [3]], {"a": 1}])
def test_what_is_no_matrix(model, bad):
    with pytest.raises(ValueError, match=r"X must|inhomogeneous"):  # the latter are NumPy's words
        model.predict(bad)


# ------------------------------------------------------------------------------ out, threads


@pytest.mark.parametrize("name", ["FM", "FFM", "outputs"])
def test_out(X, name):
    model = MODELS[name]
    expected = model.predict(X)
    out = np.full_like(expected, np.nan)
    assert model.predict(X, out=out) is out
    np.testing.assert_array_equal(out, expected)
    wide = np.zeros((3, *out.shape))
    model.predict(X, out=wide[1])
    np.testing.assert_array_equal(wide[1], expected)
    assert not wide[[0, 2]].any()


def test_out_of_zero_rows():
    out = np.empty(0)
    assert MODELS["FM"].predict(sp.csr_array((0, N)), out=out) is out


BAD_OUT = {
    "short": np.zeros(5),
    "long": np.zeros(7),
    "column": np.zeros((6, 1)),
    "float32": np.zeros(6, "float32"),
    "integers": np.zeros(6, int),
    "big-endian": np.zeros(6, ">f8"),
    "strided": np.zeros(12)[::2],
    "unaligned": np.zeros(49, np.uint8)[1:].view(float),
    "read-only": read_only(np.zeros(6)),
    "list": [0.0] * 6,
    "number": 0.0,
    "tuple of array": (np.zeros(6),),
}


@pytest.mark.parametrize("case", BAD_OUT)
def test_bad_out(model, X, case):
    out = BAD_OUT[case]
    with pytest.raises(ValueError, match=r"out must be a writable array of shape \(6,\) and dtype float64"):
        model.predict(X, out=out)
    assert not np.any(out)


def test_bad_out_of_many_outputs(X):
    for out in (np.zeros((3, 6)), np.zeros((3, 6)).T, np.zeros(18), np.zeros((6, 3), "float32")):
        with pytest.raises(ValueError, match=r"out must be .*shape \(6, 3\)"):
            MODELS["outputs"].predict(X, out=out)


@pytest.mark.parametrize("bad", [0, -1, 1.5, 2.0, "2", True, [1], np.float64(1)])
def test_bad_num_threads(model, X, bad):
    with pytest.raises(ValueError, match="num_threads must be a positive integer"):
        model.predict(X, num_threads=bad)


@pytest.mark.parametrize("good", [1, 2, np.int32(2), 10**30])
def test_num_threads(model, X, good):
    np.testing.assert_array_equal(model.predict(X, num_threads=good), model.predict(X))


def test_only_names_for_options(X):
    with pytest.raises(TypeError):
        MODELS["FM"].predict(X, np.zeros(6))
