"""Prints the tables of a run, and compares it with an older one."""

from __future__ import annotations

from .contenders import LIBRARY, LIMIT
from .results import Results
from .targets import TARGETS

STEPS = "objective", "gradient"
SLOWER_IS_WORSE = 1.10


def print_table(title: str, header: list[str], rows: list[list[str]]) -> None:
    """Columns as wide as their longest cell; the first one to the left, the others to the right."""
    if not rows:
        return
    lines = [header, *rows]
    widths = [max(len(line[c]) for line in lines) for c in range(len(header))]
    print(f"\n{title}")
    for line in lines:
        cells = [cell.rjust(width) for cell, width in zip(line[1:], widths[1:], strict=True)]
        print("  " + "  ".join([line[0].ljust(widths[0]), *cells]), flush=True)


def print_problem(records: list[dict], title: str) -> None:
    """One problem: milliseconds, and for everybody else the library's speed over theirs."""
    threads = sorted({record["threads"] for record in records})
    by_case = {(record["contender"], record["threads"]): record for record in records}
    rows = []
    for name in dict.fromkeys(record["contender"] for record in records):
        row = [name]
        for n in threads:
            record, library = by_case[name, n], by_case[LIBRARY, n]
            row.append(f"{record['ms']:.2f}" + ("" if record["threads_used"] == n else " *"))
            row.append(f"{record['best_ms']:.2f}-{record['worst_ms']:.2f}")
            row.append("-" if name in STEPS else f"{record['rows_per_s'] / 1e6:.2f}")
            row.append(_relation(name, record["ms"] / library["ms"]))
        rows.append([*row, _scaling(by_case.get((name, 1)), by_case.get((name, 2)))])
    header = [""]
    for n in threads:
        header += [f"ms ({n} thr)", "range", "M rows/s", "fastfm_c is"]
    print_table(title, [*header, "1->2 thr"], rows)


def _scaling(one: dict | None, two: dict | None) -> str:
    measured = one and two and two["threads_used"] == 2
    return f"{one['ms'] / two['ms']:.2f}" if measured else "-"


def _relation(name: str, times: float) -> str:
    if name == LIBRARY:
        return ""
    if name == LIMIT:
        return f"{100 * times:.0f} % of it"
    return f"takes {times:.2f} x" if name in STEPS else f"{times:.2f} x"


def print_single_row(results: Results) -> None:
    rows = [
        [r["call"], f"{r['p50_us']:.2f}", f"{r['p99_us']:.2f}", str(r["calls"])] for r in results.single_row
    ]
    print_table("One row, FM W1 k=16, 39 non-zeros", ["", "p50 us", "p99 us", "calls"], rows)


def print_memory(results: Results) -> None:
    rows = [
        ["{model} {workload} k={k}".format(**r), str(r["threads"]), _number(r["bytes"], "bytes")]
        for r in results.memory
    ]
    print_table("Peak memory of predict beyond inputs and output", ["", "threads", "bytes"], rows)


def print_targets(results: Results) -> None:
    rows = [[t["what"], t["measured"], t["target"], t["holds"]] for t in target_records(results)]
    print_table("Targets", ["", "measured", "target", "holds"], rows)


def target_records(results: Results) -> list[dict]:
    """Each target with what was measured; those that this run did not measure are left out."""
    records = []
    for target in TARGETS:
        figure = target.figure(results)
        if figure is not None:
            sign = "<=" if target.at_most else ">="
            records.append(
                {
                    "what": target.what,
                    "measured": _number(figure, target.unit),
                    "target": f"{sign} {_number(target.bound, target.unit)}",
                    "holds": "yes" if target.holds(figure) else "NO",
                }
            )
    return records


def _number(figure: float | None, unit: str) -> str:
    if figure is None:
        return "-"
    return f"{figure:,} bytes" if unit == "bytes" else f"{figure:.2f} {unit}"


def print_comparison(old: dict, new: dict) -> bool:
    """The library's times over those of an older run; returns whether none is 10 % slower."""
    before, now = _library_times(old), _library_times(new)
    ratios = {case: now[case] / before[case] for case in now if case in before}
    rows = [
        [case, f"{before[case]:.2f}", f"{now[case]:.2f}", f"{ratio:.2f}" + _mark(ratio)]
        for case, ratio in ratios.items()
    ]
    print_table("Against the older run (ms, us for one row)", ["", "old", "new", "new / old"], rows)
    return all(ratio <= SLOWER_IS_WORSE for ratio in ratios.values())


def _mark(ratio: float) -> str:
    return " SLOWER" if ratio > SLOWER_IS_WORSE else ""


def _library_times(run: dict) -> dict[str, float]:
    times = {
        "{model} {workload} k={k}, {threads} thr: {contender}".format(**record): record["ms"]
        for record in run["predict"]
        if record["contender"] in (LIBRARY, *STEPS)
    }
    one_row = {r["call"]: r["p50_us"] for r in run["single_row"] if r["call"].startswith(LIBRARY)}
    return times | one_row
