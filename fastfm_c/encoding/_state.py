"""Encoders in files: see `fastfm_c.persistence`. What is read is checked."""

from types import NoneType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastfm_c._validation import as_fields
from fastfm_c.encoding._column_types import from_json, plain, resolve, to_json
from fastfm_c.encoding._features import new_field
from fastfm_c.persistence._json import json_member, require_no_more
from fastfm_c.persistence._objects import Reader, Writer

__all__ = ["from_state", "to_state"]


def to_state(encoder: Any, writer: Writer) -> dict[str, Any]:
    """The state of a fitted encoder. What its fields have learned may be long, and is a tensor."""
    fields = encoder._fitted()
    columns = encoder.columns
    if columns is not None:
        pairs = columns.items() if hasattr(columns, "items") else [(name, "auto") for name in columns]
        columns = [[name, to_json(spec)] for name, spec in pairs]
    writer.tensor("fields", np.array(encoder.fields_))
    writer.json_tensor("vocabulary", [field.to_json() for field in fields])
    meta = {
        "columns": columns,
        "min_count": plain(encoder.min_count),
        "max_categories": plain(encoder.max_categories),
        "missing": encoder.missing,
        "dtype": encoder._dtype.name,
        "only": encoder._only,
        "fields": [[field.name, to_json(field.spec)] for field in fields],
    }
    return {"meta": meta}


def from_state(create: Any, state: dict[str, Any], reader: Reader) -> Any:
    """The encoder of a state."""
    meta = json_member(state, "meta", dict)
    columns = json_member(meta, "columns", list, NoneType)
    if columns is not None:
        columns = {name: from_json(spec, name) for name, spec in _pairs(columns, "columns")}
    encoder = create(
        columns,
        min_count=json_member(meta, "min_count", int),
        max_categories=json_member(meta, "max_categories", int, NoneType),
        missing=json_member(meta, "missing", str),
        dtype=json_member(meta, "dtype", str),
    )
    if encoder.dtype not in ("float32", "float64"):
        raise ValueError(f"dtype must be float32 or float64, got {encoder.dtype!r}")
    only = json_member(meta, "only", bool)
    resolve("categorical", "", encoder)  # checks the defaults of all columns
    pairs = _pairs(json_member(meta, "fields", list), "fields")
    specs = {name: resolve(from_json(spec, name), name, encoder) for name, spec in pairs}
    require_no_more(meta, "meta")
    encoder.fields_ = as_fields(reader.tensor("fields", "i", 1), None, len(specs))
    learned = reader.json_tensor("vocabulary", finite=False)  # categories may be infinite
    if not isinstance(learned, list) or len(learned) != len(specs):
        raise ValueError(
            f"vocabulary is {learned!r:.200}, expected a list of {len(specs)}: one for each field"
        )
    fields = []
    features_of = _features_by_field(encoder.fields_, len(specs))
    for (name, spec), members, features in zip(specs.items(), learned, features_of, strict=True):
        field = new_field(name, spec)
        try:
            field.restore(members, field.take_first(features.tolist()))
            require_no_more(members, "vocabulary")
        except ValueError as error:
            raise ValueError(f"field {name!r}: {error}") from None
        fields.append(field)
    encoder._become(fields, np.dtype(encoder.dtype), only)
    return encoder


def _features_by_field(fields: NDArray[np.int32], n_fields: int) -> list[NDArray[np.intp]]:
    """The features of each field, ascending."""
    ends = np.bincount(fields, minlength=n_fields).cumsum()
    return np.split(np.argsort(fields, kind="stable"), ends[:-1])


def _pairs(stored: list[Any], name: str) -> list[Any]:
    """The list, which must hold pairs of a name and a type. All names are different."""
    is_good = all(isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], str) for pair in stored)
    if not is_good or not stored or len({pair[0] for pair in stored}) < len(stored):
        raise ValueError(f"{name} must be a list of pairs of a name, each another one, and a type")
    return stored
