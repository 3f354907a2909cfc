"""``python -m bench scale``: the same work with 1, 2, 4, ... threads, up to the machine's cores.

Rows of W1. All results must have the same bits with each number of threads, or the run fails. The times of
a case are taken in rounds of all numbers of threads, and the median counts.
"""

from __future__ import annotations

import argparse
import statistics
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np

from fastfm_c import AdaGrad, LogisticLoss, train

from .machine import cores
from .problem import make_model, make_problem
from .report import print_table
from .timing import seconds_of
from .workloads import Split, load

LOSS = LogisticLoss()
TRAINING = {"learning_rate": 0.03, "batch_size": 2048}
TRAINED_ROWS, LBFGS_ROWS, LBFGS_ITERATIONS = 200_000, 50_000, 5
QUICK_ROWS = 5_000


@dataclass(frozen=True)
class Case:
    """`run(num_threads)` does the work and returns the numbers whose bits are compared."""

    name: str
    n_rows: int
    run: Callable[[int], list[np.ndarray]]


def run_scale(options: argparse.Namespace) -> list[dict]:
    """One table; returns the figures."""
    threads = _powers_of_two(options.cores or cores())
    rounds = 1 if options.quick else options.repeats
    splits = [load(f"W1_{part}", options.data) for part in ("train", "test")]
    if options.quick:
        splits = [split.head(QUICK_ROWS) for split in splits]
    records = []
    for kind, k in ("FM", 16), ("FFM", 4):
        for case in _cases(kind, k, *splits):
            records.append(_measure(case, threads, rounds))
    _print(records, threads)
    return records


def _powers_of_two(most: int) -> list[int]:
    """1, 2, 4, ... and `most` itself."""
    return sorted({*(1 << i for i in range(most.bit_length())), most})


def _cases(kind: str, k: int, train_rows: Split, test_rows: Split) -> list[Case]:
    model = make_model(make_problem("W1", kind, k, test_rows))
    X, y, n = test_rows.X, test_rows.y, test_rows.X.shape[0]
    learned = train_rows.head(TRAINED_ROWS)
    few = train_rows.head(LBFGS_ROWS)

    def gradient(threads: int) -> list[np.ndarray]:
        value, made = model.gradient(X, y, LOSS, num_threads=threads)
        return [np.float64(value), made.w, made.V]

    def epoch(threads: int) -> list[np.ndarray]:
        new = model.copy()
        AdaGrad(new, LOSS, num_threads=threads, **TRAINING).partial_fit(learned.X, learned.y)
        return [new.w, new.V]

    def lbfgs(threads: int) -> list[np.ndarray]:
        new = model.copy()
        options = {"solver": "lbfgs", "max_iter": LBFGS_ITERATIONS, "validation_fraction": 0}
        train(new, few.X, few.y, LOSS, l2_factors=1e-4, num_threads=threads, **options)
        return [new.w, new.V]

    cases = [
        Case(f"predict {kind} k={k}", n, lambda threads: [model.predict(X, num_threads=threads)]),
        Case(
            f"objective {kind} k={k}",
            n,
            lambda threads: [np.float64(model.objective(X, y, LOSS, num_threads=threads))],
        ),
        Case(f"gradient {kind} k={k}", n, gradient),
        Case(f"train {kind} k={k}, batches of {TRAINING['batch_size']}", learned.X.shape[0], epoch),
    ]
    if kind == "FM":
        cases.append(Case(f"L-BFGS {kind} k={k}, {LBFGS_ITERATIONS} iterations", few.X.shape[0], lbfgs))
    return cases


def _measure(case: Case, threads: list[int], rounds: int) -> dict:
    """Median seconds by number of threads, after one call each that is not timed. Raises AssertionError if
    the bits differ."""
    bits = {n: _hash(case.run(n)) for n in threads}
    if len(set(bits.values())) != 1:
        raise AssertionError(f"{case.name}: other bits with other numbers of threads: {bits}")
    seconds: dict[int, list[float]] = {n: [] for n in threads}
    for _ in range(rounds):
        for n, times in seconds.items():
            times.append(seconds_of(partial(case.run, n)))
    medians = {n: statistics.median(times) for n, times in seconds.items()}
    return {"case": case.name, "rows": case.n_rows, "seconds": medians}


def _hash(arrays: list[np.ndarray]) -> int:
    value = 0
    for array in arrays:
        value = zlib.crc32(np.ascontiguousarray(array), value)
    return value


def _print(records: list[dict], threads: list[int]) -> None:
    rows = [
        [
            record["case"],
            f"{record['rows']:,}",
            *(f"{1e3 * seconds:.1f}" for seconds in record["seconds"].values()),
            f"{record['seconds'][1] / record['seconds'][threads[-1]]:.2f}",
        ]
        for record in records
    ]
    header = ["", "rows", *(f"threads {n}" for n in threads), f"1 / {threads[-1]}"]
    print_table("W1, ms; the same bits with each number of threads", header, rows)
