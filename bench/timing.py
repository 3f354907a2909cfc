"""Times calls; times contenders side by side, after checking that they agree."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

import numpy as np

from .contenders import LIBRARY, Contender

TOLERANCE = 1e-4  # of the largest score; float32 sums of this size agree within 3e-6
MEASURED_SECONDS = 0.03  # a measurement repeats a call until it lasts this long
SETTLE_SECONDS = 0.01  # idle threads of the last contender spin some milliseconds, then sleep


def seconds_of(call: Callable[[], object]) -> float:
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def least_seconds(call: Callable[[], object], n_calls: int) -> float:
    """The least time of several calls, because other programs only ever add to one."""
    return min(seconds_of(call) for _ in range(n_calls))


def agreeing(contenders: list[Contender], num_threads: int) -> list[Contender]:
    """Those whose scores are the first one's, within TOLERANCE; says who is refused.

    Raises AssertionError if others have scores and all of them differ from the first one's.
    """
    expected = contenders[0].predict(num_threads).copy()
    largest_error = TOLERANCE * np.abs(expected).max()
    good, refused, n_agree = [], [], 0
    for contender in contenders:
        contender.set_threads(num_threads)
        scores = contender.predict(num_threads)
        if scores is None:
            good.append(contender)
        elif (error := np.abs(scores - expected).max()) <= largest_error:
            good.append(contender)
            n_agree += 1
        else:
            refused.append(f"{contender.name} differs from {LIBRARY} by {error:.3g}")
    if refused:
        print("REFUSED:", "; ".join(refused), flush=True)
    if refused and n_agree == 1:
        raise AssertionError(f"nobody agrees with {LIBRARY}")
    return good


def interleaved(
    contenders: list[Contender], threads: list[int], repeats: int
) -> dict[tuple[str, int], list[float]]:
    """Seconds per call by name and number of threads: every contender once, then all again, so
    that a drift of the machine hits all alike. Each measurement follows a call that is not timed,
    which wakes the threads and fills the caches with the contender's own data."""
    cases = [
        (contender, num_threads)
        for num_threads in threads
        for contender in contenders
        if contender.parallel or num_threads == threads[0]
    ]
    times = {(contender.name, num_threads): [] for contender, num_threads in cases}
    for _ in range(repeats):
        for contender, num_threads in cases:
            contender.set_threads(num_threads)
            time.sleep(SETTLE_SECONDS)
            times[contender.name, num_threads].append(_seconds_per_call(contender, num_threads))
    for contender in contenders:
        for num_threads in threads:
            times.setdefault((contender.name, num_threads), times[contender.name, threads[0]])
    return times


def _seconds_per_call(contender: Contender, num_threads: int) -> float:
    warm_up = seconds_of(lambda: contender.predict(num_threads))
    n_calls = max(1, round(MEASURED_SECONDS / warm_up))
    start = time.perf_counter()
    for _ in range(n_calls):
        contender.predict(num_threads)
    return (time.perf_counter() - start) / n_calls


def measure(contenders: list[Contender], threads: list[int], repeats: int, n_rows: int) -> list[dict]:
    """Check, time and describe: one record for each contender and number of threads."""
    good = agreeing(contenders, threads[-1])
    times = interleaved(good, threads, repeats)
    parallel = {contender.name: contender.parallel for contender in good}
    return [
        {
            "contender": name,
            "threads": num_threads,
            "threads_used": num_threads if parallel[name] else 1,
            "ms": 1e3 * statistics.median(seconds),
            "best_ms": 1e3 * min(seconds),
            "worst_ms": 1e3 * max(seconds),
            "rows_per_s": n_rows / statistics.median(seconds),
        }
        for (name, num_threads), seconds in times.items()
    ]
