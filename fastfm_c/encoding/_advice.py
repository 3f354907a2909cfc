"""Warnings of what an encoder does with a table that its user may not have meant."""

import sys
import warnings
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from fastfm_c.encoding._columns import Column
from fastfm_c.encoding._values import spelled_otherwise

__all__ = ["warn_of_numbers_that_look_like_ids", "warn_of_other_types"]

MANY = 128  # different whole numbers; a year of birth, an hour or a count seldom has as many
SAMPLE = 100_000  # rows that are looked at
LOOKED_UP = 100  # unknown values that are looked up in the other spelling


def warn_of_numbers_that_look_like_ids(column: Column) -> None:
    """Warn of a column that becomes a number by default, and has many different whole numbers."""
    numbers = column.whole_numbers()
    if numbers is None:
        return
    sample = numbers[:: max(1, len(numbers) // SAMPLE)]
    n_distinct = len(np.unique(sample[~np.isnan(sample)]))
    if n_distinct > MANY:
        name = column.name
        _warn(
            f"column {name!r} holds {n_distinct} or more different whole numbers and becomes one number. If "
            f"they are ids, make them categories: FieldEncoder({{{name!r}: 'categorical'}}, rest='auto'). "
            f"If they are numbers, {{{name!r}: 'numeric'}} says so, and this warning ends"
        )


def warn_of_other_types(name: str, unknown: Iterable[Any], is_known: Callable[[Any], bool]) -> None:
    """Warn if one of some unknown categories is known in another type, such as "7" where 7 is known."""
    for value, _ in zip(unknown, range(LOOKED_UP), strict=False):
        other = None if value is None else spelled_otherwise(value)
        if other is not None and is_known(other):
            _warn(
                f"column {name!r} holds the {type(value).__name__} {value!r}, which is unknown, while the "
                f"{type(other).__name__} {other!r} is known: convert the column to its type in fit"
            )
            return


def _warn(message: str) -> None:
    """Warn with the line of the caller of this package."""
    frame, level = sys._getframe(1), 2
    package = __name__.partition(".")[0]
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] == package:
        frame, level = frame.f_back, level + 1
    warnings.warn(message, UserWarning, stacklevel=level)
