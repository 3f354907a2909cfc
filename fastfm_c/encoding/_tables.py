"""Tables of any type as named columns."""

from collections.abc import Callable, Iterable, Mapping
from importlib import import_module
from itertools import chain
from typing import Any, TypeAlias

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from fastfm_c.encoding._columns import Column, Numbers, Objects, Series, series_as_objects

__all__ = ["check_names", "columns_of"]

# The names of a table's columns, the number of its rows, and what makes the column of a name.
_Table: TypeAlias = tuple[list[Any], int, Callable[[str], Column]]


def columns_of(
    X: Any, names: list[str] | None = None, *, others: str = "drop", fitted: bool = False
) -> tuple[dict[str, Column], int]:
    """({name: column}, number of rows) of a DataFrame, rows as dicts, a structured or 2-d array.

    With `names`, the result has these columns in this order. `others` says what happens to those that X has
    beside them: "drop", "keep" (after the named ones) or "error". For a fitted encoder, a key that no row has
    is a missing value.
    """
    is_unnamed = False
    if isinstance(X, (list, tuple)) and (not X or isinstance(X[0], Mapping)):
        found, n_rows, column = _of_dicts(X)
        may_lack = fitted
    else:
        is_array = _is_array(X)
        found, n_rows, column = (_of_array if is_array else _of_frame)(X)
        is_unnamed = is_array and not getattr(getattr(X, "dtype", None), "names", None)
        may_lack = False
    for name in found:
        if not isinstance(name, str):
            hint = ": df.columns = df.columns.astype(str)" if hasattr(X, "columns") else ""
            raise ValueError(f"X has a column named {name!r}, expected a name that is a str{hint}")
    if names is None:
        names = found
    if fitted and is_unnamed and others == "error" and len(found) != len(names):
        raise ValueError(
            f"X has {len(found)} features, but FieldEncoder is expecting {len(names)} features as input: "
            f"the columns {_listed(names)}"
        )
    absent = [] if may_lack else _others(names, found)
    if absent:
        raise ValueError(f"X has no column {absent[0]!r}, expected the columns {_listed(names)}")
    if others == "error":
        check_names(found, names)
    elif others == "keep":
        names = names + _others(found, names)
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


def _is_array(X: Any) -> bool:
    """Whether NumPy can make an array with rows and columns of it, and no library a table with names."""
    is_like_one = hasattr(X, "__array__") and getattr(X, "ndim", 2) == 2
    is_frame = is_like_one and (hasattr(X, "columns") or hasattr(X, "__arrow_c_stream__"))
    return isinstance(X, (list, tuple, np.ndarray)) or (is_like_one and not is_frame)


def _of_array(X: Any) -> _Table:
    if isinstance(X, (list, tuple)):
        X = np.array(X, dtype=object)
    elif not isinstance(X, np.ndarray):
        X = np.asarray(X)
    if X.dtype.names and X.ndim == 1:
        return list(X.dtype.names), len(X), lambda name: _array_column(name, X[name])
    if X.ndim != 2:
        raise ValueError(
            f"X must have rows and columns, got an array of shape {X.shape} and dtype {X.dtype}. "
            "Reshape your data: X.reshape(1, -1) if it is one row, X.reshape(-1, 1) if it is one column"
        )
    places = {f"x{j}": j for j in range(X.shape[1])}
    return list(places), len(X), lambda name: _array_column(name, X[:, places[name]])


def _array_column(name: str, values: NDArray[Any]) -> Column:
    kind = values.dtype.kind
    if values.ndim != 1 or kind not in "biufUOM":
        raise ValueError(
            f"column {name!r} is an array of shape {values.shape} and dtype {values.dtype}, "
            "expected one number, bool, str, date or object for each row"
            + (". Complex data not supported" if kind == "c" else "")
        )
    if isinstance(values, np.ma.MaskedArray):
        values = values.astype(object) if kind == "M" else values
        return Objects(name, values.tolist())  # None where masked
    if kind in "biuf":
        return Numbers(name, values)
    return Objects(name, list(values) if kind == "M" else values.tolist())


def _of_frame(X: Any) -> _Table:
    wanted = "a DataFrame, a list of dicts, a structured array or a 2-d array"
    if sp.issparse(X):
        raise ValueError(f"X is a {type(X).__name__}, expected {wanted}; a sparse matrix is no table")
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
        frame = _of_arrow(X, nw)
        if frame is None:
            raise ValueError(
                f"X is a {type(X).__name__}, expected {wanted}, in memory and not lazy"
            ) from None

    def column(name: str) -> Column:
        series = frame[name]
        is_python = series.dtype in (nw.Object, nw.Unknown, nw.Decimal, nw.List, nw.Array, nw.Struct)
        return series_as_objects(name, series) if is_python else Series(name, series, nw)

    return frame.columns, len(frame), column


def _of_arrow(X: Any, nw: Any) -> Any:
    """The frame of what gives Arrow its columns, such as a RecordBatch or a relation of DuckDB, or None."""
    if not hasattr(X, "__arrow_c_stream__") or hasattr(X, "to_frame"):  # a Series is no table
        return None
    try:
        pyarrow: Any = import_module("pyarrow")
    except ImportError as error:
        raise ImportError(
            f"X is a {type(X).__name__}, which needs pyarrow: pip install 'fastfm-c[dataframe]' pyarrow"
        ) from error
    try:
        return nw.from_native(pyarrow.table(X), eager_only=True)
    except (TypeError, ValueError):
        return None
