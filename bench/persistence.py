"""``python -m bench persistence``: files of models, beside pickle, np.savez and the safetensors package.

Everybody saves the same model (the package and np.savez its arrays) to one folder, in rounds of all
contenders; the least time counts, because another program only ever adds. ``save`` is given without its fsync
too, which no other contender does. Files are read from the page cache. Processes that serve one model each
load it and predict from all its features; their memory is the sum of their proportional shares (PSS in
/proc/<pid>/smaps_rollup, Linux only), which counts a page that four processes have as a quarter for each.
"""

from __future__ import annotations

import argparse
import os
import pickle
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from unittest import mock

import numpy as np
from scipy.sparse import csr_array

from fastfm_c import FFM, FM, load, save

from .report import print_table

MEGABYTE = 2**20
K, N_FIELDS = 16, 8
SIZES, QUICK_SIZES = (1, 10, 100, 1000), (1, 10)
SERVED, QUICK_SERVED = 500, 50
N_PROCESSES = 4


def run_persistence(options: argparse.Namespace) -> dict:
    """All tables; returns the figures."""
    rounds = 2 if options.quick else options.repeats
    sizes, served = (QUICK_SIZES, QUICK_SERVED) if options.quick else (SIZES, SERVED)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "model")
        figures: dict = {"contenders": _contenders(_fm(sizes[-2]), path, rounds)}
        figures["sizes"] = [_load_time(make, size, path, rounds) for make in (_fm, _ffm) for size in sizes]
        figures["predict"] = _predict_ratio(_fm(sizes[-2]), path, rounds)
        save(_fm(served), path)
        figures["memory"] = [_memory(path, n, mmap) for mmap in (True, False) for n in (1, N_PROCESSES)]
    rows = [[name, f"{s:.1f}", f"{r:.2f}"] for name, s, r in figures["contenders"]]
    print_table(f"FM of {sizes[-2]} MB, ms", ["", "save", "load"], rows)
    rows = [[kind, str(size), f"{ms:.2f}"] for kind, size, ms in figures["sizes"]]
    print_table("load, memory-mapped", ["", "MB", "ms"], rows)
    print(f"\npredict with the mapped model takes {figures['predict']:.2f} x the time with the copied one")
    rows = [[f"mmap={mmap}", str(n), f"{mb:.0f}"] for mmap, n, mb in figures["memory"]]
    print_table(f"FM of {served} MB served, memory of all processes", ["", "processes", "MB"], rows)
    return figures


def _fm(megabytes: int) -> FM:
    return FM.random(megabytes * MEGABYTE // (4 * (K + 1)), K, rng=0)


def _ffm(megabytes: int) -> FFM:
    n_features = megabytes * MEGABYTE // (4 * (K * N_FIELDS + 2))
    return FFM.random(np.arange(n_features) % N_FIELDS, K, rng=0)


def _contenders(model: FM, path: Path, rounds: int) -> list[tuple[str, float, float]]:
    """(name, ms to save, ms to load) of each way to keep a model."""
    arrays = {"w0": np.asarray(model.w0), "w": model.w, "V": model.V}

    def without_fsync(_):
        with mock.patch("os.fsync"):
            save(model, path)

    def pickle_out(_):
        with open(path, "wb") as file:
            pickle.dump(model, file, protocol=5)

    def npz_in():
        with np.load(path) as found:
            return FM(found["w0"], found["w"], found["V"])

    def npz_out(_):
        with open(path, "wb") as file:
            np.savez(file, **arrays)

    ways: dict[str, tuple[Callable, Callable]] = {
        "fastfm_c": (lambda _: save(model, path), lambda: load(path)),
        "fastfm_c, no fsync; mmap=False": (without_fsync, lambda: load(path, False)),
        "pickle": (pickle_out, lambda: pickle.loads(path.read_bytes())),
        "np.savez": (npz_out, npz_in),
    }
    try:
        from safetensors.numpy import load_file, save_file
    except ImportError:
        pass
    else:
        ways["safetensors"] = lambda _: save_file(arrays, path), lambda: FM(**load_file(path))
    times: dict[str, list[tuple[float, float]]] = {name: [] for name in ways}
    for _ in range(rounds):
        for name, (out, back) in ways.items():
            path.unlink(missing_ok=True)
            times[name].append((_ms(lambda out=out: out(None)), _ms(back)))
    return [(name, *(min(part) for part in zip(*both, strict=True))) for name, both in times.items()]


def _ms(call: Callable) -> float:
    start = time.perf_counter()
    call()
    return 1e3 * (time.perf_counter() - start)


def _load_time(make: Callable, megabytes: int, path: Path, rounds: int) -> tuple[str, int, float]:
    model = make(megabytes)
    save(model, path)
    return type(model).__name__, megabytes, min(_ms(lambda: load(path)) for _ in range(max(rounds, 5)))


def _predict_ratio(model: FM, path: Path, rounds: int) -> float:
    """Time to predict with a mapped model over that with a copy of it."""
    save(model, path)
    models = load(path), load(path, False)
    columns = np.random.default_rng(0).integers(0, model.n_features, (20_000, 32))
    X = csr_array((np.ones(columns.size, "f4"), columns.ravel(), np.arange(0, columns.size + 1, 32)))
    X.resize(len(columns), model.n_features)
    times = [[_ms(lambda m=m: m.predict(X, num_threads=1)) for m in models] for _ in range(1 + 2 * rounds)]
    mapped, copied = zip(*times[1:], strict=True)
    return min(mapped) / min(copied)


def _memory(path: Path, n_processes: int, mmap: bool) -> tuple[bool, int, float]:
    """Megabytes of processes that serve the model at the same time."""
    command = [sys.executable, "-m", "bench.persistence", str(path), str(int(mmap))]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    servers = [subprocess.Popen(command, **pipes) for _ in range(n_processes)]
    try:
        for server in servers:
            if server.stdout.read(1) != b"x":
                raise RuntimeError("a process that was to serve a model ended")
        return mmap, n_processes, sum(_proportional_share(server.pid) for server in servers)
    finally:
        for server in servers:
            server.communicate()


def _proportional_share(pid: int) -> float:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return float("nan")
    return next(int(line.split()[1]) / 1024 for line in lines if line.startswith("Pss:"))


def _serve(path: str, mmap: bool) -> None:
    model = load(path, mmap)
    for begin in range(0, model.n_features, 100_000):
        columns = np.arange(begin, min(begin + 100_000, model.n_features))
        model.predict_row(columns, np.ones(len(columns), "f4"))
    os.write(1, b"x")
    sys.stdin.read()


if __name__ == "__main__":
    _serve(sys.argv[1], sys.argv[2] == "1")
