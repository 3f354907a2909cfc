"""What ``python -m bench serving`` checks: AUC of small models, reads beside patches, ONNX."""

from __future__ import annotations

import io
import tempfile
import threading
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from fastfm_c import FFM, FM, LogisticLoss, reference, save, train
from fastfm_c.datasets import load_adult
from fastfm_c.serving import apply, diff, quantize
from fastfm_c.training._metrics import auc

from .workloads import load

K = 16
ONNX_FEATURES = 30


def auc_of_small_models(directory: Path, n_rows: int) -> list[list]:
    """For Adult and W1: name, dtype, AUC, its distance from float32's, and the file's share of float32's."""
    adult = load_adult()
    splits = {"adult": (adult.X_train, adult.y_train, adult.X_test, adult.y_test, adult.fields)}
    learn, test = load("W1_train", directory), load("W1_test", directory)
    splits["W1"] = learn.X[:n_rows], learn.y[:n_rows], test.X, test.y, learn.fields
    found = []
    for name, (X, y, X_test, y_test, fields) in splits.items():
        model = FM.random(X.shape[1], K, rng=0)
        train(model, X, y, LogisticLoss(), max_iter=3, rng=0)
        models = {
            "float32": model, "float16": quantize(model), "int8": quantize(model, "int8", fields=fields)
        }  # fmt: skip
        aucs = {dtype: auc(y_test, m.predict(X_test)) for dtype, m in models.items()}
        for dtype, m in models.items():
            share = _file_bytes(m) / _file_bytes(model)
            found.append([name, dtype, aucs[dtype], aucs[dtype] - aucs["float32"], share])
    return found


def _file_bytes(model: object) -> int:
    file = io.BytesIO()
    save(model, file)
    return file.tell()


def torn_reads(n_reads: int) -> tuple[int, int]:
    """(reads, torn ones) of a model while a thread patches it there and back: all numbers of a feature are 0
    or all 1, so a pair with feature 0 gives 0 or 1 + k."""
    k, n = 64, 20_000
    old = FM(0.0, np.zeros(n, np.float32), np.zeros((n, k), np.float32))
    old.V[0] = 1
    new = old.copy()
    new.V[1:], new.w[1:] = 1, 1
    patches = []
    for before, after in (old, new), (new, old):
        file = io.BytesIO()
        diff(before, after, file)
        patches.append(file.getvalue())
    stop = threading.Event()

    def write() -> None:
        while not stop.is_set():
            for patch in patches:
                apply(old, io.BytesIO(patch))

    writer = threading.Thread(target=write)
    writer.start()
    ones, torn = np.ones(2), 0
    rng = np.random.default_rng(0)
    for first in range(0, n_reads, 1000):
        for j in rng.integers(1, n, min(1000, n_reads - first)):
            torn += old.predict_row([0, j], ones) not in (0.0, 1.0 + k)
    stop.set()
    writer.join()
    return n_reads, torn


def largest_onnx_error(n_models: int) -> float:
    """Of random models, the largest error of onnxruntime's scores, in sums of absolute terms."""
    import onnxruntime

    from fastfm_c.interop import dump_onnx

    worst = 0.0
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, "model.onnx"))
        for seed in range(n_models):
            rng = np.random.default_rng(seed)
            model, X, how = _random_problem(rng), _random_rows(rng), ("sparse", "dense")[seed % 2]
            dump_onnx(model, path, input=how)
            session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
            (scores,) = session.run(None, _padded(X) if how == "sparse" else {"X": X.toarray()})
            error = np.abs(scores - model.predict(X)) / np.maximum(_sum_of_terms(model, X), 1e-30)
            worst = max(worst, float(error.max()))
    return worst


def _random_problem(rng: np.random.Generator) -> FM | FFM:
    k, dtype = int(rng.integers(1, 33)), rng.choice(["float32", "float64"])
    n_outputs = int(rng.choice([1, 3]))
    options = {"n_outputs": n_outputs, "init_stdev": 10.0 ** rng.uniform(-2, 1), "dtype": dtype, "rng": rng}
    if rng.random() < 0.5:
        model = FM.random(ONNX_FEATURES, k, **options)
    else:
        model = FFM.random(rng.integers(0, 5, ONNX_FEATURES), k, **options)
    model.w[...] = rng.normal(size=model.w.shape)
    return model


def _random_rows(rng: np.random.Generator) -> sp.csr_array:
    X = sp.random_array((20, ONNX_FEATURES), density=rng.uniform(0, 1), rng=rng, format="csr")
    return sp.csr_array(X.astype(np.float32))


def _padded(X: sp.csr_array) -> dict[str, np.ndarray]:
    m = max(1, int(np.diff(X.indptr).max(initial=0)))
    indices, values = np.zeros((X.shape[0], m), np.int64), np.zeros((X.shape[0], m), np.float32)
    for i in range(X.shape[0]):
        row = slice(X.indptr[i], X.indptr[i + 1])
        indices[i, : row.stop - row.start], values[i, : row.stop - row.start] = X.indices[row], X.data[row]
    return {"indices": indices, "values": values}


def _sum_of_terms(model: FM | FFM, X: sp.csr_array) -> np.ndarray:
    """Of the absolute values of a score's terms, as they are added."""
    if isinstance(model, FM):
        return reference.fm_term_scale(X, model.w0, model.w, model.V)
    return reference.ffm_term_scale(X, model.w0, model.w, model.V, model.fields)
