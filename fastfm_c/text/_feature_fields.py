"""Which features of a libffm file are in which field, and which column each of them has.

In a model each feature has one field, and a column. A file may disagree. `FeatureColumns` keeps one column
for a feature, and refuses or ignores a value in a second field. `PairColumns` gives each pair of feature and
field a column of its own. Both begin with the `FieldTable` of another file if there is one, and give the
table of what they know in the end.
"""

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastfm_c._core import _TextRows
from fastfm_c._field_table import FieldTable
from fastfm_c.text._chunks import Chunk, within

__all__ = [
    "FEATURE_LIMIT",
    "Columns",
    "FeatureColumns",
    "IndexColumns",
    "PairColumns",
    "Policy",
    "columns_of",
    "drop",
]

FEATURE_LIMIT = 1 << 26  # features, if a user does not ask for more: a hostile index takes at most 0.8 GB


@dataclass(frozen=True)
class Policy:
    """What users chose for values that do not fit."""

    on_field_conflict: str = "error"  # or "ignore" or "split"
    unknown: str = "error"  # or "ignore"


class FeatureColumns:
    """Column j is feature j. Keeps the field of each feature so far, and the line where it was found.

    With `known` fields, a value of the file must be in the field that is known for its feature, if one is.
    """

    has_fields = True

    def __init__(self, known: NDArray[np.int32] | None, n_features: int | None, policy: Policy) -> None:
        self.is_known, self._policy, self.n_ignored = known is not None, policy, 0
        self._files: list[tuple[int, str]] = []  # how many lines were before each file, and its name
        self._n_features = len(known) if known is not None else n_features
        self._field_of = np.empty(0, np.int32)
        if known is not None:
            self._field_of = np.array(known, np.int32)
            if isinstance(known, FieldTable):
                self._field_of[~known.has_values] = -1
        self._line_of = np.zeros(len(self._field_of), np.int64)

    @property
    def limit(self) -> int | None:
        """How large the features of the file can be: n_features. None is any size."""
        if self._policy.unknown == "ignore" and self._n_features is not None:
            return None
        return FEATURE_LIMIT if self._n_features is None else self._n_features

    @property
    def expected_index(self) -> str:
        """What is expected of a feature that is too large."""
        if self._n_features is None:
            return within(
                FEATURE_LIMIT, "the most by default: give a larger n_features if there is memory for it"
            )
        if self.is_known:
            return within(self._n_features, "as in `fields`; unknown='ignore' leaves the value out")
        return within(self._n_features)

    def add(self, rows: _TextRows, chunk: Chunk) -> None:
        """Add the fields of the values that were parsed last, or raise an error if a feature has two."""
        if self.limit is None:
            features, _ = rows.last()
            self._drop(rows, features >= self._n_features)
        self._make_room(rows.largest + 1)
        if self._policy.on_field_conflict == "ignore":
            self._drop_conflicts(rows)
            return
        self._note_file(chunk)
        first_line = chunk.lines_before + chunk.first_line
        conflict = rows.conflict(first_line, self._field_of, self._line_of)
        if conflict is not None:
            line, value, feature, field = conflict
            line -= chunk.lines_before
            where = "in `fields`" if self.is_known else self._where(int(self._line_of[feature]))
            place = 1 if self.n_ignored else chunk.column(line, value)  # values are missing, so 1
            raise chunk.error(
                line,
                place,
                f"found feature {feature} in field {field}, expected field {self._field_of[feature]}, which "
                f"it has {where} (load_libffm can split it: on_field_conflict='split')",
            )

    def _note_file(self, chunk: Chunk) -> None:
        if not self._files or self._files[-1] != (chunk.lines_before, chunk.name):
            self._files.append((chunk.lines_before, chunk.name))

    def _where(self, line: int) -> str:
        """A line, counted over all files, in words."""
        before, name = next(file for file in reversed(self._files) if file[0] < line)
        return f"on line {line - before}" + (f" of {name}" if len(self._files) > 1 else "")

    def table(self, n_features: int) -> FieldTable:
        """The field of each feature, 0 for a feature that does not occur."""
        fields, seen = np.zeros(n_features, np.int32), self._field_of[:n_features]
        np.maximum(seen, 0, out=fields[: len(seen)])
        has_values = np.zeros(n_features, bool)
        has_values[: len(seen)] = seen >= 0
        table = FieldTable(fields, has_values=has_values)
        table.n_ignored = self.n_ignored
        return table

    def n_columns(self, rows: _TextRows) -> int:
        """How many columns X has."""
        return int(rows.largest) + 1 if self._n_features is None else self._n_features

    def _make_room(self, n_features: int) -> None:
        if n_features > (size := len(self._field_of)):
            more = max(n_features, size + size // 4) - size
            self._field_of = np.concatenate([self._field_of, np.full(more, -1, np.int32)])
            self._line_of = np.concatenate([self._line_of, np.zeros(more, np.int64)])

    def _drop_conflicts(self, rows: _TextRows) -> None:
        features, fields = rows.last()
        undecided = np.flatnonzero(self._field_of[features] < 0)
        new, first = np.unique(features[undecided], return_index=True)
        self._field_of[new] = fields[undecided[first]]
        self._drop(rows, self._field_of[features] != fields)

    def _drop(self, rows: _TextRows, is_dropped: NDArray[np.bool_]) -> None:
        self.n_ignored += drop(rows, is_dropped)


class IndexColumns:
    """Column j is feature j, of a file without fields. Drops features that X does not have."""

    has_fields, limit = False, None

    def __init__(self, n_features: int) -> None:
        self._n_features, self.n_ignored = n_features, 0
        self.expected_index = within(n_features)

    def add(self, rows: _TextRows, chunk: Chunk) -> None:
        """Drop the values that were parsed last and have no column."""
        self.n_ignored += drop(rows, rows.last()[0] >= self._n_features)


class PairColumns:
    """A column for each pair of feature and field, in the order in which the pairs appear.

    A pair that is new takes a column that is its feature's and in no field yet, or else a free one, or else
    one more column if the number of columns is not given.
    """

    has_fields = True
    LARGEST = 1 << 32  # feature, so that a feature and a field fit into one key
    expected_index = f"an index below {LARGEST}, the most with on_field_conflict='split'"

    def __init__(self, known: FieldTable | None, n_columns: int | None, policy: Policy) -> None:
        self._policy, self.n_ignored, self._is_known = policy, 0, known is not None
        is_fixed = n_columns is not None or (known is not None and policy.on_field_conflict != "split")
        self._grows = not is_fixed and not (known is not None and policy.unknown == "ignore")
        size = 0 if known is None else len(known)
        n = max(size, n_columns or 0)
        self._features, self._fields = np.full(n, -1), np.zeros(n, np.int64)
        self._has_values = np.zeros(n, bool)
        if known is not None:
            self._features[:size], self._fields[:size] = known.features, known
            self._has_values[:size] = known.has_values
        self._keys, self._columns = self._index(self._has_values)

    @property
    def limit(self) -> int | None:
        """How large the features of the file can be. None is any size."""
        return None if self._policy.unknown == "ignore" else self.LARGEST

    def add(self, rows: _TextRows, chunk: Chunk) -> None:
        """Replace the features of the values that were parsed last by their columns."""
        self.n_ignored += drop(rows, rows.last()[0] >= self.LARGEST)
        features, fields = rows.last()
        keys = features.astype(np.int64) << 31 | fields
        found: NDArray[np.int64]
        first: NDArray[np.intp]
        found, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
        at = np.searchsorted(self._keys, found)
        columns = np.full(len(found), -1)
        inside = at < len(self._keys)
        old = inside.copy()
        old[inside] = self._keys[at[inside]] == found[inside]
        columns[old] = self._columns[at[old]]
        new = np.flatnonzero(~old)
        if len(new):
            new = new[np.argsort(first[new])]
            columns[new] = self._new_columns(found[new] >> 31, found[new] & (1 << 31) - 1)
            there = np.sort(new[columns[new] >= 0])
            self._keys = np.insert(self._keys, at[there], found[there])
            self._columns = np.insert(self._columns, at[there], columns[there])
            missing = new[columns[new] < 0]
            if len(missing):
                self._refuse(rows, chunk, int(first[missing[0]]), found[missing] >> 31)
        features[:] = columns[inverse]
        self.n_ignored += drop(rows, columns[inverse] < 0)

    def table(self, n_features: int) -> FieldTable:
        """The pair of each column."""
        table = FieldTable(self._fields, self._features, self._has_values)
        table.n_ignored = self.n_ignored
        return table

    def n_columns(self, rows: _TextRows) -> int:
        """How many columns X has."""
        return len(self._fields)

    def _index(self, is_there: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The keys of pairs, ascending, and their columns."""
        columns = np.flatnonzero(is_there & (self._features >= 0))
        keys = self._features[columns] << 31 | self._fields[columns]
        order = np.argsort(keys)
        return keys[order], columns[order]

    def _new_columns(self, features: NDArray[np.int64], fields: NDArray[np.int64]) -> NDArray[np.int64]:
        """Columns for pairs that are new, -1 for those that get none."""
        columns = np.full(len(features), -1)
        waiting = np.flatnonzero(~self._has_values)
        if len(waiting):
            named = waiting[self._features[waiting] >= 0]  # they have a feature, but no field
            named = named[np.argsort(self._features[named])]
            own, first = np.unique(features, return_index=True)
            _, here, there = np.intersect1d(own, self._features[named], return_indices=True)
            columns[first[here]] = named[there]
            free = waiting[self._features[waiting] < 0]
            rest = np.flatnonzero(columns < 0)[: len(free)]
            columns[rest] = free[: len(rest)]
        rest = np.flatnonzero(columns < 0)
        if self._grows and len(rest):
            columns[rest] = len(self._fields) + np.arange(len(rest))
            for name, empty in (("_features", -1), ("_fields", 0), ("_has_values", False)):
                old = getattr(self, name)
                setattr(self, name, np.concatenate([old, np.full(len(rest), empty, old.dtype)]))
        taken = columns >= 0
        where = columns[taken]
        self._features[where], self._fields[where] = features[taken], fields[taken]
        self._has_values[where] = True
        return columns

    def _refuse(self, rows: _TextRows, chunk: Chunk, value: int, features: NDArray[Any]) -> None:
        """Raise for pairs without a column, unless they are ignored."""
        if self._policy.unknown == "ignore":
            return
        is_conflict = np.isin(features, self._features)
        if self._policy.on_field_conflict == "ignore" and is_conflict.all():
            return
        line, place, feature, field = rows.place(chunk.first_line, value)
        if self._is_known:
            wanted = "a pair of feature and field that is in `fields`"
        else:
            wanted = f"at most n_features = {len(self._fields)} pairs of feature and field"
        raise chunk.error(
            line,
            chunk.column(line, place),
            f"found feature {feature} in field {field}, expected {wanted} (unknown='ignore' leaves it out)",
        )


Columns: TypeAlias = FeatureColumns | PairColumns | IndexColumns


def drop(rows: _TextRows, is_dropped: NDArray[np.bool_]) -> int:
    """Drop some of the values that were parsed last; return how many."""
    n_dropped = int(np.count_nonzero(is_dropped))
    if n_dropped:
        rows.keep(~is_dropped)
    return n_dropped


def columns_of(
    known: NDArray[np.int32] | None, n_features: int | None, policy: Policy
) -> FeatureColumns | PairColumns:
    """What gives the values of a file their columns."""
    is_split = isinstance(known, FieldTable) and known.is_split
    if not is_split and policy.on_field_conflict != "split":
        return FeatureColumns(known, n_features, policy)
    if known is not None and not isinstance(known, FieldTable):
        known = FieldTable(known)
    return PairColumns(known, n_features, policy)
