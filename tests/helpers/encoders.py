"""The specification of FieldEncoder in slow Python over rows as dicts, and one table in every form."""

import math
from collections import Counter

import numpy as np
import pytest

from fastfm_c.encoding import Categorical, Hashed, MultiCategorical, Numeric

pd = pytest.importorskip("pandas")
pl = pytest.importorskip("polars")
pa = pytest.importorskip("pyarrow")
pytest.importorskip("narwhals")


def is_missing(value):
    return value is None or value is pd.NA or value is pd.NaT or value != value


def categories(values, spec):
    """Of values that are not missing, in the order of their features."""
    counts = Counter(values)
    order = sorted(counts, key=lambda v: (isinstance(v, str), v))
    often = [v for v in order if counts[v] >= (spec.min_count or 1)]
    if spec.max_categories is not None:
        often = sorted(often, key=lambda v: -counts[v])[: spec.max_categories]
    return [v for v in order if v in often]


def encode(rows, columns, train):
    """(rows as dicts of feature to value, the field of each feature), fitted to the rows `train`."""
    encoded, fields = [{} for _ in rows], []
    for f, (name, spec) in enumerate(columns.items()):
        unknown = len(fields)
        missing = unknown + (spec.missing == "own")
        first = missing + 1
        seen = [row.get(name) for row in train]
        if isinstance(spec, MultiCategorical):
            seen = [v for row in seen if isinstance(row, list) for v in row]
        seen = [v for v in seen if not is_missing(v)]
        if isinstance(spec, Numeric):
            features, size = numeric(seen, spec)
        elif isinstance(spec, Hashed):
            raise NotImplementedError
        else:
            known = categories(seen, spec)
            features, size = (lambda v, k=known: (k.index(v), 1.0) if v in k else None), len(known)
        for row, out in zip(rows, encoded, strict=True):
            value = row.get(name)
            multi = isinstance(spec, MultiCategorical)
            own = {}
            for v in value if multi and isinstance(value, list) else [value]:
                found = None if is_missing(v) else features(v)
                if is_missing(v):
                    own[missing] = 1.0
                elif found is None:
                    own[unknown] = 1.0
                else:
                    own[first + found[0]] = found[1]
            scale = math.sqrt(len(own)) if multi and spec.scale == "sqrt" else 1.0
            out.update({j: x / scale for j, x in own.items()})
        fields += [f] * (first - unknown + size)
    return encoded, fields


def numeric(seen, spec):
    if spec.bins is None:
        mean, scale = np.mean(seen), np.std(seen) or np.inf  # equal numbers: all others become 0
        return (lambda v: (0, (v - mean) / scale)), 1
    seen = sorted(seen)
    edges, done = [], 0
    for left in range(spec.bins, 1, -1):
        goal = done + (len(seen) - done) / left
        # How many rows this bin may end after: where the next value is another one.
        ends = [k for k in range(done + 1, len(seen) + 1) if k == len(seen) or seen[k] != seen[k - 1]]
        done = min(ends, key=lambda k: (abs(k - goal), -k), default=len(seen))
        if done == len(seen):
            break
        edges.append(seen[done])
    return (lambda v: (sum(e <= v for e in edges), 1.0)), len(edges) + 1


def names(encoder):
    return encoder.get_feature_names_out().tolist()


def dense(encoded, n_features):
    X = np.zeros((len(encoded), n_features))
    for i, row in enumerate(encoded):
        for j, value in row.items():
            X[i, j] = value
    return X


# A table that every library holds, with a missing value in each column but the last.
ROWS = [
    {"word": "red", "id": 7, "flag": True, "size": 1.5, "tags": ["a", "b"], "many": "x"},
    {"word": None, "id": 3, "flag": False, "size": None, "tags": [], "many": "y"},
    {"word": "blue", "id": None, "flag": None, "size": -2.0, "tags": None, "many": "x"},
    {"word": "red", "id": 3, "flag": True, "size": 4.0, "tags": ["b", "b", None], "many": "z"},
]
TYPES = {
    "word": Categorical(),
    "id": Categorical(),
    "flag": Categorical(),
    "size": Numeric(),
    "tags": MultiCategorical(scale="sqrt"),
    "many": Categorical(min_count=2),
}


def tables(rows=ROWS):
    """The rows in every form; some columns in another order or type."""
    frame = pd.DataFrame(rows)
    polars = pl.DataFrame(rows)
    arrow = pa.Table.from_pylist(rows)
    words = ["word", "many"]
    places = {name: k for k, name in enumerate(frame.columns)}
    structured = np.empty(len(rows), [(name, object) for name in frame.columns])
    for name in places:
        structured[name] = np.array([*(row[name] for row in rows), None], object)[:-1]
    return {
        "dicts": rows,
        "shorter dicts": [{k: v for k, v in row.items() if v is not None} for row in rows],
        "pandas": frame,
        "pandas object": frame.astype(object),
        "pandas NA": frame.astype({"word": "string", "id": "Int64", "flag": "boolean", "size": "Float64"}),
        "pandas category": frame.astype(dict.fromkeys([*words, "id", "flag"], "category")),
        "pandas arrow": frame.astype(
            {"word": pd.ArrowDtype(pa.string()), "id": pd.ArrowDtype(pa.int64()), "size": "double[pyarrow]"}
        ),
        "pandas reversed": frame[frame.columns[::-1]],
        "polars": polars,
        "polars Categorical": polars.with_columns(pl.col(words).cast(pl.Categorical)),
        "polars Enum": polars.with_columns(pl.col("word").cast(pl.Enum(["red", "green", "blue"]))),
        "polars floats": polars.with_columns(pl.col("id").cast(pl.Float64)),
        "pyarrow": arrow,
        "pyarrow dictionary": arrow.set_column(0, "word", arrow["word"].dictionary_encode()),
        "structured": structured,
    }
