"""A column of a table of any type: what it holds, as categories, numbers, lists or dates."""

from datetime import time
from decimal import Decimal
from itertools import chain
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from fastfm_c.encoding._values import LISTS, NONE, SINGLES, as_date, as_float, as_list, canonical, is_date

__all__ = ["Column", "Numbers", "Objects", "Series", "series_as_objects"]


class Column(Protocol):
    """A column of a table. The class of each says where its values are."""

    name: str

    def default_type(self) -> str:
        """The name of the column type for "auto": numeric, date, categorical or multi."""

    def whole_numbers(self) -> NDArray[np.float64] | None:
        """The numbers of a column of integers, NaN where they are missing; None for another column.

        Whole floats count as integers where some are missing, because pandas makes floats of such integers.
        """

    def factorize(self) -> tuple[NDArray[np.intp], list[Any]]:
        """(codes, distinct): each value is distinct[code]; a missing one may also have the code -1."""

    def numbers(self) -> NDArray[np.float64]:
        """The values as numbers, NaN where they are missing."""

    def dates(self) -> NDArray[np.datetime64]:
        """What clock and calendar of the values show, in microseconds, NaT where they are missing."""

    def lists(self) -> tuple[NDArray[np.intp], "Objects"]:
        """(sizes, elements): the length of each row's list, and the elements of all lists.

        A missing list counts as one missing element.
        """


class Objects:
    """A column of Python values."""

    def __init__(self, name: str, values: list[Any]) -> None:
        self.name, self.values = name, values

    def default_type(self) -> str:
        if all(map(_is_missing, self.values)):
            return "categorical"
        types = self._types()
        if any(issubclass(type_, LISTS) for type_ in types):
            return "multi"
        numbers = (int, float, np.integer, np.floating, Decimal)
        if all(issubclass(type_, numbers) and type_ not in (bool, np.timedelta64) for type_ in types):
            return "numeric"
        examples = {type(value): value for value in self.values}
        is_time = all(is_date(examples[type_]) or issubclass(type_, time) for type_ in types)
        return "date" if is_time else "categorical"

    def _types(self) -> set[type]:
        return {type_ for type_ in set(map(type, self.values)) if type_.__name__ not in NONE}

    def whole_numbers(self) -> NDArray[np.float64] | None:
        is_integer = all(issubclass(type_, (int, np.integer)) for type_ in self._types())
        return self.numbers() if is_integer else None

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

    def dates(self) -> NDArray[np.datetime64]:
        return np.array([as_date(value, self.name) for value in self.values], "M8[us]")

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

    def whole_numbers(self) -> NDArray[np.float64] | None:
        return _if_whole(self.numbers(), self.values.dtype.kind in "iu")

    def factorize(self) -> tuple[NDArray[np.intp], list[Any]]:
        distinct, codes = np.unique(self.values, return_inverse=True)
        is_narrow = self.values.dtype.kind == "f" and self.values.dtype.itemsize < 8
        # The float32 nearest to 0.1 must not become a float that is not 0.1.
        return codes, list(
            distinct.astype(distinct.dtype.newbyteorder("="))
        ) if is_narrow else distinct.tolist()

    def numbers(self) -> NDArray[np.float64]:
        return _finite(self.values.astype(np.float64), self.name)

    def dates(self) -> NDArray[np.datetime64]:
        return Objects(self.name, self.values.tolist()).dates()

    def lists(self) -> tuple[NDArray[np.intp], Objects]:
        return Objects(self.name, self.values.tolist()).lists()


class Series:
    """A column of a data frame, as a Series of narwhals; `nw` is narwhals itself."""

    def __init__(self, name: str, values: Any, nw: Any) -> None:
        self.name, self.values, self.nw = name, values, nw

    def default_type(self) -> str:
        dtype = self.values.dtype
        if dtype in (self.nw.Date, self.nw.Datetime, self.nw.Time):
            return "categorical" if self.values.null_count() == len(self.values) else "date"
        numeric = dtype.is_numeric() and not np.isnan(self._floats()).all()
        return "numeric" if numeric else "categorical"

    def whole_numbers(self) -> NDArray[np.float64] | None:
        return _if_whole(self.numbers(), self.values.dtype.is_integer())

    def factorize(self) -> tuple[NDArray[np.intp], list[Any]]:
        try:
            codes, distinct = self._factorize()
        except Exception:  # the library's own: it cannot do this with the type of the column
            return series_as_objects(self.name, self.values).factorize()
        if self.values.dtype == self.nw.Float32:
            distinct = [np.float32(value) if isinstance(value, float) else value for value in distinct]
        return codes, distinct

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
        try:
            return np.asarray(self.values.cast(self.nw.Float64).to_numpy(), np.float64)
        except Exception:  # pyarrow's: it does not round whole numbers beyond 2**53
            return series_as_objects(self.name, self.values).numbers()

    def numbers(self) -> NDArray[np.float64]:
        if self.values.dtype.is_numeric():
            return _finite(self._floats(), self.name)
        return series_as_objects(self.name, self.values).numbers()

    def dates(self) -> NDArray[np.datetime64]:
        series = self.values
        if series.dtype == self.nw.Datetime:
            found: NDArray[Any] = series.dt.replace_time_zone(None).to_numpy()
            if found.dtype.kind == "M":
                return found.astype("M8[us]")
        codes, distinct = self.factorize()  # a text is read once
        dates: NDArray[Any] = np.append(Objects(self.name, distinct).dates(), np.datetime64("NaT", "us"))
        return dates[codes]

    def lists(self) -> tuple[NDArray[np.intp], Objects]:
        return series_as_objects(self.name, self.values).lists()


def series_as_objects(name: str, series: Any) -> Objects:
    """A Series of narwhals as Python values."""
    try:
        return Objects(name, series.to_list())
    except Exception as error:  # the library's own
        raise ValueError(f"column {name!r} holds {series.dtype}, no values of Python: {error}") from error


def _is_missing(value: Any) -> bool:
    is_nan = (
        value.is_nan()
        if isinstance(value, Decimal)
        else isinstance(value, (float, np.floating)) and value != value
    )
    return type(value).__name__ in NONE or is_nan or (isinstance(value, np.datetime64) and np.isnat(value))


def _if_whole(numbers: NDArray[np.float64], is_integer: bool) -> NDArray[np.float64] | None:
    if is_integer:
        return numbers
    is_missing = np.isnan(numbers)
    return numbers if is_missing.any() and (np.floor(numbers) == numbers)[~is_missing].all() else None


def _finite(values: NDArray[np.float64], name: str) -> NDArray[np.float64]:
    infinite = np.isinf(values)
    if infinite.any():
        i = int(np.argmax(infinite))
        raise ValueError(f"column {name!r} holds {values[i]} in row {i}, expected finite or missing numbers")
    return values
