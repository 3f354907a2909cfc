"""The parameters of a model as one vector, for solvers that move all of them at once."""

from itertools import accumulate
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastfm_c._core import Parameters
from fastfm_c._validation import ALIGNMENT, aligned_zeros
from fastfm_c.models._base import FactorizationMachine
from fastfm_c.models._gradient import objective_of

__all__ = ["FlatParameters"]

LARGE, APART = 1 << 16, 1040  # numbers
_Vector: TypeAlias = NDArray[Any]
_Parts: TypeAlias = tuple[NDArray[Any], NDArray[Any], NDArray[Any]]


class FlatParameters:
    """The parameters of a model as one vector: w0, w and V, in the order that they have in memory.

    Each begins at a cache line. The numbers between them are zeros, which no gradient has a part in.

    Parameters
    ----------
    model : FM or FFM
        It keeps its arrays: `read` and `write` copy.
    """

    def __init__(self, model: FactorizationMachine) -> None:
        self._now = model._snapshot()
        self.dtype, self.n_features = self._now.V.dtype, len(self._now.w)
        self._arrays = self._now.w0, self._now.w, self._now.V
        line = ALIGNMENT // self.dtype.itemsize
        sizes = (-(-part.size // line) * line for part in self._arrays)
        *self._begins, size = accumulate(sizes, initial=0)
        # Large vectors one after the other would begin at the same place of the caches, where they would
        # push each other out.
        self.size = size if size < LARGE else size + -size % LARGE + APART
        self._parameters: dict[int, Parameters] = {}

    def parts(self, vector: _Vector) -> _Parts:
        """Views of a vector: w0, w and V as a model has them in memory, with outputs after features."""
        w0, w, V = (
            vector[begin : begin + part.size].reshape(part.shape)
            for begin, part in zip(self._begins, self._arrays, strict=True)
        )
        return w0, w, V

    def read(self) -> _Vector:
        """A new vector of the model's parameters."""
        vector = aligned_zeros((self.size,), self.dtype)
        for part, source in zip(self.parts(vector), self._arrays, strict=True):
            part[...] = source
        return vector

    def write(self, vector: _Vector) -> None:
        """Set the model's parameters to those of a vector."""
        for part, target in zip(self.parts(vector), self._arrays, strict=True):
            target[...] = part

    def sound_rows(self, X: Any, num_threads: int | None) -> tuple[_Vector, _Vector, _Vector]:
        """The arrays indptr, indices and data of X, after all checks; repeated columns are summed."""
        return self._now.sound_rows(X, num_threads)

    def by_feature(self, numbers: _Vector) -> _Vector:
        """A new vector that has a number of each feature at all its parameters, and 1 elsewhere."""
        vector = np.ones(self.size, self.dtype)
        _, w, V = self.parts(vector)
        for part in (w, V):
            part[...] = numbers.reshape(-1, *[1] * (part.ndim - 1))
        return vector

    def value_and_gradient(
        self,
        vector: _Vector,
        out: _Vector,
        X: Any,
        y: ArrayLike,
        loss: Any,
        sample_weight: ArrayLike | None,
        l2_linear: float,
        l2_factors: float,
        num_threads: int | None,
    ) -> float:
        """The objective of `model.objective` at a vector; its gradient is written to `out`."""
        address = vector.ctypes.data  # what the parameters know of the fields of X serves again
        if address not in self._parameters:
            now = self._now
            self._parameters[address] = Parameters(
                *self.parts(vector), now.fields, now.has_outputs, now.normalize, now.separates_repeats
            )
        grad_w0, grad_w, grad_V = self.parts(out)
        sums = np.zeros(grad_w0.shape)
        value = objective_of(
            self._parameters[address], X, y, loss, sample_weight, l2_linear, l2_factors, num_threads,
            (sums, grad_w, grad_V), is_stale=True,
        )  # fmt: skip
        grad_w0[...] = sums
        return value
