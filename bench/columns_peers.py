"""The other programs that learn by columns: seconds of one of their iterations on the same rows.

myFM (``pip install myfm``): its Gibbs sampler. libFM: its ALS, by the program that the environment names
(FASTFM_C_LIBFM); it reads a text file and writes the processor's seconds of each iteration. Both use one
thread: they have no other.
"""

from __future__ import annotations

import csv
import importlib
import os
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from fastfm_c import dump_libsvm

ITERATIONS = 3  # the least of their times counts, because other programs only ever add to one
TEST_ROWS = 1000  # libFM wants a test set, and scores it in each iteration


def myfm_seconds(X: sp.csr_array, y: np.ndarray, k: int, is_binary: bool) -> float | None:
    """The least time between two calls of its callback; None where myFM is not installed."""
    try:
        myfm = importlib.import_module("myfm")
    except ImportError:
        return None
    rows = sp.csr_matrix((X.data.astype(float), X.indices, X.indptr), shape=X.shape)
    ends: list[float] = []

    def note(*_: Any) -> tuple[bool, None]:
        ends.append(time.perf_counter())
        return False, None

    fm = (myfm.MyFMClassifier if is_binary else myfm.MyFMRegressor)(rank=k, random_seed=0)
    fm.fit(rows, y.astype(float), n_iter=ITERATIONS + 1, n_kept_samples=1, callback=note)
    return float(np.diff(ends).min())


def libfm_seconds(X: sp.csr_array, y: np.ndarray, k: int, is_binary: bool) -> float | None:
    """The least processor's time of an iteration; None where the environment names no program."""
    program = os.environ.get("FASTFM_C_LIBFM")
    if not program:
        return None
    targets = np.where(y > 0, 1, -1) if is_binary else y
    with tempfile.TemporaryDirectory() as folder:
        train, test, log = (str(Path(folder, name)) for name in ("train", "test", "log"))
        dump_libsvm(X, targets, train, zero_based=True)
        dump_libsvm(X[:TEST_ROWS], targets[:TEST_ROWS], test, zero_based=True)
        options = {"task": "c" if is_binary else "r", "method": "als", "dim": f"1,1,{k}", "iter": ITERATIONS}
        options |= {"regular": "0,2,8", "train": train, "test": test, "rlog": log, "seed": 0}
        words = [word for name, value in options.items() for word in (f"-{name}", str(value))]
        subprocess.run([program, *words], check=True, stdout=subprocess.DEVNULL)
        with open(log) as lines:
            return min(float(line["time_learn"]) for line in csv.DictReader(lines, delimiter="\t"))
