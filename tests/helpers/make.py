"""Matrices and models of random numbers, without hypothesis: other processes import this quickly."""

import itertools
import math

import numpy as np
import scipy.sparse as sp

from fastfm_c import FFM, FM


def csr_of(indptr, indices, data, shape):
    """A CSR array of exactly these arrays: the constructor would narrow indices and check them."""
    X = sp.csr_array(shape)
    X.indptr, X.indices, X.data = indptr, indices, data
    return X


def make_csr(rng, lengths, n_features, data="float64", index="int32", *, sort=False, repeats=False):
    """Rows of the given numbers of values; without repeats no longer than n_features."""
    indptr = np.concatenate([[0], np.cumsum(lengths)]).astype(index)
    indices = np.zeros(indptr[-1], index)
    for begin, end in itertools.pairwise(indptr):
        row = rng.choice(n_features, end - begin, replace=repeats) if end > begin else []
        indices[begin:end] = np.sort(row) if sort else row
    return csr_of(indptr, indices, rng.standard_normal(len(indices)).astype(data), (len(lengths), n_features))


def make_model(rng, outputs, n_features, k, dtype, n_fields=None, fields=None):
    """A model of normal parameters; outputs is () or (C,)."""
    middle = () if fields is None else (n_fields,)
    w0 = rng.standard_normal(outputs).astype(dtype)
    w = rng.standard_normal((*outputs, n_features)).astype(dtype)
    V = (rng.standard_normal((*outputs, n_features, *middle, k)) / np.sqrt(k)).astype(dtype)
    return FM(w0, w, V) if fields is None else FFM(w0, w, V, fields)


def changed(model, **parameters):
    """A model of the same kind and fields with some other parameters."""
    own = {"w0": model.w0, "w": model.w, "V": model.V} | parameters
    return type(model)(*own.values(), *(() if isinstance(model, FM) else (model.fields,)))


def aligned_zeros(shape, dtype):
    """In C order from the start of a cache line, as models share arrays; a page takes memory when written."""
    dtype, size = np.dtype(dtype), math.prod(shape) if isinstance(shape, tuple) else shape
    buffer = np.zeros(size * dtype.itemsize + 64, np.uint8)
    start = -buffer.ctypes.data % 64
    return buffer[start : start + size * dtype.itemsize].view(dtype).reshape(shape)
