"""A column of a table of any type, and the values in it as Python's own."""

import math
from itertools import chain
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "DATES",
    "SINGLES",
    "Column",
    "Numbers",
    "Objects",
    "Series",
    "as_float",
    "as_list",
    "canonical",
    "series_as_objects",
]

NONE = ("NoneType", "NAType", "NaTType")  # names of the types of missing values; pandas may not be installed
# Types whose values `canonical` takes. A dict finds 1 under Decimal(1), so others must be looked at first.
SINGLES = frozenset([str, int, float, bool, type(None), np.float64, np.int64, np.str_])
LISTS = (list, tuple, set, frozenset, np.ndarray)
DATES = ": derive columns such as the weekday, or convert to str"


class Column(Protocol):
    """A column of a table. The class of each says where its values are."""

    name: str

    def default_type(self) -> str:
        """The name of the column type for "auto": numeric, categorical or multi."""

    def factorize(self) -> tuple[NDArray[np.intp], list[Any]]:
        """(codes, distinct): each value is distinct[code]; a missing one may also have the code -1."""

    def numbers(self) -> NDArray[np.float64]:
        """The values as numbers, NaN where they are missing."""

    def lists(self) -> tuple[NDArray[np.intp], "Objects"]:
        """(sizes, elements): the length of each row's list, and the elements of all lists.

        A missing list counts as one missing element.
        """


def canonical(value: Any, name: str) -> str | bool | int | float | None:
    """The value as str, bool, int or float, a whole number as int; None if it is missing."""
    kind = type(value)
    if kind is str or kind is bool or kind is int:
        single: str | bool | int = value
        return single
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


def as_float(value: Any, name: str) -> float:
    """The value as float, NaN if it is missing."""
    value = canonical(value, name)
    if isinstance(value, str):
        raise ValueError(f"column {name!r} holds {value!r}, expected a number")
    try:
        number = math.nan if value is None else float(value)
    except OverflowError:
        number = math.inf
    if math.isinf(number):
        raise ValueError(f"column {name!r} holds an infinite number, expected finite or missing ones")
    return number


def as_list(value: Any, name: str) -> Any:
    """The values of a list of any type; a missing list is one missing value."""
    if isinstance(value, np.ndarray):
        value = value.tolist()  # not a list if the array has no dimensions
    if isinstance(value, LISTS):
        return value
    if isinstance(value, (str, bytes)) or canonical(value, name) is not None:
        raise ValueError(f"column {name!r} holds {value!r}, expected lists of values")
    return (None,)


class Objects:
    """A column of Python values."""

    def __init__(self, name: str, values: list[Any]) -> None:
        self.name, self.values = name, values

    def default_type(self) -> str:
        if all(map(_is_missing, self.values)):
            return "categorical"
        types = {type_ for type_ in set(map(type, self.values)) if type_.__name__ not in NONE}
        if any(issubclass(type_, LISTS) for type_ in types):
            return "multi"
        numbers = (int, float, np.integer, np.floating)
        if all(issubclass(type_, numbers) and type_ is not bool for type_ in types):
            return "numeric"
        return "categorical"

    def factorize(self) -> tuple[NDArray[np.intp], list[Any]]:
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

    def numbers(self) -> NDArray[np.float64]:
        return np.array([as_float(value, self.name) for value in self.values], np.float64)

    def lists(self) -> tuple[NDArray[np.intp], "Objects"]:
        rows = [as_list(row, self.name) for row in self.values]
        return np.fromiter(map(len, rows), np.intp, len(rows)), Objects(self.name, list(chain(*rows)))


class Numbers:
    """A column of a NumPy array of numbers or bools."""

    def __init__(self, name: str, values: NDArray[Any]) -> None:
        self.name, self.values = name, values

    def default_type(self) -> str:
        has_no_number = self.values.dtype.kind == "b" or np.isnan(self.values).all()
        return "categorical" if has_no_number else "numeric"

    def factorize(self) -> tuple[NDArray[np.intp], list[Any]]:
        distinct, codes = np.unique(self.values, return_inverse=True)
        return codes, distinct.tolist()

    def numbers(self) -> NDArray[np.float64]:
        return _finite(self.values.astype(np.float64), self.name)

    def lists(self) -> tuple[NDArray[np.intp], Objects]:
        return Objects(self.name, self.values.tolist()).lists()


class Series:
    """A column of a data frame, as a Series of narwhals; `nw` is narwhals itself."""

    def __init__(self, name: str, values: Any, nw: Any) -> None:
        self.name, self.values, self.nw = name, values, nw

    def default_type(self) -> str:
        numeric = self.values.dtype.is_numeric() and not np.isnan(self._floats()).all()
        return "numeric" if numeric else "categorical"

    def factorize(self) -> tuple[NDArray[np.intp], list[Any]]:
        try:
            return self._factorize()
        except Exception:  # the library's own: it cannot do this with the type of the column
            return series_as_objects(self.name, self.values).factorize()

    def _factorize(self) -> tuple[NDArray[np.intp], list[Any]]:
        series = self.values
        native = series.to_native()
        if hasattr(native, "factorize"):  # pandas, and libraries with its interface
            codes, distinct = native.factorize()
            return np.asarray(codes), distinct.tolist()
        distinct = series.drop_nulls().unique().to_list()
        if not distinct:
            return np.full(len(series), -1), distinct
        codes = series.replace_strict(distinct, list(range(len(distinct))), return_dtype=self.nw.Int64)
        return codes.fill_null(-1).to_numpy(), distinct

    def _floats(self) -> NDArray[np.float64]:
        return np.asarray(self.values.cast(self.nw.Float64).to_numpy(), np.float64)

    def numbers(self) -> NDArray[np.float64]:
        if self.values.dtype.is_numeric():
            return _finite(self._floats(), self.name)
        return series_as_objects(self.name, self.values).numbers()

    def lists(self) -> tuple[NDArray[np.intp], Objects]:
        return series_as_objects(self.name, self.values).lists()


def series_as_objects(name: str, series: Any) -> Objects:
    """A Series of narwhals as Python values."""
    try:
        return Objects(name, series.to_list())
    except Exception as error:  # the library's own
        raise ValueError(f"column {name!r} holds {series.dtype}, no values of Python: {error}") from error


def _is_missing(value: Any) -> bool:
    is_nan = isinstance(value, (float, np.floating)) and math.isnan(value)
    return type(value).__name__ in NONE or is_nan


def _finite(values: NDArray[np.float64], name: str) -> NDArray[np.float64]:
    infinite = np.isinf(values)
    if infinite.any():
        i = int(np.argmax(infinite))
        raise ValueError(f"column {name!r} holds {values[i]} in row {i}, expected finite or missing numbers")
    return values
