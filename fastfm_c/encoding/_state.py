"""Encoders in files: see `fastfm_c.persistence`. What is read is checked."""

from types import NoneType
from typing import Any

import numpy as np

from fastfm_c._field_table import as_fields
from fastfm_c.encoding._column_types import check_rest, from_json, plain, resolve, to_json
from fastfm_c.encoding._learned import Learned
from fastfm_c.persistence._json import json_member, require_no_more
from fastfm_c.persistence._objects import Reader, Writer

__all__ = ["from_state", "to_state"]


def to_state(encoder: Any, writer: Writer) -> dict[str, Any]:
    """The state of an encoder. What its fields have learned, if it is fitted, may be long and is a tensor."""
    columns = encoder.columns
    if columns is not None:
        pairs = columns.items() if hasattr(columns, "items") else [(name, "auto") for name in columns]
        columns = [[name, to_json(spec)] for name, spec in pairs]
    fitted = {}
    with encoder._lock:
        if (learned := vars(encoder).get("_learned")) is not None:
            writer.tensor("fields", np.array(learned.field_of))
            writer.json_tensor("vocabulary", learned.vocabulary_to_json())
            fitted = {"only": learned.only, "fields": learned.specs_to_json()}
    meta = {
        "columns": columns,
        "min_count": plain(encoder.min_count),
        "max_categories": plain(encoder.max_categories),
        "missing": encoder.missing,
        "dtype": np.dtype(encoder.dtype).name if learned is None else learned.dtype.name,
        **fitted,
    }
    return {"meta": meta if encoder.rest == "drop" else meta | {"rest": to_json(encoder.rest)}}


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
    if "rest" in meta:  # files had none before
        encoder.rest = from_json(json_member(meta, "rest", str, dict), "rest")
        check_rest(encoder.rest, encoder)
    if encoder.dtype not in ("float32", "float64"):
        raise ValueError(f"dtype must be float32 or float64, got {encoder.dtype!r}")
    resolve("categorical", "", encoder)  # checks the defaults of all columns
    if "fields" not in meta:  # it is not fitted
        require_no_more(meta, "meta")
        return encoder
    only = json_member(meta, "only", bool)
    pairs = _pairs(json_member(meta, "fields", list), "fields")
    specs = {name: resolve(from_json(spec, name), name, encoder) for name, spec in pairs}
    require_no_more(meta, "meta")
    learned = Learned(specs, np.dtype(encoder.dtype), only)
    field_of = as_fields(reader.tensor("fields", "i", 1), None, len(specs))
    learned.restore(field_of, reader.json_tensor("vocabulary", finite=False))  # categories may be infinite
    encoder._learned = learned
    return encoder


def _pairs(stored: list[Any], name: str) -> list[Any]:
    """The list, which must hold pairs of a name and a type. All names are different."""
    is_good = all(isinstance(pair, list) and len(pair) == 2 and isinstance(pair[0], str) for pair in stored)
    if not is_good or not stored or len({pair[0] for pair in stored}) < len(stored):
        raise ValueError(f"{name} must be a list of pairs of a name, each another one, and a type")
    return stored
