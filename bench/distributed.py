"""``python -m bench distributed``: shards beside one machine, on W1 and on a click set in parquet files.

Quality: the log-loss of the test rows by rounds, for one machine and for 4 and 16 shards with one merge a
round; W1 is divided anew for each seed. Exact: the objective after 20 iterations of L-BFGS. Speed: two
workers and two shards of W1; a round is compared with its slower shard's own time, and with what that shard
moves. Files: the same questions about a click set that is made once, each file from a seed of its own. Its
shards read their files in every round.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from fastfm_c import FM, AdaGrad, LogisticLoss
from fastfm_c import train as train_alone
from fastfm_c.distributed import Delta, expected_of, local_update, train, train_on

from .report import print_table
from .workloads import Split, load, rows_of_ones, zipf_ranks

LOSS = LogisticLoss()
K, INIT = 8, 0.05
TRAINING = {"learning_rate": 0.03, "batch_size": 2048}
SEEDS, SHARDS, EPOCHS, ROUNDS = (0, 11, 12), (4, 16), 2, 5
ITERATIONS, L2 = 20, 1e-7
QUICK_ROWS, SPEED_ROUNDS, WORKERS = 5_000, 8, (1, 2)
# What a round may take beside the time of its slower shard: three times the bytes of that shard, and this.
BYTES_A_SECOND, FIXED_SECONDS = 1e9, 0.020
CLICK_FIELDS, CLICK_VALUES, CLICK_FACTORS, FILE_ROWS = 20, 50_000, 4, 500_000
FILE_ROUNDS, FILE_SHARDS = 3, 4


def run_distributed(options: argparse.Namespace) -> dict:
    """Prints the tables; returns the figures."""
    splits = [load(f"W1_{part}", options.data) for part in ("train", "test")]
    if options.quick:
        splits = [split.head(QUICK_ROWS) for split in splits]
    seeds = SEEDS[:1] if options.quick else SEEDS
    figures = {"quality": quality(*splits, seeds), "exact": exact(splits[0])}
    X, y = zip(*shards_of(splits[0], 2, 0), strict=True)
    figures["speed"] = speed(X, y, splits[0].X.shape[1], SPEED_ROUNDS)
    rows = options.click_rows or (20_000 if options.quick else 20_000_000)
    figures["files"] = files(options.data / f"clicks_{rows}", rows)
    print(json.dumps({name: figure for name, figure in figures.items() if name != "quality"}, indent=1))
    return figures


def shards_of(split: Split, n_shards: int, seed: int) -> list[tuple[sp.csr_matrix, np.ndarray]]:
    order = np.random.default_rng(1000 + seed).permutation(split.X.shape[0])
    return [(split.X[np.sort(part)], split.y[np.sort(part)]) for part in np.array_split(order, n_shards)]


def quality(train_rows: Split, test_rows: Split, seeds: tuple[int, ...]) -> list[dict]:
    """The validation losses by rounds of each seed and number of shards; the lowest counts."""
    records, test = [], (test_rows.X, test_rows.y)
    for seed in seeds:
        start = FM.random(train_rows.X.shape[1], K, init_stdev=INIT, rng=seed)
        model = start.copy()
        alone = train_alone(
            model, train_rows.X, train_rows.y, LOSS, max_iter=EPOCHS, eval_set=test, rng=seed, **TRAINING
        )
        records.append({"seed": seed, "shards": 1, "losses": alone.validation})
        for n_shards in SHARDS:
            model, parts = start.copy(), shards_of(train_rows, n_shards, seed)
            history = train(model, parts, LOSS, max_iter=ROUNDS, eval_set=[test], rng=seed, **TRAINING)
            records.append({"seed": seed, "shards": n_shards, "losses": history.validation})
    best = {n: [min(r["losses"]) for r in records if r["shards"] == n] for n in (1, *SHARDS)}
    table = [
        [
            f"{n}",
            f"{statistics.mean(best[n]):.4f}",
            f"{statistics.mean(a - b for a, b in zip(best[n], best[1], strict=True)):+.4f}",
            " ".join(f"{loss:.4f}" for loss in next(r["losses"] for r in records if r["shards"] == n)),
        ]
        for n in best
    ]
    header = ["shards", "best log-loss", "to one machine", f"by rounds, seed {seeds[0]}"]
    print_table(f"W1, mean of {len(seeds)} seeds, one merge a round", header, table)
    return records


def exact(split: Split) -> list[dict]:
    """The objective that L-BFGS comes to on one machine, and over 4 shards from the same start."""
    options = {"solver": "lbfgs", "max_iter": ITERATIONS, "l2_linear": L2, "l2_factors": L2}
    records = []
    for dtype in "float64", "float32":
        model = FM.random(split.X.shape[1], K, init_stdev=INIT, rng=0, dtype=dtype)
        alone = train_alone(model.copy(), split.X, split.y, LOSS, **options).loss[-1]
        found = train(model, shards_of(split, SHARDS[0], 0), LOSS, **options).loss[-1]
        records.append({"dtype": dtype, "alone": alone, "shards": found, "relative": abs(found / alone - 1)})
    table = [
        [r["dtype"], f"{r['alone']:.12f}", f"{r['shards']:.12f}", f"{r['relative']:.1e}"] for r in records
    ]
    header = ["dtype", "one machine", f"{SHARDS[0]} shards", "relative difference"]
    print_table(f"L-BFGS, objective after {ITERATIONS} iterations", header, table)
    return records


def timed_update(*arguments: object) -> Delta:
    """`local_update`, with the seconds that it took, the bytes that it answers and who did it."""
    begin = time.perf_counter()
    delta = local_update(*arguments)
    numbers = {"seconds": time.perf_counter() - begin, "bytes": delta.nbytes, "process": os.getpid()}
    delta.totals.update({f"{name} {arguments[1].index}": np.array(float(x)) for name, x in numbers.items()})
    return delta


def speed(X: Sequence, y: Sequence | None, n_features: int, n_rounds: int) -> dict:
    """Seconds and bytes of a round on Dask, by workers; X and y are those of `fastfm_c.dask.train`."""
    try:
        from distributed import Client, LocalCluster

        from fastfm_c.dask._collections import shards_of as shards_of_dask
        from fastfm_c.dask._engine import Cluster
    except ImportError:
        print("dask is not installed: pip install 'fastfm_c[dask]'")
        return {}

    class Measured(Cluster):
        def total(self, function: object, *arguments: object) -> Delta:
            is_round = function is local_update
            delta = super().total(timed_update if is_round else function, *arguments)
            if is_round:
                seen.append({name: float(x) for name, x in delta.totals.items() if " " in name})
            return delta

    figures: dict = {}
    for n_workers in WORKERS:
        seen: list[dict] = []
        options = {"n_workers": n_workers, "threads_per_worker": 1, "memory_limit": 0}
        with (
            LocalCluster(dashboard_address=":0", **options) as cluster,
            Client(cluster, direct_to_workers=True) as client,
        ):
            model = FM.random(n_features, K, init_stdev=INIT, rng=0)
            expected = expected_of(model, LOSS, 1)
            engine = Measured(client, shards_of_dask(X, y, None, None, None, expected), [])
            history = train_on(engine, model, LOSS, False, 1, max_iter=n_rounds, **TRAINING)
        state = model.nbytes + AdaGrad(model, LOSS).nbytes
        figures[f"{n_workers} workers"] = _round_figures(history.seconds, seen, state, n_workers)
    return figures


def _round_figures(seconds: list[float], seen: list[dict], state: int, n_workers: int) -> dict:
    """Medians, without the first round, in which the workers load what they need."""
    own, of_shard, moved = [], [], []
    for numbers in seen[1:]:
        times, sent, processes = (
            [numbers[f"{name} {shard}"] for shard in range(len(numbers) // 3)]
            for name in ("seconds", "bytes", "process")
        )
        own.append(max(np.bincount(np.unique(processes, return_inverse=True)[1], times)))
        of_shard.append(state + max(sent))
        moved.append(state * n_workers + sum(sent))
    overhead = [a - b for a, b in zip(seconds[1:], own, strict=True)]
    allowed = [3 * n / BYTES_A_SECOND + FIXED_SECONDS for n in of_shard]
    return {
        "seconds a round": statistics.median(seconds[1:]),
        "of them the slower worker's shards": statistics.median(own),
        "bytes moved": statistics.median(moved),
        "overhead": statistics.median(overhead),
        "allowed": statistics.median(allowed),
        "rounds within": f"{sum(a <= b for a, b in zip(overhead, allowed, strict=True))} of {len(own)}",
    }


def files(folder: Path, n_rows: int) -> dict:
    """Out of core: every round reads its shards from parquet files."""
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        print("pyarrow is not installed: no parquet files")
        return {}
    begin = time.perf_counter()
    paths = make_clicks(folder, n_rows)
    figures = {"files": len(paths), "bytes": sum(path.stat().st_size for path in paths)}
    figures["seconds to make them"] = time.perf_counter() - begin
    n_held_out = max(1, len(paths) // 20)
    kept, held_out = paths[:-n_held_out], read_clicks(paths[-n_held_out:])
    start = FM.random(CLICK_FIELDS * CLICK_VALUES, K, init_stdev=INIT, rng=0)
    alone = train_alone(
        start.copy(), *read_clicks(kept), LOSS, max_iter=FILE_ROUNDS, eval_set=held_out, rng=0, **TRAINING
    )
    histories = {"one machine": alone}
    for n_shards in SHARDS:
        readers = [partial(read_clicks, list(part)) for part in np.array_split(np.array(kept), n_shards)]
        histories[f"{n_shards} shards"] = train(
            start.copy(), readers, LOSS, max_iter=FILE_ROUNDS, eval_set=[held_out], **TRAINING
        )
    table = [
        [name, " ".join(f"{loss:.4f}" for loss in h.validation), f"{statistics.median(h.seconds):.0f}"]
        for name, h in histories.items()
    ]
    print_table(f"{n_rows:,} clicks in files", ["", "log-loss by rounds", "seconds a round"], table)
    readers = [partial(read_clicks, list(part)) for part in np.array_split(np.array(kept), FILE_SHARDS)]
    figures |= {name: h.validation for name, h in histories.items()}
    return figures | speed(readers, None, start.n_features, FILE_ROUNDS)


def make_clicks(folder: Path, n_rows: int) -> list[Path]:
    """Files of clicks: each from its own seed, so that any of them can be made again alone."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    size = min(FILE_ROWS, max(1, n_rows // 40))
    planted = np.random.default_rng(1)
    w = planted.normal(0, 0.3, (CLICK_FIELDS, CLICK_VALUES))
    V = planted.normal(0, 0.2, (CLICK_FIELDS, CLICK_VALUES, CLICK_FACTORS))
    for index, begin in enumerate(range(0, n_rows, size)):
        path = folder / f"{index:04}.parquet"
        paths.append(path)
        if path.exists():
            continue
        rng, n = np.random.default_rng([7, index]), min(size, n_rows - begin)
        values = [zipf_ranks(rng, CLICK_VALUES, 1.1, n).astype(np.int32) for _ in range(CLICK_FIELDS)]
        scores = sum(w[field][value] for field, value in enumerate(values)) - 1
        factors = [V[field][value] for field, value in enumerate(values)]
        scores += (np.sum(sum(factors) ** 2, 1) - sum(np.sum(part**2, 1) for part in factors)) / 2
        columns = {f"c{field}": value for field, value in enumerate(values)}
        columns["y"] = (rng.random(n) < 1 / (1 + np.exp(-scores))).astype(np.int8)
        unfinished = path.with_suffix(".part")
        pq.write_table(pa.table(columns), unfinished)
        unfinished.replace(path)
    return paths


def read_clicks(paths: list[Path]) -> tuple[sp.csr_array, np.ndarray]:
    import pyarrow.parquet as pq

    tables = [pq.read_table(path) for path in paths]
    columns = np.empty((sum(len(table) for table in tables), CLICK_FIELDS), np.int32)
    for field in range(CLICK_FIELDS):
        columns[:, field] = np.concatenate([table[f"c{field}"].to_numpy() for table in tables])
        columns[:, field] += field * CLICK_VALUES
    y = np.concatenate([table["y"].to_numpy() for table in tables])
    return rows_of_ones(columns, CLICK_FIELDS * CLICK_VALUES), y.astype(np.float32)
