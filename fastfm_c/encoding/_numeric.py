"""Fields of numbers: one standardised value, or one feature for each bin."""

import math
from bisect import bisect_right
from dataclasses import dataclass
from itertools import pairwise
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from fastfm_c._field_csr import Encoded
from fastfm_c.encoding._column_types import Numeric
from fastfm_c.encoding._columns import Column
from fastfm_c.encoding._values import as_float
from fastfm_c.encoding._vocabulary import Field, Row, Rows, finite, first_of_consecutive
from fastfm_c.persistence._json import json_member

__all__ = ["NumericField", "Standard", "bin_edges"]

LARGEST = float(np.finfo(np.float32).max)  # no value is larger, of either dtype


@dataclass(frozen=True)
class Standard:
    """How numbers become ``(x - mean) / scale``.

    Without numbers, and where all were equal, every number becomes 0: a model has learned nothing about
    another value, and its factors of this feature are as random as at the beginning.
    """

    mean: float | None = None  # None: there was no number yet
    scale: float = 1.0
    is_constant: bool = False

    @classmethod
    def of(cls, numbers: NDArray[np.float64]) -> "Standard":
        """Learn the mean and the standard deviation of at least one number."""
        unit = float(np.abs(numbers).max()) or 1.0  # squares of large numbers would overflow
        mean, scale = float((numbers / unit).mean()) * unit, float((numbers / unit).std()) * unit
        return cls(mean, scale or 1.0, not scale)

    def apply(self, numbers: NDArray[np.float64], name: str) -> NDArray[np.float64]:
        """Standardise the numbers of the column `name`; NaN stays NaN."""
        if self.mean is None or self.is_constant:
            return np.where(np.isnan(numbers), numbers, 0.0)
        with np.errstate(over="ignore"):
            values = (numbers - self.mean) / self.scale
        sizes = np.where(np.isnan(values), 0, np.abs(values))
        if sizes.max(initial=0) > LARGEST:
            self._refuse(numbers[np.argmax(sizes)], name)
        return values

    def apply_one(self, number: float, name: str) -> float:
        """Standardise one number."""
        if self.mean is None or self.is_constant:
            return 0.0
        value = (number - self.mean) / self.scale
        if abs(value) > LARGEST:
            self._refuse(number, name)
        return value

    def _refuse(self, number: Any, name: str) -> NoReturn:
        raise ValueError(
            f"column {name!r} holds {number}, too far from its mean {self.mean} "
            f"in units of its standard deviation {self.scale}"
        )

    def to_json(self) -> dict[str, Any]:
        """As JSON values."""
        members: dict[str, Any] = {"mean": self.mean, "scale": self.scale}
        return members | {"constant": True} if self.is_constant else members

    @classmethod
    def from_json(cls, members: Any) -> "Standard":
        """What `to_json` gave, removed from the members. Files had no "constant" before."""
        mean = json_member(members, "mean", int, float, type(None))
        scale = finite(json_member(members, "scale", int, float), "scale")
        is_constant = json_member(members, "constant", bool, type(None))
        if scale <= 0:
            raise ValueError("scale must be > 0")
        return cls(None if mean is None else finite(mean, "mean"), scale, bool(is_constant))


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


class NumericField(Field[Numeric, Standard | list[float] | None]):
    """A field of numbers. It learns its mean or its bins from the first table that has numbers."""

    def __init__(self, name: str, spec: Numeric) -> None:
        super().__init__(name, spec)
        self.bins = spec.bins
        self.first = -1  # the first feature after those of unknown and missing values
        self.standard = Standard()
        self.edges: list[float] = []

    def plan(self, column: Column) -> tuple[Standard | list[float] | None, int]:
        n_new = 1 if self.first < 0 else 0
        if (self.first >= 0) if self.bins is not None else (self.standard.mean is not None):
            return None, 0
        numbers = column.numbers()
        numbers = numbers[~np.isnan(numbers)]
        if self.bins is None:
            return Standard.of(numbers) if len(numbers) else None, n_new
        if not len(numbers):
            raise ValueError(f"column {self.name!r} holds no number to make bins of")
        edges = bin_edges(numbers, self.bins)
        return edges, len(edges) + 1

    def take(self, plan: Standard | list[float] | None, start: int) -> None:
        if isinstance(plan, Standard):
            self.standard = plan
        elif plan is not None:
            self.edges = plan
        if self.first < 0:
            self.first = start

    def encode(self, column: Column) -> Rows:
        numbers = column.numbers()
        is_missing = np.isnan(numbers)
        if self.bins is not None:
            found = self.first + np.searchsorted(self.edges, numbers, "right")
            values = None
        else:
            found = np.full(len(numbers), self.first)
            values = np.where(is_missing, 1.0, self.standard.apply(numbers, self.name))
        features = np.where(is_missing, self.missing, found).astype(np.int32)
        return Rows(Encoded(features, values, None), 0, int(np.count_nonzero(is_missing)))

    def encode_value(self, value: Any) -> Row:
        x = as_float(value, self.name)
        if x != x:
            return self.row_of_missing
        if self.bins is not None:
            return Row((self.first + bisect_right(self.edges, x),), (1.0,))
        return Row((self.first,), (self.standard.apply_one(x, self.name),))

    def feature_names(self) -> list[str]:
        if self.bins is None:
            return [*self.first_names(), self.name]
        ends = [-math.inf, *self.edges, math.inf]
        return self.first_names() + [f"{self.name}=[{low}, {high})" for low, high in pairwise(ends)]

    def to_json(self) -> dict[str, Any]:
        members = self.standard.to_json()
        if self.bins is not None:
            members["mean"] = 0.0  # files have always said so
        return members | {"edges": self.edges}

    def restore(self, members: Any, features: list[int]) -> None:
        self.standard = Standard.from_json(members)
        self.edges = [finite(edge, "edges") for edge in json_member(members, "edges", list)]
        if any(high <= low for low, high in pairwise(self.edges)):
            raise ValueError("edges must ascend")
        n_features = 1 if self.bins is None else len(self.edges) + 1
        self.first = first_of_consecutive(features, n_features)
