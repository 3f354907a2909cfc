"""``python -m bench serving``: small models beside float32, patches, and ONNX where it is installed.

Speed, files and AUC of small models; patches, also of a model of 1 GB; 10^6 reads beside patches; one row by
onnxruntime, and its largest error in 1000 random models. Without ``--quick`` it takes some minutes and 5 GB.
The problem: 39 one-hot fields of a million features, drawn uniformly, so that V is beyond the caches.
"""

from __future__ import annotations

import argparse
import importlib.util
import tempfile
from functools import partial
from pathlib import Path

import numpy as np

from fastfm_c import FM
from fastfm_c.serving import apply, diff, quantize

from .report import print_table
from .serving_checks import auc_of_small_models, largest_onnx_error, torn_reads
from .timing import seconds_of
from .workloads import rows_of_ones

N_FEATURES, N_FIELDS, N_ROWS = 1_000_000, 39, 100_000
PATCHED = 0.01
LARGE_FEATURES = 15_000_000  # 1 GB


def run_serving(options: argparse.Namespace) -> dict:
    """All tables; returns the figures."""
    scale = 10 if options.quick else 1
    n, rounds = N_FEATURES // scale, 3 if options.quick else options.repeats
    rng = np.random.default_rng(0)
    per_field = n // N_FIELDS
    columns = rng.integers(0, per_field, (N_ROWS // scale, N_FIELDS)) + per_field * np.arange(N_FIELDS)
    X = rows_of_ones(columns, n)
    figures: dict = {"predict": []}
    features = n if options.quick else LARGE_FEATURES
    figures["patch"] = [_patch(features, where) for where in ("together", "scattered")]
    figures["auc"] = auc_of_small_models(options.data, 20_000 if options.quick else 200_000)
    figures["reads"] = torn_reads(10_000 if options.quick else 1_000_000)
    for k in (16, 64):
        model = FM.random(n, k, init_stdev=0.1, rng=0)
        fields = np.arange(n) // max(per_field, 1) % (N_FIELDS + 1)
        models = {
            "float32": model, "float16": quantize(model), "int8": quantize(model, "int8", fields=fields)
        }  # fmt: skip
        taken = {name: [] for name in models}
        for _ in range(rounds + 1):  # in turns, because the machine changes its speed
            for name, m in models.items():
                taken[name].append(seconds_of(partial(m.predict, X, num_threads=1)))
        for name, m in models.items():
            ms, ratio = 1e3 * min(taken[name]), min(taken[name]) / min(taken["float32"])
            figures["predict"].append([k, name, ms, ratio, m.nbytes / model.nbytes])
    rows = [[f"{k}", name, f"{ms:.1f}", f"{r:.2f}", f"{b:.3f}"] for k, name, ms, r, b in figures["predict"]]
    print_table(f"{len(columns):,} rows, one thread, ms", ["k", "", "ms", "ratio", "bytes"], rows)
    rows = [[where, f"{mb:.1f}", f"{ms:.0f}"] for where, mb, ms in figures["patch"]]
    print_table(f"patch of 1 % of {features:,} features, k = 16", ["", "MB", "ms"], rows)
    rows = [[name, dtype, f"{auc:.7f}", f"{d:+.1e}", f"{s:.3f}"] for name, dtype, auc, d, s in figures["auc"]]
    print_table("AUC and file", ["", "", "AUC", "difference", "file"], rows)
    print("{:,} reads beside patches, {} of them torn".format(*figures["reads"]))
    if importlib.util.find_spec("onnxruntime") and importlib.util.find_spec("onnx"):
        figures["onnx_us"], n_models = _onnx(), 20 if options.quick else 1000
        figures["onnx_error"] = largest_onnx_error(n_models)
        print(
            f"onnxruntime, one row: {figures['onnx_us']:.1f} us; largest error of {n_models} random models: "
        )
        print(f"{figures['onnx_error']:.1e} of the sum of absolute terms")
    return figures


def _patch(n: int, where: str) -> list:
    old = FM.random(n, 16, rng=0)
    new = old.copy()
    count = int(n * PATCHED)
    rng = np.random.default_rng(1)
    changed = np.arange(count) if where == "together" else rng.choice(n, count, replace=False)
    new.V[changed] += 1
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "patch")
        diff(old, new, path)
        return [where, path.stat().st_size / 1e6, 1e3 * seconds_of(lambda: apply(old, path))]


def _onnx() -> float:
    import onnxruntime

    from fastfm_c.interop import dump_onnx

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model.onnx")
        dump_onnx(FM.random(1000, 16, rng=0), path)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = 1
        session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
    feed = {"indices": np.arange(39)[None], "values": np.ones((1, 39), np.float32)}
    return 1e6 * float(np.median([seconds_of(lambda: session.run(None, feed)) for _ in range(2000)]))
