"""What all tests share: hypothesis repeats itself, and the fixtures of levels and threads."""

import os

import pytest
from helpers.levels import LEVELS, at_level
from hypothesis import HealthCheck, settings

import fastfm_c

# "ci", the default, tries the same examples at every run; HYPOTHESIS_PROFILE=random looks for new ones.
# Two warnings are about what is meant: the fixtures are set once for all examples of a test, and the
# classes of FM and of FFM inherit a test, each with examples of its own.
_CHECKS = [HealthCheck.function_scoped_fixture, HealthCheck.differing_executors, HealthCheck.too_slow]
settings.register_profile(
    "ci",
    derandomize=True,
    deadline=None,
    database=None,
    max_examples=30,
    suppress_health_check=_CHECKS,
)
settings.register_profile("random", deadline=None, max_examples=1000, suppress_health_check=_CHECKS)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))


@pytest.fixture(params=LEVELS)
def simd(request):
    """Runs a test at each SIMD level: for examples by hand.

    A test that computes what is right by the reference calls `helpers.levels.at_all_levels` instead.
    """
    with at_level(request.param):
        yield request.param


@pytest.fixture
def num_threads():
    """Restores the number of threads that a test changes."""
    yield
    fastfm_c.set_num_threads(None)
