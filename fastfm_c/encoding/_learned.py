"""What an encoder has learned: its fields, and the field of each feature.

Threads may encode while one of them learns. `grow` first tells how many features there will be, and then lets
the fields use them; who encodes asks for the number of features at the end. So no feature is beyond it.
"""

import json
import threading
from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastfm_c._field_csr import FieldCSR, assemble
from fastfm_c._field_table import as_fields
from fastfm_c.encoding._column_types import Spec, from_json, resolve, to_json, type_name
from fastfm_c.encoding._columns import Column
from fastfm_c.encoding._dates import DateField
from fastfm_c.encoding._hashed import HashedField
from fastfm_c.encoding._numeric import NumericField
from fastfm_c.encoding._vocabulary import CategoricalField, Field, MultiField, Row
from fastfm_c.persistence._json import parse_json, require_no_more

__all__ = ["Learned"]

_LIMIT = np.iinfo(np.int32).max  # features of a CSR matrix with int32 indices
_FIELDS: dict[str, Any] = {
    "categorical": CategoricalField,
    "date": DateField,
    "hashed": HashedField,
    "multi": MultiField,
    "numeric": NumericField,
}


class Learned:
    """The fields of a fitted encoder.

    Parameters
    ----------
    specs : dict of str to column type
        By the name of each column.
    dtype : dtype
        Of the matrices.
    only : bool
        Whether a table must have no other columns.
    """

    def __init__(self, specs: Mapping[str, Spec], dtype: np.dtype[Any], only: bool) -> None:
        self.dtype, self.only = dtype, only
        self.names = list(specs)
        self.known_names = frozenset(specs)
        self.fields: list[Field[Any, Any]] = [_FIELDS[type_name(s)](name, s) for name, s in specs.items()]
        self.field_of = np.empty(0, np.int32)  # the field of each feature
        self.unknown_counts = dict.fromkeys(specs, 0)
        self.missing_counts = dict.fromkeys(specs, 0)
        self._counting = threading.Lock()

    def grow(self, columns: Mapping[str, Column]) -> None:
        """Give new features to what is new in the columns. All columns are read before any field changes."""
        self.take([field.plan(columns[field.name]) for field in self.fields])

    def take(self, plans: list[tuple[Any, int]]) -> None:
        """Give new features to what is new by the plans of the fields."""
        firsts = [field.n_first if field.unknown < 0 else 0 for field in self.fields]
        sizes = [first + n_new for first, (_, n_new) in zip(firsts, plans, strict=True)]
        n_before = len(self.field_of)
        n_features = n_before + sum(sizes)
        if n_features > _LIMIT:
            raise ValueError(f"X has {n_features} features, expected at most {_LIMIT}")
        new = np.repeat(np.arange(len(self.fields), dtype=np.int32), sizes)
        self.field_of = as_fields(np.concatenate([self.field_of, new]), n_features, len(self.fields))
        start = n_before
        for field, first, (plan, n_new) in zip(self.fields, firsts, plans, strict=True):
            if first:
                field.take_first(list(range(start, start + first)))
            field.take(plan, start + first)
            start += first + n_new

    def encode(self, columns: Mapping[str, Column], n_rows: int) -> FieldCSR:
        """The matrix of a table. The counts are those of this table afterwards."""
        rows = {field.name: field.encode(columns[field.name]) for field in self.fields}
        self.unknown_counts = {name: of_field.n_unknown for name, of_field in rows.items()}
        self.missing_counts = {name: of_field.n_missing for name, of_field in rows.items()}
        encoded = [of_field.encoded for of_field in rows.values()]
        return assemble(encoded, n_rows, self.field_of, self.dtype)

    def count(self, name: str, row: Row) -> None:
        """Add to the counts what was unknown or missing in one row."""
        if row.has_unknown or row.has_missing:
            with self._counting:
                self.unknown_counts[name] += row.has_unknown
                self.missing_counts[name] += row.has_missing

    def feature_names(self) -> NDArray[np.object_]:
        """A different name for each feature."""
        names = np.empty(len(self.field_of), object)
        for f, field in enumerate(self.fields):
            names[self.field_of == f] = field.feature_names()
        if len(set(names)) < len(names):  # "a=b=c" comes from the column "a" and from the column "a=b"
            for j, f in enumerate(self.field_of.tolist()):
                column = self.fields[f].name
                names[j] = repr(column) + names[j][len(column) :]
        return names

    def specs_to_json(self) -> list[Any]:
        """The name and the type of each column, as JSON values."""
        return [[field.name, to_json(field.spec)] for field in self.fields]

    def vocabulary_to_json(self) -> list[Any]:
        """What the fields have learned, as JSON values."""
        return [field.to_json() for field in self.fields]

    def restore(self, field_of: NDArray[np.int32], vocabulary: Any) -> None:
        """Learn what `vocabulary_to_json` gave, with the field of each feature. Both are checked."""
        self.field_of = as_fields(field_of, None, len(self.fields))
        if not isinstance(vocabulary, list) or len(vocabulary) != len(self.fields):
            raise ValueError(
                f"vocabulary is {vocabulary!r:.200}, expected a list of {len(self.fields)}: one a field"
            )
        ends = np.bincount(self.field_of, minlength=len(self.fields)).cumsum()
        features_of = np.split(np.argsort(self.field_of, kind="stable"), ends[:-1])
        for field, members, features in zip(self.fields, vocabulary, features_of, strict=True):
            try:
                field.restore(members, field.take_first(features.tolist()))
                require_no_more(members, "vocabulary")
            except ValueError as error:
                raise ValueError(f"field {field.name!r}: {error}") from None

    def __getstate__(self) -> dict[str, Any]:
        """Arrays, texts and numbers: what files of skops can hold, which have no None as a key."""
        return {
            "specs": json.dumps(self.specs_to_json()),
            "vocabulary": json.dumps(self.vocabulary_to_json()),
            "field_of": np.array(self.field_of),
            "dtype": self.dtype.name,
            "only": self.only,
            "counts": [list(self.unknown_counts.values()), list(self.missing_counts.values())],
        }

    def __setstate__(self, state: dict[str, Any]) -> None:
        pairs = parse_json(state["specs"], "specs")
        specs = {name: resolve(from_json(spec, name), name, None) for name, spec in pairs}
        Learned.__init__(self, specs, np.dtype(state["dtype"]), state["only"])
        self.restore(state["field_of"], parse_json(state["vocabulary"], "vocabulary", finite=False))
        unknown, missing = state["counts"]
        self.unknown_counts = dict(zip(self.names, unknown, strict=True))
        self.missing_counts = dict(zip(self.names, missing, strict=True))
