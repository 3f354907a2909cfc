"""How far two histograms are from each other, and how far chance alone takes them."""

from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy.special import chdtri, kolmogorov

__all__ = ["ALARM", "LEAST_PSI", "Distance", "distance"]

_Array: TypeAlias = NDArray[Any]

# An alarm of a field: chance alone gives a larger PSI once in so many comparisons.
ALARM = 1e-4
# Less is no alarm, however many rows there are: the usual threshold for a change that matters.
LEAST_PSI = 0.1


class Distance(NamedTuple):
    """Two histograms of the same bins, compared."""

    psi: float  # population stability index, sum of (p - q) log(p / q)
    ks: float  # the largest difference of their cumulative shares
    p_value: float  # how often chance alone gives a larger `ks`, at most
    threshold: float  # a larger `psi` is an alarm


def distance(reference: _Array, new: _Array) -> Distance:
    """The distance of two arrays of counts. NaN where one of them is empty."""
    m, n = float(reference.sum()), float(new.sum())
    if not (m and n):
        return Distance(np.nan, np.nan, np.nan, np.nan)
    bins = len(reference)
    # Half a count in each bin: an empty bin would make the index infinite.
    p, q = (reference + 0.5) / (m + 0.5 * bins), (new + 0.5) / (n + 0.5 * bins)
    psi = float(np.sum((p - q) * np.log(p / q)))
    ks = float(np.max(np.abs(np.cumsum(reference) / m - np.cumsum(new) / n)))
    p_value = float(kolmogorov(np.sqrt(m * n / (m + n)) * ks))
    # Of equal distributions, psi * m n / (m + n) is about chi-squared with bins - 1 degrees of freedom.
    by_chance = float(chdtri(bins - 1, ALARM)) * (1 / m + 1 / n) if bins > 1 else 0.0
    return Distance(psi, ks, p_value, max(LEAST_PSI, by_chance))
