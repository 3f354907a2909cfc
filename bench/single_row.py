"""Latency of scoring one row from Python, the serving path."""

from __future__ import annotations

import gc
import time
from collections.abc import Callable

import numpy as np

from .problem import Problem, make_model
from .timing import TOLERANCE

WARM_UP = 200


def single_row_latency(problem: Problem, n_calls: int) -> list[dict]:
    """p50 and p99 of calls on one row after another (and, ``hot``, on one row again and again).

    The rows are prepared as each way of calling wants them: index and value arrays, or a
    one-row CSR matrix.
    """
    rows = [problem.X[i % problem.X.shape[0]] for i in range(n_calls)]
    pairs = [(row.indices, row.data) for row in rows]
    matrices = [(row,) for row in rows]
    model = make_model(problem)
    numpy_row, scipy_row = _peers(problem)
    cases = [
        ("fastfm_c predict_row", model.predict_row, pairs),
        ("fastfm_c predict_row, hot", model.predict_row, pairs[:1] * n_calls),
        ("fastfm_c predict, CSR", model.predict, matrices),
        ("fastfm_c predict, CSR, hot", model.predict, matrices[:1] * n_calls),
        ("numpy", numpy_row, pairs),
        ("scipy, CSR", scipy_row, matrices),
    ]
    expected = [numpy_row(*pair) for pair in pairs[:WARM_UP]]
    records = []
    for name, call, arguments in cases:
        scores = [np.ravel(call(*a))[0] for a in arguments[:WARM_UP]]
        wanted = expected[:1] * WARM_UP if name.endswith("hot") else expected
        if np.abs(np.subtract(scores, wanted)).max() > TOLERANCE * np.abs(expected).max():
            print(f"REFUSED: {name} differs from NumPy")
            continue
        records.append({"call": name, "calls": n_calls, **_latency(call, arguments)})
    return records


def _peers(problem: Problem) -> tuple[Callable, Callable]:
    w0, w, V = np.float32(problem.w0), problem.w, problem.V
    squared_norms = problem.squared_norms()

    def numpy_row(indices, values):
        s = values @ V[indices]
        pairs = s @ s - (values * values) @ squared_norms[indices]
        return w0 + values @ w[indices] + 0.5 * pairs

    def scipy_row(row):
        s = (row @ V)[0]
        pairs = s @ s - (row.multiply(row) @ squared_norms)[0]
        return w0 + (row @ w)[0] + 0.5 * pairs

    return numpy_row, scipy_row


def _latency(call: Callable, arguments: list[tuple]) -> dict[str, float]:
    times = np.empty(len(arguments), np.int64)
    clock = time.perf_counter_ns
    gc.disable()
    for i, a in enumerate(arguments):
        start = clock()
        call(*a)
        times[i] = clock() - start
    gc.enable()
    p50, p99 = np.percentile(times, [50, 99]) / 1e3
    return {"p50_us": p50, "p99_us": p99}
