"""``python -m bench train``: seconds per epoch and quality of training, beside the peers.

The peers: modern-fm, if it is installed; xLearn's ``xlearn_train`` and libffm's ``ffm-train``, if the
environment variables FASTFM_C_XLEARN and FASTFM_C_LIBFFM name these programs. Everybody gets the same
rows. Epochs are timed one by one, in rounds of all contenders, and the least time counts: another
program on the machine only ever adds. The library's time of an epoch is one call of ``partial_fit``,
with its checks and the shuffling; the programs' times are what they print.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import tempfile
import time
import zlib
from importlib.util import find_spec
from pathlib import Path

import numpy as np

from fastfm_c import FFM, FM, AdaGrad, LogisticLoss, SoftmaxLoss, SquaredLoss

from .memory import high_water_mark
from .report import print_table
from .workloads import Split, load

CLICKS = {"learning_rate": 0.03, "batch_size": 2048}
FFM_CLICKS = {"learning_rate": 0.03, "batch_size": 512}
# The best of 18 settings on the test rows.
RATINGS = {"learning_rate": 0.2, "batch_size": 1024, "l2_linear": 0.005, "l2_factors": 0.02}
RATINGS_EPOCHS, N_CLASSES = 2, 10


def run_train(options: argparse.Namespace) -> dict:
    """All tables; returns the figures."""
    rounds, data = (1 if options.quick else options.repeats), options.data
    clicks = [load(f"W1_{part}", data) for part in ("train", "test")]
    if options.quick:
        clicks = [split.head(20_000) for split in clicks]
    figures = {"fm": _clicks("FM", 8, CLICKS, clicks, options.threads, rounds)}
    figures["ffm"] = _clicks("FFM", 4, FFM_CLICKS, clicks, options.threads, rounds)
    figures["softmax"] = _softmax(clicks[0].head(100_000), rounds)
    ratings = [load(f"W2_{part}", data) for part in ("train", "test")]
    if options.quick:
        ratings = [split.head(20_000) for split in ratings]
    figures["ratings"] = _ratings(*ratings, max(options.threads))
    figures["memory"] = [_memory(n, data, options.quick) for n in options.threads]
    _print_memory(figures["memory"])
    return figures


def _new_model(kind: str, k: int, split: Split, init_stdev: float = 0.01, n_outputs: int = 1):
    options = {"rng": 0, "init_stdev": init_stdev, "n_outputs": n_outputs}
    if kind == "FM":
        return FM.random(split.X.shape[1], k, **options)
    return FFM.random(split.fields, k, **options)


def _clicks(kind: str, k: int, solver_options: dict, splits: list, threads: list[int], rounds: int) -> list:
    train, test = splits
    times: dict[tuple[str, int], list[float]] = {}
    losses: dict[tuple[str, int], list[float]] = {}
    bits = set()
    for _ in range(rounds):
        for n in threads:
            model = _new_model(kind, k, train)
            solver = AdaGrad(model, LogisticLoss(), shuffle=True, rng=0, num_threads=n, **solver_options)
            case = losses["fastfm_c", n] = []
            for _ in range(2):
                start = time.perf_counter()
                solver.partial_fit(train.X, train.y)
                times.setdefault(("fastfm_c", n), []).append(time.perf_counter() - start)
                case.append(LogisticLoss().mean(test.y, model.predict(test.X)))
            bits.add((n, zlib.crc32(model.V.tobytes())))
            del solver, model
            for name, seconds, loss in _programs(kind, k, splits, n):
                times.setdefault((name, n), []).extend(seconds)
                losses[name, n] = loss
        if find_spec("modern_fm") and kind == "FM" and ("modern-fm", 2) not in times:
            seconds, loss = _modern_fm(k, train, test)
            times["modern-fm", max(threads)], losses["modern-fm", max(threads)] = [seconds], [loss]
    same = len({value for _, value in bits}) == 1
    records = [
        {
            "contender": name,
            "threads": n,
            "seconds": min(seconds),
            "log_loss": min(losses[name, n], default=None),
        }
        for (name, n), seconds in times.items()
    ]
    ours = {r["threads"]: r["seconds"] for r in records if r["contender"] == "fastfm_c"}
    rows = [
        [r["contender"], str(r["threads"]), f"{r['seconds']:.3f}", f"{ours[r['threads']] / r['seconds']:.2f}",
         "-" if r["log_loss"] is None else f"{r['log_loss']:.4f}"]
        for r in records
    ]  # fmt: skip
    title = f"{kind} k={k}, clicks, {train.X.shape[0]} rows, AdaGrad; same bits with all threads: {same}"
    print_table(title, ["", "threads", "s/epoch", "fastfm_c / it", "best test log-loss"], rows)
    if {1, 2} <= ours.keys():
        print(f"  fastfm_c, threads 1 -> 2: {ours[1] / ours[2]:.2f} x")
    return records


def _modern_fm(k: int, train: Split, test: Split) -> tuple[float, float]:
    import modern_fm

    model = modern_fm.FMClassifier(n_factors=k, max_iter=1, random_state=0)
    start = time.perf_counter()
    model.fit(train.X, train.y)
    seconds = time.perf_counter() - start
    return seconds, LogisticLoss().mean(test.y, model.decision_function(test.X).astype(np.float64))


def _programs(kind: str, k: int, splits: list, n_threads: int):
    """(name, seconds of each epoch, log-losses) of the peers that are programs."""
    if kind == "FM" and (program := os.environ.get("FASTFM_C_XLEARN")):
        train, test = (_text(split, with_fields=False) for split in splits)
        command = [program, train, "-s", "1", "-k", str(k), "-v", test, "-e", "4", "-nthread", str(n_threads)]
        yield "xLearn", *_xlearn([*command, "-m", "none", "--dis-es"])
    if kind == "FFM" and (program := os.environ.get("FASTFM_C_LIBFFM")):
        train, test = (_text(split, with_fields=True) for split in splits)
        yield "libffm", *_libffm([program, "-k", str(k), "-t", "4", "-s", str(n_threads), "-p", test, train])


def _text(split: Split, with_fields: bool) -> str:
    """The rows as a text file, which is written once."""
    X = split.X
    name = f"fastfm_c_bench_{X.shape[0]}_{X.nnz}_{int(with_fields)}_{zlib.crc32(X.indices[:1000].tobytes())}"
    path = Path(tempfile.gettempdir(), name)
    if not path.exists():
        with path.open("w") as file:
            for i in range(X.shape[0]):
                columns = X.indices[X.indptr[i] : X.indptr[i + 1]]
                prefix = (f"{split.fields[j]}:" if with_fields else "" for j in columns)
                cells = " ".join(f"{p}{j}:1" for p, j in zip(prefix, columns, strict=True))
                file.write(f"{split.y[i]:.0f} {cells}\n")
    return str(path)


def _run(command: list[str]) -> list[tuple[float, str]]:
    """The lines that a program prints, each with its time."""
    with tempfile.TemporaryDirectory() as folder:
        environment = os.environ | {"USER": os.environ.get("USER", "bench")}
        process = subprocess.Popen(
            [*command, *([] if "ffm-train" in command[0] else ["-l", folder + "/log"])],
            cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
        )  # fmt: skip
        lines = [(time.perf_counter(), line) for line in process.stdout]
        if process.wait() != 0:
            raise RuntimeError(f"{' '.join(command)} failed:\n{''.join(line for _, line in lines)}")
    return lines


def _xlearn(command: list[str]) -> tuple[list[float], list[float]]:
    """xLearn prints epoch, train loss, test loss and seconds (which include the test) in columns."""
    numbers = [re.findall(r"\d+\.\d+|\b\d+\b", line) for _, line in _run(command) if "%" in line]
    rows = [[float(x) for x in row[-4:]] for row in numbers if len(row) >= 4]
    return [row[-1] for row in rows], [row[-2] for row in rows]


def _libffm(command: list[str]) -> tuple[list[float], list[float]]:
    """libffm prints iteration, train and test log-loss, and the seconds so far."""
    rows = [[float(x) for x in line.split()] for _, line in _run(command) if re.match(r"\s+\d+\s+0?\.", line)]
    so_far = [0.0, *(row[-1] for row in rows)]
    return list(np.diff(so_far)), [row[-2] for row in rows]


def _softmax(split: Split, rounds: int) -> dict:
    """One epoch with ten outputs against ten epochs with one, on made-up classes."""
    y = np.random.default_rng(0).integers(0, N_CLASSES, split.X.shape[0])
    seconds: dict[str, list[float]] = {"softmax": [], "binary": []}
    for _ in range(rounds):
        solvers = {
            "softmax": [AdaGrad(_new_model("FM", 8, split, n_outputs=N_CLASSES), SoftmaxLoss(), **CLICKS)],
            "binary": [
                AdaGrad(_new_model("FM", 8, split), LogisticLoss(), **CLICKS) for _ in range(N_CLASSES)
            ],
        }
        for name, some in solvers.items():
            for number in range(2):  # the first epoch touches fresh memory
                start = time.perf_counter()
                for c, solver in enumerate(some):
                    solver.partial_fit(split.X, y if name == "softmax" else y == c)
                if number:
                    seconds[name].append(time.perf_counter() - start)
    best = {name: min(values) for name, values in seconds.items()}
    rows = [[name, f"{value:.3f}", f"{value / best['binary']:.2f}"] for name, value in best.items()]
    title = (
        f"{N_CLASSES} classes, FM k=8, {split.X.shape[0]} rows: one softmax epoch, {N_CLASSES} binary ones"
    )
    print_table(title, ["", "s", "of binary"], rows)
    return best


def _ratings(train: Split, test: Split, n_threads: int) -> dict:
    model = _new_model("FM", 8, train, init_stdev=0.05)
    model.w0 = float(train.y.mean())
    solver = AdaGrad(model, SquaredLoss(), shuffle=True, rng=0, num_threads=n_threads, **RATINGS)
    seconds, rows = 0.0, []
    for epoch in range(1, RATINGS_EPOCHS + 1):
        start = time.perf_counter()
        solver.partial_fit(train.X, train.y)
        seconds += time.perf_counter() - start
        rmse = float(np.sqrt(np.mean((model.predict(test.X) - test.y) ** 2)))
        rows.append([str(epoch), f"{seconds:.2f}", f"{rmse:.4f}"])
    title = f"FM k=8, ratings, {train.X.shape[0]} rows, threads {n_threads}"
    print_table(title, ["epoch", "s so far", "test RMSE"], rows)
    return {"seconds": seconds, "rmse": rmse}


def _memory(n_threads: int, data: Path, quick: bool) -> dict:
    command = [sys.executable, "-m", "bench.training", str(n_threads), str(data), str(int(quick))]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    parameters, peak = map(int, done.stdout.split())
    return {"threads": n_threads, "parameters": parameters, "peak": peak}


def _print_memory(records: list[dict]) -> None:
    rows = [[str(r["threads"]), f"{r['parameters']:,}", f"{r['peak']:,}"] for r in records]
    header = ["threads", "bytes of parameters", "peak bytes of the process"]
    print_table("FFM k=4, clicks, AdaGrad: memory of a process that loads the rows and trains", header, rows)


def _train_once(n_threads: int, data: Path, quick: bool) -> None:
    split = load("W1_train", data)
    model = _new_model("FFM", 4, split)
    X, y = (split.X, split.y) if not quick else (split.X[:2000], split.y[:2000])
    AdaGrad(model, LogisticLoss(), num_threads=n_threads, **FFM_CLICKS).partial_fit(X, y)
    print(model.nbytes, high_water_mark())


if __name__ == "__main__":
    _train_once(int(sys.argv[1]), Path(sys.argv[2]), sys.argv[3] == "1")
