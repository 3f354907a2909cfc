"""FM and FFM as objects: construction, sharing of arrays, assignment."""

import weakref

import numpy as np
import pytest
import scipy.sparse as sp
from helpers.make import aligned_zeros

from fastfm_c import FFM, FM

X4 = sp.csr_array([[1.0, 2.0, 0.0, 0.5], [0.0, 1.0, 1.0, 0.0]])
FIELDS = [0, 1, 1, 2]


def aligned(array):
    own = aligned_zeros(np.shape(array), np.asarray(array).dtype)
    own[...] = array
    return own


def misaligned(array):
    """C order, but 8 bytes after the start of a cache line."""
    buffer = aligned_zeros(array.nbytes // 8 + 1, "float64")
    own = buffer[1:].view(array.dtype)[: array.size].reshape(array.shape)
    own[...] = array
    return own


# ------------------------------------------------------------------------------ construction


def test_sizes(model):
    outputs = (model.n_outputs,) if model.V.ndim == (3 if isinstance(model, FM) else 4) else ()
    assert (model.n_features, model.n_factors) == (4, 5)
    assert np.shape(model.w0) == outputs
    assert model.w.shape == (*outputs, 4)
    assert model.dtype == model.w.dtype == model.V.dtype
    n_bytes = model.w.nbytes + model.V.nbytes + model.n_outputs * model.dtype.itemsize
    if isinstance(model, FM):
        assert model.V.shape == (*outputs, 4, 5)
        assert not hasattr(model, "fields")
    else:
        assert model.V.shape == (*outputs, 4, 3, 5)
        assert model.n_fields == 3
        assert model.fields.tolist() == FIELDS
        n_bytes += 4 * 4
    assert model.nbytes == n_bytes


def test_the_bias_is_a_float_or_an_array():
    assert isinstance(FM(1, [0, 0], np.zeros((2, 1))).w0, float)
    assert isinstance(FM(np.float32(1), [0, 0], np.zeros((2, 1))).w0, float)
    assert FM([1], [[0, 0]], np.zeros((1, 2, 1))).w0.tolist() == [1.0]


def test_a_leading_axis_of_one_output_shows_in_the_scores(model):
    shape = model.predict(X4).shape
    assert shape == (2,) if np.ndim(model.w0) == 0 else (2, model.n_outputs)
    row = model.predict_row([0, 1], [1.0, 2.0])
    assert np.shape(row) == np.shape(model.w0)


def test_parameters_may_be_lists_and_other_real_types():
    V = np.ones((2, 3), "float32")
    expected = FM(0.5, [1, 2], V)
    assert FM(np.float64(0.5), (1, 2), V) == expected
    assert FM(0.5, np.array([1, 2], "int8"), V) == expected
    assert FM(np.array(0.5), np.array([1, 2], ">f8"), V.astype(">f4")) == expected
    assert FM(0.5, [1, 2], np.asfortranarray(V)) == expected
    assert FFM(0.5, [1, 2], V[:, None], np.array([0, 0], "uint64")) == FFM(0.5, [1, 2], V[:, None], [0, 0])


needs_longdouble = pytest.mark.skipif(np.dtype("longdouble") == np.float64, reason="it is double here")
BAD_FM = [
    ((0, [0, 0], np.zeros((2, 1), np.int64)), "V has dtype int64, expected float32 or float64"),
    ((0, [0, 0], np.zeros((2, 1), "float16")), "V has dtype float16"),
    ((0, [0, 0], np.zeros((2, 1), complex)), "V has dtype complex128"),
    ((0, [0, 0], np.zeros((2, 1), object)), "V has dtype object"),
    pytest.param((0, [0, 0], np.zeros((2, 1), "longdouble")), "V has dtype", marks=needs_longdouble),
    ((0, [0, 0], None), "V has 0 dimensions"),
    ((0, [0, 0], np.zeros(2)), "V has 1 dimensions, FM expects 2, or 3 for several outputs"),
    ((0, [0, 0], np.zeros((1, 1, 2, 1))), "V has 4 dimensions"),
    ((0, [0, 0], np.zeros((2, 0))), "only the number of features may be 0"),
    (([], np.zeros((0, 2)), np.zeros((0, 2, 3))), "only the number of features may be 0"),
    ((0, [0, 0, 0], np.zeros((2, 1))), r"w has shape \(3,\), expected \(2,\)"),
    ((0, [[0, 0]], np.zeros((2, 1))), r"w has shape \(1, 2\), expected \(2,\)"),
    ((0, 0, np.zeros((2, 1))), r"w has shape \(\), expected \(2,\)"),
    (([0], [0, 0], np.zeros((2, 1))), r"w0 has shape \(1,\), expected \(\)"),
    ((0, [[0, 0]] * 3, np.zeros((3, 2, 1))), r"w0 has shape \(\), expected \(3,\)"),
    (([0, 0], [[0, 0]] * 3, np.zeros((3, 2, 1))), r"w0 has shape \(2,\), expected \(3,\)"),
    (("0", [0, 0], np.zeros((2, 1))), "w0 must hold real numbers"),
    ((1j, [0, 0], np.zeros((2, 1))), "w0 must hold real numbers"),
    ((None, [0, 0], np.zeros((2, 1))), "w0 must hold real numbers"),
    ((0, ["a", "b"], np.zeros((2, 1))), "w must hold real numbers"),
    ((0, [1j, 0], np.zeros((2, 1))), "w must hold real numbers"),
]


@pytest.mark.parametrize(("parameters", "message"), BAD_FM)
def test_parameters_that_do_not_fit(parameters, message):
    with pytest.raises(ValueError, match=message):
        FM(*parameters)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ([0, 2], r"fields\[1\] is 2, expected 0 <= field < 2"),
        ([-1, 0], r"fields\[0\] is -1, expected 0 <= field < 2"),
        ([2**32, 0], r"fields\[0\] is 4294967296"),
        ([0], r"fields has shape \(1,\), expected \(2,\)"),
        ([[0, 1]], r"fields has shape \(1, 2\)"),
        (0, r"fields has shape \(\)"),
        ([0.0, 1.0], "fields must hold integers, got float64"),
        ([True, False], "fields must hold integers, got bool"),
        (["a", "b"], "fields must hold integers"),
        (None, "fields must hold integers"),
    ],
)
def test_fields_that_do_not_fit(fields, message):
    with pytest.raises(ValueError, match=message):
        FFM(0, [0, 0], np.zeros((2, 2, 1)), fields)


