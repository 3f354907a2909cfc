"""SquaredLoss, LogisticLoss and SoftmaxLoss: values, gradients, extremes, targets, errors."""

import math
from decimal import Decimal, localcontext

import numpy as np
import pytest
from helpers.oracles import loss_function
from helpers.strategies import REALS, SEEDS
from hypothesis import given
from hypothesis import strategies as st

from fastfm_c import LogisticLoss, SoftmaxLoss, SquaredLoss

ALL = [SquaredLoss(), LogisticLoss(), LogisticLoss(0.2), SoftmaxLoss(), SoftmaxLoss(0.3)]
# A handful of roundings in double, exp and log1p included (each within 1 ulp, 2.2e-16).
RTOL = 5e-15
# One rounding to float32 at the end (half an ulp, 6e-8), after the arithmetic in double.
RTOL_32 = 6.1e-8
# The softmax of C classes sums C terms.
CLASSES = 5


def rtol(dtype):
    return RTOL_32 if dtype == np.float32 else RTOL


def exact_logistic(s, y, eps):
    """Loss and derivative with 60 digits, from the definition."""
    with localcontext(prec=400):
        s, eps = Decimal(float(s)), Decimal(eps)
        t = int(y) * (1 - eps) + eps / 2
        e = (-abs(s)).exp() if abs(s) < 2000 else Decimal(0)
        loss = max(s, Decimal(0)) - s * t + (1 + e).ln()
        return loss, (1 if s >= 0 else e) / (1 + e) - t


def exact_softmax(s, y, eps):
    with localcontext(prec=400):
        eps, s = Decimal(eps), [Decimal(float(v)) for v in s]
        other = eps / (len(s) - 1) if len(s) > 1 else Decimal(0)
        t = [1 - eps if c == y else other for c in range(len(s))]
        top = max(s)
        exps = [(v - top).exp() if top - v < 2000 else Decimal(0) for v in s]
        total = sum(exps)
        # t sums to 1: sum_c t_c (logsumexp - s_c), without the size of the scores themselves
        loss = total.ln() + sum(t_c * (top - v) for t_c, v in zip(t, s, strict=True))
        return loss, [e / total - t_c for e, t_c in zip(exps, t, strict=True)]


# --------------------------------------------------------------------------------- examples


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_squared_by_hand(dtype):
    losses, gradients = SquaredLoss().loss_gradient([1.0, -2.0, 3.0], np.array([3, -2, 0], dtype))
    assert losses.dtype == gradients.dtype == dtype
    assert losses.tolist() == [2.0, 0.0, 4.5]
    assert gradients.tolist() == [2.0, 0.0, -3.0]


def test_logistic_by_hand():
    losses, gradients = LogisticLoss().loss_gradient([0, 1, 1], [0.0, 0.0, math.log(3)])
    np.testing.assert_allclose(losses, [math.log(2), math.log(2), math.log(4 / 3)], rtol=RTOL)
    np.testing.assert_allclose(gradients, [0.5, -0.5, -0.25], rtol=RTOL)


def test_smoothed_logistic_by_hand():
    # t = 0.1 and 0.9; at s = 1: log(1 + e) - s t
    losses, gradients = LogisticLoss(0.2).loss_gradient([0, 1], [1.0, 1.0])
    np.testing.assert_allclose(losses, math.log(1 + math.e) - np.array([0.1, 0.9]), rtol=RTOL)
    sigmoid = math.e / (1 + math.e)
    np.testing.assert_allclose(gradients, sigmoid - np.array([0.1, 0.9]), rtol=RTOL)


def test_softmax_by_hand():
    scores = np.log([[1.0, 2.0, 5.0], [1.0, 2.0, 5.0]])
    losses, gradients = SoftmaxLoss().loss_gradient([0, 2], scores)
    np.testing.assert_allclose(losses, [math.log(8), math.log(8 / 5)], rtol=RTOL)
    expected = np.array([[1 / 8 - 1, 2 / 8, 5 / 8], [1 / 8, 2 / 8, 5 / 8 - 1]])
    np.testing.assert_allclose(gradients, expected, rtol=RTOL)


def test_smoothed_softmax_by_hand():
    # t = (0.15, 0.7, 0.15)
    scores = np.log([[1.0, 2.0, 5.0]])
    losses, gradients = SoftmaxLoss(0.3).loss_gradient([1], scores)
    expected = math.log(8) - 0.7 * math.log(2) - 0.15 * math.log(5)
    np.testing.assert_allclose(losses, [expected], rtol=RTOL)
    np.testing.assert_allclose(gradients, [[1 / 8 - 0.15, 2 / 8 - 0.7, 5 / 8 - 0.15]], rtol=4 * RTOL)


def test_proba_by_hand():
    np.testing.assert_allclose(LogisticLoss().proba([0.0, math.log(3)]), [0.5, 0.75], rtol=RTOL)
    probabilities = SoftmaxLoss().proba(np.log([[1.0, 2.0, 5.0]]))
    np.testing.assert_allclose(probabilities, [[1 / 8, 2 / 8, 5 / 8]], rtol=RTOL)
    assert not hasattr(SquaredLoss(), "proba")


