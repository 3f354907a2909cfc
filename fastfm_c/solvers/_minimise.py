"""L-BFGS: the minimum of any smooth function of a long vector. It knows nothing of models."""

import math
from collections.abc import Callable
from typing import Any, TypeAlias

from numpy.typing import NDArray

from fastfm_c._core import CurvaturePairs, dot, step
from fastfm_c._validation import aligned_zeros
from fastfm_c.solvers._line_search import Trial, line_search

__all__ = ["N_PAIRS", "Lbfgs"]

_Vector: TypeAlias = NDArray[Any]  # (n,) float32 or float64
N_PAIRS = 10


class Lbfgs:
    """A search for a minimum by L-BFGS (Nocedal and Wright 2006, algorithm 7.5).

    Its memory is ``2 * N_PAIRS + 4`` vectors beside `x`, all of the dtype of `x`. Products of vectors are
    summed in float64, in an order that their length alone decides.

    Parameters
    ----------
    value_and_gradient : callable
        ``value_and_gradient(x, out)`` is the value at x; it writes the gradient to `out`, a vector as `x`
        that holds anything. Neither vector is to be kept.
    x : ndarray of shape (n,), float32 or float64
        Where to begin. The search takes the array as one of its vectors.
    weights : ndarray of shape (n,), of the dtype of x, optional
        How far each component may move at first, in relation to others: the inverse of the second
        derivatives, but for a factor. None: all alike.
    num_threads : int, optional
        Threads of the sums of vectors. The bits do not depend on it.

    Attributes
    ----------
    x : ndarray of shape (n,)
        One of two arrays that take turns: the lowest point so far, at all times: also after an exception.
    value : float
        The value there.
    n_iter, n_evaluations : int
        Iterations that were completed, and calls of the function.

    Examples
    --------
    >>> import numpy as np
    >>> def value_and_gradient(x, out):
    ...     out[:] = x - [1, 2]
    ...     return 0.5 * np.sum(out**2)
    >>> search = Lbfgs(value_and_gradient, np.zeros(2))
    >>> search.run(max_iter=10, tol=0)
    'converged'
    >>> search.x
    array([1., 2.])
    """

    def __init__(
        self,
        value_and_gradient: Callable[[_Vector, _Vector], float],
        x: _Vector,
        *,
        weights: _Vector | None = None,
        num_threads: int | None = None,
    ) -> None:
        self._function, self._num_threads = value_and_gradient, num_threads
        self.x, self.value, self.n_iter, self.n_evaluations = x, math.nan, 0, 0
        self._x_new, self._g, self._g_new, self._d = (aligned_zeros(x.shape, x.dtype) for _ in range(4))
        self._pairs = CurvaturePairs(len(x), x.dtype, N_PAIRS, weights, num_threads)

    def run(
        self,
        max_iter: int,
        tol: float,
        least_slope: float = 0.0,
        callback: Callable[[int, float], object] | None = None,
    ) -> str:
        """Iterate until it is over.

        Parameters
        ----------
        max_iter : int
            Most iterations.
        tol : float
            The search ends with an iteration that makes the value smaller by no more than `tol` times the
            value, or `tol` where the value is below 1. With 0 it ends when rounding hides all progress.
        least_slope : float
            It also ends where the gradient, in units of `weights`, is no longer than this.
        callback : callable, optional
            ``callback(n_iter, value)`` after each iteration.

        Returns
        -------
        str
            "converged" or "max_iter".

        Raises
        ------
        ValueError
            If the value or the gradient is not finite at the start.
        """
        self._begin()
        while self.n_iter < max_iter:
            before, norm = self.value, math.sqrt(self._pairs.g_squares)
            if norm <= least_slope or not self._iterate(norm):
                return "converged"
            if callback is not None:
                callback(self.n_iter, self.value)
            if before - self.value <= tol * max(abs(before), abs(self.value), 1.0):
                return "converged"
        return "max_iter"

    def _begin(self) -> None:
        self.value = float(self._function(self.x, self._g))
        self.n_evaluations += 1
        if not math.isfinite(self.value):
            raise ValueError(
                f"the objective is {self.value} at the start: the data or the parameters are not finite, "
                "or huge"
            )
        self._pairs.forget()
        self._pairs.begin(self._g)
        if not math.isfinite(self._pairs.g_squares):
            raise ValueError("the gradient is not finite at the start: the data or the parameters are huge")

    def _iterate(self, norm: float) -> bool:
        """Go to a lower point; False where there is none in the best known direction nor in the steepest."""
        found = self._search(1.0 if len(self._pairs) > 0 else 1.0 / norm)
        if found is None and len(self._pairs) > 0:
            length = self._pairs.gamma  # what the newest pair knows of the curvature
            self._pairs.forget()
            found = self._search(length)
        if found is None:
            return False
        if found.length != self._last.length:
            found = self._trial(found.length)
        self._pairs.add(self.x, self._x_new, self._g, self._g_new)
        self.x, self._x_new = self._x_new, self.x
        self._g, self._g_new = self._g_new, self._g
        self.value, self.n_iter = found.value, self.n_iter + 1
        return True

    def _search(self, length: float) -> Trial | None:
        """The end of a line search along the direction of the present pairs."""
        slope = self._pairs.direction(self._g, self._d)
        return line_search(self._trial, Trial(0.0, self.value, slope), length) if slope < 0 else None

    def _trial(self, length: float) -> Trial:
        step(self.x, length, self._d, self._x_new, self._num_threads)
        value = float(self._function(self._x_new, self._g_new))
        self.n_evaluations += 1
        self._last = Trial(length, value, dot(self._g_new, self._d, self._num_threads))
        return self._last
