"""``python -m bench busy``: prediction beside other processes that keep the processors busy.

Each case is a number of rows of W1, scored by an FM with k = 8. Calls with one thread and with several take
turns in short rounds, in one process, so that both meet the same neighbours; only the ratios inside a run
mean something. The 95th percentile says how often a call waits for a thread that the system does not run.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
import time
from contextlib import ExitStack, contextmanager

import numpy as np

from .problem import make_model, make_problem
from .report import print_table
from .workloads import load

N_FACTORS = 8
ROWS = 500, 2_000, 5_000, 20_000, 50_000, 100_000
ROUND_SECONDS = 0.25  # of one number of threads; the system's time slices are some ms
SPIN = "while True: pass"


def run_busy(options: argparse.Namespace) -> list[dict]:
    """One table for each number of busy processes; returns the figures."""
    split = load("W1_test", options.data)
    problem = make_problem("W1", "FM", N_FACTORS, split)
    model, records = make_model(problem), []
    most = split.X.shape[0] // 5 if options.quick else split.X.shape[0]
    cases = [split.X[:n] for n in ROWS if n <= most]
    for n_busy in options.busy:
        with busy_processes(n_busy):
            measured = [_measure(model, X, options) for X in cases]
        _print(measured, f"FM W1 k={N_FACTORS} beside {n_busy} busy processes, ms: median (95th percentile)")
        records += [{"busy": n_busy, **call} for calls in measured for call in calls]
    return records


@contextmanager
def busy_processes(n: int):
    """Processes that compute as long as the context lasts."""
    with ExitStack() as stack:
        for _ in range(n):
            process = subprocess.Popen([sys.executable, "-c", SPIN])
            stack.callback(process.wait)
            stack.callback(process.kill)
        yield


def _measure(model, X, options: argparse.Namespace) -> list[dict]:
    """One record for each number of threads."""
    out = np.empty(X.shape[0], "f4")
    seconds: dict[int, list[float]] = {n: [] for n in sorted({1, *options.threads})}
    expected = model.predict(X, num_threads=1)
    for _ in range(options.repeats if not options.quick else 1):
        for n, times in seconds.items():
            model.predict(X, out=out, num_threads=n)
            end = time.perf_counter() + ROUND_SECONDS
            while (start := time.perf_counter()) < end:
                model.predict(X, out=out, num_threads=n)
                times.append(time.perf_counter() - start)
            if not np.array_equal(out, expected):
                raise AssertionError(f"{n} threads give other scores")
    return [
        {
            "rows": X.shape[0],
            "threads": n,
            "calls": len(times),
            "ms": 1e3 * float(np.median(times)),
            "p95_ms": 1e3 * float(np.percentile(times, 95)),
        }
        for n, times in seconds.items()
    ]


def _print(measured: list[list[dict]], title: str) -> None:
    threads = [call["threads"] for call in measured[0]]
    header = ["rows", *(f"threads {n}" for n in threads), *(f"{n} / 1: median, 95th" for n in threads[1:])]
    rows = []
    for one, *others in measured:
        cells = [f"{call['ms']:.3f} ({call['p95_ms']:.2f})" for call in (one, *others)]
        cells += [f"{call['ms'] / one['ms']:.2f}, {call['p95_ms'] / one['p95_ms']:.2f}" for call in others]
        rows.append([f"{one['rows']:,}", *cells])
    print_table(title, header, rows)
