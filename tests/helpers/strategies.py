"""Hypothesis strategies: sizes and kinds are drawn, and shrink; the numbers come from a seed."""

import numpy as np
from helpers.make import make_csr, make_model
from hypothesis import strategies as st

from fastfm_c import LogisticLoss, SoftmaxLoss, SquaredLoss

SEEDS = st.integers(0, 2**32 - 1)
REALS = st.sampled_from(["float32", "float64"])
INDICES = st.sampled_from(["int32", "int64"])


@st.composite
def csr(draw, min_rows=0, max_rows=6, repeats=None):
    """CSR arrays of every kind that the library reads in place, and of every awkward shape."""
    n_features = draw(st.integers(0, 60) | st.just(150))
    n_rows = draw(st.integers(min_rows, max_rows))
    repeats = draw(st.booleans()) if repeats is None else repeats
    # Sums are made in runs of 32 values; repeats are found by pairs up to 32 and by hashing beyond.
    longest = draw(st.sampled_from([0, 1, 2, 5, 33, 100]))
    if not repeats or n_features == 0:
        longest = min(longest, n_features)
    rng = np.random.default_rng(draw(SEEDS))
    lengths = rng.integers(0, longest + 1, n_rows)
    if n_rows and draw(st.booleans()):
        lengths[rng.integers(n_rows)] = longest
    X = make_csr(
        rng,
        lengths,
        n_features,
        draw(REALS),
        draw(INDICES),
        sort=draw(st.booleans()),
        repeats=repeats,
    )
    kind = draw(st.sampled_from(["normal", "one-hot", "zeros", "large", "small"]))
    if kind == "one-hot":
        X.data[:] = 1
    elif kind == "zeros":
        X.data[rng.random(len(X.data)) < 0.4] = 0
    elif kind == "large":
        X.data *= 1000
    elif kind == "small":
        X.data /= 1000
    return X


@st.composite
def models(draw, n_features, kind=None, dtype=None, n_outputs=None):
    """FM and FFM; n_outputs: None for any, 1 for one without a leading axis."""
    kind = draw(st.sampled_from(["FM", "FFM"])) if kind is None else kind
    dtype = draw(REALS) if dtype is None else dtype
    k = draw(st.integers(1, 70)) if kind == "FM" else draw(st.integers(1, 21) | st.just(35))
    if n_outputs is None:
        n_outputs = draw(st.integers(1, 5))
        outputs = () if n_outputs == 1 and draw(st.booleans()) else (n_outputs,)
    else:
        outputs = () if n_outputs == 1 else (n_outputs,)
    rng = np.random.default_rng(draw(SEEDS))
    if kind == "FM":
        return make_model(rng, outputs, n_features, k, dtype)
    n_fields = draw(st.integers(1, 6) | st.just(40))
    fields = rng.integers(0, n_fields, n_features)
    return make_model(rng, outputs, n_features, k, dtype, n_fields, fields)


@st.composite
def problems(draw, kind=None, **options):
    """(model, X) that fit each other."""
    X = draw(csr(**options))
    return draw(models(X.shape[1], kind)), X


@st.composite
def tasks(draw, kind=None, dtype=None, with_weights=None):
    """(model, X, y, loss, sample_weight) that fit each other; the total weight is positive."""
    X = draw(csr(min_rows=1))
    which = draw(st.sampled_from(["squared", "logistic", "softmax"]))
    n_outputs = draw(st.integers(2, 5)) if which == "softmax" else 1
    model = draw(models(X.shape[1], kind, dtype, n_outputs))
    rng = np.random.default_rng(draw(SEEDS))
    n_rows = X.shape[0]
    eps = draw(st.sampled_from([0.0, 0.1, 0.75]))
    if which == "squared":
        loss, y = SquaredLoss(), rng.standard_normal(n_rows).astype(draw(REALS))
    else:
        loss = LogisticLoss(eps) if which == "logistic" else SoftmaxLoss(eps)
        classes = 2 if which == "logistic" else n_outputs
        dtypes = ["int32", "int64", "float32", "float64", "bool" if classes == 2 else "uint8"]
        y = rng.integers(0, classes, n_rows).astype(draw(st.sampled_from(dtypes)))
    weight = None
    if draw(st.booleans()) if with_weights is None else with_weights:
        weight = np.where(rng.random(n_rows) < 0.3, 0, rng.random(n_rows) * 10)
        weight[rng.integers(n_rows)] = 2.5
    return model, X, y, loss, weight
