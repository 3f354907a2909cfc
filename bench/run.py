"""Runs the benchmark of prediction over workloads, models and sizes."""

from __future__ import annotations

import argparse
import gc
from pathlib import Path

from . import report
from .contenders import contenders, training_steps
from .machine import ForeignLoad
from .memory import peak_memory
from .problem import make_problem
from .results import Results
from .single_row import single_row_latency
from .targets import MEMORY_CASES
from .timing import measure
from .workloads import Split, load

MODELS = {"W1": ["FM", "FFM"], "W2": ["FM"], "W3": ["FM"], "W4": ["FFM"]}
LARGEST_FFM_FACTORS = 8  # an FFM of W1 takes 160 MB for each factor, and some peers copy it
TRAINING_STEPS_AT = "W1", "FM", 16
QUICK_ROWS, QUICK_CALLS = 10_000, 2_000
CALLS = 20_000
DISTURBED = 0.05  # cores used by other processes


def run_predict(options: argparse.Namespace) -> Results:
    """Measure what the options ask for, printing each table when it is there."""
    results = Results()
    for workload in options.workloads:
        split = load(f"{workload}_test", options.data)
        if options.quick:
            split = split.head(QUICK_ROWS)
        for model in MODELS[workload]:
            for k in options.k:
                if model == "FM" or k <= LARGEST_FFM_FACTORS:
                    results.predict += _measure_problem(workload, model, k, split, options)
                    gc.collect()
        if workload == TRAINING_STEPS_AT[0]:
            problem = make_problem(*TRAINING_STEPS_AT, split)
            results.single_row = single_row_latency(problem, QUICK_CALLS if options.quick else CALLS)
            report.print_single_row(results)
    results.memory = _measure_memory(options)
    report.print_memory(results)
    return results


def _measure_problem(
    workload: str, model: str, k: int, split: Split, options: argparse.Namespace
) -> list[dict]:
    problem = make_problem(workload, model, k, split)
    everybody = contenders(problem, options.threads, options.peers)
    if (workload, model, k) == TRAINING_STEPS_AT:
        everybody += training_steps(problem)
    n_rows = split.X.shape[0]
    foreign = ForeignLoad()
    measured = measure(everybody, options.threads, options.repeats, n_rows)
    common = {"workload": workload, "model": model, "k": k, "foreign_cores": foreign.cores()}
    title = f"{model} {workload} k={k}: {n_rows} rows, {split.X.nnz} non-zeros"
    if common["foreign_cores"] > DISTURBED:
        title += f"; DISTURBED: other processes used {common['foreign_cores']:.2f} cores"
    report.print_problem(measured, title)
    return [common | record for record in measured]


def _measure_memory(options: argparse.Namespace) -> list[dict]:
    cases = [case for case in MEMORY_CASES if case[0] in options.workloads]
    data = Path(options.data)
    return [peak_memory(case, n, data) for case in cases for n in options.threads]
