"""Learning by columns: seconds of a sweep of ALS and of an iteration of the Gibbs sampler.

Rows of ratings (user, item; users and items as Zipf has them), as pairs and, with a weight that is not 1,
as rows like any others; W2 and W1 of workloads.py, k = 16; rows of SVD++, whose users' parts repeat, and the
same rows without repeated parts. Beside them the peers of columns_peers.py. Then columns_quality.py.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Iterator
from typing import Any

import numpy as np
import scipy.sparse as sp

from fastfm_c import FM, LogisticLoss, SquaredLoss, _core
from fastfm_c.solvers import TrainingRows

from .columns_peers import libfm_seconds, myfm_seconds
from .columns_quality import run_quality
from .timing import least_seconds
from .workloads import load

SWEEPS = 3  # the least of so many counts
N_RATINGS, N_QUICK = 10_000_000, 200_000
N_USERS, N_ITEMS = 70_000, 10_000
N_SHARED = 300_000
K = 16
PEERS = {"myFM": myfm_seconds, "libFM": libfm_seconds}


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


def shared(n_rows: int, is_repeated: bool) -> tuple[sp.csr_array, np.ndarray]:
    """Rows of SVD++: user, item, and the 30 items that the user has looked at, each of weight 1/sqrt(30).

    Where they are not repeated, each row has a weight of its own, so that no two rows share a part.
    """
    rng = np.random.default_rng(5)
    n_users, n_items, n_seen = n_rows // 50, 5000, 30
    users, items = rng.integers(n_users, size=n_rows), rng.integers(n_items, size=n_rows)
    seen = np.argpartition(rng.random((n_users, n_items), np.float32), n_seen)[:, :n_seen]
    weights = np.full((n_rows, n_seen), n_seen**-0.5, np.float32)
    if not is_repeated:
        weights *= rng.uniform(0.999, 1.001, (n_rows, 1)).astype(np.float32)
    columns = np.column_stack([users, n_users + items, n_users + n_items + seen[users]])
    X = sp.csr_array((n_rows, n_users + 2 * n_items))
    X.indices = columns.ravel().astype(np.int32)
    X.data = np.column_stack([np.ones((n_rows, 2), np.float32), weights]).ravel()
    X.indptr = np.arange(0, columns.size + 1, n_seen + 2, dtype=np.int32)
    y = 3.5 + rng.normal(0, 0.4, n_users)[users] + rng.normal(0, 0.4, n_items)[items]
    return X, (y + rng.normal(0, 0.7, n_rows)).astype(np.float32)


def _problems(options: argparse.Namespace) -> Iterator[tuple[str, Any, np.ndarray, Any, bool, bool]]:
    """Name, X, y, weights, whether y is binary, whether peers learn it."""
    X, y = ratings(N_QUICK if options.quick else N_RATINGS)
    halves = np.ones(len(y))
    halves[0] = 0.5
    yield "ratings", X, y, None, False, True
    yield "ratings, blocks", X, y, halves, False, False
    for name in options.workloads:
        if name in ("W1", "W2"):
            split = load(f"{name}_train", options.data)
            rows = split.head(N_QUICK) if options.quick else split
            yield name, rows.X, rows.y, None, name == "W1", True
    for is_repeated in True, False:
        name = "SVD++" if is_repeated else "SVD++, flat"
        yield name, *shared(N_SHARED // (10 if options.quick else 1), is_repeated), None, False, False


def run_columns(options: argparse.Namespace) -> list[dict]:
    """Print a line for each problem and number of threads; returns the figures."""
    figures = []
    for name, X, y, weight, is_binary, is_compared in _problems(options):
        peers = {}
        if is_compared and options.peers:
            peers = {peer: seconds(X, y, K, is_binary) for peer, seconds in PEERS.items()}
        words = "".join(f"   {peer} {took:.2f} s" for peer, took in peers.items() if took is not None)
        for threads in options.threads:
            ours = _ours(X, y, LogisticLoss() if is_binary else SquaredLoss(), K, threads, weight)
            figures.append({"problem": name, "threads": threads, "rows": X.shape[0], "peers": peers, **ours})
            print(
                f"{name:16} {threads} threads   plan {ours['plan']:6.2f} s   ALS {ours['sweep']:6.3f} s   "
                f"Gibbs {ours['sample']:6.3f} s   {ours['MB']:6.0f} MB{words}",
                flush=True,
            )
    return figures + run_quality(options)
