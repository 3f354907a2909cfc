"""``python -m bench defaults``: what the defaults of the estimators are worth.

Each data set (bench/data_sets.py) is fitted by an FM and an FFM as they are, and by the same with the
defaults that were before: one learning rate, next to no penalty, a tenth of the rows never learned. Beside
them stand a linear model and, where they are installed, other libraries with their own defaults. The figure
is the log-loss, or the RMSE of ratings, on held-out rows: a mean over seeds. Units of columns and targets
are those of today in both.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from importlib.util import find_spec
from typing import Any

import numpy as np

from fastfm_c import LogisticLoss

from .data_sets import DataSet, data_sets
from .report import print_table

BEFORE = {
    "learning_rate": 0.05,
    "l2_linear": 1e-5,
    "l2_factors": 1e-5,
    "n_iter_no_change": 5,
    "refit": False,
}
ENOUGH_TO_STOP = 1000  # rows: below, there was no early stopping
MOST_COLUMNS = 50_000  # of what a model other than ours is fitted to
SEEDS = 0, 1, 2
QUICK = "adult", "adult 200", "planted outliers"

# A fit of one seed; it returns scores, which are log odds or numbers, and the number of epochs or None.
Fit = Callable[[DataSet, int], tuple[np.ndarray, float | None]]


def run_defaults(options: argparse.Namespace) -> list[dict]:
    """The tables; returns their records."""
    records = []
    for name, make in data_sets(options.data).items():
        if options.quick and name not in QUICK:
            continue
        data = make()
        found = [
            {"data": name, "model": model, **_measure(fit, data, SEEDS[:1] if options.quick else SEEDS)}
            for model, fit in _models(data).items()
        ]
        _print(name, data, found)
        records += found
    return records


def _models(data: DataSet) -> dict[str, Fit]:
    models: dict[str, Fit] = {}
    for kind in ("FM", "FFM"):
        if kind == "FM" or len(np.unique(data.fields)) < data.X.shape[1]:  # else each column is a field
            models[f"{kind}, before"] = _ours(kind, before=True)
            models[kind] = _ours(kind, before=False)
    models["ridge" if data.is_regression else "logistic"] = linear
    if data.X.shape[1] <= MOST_COLUMNS:
        models |= {name: fit for name, (module, fit) in PEERS.items() if find_spec(module)}
    return models


def _measure(fit: Fit, data: DataSet, seeds: tuple[int, ...]) -> dict[str, Any]:
    figures, epochs, seconds = [], [], []
    for seed in seeds:
        start = time.perf_counter()
        scores, n_epochs = fit(data, seed)
        seconds.append(time.perf_counter() - start)
        epochs.append(n_epochs or 0)
        if data.is_regression:
            figures.append(np.sqrt(np.mean((scores - data.y_test) ** 2)))
        else:
            figures.append(LogisticLoss().mean(data.y_test, np.asarray(scores, np.float64)))
    return {
        "figure": float(np.mean(figures)),
        "spread": float(np.std(figures)),
        "epochs": float(np.mean(epochs)),
        "seconds": float(np.median(seconds)),
    }


def _print(name: str, data: DataSet, records: list[dict]) -> None:
    before = {r["model"].partition(",")[0]: r for r in records if r["model"].endswith("before")}
    rows = []
    for r in records:
        old = before.get(r["model"])
        change = f"{100 * (r['figure'] / old['figure'] - 1):+.1f} %" if old else ""
        cost = f"{r['seconds'] / old['seconds']:.1f}" if old else ""
        epochs = f"{r['epochs']:.0f}" if r["epochs"] else ""
        figure, spread = f"{r['figure']:.4f}", f"{r['spread']:.4f}"
        rows.append([r["model"], figure, spread, change, epochs, f"{r['seconds']:.2f}", cost])
    unit = "RMSE" if data.is_regression else "log-loss"
    header = ["", unit, "+-", "change", "epochs", "s", "times"]
    print_table(f"{name}: {data.X.shape[0]:,} rows, {data.X.shape[1]:,} columns", header, rows)


# ----------------------------------------------------------------------------------------- the models


def _ours(kind: str, before: bool) -> Fit:
    def fit(data: DataSet, seed: int) -> tuple[np.ndarray, float | None]:
        from fastfm_c import sklearn as estimators

        options: dict[str, Any] = {"random_state": seed} | ({"fields": data.fields} if kind == "FFM" else {})
        if before:
            options |= BEFORE | {"early_stopping": data.X.shape[0] >= ENOUGH_TO_STOP}
        create = getattr(estimators, kind + ("Regressor" if data.is_regression else "Classifier"))
        estimator = create(**options).fit(data.X, data.y)
        history = estimator.history_
        n_epochs = sum(tried.n_iter for tried in history.candidates) or history.n_iter
        predict = estimator.predict if data.is_regression else estimator.decision_function
        return predict(data.X_test), n_epochs + len(history.refit)

    return fit


def linear(data: DataSet, seed: int) -> tuple[np.ndarray, None]:
    """scikit-learn's, with its defaults, columns divided by their largest values."""
    from sklearn.linear_model import LogisticRegression, Ridge
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import MaxAbsScaler

    model = Ridge() if data.is_regression else LogisticRegression(max_iter=300)
    pipeline = make_pipeline(MaxAbsScaler(), model).fit(data.X, data.y)
    return (pipeline.predict if data.is_regression else pipeline.decision_function)(data.X_test), None


def _lightgbm(data: DataSet, seed: int) -> tuple[np.ndarray, None]:
    import lightgbm

    create = lightgbm.LGBMRegressor if data.is_regression else lightgbm.LGBMClassifier
    model = create(random_state=seed, verbose=-1).fit(data.X, data.y)
    return model.predict(data.X_test, **({} if data.is_regression else {"raw_score": True})), None


def _myfm(data: DataSet, seed: int) -> tuple[np.ndarray, None]:
    import myfm

    create = myfm.MyFMRegressor if data.is_regression else myfm.MyFMClassifier
    model = create(rank=8, random_seed=seed).fit(data.X, data.y, n_iter=200)
    if data.is_regression:
        return model.predict(data.X_test), None
    return _log_odds(model.predict_proba(data.X_test)), None


def _modern_fm(data: DataSet, seed: int) -> tuple[np.ndarray, None]:
    import modern_fm

    create = modern_fm.FMRegressor if data.is_regression else modern_fm.FMClassifier
    model = create(n_factors=8, random_state=seed).fit(data.X, data.y)
    return (model.predict if data.is_regression else model.decision_function)(data.X_test), None


def _log_odds(p: np.ndarray) -> np.ndarray:
    p = np.clip(p, 1e-7, 1 - 1e-7)
    return np.log(p) - np.log1p(-p)


PEERS: dict[str, tuple[str, Fit]] = {
    "LightGBM": ("lightgbm", _lightgbm),
    "myFM": ("myfm", _myfm),
    "modern-fm": ("modern_fm", _modern_fm),
}