def test_zero_rows():
    for loss in ALL:
        scores = np.zeros((0, 3)) if isinstance(loss, SoftmaxLoss) else np.zeros(0)
        losses, gradients = loss.loss_gradient([], scores)
        assert losses.shape == (0,)
        assert gradients.shape == scores.shape


def test_one_class_has_no_loss():
    losses, gradients = SoftmaxLoss().loss_gradient([0], [[3.0]])
    assert losses.tolist() == [0]
    assert gradients.tolist() == [[0]]


@pytest.mark.parametrize("eps", [0.0, 0.1])
@pytest.mark.parametrize(("dtype", "huge"), [("float32", 1e4), ("float64", 1e4), ("float64", 1e300)])
def test_extreme_scores(dtype, huge, eps):
    s = np.array([huge, -huge, huge, -huge], dtype)
    huge = float(s[0])
    losses, gradients = LogisticLoss(eps).loss_gradient([1, 0, 0, 1], s)
    small, large = huge * (eps / 2), huge * (1 - eps / 2)
    np.testing.assert_allclose(losses, [small, small, large, large], rtol=rtol(s.dtype))
    signs = np.array([eps / 2, -eps / 2, 1 - eps / 2, eps / 2 - 1])
    np.testing.assert_allclose(gradients, signs, rtol=rtol(s.dtype))

    s = np.array([[huge, -huge, -huge], [-huge, huge, -huge]], dtype)
    losses, gradients = SoftmaxLoss(eps).loss_gradient([0, 0], s)
    expected = [2 * huge * eps, 2 * huge * (1 - eps + eps / 2)]
    np.testing.assert_allclose(losses, expected, rtol=rtol(s.dtype))
    expected = [[eps, -eps / 2, -eps / 2], [eps - 1, 1 - eps / 2, -eps / 2]]
    np.testing.assert_allclose(gradients, expected, rtol=rtol(s.dtype))


@pytest.mark.parametrize(("dtype", "huge"), [("float32", 1e4), ("float64", 1e300)])
def test_extreme_probabilities(dtype, huge):
    scores = np.array([huge, -huge, 0], dtype)
    assert LogisticLoss().proba(scores).tolist() == [1, 0, 0.5]
    assert SoftmaxLoss().proba(scores[None]).tolist() == [[1, 0, 0]]
    equal = SoftmaxLoss().proba(np.full((1, 4), huge, dtype))
    assert equal.tolist() == [[0.25] * 4]


def test_squared_extremes():
    losses, gradients = SquaredLoss().loss_gradient([-1e4], np.array([1e4], "float32"))
    assert (losses.tolist(), gradients.tolist()) == ([2e8], [2e4])
    losses, gradients = SquaredLoss().loss_gradient([-1e300, 1e300], [1e300, 1e300])
    assert losses.tolist() == [np.inf, 0]  # the true value, 2e600, is not a float64
    assert gradients.tolist() == [2e300, 0]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_scores_that_are_not_finite_pass_through(bad):
    for loss in ALL:
        scores = np.array([[1.0, 0.5], [bad, 0.5], [1.0, 0.5]])
        if not isinstance(loss, SoftmaxLoss):
            scores = scores[:, 0]
        losses = loss.loss([1, 1, 0], scores)
        clean = loss.loss([1, 0], scores[[0, 2]])
        np.testing.assert_array_equal(losses[[0, 2]], clean)
        if np.isnan(bad):
            assert np.isnan(losses[1])


# -------------------------------------------------------------------------------- reference


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("eps", [0.0, 1e-12, 0.1, 0.5, 0.99])
def test_logistic_against_400_digits(dtype, eps):
    """Small losses and derivatives included: relative accuracy, no absolute tolerance."""
    sizes = np.concatenate([[0], np.geomspace(1e-300, 700, 40), [36.7, 37, 709, 745, 1e4]])
    s = np.unique(np.concatenate([sizes, -sizes]).astype(dtype))
    for y in (0, 1):
        losses, gradients = LogisticLoss(eps).loss_gradient(np.full(len(s), y), s)
        for s_i, loss, gradient in zip(s, losses, gradients, strict=True):
            expected, slope = exact_logistic(s_i, y, eps)
            assert_relative(loss, expected, dtype, f"loss at s={s_i} y={y}")
            # The derivative has a root where sigmoid(s) = t: there, relative to its two terms.
            terms = 0 if eps == 0 else min(float(abs(slope)) + 2 * eps, 1)
            assert_relative(gradient, slope, dtype, f"gradient at s={s_i} y={y}", terms)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("eps", [0.0, 1e-12, 0.1, 0.75])
