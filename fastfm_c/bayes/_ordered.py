"""Ordered probit: grades of rows, the thresholds between them, and how a sampler draws these.

A latent number ``N(score, 1 / weight)`` of a row lies between the thresholds of its grade. The first is 0,
because w0 is free. The logarithms of the gaps to the others are N(0, 4), each. They are drawn given the
scores, without the latent numbers, by which they would hardly move (Cowles 1996): a step to about the maximum
of the quadratic that has the slope of the log density, accepted by the rule of Metropolis and Hastings.
"""

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fastfm_c._validation import as_count
from fastfm_c.models import FM
from fastfm_c.solvers import TrainingRows

if TYPE_CHECKING:
    from fastfm_c.bayes._posterior import Posterior

__all__ = ["Grades", "OrderedProbit", "grade_probabilities", "thresholds_in", "words_of"]

_Array = NDArray[np.float64]
PRECISION = 0.25  # of the logarithm of a gap
MOST_GRADES = 1000


class OrderedProbit:
    """Targets that are grades in order, 0, 1, ..., n_grades - 1, such as stars: a loss for `sample` alone.

    The probability of a grade is that of a normal number about the score to lie between two thresholds,
    which are sampled too.

    Parameters
    ----------
    n_grades : int
        At least 2. Grades that no row has are allowed.

    Examples
    --------
    >>> OrderedProbit(5)
    OrderedProbit(5)
    """

    __slots__ = ("n_grades",)

    def __init__(self, n_grades: int) -> None:
        self.n_grades = as_count(n_grades, "n_grades")
        if not 2 <= self.n_grades <= MOST_GRADES:
            raise ValueError(f"n_grades must be in 2..{MOST_GRADES}, got {n_grades}")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, OrderedProbit) and self.n_grades == other.n_grades

    def __hash__(self) -> int:
        return hash((OrderedProbit, self.n_grades))

    def __repr__(self) -> str:
        return f"OrderedProbit({self.n_grades})"


def grade_probabilities(scores: NDArray[np.floating], thresholds: _Array) -> _Array:
    """The probability of each grade at these scores, (rows, n_grades), to the accuracy of each."""
    from scipy.special import ndtr  # imported when used

    off = thresholds - scores.astype(np.float64)[:, np.newaxis]
    side = np.full((len(off), 1), np.inf)
    low, high = np.hstack([-side, off]), np.hstack([off, side])
    # Above zero, differences of the upper tail have more digits.
    return np.asarray(np.where(low > 0, ndtr(-low) - ndtr(-high), ndtr(high) - ndtr(low)))


def thresholds_in(model: FM, n_grades: int) -> _Array:
    """The thresholds that the metadata of a sample hold."""
    words = model.metadata.get("thresholds", "")
    try:
        thresholds = np.array(words.split(), np.float64)
    except ValueError:
        thresholds = np.zeros(0)
    if (
        len(thresholds) != n_grades - 1
        or not np.isfinite(thresholds).all()
        or (np.diff(thresholds) < 0).any()
    ):
        raise ValueError(
            f"a sample has the thresholds {words!r:.100}, expected {n_grades - 1} numbers, ascending"
        )
    return thresholds


def words_of(thresholds: _Array) -> dict[str, str]:
    """The metadata of a model whose scores stand for grades."""
    return {"link": "ordered probit", "thresholds": " ".join(map(repr, thresholds.tolist()))}


class _Quadratic(NamedTuple):
    """Stands for the log density near some gaps: its value there, its maximum, a root of its precision."""

    value: float
    centre: _Array
    root: _Array  # lower; root @ root.T is the precision

    def log_density(self, gaps: _Array) -> float:
        """Of the normal distribution that it is, but for a constant."""
        off = self.root.T @ (gaps - self.centre)
        return float(np.sum(np.log(np.diag(self.root))) - off @ off / 2)


