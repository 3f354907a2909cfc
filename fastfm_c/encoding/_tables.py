"""Tables of any type as named columns."""

from collections.abc import Callable, Iterable, Mapping
from itertools import chain
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastfm_c.encoding._columns import DATES, Column, Numbers, Objects, Series, series_as_objects

__all__ = ["check_names", "columns_of"]

# The names of a table's columns, the number of its rows, and what makes the column of a name.
_Table: TypeAlias = tuple[list[Any], int, Callable[[str], Column]]


def columns_of(
    X: Any, names: list[str] | None = None, *, only: bool = False, fitted: bool = False
) -> tuple[dict[str, Column], int]:
    """({name: column}, number of rows) of a DataFrame, rows as dicts, a structured or 2-d array.

    With `names`, the result has these columns in this order; X may have others, except with ``only=True``.
    For a fitted encoder, a key that no row has is a missing value.
    """
    if isinstance(X, (list, tuple)) and (not X or isinstance(X[0], Mapping)):
        found, n_rows, column = _of_dicts(X)
    else:
        is_array = isinstance(X, (list, tuple, np.ndarray))
        found, n_rows, column = (_of_array if is_array else _of_frame)(X)
        fitted = False
    for name in found:
        if not isinstance(name, str):
            hint = ": df.columns = df.columns.astype(str)" if hasattr(X, "columns") else ""
            raise ValueError(f"X has a column named {name!r}, expected a name that is a str{hint}")
    if names is None:
        names = found
    absent = [] if fitted else _others(names, found)
    if absent:
        raise ValueError(f"X has no column {absent[0]!r}, expected the columns {_listed(names)}")
    if only:
        check_names(found, names)
    return {name: column(name) for name in names}, n_rows


def check_names(found: Iterable[Any], names: Iterable[str]) -> None:
    """Refuse names that are not expected."""
    more = _others(found, names)
    if more:
        raise ValueError(
            f"X has a column {more[0]!r}, expected the columns {_listed(names)} only; to encode some of "
            "a table's columns, name the columns: FieldEncoder(columns=[...])"
        )


def _others(names: Iterable[Any], known: Iterable[Any]) -> list[Any]:
    known = set(known)
    return [name for name in names if name not in known]


def _listed(names: Iterable[str]) -> str:
    names = list(names)
    return str(names) if len(names) <= 5 else f"{names[:5]} and {len(names) - 5} more"


def _of_dicts(rows: list[Any] | tuple[Any, ...]) -> _Table:
    for i, row in enumerate(rows):
        if not isinstance(row, Mapping):
            raise ValueError(f"row {i} of X is a {type(row).__name__}, expected a dict as row 0 is")
    found = list(dict.fromkeys(chain(*rows)))
    return found, len(rows), lambda name: Objects(name, [row.get(name) for row in rows])


def _of_array(X: Any) -> _Table:
    if not isinstance(X, np.ndarray):
        X = np.array(X, dtype=object)
    if X.dtype.names and X.ndim == 1:
        return list(X.dtype.names), len(X), lambda name: _array_column(name, X[name])
    if X.ndim != 2:
        raise ValueError(f"X must have rows and columns, got an array of shape {X.shape} and dtype {X.dtype}")
    places = {f"x{j}": j for j in range(X.shape[1])}
    return list(places), len(X), lambda name: _array_column(name, X[:, places[name]])


def _array_column(name: str, values: NDArray[Any]) -> Column:
    if values.ndim != 1 or values.dtype.kind not in "biufUO":
        raise ValueError(
            f"column {name!r} is an array of shape {values.shape} and dtype {values.dtype}, "
            "expected one number, bool, str or object for each row" + DATES * (values.dtype.kind == "M")
        )
    is_numeric = values.dtype.kind in "biuf" and not isinstance(values, np.ma.MaskedArray)
    return Numbers(name, values) if is_numeric else Objects(name, values.tolist())  # None where masked


def _of_frame(X: Any) -> _Table:
    wanted = "a DataFrame, a list of dicts, a structured array or a 2-d array"
    try:
        import narwhals.stable.v1 as nw
    except ImportError as error:
        raise ImportError(
            f"X is a {type(X).__name__}, expected {wanted}; DataFrames need narwhals: "
            "pip install 'fastfm-c[dataframe]'"
        ) from error
    try:
        frame = nw.from_native(X, eager_only=True)
    except TypeError:
        raise ValueError(f"X is a {type(X).__name__}, expected {wanted}, in memory and not lazy") from None

    def column(name: str) -> Column:
        series = frame[name]
        is_python = series.dtype in (nw.Object, nw.Unknown, nw.Decimal, nw.List, nw.Array, nw.Struct)
        return series_as_objects(name, series) if is_python else Series(name, series, nw)

    return frame.columns, len(frame), column
