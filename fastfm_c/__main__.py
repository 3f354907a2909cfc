"""``python -m fastfm_c``: fit factorization machines to real data and time their predictions."""

import argparse
import functools
import sys
import time

import numpy as np

from fastfm_c import FFM, FM, LogisticLoss, config, get_num_threads
from fastfm_c.datasets import load_adult
from fastfm_c.training._lbfgs import fit_lbfgs
from fastfm_c.training._metrics import auc

# Strengths, iterations and the number of bins of the data (16) were chosen on held-out training
# rows, never on test rows: three random splits of the 32,561 training rows into 80 % to fit and
# 20 % to judge. Mean held-out log-loss of the choice, and of its neighbours:
#   logistic  l2_linear  1e-5: .2917     1e-6: .2917   3e-5: .2922
#   FM, k=8   l2_factors 1e-3: .2880     7e-4: .2888   1.4e-3: .2883   2e-3: .2881
#   FFM, k=4  l2_factors 5e-4: .2860     4e-4: .2864   6e-4: .2863
# (Bins, one split, FM and FFM: 10 .288 .287, 14 .283 .280, 16 .281 .277, 20 .283 .281.)
L2_LINEAR = 1e-5
LOGISTIC = {"max_iter": 100}
FM_SIZE, FM_FIT = 8, {"l2_factors": 1e-3, "max_iter": 200}
FFM_SIZE, FFM_FIT = 4, {"l2_factors": 5e-4, "max_iter": 150}
INIT_STDEV = 0.05

TIMED_CALLS = 25  # the median of so many calls is reported, after one that is not counted
LARGEST_DIFFERENCE = 1e-4  # between float32 scores whose terms sum to some 10: rounding is 1e-5


def main(argv=None) -> int:
    """Run the demonstration; 0 if both machines beat the logistic model on the test rows."""
    args = _parse(argv)
    threads = get_num_threads() if args.threads is None else args.threads
    try:
        return _run(threads, args.seed)
    except KeyboardInterrupt:
        print("\ninterrupted", file=sys.stderr)
        return 130


def _parse(argv):
    parser = argparse.ArgumentParser(
        prog="python -m fastfm_c",
        description="Fit a logistic model, an FM and an FFM to the UCI Adult data by L-BFGS, "
        "compare them on the test rows, and time their predictions beside SciPy.",
    )
    parser.add_argument(
        "--threads", type=_positive, metavar="N", help="threads to use (default: all there are)"
    )
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="of the initial factors (default: 0)"
    )
    return parser.parse_args(argv)


def _positive(text):
    if (value := int(text)) < 1:
        raise argparse.ArgumentTypeError(f"{value} is less than 1")
    return value


def _run(threads, seed):
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

    scores, seconds = {}, {}

    start = time.perf_counter()
    w0, w, n_iter = _fit_logistic(adult.X_train, adult.y_train)
    seconds["logistic"] = time.perf_counter() - start
    scores["logistic"] = w0 + adult.X_test @ w
    _say(f"       logistic      {n_iter:3} iterations {seconds['logistic']:6.1f} s")

    # The solver wants the digits of float64; serving does not, and float32 is half the memory.
    options = {"init_stdev": INIT_STDEV, "dtype": "float64", "rng": seed}
    fm = FM.random(len(adult.fields), FM_SIZE, **options)
    seconds["FM"] = _fit(fm, "FM ", FM_FIT, adult, threads)
    fm = FM(fm.w0, fm.w.astype(np.float32), fm.V.astype(np.float32))
    scores["FM"] = fm.predict(adult.X_test, num_threads=threads)

    ffm = FFM.random(adult.fields, FFM_SIZE, **options)
    seconds["FFM"] = _fit(ffm, "FFM", FFM_FIT, adult, threads)
    ffm = FFM(ffm.w0, ffm.w.astype(np.float32), ffm.V.astype(np.float32), adult.fields)
    scores["FFM"] = ffm.predict(adult.X_test, num_threads=threads)

    log_loss = _report_quality(adult.y_test, scores, seconds)
    difference = _report_speed(fm, ffm, adult, threads)
    return _verdict(log_loss, difference)


# ---------------------------------------------------------------------------------- fits


