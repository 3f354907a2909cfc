"""From a table to what an encoder learns: which columns are read, and the type of each."""

from collections.abc import Mapping
from typing import Any, TypeAlias

from fastfm_c._validation import as_real_dtype
from fastfm_c.encoding._advice import warn_of_numbers_that_look_like_ids
from fastfm_c.encoding._column_types import Spec, check_rest, names_of, resolve
from fastfm_c.encoding._columns import Column
from fastfm_c.encoding._learned import Learned
from fastfm_c.encoding._tables import columns_of

__all__ = ["learn", "read", "read_again"]

_Columns: TypeAlias = tuple[dict[str, Column], int]  # by name; and the number of rows


def read(X: Any, encoder: Any) -> _Columns:
    """The columns of a table that this encoder will be fitted to."""
    check_rest(encoder.rest, encoder)
    if encoder.columns is None:
        return columns_of(X)
    others = encoder.rest if _has(encoder, "drop", "error") else "keep"
    return columns_of(X, names_of(encoder.columns), others=others)


def read_again(X: Any, learned: Learned) -> _Columns:
    """The columns of a table that a fitted encoder encodes."""
    return columns_of(X, learned.names, others="error" if learned.only else "drop", fitted=True)


def learn(encoder: Any, columns: dict[str, Column], n_rows: int) -> Learned:
    """What the encoder learns from a table."""
    dtype = as_real_dtype(encoder.dtype)
    if not n_rows or not columns:
        what = f"{len(columns)} feature(s) (shape=({n_rows}, {len(columns)}))"
        raise ValueError(
            f"X has {n_rows} rows and {len(columns)} columns, expected at least one of each. Found {what} "
            "while a minimum of 1 is required."
        )
    named = set(columns if encoder.columns is None else names_of(encoder.columns))
    specs = {name: _type_of(column, name in named, encoder) for name, column in columns.items()}
    learned = Learned(specs, dtype, only=encoder.columns is None or not _has(encoder, "drop"))
    learned.grow(columns)
    return learned


def _has(encoder: Any, *rests: str) -> bool:
    return isinstance(encoder.rest, str) and encoder.rest in rests


def _type_of(column: Column, is_named: bool, encoder: Any) -> Spec:
    spec = encoder.rest
    if is_named:
        spec = encoder.columns[column.name] if isinstance(encoder.columns, Mapping) else "auto"
    if isinstance(spec, str) and spec == "auto":
        spec = column.default_type()
        if spec == "numeric":
            warn_of_numbers_that_look_like_ids(column)
    return resolve(spec, column.name, encoder)
