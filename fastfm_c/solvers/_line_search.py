"""How far to go along a direction: a point that satisfies the strong Wolfe conditions.

The conditions (Nocedal and Wright 2006, equations 3.7) ask for a decrease that is worth the step, and for a
slope that is flatter than at the start. Such a step gives L-BFGS a pair of positive curvature.
"""

import math
from collections.abc import Callable
from typing import NamedTuple

__all__ = ["Trial", "line_search"]

LEAST_DECREASE = 1e-4  # of what the slope promises
LARGEST_SLOPE = 0.9  # of that at the start
# So close to the first value, as a share of it, its rounding hides what a decrease is worth, and slopes
# decide (Hager and Zhang 2005, equation 4.1).
NEAR = 1e-6
HIDDEN = 2.0**-53  # what is smaller, as a share of the value, does not change it
MOST_TRIALS = 20
LEAST_GROWTH, MOST_GROWTH = 1.1, 4.0  # of the last step, where no end of the interval is known
MARGIN = 0.1  # of an interval at both ends where no trial is made
NARROWEST = 0.1  # interval that is searched, as a share of its longer end: MINPACK's xtol in L-BFGS-B


class Trial(NamedTuple):
    """A point of the line: its length along the direction, the value there, and the slope."""

    length: float
    value: float
    slope: float


def line_search(evaluate: Callable[[float], Trial], start: Trial, length: float) -> Trial | None:
    """Find a lower point along a direction.

    Parameters
    ----------
    evaluate : callable
        The `Trial` of a length. Its value or slope may be nan or infinite: then a shorter one is tried.
    start : Trial
        At length 0, with a slope below 0.
    length : float
        What is tried first.

    Returns
    -------
    Trial or None
        A point that satisfies the conditions. After `MOST_TRIALS`, or where there is no more to find, the
        lowest one; None if none was lower than the start.
    """
    # The minimum is between low, the lowest point that is worth its step, and high, which is worse or
    # beyond a minimum. While no such point is known, high is None.
    before, low, high = start, start, None
    for _ in range(MOST_TRIALS):
        if -start.slope * length <= HIDDEN * abs(start.value):
            break
        trial = evaluate(length)
        if _is_wolfe(start, trial):
            return trial
        if trial.value == start.value and trial.slope <= LARGEST_SLOPE * start.slope:
            break  # rounding hides what the slope promises, here and nearer to the start
        if not _is_worth_it(start, trial) or not trial.value < low.value:
            high = trial
        else:
            if trial.slope * ((math.inf if high is None else high.length) - low.length) >= 0:
                high = low
            before, low = low, trial
        if high is None:
            length = _beyond(before, low)
        elif abs(high.length - low.length) <= NARROWEST * max(high.length, low.length):
            break
        else:
            length = _between(low, high)
    return low if low.length > 0 else None


def _is_finite(trial: Trial) -> bool:
    return math.isfinite(trial.value) and math.isfinite(trial.slope)


def _is_worth_it(start: Trial, trial: Trial) -> bool:
    promised = LEAST_DECREASE * trial.length * start.slope
    return _is_finite(trial) and trial.value <= start.value + promised


def _is_wolfe(start: Trial, trial: Trial) -> bool:
    if _is_worth_it(start, trial) and abs(trial.slope) <= -LARGEST_SLOPE * start.slope:
        return True
    is_near = 0 <= start.value - trial.value <= NEAR * abs(start.value)
    flattest = (2 * LEAST_DECREASE - 1) * start.slope
    return is_near and LARGEST_SLOPE * start.slope <= trial.slope <= flattest


def _beyond(before: Trial, low: Trial) -> float:
    """A longer length: the slope at low still goes down."""
    step = low.length - before.length
    guess = _cubic_minimum(before, low)
    least, most = low.length + LEAST_GROWTH * step, low.length + MOST_GROWTH * step
    return min(max(guess, least), most) if guess > low.length else most


def _between(low: Trial, high: Trial) -> float:
    """A length between two."""
    width = high.length - low.length
    share = 0.5
    if _is_finite(high):
        guess = (_cubic_minimum(low, high) - low.length) / width
        if math.isfinite(guess):
            share = min(max(guess, MARGIN), 1 - MARGIN)
    return low.length + share * width


def _cubic_minimum(a: Trial, b: Trial) -> float:
    """Where the cubic through two values and slopes is least (equation 3.59); nan where it has no minimum."""
    width = b.length - a.length
    middle = a.slope + b.slope - 3 * (a.value - b.value) / (a.length - b.length)
    square = middle * middle - a.slope * b.slope
    if not square >= 0:
        return math.nan
    root = math.copysign(math.sqrt(square), width)
    bottom = b.slope - a.slope + 2 * root
    return b.length - width * (b.slope + root - middle) / bottom if bottom != 0 else math.nan
