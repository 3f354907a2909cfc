"""A `FieldEncoder` as JSON values and arrays, and back; what comes back is checked."""

import json

import numpy as np

from fastfm_c._validation import as_fields
from fastfm_c.encoding._column_types import from_json, kind_of, plain, resolve, to_json
from fastfm_c.encoding._values import HashedField, NumericField
from fastfm_c.encoding._vocabulary import CategoricalField, MultiField, entry

__all__ = ["KINDS", "from_state", "to_state"]

KINDS = {"categorical": CategoricalField, "hashed": HashedField, "multi": MultiField, "numeric": NumericField}


def to_state(encoder):
    """(meta, tensors): small JSON values; the fields, and what the fields know as JSON in UTF-8."""
    fields = encoder._fitted()
    columns = encoder.columns
    if columns is not None:
        pairs = columns.items() if hasattr(columns, "items") else [(name, "auto") for name in columns]
        columns = [[name, to_json(spec)] for name, spec in pairs]
    meta = {
        "columns": columns,
        "min_count": plain(encoder.min_count),
        "max_categories": plain(encoder.max_categories),
        "missing": encoder.missing,
        "dtype": encoder._dtype.name,
        "only": encoder._only,
        "fields": [[field.name, to_json(field.spec)] for field in fields],
    }
    text = json.dumps([field.state() for field in fields])
    vocabulary = np.frombuffer(text.encode(), np.uint8).copy()
    return meta, {"fields": np.array(encoder.fields_), "vocabulary": vocabulary}


def from_state(cls, meta, tensors):
    """The encoder that `to_state` was given; ValueError for anything that it cannot have returned."""
    columns = meta.get("columns") if isinstance(meta, dict) else None
    if columns is not None:
        columns = {name: from_json(spec, name) for name, spec in _pairs(columns, "columns")}
    encoder = cls(
        columns,
        min_count=entry(meta, "min_count", int),
        max_categories=entry(meta, "max_categories", (int, type(None))),
        missing=entry(meta, "missing", str),
        dtype=entry(meta, "dtype", str),
    )
    if encoder.dtype not in ("float32", "float64"):
        raise ValueError(f"dtype must be float32 or float64, got {encoder.dtype!r}")
    if not isinstance(meta.get("only"), bool):
        raise ValueError(f"only must be a bool, got {meta.get('only')!r}")
    resolve("categorical", "", encoder)  # checks the defaults of all columns
    pairs = _pairs(meta.get("fields"), "fields")
    specs = {name: resolve(from_json(spec, name), name, encoder) for name, spec in pairs}
    encoder.fields_ = as_fields(_array(tensors, "fields", np.int32), None, len(specs))
    states = _vocabulary(tensors)
    if len(states) != len(specs):
        raise ValueError(f"vocabulary has {len(states)} entries, expected {len(specs)}: one for each field")
    of_field = np.split(np.argsort(encoder.fields_, kind="stable"), _ends(encoder.fields_, len(specs)))
    fields = []
    for (name, spec), state, own in zip(specs.items(), states, of_field, strict=False):
        field = KINDS[kind_of(spec)](name, spec)
        try:
            field.restore(state, field.start_from(own.tolist()))
        except ValueError as error:
            raise ValueError(f"field {name!r}: {error}") from None
        fields.append(field)
    encoder._become(fields, np.dtype(encoder.dtype), meta["only"])
    return encoder


def _ends(fields, n_fields):
    """Where in the features sorted by field each field ends."""
    return np.bincount(fields, minlength=n_fields).cumsum()


def _pairs(stored, name):
    """Pairs of a name and a type, all names different."""
    good = isinstance(stored, list) and all(
        isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], str) for pair in stored
    )
    if not good or not stored or len({pair[0] for pair in stored}) < len(stored):
        raise ValueError(f"{name} must be a list of pairs of a name, each another one, and a type")
    return stored


def _array(tensors, name, dtype):
    array = tensors.get(name) if isinstance(tensors, dict) else None
    if not isinstance(array, np.ndarray) or array.dtype != dtype or array.ndim != 1:
        raise ValueError(f"tensor {name} must be a one-dimensional array of {np.dtype(dtype).name}")
    return array


def _vocabulary(tensors):
    try:
        states = json.loads(_array(tensors, "vocabulary", np.uint8).tobytes())
    except (UnicodeDecodeError, json.JSONDecodeError, RecursionError) as error:
        raise ValueError(f"tensor vocabulary is no JSON: {error}") from None
    if not isinstance(states, list):
        raise ValueError(f"tensor vocabulary is a {type(states).__name__}, expected a list")
    return states
