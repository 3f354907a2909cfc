"""Fitted fields: which features of the CSR matrix a column of the table turns into.

Here a *column* is one of the table, and a *feature* is a column of the CSR matrix.

The first feature of a field is that of unknown values. With ``missing="own"`` the second is that of missing
values. The others depend on the type of the column.

A field grows in two steps, so that threads can encode meanwhile: `plan` says how many features are new, and
`take` begins to use them. Between both the encoder tells everyone how many features there are.
"""

import math
import sys
from collections import Counter
from typing import Any, Generic, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from fastfm_c._field_csr import Encoded
from fastfm_c.encoding._advice import warn_of_other_types
from fastfm_c.encoding._column_types import Categorical, MultiCategorical, Spec
from fastfm_c.encoding._columns import Column
from fastfm_c.encoding._values import SINGLES, Category, as_list, canonical, twins
from fastfm_c.persistence._json import json_member

__all__ = ["CategoricalField", "Field", "MultiField", "Row", "Rows", "finite", "first_of_consecutive"]

_Spec = TypeVar("_Spec", bound=Spec)
_Plan = TypeVar("_Plan")


class Rows(NamedTuple):
    """The column of every row of a table, encoded, and the rows in which a value was unknown or missing."""

    encoded: Encoded
    n_unknown: int = 0
    n_missing: int = 0


class Row(NamedTuple):
    """The column of one row, encoded, and whether a value was unknown or missing."""

    features: Any
    values: Any
    has_unknown: bool = False
    has_missing: bool = False


class Field(Generic[_Spec, _Plan]):
    """A field of any type: the features of unknown and of missing values, and what every type defines."""

    def __init__(self, name: str, spec: _Spec) -> None:
        self.name, self.spec = name, spec
        self.has_own_missing = spec.missing == "own"
        self.unknown = self.missing = -1
        self.row_of_missing = Row((-1,), (1.0,), has_missing=True)
        # From a category to its feature. encode_row looks into lookup_row.
        self.lookup: dict[Category, int] = {}
        self.lookup_row = self.lookup

    def plan(self, column: Column) -> tuple[_Plan, int]:
        """What is new in a column, and how many features it needs. The field stays as it is."""
        raise NotImplementedError

    def take(self, plan: _Plan, start: int) -> None:
        """Learn what is new, with features from `start` on."""
        raise NotImplementedError

    def encode(self, column: Column) -> Rows:
        """The features and values of every row of a table."""
        raise NotImplementedError

    def encode_value(self, value: Any) -> Row:
        """The features and values of one row, for a value that lookup_row lacks."""
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
    def n_first(self) -> int:
        """How many features are those of unknown and missing values."""
        return 1 + self.has_own_missing

    def take_first(self, features: list[int]) -> list[int]:
        """Take the features of unknown and missing values from all of the field, and return the others."""
        if len(features) < self.n_first:
            raise ValueError(f"fields has {len(features)} columns of it, expected {self.n_first} at least")
        self.unknown, self.missing = features[0], features[self.n_first - 1]
        self.row_of_missing = Row((self.missing,), (1.0,), has_missing=True)
        return features[self.n_first :]

    def first_names(self) -> list[str]:
        """The names of the features of unknown and missing values."""
        return [f"{self.name}=<unknown>"] + [f"{self.name}=<missing>"] * self.has_own_missing


class _New(NamedTuple):
    """What a table adds to a vocabulary."""

    counts: dict[Category, int]  # how often each value without a feature has occurred, this table included
    categories: list[Category]  # those of them that get a feature
    is_full: bool  # whether no other value will get one


