"""Fitted fields: which features of the CSR matrix a column of the table turns into.

Here a *column* is one of the table, and a *feature* is a column of the CSR matrix.

The first feature of a field is that of unknown values. With ``missing="own"`` the second is that of missing
values. The others depend on the type of the column.
"""

import math
import sys
from collections import Counter
from typing import Any, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray

from fastfm_c._field_csr import Encoded
from fastfm_c.encoding._column_types import Categorical, MultiCategorical, Spec
from fastfm_c.encoding._columns import SINGLES, Column, as_list, canonical
from fastfm_c.persistence._json import json_member

__all__ = ["CategoricalField", "Field", "MultiField", "finite", "first_of_consecutive"]

_Spec = TypeVar("_Spec", bound=Spec)
_Observed = TypeVar("_Observed")


class Field(Generic[_Spec, _Observed]):
    """A field of any type: the features of unknown and of missing values, and what every type defines."""

    def __init__(self, name: str, spec: _Spec) -> None:
        self.name, self.spec = name, spec
        self.has_own_missing = spec.missing == "own"
        self.unknown = -1
        # From a value to its feature; None is a missing value. encode_row looks into lookup_row.
        self.lookup: dict[Any, int] = {}
        self.lookup_row = self.lookup

    def observe(self, column: Column) -> _Observed:
        """What is new in a column. The field stays as it is."""
        raise NotImplementedError

    def grow(self, observed: _Observed, start: int) -> int:
        """Give what was observed new features from `start` on, and return the next free feature."""
        raise NotImplementedError

    def feature_names(self) -> list[str]:
        """The name of each feature."""
        raise NotImplementedError

    def to_json(self) -> dict[str, Any]:
        """What the field has learned, as JSON values."""
        raise NotImplementedError

    def restore(self, members: Any, features: list[int]) -> None:
        """Learn what `to_json` gave; `features` are all except those of unknown and missing values."""
        raise NotImplementedError

    @property
    def missing(self) -> int:
        """The feature of missing values."""
        return self.lookup[None]

    def feature_of(self, value: Any) -> int:
        """The feature of a single value of any type, also of a type that the lookup cannot be asked for."""
        return self.lookup.get(canonical(value, self.name), self.unknown)

    def _features_of(self, column: Column) -> NDArray[np.int32]:
        """The feature of each value of a column of single values."""
        codes, distinct = column.factorize()
        get, feature_of = self.lookup.get, self.feature_of
        found = [get(value) if type(value) in SINGLES else None for value in distinct]
        features = [feature_of(v) if j is None else j for v, j in zip(distinct, found, strict=True)]
        features.append(self.missing)  # for the code -1
        return np.array(features, np.int32)[codes]

    def append(self, observed: _Observed, start: int) -> int:
        """Do `grow`. A field without features takes those of unknown and missing values first."""
        if not self.lookup:
            self.take_first([start, start + 1])
            start += 1 + self.has_own_missing
        return self.grow(observed, start)

    def take_first(self, features: list[int]) -> list[int]:
        """Take the features of unknown and missing values from all of the field, and return the others."""
        n_first = 1 + self.has_own_missing
        if len(features) < n_first:
            raise ValueError(f"fields has {len(features)} columns of it, expected {n_first} at least")
        self.unknown, self.lookup[None] = features[0], features[n_first - 1]
        return features[n_first:]

    def encode(self, column: Column) -> Encoded:
        """The features and values of every row of a table."""
        return Encoded(self._features_of(column), None, None)

    def encode_value(self, value: Any) -> tuple[Any, Any]:
        """The features and values of one row, as two sequences, for a value that lookup_row lacks."""
        return (self.feature_of(value),), (1.0,)

    def first_names(self) -> list[str]:
        """The names of the features of unknown and missing values."""
        return [f"{self.name}=<unknown>"] + [f"{self.name}=<missing>"] * self.has_own_missing


