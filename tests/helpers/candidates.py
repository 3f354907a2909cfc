"""Contexts and candidates, and the scores that they should have."""

import numpy as np
import scipy.sparse as sp
from helpers.make import make_csr, make_model

from fastfm_c import FFM, FM

# Of the sum of the absolute values of a score's terms; the docstring of Candidates.scores states them.
BOUND = {"float32": 1e-5, "float64": 1e-13}
N_FEATURES, N_FIELDS = 40, 7


def problem(rng, kind, k, dtype, n_context=13, n_candidates=70, index="int32", lengths=8):
    """(model, contexts, candidates): contexts have the first half of the columns, candidates the other."""
    fields = None if kind is FM else rng.integers(0, N_FIELDS, N_FEATURES)
    model = make_model(rng, (), N_FEATURES, k, dtype, N_FIELDS, fields)
    half = N_FEATURES // 2
    parts = []
    for n, begin in (n_context, 0), (n_candidates, half):
        X = make_csr(rng, rng.integers(0, lengths + 1, n), half, dtype, index)
        X.indices += begin
        X.resize(n, N_FEATURES)
        X.indptr, X.indices = X.indptr.astype(index), X.indices.astype(index)
        parts.append(X)
    return model, *parts


def joined(contexts, candidates):
    """Every context beside every candidate, as rows."""
    m, n = contexts.shape[0], candidates.shape[0]
    return sp.csr_array(contexts[np.repeat(np.arange(m), n)] + candidates[np.tile(np.arange(n), m)])


def without_signs(model):
    """The model whose score of |x| bounds the sum of the absolute terms of a score."""
    parts = [np.abs(np.asarray(part, np.float64)) for part in (model.w0, model.w, model.V)]
    return type(model)(*parts, *([model.fields] if isinstance(model, FFM) else []))
