"""Fitted fields: which columns of the CSR matrix a column of the table turns into.

A field's first column is the unknown one; with missing="own" the next is that of missing values. `observe`
looks at a column and changes nothing, `append` gives what was observed new columns from `start` on, and
`encode` gives (columns, values, sizes): one column for each row where sizes is None, else sizes[i] for row i;
where values is None they are 1.
"""

import math
import sys
from collections import Counter

import numpy as np

from fastfm_c.encoding._tables import SINGLES, as_list, canonical

__all__ = ["CategoricalField", "Field", "MultiField", "entry", "finite", "first_of"]


class Field:
    """What all kinds share: the columns of unknown and of missing values."""

    def __init__(self, name, spec):
        self.name, self.spec = name, spec
        self.own_missing = spec.missing == "own"
        self.lookup = self.lookup_row = {}  # value to column; None is a missing value

    def start(self, start):
        """Takes the first columns, and returns the next."""
        self.start_from([start, start + 1])
        return start + 1 + self.own_missing

    @property
    def missing(self):
        return self.lookup[None]

    def column_of(self, value):
        """The column of a single value, of any type: what the lookup does not find as it is."""
        return self.lookup.get(canonical(value, self.name), self.unknown)

    def _columns(self, column):
        """The column of each value of a table's column of single values."""
        codes, distinct = column.factorize()
        get, column_of = self.lookup.get, self.column_of
        columns = [get(value) if type(value) in SINGLES else None for value in distinct]
        columns = [column_of(v) if c is None else c for v, c in zip(distinct, columns, strict=True)]
        columns.append(self.missing)  # code -1
        return np.array(columns, np.int32)[codes]

    def append(self, observed, start):
        """Gives new columns to what was observed, and returns the next column that is free."""
        return self.grow(observed, start if self.lookup else self.start(start))

    def encode(self, column):
        return self._columns(column), None, None

    def encode_value(self, value):
        """(columns, values) of one row, as tuples, for a value that is not in the lookup."""
        return (self.column_of(value),), (1.0,)

    def start_from(self, columns):
        """Takes its first columns from all of its columns, and returns the others."""
        first = 1 + self.own_missing
        if len(columns) < first:
            raise ValueError(f"fields has {len(columns)} columns of it, expected {first} at least")
        self.unknown, self.lookup[None] = columns[0], columns[first - 1]
        return columns[first:]

    def first_names(self):
        return [f"{self.name}=<unknown>"] + [f"{self.name}=<missing>"] * self.own_missing


def _sorted(values):
    """Numbers before strings."""
    strings = [value for value in values if isinstance(value, str)]
    return sorted(value for value in values if not isinstance(value, str)) + sorted(strings)


class CategoricalField(Field):
    """One column for each value that is frequent enough."""

    def __init__(self, name, spec):
        super().__init__(name, spec)
        self.rare = {}  # how often values without a column occurred

    @property
    def categories(self):
        """In the order of their columns."""
        return [value for value in self.lookup if value is not None]

    def observe(self, column):
        codes, distinct = column.factorize()
        counts = np.bincount(codes[codes >= 0], minlength=len(distinct))
        values = [canonical(value, self.name) for value in distinct]
        observed = dict(zip(values, counts.tolist(), strict=True))
        observed.pop(None, None)
        return {value: count for value, count in observed.items() if value not in self.lookup}

    def grow(self, observed, start):
        for value, count in observed.items():
            self.rare[value] = self.rare.get(value, 0) + count
        new = [value for value, count in self.rare.items() if count >= self.spec.min_count]
        if self.spec.max_categories is not None:
            room = self.spec.max_categories - (len(self.lookup) - 1)
            new = sorted(_sorted(new), key=self.rare.__getitem__, reverse=True)[:room]
            if len(new) == room:
                self.rare = dict.fromkeys(new)
        for value in _sorted(new):
            del self.rare[value]
            self.lookup[value] = start
            start += 1
        return start

    def names(self):
        texts = Counter(["<unknown>", "<missing>", *map(str, self.categories)])

        def text(value):
            clashes = isinstance(value, str) and (texts[value] > 1 or value[:1] in ("'", '"'))
            return repr(value) if clashes else str(value)

        return self.first_names() + [f"{self.name}={text(value)}" for value in self.categories]

    def state(self):
        return {"categories": self.categories, "rare": list(self.rare.items())}

    def restore(self, state, columns):
        categories = self._values(entry(state, "categories", list))
        if len(categories) != len(columns):
            raise ValueError(f"categories has {len(categories)} values, fields columns for {len(columns)}")
        self.lookup |= zip(categories, columns, strict=True)
        rare = entry(state, "rare", list)
        pairs = all(isinstance(pair, list) and len(pair) == 2 for pair in rare)
        if not pairs or not all(type(count) is int and count > 0 for _, count in rare):
            raise ValueError("rare must hold pairs of a value and a positive integer")
        self._values([*categories, *(value for value, _ in rare)])
        self.rare = dict(rare)

    def _values(self, values):
        """Refuses values that are no categories, or are there twice."""
        if any(canonical(value, self.name) is None for value in values) or len(set(values)) < len(values):
            raise ValueError("categories and rare must hold different values, none of them missing")
        return values


class MultiField(CategoricalField):
    """Lists of categories: a column for each different one of a row, in ascending order."""

    def __init__(self, name, spec):
        super().__init__(name, spec)
        self.lookup_row = {}  # a single value is refused, known or not

    def observe(self, column):
        return super().observe(column.lists()[1])

    def encode(self, column):
        sizes, values = column.lists()
        columns = self._columns(values)
        rows = np.repeat(np.arange(len(sizes)), sizes)
        order = np.lexsort((columns, rows))
        columns, rows = columns[order], rows[order]
        first = np.ones(len(rows), bool)
        first[1:] = (rows[1:] != rows[:-1]) | (columns[1:] != columns[:-1])
        sizes = np.bincount(rows[first], minlength=len(sizes))
        values = None if self.spec.scale is None else np.repeat(1 / np.sqrt(np.maximum(sizes, 1)), sizes)
        return columns[first], values, sizes

    def encode_value(self, value):
        columns = {self.column_of(v) for v in as_list(value, self.name)}
        each = 1.0 if self.spec.scale is None or not columns else 1 / math.sqrt(len(columns))
        return sorted(columns), [each] * len(columns)


def entry(state, name, kind):
    """An entry of stored JSON, of this type."""
    if not isinstance(state, dict) or name not in state:
        raise ValueError(f"{name} is not there")
    if not isinstance(state[name], kind) or isinstance(state[name], bool):
        raise ValueError(f"{name} is a {type(state[name]).__name__}, expected {kind}")
    return state[name]


def finite(value, name):
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) <= sys.float_info.max:
        raise ValueError(f"{name} holds {value!r}, expected finite numbers")
    return float(value)


def first_of(columns, size):
    """The first of columns that must be so many, and side by side."""
    if len(columns) != size or columns[-1] - columns[0] != size - 1:
        raise ValueError(f"fields has {len(columns)} columns of it, expected {size} side by side")
    return columns[0]