def _fit(model, name, options, adult, threads):
    start = time.perf_counter()
    result = fit_lbfgs(
        model,
        adult.X_train,
        adult.y_train,
        LogisticLoss(),
        l2_linear=L2_LINEAR,
        num_threads=threads,
        **options,
    )
    seconds = time.perf_counter() - start
    _say(f"       {name} k={model.n_factors}       {result.nit:3} iterations {seconds:6.1f} s")
    return seconds


def _fit_logistic(X, y):
    """The same objective without factors, by the same solver: bias, weights and iterations."""
    from scipy.optimize import minimize

    X, y, loss = X.astype(np.float64), y.astype(np.float64), LogisticLoss()

    def value_and_gradient(theta):
        w0, w = theta[0], theta[1:]
        losses, grad_scores = loss.loss_gradient(y, w0 + X @ w)
        value = np.mean(losses) + 0.5 * L2_LINEAR * (w @ w)
        grad_w = X.T @ grad_scores / len(y) + L2_LINEAR * w
        return value, np.concatenate([[np.mean(grad_scores)], grad_w])

    options = {"maxiter": LOGISTIC["max_iter"], "gtol": 1e-9}
    theta0 = np.zeros(1 + X.shape[1])
    result = minimize(value_and_gradient, theta0, method="L-BFGS-B", jac=True, options=options)
    return result.x[0], result.x[1:], result.nit


# -------------------------------------------------------------------------------- quality


def _report_quality(y, scores, seconds):
    loss, log_loss = LogisticLoss(), {}
    _say()
    _say("Test rows             log-loss       AUC  accuracy    seconds to fit")
    for name, s in scores.items():
        log_loss[name] = loss.mean(y, s.astype(np.float64))
        accuracy = np.mean((s >= 0) == (y == 1))
        _say(f"  {name:18} {log_loss[name]:9.4f} {auc(y, s):9.4f} {accuracy:9.4f} {seconds[name]:17.1f}")
    return log_loss


def _verdict(log_loss, difference):
    """Say how it went; the exit code."""
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


def _report_speed(fm, ffm, adult, threads):
    """Print the rates; return for each machine how far its scores are from SciPy's."""
    X = adult.X_test
    parts = _split_by_field(X, adult.fields)
    peers = {"FM": (fm, lambda: _scipy_fm(X, fm)), "FFM": (ffm, lambda: _scipy_ffm(X, parts, ffm))}
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
        for how, t in seconds.items():
            label = f"{name} k={model.n_factors}" if how == "SciPy formula" else ""
            _say(f"  {label:9}{how:24}{X.shape[0] / t:12,.0f} {scipy_seconds / t:9.1f}")
        _say(f"  {'':9}largest difference of two scores: {difference[name]:.0e}")
    return difference


def _median_seconds(call):
    time.sleep(0.1)  # threads of a library that was called before spin for a while
    call()
    seconds = []
    for _ in range(TIMED_CALLS):
        start = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - start)
    return float(np.median(seconds))


def _scipy_fm(X, fm):
    """FM scores as one writes them with SciPy. X holds ones, so X is its own square."""
    pairs = ((X @ fm.V) ** 2 - X @ (fm.V * fm.V)).sum(axis=1)
    return fm.w0 + X @ fm.w + fm.w.dtype.type(0.5) * pairs


def _split_by_field(X, fields):
    """For each field its features, and their columns of X: made once, outside the timing."""
    features = [np.flatnonzero(fields == a) for a in range(fields.max() + 1)]
    columns = X.tocsc()
    return [(rows_of_V, columns[:, rows_of_V].tocsr()) for rows_of_V in features]


def _scipy_ffm(X, parts, ffm):
    """FFM scores by sums per field: ``S[a][:, b]`` is what field a uses against field b."""
    n_rows, half = X.shape[0], ffm.w.dtype.type(0.5)
    scores = ffm.w0 + X @ ffm.w
    S = []
    for features, X_a in parts:
        V_a = ffm.V[features]
        S.append((X_a @ V_a.reshape(len(features), -1)).reshape(n_rows, *V_a.shape[1:]))
    for a, (features, X_a) in enumerate(parts):
        own = (ffm.V[features, a] ** 2).sum(axis=1)
        scores += half * ((S[a][:, a] ** 2).sum(axis=1) - X_a @ own)
        for b in range(a):
            scores += (S[a][:, b] * S[b][:, a]).sum(axis=1)
    return scores


# ---------------------------------------------------------------------------------- text


def _say(line=""):
    print(line, flush=True)


def _count(number, noun):
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


if __name__ == "__main__":
    sys.exit(main())
