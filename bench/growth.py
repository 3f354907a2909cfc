"""``python -m bench growth``: how cost grows with values in a row, factors, rows and threads, as a picture.

Each curve changes one number; the others are those of BASE. The rows are random columns of N_FEATURES, so V
is larger than most caches. A point is the least time of some calls. The picture is
docs/performance/growth.svg; ``--quick`` draws none.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from fastfm_c import FFM, FM, AdaGrad, LogisticLoss

from .machine import cores
from .report import print_table
from .timing import least_seconds

PICTURE = Path(__file__).resolve().parent.parent / "docs" / "performance" / "growth.svg"
N_FEATURES, N_FIELDS, N_CALLS = 2**17, 16, 3
BASE = {"values": 32, "factors": 16, "rows": 5000, "threads": 1}
ENOUGH_FOR_THREADS = {"rows": 50_000}
CURVES = {
    "values": [4, 8, 16, 32, 64, 128, 256],
    "factors": [1, 2, 4, 8, 16, 32, 64, 128],
    "rows": [100, 1000, 10_000, 100_000],
    "threads": [],  # 1, 2, 4, ... those of the machine
}
QUICK = {"values": [4, 8], "factors": [1, 8], "rows": [100, 1000], "threads": [1]}
LABELS = {
    "values": "values in a row",
    "factors": "factors k",
    "rows": "rows",
    "threads": "threads",
}


def run_growth(options: argparse.Namespace) -> list[dict]:
    """Print a table for each curve, and draw all; returns the points."""
    curves = QUICK if options.quick else CURVES | {"threads": thread_counts(options.cores or cores())}
    points = []
    for name, numbers in curves.items():
        base = BASE | (ENOUGH_FOR_THREADS if name == "threads" and not options.quick else {})
        found = [{"curve": name, "at": number, **measured(base | {name: number})} for number in numbers]
        works = [key for key in found[0] if key not in ("curve", "at")]
        rows = [[str(p["at"]), *(f"{1e3 * p[work]:.3f}" for work in works)] for p in found]
        print_table(f"milliseconds by {LABELS[name]}", ["", *works], rows)
        points += found
    if not options.quick:
        draw(points, PICTURE)
    return points


def thread_counts(most: int) -> list[int]:
    return [*(2**i for i in range(20) if 2**i < most), most]


def measured(sizes: dict[str, int]) -> dict[str, float]:
    """Seconds of predicting the rows with FM, and an FFM of k / 4 factors, and of learning them once."""
    X, y = random_rows(sizes["rows"], sizes["values"])
    fm = FM.random(N_FEATURES, sizes["factors"], rng=0)
    ffm = FFM.random(fields=np.arange(N_FEATURES) % N_FIELDS, n_factors=-(-sizes["factors"] // 4), rng=0)
    threads = sizes["threads"]
    solver = AdaGrad(fm.copy(), LogisticLoss(), rng=0, num_threads=threads)
    out = np.empty(len(y), np.float32)

    def best(call: Any) -> float:
        call()
        return least_seconds(call, N_CALLS)

    return {
        "FM.predict": best(lambda: fm.predict(X, out=out, num_threads=threads)),
        "FFM.predict, k / 4": best(lambda: ffm.predict(X, out=out, num_threads=threads)),
        "AdaGrad.partial_fit, FM": best(lambda: solver.partial_fit(X, y)),
    }


def random_rows(n_rows: int, n_values: int) -> tuple[sp.csr_array, np.ndarray]:
    rng = np.random.default_rng(n_values)
    X = sp.csr_array((n_rows, N_FEATURES), dtype=np.float32)
    X.indices = rng.integers(N_FEATURES, size=n_rows * n_values, dtype=np.int32)
    X.indptr = np.arange(0, n_rows * n_values + 1, n_values, dtype=np.int32)
    X.data = np.ones(n_rows * n_values, np.float32)
    return X, rng.integers(2, size=n_rows).astype(np.float32)


def draw(points: list[dict], path: Path) -> None:
    """One panel for each curve, the same bytes for the same points."""
    import matplotlib

    matplotlib.use("svg")
    import matplotlib.pyplot as plt

    options = {"svg.hashsalt": "growth", "svg.fonttype": "none", "font.size": 9}
    with plt.rc_context(options):
        figure, panels = plt.subplots(2, 2, figsize=(8, 6), layout="constrained")
        for axes, (name, label) in zip(panels.flat, LABELS.items(), strict=True):
            found = [point for point in points if point["curve"] == name]
            at = [point["at"] for point in found]
            for work, mark in zip(list(found[0])[2:], "os^", strict=True):
                axes.loglog(at, [1e3 * point[work] for point in found], mark + "-", label=work)
            first = 1e3 * found[0]["FM.predict"]
            growth = [first * (n / at[0]) ** (-1 if name == "threads" else 1) for n in at]
            axes.loglog(at, growth, ":", color="gray", label="in proportion")
            axes.set_xlabel(label)
            axes.set_ylabel("milliseconds")
            axes.set_xticks(at, [f"{n:,}" for n in at])
            axes.minorticks_off()
        panels[0, 0].legend()
        figure.savefig(path, metadata={"Date": None})
        plt.close(figure)
