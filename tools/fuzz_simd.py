"""Random inputs at every SIMD level of this processor: all levels must give the same bits.

    python tools/fuzz_simd.py                  # a minute
    python tools/fuzz_simd.py --seconds 600
    python tools/fuzz_simd.py --case 1234      # one case again

A case is a number. It makes a matrix (types, shape, empty rows, repeated columns, tiny and huge values), a
model (kind, type, factors, outputs, normalisation) and a work (scores, objective, gradient, training by each
rule, sweeps of ALS, Gibbs sampling, best candidates, small parameters). What each level leaves, a result or
an exception, is compared with what the first one left. The exit code is 1 if a case differs.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import scipy.sparse as sp

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from helpers.levels import LEVELS, assert_same_bits, at_level  # noqa: E402

import fastfm_c  # noqa: E402
from fastfm_c import FFM, FM, LogisticLoss, SoftmaxLoss, SquaredLoss  # noqa: E402
from fastfm_c.bayes import sample  # noqa: E402
from fastfm_c.recommend import Candidates  # noqa: E402
from fastfm_c.serving import quantize  # noqa: E402

RULES = "SGD", "AdaGrad", "Adam", "FTRL"
SIZES = 1.0, 1.0, 1.0, 1e-30, 1e-4, 1e4, 1e15  # of values
FACTORS = [*range(1, 18), 31, 32, 33, 64]


def random_rows(rng: np.random.Generator, n_features: int) -> sp.csr_array:
    """Columns in any order, some of them repeated, some rows empty."""
    n_rows = int(rng.choice([0, 1, 2, 7, 40, 300]))
    lengths = rng.integers(0, rng.choice([2, 10, 70]), size=n_rows)
    indptr = np.concatenate([[0], np.cumsum(lengths)])
    values = rng.normal(size=indptr[-1]) * rng.choice(SIZES)
    if rng.random() < 0.4:
        values = np.ones(indptr[-1])
    indices = rng.integers(n_features, size=indptr[-1])
    index = rng.choice(["int32", "int64"])
    X = sp.csr_array((n_rows, n_features), dtype=rng.choice(["float32", "float64"]))
    X.indptr, X.indices, X.data = indptr.astype(index), indices.astype(index), values.astype(X.dtype)
    return X


def random_model(rng: np.random.Generator, n_features: int, n_outputs: int) -> FM | FFM:
    options = {
        "n_outputs": n_outputs,
        "dtype": rng.choice(["float32", "float64"]),
        "init_stdev": float(rng.choice([0.01, 0.3, 3.0])),
        "rng": int(rng.integers(2**31)),
    }
    n_factors = int(rng.choice(FACTORS))
    if rng.random() < 0.5:
        model = FM.random(n_features, n_factors, **options)
        normalize = rng.choice([None, "instance", "xlearn"], p=[0.7, 0.15, 0.15])
        return FM(model.w0, model.w, model.V, normalize=normalize)
    model = FFM.random(fields=rng.integers(0, 5, size=n_features), n_factors=min(n_factors, 17), **options)
    normalize = rng.choice([None, "instance"], p=[0.7, 0.3])
    return FFM(model.w0, model.w, model.V, model.fields, normalize=normalize)


def random_work(rng: np.random.Generator) -> tuple[str, Callable[[], Any]]:
    """The name of a work, and a call that does it from the beginning."""
    n_features = int(rng.choice([1, 3, 40, 500]))
    n_outputs = int(rng.choice([1, 1, 3]))
    X, model = random_rows(rng, n_features), random_model(rng, n_features, n_outputs)
    n_rows, threads = X.shape[0], int(rng.choice([1, 2, 3]))
    weight = rng.choice([0.0, 0.5, 1.0, 3.0], size=n_rows) if rng.random() < 0.3 else None
    if n_outputs > 1:
        loss, y = SoftmaxLoss(), rng.integers(n_outputs, size=n_rows)
    elif rng.random() < 0.5:
        loss, y = LogisticLoss(), rng.integers(2, size=n_rows)
    else:
        loss, y = SquaredLoss(), rng.normal(size=n_rows)
    rule, seed = str(rng.choice(RULES)), int(rng.integers(2**31))
    rate = float(rng.choice([0.001, 0.05, 1.0]))

    def trained() -> list:
        solver = getattr(fastfm_c, rule)(
            model.copy(), loss, learning_rate=rate, l2_factors=0.01, rng=seed, num_threads=threads
        )
        losses = [solver.partial_fit(X, y, sample_weight=weight) for _ in range(2)]
        return [solver.model, losses]

    def swept() -> list:
        fitted = model.copy()
        options = {"solver": "als", "l2_factors": 0.01, "max_iter": 2, "num_threads": threads}
        fastfm_c.train(fitted, X, y, loss, sample_weight=weight, **options)
        return [fitted]

    def sampled() -> list:
        options = {"n_iter": 3, "burn_in": 1, "X_test": X, "rng": seed, "num_threads": threads}
        posterior = sample(model, X, y, loss, sample_weight=weight, **options)
        return [posterior.model, posterior.mean(), posterior.std()]

    def best() -> list:
        half = n_features // 2
        found = Candidates(model, left_of(X, half)).top_k(right_of(X, half), 5, num_threads=threads)
        return list(found)

    works = {
        "scores": lambda: [model.predict(X, num_threads=threads)],
        "objective": lambda: [model.objective(X, y, loss, sample_weight=weight, num_threads=threads)],
        "gradient": lambda: [model.gradient(X, y, loss, sample_weight=weight, num_threads=threads)[1]],
        f"training by {rule}": trained,
        "ALS": swept,
        "Gibbs sampling": sampled,
        "best candidates": best,
        "float16": lambda: [quantize(model, "float16").predict(X, num_threads=threads)],
        "int8": lambda: [quantize(model, "int8").predict(X, num_threads=threads)],
    }
    name = str(rng.choice(list(works)))
    return f"{name}, {type(model).__name__}, {model.V.shape}, {X.shape}", works[name]


def left_of(X: sp.csr_array, column: int) -> sp.csr_array:
    """The same rows with the values of the columns before it alone."""
    keep = X.copy()
    keep.data = np.where(keep.indices < column, keep.data, 0)
    keep.eliminate_zeros()
    return keep


def right_of(X: sp.csr_array, column: int) -> sp.csr_array:
    keep = X.copy()
    keep.data = np.where(keep.indices >= column, keep.data, 0)
    keep.eliminate_zeros()
    return keep


def outcome(work: Callable[[], Any]) -> Any:
    """What a work leaves: its result, or what it says in an exception."""
    try:
        with np.errstate(all="ignore"):
            return work()
    except (ValueError, fastfm_c.DivergenceError) as error:
        return f"{type(error).__name__}: {error}"


def differs(case: int) -> str | None:
    """What is different between the levels, or None."""
    name, work = random_work(np.random.default_rng(case))
    outcomes = []
    for level in LEVELS:
        with at_level(level):
            outcomes.append(outcome(work))
    for level, found in zip(LEVELS[1:], outcomes[1:], strict=True):
        if isinstance(found, str) or isinstance(outcomes[0], str):
            same = found == outcomes[0] if type(found) is type(outcomes[0]) else False
            if not same:
                return f"{name}: {level}: {found}; {LEVELS[0]}: {outcomes[0]}"
            continue
        try:
            assert_same_bits(found, outcomes[0], f"{name}: {level} differs from {LEVELS[0]}")
        except AssertionError as error:
            return str(error)
    return None


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--count", type=int, help="so many cases, however long they take")
    parser.add_argument("--seed", type=int, default=0, help="the first case")
    parser.add_argument("--case", type=int, help="this case alone")
    options = parser.parse_args()
    if options.case is not None:
        options.seed, options.count = options.case, 1
    end, case, n_bad = time.monotonic() + options.seconds, options.seed, 0
    while case - options.seed < options.count if options.count else time.monotonic() < end:
        if found := differs(case):
            n_bad += 1
            print(f"case {case}: {found}", flush=True)
        case += 1
    print(f"{case - options.seed} cases at {', '.join(LEVELS)}: {n_bad} differ")
    return n_bad > 0


if __name__ == "__main__":
    sys.exit(main())
