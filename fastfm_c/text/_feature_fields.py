"""Which features of a libffm file are in which field.

In a model each feature has one field. A file may disagree: `FieldTable` refuses such a file, `SplitFeatures`
gives each pair of feature and field a column of its own.
"""

import numpy as np
from numpy.typing import NDArray

from fastfm_c._core import _TextRows
from fastfm_c.text._streams import Chunk

__all__ = ["FIELD_LIMIT", "FieldTable", "SplitFeatures"]

FIELD_LIMIT = 1 << 26  # features, if a user does not ask for more: a hostile index takes at most 0.8 GB


class FieldTable:
    """The field of each feature so far, and the line where it was found.

    With `known` fields, every value of the file must be in the field that is known for its feature.
    """

    def __init__(self, known: NDArray[np.int32] | None = None) -> None:
        self.is_known = known is not None
        self.field_of = np.empty(0, np.int32) if known is None else known.copy()
        self.line_of = np.zeros(len(self.field_of), np.int64)

    def add(self, rows: _TextRows, chunk: Chunk) -> None:
        """Add the fields of the values that were parsed last, or raise an error if a feature has two."""
        if rows.largest >= (size := len(self.field_of)):
            more = max(rows.largest + 1, size + size // 4) - size
            self.field_of = np.concatenate([self.field_of, np.full(more, -1, np.int32)])
            self.line_of = np.concatenate([self.line_of, np.zeros(more, np.int64)])
        conflict = rows.conflict(chunk.first_line, self.field_of, self.line_of)
        if conflict is not None:
            line, value, feature, field = conflict
            where = "in `fields`" if self.is_known else f"on line {self.line_of[feature]}"
            raise chunk.error(
                line,
                chunk.column(line, value),
                f"found feature {feature} in field {field}, expected field {self.field_of[feature]}, which "
                f"it has {where} (load_libffm can split it: on_field_conflict='split')",
            )

    def fields(self, n_features: int) -> NDArray[np.int32]:
        """The field of each feature, 0 for a feature that does not occur."""
        fields = np.zeros(n_features, np.int32)
        seen = self.field_of[:n_features]
        np.maximum(seen, 0, out=fields[: len(seen)])
        return fields


class SplitFeatures:
    """A column for each pair of feature and field, in the order in which the pairs appear."""

    FEATURE_LIMIT = 1 << 32  # so that a feature and a field fit into one key

    def __init__(self) -> None:
        self._keys = np.empty(0, np.int64)  # feature * 2^31 + field, ascending
        self._columns = np.empty(0, np.int64)  # the column of each key
        self._fields: list[NDArray[np.int32]] = []  # of the new columns of each chunk

    def add(self, rows: _TextRows, chunk: Chunk) -> None:
        """Replace the features of the values that were parsed last by their columns."""
        features, fields = rows.last()
        keys = features.astype(np.int64) << 31 | fields
        found: NDArray[np.int64]
        first: NDArray[np.intp]
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
        """The field of each column."""
        return np.concatenate([np.empty(0, np.int32), *self._fields])
