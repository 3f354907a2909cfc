"""Models, methods that take X, and a small X; and how many threads there are by default."""

import pytest
from helpers.calls import CALLS, MODELS, small_matrix

from fastfm_c._threads import default_limit


@pytest.fixture(params=["FM", "FFM"])
def model(request):
    return MODELS[request.param]


@pytest.fixture(params=CALLS, ids=lambda f: f.__name__)
def call(request):
    return request.param


@pytest.fixture
def X():
    return small_matrix()


@pytest.fixture
def usable_cpus(monkeypatch):
    """How many threads a process uses where OMP_NUM_THREADS does not say it."""
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    return default_limit()
