"""``python -m bench explain``: explanations of Adult, and the largest pairs of a large model."""

from __future__ import annotations

import argparse
from collections.abc import Callable

import numpy as np

from fastfm_c import FFM, FM
from fastfm_c.datasets import load_adult
from fastfm_c.inspection import explain, pair_importance, top_pairs

from .report import print_table
from .timing import least_seconds

K = 8
BACKGROUND = 1000


def run_explain(options: argparse.Namespace) -> dict:
    """Microseconds a row; returns the figures."""
    data = load_adult()
    X, R, n = data.X_test, data.X_train[:BACKGROUND], data.X_test.shape[1]
    fm, ffm = FM.random(n, K, init_stdev=0.3, rng=0), FFM.random(data.fields, 4, init_stdev=0.3, rng=0)
    by_field = {"by": "field", "fields": data.fields}
    calls: dict[str, Callable[[], object]] = {
        "FM by feature": lambda: explain(fm, X, background=R),
        "FM by feature, no background": lambda: explain(fm, X),
        "FM by field": lambda: explain(fm, X, background=R, **by_field),
        "FFM by feature": lambda: explain(ffm, X, background=R),
        "FFM by field": lambda: explain(ffm, X, background=R, by="field"),
        "FM, importance of pairs of fields": lambda: pair_importance(fm, X, background=R, **by_field),
    }
    rounds = 1 + (2 if options.quick else options.repeats)
    figures = {name: least_seconds(call, rounds) / X.shape[0] * 1e6 for name, call in calls.items()}
    rows = [[name, f"{us:.1f}"] for name, us in figures.items()]
    large = FM.random(20_000 if options.quick else 200_000, 16, rng=0)
    large.V *= np.random.default_rng(0).exponential(1, large.n_features).astype(np.float32)[:, None]
    seconds = least_seconds(lambda: top_pairs(large, 100), rounds)
    figures["top_pairs"] = seconds
    print_table(f"Adult, {X.shape[0]:,} rows, k = {K}, us a row", ["", "us"], rows)
    print(f"top_pairs of {large.n_features:,} features: {seconds:.2f} s")
    return figures
