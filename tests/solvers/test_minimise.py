"""Lbfgs: the minimum of any smooth function of a vector."""

import math

import numpy as np
import pytest
from helpers.levels import assert_same_bits, at_all_levels
from scipy.optimize import minimize

from fastfm_c.solvers._minimise import N_PAIRS, Lbfgs


def rosenbrock(x, out):
    """Its minimum is 0, at ones, at the end of a bent valley."""
    x = x.astype(float)
    out[:-1] = -400 * x[:-1] * (x[1:] - x[:-1] ** 2) - 2 * (1 - x[:-1])
    out[-1] = 0
    out[1:] += 200 * (x[1:] - x[:-1] ** 2)
    return float(np.sum(100 * (x[1:] - x[:-1] ** 2) ** 2 + (1 - x[:-1]) ** 2))


def quadratic(n, largest, seed=0):
    """(function, minimum) with second derivatives from 1 to `largest`."""
    rng = np.random.default_rng(seed)
    curvature, center = largest ** rng.uniform(0, 1, n), rng.normal(size=n)

    def function(x, out):
        out[:] = curvature * (x - center)
        return 0.5 * float(np.sum(curvature * (x - center) ** 2))

    return function, center, curvature


def as_scipy_takes_it(function):
    def value_and_gradient(x):
        out = np.empty_like(x)
        return function(x, out), out

    return value_and_gradient


@pytest.mark.parametrize("n", [2, 3, 10, 50])
@pytest.mark.parametrize(("dtype", "atol"), [("float64", 1e-10), ("float32", 1e-3)])
def test_rosenbrock(n, dtype, atol):
    search = Lbfgs(rosenbrock, np.full(n, -1.2, dtype))
    assert search.run(max_iter=2000, tol=0) == "converged"
    assert search.x.dtype == dtype
    np.testing.assert_allclose(search.x, 1, atol=atol)
    assert search.value == rosenbrock(search.x, np.empty(n, dtype))


@pytest.mark.parametrize("n", [2, 10, 100])
def test_no_more_evaluations_than_scipy(n):
    """Measured: 41, 102 and 653; SciPy takes 39, 108 and 656."""
    search = Lbfgs(rosenbrock, np.full(n, -1.2))
    search.run(max_iter=5000, tol=0)
    options = {"maxiter": 5000, "maxfun": 10**6, "ftol": 0, "gtol": 0, "maxcor": N_PAIRS}
    peer = minimize(
        as_scipy_takes_it(rosenbrock), np.full(n, -1.2), jac=True, method="L-BFGS-B", options=options
    )
    assert search.n_evaluations <= 1.2 * peer.nfev
    assert search.value <= 1e-25


@pytest.mark.parametrize("n", [1, 2, 9, 1000])
def test_a_quadratic(n):
    function, center, _ = quadratic(n, 100.0)
    search = Lbfgs(function, np.zeros(n))
    assert search.run(max_iter=1000, tol=0) == "converged"
    np.testing.assert_allclose(search.x, center, atol=1e-9)


def test_weights_know_the_curvature():
    """With the true second derivatives, over 12 powers of ten, all axes are alike."""
    function, center, curvature = quadratic(200, 1e12)
    search = Lbfgs(function, np.zeros(200), weights=1 / curvature)
    assert search.run(max_iter=100, tol=0) == "converged"
    assert search.n_iter < 10
    np.testing.assert_allclose(search.x, center, rtol=1e-9)
    without = Lbfgs(function, np.zeros(200))
    without.run(max_iter=100, tol=0)
    assert without.value > 1e3 * max(search.value, 1e-20)


def test_a_start_without_a_slope_is_the_end():
    function, center, _ = quadratic(5, 10.0)
    search = Lbfgs(function, center.copy())
    assert search.run(max_iter=10, tol=0) == "converged"
    assert (search.n_iter, search.n_evaluations, search.value) == (0, 1, 0.0)
    np.testing.assert_array_equal(search.x, center)


def test_no_parameters():
    search = Lbfgs(lambda x, out: 7.0, np.zeros(0))
    assert search.run(max_iter=10, tol=0) == "converged"
    assert search.value == 7.0


