"""The files in tests/data/interop: rows, and models with what the real programs printed for these rows."""

from pathlib import Path

import numpy as np
import scipy.sparse as sp
from scipy.special import expit, ndtr

from fastfm_c.interop import load_libffm_model, load_libfm_model, load_xlearn_model

FOLDER = Path(__file__).parents[1] / "data" / "interop"
FIELDS = np.arange(60) % 5  # of every model there

# How each model normalises rows; xlearn_linear and libfm_no_factors are no factorization machines.
MODELS = {
    "libffm_sse_k3": "instance",
    "libffm_sse_k4": "instance",
    "libffm_sse_k3_no_norm": None,
    "libffm_scalar_k3": "instance",
    "libffm_scalar_k4": "instance",
    "libffm_scalar_k4_no_norm": None,
    "libfm_real": None,
    "libfm_binary": None,
    "libfm_no_bias": None,
    "libfm_no_linear": None,
    "libfm_probit": None,
    "xlearn_fm_k3": "xlearn",
    "xlearn_fm_k4_no_norm": None,
    "xlearn_fm_real": "xlearn",
    "xlearn_ffm_k3": "instance",
    "xlearn_ffm_k4_no_norm": None,
}


def path_of(name):
    return FOLDER / (name + {"libffm": ".bin", "libfm": ".libfm", "xlearn": ".txt"}[name.split("_")[0]])


def load(name, path=None):
    path = path or path_of(name)
    if name.startswith("libffm"):
        return load_libffm_model(path, FIELDS)
    if name.startswith("libfm"):
        return load_libfm_model(path)
    return load_xlearn_model(path, FIELDS if "_ffm" in name else None, normalize="no_norm" not in name)


def rows():
    """The test rows as CSR of float64."""
    lines = (FOLDER / "test.ffm").read_text().splitlines()
    entries = [[token.split(":") for token in line.split()[1:]] for line in lines]
    indptr = np.cumsum([0] + [len(row) for row in entries])
    assert all(int(field) == FIELDS[int(j)] for row in entries for field, j, _ in row)
    indices = [int(j) for row in entries for _, j, _ in row]
    return sp.csr_array(([float(v) for row in entries for *_, v in row], indices, indptr), (len(lines), 60))


def printed(name):
    """What the program printed for `rows`."""
    return np.loadtxt(FOLDER / f"{name}.out")


def as_printed(name, scores):
    """Scores as the program prints them."""
    if "real" in name:
        # libFM clips to the targets of its training, of which the rows reach one bound.
        return np.clip(scores, -np.inf, printed(name).max()) if name == "libfm_real" else scores
    return ndtr(scores) if name == "libfm_probit" else expit(scores)
