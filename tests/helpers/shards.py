"""Rows in shards, and the bits of what is learned from them."""

import hashlib
from itertools import pairwise

import numpy as np
import scipy.sparse as sp

from fastfm_c import FFM, FM

N_ROWS, N_FEATURES, N_FIELDS = 300, 40, 4


def rows(seed=0, n_rows=N_ROWS, n_classes=2, values="ones", index_dtype=np.int32):
    """X with one feature of each field in a row, and y that pairs of features decide."""
    rng = np.random.default_rng(seed)
    per_field = N_FEATURES // N_FIELDS
    chosen = rng.integers(0, per_field, (n_rows, N_FIELDS))
    columns = chosen + per_field * np.arange(N_FIELDS)
    data = np.ones(columns.size) if values == "ones" else rng.gamma(2.0, size=columns.size)
    indptr = np.arange(0, columns.size + 1, N_FIELDS)
    X = sp.csr_array((data, columns.ravel(), indptr), shape=(n_rows, N_FEATURES))
    X.indptr, X.indices = X.indptr.astype(index_dtype), X.indices.astype(index_dtype)
    return X, ((chosen[:, 0] + chosen[:, 1]) % n_classes).astype(float)


def split(X, y, *ends, weight=None):
    """Shards that end before these rows; the last one has the others."""
    cuts = [0, *ends, len(y)]
    columns = (X, y) if weight is None else (X, y, weight)
    return [tuple(part[a:b] for part in columns) for a, b in pairwise(cuts)]


def fm(n_outputs=1, dtype="float32", seed=0):
    return FM.random(N_FEATURES, 3, n_outputs=n_outputs, init_stdev=0.1, dtype=dtype, rng=seed)


def ffm(dtype="float32"):
    fields = np.repeat(np.arange(N_FIELDS), N_FEATURES // N_FIELDS)
    return FFM.random(fields, 2, init_stdev=0.1, dtype=dtype, rng=0)


def bits(model):
    parts = (np.asarray(part) for part in (model.w0, model.w, model.V))
    return hashlib.sha256(b"".join(part.tobytes() for part in parts)).hexdigest()
