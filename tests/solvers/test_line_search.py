"""line_search: a lower point that satisfies the strong Wolfe conditions, or the best of what there is."""

import math

import numpy as np
import pytest

from fastfm_c.solvers._line_search import MOST_TRIALS, Trial, line_search

C1, C2 = 1e-4, 0.9


def search(function, first, noise=0.0):
    """line_search along a function of one number that returns value and slope: its trials, and the point."""
    rng, trials = np.random.default_rng(0), []

    def evaluate(length):
        value, slope = function(length)
        trials.append(Trial(length, value + noise * rng.standard_normal(), slope))
        return trials[-1]

    found = line_search(evaluate, Trial(0.0, *function(0.0)), first)
    return trials, found


def more_thuente_1(a, b=2.0):
    return -a / (a * a + b), (a * a - b) / (a * a + b) ** 2


def quartic(a):
    return (a - 2) ** 4 - 5 * a, 4 * (a - 2) ** 3 - 5


def hill_and_valley(a):
    return math.cos(3 * a) - 0.5 * a, -3 * math.sin(3 * a) - 0.5


@pytest.mark.parametrize("function", [more_thuente_1, quartic, hill_and_valley])
@pytest.mark.parametrize("first", [1e-3, 0.1, 1.0, 5.0])
def test_the_point_satisfies_the_strong_wolfe_conditions(function, first):
    trials, found = search(function, first)
    value, slope = function(0.0)
    assert found in trials
    assert found.value <= value + C1 * found.length * slope
    assert abs(found.slope) <= C2 * abs(slope)
    assert len(trials) <= 10


def test_a_slope_that_cannot_be_made_flat_enough_ends_in_a_lower_point():
    """Moré and Thuente's second function is nearly flat at the start: 5e-7, in a valley of depth 2.6."""
    trials, found = search(
        lambda a: ((a + 0.004) ** 5 - 2 * (a + 0.004) ** 4, 5 * (a + 0.004) ** 4 - 8 * (a + 0.004) ** 3), 1.0
    )
    assert found in trials
    assert found.value < -2.5
    assert len(trials) <= MOST_TRIALS


def test_the_first_length_is_taken_where_it_will_do():
    trials, found = search(lambda a: ((a - 1) ** 2, 2 * (a - 1)), 1.0)
    assert len(trials) == 1
    assert found.length == 1


@pytest.mark.parametrize("bad", [(math.nan, 0.0), (math.inf, 1.0), (-math.inf, -1.0), (0.0, math.nan)])
def test_where_the_function_is_not_finite_steps_get_shorter(bad):
    """Also where the value alone looks like a decrease."""
    trials, found = search(lambda a: bad if a > 0.01 else ((a - 0.004) ** 2, 2 * (a - 0.004)), 1.0)
    assert 0 < found.length <= 0.01
    assert found.value < 0.004**2
    assert len(trials) <= MOST_TRIALS


def test_a_function_that_is_finite_nowhere_else_has_no_lower_point():
    trials, found = search(lambda a: (math.nan, math.nan) if a else (0.0, -1.0), 1.0)
    assert found is None
    assert len(trials) == MOST_TRIALS


def test_a_slope_that_lies_has_no_lower_point():
    trials, found = search(lambda a: (a, -1.0), 1.0)
    assert found is None
    assert len(trials) <= MOST_TRIALS


def test_what_rounding_hides_is_not_tried():
    """The slope promises less than the last digit of the value."""
    trials, found = search(lambda a: (1.0, -1e-20), 1.0)
    assert found is None
    assert trials == []


def test_an_unchanged_value_ends_the_search():
    """Where a promise of 1e-10 shows nothing, as in sums of float32 scores, a smaller one shows nothing."""
    trials, found = search(lambda a: (1.0, -1e-10), 1.0)
    assert found is None
    assert len(trials) == 1


def test_a_function_that_falls_for_ever():
    trials, found = search(lambda a: (-a, -1.0), 1.0)
    assert found == trials[-1]
    assert np.all(np.diff([trial.length for trial in trials]) > 0)


def test_noise_costs_few_trials_and_never_leads_up():
    """Values with the noise of float32 scores, at a minimum that they cannot show any more."""
    total = 0
    for seed in range(50):
        depth = 10.0 ** np.random.default_rng(seed).uniform(-12, -8)
        trials, found = search(
            lambda a, depth=depth: (1 + depth * (a - 1) ** 2, 2 * depth * (a - 1)), 3.0, noise=1e-8
        )
        assert found is None or found.value < 1 + depth
        total += len(trials)
    assert total <= 50 * 10
