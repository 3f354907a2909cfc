"""Python programs in a process of their own, for what is decided at import or may end a process."""

import os
import subprocess
import sys
from pathlib import Path

import fastfm_c

TESTS = Path(__file__).parents[1]
# Seconds, for a program that hangs; an emulator is given more (tools/emulated.py).
TIME_LIMIT = float(os.environ.get("FASTFM_C_TIME_LIMIT", "120"))


def environment(**changes):
    """The present one without choices of threads, SIMD and the GIL.

    With ``python -P`` the same fastfm_c is imported, and not one that lies in the working directory.
    """
    choices = "OMP_NUM_THREADS", "FASTFM_C_SIMD", "PYTHON_GIL"
    env = {k: v for k, v in os.environ.items() if k not in choices}
    paths = [
        Path(fastfm_c.__file__).parent.parent,
        TESTS,
        *env.get("PYTHONPATH", "").split(os.pathsep),
    ]
    env["PYTHONPATH"] = os.pathsep.join(str(p) for p in paths if str(p) != ".")
    return env | changes


def run(program, *args, options=("-W", "error"), **changes):
    """Runs a program given as text; keywords are environment variables."""
    return subprocess.run(
        [sys.executable, "-P", *options, "-c", program, *map(str, args)],
        env=environment(**changes),
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT,
        check=False,
    )


def output_of(program, *args, **changes):
    """What a program prints; it must succeed."""
    done = run(program, *args, **changes)
    assert done.returncode == 0, f"exit code {done.returncode}\n{done.stdout}\n{done.stderr}"
    return done.stdout


def predict_and_count(model, X):
    """What workers do: where they are not forked, they import it."""
    return model.predict(X), fastfm_c.get_num_threads()


# A start of programs: work that is shared out among threads.
SETUP = """
import os, sys
import numpy as np
from helpers.make import make_csr, make_model
from fastfm_c import LogisticLoss
rng = np.random.default_rng(0)
X = make_csr(rng, [20] * 5000, 500, "float32")  # 100,000 values, times k = 1.6 million
model = make_model(rng, (), 500, 16, "float32")
ffm = make_model(rng, (), 500, 4, "float32", 5, np.arange(500) % 5)
y = np.arange(5000) % 2
"""
