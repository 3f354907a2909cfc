"""``fastfm-c`` or ``python -m fastfm_c``: fit models to real data, and time their predictions."""

import argparse
import functools
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastfm_c import FFM, FM, LogisticLoss, __version__, config, get_num_threads
from fastfm_c.datasets import Adult, load_adult
from fastfm_c.training._lbfgs import fit_lbfgs
from fastfm_c.training._metrics import auc

_Array: TypeAlias = NDArray[Any]
_Report: TypeAlias = dict[str, float]  # a number for each model

# The penalties, the iterations and the number of bins of the data (16) were chosen on held-out
# training rows, never on test rows. Three random splits of the 32,561 training rows had 80 % to fit
# and 20 % to judge. The mean log-loss of the held-out rows, of each choice and of its neighbours:
#   logistic  l2_linear  1e-5: .2917     1e-6: .2917   3e-5: .2922
#   FM, k=8   l2_factors 1e-3: .2880     7e-4: .2888   1.4e-3: .2883   2e-3: .2881
#   FFM, k=4  l2_factors 5e-4: .2860     4e-4: .2864   6e-4: .2863
# (Bins, one split, FM and FFM: 10 .288 .287, 14 .283 .280, 16 .281 .277, 20 .283 .281.)
L2_LINEAR = 1e-5
LOGISTIC = {"max_iter": 100}
FM_SIZE, FM_FIT = 8, {"l2_factors": 1e-3, "max_iter": 200}
FFM_SIZE, FFM_FIT = 4, {"l2_factors": 5e-4, "max_iter": 150}
INIT_STDEV = 0.05

TIMED_CALLS = 25  # their median is reported, after a call that does not count
LARGEST_DIFFERENCE = 1e-4  # of two float32 scores; their terms sum to about 10, so rounding is 1e-5
INTERRUPTED = 130  # the exit status that shells give to a program that Ctrl-C ended


def main(argv: Sequence[str] | None = None) -> int:
    """Run the demonstration.

    Parameters
    ----------
    argv : sequence of str, optional
        Arguments of the command line; those of the process by default.

    Returns
    -------
    int
        The exit status: 0 if both factorization machines beat the logistic model on the test rows.
    """
    args = _parse(argv)
    try:
        return _run(get_num_threads() if args.threads is None else args.threads, args.seed)
    except KeyboardInterrupt:
        print("interrupted", file=sys.stderr)
        return INTERRUPTED


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m fastfm_c" if __name__ == "__main__" else "fastfm-c",
        description="Fit a logistic model, an FM and an FFM to the UCI Adult data, which are part of "
        "this package. Compare the models on the test rows. Time their predictions beside those of "
        "SciPy. This takes about a minute on two processors.",
        epilog="Exit status: 0 if the FM and the FFM beat the logistic model and agree with SciPy, "
        f"1 if not, 2 for bad arguments, {INTERRUPTED} after Ctrl-C.",
    )
    parser.add_argument(
        "--threads", type=_at_least(1), metavar="N", help="number of threads (default: all processors)"
    )
    parser.add_argument(
        "--seed", type=_at_least(0), default=0, metavar="N", help="seed of the first factors (default: 0)"
    )
    parser.add_argument("--version", action="version", version=f"fastfm-c {__version__}")
    return parser.parse_args(argv)


def _at_least(smallest: int) -> Callable[[str], int]:
    def integer(text: str) -> int:
        if (value := int(text)) < smallest:
            raise argparse.ArgumentTypeError(f"{value} is less than {smallest}")
        return value

    return integer


def _run(threads: int, seed: int) -> int:
    about = config()
    _say(f"fastfm_c {about['version']}, SIMD level {about['simd']}, {_count(threads, 'thread')}")
    _say("UCI Adult (1994 US census): does a person earn more than 50,000 dollars a year?")
    _say()

    start = time.perf_counter()
    adult = load_adult()
    _say(
        f"Data   {adult.X_train.shape[0]:,} training rows and {adult.X_test.shape[0]:,} test rows; "
        f"{len(adult.field_names)} columns, one-hot: {len(adult.fields)} features "
        f"({time.perf_counter() - start:.1f} s)"
    )
    _say("Fit    L-BFGS on the exact objective, in float64; served in float32")
    scores: dict[str, _Array] = {}
    seconds: _Report = {}
    scores["logistic"], seconds["logistic"] = _fit_logistic(adult)
    fm, seconds["FM"] = _fit_fm(adult, seed, threads)
    scores["FM"] = fm.predict(adult.X_test, num_threads=threads)
    ffm, seconds["FFM"] = _fit_ffm(adult, seed, threads)
    scores["FFM"] = ffm.predict(adult.X_test, num_threads=threads)

    log_loss = _report_quality(adult.y_test, scores, seconds)
    difference = _report_speed(fm, ffm, adult, threads)
    return _verdict(log_loss, difference)


