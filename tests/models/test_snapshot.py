"""A call works on the parameters that the model had at its start, whatever becomes of the model meanwhile."""

import gc
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from helpers.make import make_model

CORE = Path(__file__).parents[2] / "fastfm_c" / "_core"


class Indices:
    """Columns of a row that resize the model where they become an array, in the middle of a call."""

    def __init__(self, columns, model):
        self.columns, self.model = columns, model

    def __array__(self, dtype=None, copy=None):
        n_more = (
            50_000  # so that memory which is let go of goes back to the system, and reading it would show
        )
        fields = (np.arange(self.model.n_features + n_more) % 5,) if hasattr(self.model, "fields") else ()
        self.model.resize(self.model.n_features + n_more, *fields)
        gc.collect()
        return np.array(self.columns)


@pytest.mark.parametrize("n_outputs", [None, 3])
@pytest.mark.parametrize("kind", ["FM", "FFM"])
def test_a_resize_inside_predict_row_leaves_the_call_its_parameters(kind, n_outputs):
    rng = np.random.default_rng(0)
    fields = () if kind == "FM" else (5, np.arange(50_000) % 5)
    model = make_model(rng, () if n_outputs is None else (n_outputs,), 50_000, 4, "float32", *fields)
    for _ in range(3):
        columns = [3, 40_000, model.n_features - 1]
        expected = model.predict_row(columns, [1.0, 2.0, 0.5])
        found = model.predict_row(Indices(columns, model), [1.0, 2.0, 0.5])
        np.testing.assert_array_equal(found, expected)


def test_a_column_that_only_the_resized_model_has_is_refused_by_the_call_before():
    model = make_model(np.random.default_rng(0), (), 10, 4, "float32")
    with pytest.raises(ValueError, match=r"0\.\.9"):
        model.predict_row(Indices([10], model), [1.0])
    assert model.n_features == 50_010


@pytest.fixture(scope="module")
def translation(tmp_path_factory):
    """What Cython makes of the extension, and what it says meanwhile."""
    pytest.importorskip("Cython")
    if not CORE.exists():
        pytest.skip("an installed package, without sources")
    folder = tmp_path_factory.mktemp("cython")
    shutil.copytree(CORE.parent, folder / "fastfm_c", ignore=shutil.ignore_patterns("*.so", "__pycache__"))
    command = [sys.executable, "-m", "cython", "-3", "-X", "freethreading_compatible=True"]
    done = subprocess.run(
        [*command, "fastfm_c/_core/core.pyx"], cwd=folder, capture_output=True, text=True, check=True
    )
    return (folder / "fastfm_c" / "_core" / "core.c").read_text(), done.stdout + done.stderr


def test_cython_warns_of_nothing(translation):
    """Among its warnings are those of accesses that a critical section does not protect."""
    assert "warning" not in translation[1]


def test_without_a_gil_the_reference_is_taken_inside_the_critical_section(translation):
    [body] = re.findall(
        r"^static struct [^\n]*Model_snapshot\(struct[^\n]*\{\n(.*?)^\}", translation[0], re.M | re.S
    )
    begin, end = body.index("CriticalSection_Begin("), body.index("CriticalSection_End(")
    section = re.sub(r"/\*.*?\*/", "", body[begin:end], flags=re.DOTALL)
    assert re.search(r"= \(\(PyObject \*\)__pyx_v_self->parameters\);\s+__Pyx_INCREF\(", section)
    assert "self->parameters" not in re.sub(r"/\*.*?\*/", "", body[end:], flags=re.DOTALL)
