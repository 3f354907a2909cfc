"""``python -m bench encode``: FieldEncoder beside scikit-learn's OneHotEncoder, and `encode_row`."""

from __future__ import annotations

import argparse
import time
from statistics import median
from typing import Any

import numpy as np

from fastfm_c import FieldEncoder

from .timing import seconds_of

ROWS, QUICK_ROWS, CALLS = 1_000_000, 50_000, 20_000
LOW, HIGH, NUMBERS = (2, 5, 7, 9, 15, 16, 42), (1_000, 30_000, 200_000), (17, 74, 94, 120)


def columns(n_rows: int) -> dict[str, np.ndarray]:
    """Fourteen columns: strings with few and with many values (Zipf), and small integers."""
    rng = np.random.default_rng(0)
    made = {}
    for size in LOW + HIGH:
        names = np.array([f"value {i} of {size}" for i in range(size)], object)
        draws = rng.zipf(1.2, n_rows) % size if size in HIGH else rng.integers(0, size, n_rows)
        made[f"s{size}"] = names[draws]
    for size in NUMBERS:
        made[f"n{size}"] = rng.integers(0, size, n_rows)
    return made


def tables(made: dict[str, np.ndarray]) -> dict[str, Any]:
    """The same table in every form."""
    import pandas as pd
    import polars as pl
    import pyarrow as pa

    strings = [name for name in made if name.startswith("s")]
    frame = pd.DataFrame(made).astype(dict.fromkeys(strings, object))
    polars = pl.DataFrame(made)
    return {
        "pandas object": frame,
        "pandas str": frame.astype(dict.fromkeys(strings, "str" if pd.__version__ >= "3" else "string")),
        "pandas category": frame.astype("category"),
        "polars String": polars,
        "polars Categorical": polars.with_columns(pl.col(strings).cast(pl.Categorical)),
        "pyarrow": pa.table(made),
    }


def _agree(ours: Any, names: np.ndarray, theirs: Any) -> bool:
    """Whether the known features are the same; theirs are in the same order, without the unknown ones."""
    known = [j for j, name in enumerate(names) if not name.endswith("=<unknown>")]
    return (ours[:, known] != theirs).nnz == 0


def _measure(name: str, table: Any, repeats: int) -> dict[str, Any]:
    from sklearn.preprocessing import OneHotEncoder

    peer_table = table.to_pandas() if name == "pyarrow" else table  # scikit-learn reads no pyarrow
    ours = FieldEncoder(dict.fromkeys(list(peer_table.columns), "categorical"))
    theirs = OneHotEncoder(handle_unknown="ignore", dtype=np.float32)
    times: dict[str, list[float]] = {"fit": [], "transform": [], "peer fit": [], "peer transform": []}
    for _ in range(repeats):
        times["fit"].append(seconds_of(lambda: ours.fit(table)))
        times["transform"].append(seconds_of(lambda: ours.transform(table)))
        times["peer fit"].append(seconds_of(lambda: theirs.fit(peer_table)))
        times["peer transform"].append(seconds_of(lambda: theirs.transform(peer_table)))
    if not _agree(ours.transform(table), ours.get_feature_names_out(), theirs.transform(peer_table)):
        raise SystemExit(f"{name}: FieldEncoder and OneHotEncoder differ")
    for who in ("", "peer "):
        pairs = zip(times[f"{who}fit"], times[f"{who}transform"], strict=True)
        times[f"{who}both"] = [a + b for a, b in pairs]
    record: dict[str, Any] = {key: median(values) for key, values in times.items()}
    for what in ("fit", "transform", "both"):
        record[f"{what} ratio"] = median(
            a / b for a, b in zip(times[what], times[f"peer {what}"], strict=True)
        )
    return {"table": name, **record}


def _one_row(made: dict[str, np.ndarray]) -> dict[str, float]:
    """Microseconds of `encode_row`, each call on another row, for 14 categorical fields."""
    rows = [dict(zip(made, values, strict=True)) for values in zip(*made.values(), strict=True)]
    encoder = FieldEncoder(dict.fromkeys(made, "categorical")).fit(rows)
    clock, encode, times = time.perf_counter_ns, encoder.encode_row, []
    for row in rows[:CALLS]:
        start = clock()
        encode(row)
        times.append(clock() - start)
    p50, p99 = np.percentile(times, [50, 99]) / 1000
    return {"p50": float(p50), "p99": float(p99)}


def run_encode(options: argparse.Namespace) -> dict[str, Any]:
    """Prints a table and returns its figures."""
    made = columns(QUICK_ROWS if options.quick else ROWS)
    repeats = 3 if options.quick else options.repeats
    results = []
    n_rows = len(next(iter(made.values())))
    print(f"{n_rows:,} rows, {len(made)} columns; seconds, and as a share of OneHotEncoder's")
    print(f"{'table':<20}{'fit':>8}{'share':>8}{'transform':>12}{'share':>8}{'both':>8}")
    for name, table in tables(made).items():
        results.append(r := _measure(name, table, repeats))
        fit, transform = f"{r['fit']:8.3f}{r['fit ratio']:8.2f}", f"{r['transform']:12.3f}"
        print(f"{name:<20}{fit}{transform}{r['transform ratio']:8.2f}{r['both ratio']:8.2f}", flush=True)
    row = _one_row({name: values[:CALLS].tolist() for name, values in made.items()})
    print(f"encode_row: p50 {row['p50']:.2f} us, p99 {row['p99']:.2f} us")
    return {"tables": results, "encode_row": row}
