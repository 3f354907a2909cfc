"""Fields of numbers: one standardised value, or one feature for each bin."""

import math
from bisect import bisect_right
from itertools import pairwise
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from fastfm_c._field_csr import Encoded
from fastfm_c.encoding._column_types import Numeric
from fastfm_c.encoding._columns import Column, as_float
from fastfm_c.encoding._vocabulary import Field, finite, first_of_consecutive
from fastfm_c.persistence._json import json_member

__all__ = ["NumericField", "bin_edges"]

LARGEST = float(np.finfo(np.float32).max)  # no value is larger, of either dtype


def bin_edges(values: NDArray[np.float64], bins: int) -> list[float]:
    """The lower bounds of all bins except the first, ascending. No bin is empty.

    The bins are filled one after the other; each takes its share of the rows that are left. So a value that
    occurs very often has a bin of its own, and the other values share the remaining bins.
    """
    distinct, counts = np.unique(values, return_counts=True)
    ends = counts.cumsum()  # number of rows up to and including each distinct value
    edges: list[float] = []
    first = done = 0
    for left in range(bins, 1, -1):
        goal = done + (len(values) - done) / left
        last = int(np.searchsorted(ends, goal))
        if last > first and goal - ends[last - 1] < ends[last] - goal:
            last -= 1
        if last + 1 == len(distinct):
            break
        first, done = last + 1, int(ends[last])
        edges.append(float(distinct[first]) + 0.0)  # turns -0.0 into 0.0
    return edges


class NumericField(Field[Numeric, NDArray[np.float64]]):
    """A field of numbers. It learns its mean or its bins from the first table that has numbers."""

    def __init__(self, name: str, spec: Numeric) -> None:
        super().__init__(name, spec)
        self.bins = spec.bins
        self.first = -1  # the first feature after those of unknown and missing values
        self.mean, self.scale, self.is_learned = 0.0, 1.0, False
        self.edges: list[float] = []

    def observe(self, column: Column) -> NDArray[np.float64]:
        if self.is_learned:
            return np.empty(0)
        numbers = column.numbers()
        numbers = numbers[~np.isnan(numbers)]
        if self.bins is not None and not len(numbers):
            raise ValueError(f"column {self.name!r} holds no number to make bins of")
        return numbers

    def grow(self, observed: NDArray[np.float64], start: int) -> int:
        if len(observed):
            self._learn(observed)
        if self.first >= 0:
            return start
        self.first = start
        return start + self._n_features()

    def _learn(self, observed: NDArray[np.float64]) -> None:
        self.is_learned = True
        if self.bins is not None:
            self.edges = bin_edges(observed, self.bins)
        else:
            unit = float(np.abs(observed).max()) or 1.0  # squares of large numbers would overflow
            self.mean = float((observed / unit).mean()) * unit
            self.scale = float((observed / unit).std()) * unit or 1.0

    def _n_features(self) -> int:
        return 1 if self.bins is None else len(self.edges) + 1

    def encode(self, column: Column) -> Encoded:
        numbers = column.numbers()
        is_missing = np.isnan(numbers)
        if self.bins is not None:
            features = self.first + np.searchsorted(self.edges, numbers, "right")
            return Encoded(np.where(is_missing, self.missing, features).astype(np.int32), None, None)
        with np.errstate(over="ignore"):
            values = np.where(is_missing, 1.0, (numbers - self.mean) / self.scale)
        if np.abs(values).max(initial=0) > LARGEST:
            self._refuse(numbers[np.argmax(np.abs(values))])
        return Encoded(np.where(is_missing, self.missing, self.first).astype(np.int32), values, None)

    def encode_value(self, value: Any) -> tuple[Any, Any]:
        x = as_float(value, self.name)
        if x != x:
            return (self.missing,), (1.0,)
        if self.bins is not None:
            return (self.first + bisect_right(self.edges, x),), (1.0,)
        x = (x - self.mean) / self.scale
        if abs(x) > LARGEST:
            self._refuse(value)
        return (self.first,), (x,)

    def _refuse(self, value: Any) -> NoReturn:
        raise ValueError(
            f"column {self.name!r} holds {value}, too far from its mean {self.mean} "
            f"in units of its standard deviation {self.scale}"
        )

    def feature_names(self) -> list[str]:
        if self.bins is None:
            return [*self.first_names(), self.name]
        ends = [-math.inf, *self.edges, math.inf]
        return self.first_names() + [f"{self.name}=[{low}, {high})" for low, high in pairwise(ends)]

    def to_json(self) -> dict[str, Any]:
        return {"mean": self.mean if self.is_learned else None, "scale": self.scale, "edges": self.edges}

    def restore(self, members: Any, features: list[int]) -> None:
        mean = json_member(members, "mean", int, float, type(None))  # None: there was no number yet
        self.is_learned = mean is not None or self.bins is not None
        self.mean = finite(mean or 0, "mean")
        self.scale = finite(json_member(members, "scale", int, float), "scale")
        self.edges = [finite(edge, "edges") for edge in json_member(members, "edges", list)]
        if self.scale <= 0 or any(high <= low for low, high in pairwise(self.edges)):
            raise ValueError("scale must be > 0 and edges must ascend")
        self.first = first_of_consecutive(features, self._n_features())