def test_fields_are_a_private_copy_that_cannot_be_written():
    """The kernels trust them."""
    fields = np.array([0, 1], "int32")
    ffm = FFM(0, [0, 0], np.zeros((2, 2, 1)), fields)
    fields[:] = 1000
    assert ffm.fields.tolist() == [0, 1]
    assert ffm.fields.dtype == np.int32
    with pytest.raises(ValueError, match="read-only"):
        ffm.fields[0] = 1
    with pytest.raises(ValueError, match="cannot set WRITEABLE"):
        ffm.fields.flags.writeable = True
    with pytest.raises(AttributeError):
        ffm.fields = [0, 0]


def test_fields_are_needed():
    with pytest.raises(TypeError):
        FFM(0, [0], np.zeros((1, 1, 1)))


# ----------------------------------------------------------------------------------- sharing


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_aligned_arrays_are_shared(dtype):
    w, V = aligned(np.ones(4, dtype)), aligned(np.ones((4, 5), dtype))
    fm = FM(0.0, w, V)
    assert np.shares_memory(fm.w, w)
    assert np.shares_memory(fm.V, V)
    before = fm.predict(X4)
    V *= 2
    assert np.all(fm.predict(X4) != before)


@pytest.mark.parametrize(
    "change", [misaligned, np.asfortranarray, lambda a: a.astype(a.dtype.newbyteorder())]
)
def test_other_arrays_are_copied(change):
    V = aligned(np.arange(20.0).reshape(4, 5))
    other = change(V)
    fm = FM(0.0, np.zeros(4), other)
    assert not np.shares_memory(fm.V, other)
    assert fm.V.ctypes.data % 64 == 0
    np.testing.assert_array_equal(fm.V, V)
    np.testing.assert_array_equal(fm.predict(X4), FM(0.0, np.zeros(4), V).predict(X4))


def test_every_model_has_aligned_parameters(model):
    assert model.V.ctypes.data % 64 == 0
    assert model.w.ctypes.data % 64 == 0


