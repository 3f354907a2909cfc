"""What an installation promises: one version, and threads that run without the GIL where Python has none."""

import importlib.metadata
import sys
import sysconfig

import numpy as np
import pytest
from helpers.make import make_csr, make_model
from helpers.subprocesses import output_of
from helpers.threads import in_threads

import fastfm_c


def test_the_version_stands_in_one_place():
    try:
        installed = importlib.metadata.version("fastfm-c")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("not installed: a source tree")
    assert installed == fastfm_c.__version__


def test_nothing_but_numpy_and_scipy_is_required():
    try:
        requirements = importlib.metadata.requires("fastfm-c")
    except importlib.metadata.PackageNotFoundError:
        pytest.skip("not installed: a source tree")
    required = [r for r in requirements if "extra" not in r]
    assert [r.partition(">")[0] for r in required] == ["numpy", "scipy"]


@pytest.mark.skipif(not sysconfig.get_config_var("Py_GIL_DISABLED"), reason="a Python with a GIL")
def test_the_gil_stays_off():
    program = "import sys, numpy, fastfm_c; print(sys._is_gil_enabled())"
    assert output_of(program).strip() == "False"


def test_threads_share_a_model():
    rng = np.random.default_rng(0)
    X = make_csr(rng, [20] * 500, 300, "float32")
    model = make_model(rng, (), 300, 16, "float32")
    row = X[:1].indices, X[:1].data
    expected = model.predict(X)

    def work():
        for _ in range(50):
            np.testing.assert_array_equal(model.predict(X), expected)
            assert model.predict_row(*row) == expected[0]

    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        in_threads(*[work] * 4)
    finally:
        sys.setswitchinterval(interval)
