"""Fields without a vocabulary: numbers, and values that are hashed."""

import math
from bisect import bisect_right
from hashlib import blake2b
from itertools import pairwise

import numpy as np

from fastfm_c.encoding._tables import canonical, number
from fastfm_c.encoding._vocabulary import Field, entry, finite, first_of

__all__ = ["HashedField", "NumericField", "hash_bucket"]

LARGEST = float(np.finfo(np.float32).max)  # of a value, for any dtype


def hash_bucket(value: str | int | float | bool, n_bits: int) -> int:
    """The bucket of a value: the lowest bits of the 64-bit BLAKE2b (RFC 7693) of its text in UTF-8.

    The digest is read as a little-endian number. Python's ``str`` makes the text of a number; a whole
    number has no point, and True and False are 1 and 0.
    """
    text = value if isinstance(value, str) else str(int(value) if isinstance(value, bool) else value)
    digest = blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest()
    return int.from_bytes(digest, "little") & ((1 << n_bits) - 1)


def bin_edges(values: np.ndarray, bins: int) -> list[float]:
    """Lower bounds of all bins but the first, ascending, none of the bins empty.

    One bin after the other takes its share of the rows that are left. So a value that occurs very often has
    a bin of its own, and the others share the bins that remain.
    """
    distinct, counts = np.unique(values, return_counts=True)
    ends = counts.cumsum()  # rows up to each value
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
        edges.append(float(distinct[first]) + 0.0)  # -0.0 is 0.0
    return edges


class NumericField(Field):
    """The standardised value, or the bin that it is in, as learned from the first table with numbers."""

    def __init__(self, name, spec):
        super().__init__(name, spec)
        self.bins, self.first = spec.bins, None
        self.mean, self.scale, self.edges, self.learned = 0.0, 1.0, [], False

    def observe(self, column):
        if self.learned:
            return np.empty(0)
        numbers = column.numbers()
        numbers = numbers[~np.isnan(numbers)]
        if self.bins is not None and not len(numbers):
            raise ValueError(f"column {self.name!r} holds no number to make bins of")
        return numbers

    def grow(self, observed, start):
        if len(observed):
            self._learn(observed)
        if self.first is not None:
            return start
        self.first = start
        return start + self._size()

    def _learn(self, observed):
        self.learned = True
        if self.bins is not None:
            self.edges = bin_edges(observed, self.bins)
        else:
            unit = float(np.abs(observed).max()) or 1.0  # squares of large numbers would overflow
            self.mean = float((observed / unit).mean()) * unit
            self.scale = float((observed / unit).std()) * unit or 1.0

    def _size(self):
        return 1 if self.bins is None else len(self.edges) + 1

    def encode(self, column):
        numbers = column.numbers()
        missing = np.isnan(numbers)
        if self.bins is not None:
            columns = self.first + np.searchsorted(self.edges, numbers, "right")
            return np.where(missing, self.missing, columns).astype(np.int32), None, None
        with np.errstate(over="ignore"):
            values = np.where(missing, 1.0, (numbers - self.mean) / self.scale)
        if np.abs(values).max(initial=0) > LARGEST:
            self._refuse(numbers[np.argmax(np.abs(values))])
        return np.where(missing, self.missing, self.first).astype(np.int32), values, None

    def encode_value(self, value):
        x = number(value, self.name)
        if x != x:
            return (self.missing,), (1.0,)
        if self.bins is not None:
            return (self.first + bisect_right(self.edges, x),), (1.0,)
        x = (x - self.mean) / self.scale
        if abs(x) > LARGEST:
            self._refuse(value)
        return (self.first,), (x,)

    def _refuse(self, value):
        raise ValueError(
            f"column {self.name!r} holds {value}, too far from its mean {self.mean} "
            f"in units of its standard deviation {self.scale}"
        )

    def names(self):
        if self.bins is None:
            return [*self.first_names(), self.name]
        ends = [-math.inf, *self.edges, math.inf]
        bins = [f"{self.name}=[{low}, {high})" for low, high in pairwise(ends)]
        return self.first_names() + bins

    def state(self):
        return {"mean": self.mean if self.learned else None, "scale": self.scale, "edges": self.edges}

    def restore(self, state, columns):
        edges = entry(state, "edges", list)
        mean = entry(state, "mean", (int, float, type(None)))  # None if there was no number yet
        self.learned = mean is not None or self.bins is not None
        self.mean = finite(mean or 0, "mean")
        self.scale = finite(entry(state, "scale", (int, float)), "scale")
        self.edges = [finite(edge, "edges") for edge in edges]
        if self.scale <= 0 or any(high <= low for low, high in pairwise(self.edges)):
            raise ValueError("scale must be > 0 and edges must ascend")
        self.first = first_of(columns, self._size())


class HashedField(Field):
    """2**n_bits columns, shared by all values: no vocabulary."""

    def __init__(self, name, spec):
        super().__init__(name, spec)
        self.n_bits, self.first = spec.n_bits, None

    def observe(self, column):
        for value in column.factorize()[1]:
            canonical(value, self.name)

    def grow(self, observed, start):
        if self.first is not None:
            return start
        self.first = start
        return start + (1 << self.n_bits)

    def column_of(self, value):
        value = canonical(value, self.name)
        return self.missing if value is None else self.first + hash_bucket(value, self.n_bits)

    def names(self):
        return self.first_names() + [f"{self.name}#{bucket}" for bucket in range(1 << self.n_bits)]

    def state(self):
        return {}

    def restore(self, state, columns):
        self.first = first_of(columns, 1 << self.n_bits)
