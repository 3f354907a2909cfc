"""What the library is meant to reach, on a machine of two cores with 32 MB of cache or less."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from .contenders import PEERS
from .results import Results

ANY_VALUES = "scipy", "numba", "torch"
ONE_HOT = (*ANY_VALUES, "torch-onehot")
MEMORY_BYTES, MEMORY_BYTES_PER_THREAD = 1_000_000, 64_000


@dataclass(frozen=True)
class Target:
    """A figure and its bound: a lower one, or with ``at_most`` an upper one."""

    what: str
    figure: Callable[[Results], float | None]
    bound: float
    at_most: bool = False
    unit: str = "x"

    def holds(self, figure: float) -> bool:
        return figure <= self.bound if self.at_most else figure >= self.bound


def _faster(workload: str, model: str, k: int, threads: int, peers: tuple, bound: float) -> Target:
    who = peers[0] if len(peers) == 1 else "best of " + ", ".join(peers)
    return Target(
        f"{model} {workload} k={k}, threads {threads}: speed over {who}",
        lambda results: results.times_as_fast((workload, model, k), threads, peers),
        bound,
    )


def _limit_share(k: int, threads: int) -> Target:
    return Target(
        f"FM W1 k={k}, threads {threads}: share of the limit",
        lambda results: results.times_as_fast(("W1", "FM", k), threads, ["limit"]),
        0.8,
    )


def _scaling(workload: str, model: str, k: int) -> Target:
    return Target(
        f"{model} {workload} k={k}: threads 1 -> 2",
        lambda results: results.scaling((workload, model, k)),
        1.7,
    )


def _latency(call: str, bound: float) -> Target:
    return Target(f"{call}, k=16: p50", lambda results: results.p50_us(call), bound, True, "us")


def _gradient(threads: int) -> Target:
    return Target(
        f"gradient over predict, FM W1 k=16, threads {threads}: time",
        lambda results: results.times_predict(("W1", "FM", 16), threads, "gradient"),
        4,
        at_most=True,
    )


def _memory(workload: str, model: str, k: int, threads: int) -> Target:
    return Target(
        f"{model} {workload} k={k}, threads {threads}: peak memory of predict",
        lambda results: results.peak_bytes((workload, model, k), threads),
        MEMORY_BYTES + threads * MEMORY_BYTES_PER_THREAD,
        at_most=True,
        unit="bytes",
    )


FM_BOUNDS = {8: 1.7, 16: 2.0, 64: 2.2}
FFM_PROBLEMS = [(workload, "FFM", k) for workload in ("W1", "W4") for k in (4, 8)]
MEMORY_CASES = [("W1", "FM", 16), ("W1", "FFM", 4), ("W4", "FFM", 4)]
TARGETS = [
    Target(
        "all that was measured: speed over the best peer, where it is least",
        lambda results: results.least_times_as_fast(PEERS),
        1,
    ),
    *(
        _faster("W1", "FM", k, threads, peers, bound)
        for peers in (ANY_VALUES, ONE_HOT)
        for k, bound in FM_BOUNDS.items()
        for threads in (1, 2)
    ),
    *(_faster("W1", "FM", k, 2, ("modern-fm",), 6) for k in FM_BOUNDS),
    *(_limit_share(k, threads) for k in FM_BOUNDS for threads in (1, 2)),
    *(_faster("W1", "FFM", k, threads, ("numba",), 1.8) for k in (4, 8) for threads in (1, 2)),
    *(
        _faster("W1", "FFM", k, threads, ("modern-fm",), bound)
        for k in (4, 8)
        for threads, bound in ((1, 3), (2, 5))
    ),
    *(_faster("W4", "FFM", k, threads, ("numba",), 8) for k in (4, 8) for threads in (1, 2)),
    _latency("fastfm_c predict_row", 2),
    _latency("fastfm_c predict, CSR", 6),
    *(_gradient(threads) for threads in (1, 2)),
    *(_scaling(*problem) for problem in [("W1", "FM", k) for k in FM_BOUNDS] + FFM_PROBLEMS),
    Target(
        "gradient, FM W1 k=16: threads 1 -> 2",
        lambda results: results.scaling(("W1", "FM", 16), "gradient"),
        1.7,
    ),
    *(_memory(*case, threads) for case in MEMORY_CASES for threads in (1, 2)),
]