def test_a_model_keeps_the_arrays_that_it_shares():
    fm = FM(0.0, aligned(np.ones(4)), aligned(np.ones((4, 5))))
    V = fm.V
    expected = fm.predict(X4)
    garbage = [np.full((4, 5), 1e9) for _ in range(100)]
    np.testing.assert_array_equal(fm.predict(X4), expected)
    del fm, garbage
    assert V.sum() == 20


def test_a_read_only_array_is_shared_and_stays_read_only():
    V = aligned(np.ones((4, 5)))
    V.flags.writeable = False
    fm = FM(0.0, np.zeros(4), V)
    assert np.shares_memory(fm.V, V)
    assert not fm.V.flags.writeable
    with pytest.raises(ValueError, match="read-only"):
        fm.V = np.zeros((4, 5))


# -------------------------------------------------------------------------------- assignment


def test_what_is_written_is_what_predict_uses(model):
    def expected():
        return type(model)(*(np.array(p) for p in model.__reduce__()[1])).predict(X4)

    before = model.predict(X4)
    model.V[..., 1, :] += 1
    model.w[..., 1] *= 2
    after = model.predict(X4)
    assert np.all(after != before)
    np.testing.assert_array_equal(after, expected())

    model.V, model.w = model.V * 3, model.w - 1
    np.testing.assert_array_equal(model.predict(X4), expected())
    model.w0 = np.asarray(model.w0, model.dtype) + 7
    np.testing.assert_array_equal(model.predict(X4), expected())
    if np.ndim(model.w0):
        model.w0[0] = -50
        np.testing.assert_array_equal(model.predict(X4), expected())


def test_assignment_copies(model):
    V = np.ones_like(model.V)
    model.V = V
    V[:] = 5
    assert np.all(model.V == 1)


def test_a_wrong_shape_or_dtype_is_refused(model):
    before = model.copy()
    for name in ("w", "V"):
        good = getattr(model, name)
        other = "float64" if model.dtype == np.float32 else "float32"
        bad = [good[..., :-1], good[None], good.astype(other), good.astype(int), 0.0, None]
        bad += [good.T] if good.ndim > 1 else []
        bad += [good.tolist()] if model.dtype == np.float32 else []  # a list makes float64
        for value in bad:
            with pytest.raises(ValueError, match=f"{name} must have shape"):
                setattr(model, name, value)
    with pytest.raises(ValueError, match="w0 must have shape"):
        model.w0 = np.zeros(7)
    assert model == before


def test_a_bias_may_be_a_plain_number():
    fm = FM(0.0, [0], np.zeros((1, 1), "float32"))
    for value in (1, 2.5, np.float64(3), np.array(4.0)):
        fm.w0 = value
        assert fm.w0 == value


@pytest.mark.parametrize("name", ["n_features", "n_factors", "n_outputs", "dtype", "nbytes", "anything"])
def test_nothing_else_can_be_assigned(model, name):
    with pytest.raises(AttributeError):
        setattr(model, name, 1)


def test_an_object_without_parameters_does_not_crash():
    """Python can make one; nothing says what it does, but it must be an exception."""
    for kind in (FM, FFM):
        empty = kind.__new__(kind)
        calls = [
            lambda m: m.predict(sp.csr_array((2, 0))),
            lambda m: m.predict_row([], []),
            lambda m: (m.w, m.V, m.w0, m.dtype),
            lambda m: m.copy(),
        ]
        for call in calls:
            with pytest.raises((AttributeError, TypeError, ValueError)):
                call(empty)
        assert repr(empty) == f"<{kind.__name__} without parameters>"


@pytest.mark.parametrize("w0", [None, "0", "nan", [0.0], [[0.0]], object(), {}], ids=str)
def test_a_bias_is_a_number(w0):
    with pytest.raises(ValueError, match="w0"):
        FM(w0, np.zeros(3), np.zeros((3, 2)))
    fm = FM(0.5, np.zeros(3), np.zeros((3, 2)))
    with pytest.raises(ValueError, match="w0"):
        fm.w0 = w0
    assert fm.w0 == 0.5


def test_a_model_is_made_once():
    """Another thread may be reading the parameters."""
    fm = FM.random(2, 2, rng=0)
    before = fm.copy()
    with pytest.raises(TypeError, match="has its parameters already"):
        fm.__init__(0.0, np.zeros(3), np.zeros((3, 2)))
    assert fm == before


def test_models_can_be_weakly_referenced():
    fm = FM.random(2, 2)
    assert weakref.ref(fm)() is fm
