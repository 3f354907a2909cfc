"""CurvaturePairs, dot and step: the vectors of L-BFGS."""

import math

import numpy as np
import pytest
from helpers.levels import assert_same_bits, at_all_levels

from fastfm_c import reference
from fastfm_c._core import CurvaturePairs, dot, step

# Sums are made in double; a vector of float32 is rounded once. The direction is a sum of as many vectors.
RTOL = {"float32": 2e-6, "float64": 1e-11}
SIZES = [0, 1, 7, 8, 9, 511, 512, 513, 16383, 16384, 16385, 50_000]  # around pieces and chunks
CHUNKS = 100_003


def path(n, n_iter, dtype, seed=0):
    """Points of a search on a convex function, and the gradients there."""
    rng = np.random.default_rng(seed)
    curvature = rng.uniform(0.1, 3, n)
    points = rng.normal(size=(n_iter + 1, n))
    return points.astype(dtype), (curvature * points + 0.1 * points**3).astype(dtype)


def taken(points, gradients, room, weights=None, num_threads=None):
    """The pairs of a path."""
    pairs = CurvaturePairs(points.shape[1], points.dtype, room, weights, num_threads)
    pairs.begin(gradients[0])
    for i in range(len(points) - 1):
        pairs.add(points[i], points[i + 1], gradients[i], gradients[i + 1])
    return pairs


def direction(pairs, g):
    d = np.empty_like(g)
    return d, pairs.direction(g, d)


def test_a_quadratic_is_known_after_as_many_steps_as_it_has_axes():
    points, curvature = np.array([[3.0, 2.0], [2.0, 2.0], [2.0, 1.0]]), np.array([1.0, 4.0])
    pairs = taken(points, curvature * points, room=5)
    d, slope = direction(pairs, curvature * points[-1])
    np.testing.assert_allclose(points[-1] + d, 0, atol=1e-15)
    assert slope == -8.0
    assert (len(pairs), pairs.g_squares, pairs.gamma) == (2, 20.0, 0.25)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n", SIZES)
def test_without_pairs_it_goes_down_the_gradient(dtype, n):
    rng = np.random.default_rng(n)
    g, weights = rng.normal(size=n).astype(dtype), rng.uniform(0.1, 2, n).astype(dtype)
    for h in (None, weights):
        pairs = CurvaturePairs(n, dtype, 3, h)
        pairs.begin(g)
        d, slope = direction(pairs, g)
        expected = -g if h is None else -(g.astype(float) * h).astype(dtype)
        np.testing.assert_array_equal(d, expected)
        assert pairs.g_squares == pytest.approx(-math.fsum(g.astype(float) * expected), rel=1e-6)
        assert slope == pytest.approx(math.fsum(g.astype(float) * d), rel=1e-12)
        assert pairs.gamma == 1


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n_iter", [1, 2, 3, 4, 9])  # the room is 3
@pytest.mark.parametrize("n", [1, 5, 513, 20_000])
@pytest.mark.parametrize("is_weighted", [False, True])
def test_it_is_the_two_loop_recursion(dtype, n_iter, n, is_weighted):
    points, gradients = path(n, n_iter, dtype, seed=n)
    h = np.random.default_rng(1).uniform(0.01, 100, n).astype(dtype) if is_weighted else None
    pairs = taken(points, gradients, 3, h)
    d, slope = direction(pairs, gradients[-1])
    s, y = (np.diff(vectors, axis=0)[-3:] for vectors in (points, gradients))
    expected = reference.lbfgs_direction(gradients[-1], s, y, h)
    assert len(pairs) == min(n_iter, 3)
    np.testing.assert_allclose(d, expected, rtol=0, atol=RTOL[dtype] * np.abs(expected).max())
    assert slope == pytest.approx(math.fsum(gradients[-1].astype(float) * d), rel=1e-9)


def test_a_pair_without_positive_curvature_is_left_out():
    points, gradients = path(100, 4, "float64")
    alone = taken(points[:4], gradients[:4], 5)
    pairs = taken(points[:4], gradients[:4], 5)
    for bad in (2 * gradients[3] - gradients[4], np.full(100, np.nan), np.full(100, np.inf), gradients[3]):
        pairs.add(points[3], points[4], gradients[3], bad)
        assert len(pairs) == 3
        pairs.begin(gradients[3])
        assert_same_bits(direction(pairs, gradients[3]), direction(alone, gradients[3]))


