"""Models, methods that take X, and a small X."""

import pytest
from helpers.calls import CALLS, MODELS, small_matrix


@pytest.fixture(params=["FM", "FFM"])
def model(request):
    return MODELS[request.param]


@pytest.fixture(params=CALLS, ids=lambda f: f.__name__)
def call(request):
    return request.param


@pytest.fixture
def X():
    return small_matrix()