class CategoricalField(Field[Categorical, dict[Any, int]]):
    """A field with a feature for each value that is frequent enough."""

    def __init__(self, name: str, spec: Categorical) -> None:
        super().__init__(name, spec)
        self.rare: dict[Any, int] = {}  # how often each value without a feature occurred

    @property
    def categories(self) -> list[Any]:
        """The values that have a feature, in the order of their features."""
        return [value for value in self.lookup if value is not None]

    def observe(self, column: Column) -> dict[Any, int]:
        codes, distinct = column.factorize()
        counts = np.bincount(codes[codes >= 0], minlength=len(distinct))
        values = [canonical(value, self.name) for value in distinct]
        observed = dict(zip(values, counts.tolist(), strict=True))
        observed.pop(None, None)
        return {value: count for value, count in observed.items() if value not in self.lookup}

    def grow(self, observed: dict[Any, int], start: int) -> int:
        for value, count in observed.items():
            self.rare[value] = self.rare.get(value, 0) + count
        new = [value for value, count in self.rare.items() if count >= (self.spec.min_count or 1)]
        if self.spec.max_categories is not None:
            room = self.spec.max_categories - (len(self.lookup) - 1)
            new = sorted(_numbers_first(new), key=self.rare.__getitem__, reverse=True)[:room]
            if len(new) == room:
                self.rare = dict.fromkeys(new, 0)
        for value in _numbers_first(new):
            del self.rare[value]
            self.lookup[value] = start
            start += 1
        return start

    def feature_names(self) -> list[str]:
        texts = Counter(["<unknown>", "<missing>", *map(str, self.categories)])

        def text(value: Any) -> str:
            clashes = isinstance(value, str) and (texts[value] > 1 or value[:1] in ("'", '"'))
            return repr(value) if clashes else str(value)

        return self.first_names() + [f"{self.name}={text(value)}" for value in self.categories]

    def to_json(self) -> dict[str, Any]:
        return {"categories": self.categories, "rare": list(self.rare.items())}

    def restore(self, members: Any, features: list[int]) -> None:
        categories = self._different(json_member(members, "categories", list))
        if len(categories) != len(features):
            raise ValueError(f"categories has {len(categories)} values, fields columns for {len(features)}")
        self.lookup |= zip(categories, features, strict=True)
        rare = json_member(members, "rare", list)
        pairs = all(isinstance(pair, list) and len(pair) == 2 for pair in rare)
        if not pairs or not all(type(count) is int and count > 0 for _, count in rare):
            raise ValueError("rare must hold pairs of a value and a positive integer")
        self._different([*categories, *(value for value, _ in rare)])
        self.rare = dict(rare)

    def _different(self, values: list[Any]) -> list[Any]:
        """The values, which must be categories, each another one."""
        if any(canonical(value, self.name) is None for value in values) or len(set(values)) < len(values):
            raise ValueError("categories and rare must hold different values, none of them missing")
        return values


class MultiField(CategoricalField):
    """A field of lists of categories. A row has each of its features once, in ascending order."""

    spec: MultiCategorical

    def __init__(self, name: str, spec: MultiCategorical) -> None:
        super().__init__(name, spec)
        self.lookup_row = {}  # a single value is refused, even one that the vocabulary has

    def observe(self, column: Column) -> dict[Any, int]:
        return super().observe(column.lists()[1])

    def encode(self, column: Column) -> Encoded:
        sizes, elements = column.lists()
        features = self._features_of(elements)
        rows = np.repeat(np.arange(len(sizes)), sizes)
        order = np.lexsort((features, rows))
        features, rows = features[order], rows[order]
        is_first = np.ones(len(rows), bool)
        is_first[1:] = (rows[1:] != rows[:-1]) | (features[1:] != features[:-1])
        sizes = np.bincount(rows[is_first], minlength=len(sizes))
        values = None if self.spec.scale is None else np.repeat(1 / np.sqrt(np.maximum(sizes, 1)), sizes)
        return Encoded(features[is_first], values, sizes)

    def encode_value(self, value: Any) -> tuple[Any, Any]:
        features = {self.feature_of(v) for v in as_list(value, self.name)}
        each = 1.0 if self.spec.scale is None or not features else 1 / math.sqrt(len(features))
        return sorted(features), [each] * len(features)


def _numbers_first(values: list[Any]) -> list[Any]:
    """Numbers before strings, both ascending."""
    strings = [value for value in values if isinstance(value, str)]
    return sorted(value for value in values if not isinstance(value, str)) + sorted(strings)


def finite(value: Any, name: str) -> float:
    """The value as a float, which must be a finite number."""
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not abs(value) <= sys.float_info.max:
        raise ValueError(f"{name} holds {value!r}, expected finite numbers")
    return float(value)


def first_of_consecutive(features: list[int], n_features: int) -> int:
    """The first of these features, which must be `n_features` numbers in a row."""
    if len(features) != n_features or features[-1] - features[0] != n_features - 1:
        raise ValueError(f"fields has {len(features)} columns of it, expected {n_features} side by side")
    return features[0]