class CategoricalField(Field[Categorical, _New]):
    """A field with a feature for each value that is frequent enough."""

    def __init__(self, name: str, spec: Categorical) -> None:
        super().__init__(name, spec)
        self.rare: dict[Category, int] = {}  # how often each value without a feature occurred

    @property
    def categories(self) -> list[Category]:
        """The values that have a feature, in the order of their features."""
        return list(self.lookup)

    def find(self, value: Category) -> int | None:
        """The feature of a category, or None. The float32 of 0.1 and 0.1 are the same."""
        feature = self.lookup.get(value)
        if feature is None and type(value) is float:
            feature = next(filter(None, map(self.lookup.get, twins(value))), None)
        return feature

    def count(self, column: Column) -> dict[Category, int]:
        """How often each value without a feature occurs."""
        codes, distinct = column.factorize()
        counts: dict[Category, int] = {}
        n_known = 0
        occurrences = np.bincount(codes[codes >= 0], minlength=len(distinct)).tolist()
        for value, count in zip(distinct, occurrences, strict=True):
            category = canonical(value, self.name)
            if category is not None and self.find(category) is None:
                counts[category] = counts.get(category, 0) + count
            else:
                n_known += category is not None
        if not n_known and self.lookup:
            warn_of_other_types(self.name, counts, self.lookup.__contains__)
        return counts

    def plan_of(self, counts: dict[Category, int]) -> tuple[_New, int]:
        """What is new in a column with these counts; values that have a feature by now are not."""
        counts = {v: count + self.rare.get(v, 0) for v, count in counts.items() if self.find(v) is None}
        new = _numbers_first([v for v, count in counts.items() if count >= (self.spec.min_count or 1)])
        is_full = False
        if self.spec.max_categories is not None:
            room = self.spec.max_categories - len(self.lookup)
            new = _numbers_first(sorted(new, key=counts.__getitem__, reverse=True)[:room])
            is_full = len(new) == room
        return _New(counts, new, is_full), len(new)

    def plan(self, column: Column) -> tuple[_New, int]:
        return self.plan_of(self.count(column))

    def take(self, plan: _New, start: int) -> None:
        self.rare = {} if plan.is_full else self.rare | plan.counts
        for feature, value in enumerate(plan.categories, start):
            self.rare.pop(value, None)
            self.lookup[value] = feature

    def _features_of(self, column: Column) -> tuple[NDArray[np.int32], NDArray[np.bool_], NDArray[np.bool_]]:
        """Of each value of a column of single values: its feature, whether it is unknown, and is missing."""
        codes, distinct = column.factorize()
        get = self.lookup.get
        features = [get(value) if type(value) in SINGLES else None for value in distinct]
        states = np.zeros(len(distinct) + 1, np.int8)
        states[-1] = 2  # of the code -1
        unknown: list[Category] = []
        for i, feature in enumerate(features):
            if feature is None:
                category = canonical(distinct[i], self.name)
                features[i] = self.missing if category is None else self.find(category)
                states[i] = 2 if category is None else features[i] is None
                if category is not None and features[i] is None:
                    features[i] = self.unknown
                    unknown.append(category)
        if unknown and states[:-1].all():
            warn_of_other_types(self.name, unknown, self.lookup.__contains__)
        of_row = states[codes]
        return np.array([*features, self.missing], np.int32)[codes], of_row == 1, of_row == 2

    def encode(self, column: Column) -> Rows:
        features, is_unknown, is_missing = self._features_of(column)
        counts = int(np.count_nonzero(is_unknown)), int(np.count_nonzero(is_missing))
        return Rows(Encoded(features, None, None), *counts)

    def feature_of(self, value: Any) -> tuple[int, bool, bool]:
        """The feature of a single value of any type, and whether it is unknown and is missing."""
        category = canonical(value, self.name)
        if category is None:
            return self.missing, False, True
        feature = self.find(category)
        if feature is None:
            warn_of_other_types(self.name, [category], self.lookup.__contains__)
            return self.unknown, True, False
        return feature, False, False

    def encode_value(self, value: Any) -> Row:
        feature, is_unknown, is_missing = self.feature_of(value)
        return Row((feature,), (1.0,), is_unknown, is_missing)

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

    def count(self, column: Column) -> dict[Category, int]:
        return super().count(column.lists()[1])

    def encode(self, column: Column) -> Rows:
        sizes, elements = column.lists()
        features, is_unknown, is_missing = self._features_of(elements)
        rows = np.repeat(np.arange(len(sizes)), sizes)
        counts = [len(np.unique(rows[mask])) for mask in (is_unknown, is_missing)]
        order = np.lexsort((features, rows))
        features, rows = features[order], rows[order]
        is_first = np.ones(len(rows), bool)
        is_first[1:] = (rows[1:] != rows[:-1]) | (features[1:] != features[:-1])
        sizes = np.bincount(rows[is_first], minlength=len(sizes))
        values = None if self.spec.scale is None else np.repeat(1 / np.sqrt(np.maximum(sizes, 1)), sizes)
        return Rows(Encoded(features[is_first], values, sizes), *counts)

    def encode_value(self, value: Any) -> Row:
        found = [self.feature_of(v) for v in as_list(value, self.name)]
        features = {feature for feature, _, _ in found}
        each = 1.0 if self.spec.scale is None or not features else 1 / math.sqrt(len(features))
        flags = any(is_unknown for _, is_unknown, _ in found), any(is_missing for _, _, is_missing in found)
        return Row(sorted(features), [each] * len(features), *flags)


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