def test_softmax_against_400_digits(dtype, eps):
    rng = np.random.default_rng(0)
    for size in (1e-3, 1, 30, 700, 1e4):
        scores = (rng.standard_normal((12, CLASSES)) * size).astype(dtype)
        scores[0] = 0
        y = rng.integers(0, CLASSES, 12)
        losses, gradients = SoftmaxLoss(eps).loss_gradient(y, scores)
        for s, label, loss, gradient in zip(scores, y, losses, gradients, strict=True):
            expected, slopes = exact_softmax(s, label, eps)
            assert_relative(loss, expected, dtype, f"loss at {s}", size=size)
            for c in range(CLASSES):
                terms = 0 if eps == 0 else min(float(abs(slopes[c])) + 2 * eps, 1)
                assert_relative(gradient[c], slopes[c], dtype, f"gradient {c} at {s}", terms, size)


def assert_relative(actual, exact, dtype, what, terms=0.0, size=0.0):
    """Relative to the exact value, or to terms where they are larger and cancel.

    exp turns the rounding of a difference of scores of some size into a relative error.
    """
    tiny = float(np.finfo(dtype).smallest_normal)  # below it there is no accuracy to keep
    relative = 4 * rtol(dtype) + 4 * size * np.finfo(float).eps
    bound = relative * max(float(abs(exact)), terms, tiny)
    assert abs(Decimal(float(actual)) - exact) <= Decimal(bound), f"{what}: {actual}, not {exact:.20}"


@pytest.mark.parametrize("loss", ALL, ids=repr)
@given(seed=SEEDS, dtype=REALS, size=st.sampled_from([0.1, 3.0, 50.0]))
def test_reference(loss, seed, dtype, size):
    rng = np.random.default_rng(seed)
    shape = (20, 3) if isinstance(loss, SoftmaxLoss) else 20
    scores = (rng.standard_normal(shape) * size).astype(dtype)
    y = rng.integers(0, 2, 20)
    losses, gradients = loss.loss_gradient(y, scores)
    expected, slopes = loss_function(loss)(y, scores)
    tiny = np.finfo(dtype).smallest_normal
    np.testing.assert_allclose(losses, expected, rtol=4 * rtol(losses.dtype), atol=tiny)
    # Near a root of the derivative its terms cancel: they are at most 1, the scores' size if squared.
    np.testing.assert_allclose(gradients, slopes, rtol=4 * rtol(losses.dtype), atol=4 * RTOL * size)


# ------------------------------------------------------------------------------- properties


@given(
    s=st.floats(-1e300, 1e300),
    eps=st.sampled_from([0.0, 1e-6, 0.05, 0.3, 0.49]),
    y=st.integers(0, 1),
)
def test_softmax_of_two_classes_is_logistic_with_twice_the_smoothing(s, eps, y):
    losses, gradients = SoftmaxLoss(eps).loss_gradient([y], [[0.0, s]])
    expected, slope = LogisticLoss(2 * eps).loss_gradient([y], [s])
    np.testing.assert_allclose(losses, expected, rtol=4 * RTOL)
    np.testing.assert_allclose(gradients[0, 1], slope[0], rtol=4 * RTOL, atol=RTOL)
    np.testing.assert_allclose(gradients[0, 0], -gradients[0, 1], rtol=4 * RTOL, atol=RTOL)


@given(s=st.lists(st.floats(-50, 50), min_size=2, max_size=6), shift=st.integers(-8, 8))
def test_softmax_knows_differences_only(s, shift):
    """A shift by a power of two times the grid of the scores is exact, and so is the loss."""
    scores = np.round(np.array([s]) * 1024) / 1024
    y = [len(s) - 1]
    np.testing.assert_array_equal(
        SoftmaxLoss(0.1).loss(y, scores + 2.0**shift), SoftmaxLoss(0.1).loss(y, scores)
    )


@pytest.mark.parametrize("loss", ALL, ids=repr)
@given(seed=SEEDS)
def test_gradients_are_finite_differences(loss, seed):
    rng = np.random.default_rng(seed)
    n_classes = 3 if isinstance(loss, SoftmaxLoss) else 1
    scores = rng.standard_normal((4, n_classes)) * 3
    y, step = rng.integers(0, 2, 4), 1e-5
    squeeze = (lambda a: a) if n_classes == 3 else (lambda a: a[:, 0])
    gradients = loss.gradient(y, squeeze(scores)).reshape(4, n_classes)
    for c in range(n_classes):
        move = step * (np.arange(n_classes) == c)
        up, down = loss.loss(y, squeeze(scores + move)), loss.loss(y, squeeze(scores - move))
        # Error step^2 / 6 times a third derivative below 1, rounding 1e-15 / step.
        np.testing.assert_allclose(gradients[:, c], (up - down) / (2 * step), atol=1e-8)


@pytest.mark.parametrize("loss", ALL, ids=repr)
def test_loss_and_gradient_are_those_of_one_pass(loss):
    rng = np.random.default_rng(0)
    scores = rng.standard_normal((9, 3) if isinstance(loss, SoftmaxLoss) else 9)
    y = rng.integers(0, 2, 9)
    losses, gradients = loss.loss_gradient(y, scores)
    np.testing.assert_array_equal(loss.loss(y, scores), losses)
    np.testing.assert_array_equal(loss.gradient(y, scores), gradients)
    assert loss.mean(y, scores) == pytest.approx(np.mean(losses), rel=RTOL)
