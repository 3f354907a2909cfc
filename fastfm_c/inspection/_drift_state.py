"""`Drift` in files: see `fastfm_c.persistence`. What is read is checked."""

from types import NoneType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastfm_c._field_table import as_fields, read_table, write_table
from fastfm_c.inspection._counts import MOST_EMPTY_FIELDS, Bins, Counts
from fastfm_c.persistence._json import json_member
from fastfm_c.persistence._objects import Reader, Writer

__all__ = ["from_state", "to_state"]


def to_state(drift: Any, writer: Writer) -> dict[str, Any]:
    """The state of a fitted Drift."""
    counts = drift._fitted()
    bins = counts.bins
    write_table(bins.fields, writer)
    writer.tensor("number_columns", bins.number_columns)
    writer.tensor("edges", np.concatenate([np.zeros(0), *bins.edges]))
    writer.tensor("edge_counts", np.array([len(edges) for edges in bins.edges], np.int64))
    writer.tensor("score_edges", bins.score_edges)
    for name in "columns", "present", "scores":
        writer.tensor(name, getattr(counts, name))
    writer.tensor("numbers", np.concatenate([np.zeros(0, np.int64), *counts.numbers]))
    return {
        "n_bins": drift._n_bins,
        "n_rows": counts.n_rows,
        "n_scores": counts.n_scores,
        "names": drift._names,
        "unknown": drift._unknown_columns,
        "missing": drift._missing_columns,
    }


def from_state(create: Any, state: dict[str, Any], reader: Reader) -> Any:
    """The Drift of a state."""
    fields = np.asarray(as_fields(read_table(reader), None, None))
    n, n_fields = len(fields), int(fields.max(initial=-1)) + 1
    if n_fields > n + MOST_EMPTY_FIELDS:  # a file must not choose the memory that is taken
        raise ValueError(f"there are {n_fields} fields of {n} columns")
    drift = create(n_bins=json_member(state, "n_bins", int))
    numbers = reader.tensor("number_columns", "i", 1).astype(np.int64)
    if (np.diff(numbers) <= 0).any() or (len(numbers) and not 0 <= numbers[0] <= numbers[-1] < n):
        raise ValueError("number_columns are not ascending columns")
    of_columns = reader.tensor("edge_counts", "i", 1)
    edges = _split(reader.tensor("edges", "f", 1).astype(np.float64), of_columns, len(numbers), "edges")
    score_edges = reader.tensor("score_edges", "f", 1).astype(np.float64)
    if any((np.diff(e) <= 0).any() or not np.isfinite(e).all() for e in [*edges, score_edges]):
        raise ValueError("edges do not ascend")
    bins = Bins(fields, n_fields, numbers, edges, score_edges)
    counts = Counts.empty(bins)
    counts.columns = _counts(reader, "columns", n)
    counts.present = _counts(reader, "present", n_fields)
    counts.scores = _counts(reader, "scores", len(score_edges) + 1)
    total = sum(len(e) + 1 for e in edges)
    counts.numbers = _split(_counts(reader, "numbers", total), of_columns + 1, len(numbers), "numbers")
    counts.n_rows, counts.n_scores = (_count(state, name) for name in ("n_rows", "n_scores"))
    names = json_member(state, "names", list, NoneType)
    if names is not None and (len(names) != n_fields or not all(isinstance(name, str) for name in names)):
        raise ValueError(f"names are not {n_fields} strings")
    drift._names, drift._counts, drift._given_fields = names, counts, fields
    drift._unknown_columns, drift._missing_columns = (_columns(state, m, n) for m in ("unknown", "missing"))
    return drift


def _counts(reader: Reader, name: str, n: int) -> NDArray[np.int64]:
    counts = reader.tensor(name, "i", 1, writable=True).astype(np.int64)
    if len(counts) != n or (counts < 0).any():
        raise ValueError(f"tensor {name!r} is not {n} counts")
    return counts


def _split(values: NDArray[Any], lengths: NDArray[Any], n: int, name: str) -> list[NDArray[Any]]:
    is_sound = len(lengths) == n and ((lengths >= 0) & (lengths <= len(values))).all()
    if not is_sound or lengths.sum() != len(values):
        raise ValueError(f"the lengths of {name} do not fit")
    return [part.copy() for part in np.split(values, np.cumsum(lengths)[:-1])] if n else []


def _count(state: dict[str, Any], name: str) -> int:
    count: int = json_member(state, name, int)
    if not 0 <= count < 1 << 62:
        raise ValueError(f"{name} is {count}, expected a count")
    return count


def _columns(state: dict[str, Any], name: str, n: int) -> list[int]:
    columns: list[int] = json_member(state, name, list)
    if not all(type(j) is int and 0 <= j < n for j in columns):
        raise ValueError(f"{name} has what is no column")
    return columns
