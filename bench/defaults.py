"""``python -m bench defaults``: what the estimators' defaults were chosen by.

Each data set is fitted with the default settings and with one setting changed; the figure is the
log-loss (RMSE for ratings) on held-out rows, a mean over seeds. No single setting is best
everywhere: the defaults are those whose worst loss against the best of a row is least.

- adult: UCI Adult, official split (shipped with the package), 16 bins a number
- phishing: UCI phishing websites (bench/phishing), a random fifth held out
- planted: labels from a planted FM over 40 sparse normal columns; "unscaled": the same columns times
  10**uniform(-3, 3)
- clicks, ratings: the first rows of the workloads W1 and W2
"""

from __future__ import annotations

import argparse
import csv
import lzma
import time
from pathlib import Path

import numpy as np
import scipy.sparse as sp

from fastfm_c import LogisticLoss
from fastfm_c.datasets import load_adult

from .report import print_table
from .workloads import load

PHISHING = Path(__file__).with_name("phishing")
CHANGES = [
    {},
    {"learning_rate": 0.02},
    {"learning_rate": 0.1},
    {"init_stdev": 0.1},
    {"l2_linear": 0.0, "l2_factors": 0.0},
    {"l2_linear": 1e-3, "l2_factors": 1e-3},
    {"early_stopping": False},
    {"n_factors": 16},
    {"solver": "lbfgs"},
]
SEEDS, ROWS = (0, 1, 2), 100_000


def run_defaults(options: argparse.Namespace) -> list[dict]:
    """The table; returns its records."""
    sets = {"adult": adult, "phishing": phishing, "planted": planted, "planted unscaled": unscaled}
    if not options.quick:
        sets |= {"clicks": lambda: head("W1", options.data), "ratings": lambda: head("W2", options.data)}
    seeds = SEEDS[:1] if options.quick else SEEDS
    records = []
    for name, make in sets.items():
        splits = make()
        for kind in ("FM", "FFM"):
            if kind == "FFM" and name.startswith("planted"):
                continue  # each column would be a field
            for change in CHANGES[:3] if options.quick else CHANGES:
                if change.get("solver") == "lbfgs" and name in ("clicks", "ratings"):
                    continue  # minutes
                records.append(_fit(name, kind, splits, change, seeds))
        rows = [
            [f"{r['kind']}, {r['change']}", f"{r['figure']:.4f}", f"{r['epochs']:.0f}", f"{r['seconds']:.2f}"]
            for r in records
            if r["data"] == name
        ]
        print_table(name, ["", "RMSE" if name == "ratings" else "log-loss", "epochs", "s"], rows)
    return records


def _fit(name: str, kind: str, splits: tuple, change: dict, seeds: tuple[int, ...]) -> dict:
    from fastfm_c import sklearn as estimators

    X, y, X_test, y_test, fields = splits
    is_regression = name == "ratings"
    create = getattr(estimators, kind + ("Regressor" if is_regression else "Classifier"))
    figures, epochs, seconds = [], [], []
    for seed in seeds:
        options = change | ({"fields": fields} if kind == "FFM" else {}) | {"random_state": seed}
        start = time.perf_counter()
        estimator = create(**options).fit(X, y)
        seconds.append(time.perf_counter() - start)
        epochs.append(estimator.n_iter_)
        if is_regression:
            figures.append(np.sqrt(np.mean((estimator.predict(X_test) - y_test) ** 2)))
        else:
            figures.append(LogisticLoss().mean(y_test, estimator.decision_function(X_test)))
    return {
        "data": name,
        "kind": kind,
        "change": ", ".join(f"{k}={v}" for k, v in change.items()) or "defaults",
        "figure": float(np.mean(figures)),
        "epochs": float(np.mean(epochs)),
        "seconds": float(np.mean(seconds)),
    }


def adult() -> tuple:
    data = load_adult()
    return data.X_train, data.y_train, data.X_test, data.y_test, data.fields


def phishing() -> tuple:
    with lzma.open(PHISHING / "phishing.libsvm.xz", "rt") as file:
        lines = [line.split() for line in file]
    y = np.array([float(line[0]) for line in lines])
    columns = np.array([[int(cell.split(":")[0]) - 1 for cell in line[1:]] for line in lines])
    values = np.array([[float(cell.split(":")[1]) for cell in line[1:]] for line in lines], np.float32)
    n_rows, n_values = columns.shape
    indptr = np.arange(0, columns.size + 1, n_values)
    X = sp.csr_array((values.ravel(), columns.ravel(), indptr), shape=(n_rows, columns.max() + 1))
    with (PHISHING / "fields.csv").open() as file:
        fields = np.array([int(row["field"]) for row in csv.DictReader(file)])
    order = np.random.default_rng(0).permutation(n_rows)
    train, test = order[: int(0.8 * n_rows)], order[int(0.8 * n_rows) :]
    return X[train], y[train], X[test], y[test], fields


def planted(units: float = 0) -> tuple:
    rng = np.random.default_rng(5)
    n_rows, n_columns, k, n_train = 20_000, 40, 4, 16_000
    X = rng.standard_normal((n_rows, n_columns)) * (rng.random((n_rows, n_columns)) < 0.3)
    V, w = 0.35 * rng.standard_normal((n_columns, k)), 0.4 * rng.standard_normal(n_columns)
    scores = X @ w + 0.5 * ((X @ V) ** 2 - X**2 @ V**2).sum(axis=1)
    y = (rng.random(n_rows) < 1 / (1 + np.exp(-scores))).astype(int)
    X = sp.csr_array(X * 10 ** rng.uniform(-units, units, n_columns))
    return X[:n_train], y[:n_train], X[n_train:], y[n_train:], np.arange(n_columns)


def unscaled() -> tuple:
    return planted(units=3)


def head(workload: str, data: Path) -> tuple:
    train, test = load(f"{workload}_train", data), load(f"{workload}_test", data)
    return train.X[:ROWS], train.y[:ROWS], test.X, test.y, train.fields
