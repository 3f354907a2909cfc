"""What all tests share: warnings are errors, hypothesis repeats itself, and the SIMD fixture."""

import os

import pytest
from hypothesis import HealthCheck, settings

import fastfm_c
from fastfm_c import _core

LEVELS = fastfm_c.config()["simd_available"]

# "ci", the default, tries the same examples at every run; HYPOTHESIS_PROFILE=random looks for new ones.
# The fixture that hypothesis warns about is `simd`: it is set once for all examples, as it should be.
_CHECKS = [HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
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


def pytest_configure(config):
    config.addinivalue_line("markers", "slow: takes seconds; leave out with -m 'not slow'")
    config.addinivalue_line("filterwarnings", "error")


@pytest.fixture(params=LEVELS)
def simd(request):
    """Each instruction set level of this machine in turn."""
    before = fastfm_c.config()["simd"]
    _core._use_simd(request.param)
    yield request.param
    _core._use_simd(before)


@pytest.fixture
def num_threads():
    """Restores the number of threads that a test changes."""
    yield
    fastfm_c.set_num_threads(None)


class Levels:
    """Calls functions at a level of choice, for tests that compare levels."""

    names = LEVELS

    def __call__(self, name, function):
        _core._use_simd(name)
        return function()


@pytest.fixture
def levels():
    before = fastfm_c.config()["simd"]
    yield Levels()
    _core._use_simd(before)
