"""What a table adds to a fitted encoder, found apart from it: many tables at a time, on many machines."""

from collections.abc import Iterable
from typing import Any

from fastfm_c.encoding._fit import read_again
from fastfm_c.encoding._vocabulary import CategoricalField

__all__ = ["new_values", "take_new_values"]


def new_values(encoder: Any, table: Any) -> list[Any]:
    """Of each field what is new in a table; the encoder stays as it is.

    That of a vocabulary are the values without a feature, and how often each occurs. That of another field is
    its plan, None where it has learned all that it will.
    """
    learned = encoder._fitted()
    columns, _ = read_again(table, learned)
    return [
        field.count(columns[field.name])
        if isinstance(field, CategoricalField)
        else field.plan(columns[field.name])[0]
        for field in learned.fields
    ]


def take_new_values(encoder: Any, tables: Iterable[list[Any] | None]) -> None:
    """Learn what `new_values` gave for each table, in this order, as `partial_fit` of the tables does.

    All must be of the encoder as it is now, or as it was when it had fewer features.
    """
    learned = encoder._fitted()
    finished: set[str] = set()
    for values in tables:
        if values is None:
            continue
        plans: list[Any] = []
        for field, new in zip(learned.fields, values, strict=True):
            if isinstance(field, CategoricalField):
                plans.append(field.plan_of(new))
                continue
            plans.append((None if field.name in finished else new, 0))
            if new is not None:
                finished.add(field.name)
        with encoder._lock:
            learned.take(plans)
