"""Models that several of these files use."""

import numpy as np
import pytest
from helpers.make import make_csr, make_model

FIELDS = [0, 1, 1, 2]
KINDS = [("FM", ()), ("FM", (1,)), ("FM", (3,)), ("FFM", ()), ("FFM", (1,)), ("FFM", (3,))]


@pytest.fixture(params=[(*k, d) for k in KINDS for d in ("float32", "float64")], ids=str)
def model(request):
    """Of each kind, shape and type, for four features in three fields; five factors."""
    kind, outputs, dtype = request.param
    of_fields = (3, FIELDS) if kind == "FFM" else ()
    return make_model(np.random.default_rng(0), outputs, 4, 5, dtype, *of_fields)


@pytest.fixture
def small():
    """(model, X, y) with 40 rows, float64."""
    rng = np.random.default_rng(0)
    X = make_csr(rng, rng.integers(0, 8, 40), 20)
    return make_model(rng, (), 20, 4, "float64"), X, rng.integers(0, 2, 40)