# ---------------------------------------------------------------------------------- fits
# The solver needs the digits of float64. Serving does not, and float32 takes half the memory.


def _fit_fm(adult: Adult, seed: int, threads: int) -> tuple[FM, float]:
    """An FM in float32, and the seconds of its fit."""
    fm = FM.random(len(adult.fields), FM_SIZE, init_stdev=INIT_STDEV, dtype="float64", rng=seed)
    seconds = _fit(fm, "FM ", FM_FIT, adult, threads)
    return FM(fm.w0, fm.w.astype(np.float32), fm.V.astype(np.float32)), seconds


def _fit_ffm(adult: Adult, seed: int, threads: int) -> tuple[FFM, float]:
    """An FFM in float32, and the seconds of its fit."""
    ffm = FFM.random(adult.fields, FFM_SIZE, init_stdev=INIT_STDEV, dtype="float64", rng=seed)
    seconds = _fit(ffm, "FFM", FFM_FIT, adult, threads)
    return FFM(ffm.w0, ffm.w.astype(np.float32), ffm.V.astype(np.float32), adult.fields), seconds


def _fit(model: FM | FFM, name: str, options: dict[str, Any], adult: Adult, threads: int) -> float:
    """Fit a model in place; return the seconds."""
    data, options = (adult.X_train, adult.y_train), {"l2_linear": L2_LINEAR, **options}
    start = time.perf_counter()
    result = fit_lbfgs(model, *data, LogisticLoss(), num_threads=threads, **options)
    seconds = time.perf_counter() - start
    _say(f"       {name} k={model.n_factors}       {result.nit:3} iterations {seconds:6.1f} s")
    return seconds


def _fit_logistic(adult: Adult) -> tuple[_Array, float]:
    """Scores of the test rows by a model without factors, and the seconds of its fit.

    The objective and the solver are those of the other models.
    """
    start = time.perf_counter()
    from scipy.optimize import minimize

    X, y = adult.X_train.astype(np.float64), adult.y_train.astype(np.float64)
    loss = LogisticLoss()

    def value_and_gradient(theta: _Array) -> tuple[float, _Array]:
        w0, w = theta[0], theta[1:]
        losses, grad_scores = loss.loss_gradient(y, w0 + X @ w)
        value = float(np.mean(losses) + 0.5 * L2_LINEAR * (w @ w))
        grad_w = X.T @ grad_scores / len(y) + L2_LINEAR * w
        return value, np.concatenate([[np.mean(grad_scores)], grad_w])

    options = {"maxiter": LOGISTIC["max_iter"], "gtol": 1e-9}
    theta0 = np.zeros(1 + X.shape[1])
    result = minimize(value_and_gradient, theta0, method="L-BFGS-B", jac=True, options=options)
    seconds = time.perf_counter() - start
    _say(f"       logistic      {result.nit:3} iterations {seconds:6.1f} s")
    scores: _Array = result.x[0] + adult.X_test @ result.x[1:]
    return scores, seconds


# -------------------------------------------------------------------------------- quality


def _report_quality(y: _Array, scores: dict[str, _Array], seconds: _Report) -> _Report:
    """Print the figures of the test rows; return the log-loss of each model."""
    loss, log_loss = LogisticLoss(), {}
    _say()
    _say("Test rows             log-loss       AUC  accuracy    seconds to fit")
    for name, s in scores.items():
        log_loss[name] = loss.mean(y, s.astype(np.float64))
        accuracy = np.mean((s >= 0) == (y == 1))
        _say(f"  {name:18} {log_loss[name]:9.4f} {auc(y, s):9.4f} {accuracy:9.4f} {seconds[name]:17.1f}")
    return log_loss


