"""Command line: ``python -m bench predict``, ``train``, ``encode``, ``text``, ``recommend``, ``persistence``,
``explain``, ``serving``, ``scale`` and ``busy`` measure, ``defaults`` compares settings, ``solvers`` models
and solvers, ``columns`` measures ALS and Gibbs sampling, ``distributed`` shards, ``growth`` draws,
``history`` counts instructions, ``workloads`` makes data."""

from __future__ import annotations

import argparse
import json
import os
import sys
from dataclasses import asdict
from importlib import import_module
from pathlib import Path

from . import report
from .contenders import PEERS
from .machine import describe
from .run import MODELS, run_predict
from .workloads import load

# Command: the module whose run_<command> it is.
OTHERS = {
    "train": "training",
    "encode": "encoding",
    "text": "text",
    "recommend": "recommend",
    "persistence": "persistence",
    "explain": "explain",
    "serving": "serving",
    "defaults": "defaults",
    "scale": "scale",
    "busy": "busy",
    "columns": "columns",
    "solvers": "solvers",
    "history": "history",
    "growth": "growth",
    "distributed": "distributed",
}
DATA = Path(os.environ.get("FASTFM_C_BENCH_DATA", Path(__file__).with_name("data")))


def _numbers(text: str) -> list[int]:
    return sorted({int(part) for part in text.split(",")})


def _peers(text: str) -> list[str]:
    names = [name for name in text.split(",") if name]
    unknown = set(names) - set(PEERS)
    if unknown:
        raise argparse.ArgumentTypeError(f"{sorted(unknown)}: not among {list(PEERS)}")
    return names


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bench")
    parser.add_argument("command", choices=["predict", *OTHERS, "workloads"])
    add = parser.add_argument
    add("workloads", nargs="*", metavar="W1..W4", help="default: all")
    add("--k", type=_numbers, default="4,8,16,64", help="numbers of factors")
    add("--threads", type=_numbers, default="1,2", help="numbers of threads")
    add("--repeats", type=int, default=5, help="rounds; the median counts")
    add("--peers", type=_peers, default=",".join(PEERS), help="'' for none; default: %(default)s")
    add("--quick", action="store_true", help="10,000 rows and 3 rounds: a smoke test")
    add("--out-of-core", action="store_true", help="text: also train on a file of 2 GB")
    add("--cores", type=int, help="scale: the most threads; default: the cores that there are")
    add("--busy", type=_numbers, default="0,4", help="busy: numbers of processes; default: %(default)s")
    add("--click-rows", type=int, help="distributed: rows of the click set; default: 20 million")
    add("--data", type=Path, default=DATA, help="where the workloads are kept: %(default)s")
    add("--json", type=Path, metavar="FILE", help="write the figures")
    add("--compare", type=Path, metavar="FILE", help="older figures; fails if 10 %% slower")
    return parser


def _run_other(options: argparse.Namespace) -> int:
    run = getattr(import_module(f".{OTHERS[options.command]}", __package__), f"run_{options.command}")
    machine = describe()
    print(json.dumps(machine, indent=1, default=str))
    figures = {"machine": machine, options.command: run(options)}
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1, default=str))
    return 0


def main() -> int:
    options = _parser().parse_args()
    options.workloads = options.workloads or list(MODELS)
    if options.command == "workloads":
        for workload in options.workloads:
            load(f"{workload}_test", options.data)
        return 0
    if options.command in OTHERS:
        return _run_other(options)
    if options.quick:
        options.repeats = 3
    machine = describe()
    print(json.dumps(machine, indent=1, default=str))
    results = run_predict(options)
    report.print_targets(results)
    figures = {"machine": machine, **asdict(results), "targets": report.target_records(results)}
    if options.json:
        options.json.write_text(json.dumps(figures, indent=1, default=str))
    if options.compare:
        older = json.loads(options.compare.read_text())
        return 0 if report.print_comparison(older, figures) else 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
