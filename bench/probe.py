"""Compiles and runs limit_probe.c: the time that memory alone needs for a prediction."""

from __future__ import annotations

import ctypes
import hashlib
import math
import os
import subprocess
import tempfile
import time
from functools import cache
from itertools import product
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from .machine import c_compiler

SOURCE = Path(__file__).with_name("limit_probe.c")
LINE = 64
PREFETCH_DISTANCES = (0, 8, 16, 32, 64, 96, 128, 192)
TUNING_RUNS = 3


class _Probe(ctypes.Structure):
    _fields_ = [
        ("n_rows", ctypes.c_int64),
        ("indptr", ctypes.c_void_p),
        ("indices", ctypes.c_void_p),
        ("data", ctypes.c_void_p),
        ("w", ctypes.c_void_p),
        ("V", ctypes.c_void_p),
        ("w_stride", ctypes.c_int64),
        ("V_stride", ctypes.c_int64),
        ("n_lines", ctypes.c_int64),
        ("last", ctypes.c_int64),
        ("ahead", ctypes.c_int64),
        ("into_L2", ctypes.c_int64),
        ("out", ctypes.c_void_p),
    ]


@cache
def _library() -> ctypes.CDLL:
    """The compiled probe, kept in a cache directory under a name made of the source's hash."""
    directory = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "fastfm_c_bench"
    directory.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256(SOURCE.read_bytes()).hexdigest()[:16]
    path = directory / f"limit_probe_{digest}.so"
    if not path.exists():
        with tempfile.TemporaryDirectory(dir=directory) as build:
            built = Path(build) / path.name
            flags = ["-O3", "-fopenmp", "-shared", "-fPIC"]
            subprocess.run([*c_compiler(), *flags, str(SOURCE), "-o", str(built)], check=True)
            built.replace(path)
    return ctypes.CDLL(str(path))


def _may_need_one_more_line(address: int, stride: int, n_bytes: int) -> bool:
    """Whether some row of n_bytes spreads over more lines than ceil(n_bytes / 64)."""
    step = math.gcd(LINE, stride)
    largest_offset = LINE - step + address % step
    return (largest_offset + n_bytes - 1) // LINE + 1 > -(-n_bytes // LINE)


class LimitProbe:
    """Touches what predicting ``X`` with the parameters ``w`` and ``V`` touches.

    Parameters
    ----------
    X : csr_matrix of shape (n_rows, n_features), int32 indices, float32 data
    w : ndarray of shape (n_features,), float32, possibly strided
    V : ndarray of shape (n_features, ...), float32, whose rows are contiguous
    threads : numbers of threads that ``run`` will be called with; each gets its best prefetches
    """

    def __init__(self, X: sp.csr_matrix, w: np.ndarray, V: np.ndarray, threads: list[int]):
        if not V[0].flags.c_contiguous or X.indices.dtype != np.int32:
            raise ValueError("the probe needs contiguous rows of V and int32 indices")
        self._arrays = X, w, V, np.zeros(X.shape[0], np.uint32)
        n_bytes = V[0].nbytes
        straddles = _may_need_one_more_line(V.ctypes.data, V.strides[0], n_bytes)
        self._probe = _Probe(
            n_rows=X.shape[0],
            indptr=X.indptr.ctypes.data,
            indices=X.indices.ctypes.data,
            data=X.data.ctypes.data,
            w=w.ctypes.data,
            V=V.ctypes.data,
            w_stride=w.strides[0],
            V_stride=V.strides[0],
            n_lines=-(-n_bytes // LINE),
            last=n_bytes - V.itemsize if straddles else 0,
            out=self._arrays[-1].ctypes.data,
        )
        self._prefetches = {n: self._best_prefetches(n) for n in threads}

    def run(self, num_threads: int) -> None:
        self._run(self._prefetches[num_threads], num_threads)

    def _run(self, prefetches: tuple[int, int], num_threads: int) -> float:
        self._probe.ahead, self._probe.into_L2 = prefetches
        start = time.perf_counter()
        _library().limit_probe(ctypes.byref(self._probe), num_threads)
        return time.perf_counter() - start

    def _best_prefetches(self, num_threads: int) -> tuple[int, int]:
        """Their distance, and whether they go into L2 only."""
        times = {
            choice: min(self._run(choice, num_threads) for _ in range(TUNING_RUNS))
            for choice in product(PREFETCH_DISTANCES, (0, 1))
        }
        return min(times, key=times.get)
