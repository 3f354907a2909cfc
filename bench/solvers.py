"""``python -m bench solvers``: which model and which solver first.

Each data set of bench/data_sets.py is fitted by the estimators with every solver, beside a linear model. The
figure is the log-loss, or the RMSE of ratings, on held-out rows. "adagrad", "adam", "sgd" and "ftrl" choose
their penalty and learning rate by themselves, and "mcmc" draws its penalties. "lbfgs" and "als" choose
nothing, so a tenth of the rows chooses one of PENALTIES for them, and all rows are fitted again; "als" of an
FFM stops early, too. All have the same number of factors, and each is fitted with one seed: the same rows
and starts for all.
"""

from __future__ import annotations

import argparse
import time
import warnings
from typing import Any

import numpy as np

from fastfm_c import LogisticLoss

from .data_sets import DataSet, data_sets
from .defaults import linear
from .report import print_table

SOLVERS = {
    "FM": ("adagrad", "adam", "sgd", "ftrl", "lbfgs", "als", "mcmc"),
    "FFM": ("adagrad", "lbfgs", "als"),
}
CHOOSES_NOTHING = "lbfgs", "als"
MOST_COLUMNS = 50_000  # for "lbfgs", whose memory is many times that of the model
MOST_FIELDS = 30  # for "als" of an FFM, which goes over the rows once for each pair of fields
PENALTIES = 1e-5, 1e-4, 1e-3, 1e-2, 1e-1
OF_FFM_ALS = 1e-7, 1e-6, *PENALTIES[:3]  # each with early stopping, because few sweeps learn by heart
N_FACTORS = {"FM": 8, "FFM": 4}
NOT_HERE = "planted unscaled", "planted outliers"  # these are about units
QUICK = ("adult 200",)
GOOD_FIGURE, GOOD_DISTANCE = 1.01, 1e-3  # times the best one, or so near to it: as good


def run_solvers(options: argparse.Namespace) -> list[dict]:
    """A table for each data set, and one of all; returns the records."""
    records = []
    for name, make in data_sets(options.data).items():
        if name in NOT_HERE or (options.quick and name not in QUICK):
            continue
        found = [{"data": name, **record} for record in _measured(make())]
        _print(name, found)
        records += found
    _print_all(records)
    return records


def _measured(data: DataSet) -> list[dict]:
    def record(model: str, solver: str, fit: Any) -> dict:
        start = time.perf_counter()
        scores = fit()
        seconds = time.perf_counter() - start
        figure = _figure(data.is_regression, data.y_test, scores)
        sizes = {"rows": data.X.shape[0]}
        return {"model": model, "solver": solver, "figure": figure, "seconds": seconds, **sizes}

    found = [record("linear", "", lambda: linear(data, 0)[0])]
    for kind, solvers in SOLVERS.items():
        if kind == "FFM" and len(np.unique(data.fields)) == data.X.shape[1]:
            continue  # each column is a field
        for solver in solvers:
            if solver == "lbfgs" and data.X.shape[1] > MOST_COLUMNS:
                continue
            if (kind, solver) == ("FFM", "als") and len(np.unique(data.fields)) > MOST_FIELDS:
                continue
            found.append(record(kind, solver, lambda kind=kind, solver=solver: _scores(kind, solver, data)))
    return found


def _figure(is_regression: bool, y: np.ndarray, scores: np.ndarray) -> float:
    if is_regression:
        return float(np.sqrt(np.mean((scores - y) ** 2)))
    return float(LogisticLoss().mean(y, np.asarray(scores, np.float64)))


def _scores(kind: str, solver: str, data: DataSet) -> np.ndarray:
    """Of the test rows: numbers, or log odds."""
    X, y, n_rows = data.X, data.y, data.X.shape[0]
    options: dict[str, Any] = {}
    if solver in CHOOSES_NOTHING:
        order = np.random.default_rng(0).permutation(n_rows)
        chosen, learned = order[: n_rows // 10], order[n_rows // 10 :]

        stops = (kind, solver) == ("FFM", "als")
        others: dict[str, Any] = {"early_stopping": True, "max_iter": 40} if stops else {}

        def held_out(penalty: float) -> float:
            model = _fitted(kind, solver, data, X[learned], y[learned], _penalties(penalty) | others)
            return _figure(data.is_regression, y[chosen], _predicted(model, X[chosen]))

        options = _penalties(min(OF_FFM_ALS if stops else PENALTIES, key=held_out)) | others
    return _predicted(_fitted(kind, solver, data, X, y, options), data.X_test)


def _penalties(penalty: float) -> dict[str, float]:
    return {"l2_linear": penalty / 4, "l2_factors": penalty}


def _fitted(kind: str, solver: str, data: DataSet, X: Any, y: Any, options: dict[str, Any]) -> Any:
    from sklearn.exceptions import ConvergenceWarning

    from fastfm_c import sklearn as estimators

    fields = {"fields": data.fields} if kind == "FFM" else {}
    create = getattr(estimators, kind + ("Regressor" if data.is_regression else "Classifier"))
    model = create(solver=solver, n_factors=N_FACTORS[kind], random_state=0, **fields, **options)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        return model.fit(X, y)


def _predicted(model: Any, X: Any) -> np.ndarray:
    if not hasattr(model, "classes_"):
        return model.predict(X)
    if model.solver != "mcmc":
        return model.decision_function(X)
    p = np.clip(model.predict_proba(X)[:, 1], 1e-7, 1 - 1e-7)
    return np.log(p) - np.log1p(-p)


# ----------------------------------------------------------------------------------------------- tables


def _print(name: str, found: list[dict]) -> None:
    best = min(record["figure"] for record in found)
    rows = [
        [
            f"{r['model']} {r['solver']}",
            f"{r['figure']:.4f}" + (" *" if _is_good(r["figure"], best) else ""),
            f"{r['seconds']:.1f}",
        ]
        for r in found
    ]
    print_table(name, ["", "figure", "s"], rows)


def _print_all(records: list[dict]) -> None:
    """In Markdown, as docs/start/which-model.md has it; what is within a hundredth of the best is bold."""
    columns = list(dict.fromkeys((r["model"], r["solver"]) for r in records))
    print("\n| data | rows | " + " | ".join(" ".join(column).strip() for column in columns) + " |")
    print("| --- " * (2 + len(columns)) + "|")
    for name in dict.fromkeys(r["data"] for r in records):
        figures = {(r["model"], r["solver"]): r["figure"] for r in records if r["data"] == name}
        n_rows = next(r["rows"] for r in records if r["data"] == name)
        best = min(figures.values())
        cells = [_cell(figures.get(column), best) for column in columns]
        print(f"| {name} | {n_rows:,} | " + " | ".join(cells) + " |")


def _cell(figure: float | None, best: float) -> str:
    if figure is None:
        return ""
    return f"**{figure:.4f}**" if _is_good(figure, best) else f"{figure:.4f}"


def _is_good(figure: float, best: float) -> bool:
    return figure <= max(GOOD_FIGURE * best, best + GOOD_DISTANCE)
