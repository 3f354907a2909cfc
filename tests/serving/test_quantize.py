"""Models of float16 and int8: the bits of the float32 models that they stand for."""

import io
import pickle

import numpy as np
import pytest
from helpers.levels import at_all_levels
from helpers.make import csr_of, make_csr, make_model

from fastfm_c import FFM, FM, AdaGrad, LogisticLoss, load, save
from fastfm_c.serving import QuantizedFFM, QuantizedFM, quantize

N = 60
WIDTHS = [1, 3, 4, 8, 16, 17, 32, 33, 70]  # each block of factors, alone and with others
LENGTHS = [0, 1, 5, 40, 60, 33]


def make(kind, k, outputs=(), dtype="float32", n_fields=5, seed=0):
    rng = np.random.default_rng(seed)
    fields = np.arange(N) % n_fields if kind == "FFM" else None
    return make_model(rng, outputs, N, k, dtype, n_fields=n_fields, fields=fields)


def half_by_hand(x):
    """The nearest binary16 with ties to even, by arithmetic in float64."""
    if x == 0:
        return x
    exponent = max(np.floor(np.log2(abs(x))), -14)
    step = 2.0 ** (exponent - 10)
    return np.round(x / step) * step


@pytest.mark.parametrize("kind", ["FM", "FFM"])
@pytest.mark.parametrize("dtype", ["float16", "int8"])
@pytest.mark.parametrize("k", WIDTHS)
@pytest.mark.parametrize("outputs", [(), (3,)])
def test_scores_have_the_bits_of_the_float32_model(kind, dtype, k, outputs):
    small = quantize(make(kind, k, outputs), dtype)
    full = small.full()
    rng = np.random.default_rng(1)
    for data, index in ("float32", "int32"), ("float64", "int64"):
        X = make_csr(rng, LENGTHS, N, data, index)
        wanted = full.predict(X)
        np.testing.assert_array_equal(at_all_levels(lambda X=X: small.predict(X, num_threads=3)), wanted)
        assert wanted.dtype == small.predict(X).dtype == np.float32
        for i in range(X.shape[0]):
            row = slice(X.indptr[i], X.indptr[i + 1])
            np.testing.assert_array_equal(small.predict_row(X.indices[row], X.data[row]), wanted[i])


@pytest.mark.parametrize("n_fields", [1, 2, 40])
@pytest.mark.parametrize("dtype", ["float16", "int8"])
def test_rows_with_few_and_all_fields(n_fields, dtype):
    """What is widened depends on how many of the fields a row has; tiles take k = 4."""
    small = quantize(make("FFM", 4, n_fields=n_fields), dtype)
    rng = np.random.default_rng(2)
    X = make_csr(rng, [1, 2, 9, 10, 11, 40, 60], N)
    in_order = make_csr(rng, [n_fields] * 3, n_fields, sort=True)
    in_order.resize(3, N)
    for rows in X, in_order:
        np.testing.assert_array_equal(
            at_all_levels(lambda r=rows: small.predict(r)), small.full().predict(rows)
        )


@pytest.mark.parametrize("normalize", ["instance", "xlearn"])
def test_normalised_models_and_repeated_columns(normalize):
    model = make("FM", 8)
    model.normalize, model.repeats = normalize, "separate"
    small = quantize(model, "int8")
    X = make_csr(np.random.default_rng(3), [5, 8], N, repeats=True)
    np.testing.assert_array_equal(small.predict(X), small.full().predict(X))
    assert small.repeats == "separate"
    model.repeats = "sum"
    np.testing.assert_array_equal(quantize(model).predict(X), quantize(model).full().predict(X))


@pytest.mark.parametrize("k", [1, 4, 8, 16])
def test_every_half_is_read_as_numpy_reads_it(k):
    """All finite ones, with subnormals; k says which vector reads them."""
    halves = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    numbers = np.where(np.isfinite(halves), halves, 0).astype(np.float32)
    V = numbers.reshape(-1, k)
    model = FM(0.0, numbers[: len(V)], V)
    small = quantize(model)
    assert small.full() == model
    rows = np.arange(len(V), dtype=np.int32)
    pairs = np.concatenate([[rows, np.roll(rows, 1)]], axis=0).T.ravel()
    X = csr_of(np.arange(0, len(pairs) + 1, 2, dtype=np.int32), pairs, np.ones(len(pairs)), (len(V), len(V)))
    np.testing.assert_array_equal(at_all_levels(lambda: small.predict(X)), model.predict(X))


def test_float16_is_the_nearest():
    values = np.array([1.0, 1 + 2**-11, 1 + 3 * 2**-11, 65504, 6e-8, 2**-25, -0.1, 1 / 3, 0.0])
    small = quantize(FM(0.0, values, values[:, None]))
    np.testing.assert_array_equal(small.w, [half_by_hand(x) for x in values])
    np.testing.assert_array_equal(small.V[:, 0], [half_by_hand(x) for x in values])