class Grades:
    """The grades of the rows to learn from.

    Parameters
    ----------
    data : TrainingRows
    n_grades : int
    """

    def __init__(self, data: TrainingRows, n_grades: int) -> None:
        given, weight = np.asarray(data._y), data._sample_weight
        wrong = ~((given >= 0) & (given < n_grades) & (given == np.floor(given)))
        if weight is not None:
            wrong &= np.asarray(weight) > 0
        if wrong.any():
            row = int(np.argmax(wrong))
            raise ValueError(f"y[{row}] is {given[row]}, expected a grade in 0..{n_grades - 1}")
        self.n_grades, self.X = n_grades, data.X
        self.counts = np.ones(len(given), bool) if weight is None else np.asarray(weight) > 0
        self.y = given[self.counts].astype(np.int64)
        self.weight = np.ones(len(self.y)) if weight is None else np.asarray(weight)[self.counts]

    def first(self) -> _Array:
        """Thresholds to start from: those that all scores of 0 would have, moved to begin at 0."""
        from scipy.special import ndtri  # imported when used

        share = np.cumsum(np.bincount(self.y, minlength=self.n_grades) + 0.5)[:-1]
        found = ndtri(share / (len(self.y) + self.n_grades / 2))
        return np.asarray(found - found[0])

    def draw(self, posterior: "Posterior", num_threads: int | None) -> _Array:
        """The thresholds of the next iteration of a posterior, given its scores.

        Iterations that are not counted also take every step uphill: far from where they belong, the rule
        would keep the old ones for long.
        """
        rng = np.random.default_rng([posterior._seed, posterior.n_iter])
        now = self.first() if posterior._thresholds is None else posterior._thresholds
        if len(now) == 1:
            return now
        scores = posterior._now.predict(self.X, num_threads=num_threads)[self.counts].astype(np.float64)
        gaps = np.log(np.diff(now))
        with np.errstate(all="ignore"):  # what is not finite is not taken
            here = self._quadratic(gaps, scores)
            if here is None:
                return now
            step = np.linalg.solve(here.root.T, rng.standard_normal(len(gaps)))
            new = here.centre + step
            there = self._quadratic(new, scores)
            if there is None:
                return now
            gain = there.value - here.value
            ratio = gain + there.log_density(gaps) - here.log_density(new)
        if np.log(rng.random()) < ratio or (posterior.n_iter < posterior.burn_in and gain > 0):
            return np.concatenate([[0.0], np.cumsum(np.exp(new))])
        return now

    def _quadratic(self, gaps: _Array, scores: _Array) -> _Quadratic | None:
        """At these logarithms of gaps; None where it is not finite."""
        from scipy.special import log_ndtr  # imported when used

        n, y, weight, root = self.n_grades, self.y, self.weight, np.sqrt(self.weight)
        ends = np.concatenate([[-np.inf, 0.0], np.cumsum(np.exp(gaps)), [np.inf]])
        low, high = (ends[y] - scores) * root, (ends[y + 1] - scores) * root
        is_above = low > 0  # the tail whose probabilities are small has their digits
        near, far = np.where(is_above, -low, high), np.where(is_above, -high, low)
        log_near = log_ndtr(near)
        log_mass = log_near + np.log1p(-np.exp(log_ndtr(far) - log_near))
        of_low, of_high = (np.exp(-end * end / 2 - log_mass) / np.sqrt(2 * np.pi) for end in (low, high))
        low, high = (np.where(np.isfinite(end), end, 0.0) for end in (low, high))

        def by_grade(values: _Array) -> _Array:
            return np.bincount(y, values, minlength=n).astype(np.float64)

        slope = by_grade(root * of_high)[:-1] - by_grade(root * of_low)[1:]
        curve = np.diag(
            by_grade(weight * of_high * (high + of_high))[:-1]
            + by_grade(weight * of_low * (of_low - low))[1:]
        )
        beside = by_grade(weight * of_low * of_high)[1:-1]
        curve -= np.diag(beside, 1) + np.diag(beside, -1)
        chain = np.tri(n - 1, n - 2, -1) * np.exp(gaps)  # of thresholds by the logarithms
        precision = chain.T @ curve @ chain + PRECISION * np.eye(n - 2)
        value = float(np.sum(log_mass) - PRECISION * (gaps @ gaps) / 2)
        if not (np.isfinite(value) and np.isfinite(precision).all() and np.isfinite(slope).all()):
            return None
        centre = gaps + np.linalg.solve(precision, chain.T @ slope - PRECISION * gaps)
        return _Quadratic(value, np.asarray(centre), np.asarray(np.linalg.cholesky(precision)))
