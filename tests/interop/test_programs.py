"""The real programs read what is written for them; each test runs where a variable names its program.

FASTFM_C_FFM_PREDICT, FASTFM_C_FFM_PREDICT_SCALAR (built without SSE instructions), FASTFM_C_LIBFM
"""

import os
import subprocess

import numpy as np
import pytest
from helpers import foreign
from scipy.special import expit

from fastfm_c import FFM, FM, interop

TOLERANCE = 2e-6  # of probabilities that are printed with six digits


def program(variable):
    path = os.environ.get(variable)
    if path is None:
        pytest.skip(f"{variable} names no program")
    return path


@pytest.mark.parametrize("normalize", [None, "instance"])
@pytest.mark.parametrize("n_factors", [1, 3, 4, 9])
@pytest.mark.parametrize(("variable", "alignment"), [("FFM_PREDICT", 4), ("FFM_PREDICT_SCALAR", 1)])
def test_libffm_predicts(variable, alignment, n_factors, normalize, tmp_path):
    command = program(f"FASTFM_C_{variable}")
    model = FFM.random(foreign.FIELDS, n_factors, init_stdev=0.3, rng=0)
    model.normalize = normalize
    interop.dump_libffm_model(model, tmp_path / "model", alignment=alignment)
    subprocess.run([command, foreign.FOLDER / "test.ffm", "model", "out"], cwd=tmp_path, check=True)
    expected = expit(model.predict(foreign.rows()))
    np.testing.assert_allclose(np.loadtxt(tmp_path / "out"), expected, rtol=0, atol=TOLERANCE)


@pytest.mark.parametrize("n_factors", [2, 5])
def test_libfm_predicts(n_factors, tmp_path):
    command = program("FASTFM_C_LIBFM")
    rng = np.random.default_rng(0)
    model = FM.random(60, n_factors, init_stdev=0.3, rng=0)
    model.w0, model.w[:] = 0.4, rng.normal(size=60)
    interop.dump_libfm_model(model, tmp_path / "model")
    lines = [line.split() for line in (foreign.FOLDER / "test.ffm").read_text().splitlines()]
    rows = [" ".join([y, *(token.split(":", 1)[1] for token in tokens)]) for y, *tokens in lines]
    (tmp_path / "rows").write_text("\n".join(rows) + "\n")
    options = f"-task c -method sgd -learn_rate 0.1 -iter 0 -dim 1,1,{n_factors} -train rows -test rows"
    options += " -load_model model -out out"
    subprocess.run([command, *options.split()], cwd=tmp_path, check=True)
    expected = expit(model.predict(foreign.rows()))
    np.testing.assert_allclose(np.loadtxt(tmp_path / "out"), expected, rtol=0, atol=TOLERANCE)