def test_int8_scales():
    V = np.array([[1.0, -127.0], [2.0, 0.4], [0.0, 0.0], [12.7, 6.35]])
    small = quantize(FM(0.5, np.arange(4.0), V), "int8")
    assert small.scale.tolist() == [1.0]
    assert small.V.tolist() == [[1, -127], [2, 0], [0, 0], [13, 6]]
    assert small.w.dtype == np.float32
    by_field = quantize(FM(0.5, np.arange(4.0), V), "int8", fields=[0, 1, 2, 3])
    np.testing.assert_allclose(by_field.scale, [1, 2 / 127, 1, 0.1], rtol=1e-6)
    assert by_field.V[3].tolist() == [127, 64] or by_field.V[3].tolist() == [127, 63]
    assert by_field.scale_of.tolist() == [0, 1, 2, 3]
    ffm = quantize(make("FFM", 4), "int8")
    np.testing.assert_allclose(ffm.scale, np.abs(make("FFM", 4).V).max(axis=(1, 2)) / 127, rtol=1e-6)
    assert np.abs(ffm.full().V - make("FFM", 4).V).max() <= ffm.scale.max() / 2 * (1 + 1e-6)


@pytest.mark.parametrize("kind", ["FM", "FFM"])
@pytest.mark.parametrize("dtype", ["float16", "int8"])
@pytest.mark.parametrize("outputs", [(), (3,)])
def test_files_copies_and_pickles(kind, dtype, outputs, tmp_path):
    model = make(kind, 5, outputs)
    small = quantize(model, dtype, fields=[0, 1] * 30 if kind == "FM" and dtype == "int8" else None)
    save({"small": small, "again": small}, tmp_path / "file")
    X = make_csr(np.random.default_rng(0), LENGTHS, N)
    for mmap in True, False:
        loaded = load(tmp_path / "file", mmap=mmap)["small"]
        assert loaded == small
        np.testing.assert_array_equal(loaded.predict(X), small.predict(X))
        own = loaded.copy()
        assert own == small
        assert own._snapshot().V.flags.writeable
    assert pickle.loads(pickle.dumps(small)) == small
    assert (small == quantize(make(kind, 5, outputs, seed=1), dtype)) is False
    assert small != model
    assert isinstance(small, QuantizedFM if kind == "FM" else QuantizedFFM)


def test_sizes():
    model = FM.random(10_000, 16, rng=0)
    assert quantize(model).nbytes <= 0.501 * model.nbytes
    assert quantize(model, "int8", fields=np.arange(10_000) % 39).nbytes <= 0.35 * model.nbytes
    wide = FM.random(10_000, 32, rng=0)
    assert quantize(wide, "int8").nbytes <= 0.3 * wide.nbytes
    assert repr(quantize(wide, "int8")) == "QuantizedFM(n_features=10000, n_factors=32, int8)"


def test_it_is_read_only_and_learns_nothing():
    small = quantize(make("FFM", 2))
    for array in small.V, small.w, small.fields:
        with pytest.raises(ValueError, match="read-only"):
            array[...] = 0
    with pytest.raises(AttributeError):
        small.w0 = 1.0
    with pytest.raises((TypeError, ValueError), match="model must be an FM or an FFM"):
        AdaGrad(small, LogisticLoss())
    with pytest.raises(ValueError, match="predicts, and does nothing else"):
        small._snapshot().data_term(np.eye(N), np.zeros(N), LogisticLoss(), None, None, None, False)


def test_what_is_refused():
    model = make("FM", 2)
    for change, dtype, words in [
        (("V", 70000.0), "float16", "V of feature 3 has 70000.0, expected at most 65504"),
        (("w", np.nan), "int8", "w of feature 3 has nan"),
        (("V", np.inf), "int8", "V of feature 3 has inf"),
    ]:
        bad = model.copy()
        getattr(bad, change[0])[3] = change[1]
        with pytest.raises(ValueError, match=words):
            quantize(bad, dtype)
    bad = model.copy()
    bad.w0 = np.inf
    with pytest.raises(ValueError, match=r"^w0 has inf"):
        quantize(bad)
    with pytest.raises(ValueError, match="dtype must be"):
        quantize(model, "int4")
    with pytest.raises(ValueError, match="fields are the groups"):
        quantize(model, "float16", fields=[0] * N)
    with pytest.raises(ValueError, match=r"fields\[0\] is 65536"):
        quantize(model, "int8", fields=[65536] + [0] * (N - 1))
    with pytest.raises(ValueError, match="expected an FM or FFM"):
        quantize(quantize(model))
    small = quantize(model)
    with pytest.raises(ValueError, match="61 columns"):
        small.predict(np.ones((1, N + 1)))
    with pytest.raises(ValueError, match="dtype float32"):
        small.predict(np.ones((1, N)), out=np.zeros(1, np.float16))


def test_a_model_without_features():
    for model in FM.random(0, 2), FFM.random([], 2):
        for dtype in "float16", "int8":
            small = quantize(model, dtype)
            assert small.predict(np.zeros((2, 0))).tolist() == [0, 0]
            file = io.BytesIO()
            save(small, file)
            file.seek(0)
            assert load(file) == small


@pytest.mark.parametrize("kind", ["FM", "FFM"])
def test_damaged_files_are_refused(kind):
    model = make(kind, 3)
    small = quantize(model, "int8", fields=[0, 1] * 30 if kind == "FM" else None)
    file = io.BytesIO()
    save(small, file)
    text, rng = file.getvalue(), np.random.default_rng(0)
    refused = 0
    for _ in range(400):
        damaged = bytearray(text)
        damaged[rng.integers(len(text) // 2)] = rng.integers(256)
        try:
            loaded = load(io.BytesIO(bytes(damaged)))
        except ValueError:
            refused += 1
            continue
        loaded.predict(np.ones((1, loaded.n_features)))
    assert refused > 40
