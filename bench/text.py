"""``python -m bench text``: reading and writing text files, beside scikit-learn; and out of core.

W1's training rows are written once as LIBSVM and libffm text to a temporary folder. Reading is timed in
rounds of all contenders, and the median counts. Memory is measured in a process for each case: by how
much reading raises the high-water mark of its resident memory, over the bytes of the arrays it returns.
``--out-of-core`` writes a libffm file of 2 GB to a temporary folder, trains an FFM on it block by block
in another process, and deletes it.
"""

from __future__ import annotations

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from sklearn.datasets import load_svmlight_file

from fastfm_c import (
    FFM,
    AdaGrad,
    LogisticLoss,
    dump_libffm,
    dump_libsvm,
    iter_libffm,
    load_libffm,
    load_libsvm,
)

from .memory import high_water_mark
from .report import print_table
from .workloads import load

PEER = "scikit-learn"
LARGE_BYTES = 2e9
CALLS = {
    "load_libsvm": lambda path, threads: load_libsvm(path, num_threads=threads),
    "load_libffm": lambda path, threads: load_libffm(f"{path}.ffm", num_threads=threads),
    PEER: lambda path, threads: load_svmlight_file(path, dtype=np.float32),
}


def run_text(options: argparse.Namespace) -> dict:
    """All tables; returns the figures."""
    split = load("W1_train", options.data)
    if options.quick:
        split = split.head(20_000)
    with tempfile.TemporaryDirectory() as folder:
        path = str(Path(folder, "rows"))
        writing = _writing(split, path)
        figures = {"reading": _reading(path, options), "writing": writing}
        if options.out_of_core:
            figures["out_of_core"] = _out_of_core(path, LARGE_BYTES / (20 if options.quick else 1))
    return figures


def _writing(split, path: str) -> list[dict]:
    rng = np.random.default_rng(0)
    records = []
    for what, values in [("ones", None), ("float32", np.float32), ("float64", np.float64)]:
        X = split.X if values is None else split.X[:50_000].astype(values)
        if values is not None:
            X.data = rng.standard_normal(len(X.data)).astype(values)
        target = path if values is None else path + ".random"
        start = time.perf_counter()
        dump_libsvm(X, split.y[: X.shape[0]], target)
        seconds = time.perf_counter() - start
        records.append({"values": what, "bytes_per_s": Path(target).stat().st_size / seconds})
    dump_libffm(split.X, split.y, path + ".ffm", fields=split.fields)
    Path(path + ".random").unlink()
    rows = [[r["values"], f"{r['bytes_per_s'] / 1e6:.0f}"] for r in records]
    print_table("dump_libsvm, one thread", ["values", "MB/s"], rows)
    return records


def _reading(path: str, options: argparse.Namespace) -> list[dict]:
    X, y = load_libsvm(path)
    theirs, their_y = load_svmlight_file(path, dtype=np.float32)
    if not (np.array_equal(X.indices, theirs.indices) and np.array_equal(X.data, theirs.data)):
        raise AssertionError("scikit-learn reads other rows")
    n_rows, nnz = X.shape[0], X.nnz
    del X, y, theirs, their_y
    cases = [("load_libsvm", n) for n in options.threads] + [("load_libffm", n) for n in options.threads]
    cases.append((PEER, 1))
    seconds: dict[tuple[str, int], list[float]] = {case: [] for case in cases}
    for _ in range(1 if options.quick else options.repeats):
        for name, threads in cases:
            start = time.perf_counter()
            CALLS[name](path, threads)
            seconds[name, threads].append(time.perf_counter() - start)
    records = []
    for name, threads in cases:
        size = Path(path + ".ffm" if name == "load_libffm" else path).stat().st_size
        record = {"name": name, "threads": threads, "seconds": statistics.median(seconds[name, threads])}
        record |= {"best": min(seconds[name, threads]), "file_bytes": size, "rows": n_rows, "nnz": nnz}
        records.append(record | _in_process("memory", name, str(threads), path))
    peer = records[-1]["seconds"]
    rows = [
        [r["name"], str(r["threads"]), f"{r['seconds']:.3f}", f"{r['best']:.3f}",
         f"{r['file_bytes'] / 1e6 / r['seconds']:.0f}", f"{peer / r['seconds']:.1f} x",
         f"{r['peak'] / r['result']:.2f}"]
        for r in records
    ]  # fmt: skip
    header = ["", "threads", "s", "best", "MB/s", "over scikit-learn", "peak / result"]
    print_table(f"Reading {n_rows} rows, {nnz} values", header, rows)
    return records


def _out_of_core(path: str, n_bytes: float) -> dict:
    text, large = Path(path + ".ffm").read_bytes(), Path(path + ".large")
    with large.open("wb") as file:
        while file.tell() < n_bytes:
            file.write(text)
    size = large.stat().st_size
    del text
    figures = {"file_bytes": size} | _in_process("train", str(large))
    large.unlink()
    row = [f"{size / 1e9:.2f}", f"{figures['rows']:,}", f"{figures['scan']:.1f}", f"{figures['seconds']:.1f}",
           f"{figures['model'] / 1e6:.0f}", f"{figures['peak'] / 1e6:.0f}",
           f"{(figures['peak'] - figures['model']) / 1e6:.0f}"]  # fmt: skip
    header = ["GB of file", "rows", "s to scan", "s to train", "MB of model", "peak MB", "peak less model"]
    print_table("One epoch of an FFM (k=4) by iter_libffm and partial_fit", header, [row])
    return figures


def _in_process(*arguments: str) -> dict:
    command = [sys.executable, "-m", "bench.text", *arguments]
    return json.loads(subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True).stdout)


def _memory(name: str, threads: str, path: str) -> dict:
    before = high_water_mark()
    X, y, *fields = CALLS[name](path, int(threads))
    result = sum(a.nbytes for a in (X.indptr, X.indices, X.data, y, *fields))
    return {"result": result, "peak": high_water_mark() - before}


def _train(path: str) -> dict:
    start = time.perf_counter()
    blocks = iter_libffm(path)
    scanned = time.perf_counter()
    model = FFM.random(blocks.fields, 4, rng=0)
    solver = AdaGrad(model, LogisticLoss())
    losses = [solver.partial_fit(X, y) for X, y in blocks]
    return {
        "rows": blocks.n_rows,
        "scan": scanned - start,
        "seconds": time.perf_counter() - scanned,
        "losses": losses,
        "model": model.nbytes + solver.nbytes,
        "peak": high_water_mark(),
    }


if __name__ == "__main__":
    print(json.dumps({"memory": _memory, "train": _train}[sys.argv[1]](*sys.argv[2:])))
