"""Tables of any kind as named columns, and the values in them as Python's own."""

import math
from collections.abc import Mapping
from itertools import chain

import numpy as np

__all__ = ["as_list", "canonical", "check_names", "columns_of", "number"]

NONE = ("NoneType", "NAType", "NaTType")  # types of what is missing; pandas need not be installed
LISTS = (list, tuple, set, frozenset, np.ndarray)


def canonical(value, name):
    """The value as str, bool, int or float, a whole number as int; None if it is missing."""
    kind = type(value)
    if kind is str or kind is bool or kind is int:
        return value
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, (int, np.integer)):
        return int(value)
    if isinstance(value, (float, np.floating)):
        value = float(value)
        return None if math.isnan(value) else int(value) if value.is_integer() else value
    if isinstance(value, np.bool_):
        return bool(value)
    if kind.__name__ in NONE:
        return None
    raise ValueError(
        f"column {name!r} holds {value!r}, a {kind.__name__}; expected str, bool, int, float or missing"
    )


def number(value, name):
    """The value as float, NaN if it is missing."""
    value = canonical(value, name)
    if isinstance(value, str):
        raise ValueError(f"column {name!r} holds {value!r}, expected a number")
    try:
        value = math.nan if value is None else float(value)
    except OverflowError:
        value = math.inf
    if math.isinf(value):
        raise ValueError(f"column {name!r} holds an infinite number, expected finite or missing ones")
    return value


def as_list(value, name):
    """The values of a list, whatever its type; a missing list is one missing value."""
    if isinstance(value, LISTS):
        return value.tolist() if isinstance(value, np.ndarray) else value
    if isinstance(value, (str, bytes)) or canonical(value, name) is not None:
        raise ValueError(f"column {name!r} holds {value!r}, expected lists of values")
    return (None,)


class Objects:
    """A column of Python values."""

    def __init__(self, name, values):
        self.name, self.values = name, values

    def kind(self):
        """What it is taken for where nobody says: numeric, categorical or multi."""
        kinds = {kind for kind in set(map(type, self.values)) if kind.__name__ not in NONE}
        if any(issubclass(kind, LISTS) for kind in kinds):
            return "multi"
        numbers = (int, float, np.integer, np.floating)
        if kinds and all(issubclass(kind, numbers) and kind is not bool for kind in kinds):
            return "numeric"
        return "categorical"

    def factorize(self):
        """(codes, distinct): each value is distinct[code]; a missing one may also have the code -1."""
        try:
            distinct = list(dict.fromkeys(self.values))
        except TypeError:
            raise ValueError(
                f"column {self.name!r} holds lists or others that cannot be compared; expected single values"
            ) from None
        codes = dict(zip(distinct, range(len(distinct)), strict=True))
        return np.fromiter(map(codes.__getitem__, self.values), np.intp, len(self.values)), distinct

    def numbers(self):
        """float64, NaN where missing."""
        return np.array([number(value, self.name) for value in self.values], np.float64)

    def lists(self):
        """(sizes, values): how many values each row has, and all of them; a missing row has None."""
        rows = [as_list(row, self.name) for row in self.values]
        return np.fromiter(map(len, rows), np.intp, len(rows)), Objects(self.name, list(chain(*rows)))


class Numbers:
    """A column of a NumPy array of numbers or bools."""

    def __init__(self, name, values):
        self.name, self.values = name, values

    def kind(self):
        return "categorical" if self.values.dtype.kind == "b" else "numeric"

    def factorize(self):
        distinct, codes = np.unique(self.values, return_inverse=True)
        return codes, distinct.tolist()

    def numbers(self):
        return _finite(self.values.astype(np.float64), self.name)

    def lists(self):
        return Objects(self.name, self.values.tolist()).lists()