def _verdict(log_loss: _Report, difference: _Report) -> int:
    """Print whether the models did well; return the exit status."""
    gain = {name: log_loss["logistic"] - log_loss[name] for name in difference}
    problems = [
        f"{name} did not beat the logistic model's log-loss on the test rows"
        for name in gain
        if not gain[name] > 0
    ] + [
        f"{name} scores differ from SciPy's by {difference[name]:.0e}"
        for name in difference
        if not difference[name] < LARGEST_DIFFERENCE
    ]
    _say()
    for problem in problems:
        print(f"FAILED: {problem}", file=sys.stderr)
    if problems:
        return 1
    _say(
        "Both beat the logistic model: test log-loss lower "
        f"by {gain['FM']:.4f} (FM) and {gain['FFM']:.4f} (FFM)."
    )
    return 0


# ---------------------------------------------------------------------------------- speed


def _report_speed(fm: FM, ffm: FFM, adult: Adult, threads: int) -> _Report:
    """Print the rates; return the largest difference of each model's scores from SciPy's."""
    X = adult.X_test
    columns = _split_by_field(X, adult.fields)
    peers: dict[str, tuple[FM | FFM, Callable[[], _Array]]] = {
        "FM": (fm, functools.partial(_scipy_fm, X, fm)),
        "FFM": (ffm, functools.partial(_scipy_ffm, X, columns, ffm)),
    }
    difference = {}
    _say()
    _say(f"Prediction of the test rows, float32     rows/s   x SciPy   (median of {TIMED_CALLS})")
    for name, (model, scipy_formula) in peers.items():
        difference[name] = float(np.max(np.abs(model.predict(X) - scipy_formula())))
        scipy_seconds = _median_seconds(scipy_formula)
        seconds = {"SciPy formula": scipy_seconds}
        for n in sorted({1, threads}):
            call = functools.partial(model.predict, X, num_threads=n)
            seconds[f"fastfm_c, {_count(n, 'thread')}"] = _median_seconds(call)
        for program, t in seconds.items():
            label = f"{name} k={model.n_factors}" if program == "SciPy formula" else ""
            _say(f"  {label:9}{program:24}{X.shape[0] / t:12,.0f} {scipy_seconds / t:9.1f}")
        _say(f"  {'':9}largest difference of two scores: {difference[name]:.0e}")
    return difference


def _median_seconds(call: Callable[[], object]) -> float:
    time.sleep(0.1)  # the threads of a library spin for a while after a call
    call()
    seconds = []
    for _ in range(TIMED_CALLS):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return float(np.median(seconds))


def _scipy_fm(X: Any, fm: FM) -> _Array:
    """FM scores by their formula, in SciPy. X holds ones only, so X is its own square."""
    pairs = ((X @ fm.V) ** 2 - X @ (fm.V * fm.V)).sum(axis=1)
    scores: _Array = fm.w0 + X @ fm.w + fm.w.dtype.type(0.5) * pairs
    return scores


def _split_by_field(X: Any, fields: _Array) -> list[tuple[_Array, Any]]:
    """For each field, its features and their columns of X. This is not timed."""
    features = [np.flatnonzero(fields == a) for a in range(fields.max() + 1)]
    columns = X.tocsc()
    return [(rows_of_V, columns[:, rows_of_V].tocsr()) for rows_of_V in features]


def _scipy_ffm(X: Any, columns: list[tuple[_Array, Any]], ffm: FFM) -> _Array:
    """FFM scores by sums per field: ``S[a][:, b]`` is what field a uses against field b."""
    n_rows, half = X.shape[0], ffm.w.dtype.type(0.5)
    scores: _Array = ffm.w0 + X @ ffm.w
    S = []
    for features, X_a in columns:
        V_a = ffm.V[features]
        S.append((X_a @ V_a.reshape(len(features), -1)).reshape(n_rows, *V_a.shape[1:]))
    for a, (features, X_a) in enumerate(columns):
        squares = (ffm.V[features, a] ** 2).sum(axis=1)
        scores += half * ((S[a][:, a] ** 2).sum(axis=1) - X_a @ squares)
        for b in range(a):
            scores += (S[a][:, b] * S[b][:, a]).sum(axis=1)
    return scores


# ---------------------------------------------------------------------------------- text


def _say(line: str = "") -> None:
    print(line, flush=True)


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


if __name__ == "__main__":
    sys.exit(main())
