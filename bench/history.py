"""``python -m bench history``: how many instructions six kernels take, beside the last release.

Counts do not depend on what else a machine does, so CI can compare them: callgrind (``apt install valgrind``)
counts what the library's C functions execute in a process with one thread, which is this module as a program.
The same build gives the same counts to .1 %. Another compiler gives others, so counts of two compilers are
shown and not judged.

bench/history/ has a file for each release. ``--json bench/history/<version>.json`` writes one.
"""

from __future__ import annotations

import argparse
import io
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

FOLDER = Path(__file__).with_name("history")
LEVEL = "baseline"  # that all processors of a kind have; callgrind knows no AVX-512
MORE_IS_WORSE = 1.02
# The C function of each kernel; what it calls counts for it, and so do all of its calls by the program below.
KERNELS = {
    "scores, FM and FFM": "fastfm_score",
    "objective, FM": "fastfm_objective",
    "gradient, FFM": "fastfm_gradient",
    "training, FM": "fastfm_train",
    "LIBSVM text": "fastfm_text_parse",
    "top 10": "fastfm_top_k",
}


def run_history(options: argparse.Namespace) -> list[dict]:
    """Print the counts beside those of the last release; returns them. Many more are an error."""
    if not shutil.which("valgrind"):
        print("skipped: no valgrind")
        return []
    counted = count()
    last = last_release()
    print(f"instructions; {counted['compiler']}" + (f"; beside {last['version']}" if last else ""))
    for name, number in counted["instructions"].items():
        before = last["instructions"].get(name) if last else None
        beside = f"{before:14,}  {number / before:6.3f}" if before else ""
        print(f"  {name:20}{number:14,}{beside}", flush=True)
    worse = slower(last, counted)
    if worse:
        raise SystemExit(f"more instructions than in {last['version']}: {', '.join(worse)}")
    return [counted]


def slower(before: dict | None, now: dict) -> list[str]:
    """The kernels that take more instructions, where the same compiler built both."""
    if before is None or before["compiler"] != now["compiler"]:
        return []
    old, new = before["instructions"], now["instructions"]
    return [name for name in new if name in old and new[name] > MORE_IS_WORSE * old[name]]


def last_release() -> dict | None:
    files = sorted(FOLDER.glob("*.json"), key=lambda path: [int(part) for part in path.stem.split(".")])
    return json.loads(files[-1].read_text())["history"][0] if files else None


def count() -> dict:
    """Instructions of each kernel."""
    import fastfm_c

    found = inclusive_counts(callgrind())
    lacking = set(KERNELS.values()) - found.keys()
    if lacking:
        raise RuntimeError(f"callgrind saw no call of {sorted(lacking)}: was the extension stripped?")
    return {
        "version": fastfm_c.__version__,
        "compiler": fastfm_c.config()["compiler"],
        "level": LEVEL,
        "instructions": {name: found[function] for name, function in KERNELS.items()},
    }


def callgrind() -> str:
    """What callgrind writes of this module as a program."""
    with tempfile.TemporaryDirectory() as folder:
        options = [f"--callgrind-out-file={folder}/out", "--compress-strings=no", "--compress-pos=no"]
        done = subprocess.run(
            ["valgrind", "--tool=callgrind", *options, sys.executable, "-m", "bench.history"],
            env=os.environ | {"FASTFM_C_SIMD": LEVEL, "OMP_NUM_THREADS": "1", "PYTHONHASHSEED": "0"},
            cwd=Path(__file__).resolve().parent.parent,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
        )
        if done.returncode:
            raise RuntimeError(done.stderr[-3000:])
        return Path(folder, "out").read_text()


def inclusive_counts(profile: str) -> dict[str, int]:
    """Instructions of each called function and of what it calls: two lines after its name, in each caller."""
    counts: dict[str, int] = {}
    calls = re.findall(r"^cfn=(fastfm_\w+)\ncalls=.*\n\S+ (\d+)$", profile, re.MULTILINE)
    for function, number in calls:
        counts[function] = counts.get(function, 0) + int(number)
    return counts


def run_kernels() -> None:
    """Each kernel, on small data of fixed seeds."""
    import numpy as np
    import scipy.sparse as sp

    from fastfm_c import FFM, FM, AdaGrad, LogisticLoss
    from fastfm_c.recommend import Candidates
    from fastfm_c.text import load_libsvm

    rng = np.random.default_rng(0)
    n_rows, n_fields, n_values = 1000, 20, 50
    columns = rng.integers(n_values, size=(n_rows, n_fields)) + n_values * np.arange(n_fields)
    values = rng.normal(size=columns.shape).astype(np.float32)
    shape = n_rows, n_fields * n_values

    def rows(fields: slice) -> sp.csr_array:
        """With the values of these fields alone."""
        indices = columns[:, fields].astype(np.int32)
        indptr = np.arange(0, indices.size + 1, indices.shape[1], dtype=np.int32)
        return sp.csr_array((values[:, fields].ravel(), indices.ravel(), indptr), shape=shape)

    X = rows(slice(n_fields))
    y = (rng.random(n_rows) < 0.5).astype(np.float32)
    lines = (
        f"{y[i]:g} " + " ".join(f"{j}:{x:.6g}" for j, x in zip(columns[i], values[i], strict=True))
        for i in range(n_rows)
    )
    text = io.BytesIO("\n".join(lines).encode())
    fm = FM.random(shape[1], 16, rng=0)
    ffm = FFM.random(fields=np.repeat(np.arange(n_fields), n_values), n_factors=4, rng=0)
    contexts, candidates = rows(slice(10))[:100], Candidates(fm, rows(slice(10, n_fields))[:500])
    solver = AdaGrad(fm.copy(), LogisticLoss(), rng=0)

    fm.predict(X, num_threads=1)
    ffm.predict(X, num_threads=1)
    fm.objective(X, y, LogisticLoss(), num_threads=1)
    ffm.gradient(X, y, LogisticLoss(), num_threads=1)
    solver.partial_fit(X, y)
    load_libsvm(text, n_features=shape[1], num_threads=1)
    candidates.top_k(contexts, 10, num_threads=1)


if __name__ == "__main__":
    run_kernels()