def test_a_bad_pair_takes_the_place_of_the_oldest():
    points, gradients = path(100, 4, "float64")
    pairs, without = taken(points[:4], gradients[:4], 3), taken(points[1:4], gradients[1:4], 3)
    pairs.add(points[3], points[4], gradients[3], gradients[3])
    for some in (pairs, without):
        some.begin(gradients[3])
    assert len(pairs) == 2
    assert_same_bits(direction(pairs, gradients[3]), direction(without, gradients[3]))


def test_forgotten_pairs_are_as_if_there_had_been_none():
    points, gradients = path(100, 6, "float64")
    pairs = taken(points[:4], gradients[:4], 3)
    pairs.forget()
    assert_same_bits(direction(pairs, gradients[3])[0], -gradients[3])
    pairs.add(points[3], points[4], gradients[3], gradients[4])
    expected = direction(taken(points[3:5], gradients[3:5], 3), gradients[4])
    assert_same_bits(direction(pairs, gradients[4]), expected)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n", [100, CHUNKS])
def test_the_same_bits_for_any_threads_and_levels(dtype, n):
    points, gradients = path(n, 6, dtype)
    h = np.random.default_rng(1).uniform(0.5, 2, n).astype(dtype)

    def everything(num_threads):
        pairs = taken(points, gradients, 4, h, num_threads)
        out = np.empty_like(points[0])
        step(points[0], 0.3, points[1], out, num_threads)
        return (
            *direction(pairs, gradients[-1]),
            pairs.g_squares,
            pairs.gamma,
            out,
            dot(*points[:2], num_threads),
        )

    expected = everything(1)
    for num_threads in (1, 2, 3, 16):
        assert_same_bits(
            at_all_levels(lambda n=num_threads: everything(n)), expected, f"{num_threads} threads"
        )


@pytest.mark.parametrize("n", SIZES)
def test_dot_and_step(n):
    """Whole numbers, whose sums are exact."""
    a, b = np.random.default_rng(n).integers(-100, 100, (2, n))
    for dtype in ("float32", "float64"):
        x, d, out = a.astype(dtype), b.astype(dtype), np.full(n, np.nan, dtype)
        assert dot(x, d) == a @ b
        step(x, 0.5, d, out)
        np.testing.assert_array_equal(out, a + 0.5 * b)
        step(out, 0.0, d, out)  # in place
        np.testing.assert_array_equal(out, a + 0.5 * b)


def test_float32_steps_are_rounded_once():
    """3 * (1 / 3 as a float32) is 1 + 3e-8: from -1 on only its last digits are left."""
    x, d, out = (np.array([value], "float32") for value in (-1, 1 / 3, 0))
    step(x, 3.0, d, out)
    assert out[0] == np.float32(3 * float(d[0]) - 1)
    assert out[0] > 0


def test_a_minimum_of_a_million_numbers_in_float32_is_summed_in_double():
    x = np.full(1_000_000, 0.1, "float32")
    assert dot(x, x) == pytest.approx(1e6 * float(x[0]) ** 2, rel=1e-12)


GOOD = np.zeros(4)


@pytest.mark.parametrize(
    "bad",
    [np.zeros(3), np.zeros(5), np.zeros(4, "float32"), np.zeros((2, 2)), np.zeros(8)[::2], np.zeros(4, int)],
)
def test_vectors_that_do_not_fit_are_refused(bad):
    pairs = CurvaturePairs(4, "float64", 2, None)
    pairs.begin(GOOD)
    calls = [
        lambda: pairs.begin(bad),
        lambda: pairs.direction(GOOD, bad),
        lambda: pairs.direction(bad, GOOD.copy()),
        lambda: dot(GOOD, bad),
        lambda: step(GOOD, 1.0, bad, GOOD.copy()),
        lambda: step(GOOD, 1.0, GOOD, bad),
        lambda: CurvaturePairs(4, "float64", 2, bad),
        *(lambda k=k: pairs.add(*[bad if i == k else GOOD for i in range(4)]) for k in range(4)),
    ]
    for call in calls:
        with pytest.raises(
            ValueError, match="expected a plain vector of 4 numbers of dtype float64, got shape"
        ):
            call()


def test_sizes_and_types_that_are_none_are_refused():
    for n, dtype, room in ((-1, "float64", 2), (4, "int64", 2), (4, "float64", 0), (1.5, "float64", 2)):
        with pytest.raises(ValueError, match=r"expected|must be"):
            CurvaturePairs(n, dtype, room, None)
    read_only = GOOD.copy()
    read_only.flags.writeable = False
    with pytest.raises(ValueError, match="plain vector"):
        step(GOOD, 1.0, GOOD, read_only)
    with pytest.raises(ValueError, match="float32 or float64"):
        dot(np.zeros(2, int), np.zeros(2, int))
