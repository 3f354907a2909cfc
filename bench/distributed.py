"""``python -m bench distributed``: shards beside one machine, on W1 and on a click set in parquet files.

Quality: the log-loss of the test rows by rounds, for one machine and for 4 and 16 shards with one merge a
round; W1 is divided anew for each seed. Speed: two workers and two shards of W1; a round is compared with
its slower shard's own time, and with what it moves. Files: a click set that is made once, row by row from a
seed, and never in memory as a whole.
"""

from __future__ import annotations

import argparse
import json
import statistics
import time
from functools import partial
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from fastfm_c import FM, LogisticLoss
from fastfm_c import train as train_alone
from fastfm_c.distributed import State, local_update, train
from fastfm_c.distributed import _rounds as rounds

from .report import print_table
from .workloads import Split, load, zipf_ranks

LOSS = LogisticLoss()
K, INIT = 8, 0.05
TRAINING = {"learning_rate": 0.03, "batch_size": 2048}
SEEDS, SHARDS, EPOCHS, ROUNDS = (0, 11, 12), (4, 16), 2, 5
QUICK_ROWS, SPEED_ROUNDS, WORKERS = 5_000, 8, (1, 2)
BYTES_A_SECOND, FIXED_SECONDS = (
    1e9,
    0.020,
)  # what a round may take beside its slower shard: three times its bytes
CLICK_FIELDS, CLICK_VALUES, FILE_ROWS = 20, 50_000, 500_000


def run_distributed(options: argparse.Namespace) -> dict:
    """Prints the tables; returns the figures."""
    splits = [load(f"W1_{part}", options.data) for part in ("train", "test")]
    if options.quick:
        splits = [split.head(QUICK_ROWS) for split in splits]
    seeds = SEEDS[:1] if options.quick else SEEDS
    figures = {"quality": quality(*splits, seeds)}
    figures["speed"] = speed(splits[0])
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


class Timed:
    """`local_update`, which writes how long it took and how much it sends beside the loss."""

    __name__ = "local_update"

    def __call__(self, *arguments: object) -> object:
        begin = time.perf_counter()
        delta = local_update(*arguments)
        seconds = np.array(time.perf_counter() - begin)
        delta.totals.update({f"seconds {arguments[1].index}": seconds, "sent": np.array(float(delta.nbytes))})
        return delta


def speed(split: Split) -> dict:
    """Seconds and bytes of a round on Dask with 1 and 2 workers, two shards."""
    try:
        import dask
        from distributed import Client, LocalCluster

        from fastfm_c import dask as on_dask
    except ImportError:
        print("dask is not installed: pip install 'fastfm_c[dask]'")
        return {}
    parts = shards_of(split, 2, 0)
    X, y = ([dask.delayed(part, pure=False) for part in column] for column in zip(*parts, strict=True))
    figures: dict = {"rows": split.X.shape[0]}
    original = rounds.local_update
    for n_workers in WORKERS:
        seen: list[dict] = []
        total = rounds.AveragedRounds._apply

        def see(self: object, delta: object, total: object = total, seen: list = seen) -> None:
            seen.append(
                {name: float(delta.totals[name]) for name in delta.totals if delta.totals[name].ndim == 0}
            )
            total(self, delta)

        rounds.local_update, rounds.AveragedRounds._apply = Timed(), see
        try:
            with (
                LocalCluster(n_workers=n_workers, threads_per_worker=1, dashboard_address=":0") as cluster,
                Client(cluster, direct_to_workers=True) as client,
            ):
                model = FM.random(split.X.shape[1], K, init_stdev=INIT, rng=0)
                state = State.of(model, LOSS).nbytes * 2  # with as many accumulators
                history = on_dask.train(model, X, y, LOSS, client=client, max_iter=SPEED_ROUNDS, **TRAINING)
        finally:
            rounds.local_update, rounds.AveragedRounds._apply = original, total
        figures[f"{n_workers} workers"] = _round_figures(history.seconds, seen, state, n_workers)
    return figures


