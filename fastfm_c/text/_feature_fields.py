"""The fields of a libffm file: one for each feature, or one column for each pair of feature and field."""

import numpy as np
from numpy.typing import NDArray

from fastfm_c._core import _TextRows
from fastfm_c.text._streams import Place

FIELD_LIMIT = 1 << 26  # features, unless more are asked for: a hostile index takes 0.8 GB at most


class FieldTable:
    """The field of each feature so far, and the line that told."""

    def __init__(self, known: NDArray[np.int32] | None = None):
        self.is_known = known is not None
        self.field_of = np.empty(0, np.int32) if known is None else known.copy()
        self.line_of = np.zeros(len(self.field_of), np.int64)

    def add(self, rows: _TextRows, place: Place) -> None:
        """Take the fields of the values that were parsed last, or raise the error of a conflict."""
        if rows.largest >= (size := len(self.field_of)):
            more = max(rows.largest + 1, size + size // 4) - size
            self.field_of = np.concatenate([self.field_of, np.full(more, -1, np.int32)])
            self.line_of = np.concatenate([self.line_of, np.zeros(more, np.int64)])
        conflict = rows.conflict(place.line, self.field_of, self.line_of)
        if conflict is not None:
            line, number, feature, field = conflict
            there = "in `fields`" if self.is_known else f"on line {self.line_of[feature]}"
            raise place.error(
                line,
                place.column(line, number),
                f"found feature {feature} in field {field}, expected field {self.field_of[feature]}, which "
                f"it has {there} (load_libffm can split it: on_field_conflict='split')",
            )

    def fields(self, n_features: int) -> NDArray[np.int32]:
        fields = np.zeros(n_features, np.int32)
        seen = self.field_of[:n_features]
        np.maximum(seen, 0, out=fields[: len(seen)])
        return fields


class Columns:
    """A column for each (feature, field), numbered in the order in which they appear."""

    FEATURE_LIMIT = 1 << 32

    def __init__(self) -> None:
        self._keys = np.empty(0, np.int64)  # feature * 2^31 + field, ascending
        self._columns = np.empty(0, np.int64)
        self._fields: list[NDArray[np.int32]] = []

    def add(self, rows: _TextRows, place: Place) -> None:
        """Replace the features of the values that were parsed last by their columns."""
        features, fields = rows.last()
        keys = features.astype(np.int64) << 31 | fields
        found: NDArray
        first: NDArray
        found, first, inverse = np.unique(keys, return_index=True, return_inverse=True)
        at = np.searchsorted(self._keys, found)
        is_new = np.ones(len(found), bool)
        inside = at < len(self._keys)
        is_new[inside] = self._keys[at[inside]] != found[inside]
        new = np.flatnonzero(is_new)
        new = new[np.argsort(first[new])]
        columns = np.empty(len(found), np.int64)
        columns[~is_new] = self._columns[at[~is_new]]
        columns[new] = len(self._keys) + np.arange(len(new))
        features[:] = columns[inverse]
        self._fields.append(fields[first[new]])
        self._keys = np.insert(self._keys, at[is_new], found[is_new])
        self._columns = np.insert(self._columns, at[is_new], columns[is_new])

    def fields(self, n_features: int | None) -> NDArray[np.int32]:
        return np.concatenate([np.empty(0, np.int32), *self._fields])
