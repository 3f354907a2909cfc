"""The records of a run, and how to find a figure in them."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from .contenders import LIBRARY


@dataclass
class Results:
    """``predict``: a record for each problem, contender and number of threads; ``single_row``: for
    each way of calling; ``memory``: for each case and number of threads."""

    predict: list[dict] = field(default_factory=list)
    single_row: list[dict] = field(default_factory=list)
    memory: list[dict] = field(default_factory=list)

    def ms(self, problem: tuple, threads: int, contender: str = LIBRARY) -> float | None:
        """Milliseconds per call; ``problem`` is (workload, model, k)."""
        for r in self.predict:
            if (r["workload"], r["model"], r["k"]) == problem and (
                (r["threads"], r["contender"]) == (threads, contender)
            ):
                return r["ms"]
        return None

    def times_as_fast(self, problem: tuple, threads: int, peers: Iterable[str]) -> float | None:
        """The library's speed over that of the fastest of the peers that were measured."""
        theirs = [self.ms(problem, threads, peer) for peer in peers]
        return _ratio(min((ms for ms in theirs if ms), default=None), self.ms(problem, threads))

    def least_times_as_fast(self, peers: Iterable[str]) -> float | None:
        """``times_as_fast`` where it is least, of all that was measured."""
        cases = {((r["workload"], r["model"], r["k"]), r["threads"]) for r in self.predict}
        ratios = [self.times_as_fast(*case, peers) for case in cases]
        return min((ratio for ratio in ratios if ratio), default=None)

    def times_predict(self, problem: tuple, threads: int, step: str) -> float | None:
        return _ratio(self.ms(problem, threads, step), self.ms(problem, threads))

    def scaling(self, problem: tuple, contender: str = LIBRARY) -> float | None:
        return _ratio(self.ms(problem, 1, contender), self.ms(problem, 2, contender))

    def p50_us(self, call: str) -> float | None:
        return next((r["p50_us"] for r in self.single_row if r["call"] == call), None)

    def peak_bytes(self, problem: tuple, threads: int) -> int | None:
        for r in self.memory:
            if (r["workload"], r["model"], r["k"], r["threads"]) == (*problem, threads):
                return r["bytes"]
        return None


def _ratio(a: float | None, b: float | None) -> float | None:
    return a / b if a and b else None
