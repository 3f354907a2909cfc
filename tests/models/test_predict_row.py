"""FM.predict_row and FFM.predict_row: one row from two arrays."""

import re

import numpy as np
import pytest
from helpers.calls import MODELS, N
from helpers.make import csr_of, make_csr, make_model

from fastfm_c import FM


@pytest.mark.parametrize("name", ["FM", "FFM", "outputs"])
@pytest.mark.parametrize("index", ["int32", "int64", "longlong", "uint8", "int16", "uint64", ">i4"])
@pytest.mark.parametrize("data", ["float32", "float64", "float16", "int32", "bool", ">f8"])
def test_predict_row_of_every_type(name, index, data):
    model = MODELS[name]
    indices, values = np.array([20, 3, 7], index), np.array([1, 1, 0], data)
    X = csr_of(np.array([0, 3]), np.array([20, 3, 7]), np.array([1.0, 1.0, 0.0]), (1, N))
    score = model.predict_row(indices, values)
    assert isinstance(score, np.ndarray if name == "outputs" else float)
    np.testing.assert_array_equal(score, model.predict(X)[0])
    np.testing.assert_array_equal(
        model.predict_row(np.repeat(indices, 2)[::2], np.repeat(values, 2)[::2]), score
    )
    np.testing.assert_array_equal(model.predict_row(indices.tolist(), tuple(values.tolist())), score)


def test_predict_row_of_nothing():
    assert MODELS["FM"].predict_row([], []) == MODELS["FM"].w0
    assert MODELS["outputs"].predict_row([], []).tolist() == MODELS["outputs"].w0.tolist()
    assert FM(0.5, [], np.zeros((0, 2))).predict_row([], []) == 0.5


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("length", [1, 33, 300])
def test_predict_row_has_the_bits_of_predict(dtype, length):
    rng = np.random.default_rng(0)
    fields = np.arange(300) % 7
    for model in (
        make_model(rng, (), 300, 9, dtype),
        make_model(rng, (), 300, 9, dtype, 7, fields),
    ):
        X = make_csr(rng, [length], 300)
        assert model.predict_row(X.indices, X.data) == model.predict(X)[0]


@pytest.mark.parametrize("name", ["FM", "FFM", "outputs"])
@pytest.mark.parametrize(
    ("indices", "values", "message"),
    [
        ([0, N], [1.0, 1.0], "indices has column 30, outside 0..29"),
        ([-1], [1.0], "indices has column -1"),
        (np.array([2**40]), [1.0], "indices has column 1099511627776"),
        (np.array([2**63 + 5], "uint64"), [1.0], "indices has column"),
        ([3, 3, 99], [1.0, 1.0, 1.0], "indices has column 99"),
        ([0, 1], [1.0], "of equal length"),
        (np.array([0]), np.array([1.0, 2.0]), "of equal length"),
        ([[0, 1]], [[1.0, 2.0]], "must be one-dimensional"),
        (0, 1.0, "must be one-dimensional"),
        ([0.0, 1.0], [1.0, 2.0], "indices must hold integers, got float64"),
        (["0"], [1.0], "indices must hold integers"),
        ([True], [1.0], "indices must hold integers, got bool"),
        ([0], ["1"], "values must hold real numbers"),
        ([0], [1j], "values must hold real numbers"),
        ([0], [None], "values must hold real numbers"),
    ],
)
def test_predict_row_refuses(name, indices, values, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        MODELS[name].predict_row(indices, values)


def test_predict_row_changes_nothing():
    indices, values = np.array([4, 4, 2]), np.array([1.0, 2.0, 0.0])
    MODELS["FFM"].predict_row(indices, values)
    assert (indices.tolist(), values.tolist()) == ([4, 4, 2], [1.0, 2.0, 0.0])
