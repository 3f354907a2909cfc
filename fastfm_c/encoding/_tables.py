"""Tables of any kind as named columns, and the values in them as Python's own."""

import math
from collections.abc import Mapping
from itertools import chain

import numpy as np

__all__ = ["SINGLES", "as_list", "canonical", "check_names", "columns_of", "number"]

NONE = ("NoneType", "NAType", "NaTType")  # types of what is missing; pandas need not be installed
# Types whose values `canonical` takes: where values are found by ==, Decimal(1) would be 1.
SINGLES = frozenset([str, int, float, bool, type(None), np.float64, np.int64, np.str_])
LISTS = (list, tuple, set, frozenset, np.ndarray)
DATES = ": derive columns such as the weekday, or convert to str"


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
        + DATES * (isinstance(value, np.datetime64) or hasattr(value, "year"))
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
    if isinstance(value, np.ndarray):
        value = value.tolist()  # no list if the array has no dimensions
    if isinstance(value, LISTS):
        return value
    if isinstance(value, (str, bytes)) or canonical(value, name) is not None:
        raise ValueError(f"column {name!r} holds {value!r}, expected lists of values")
    return (None,)


class Objects:
    """A column of Python values."""

    def __init__(self, name, values):
        self.name, self.values = name, values

    def kind(self):
        """What it is taken for where nobody says: numeric, categorical or multi."""
        if all(map(_is_missing, self.values)):
            return "categorical"
        kinds = {kind for kind in set(map(type, self.values)) if kind.__name__ not in NONE}
        if any(issubclass(kind, LISTS) for kind in kinds):
            return "multi"
        numbers = (int, float, np.integer, np.floating)
        if all(issubclass(kind, numbers) and kind is not bool for kind in kinds):
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
        if not SINGLES.issuperset(map(type, self.values)):
            for value in {type(value): value for value in reversed(self.values)}.values():
                canonical(value, self.name)  # refuses some types
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
        no_number = self.values.dtype.kind == "b" or np.isnan(self.values).all()
        return "categorical" if no_number else "numeric"

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

    def kind(self):
        numeric = self.values.dtype.is_numeric() and not np.isnan(self._floats()).all()
        return "numeric" if numeric else "categorical"

    def factorize(self):
        try:
            return self._factorize()
        except Exception:  # the library's own: it cannot do this with the type of the column
            return _python(self.name, self.values).factorize()

    def _factorize(self):
        series = self.values
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
        return _python(self.name, self.values).numbers()

    def lists(self):
        return _python(self.name, self.values).lists()


def _python(name, series):
    """A narwhals Series as Python values."""
    try:
        return Objects(name, series.to_list())
    except Exception as error:  # the library's own
        raise ValueError(f"column {name!r} holds {series.dtype}, no values of Python: {error}") from error


def _is_missing(value):
    number = isinstance(value, (float, np.floating))
    return type(value).__name__ in NONE or (number and math.isnan(value))


def _finite(values, name):
    infinite = np.isinf(values)
    if infinite.any():
        i = int(np.argmax(infinite))
        raise ValueError(f"column {name!r} holds {values[i]} in row {i}, expected finite or missing numbers")
    return values


def columns_of(X, names=None, *, only=False, fitted=False):
    """({name: column}, number of rows) of a DataFrame, rows as dicts, a structured or 2-d array.

    With names, those columns in that order; X may have others, unless it is to have these only. Once
    fitted, a key that no row has is a missing value.
    """
    if isinstance(X, (list, tuple)) and (not X or isinstance(X[0], Mapping)):
        found, n_rows, column = _of_dicts(X)
    else:
        array = isinstance(X, (list, tuple, np.ndarray))
        found, n_rows, column = (_of_array if array else _of_frame)(X)
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


def check_names(found, names):
    """Refuses names that are not expected."""
    more = _others(found, names)
    if more:
        raise ValueError(
            f"X has a column {more[0]!r}, expected the columns {_listed(names)} only; to encode some of "
            "a table's columns, name the columns: FieldEncoder(columns=[...])"
        )


def _others(names, known):
    known = set(known)
    return [name for name in names if name not in known]


def _listed(names):
    names = list(names)
    return str(names) if len(names) <= 5 else f"{names[:5]} and {len(names) - 5} more"


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
            "expected one number, bool, str or object for each row" + DATES * (values.dtype.kind == "M")
        )
    numbers = values.dtype.kind in "biuf" and not isinstance(values, np.ma.MaskedArray)
    return Numbers(name, values) if numbers else Objects(name, values.tolist())  # None where masked


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
        python = series.dtype in (nw.Object, nw.Unknown, nw.Decimal, nw.List, nw.Array, nw.Struct)
        return _python(name, series) if python else Series(name, series, nw)

    return frame.columns, len(frame), column
