"""The SIMD levels of this machine, and calls at each of them.

A level is a set of instructions that the kernels were compiled for. The library promises the same
bits at every level, so a test needs what is right only once: `at_all_levels` makes the calls, demands
equal bits, and returns one result to compare with the reference.
"""

import contextlib

import numpy as np

import fastfm_c
from fastfm_c import _core

LEVELS = fastfm_c.config()["simd_available"]


@contextlib.contextmanager
def at_level(name):
    """The kernels of one level, until the end of the block."""
    before = fastfm_c.config()["simd"]
    _core._use_simd(name)
    try:
        yield
    finally:
        _core._use_simd(before)


def at_all_levels(function):
    """What function() returns; it is called at each level, and must return the same bits."""
    results = []
    with at_level(LEVELS[0]):
        for name in LEVELS:
            _core._use_simd(name)
            results.append(function())
            assert_same_bits(results[-1], results[0], f"{name} differs from {LEVELS[0]}")
    return results[0]


def assert_same_bits(actual, expected, what=""):
    """Results of equal types, shapes and values. The sign of a zero counts; the kind of a NaN does not."""
    for mine, theirs in zip(arrays_of(actual), arrays_of(expected), strict=True):
        assert mine.dtype == theirs.dtype, what
        if mine.shape == theirs.shape and mine.tobytes() == theirs.tobytes():
            continue
        np.testing.assert_array_equal(mine, theirs, err_msg=what)
        numbers = ~np.isnan(theirs)
        np.testing.assert_array_equal(np.signbit(mine[numbers]), np.signbit(theirs[numbers]), err_msg=what)


def arrays_of(result):
    """The numbers of a result, which may be a number, an array, a model, a gradient, or several of these."""
    if isinstance(result, tuple | list):
        return [array for part in result for array in arrays_of(part)]
    if hasattr(result, "V"):
        features = getattr(result, "features", None)
        return arrays_of([result.w0, result.w, result.V, *([] if features is None else [features])])
    return [np.asarray(result)]


def predict(model, X):
    """The scores, which are the same bits at every level."""
    return at_all_levels(lambda: model.predict(X))


def gradient(model, X, y, loss, **options):
    """Objective and gradient, which are the same bits at every level."""
    return at_all_levels(lambda: model.gradient(X, y, loss, **options))