def _round_figures(seconds: list[float], seen: list[dict], state: int, n_workers: int) -> dict:
    """Medians, without the first round, in which the workers load what they need."""
    shard = [[value for name, value in s.items() if name.startswith("seconds")] for s in seen]
    own = [max(s) if n_workers > 1 else sum(s) for s in shard][1:]
    moved = [state * n_workers + s["sent"] for s in seen][1:]
    took = seconds[1:]
    allowed = [a + 3 * b / BYTES_A_SECOND + FIXED_SECONDS for a, b in zip(own, moved, strict=True)]
    return {
        "seconds a round": statistics.median(took),
        "of them the slower shard": statistics.median(own),
        "bytes moved": statistics.median(moved),
        "overhead": statistics.median(a - b for a, b in zip(took, own, strict=True)),
        "allowed": statistics.median(a - b for a, b in zip(allowed, own, strict=True)),
        "rounds within": f"{sum(a <= b for a, b in zip(took, allowed, strict=True))} of {len(took)}",
    }


def files(folder: Path, n_rows: int) -> dict:
    """Out of core: every round reads its shards from parquet files, one after the other."""
    try:
        import pyarrow  # noqa: F401
    except ImportError:
        print("pyarrow is not installed: no parquet files")
        return {}
    paths = make_clicks(folder, n_rows)
    model = FM.random(CLICK_FIELDS * CLICK_VALUES, K, init_stdev=INIT, rng=0)
    readers = [partial(read_clicks, path) for path in paths]
    n_held_out = max(1, len(readers) // 20)
    history = train(
        model, readers[:-n_held_out], LOSS, eval_set=readers[-n_held_out:], max_iter=2, **TRAINING
    )
    return {
        "rows": n_rows,
        "files": len(paths),
        "bytes": sum(path.stat().st_size for path in paths),
        "seconds a round": history.seconds[-1],
        "validation log-loss": history.validation,
    }


def make_clicks(folder: Path, n_rows: int) -> list[Path]:
    """Files of clicks: each from its own seed, so that any of them can be made again alone."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    size = min(FILE_ROWS, max(1, n_rows // 4))
    w = np.random.default_rng(1).normal(0, 0.3, (CLICK_FIELDS, CLICK_VALUES))
    for index, begin in enumerate(range(0, n_rows, size)):
        path = folder / f"{index:04}.parquet"
        paths.append(path)
        if path.exists():
            continue
        rng, n = np.random.default_rng([7, index]), min(size, n_rows - begin)
        values = [zipf_ranks(rng, CLICK_VALUES, 1.1, n).astype(np.int32) for _ in range(CLICK_FIELDS)]
        scores = sum(w[field][value] for field, value in enumerate(values)) - 1
        columns = {f"c{field}": value for field, value in enumerate(values)}
        columns["y"] = (rng.random(n) < 1 / (1 + np.exp(-scores))).astype(np.int8)
        unfinished = path.with_suffix(".part")
        pq.write_table(pa.table(columns), unfinished)
        unfinished.replace(path)
    return paths


def read_clicks(path: Path) -> tuple[sp.csr_array, np.ndarray]:
    import pyarrow.parquet as pq

    table = pq.read_table(path)
    columns = np.stack(
        [table[f"c{field}"].to_numpy() + field * CLICK_VALUES for field in range(CLICK_FIELDS)], axis=1
    )
    n_rows = len(columns)
    indptr = np.arange(0, columns.size + 1, CLICK_FIELDS, dtype=np.int32)
    ones = np.ones(columns.size, np.float32)
    X = sp.csr_array((ones, columns.ravel(), indptr), shape=(n_rows, CLICK_FIELDS * CLICK_VALUES))
    return X, table["y"].to_numpy().astype(np.float32)
