"""A problem that is large enough for threads, and everything that a model computes of it."""

import functools
import hashlib

import numpy as np
from helpers.make import make_csr, make_model

from fastfm_c import LogisticLoss, SoftmaxLoss

N = 3000


@functools.cache
def large_matrix():
    """160,000 values in rows of very unequal length; some are empty, one holds 2,000."""
    rng = np.random.default_rng(0)
    lengths = np.minimum(rng.geometric(0.04, 6500) - 1, 200)
    lengths[[100, 3000]] = 2000, 0
    X = make_csr(rng, lengths, N, "float32")
    for array in (X.indptr, X.indices, X.data):
        array.flags.writeable = False  # all tests share it
    return X


CASES = {
    "FM float32 k=17": ((), 17, "float32", None),
    "FM float64 k=8": ((), 8, "float64", None),
    "FM float32 k=5 outputs": ((3,), 5, "float32", None),
    "FFM float32 k=4": ((), 4, "float32", 7),
    "FFM float64 k=3 outputs": ((2,), 3, "float64", 4),
}


def large_model(case):
    outputs, k, dtype, n_fields = CASES[case]
    rng = np.random.default_rng(1)
    fields = () if n_fields is None else (n_fields, rng.integers(0, n_fields, N))
    return make_model(rng, outputs, N, k, dtype, *fields)


def large_task(case, X):
    """y, loss and weights for a model and X."""
    n_outputs = (CASES[case][0] or (1,))[0]
    rng = np.random.default_rng(2)
    loss = SoftmaxLoss(0.1) if n_outputs > 1 else LogisticLoss(0.1)
    y, weight = rng.integers(0, max(n_outputs, 2), X.shape[0]), rng.random(X.shape[0])
    weight[rng.random(X.shape[0]) < 0.1] = 0
    return y, loss, weight


def everything(case, X, num_threads):
    """Scores, objective, gradient and sparse gradient as one list of arrays."""
    model = large_model(case)
    y, loss, weight = large_task(case, X)
    options = {"sample_weight": weight, "num_threads": num_threads}
    results = [model.predict(X, num_threads=num_threads)]
    results.append(model.objective(X, y, loss, l2_linear=0.1, l2_factors=0.1, **options))
    for gradient_options in ({"l2_linear": 0.1, "l2_factors": 0.1}, {"sparse": True}):
        value, gradient = model.gradient(X, y, loss, **options, **gradient_options)
        results += [value, gradient.w0, gradient.w, gradient.V]
    return [np.asarray(result) for result in results]


def digest(arrays):
    return hashlib.sha256(b"".join(a.tobytes() for a in arrays)).hexdigest()