class Series:
    """A column of a data frame, as a narwhals Series; narwhals itself is `nw`."""

    def __init__(self, name, values, nw):
        self.name, self.values, self.nw = name, values, nw
        self.holds_lists = values.dtype in (nw.List, nw.Array, nw.Struct)

    def kind(self):
        if self.values.dtype.is_numeric():
            return "numeric"
        return "multi" if self.holds_lists else "categorical"

    def factorize(self):
        series = self.values
        if self.holds_lists:
            return Objects(self.name, series.to_list()).factorize()
        native = series.to_native()
        if hasattr(native, "factorize"):  # pandas and its like
            codes, distinct = native.factorize()
            return np.asarray(codes), distinct.tolist()
        distinct = series.drop_nulls().unique().to_list()
        if not distinct:
            return np.full(len(series), -1), distinct
        codes = series.replace_strict(distinct, list(range(len(distinct))), return_dtype=self.nw.Int64)
        return codes.fill_null(-1).to_numpy(), distinct

    def _floats(self):
        return np.asarray(self.values.cast(self.nw.Float64).to_numpy(), np.float64)

    def numbers(self):
        if self.values.dtype.is_numeric():
            return _finite(self._floats(), self.name)
        return Objects(self.name, self.values.to_list()).numbers()

    def lists(self):
        return Objects(self.name, self.values.to_list()).lists()


def _finite(values, name):
    infinite = np.isinf(values)
    if infinite.any():
        i = int(np.argmax(infinite))
        raise ValueError(f"column {name!r} holds {values[i]} in row {i}, expected finite or missing numbers")
    return values


def columns_of(X, names=None, *, only=False):
    """({name: column}, number of rows) of a DataFrame, rows as dicts, a structured or 2-d array.

    With names, those columns in that order; X may have others, unless it is to have these only.
    """
    if isinstance(X, (list, tuple)) and (not X or isinstance(X[0], Mapping)):
        found, n_rows, column = _of_dicts(X)
        absent = ()  # a key that a row does not have is a missing value
    else:
        array = isinstance(X, (list, tuple, np.ndarray))
        found, n_rows, column = (_of_array if array else _of_frame)(X)
        absent = [name for name in names or () if name not in found]
    for name in found:
        if not isinstance(name, str):
            raise ValueError(f"X has a column named {name!r}, expected a name that is a str")
    if names is None:
        names = found
    if absent:
        raise ValueError(f"X has no column {absent[0]!r}, expected the columns {list(names)}")
    if only:
        check_names(found, names)
    return {name: column(name) for name in names}, n_rows


def check_names(found, names):
    """Refuses names that are not expected."""
    more = [name for name in found if name not in names]
    if more:
        raise ValueError(f"X has a column {more[0]!r}, expected the columns {list(names)} only")


def _of_dicts(rows):
    for i, row in enumerate(rows):
        if not isinstance(row, Mapping):
            raise ValueError(f"row {i} of X is a {type(row).__name__}, expected a dict as row 0 is")
    found = list(dict.fromkeys(chain(*rows)))
    return found, len(rows), lambda name: Objects(name, [row.get(name) for row in rows])


def _of_array(X):
    if not isinstance(X, np.ndarray):
        X = np.array(X, dtype=object)
    if X.dtype.names and X.ndim == 1:
        return list(X.dtype.names), len(X), lambda name: _array_column(name, X[name])
    if X.ndim != 2:
        raise ValueError(f"X must have rows and columns, got an array of shape {X.shape} and dtype {X.dtype}")
    places = {f"x{j}": j for j in range(X.shape[1])}
    return list(places), len(X), lambda name: _array_column(name, X[:, places[name]])


def _array_column(name, values):
    if values.ndim != 1 or values.dtype.kind not in "biufUO":
        raise ValueError(
            f"column {name!r} is an array of shape {values.shape} and dtype {values.dtype}, "
            "expected one number, bool, str or object for each row"
        )
    return Numbers(name, values) if values.dtype.kind in "biuf" else Objects(name, values.tolist())


def _of_frame(X):
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

    def column(name):
        series = frame[name]
        python = series.dtype in (nw.Object, nw.Unknown)
        return Objects(name, series.to_list()) if python else Series(name, series, nw)

    return frame.columns, len(frame), column