def test_no_iterations():
    search = Lbfgs(rosenbrock, np.full(2, -1.2))
    assert search.run(max_iter=0, tol=0) == "max_iter"
    assert search.n_iter == 0


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
def test_a_start_that_is_not_finite_is_refused(value):
    def function(x, out):
        out[:] = 1
        return value

    with pytest.raises(ValueError, match=f"objective is {value} at the start"):
        Lbfgs(function, np.ones(3)).run(max_iter=10, tol=0)


@pytest.mark.parametrize("slope", [math.nan, math.inf, 1e200])
def test_a_gradient_that_is_not_finite_is_refused(slope):
    def function(x, out):
        out[:] = slope
        return 1.0

    with pytest.raises(ValueError, match="gradient is not finite at the start"):
        Lbfgs(function, np.ones(3)).run(max_iter=10, tol=0)


def test_a_wall_beyond_which_there_is_no_value():
    """x - log(x) has no value for x <= 0, where the first step would lead."""

    def function(x, out):
        with np.errstate(invalid="ignore", divide="ignore"):
            out[:] = 1 - 1 / x
            return float(np.sum(x - np.log(x)))

    for start in (1e-6, 0.5, 3.0, 1e4):
        search = Lbfgs(function, np.full(4, start))
        assert search.run(max_iter=500, tol=0) == "converged"
        np.testing.assert_allclose(search.x, 1, atol=1e-6)


def test_a_function_that_falls_for_ever_ends():
    def function(x, out):
        out[:] = 1
        return float(np.sum(x))

    search = Lbfgs(function, np.zeros(3))
    assert search.run(max_iter=50, tol=0) in ("max_iter", "converged")
    assert np.isfinite(search.x).all()
    assert search.value < -1e6


def test_a_gradient_that_lies_ends_where_it_began():
    def function(x, out):
        out[:] = -1.0
        return float(np.sum(x * x) + np.sum(np.abs(x)))

    search = Lbfgs(function, np.zeros(3))
    assert search.run(max_iter=50, tol=0) == "converged"
    np.testing.assert_array_equal(search.x, 0)


def test_values_fall_and_a_smaller_tol_goes_on_for_longer():
    n_iters = []
    for tol in (1e-2, 1e-5, 1e-10, 0.0):
        function, _, _ = quadratic(300, 100.0)
        search, seen = Lbfgs(lambda x, out, f=function: 1 + f(x, out), np.zeros(300)), []
        reason = search.run(1000, tol, callback=lambda n, value, seen=seen: seen.append((n, value)))
        assert reason == "converged"
        assert [n for n, _ in seen] == list(range(1, search.n_iter + 1))
        assert np.all(np.diff([value for _, value in seen]) <= 0)
        n_iters.append(search.n_iter)
    assert np.all(np.diff(n_iters) > 0)


def test_least_slope_ends_the_search():
    function, center, curvature = quadratic(50, 100.0)
    search = Lbfgs(function, np.zeros(50))
    assert search.run(1000, 0, least_slope=1e-3) == "converged"
    assert 1e-6 < np.linalg.norm(curvature * (search.x - center)) <= 1e-3


@pytest.mark.parametrize("place", ["function", "callback"])
def test_an_exception_leaves_the_lowest_point(place):
    calls, values = [], []

    def function(x, out):
        calls.append(rosenbrock(x, out))
        if place == "function" and len(calls) == 20:
            raise KeyboardInterrupt
        return calls[-1]

    def callback(n_iter, value):
        values.append(value)
        if place == "callback" and n_iter == 15:
            raise KeyboardInterrupt

    search = Lbfgs(function, np.full(4, -1.2))
    with pytest.raises(KeyboardInterrupt):
        search.run(1000, 0, callback=callback)
    assert search.value == values[-1] == min(values)
    assert rosenbrock(search.x, np.empty(4)) == search.value


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_same_bits_for_any_threads_and_levels(dtype):
    """50,000 numbers are four chunks; the function itself has one order of sums."""
    function, _, curvature = quadratic(50_000, 1e3)

    def end(num_threads):
        weights = (curvature**-0.5).astype(dtype)
        search = Lbfgs(function, np.zeros(50_000, dtype), weights=weights, num_threads=num_threads)
        search.run(max_iter=25, tol=0)
        return search.x, search.value, search.n_evaluations

    expected = end(1)
    for num_threads in (2, 3, 16):
        assert_same_bits(at_all_levels(lambda n=num_threads: end(n)), expected, f"{num_threads} threads")
