"""Single values of a table: as categories, numbers, lists and dates.

A *category* is a str, bool, int or float, a whole number as int. Values of other types become one of these.
"""

import math
from datetime import UTC, date, datetime, time
from decimal import Decimal
from typing import Any, TypeAlias
from uuid import UUID

import numpy as np

__all__ = [
    "LISTS",
    "NONE",
    "SINGLES",
    "Category",
    "as_date",
    "as_float",
    "as_list",
    "canonical",
    "is_date",
    "shortest",
    "spelled_otherwise",
    "twins",
]

Category: TypeAlias = str | bool | int | float

NONE = ("NoneType", "NAType", "NaTType")  # names of the types of missing values; pandas may not be installed
# Types that a vocabulary can be asked for as they are. A dict finds 1 under Fraction(1), which is refused.
SINGLES = frozenset([str, int, float, bool, type(None), np.float64, np.int64, np.str_])
LISTS = (list, tuple, set, frozenset, np.ndarray)
MOST_DIGITS = 400  # of a Decimal that becomes an int; a short text may stand for a billion of them
MIDNIGHT = time()


def canonical(value: Any, name: str) -> Category | None:
    """The category of a value of the column `name`; None if the value is missing."""
    kind = type(value)
    if kind is str or kind is bool or kind is int:
        single: Category = value
        return single
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, (int, np.integer)) and not isinstance(value, np.timedelta64):
        return int(value)
    if isinstance(value, (float, np.floating)):
        return _of_float(value)
    if isinstance(value, np.bool_):
        return bool(value)
    if kind.__name__ in NONE or (isinstance(value, Decimal) and value.is_nan()):
        return None
    if isinstance(value, Decimal):
        is_whole = value.is_finite() and value.adjusted() < MOST_DIGITS and value == value.to_integral_value()
        return int(value) if is_whole else float(value)
    if is_date(value) or isinstance(value, time):
        return _text_of_date(value)
    if isinstance(value, UUID) or _is_pandas(value, "Interval"):
        return str(value)
    raise ValueError(
        f"column {name!r} holds {value!r}, a {kind.__name__}{_hint(value)}; expected str, bool, int, float, "
        "Decimal, a date, a UUID, an interval or missing"
    )


def _of_float(value: Any) -> Category | None:
    """A narrow float becomes the number that is printed: the float32 nearest to 0.1 is 0.1."""
    number = float(value)
    if math.isnan(number):
        return None
    if number.is_integer():
        return int(number)
    return float(str(value)) if isinstance(value, (np.float32, np.float16)) else number


def _hint(value: Any) -> str:
    if isinstance(value, bytes):
        return " (decode it)"
    is_span = isinstance(value, np.timedelta64) or hasattr(value, "total_seconds")
    return " (convert it to its total seconds)" if is_span else ""


def _is_pandas(value: Any, name: str) -> bool:
    """Whether the value is of the class of pandas of this name. pandas may not be installed."""
    return type(value).__name__ == name and type(value).__module__.partition(".")[0] == "pandas"


def is_date(value: Any) -> bool:
    """Whether the value is a date, with a time or without."""
    return isinstance(value, (date, np.datetime64)) or _is_pandas(value, "Period")


def _text_of_date(value: Any) -> str | None:
    """ISO 8601. Midnight without a time zone is the day alone: pandas has no other form of a day."""
    if isinstance(value, np.datetime64):
        if np.isnat(value):
            return None
        rounded = value.astype("M8[us]")
        if rounded != value or not isinstance(rounded.item(), datetime):  # nanoseconds; years beyond 9999
            return str(value)
        value = rounded.item()
    if isinstance(value, datetime) and value.tzinfo is not None:
        value = value.astimezone(UTC)  # instants that are equal are one category
    elif isinstance(value, datetime) and value.time() == MIDNIGHT and not getattr(value, "nanosecond", 0):
        return value.date().isoformat()
    return value.isoformat() if hasattr(value, "isoformat") else str(value)


def shortest(value: float) -> float:
    """The number that is printed for a float32, if the value is one; else the value."""
    with np.errstate(over="ignore"):
        narrow = np.float32(value)
    return float(str(narrow)) if float(narrow) == value and not value.is_integer() else value


def twins(value: float) -> tuple[float, ...]:
    """The other number that stands for the same float32: 0.1, and its float32 as a float64."""
    if value.is_integer() or not math.isfinite(value):
        return ()
    with np.errstate(over="ignore"):
        narrow = np.float32(value)
    exact, short = float(narrow), float(str(narrow))
    return (short,) if exact == value else (exact,) if short == value else ()


def spelled_otherwise(value: Category) -> Category | None:
    """A number or bool as text, or what a text says as a number or bool; None if it says neither."""
    if not isinstance(value, str):
        return str(value)
    if value in ("True", "true", "False", "false"):
        return value in ("True", "true")
    try:
        return int(value)
    except ValueError:
        pass
    try:
        return _of_float(float(value))
    except ValueError:
        return None


def as_float(value: Any, name: str) -> float:
    """The value as float, NaN if it is missing."""
    if not isinstance(value, (float, np.floating)):
        category = canonical(value, name)
        if isinstance(category, str):
            raise ValueError(f"column {name!r} holds {value!r}, expected a number")
        value = math.nan if category is None else category
    try:
        number = float(value)
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


def as_date(value: Any, name: str) -> datetime | None:
    """What the clock and the calendar of the value show, without its time zone; None if it is missing.

    A time is one of 1970-01-01. A str must be ISO 8601.
    """
    if type(value).__name__ in NONE or (isinstance(value, (float, np.floating)) and math.isnan(value)):
        return None
    if isinstance(value, str):
        try:
            value = _of_text(value)
        except ValueError:
            raise ValueError(
                f"column {name!r} holds {value!r}, expected a date in ISO 8601 such as 2026-01-31"
            ) from None
    if isinstance(value, np.datetime64):
        value = value.astype("M8[us]").item()  # None where it is missing, an int outside the years 1 to 9999
        if value is None:
            return None
    if _is_pandas(value, "Period"):
        value = value.start_time
    if isinstance(value, datetime):
        return datetime.combine(datetime(value.year, value.month, value.day), value.time())
    if isinstance(value, date):
        return datetime.combine(value, MIDNIGHT)
    if isinstance(value, time):
        return datetime.combine(date(1970, 1, 1), value.replace(tzinfo=None))
    raise ValueError(f"column {name!r} holds {value!r}, a {type(value).__name__}; expected a date or time")


def _of_text(text: str) -> datetime | time:
    try:
        return datetime.fromisoformat(text)
    except ValueError:
        return time.fromisoformat(text)
