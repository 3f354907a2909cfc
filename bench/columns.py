"""Learning by columns: seconds of a sweep of ALS and of an iteration of the Gibbs sampler.

Rows of ratings (user, item; users and items as Zipf has them), as pairs and, with a weight that is not 1,
as rows like any others; W2 and W1 of workloads.py. myFM (``pip install myfm``) runs its own Gibbs
sampler on the same rows where it is installed, on one thread: it has no other. Then columns_quality.py.
"""

from __future__ import annotations

import argparse
import importlib
import time
from functools import partial
from typing import Any

import numpy as np
import scipy.sparse as sp

from fastfm_c import FM, LogisticLoss, SquaredLoss, _core
from fastfm_c.solvers import TrainingRows

from .columns_quality import run_quality
from .timing import least_seconds, seconds_of
from .workloads import load

SWEEPS = 3  # the least of so many counts
N_RATINGS, N_QUICK = 10_000_000, 200_000
N_USERS, N_ITEMS = 70_000, 10_000


def ratings(n_rows: int) -> tuple[sp.csr_array, np.ndarray]:
    """Rows of two one-hot values, and planted stars with noise."""
    rng = np.random.default_rng(10)
    columns, factors, first = [], [], 0
    for size, power in (N_USERS, 0.7), (N_ITEMS, 0.9):
        shares = np.cumsum(np.arange(1, size + 1) ** -power)
        drawn = np.searchsorted(shares / shares[-1], rng.random(n_rows)).clip(max=size - 1)
        number = rng.permutation(size)[drawn]
        factors.append((rng.normal(0, 0.4, size)[number], rng.normal(0, 0.35, (size, 8))[number]))
        columns.append(number + first)
        first += size
    (bias_u, v), (bias_i, u) = factors
    y = 3.5 + bias_u + bias_i + np.einsum("ij,ij->i", v, u) + rng.normal(0, 0.7, n_rows)
    X = sp.csr_array((n_rows, first))
    X.indices = np.stack(columns, axis=1).ravel().astype(np.int32)
    X.indptr, X.data = np.arange(0, 2 * n_rows + 1, 2, dtype=np.int32), np.ones(2 * n_rows, np.float32)
    return X, y.astype(np.float32)


def _ours(X: Any, y: Any, loss: Any, k: int, threads: int, weight: Any) -> dict[str, Any]:
    model = FM.random(X.shape[1], k, init_stdev=0.1, rng=0)
    data = TrainingRows(model, loss, X, y, weight)
    begin = time.perf_counter()
    columns = _core.Columns(model, loss, data, None, threads)
    plan = time.perf_counter() - begin
    l2 = 8 / X.shape[0]
    sweep = least_seconds(lambda: columns.sweep(l2, l2), SWEEPS)
    hyper = [np.ones(1), np.zeros(1), np.ones((1, k)), np.zeros((1, k))]
    columns.set_groups(None, hyper)
    sample = least_seconds(lambda: columns.sample(0, 0, 1.0), SWEEPS)
    facts = columns.plan()
    return {
        "plan": plan,
        "sweep": sweep,
        "sample": sample,
        "MB": facts["bytes"] / 1e6,
        "pair": facts["is_pair"],
    }


def _myfm(X: Any, y: Any, k: int, is_binary: bool) -> float | None:
    """Seconds of one iteration: two runs, of which one has one iteration more."""
    try:
        myfm = importlib.import_module("myfm")
    except ImportError:
        return None
    rows = sp.csr_matrix((X.data.astype(float), X.indices, X.indptr), shape=X.shape)
    seconds = []
    for n_iter in 1, 2:
        fm = (myfm.MyFMClassifier if is_binary else myfm.MyFMRegressor)(rank=k, random_seed=0)
        seconds.append(seconds_of(partial(fm.fit, rows, y, n_iter=n_iter, n_kept_samples=1)))
    return seconds[1] - seconds[0]


def run_columns(options: argparse.Namespace) -> list[dict]:
    """Print a line for each problem and number of threads; returns the figures."""
    figures = []
    X, y = ratings(N_QUICK if options.quick else N_RATINGS)
    halves = np.ones(len(y))
    halves[0] = 0.5
    problems = [("ratings", X, y, None, SquaredLoss()), ("ratings, blocks", X, y, halves, SquaredLoss())]
    for name in options.workloads:
        if name in ("W1", "W2"):
            split = load(f"{name}_train", options.data)
            rows = split.head(N_QUICK) if options.quick else split
            problems.append((name, rows.X, rows.y, None, LogisticLoss() if name == "W1" else SquaredLoss()))
    for name, X, y, weight, loss in problems:
        peer = None if weight is not None or not options.peers else _myfm(X, y, 16, name == "W1")
        for threads in options.threads:
            ours = _ours(X, y, loss, 16, threads, weight)
            figures.append({"problem": name, "threads": threads, "rows": X.shape[0], "myfm": peer, **ours})
            words = "" if peer is None else f"   myFM {peer:.2f} s"
            print(
                f"{name:16} {threads} threads   plan {ours['plan']:6.2f} s   ALS {ours['sweep']:6.3f} s   "
                f"Gibbs {ours['sample']:6.3f} s   {ours['MB']:6.0f} MB{words}",
                flush=True,
            )
    return figures + run_quality(options)
