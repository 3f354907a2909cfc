"""Peak memory of ``predict`` beyond its inputs and its output.

Each case runs in a process of its own (``python -m bench.memory``): it makes the model and ``out``,
writes to all of ``out``, and predicts a few rows, so that inputs, output and libraries are
resident. Then it gives freed memory back to the system (``malloc_trim``), resets the kernel's
high-water mark of resident memory (``5`` written to /proc/self/clear_refs), predicts all rows, and
reads by how much VmHWM grew. The kernel's count is right within some 0.2 MB. The first long call
with two threads includes what the thread runtime allocates. Only Linux has this; elsewhere nothing
is measured.
"""

from __future__ import annotations

import ctypes
import json
import subprocess
import sys
from pathlib import Path

import numpy as np

from .problem import make_model, make_problem
from .workloads import load


def peak_memory(case: tuple[str, str, int], num_threads: int, data: Path) -> dict:
    """The record of one case: (workload, model, n_factors)."""
    workload, model, n_factors = case
    command = [sys.executable, "-m", "bench.memory", *map(str, case), str(num_threads), str(data)]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return {
        "workload": workload,
        "model": model,
        "k": n_factors,
        "threads": num_threads,
        "bytes": json.loads(done.stdout),
    }


def _measure(case: tuple[str, str, int], num_threads: int, data: Path) -> int | None:
    workload, model_name, n_factors = case
    problem = make_problem(workload, model_name, n_factors, load(f"{workload}_test", data))
    model = make_model(problem)
    out = np.ones(problem.X.shape[0], np.float32)
    few = problem.X[:8]
    model.predict(few, num_threads=num_threads)
    if hasattr(libc := ctypes.CDLL(None), "malloc_trim"):
        libc.malloc_trim(0)
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return None
    before = high_water_mark()
    model.predict(problem.X, out=out, num_threads=num_threads)
    return high_water_mark() - before


def high_water_mark() -> int:
    """Most resident memory of this process so far, in bytes."""
    status = Path("/proc/self/status").read_text()
    kilobytes = next(line.split()[1] for line in status.splitlines() if line.startswith("VmHWM"))
    return int(kilobytes) * 1024


if __name__ == "__main__":
    workload, model, n_factors, num_threads, data = sys.argv[1:]
    print(json.dumps(_measure((workload, model, int(n_factors)), int(num_threads), Path(data))))
