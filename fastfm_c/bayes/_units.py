"""A posterior in other units of the targets than those that were sampled in."""

import numpy as np
from numpy.typing import DTypeLike

from fastfm_c.bayes._posterior import HYPER, Posterior
from fastfm_c.models import FM

__all__ = ["express"]


def express(posterior: Posterior, unit: float, origin: float, dtype: DTypeLike) -> None:
    """Let scores s become ``origin + unit * s``, in place. A unit that is a power of 4 causes no rounding.

    Parameters
    ----------
    posterior : Posterior
    unit : float
        Positive.
    origin : float
    dtype : "float32" or "float64"
        Of the samples from now on.
    """
    root = np.sqrt(unit)  # a pair multiplies two factors
    powers = {"alpha": unit**-2, "w0": unit, "lambda_w": unit**-2, "mu_w": unit}
    powers |= {"lambda_V": 1 / unit, "mu_V": root}
    posterior._alpha *= powers["alpha"]
    posterior._traces = {
        name: [value * powers[name] + (origin if name == "w0" else 0.0) for value in values]
        for name, values in posterior._traces.items()
    }
    for array, name in zip(posterior._hyper, HYPER, strict=True):
        array *= powers[name]
    posterior._w0, posterior._w = posterior._w0 * unit + origin, posterior._w * unit
    posterior._factors.root *= root
    posterior._now = _expressed(posterior._now, unit, origin, dtype)
    posterior.samples = tuple(_expressed(model, unit, origin, dtype) for model in posterior.samples)
    if (scores := posterior._scores) is not None:
        scores.mean, scores.squares = scores.mean * unit + origin, scores.squares * unit**2


def _expressed(model: FM, unit: float, origin: float, dtype: DTypeLike) -> FM:
    w, V = (model.w * unit).astype(dtype), (model.V * np.sqrt(unit)).astype(dtype)
    return FM(float(model.w0) * unit + origin, w, V)
