"""What Gibbs sampling with its defaults learns, beside myFM on the same rows and groups where it is installed.

Adult and phishing are those of data_sets.py, with planted ratings, and the whole of W2 where it is asked
for. MovieLens-100k, which is not shipped: its fold u3, where the environment names its folder
(FASTFM_C_MOVIELENS). Classes are told by log-loss, numbers by the root of the mean squared error.
"""

from __future__ import annotations

import argparse
import importlib
import os
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

from fastfm_c import FieldCSR
from fastfm_c.sklearn import FMClassifier, FMRegressor

from .data_sets import DataSet, adult, one_hot, phishing, planted_ratings
from .timing import seconds_of
from .workloads import load

N_FACTORS, N_ITER, N_BURNT = 8, 200, 20


def _movielens(folder: Path) -> DataSet:
    """Fold u3: of five parts of u.data, in its order, the third is the test."""
    users, items, stars, _ = np.loadtxt(folder / "u.data", dtype=np.int64).T
    X, fields = one_hot(np.column_stack([users - 1, items - 1]), [int(users.max()), int(items.max())])
    is_test = np.arange(len(stars)) * 5 // len(stars) == 2
    return DataSet(X[~is_test], stars[~is_test], X[is_test], stars[is_test], fields, is_regression=True)


def _w2(directory: Path) -> DataSet:
    train, test = load("W2_train", directory), load("W2_test", directory)
    assert train.fields is not None
    return DataSet(train.X, train.y, test.X, test.y, train.fields, is_regression=True)


def _loss(data: DataSet, found: np.ndarray) -> float:
    if data.is_regression:
        return float(np.sqrt(np.mean((found - data.y_test) ** 2)))
    found = np.clip(found, 1e-15, 1 - 1e-15)
    return float(-np.mean(np.where(data.y_test == 1, np.log(found), np.log1p(-found))))


def _ours(data: DataSet, n_iter: int, threads: int) -> dict[str, float]:
    kind = FMRegressor if data.is_regression else FMClassifier
    learner = kind(solver="mcmc", n_factors=N_FACTORS, max_iter=n_iter, random_state=0, n_jobs=threads)
    seconds = seconds_of(lambda: learner.fit(FieldCSR(data.X, fields=data.fields), data.y))
    X_test = FieldCSR(data.X_test, fields=data.fields)
    found = learner.predict(X_test) if data.is_regression else learner.predict_proba(X_test)[:, 1]
    return {"loss": _loss(data, found), "seconds": seconds}


def _myfm(data: DataSet, n_iter: int) -> dict[str, float] | None:
    try:
        myfm = importlib.import_module("myfm")
    except ImportError:
        return None
    X, X_test = (
        sp.csr_matrix((rows.data.astype(float), rows.indices, rows.indptr), shape=rows.shape)
        for rows in (data.X, data.X_test)
    )
    kind = myfm.MyFMRegressor if data.is_regression else myfm.MyFMClassifier
    peer, counted = kind(rank=N_FACTORS, random_seed=0), max(n_iter - N_BURNT, n_iter // 2)
    options = {"n_iter": n_iter, "n_kept_samples": counted, "grouping": data.fields.tolist()}
    seconds = seconds_of(lambda: peer.fit(X, data.y.astype(float), **options))
    found = peer.predict(X_test) if data.is_regression else peer.predict_proba(X_test)
    return {"loss": _loss(data, np.asarray(found)), "seconds": seconds}


def run_quality(options: argparse.Namespace) -> list[dict[str, Any]]:
    """Print a line for each data set; returns the figures."""
    n_iter = 5 if options.quick else N_ITER
    problems = {"adult": lambda: adult(500 if options.quick else None), "phishing": phishing}
    problems["planted ratings"] = planted_ratings
    if "W2" in options.workloads and not options.quick:
        problems["W2"] = lambda: _w2(options.data)
    if folder := os.environ.get("FASTFM_C_MOVIELENS"):
        problems["MovieLens u3"] = lambda: _movielens(Path(folder))
    figures = []
    for name, make in problems.items():
        data = make()
        ours = _ours(data, n_iter, max(options.threads))
        peer = _myfm(data, n_iter) if options.peers else None
        figures.append({"data": name, "ours": ours, "myfm": peer})
        word = "RMSE" if data.is_regression else "log-loss"
        words = "" if peer is None else f"   myFM {peer['loss']:.4f} in {peer['seconds']:.1f} s"
        print(f"{name:16} {word:8} {ours['loss']:.4f} in {ours['seconds']:.1f} s{words}", flush=True)
    return figures
