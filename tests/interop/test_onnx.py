"""ONNX graphs, run by onnxruntime."""

import numpy as np
import pytest
import scipy.sparse as sp
from helpers.make import make_csr, make_model
from helpers.oracles import term_scale

from fastfm_c import FM, LogisticLoss, SoftmaxLoss, SquaredLoss
from fastfm_c.interop import _onnx as module
from fastfm_c.interop import dump_onnx
from fastfm_c.serving import quantize

onnx = pytest.importorskip("onnx")
runtime = pytest.importorskip("onnxruntime")

N = 12
TOLERANCE = 1e-5  # of the sum of absolute terms, as float32 kernels keep it


def padded(X, extra=2):
    m = int(np.diff(X.indptr).max(initial=0)) + extra
    indices, values = np.zeros((X.shape[0], m), np.int64), np.zeros((X.shape[0], m), np.float32)
    for i in range(X.shape[0]):
        row = slice(X.indptr[i], X.indptr[i + 1])
        indices[i, : row.stop - row.start], values[i, : row.stop - row.start] = X.indices[row], X.data[row]
    return {"indices": indices, "values": values}


def run(path, X, how):
    session = runtime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    feed = padded(X) if how == "sparse" else {"X": X.toarray().astype(np.float32)}
    return dict(zip([o.name for o in session.get_outputs()], session.run(None, feed), strict=True))


def assert_scores(found, model, X):
    wanted = model.predict(X)
    assert found.shape == wanted.shape
    scale = term_scale(model, X)
    assert (np.abs(found - wanted) <= TOLERANCE * scale).all()


@pytest.mark.parametrize("how", ["sparse", "dense"])
@pytest.mark.parametrize("kind", ["FM", "FFM"])
@pytest.mark.parametrize("outputs", [(), (3,)])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_random_models(how, kind, outputs, dtype, tmp_path):
    for seed in range(4):
        rng = np.random.default_rng(seed)
        fields = rng.integers(0, 4, N) if kind == "FFM" else None
        model = make_model(rng, outputs, N, int(rng.integers(1, 9)), dtype, n_fields=4, fields=fields)
        X = make_csr(rng, [0, 1, 3, 12, 7], N, "float32")
        dump_onnx(model, tmp_path / "model.onnx", input=how)
        onnx.checker.check_model(str(tmp_path / "model.onnx"))
        assert_scores(run(tmp_path / "model.onnx", X, how)["scores"], model, X)


@pytest.mark.slow
def test_many_random_models(tmp_path):
    """60 of all kinds; ``python -m bench serving`` takes 1000."""
    for seed in range(60):
        rng = np.random.default_rng(100 + seed)
        fields = rng.integers(0, 5, N) if seed % 2 else None
        outputs = [(), (1,), (3,)][seed % 3]
        dtype = ("float32", "float64")[seed // 2 % 2]
        model = make_model(rng, outputs, N, int(rng.integers(1, 33)), dtype, n_fields=5, fields=fields)
        model.V[...] *= 10 ** rng.uniform(-2, 1)
        X = make_csr(rng, rng.integers(0, N + 1, 20), N, "float32")
        how = ("sparse", "dense")[seed // 4 % 2]
        dump_onnx(model, tmp_path / "model.onnx", input=how)
        assert_scores(run(tmp_path / "model.onnx", X, how)["scores"], model, X)


@pytest.mark.parametrize("how", ["sparse", "dense"])
@pytest.mark.parametrize("normalize", ["instance", "xlearn"])
def test_normalised_models(how, normalize, tmp_path):
    rng = np.random.default_rng(0)
    model = make_model(rng, (), N, 3, "float32")
    model.normalize = normalize
    X = make_csr(rng, [0, 1, 3, 12], N, "float32")
    dump_onnx(model, tmp_path / "m", input=how)
    np.testing.assert_allclose(run(tmp_path / "m", X, how)["scores"], model.predict(X), rtol=1e-4, atol=1e-5)


def test_probabilities_and_quantised_models(tmp_path):
    rng = np.random.default_rng(0)
    X = make_csr(rng, [2, 5], N, "float32")
    two, three = make_model(rng, (), N, 3, "float32"), make_model(rng, (3,), N, 3, "float32")
    for model, loss in (two, LogisticLoss()), (three, SoftmaxLoss()):
        dump_onnx(model, tmp_path / "m", loss=loss)
        found = run(tmp_path / "m", X, "sparse")["probabilities"]
        wanted = loss.proba(model.predict(X))
        np.testing.assert_allclose(found, wanted[:, 1] if wanted.ndim > found.ndim else wanted, rtol=1e-4)
    dump_onnx(two, tmp_path / "m", loss=SquaredLoss())
    assert list(run(tmp_path / "m", X, "sparse")) == ["scores"]
    small = quantize(two, "int8")
    dump_onnx(small, tmp_path / "m")
    assert_scores(run(tmp_path / "m", X, "sparse")["scores"], small.full(), X)


def test_large_models_need_external_data(tmp_path, monkeypatch):
    monkeypatch.setattr(module, "_PROTOBUF_LIMIT", 100)
    model = FM.random(N, 4, init_stdev=1, rng=0)
    with pytest.raises(ValueError, match="external_data=True"):
        dump_onnx(model, tmp_path / "m")
    dump_onnx(model, tmp_path / "m", external_data=True)
    assert (tmp_path / "m.data").exists()
    X = sp.csr_array(np.ones((1, N), np.float32))
    assert_scores(run(tmp_path / "m", X, "sparse")["scores"], model, X)


def test_what_is_refused(tmp_path):
    model = FM.random(3, 2, rng=0)
    for arguments, words in [
        ({"input": "coo"}, "input must be"),
        ({"loss": SoftmaxLoss()}, "does not fit"),
        ({"loss": "logistic"}, "does not fit"),
    ]:
        with pytest.raises(ValueError, match=words):
            dump_onnx(model, tmp_path / "m", **arguments)
    with pytest.raises(ValueError, match="expected an FM"):
        dump_onnx("model", tmp_path / "m")
