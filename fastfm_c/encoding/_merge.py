"""`fit_encoder`: a FieldEncoder of tables that no one machine holds.

What a table adds to a fitted encoder is found apart from it: many tables at a time, on many machines.
"""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, TypeVar

from fastfm_c.encoding._encoder import FieldEncoder
from fastfm_c.encoding._fit import read_again
from fastfm_c.encoding._vocabulary import CategoricalField

__all__ = ["fit_encoder"]

_Encoder = TypeVar("_Encoder", bound=FieldEncoder)


def fit_encoder(
    encoder: _Encoder, tables: Iterable[Any], *, map: Callable[..., Iterable[Any]] = map
) -> _Encoder:
    """Fit an encoder to the tables of shards: the same as `fit` of the first and `partial_fit` of the others.

    The first table that has rows decides the types of columns, means, standard deviations and bins. From
    the others only new values and their counts are taken, in the order of shards.

    Parameters
    ----------
    encoder : FieldEncoder
    tables : iterable of table or callable
        A callable returns a table. Tables may have no rows.
    map : callable
        ``map(function, tables)`` gives the results of a function in the order of tables: the built-in one, or
        that of a pool of processes.

    Returns
    -------
    FieldEncoder
        The encoder.

    Raises
    ------
    ValueError
        If no table has rows, and for what `FieldEncoder.fit` refuses.

    Examples
    --------
    >>> from fastfm_c import FieldEncoder
    >>> tables = [[{"a": "x"}], [], [{"a": "z"}, {"a": "x"}]]
    >>> fit_encoder(FieldEncoder(), tables).get_feature_names_out().tolist()
    ['a=<unknown>', 'a=x', 'a=z']
    """
    left = iter(tables)
    for table in left:
        (first,) = map(_read, [table])
        if len(first):
            encoder.fit(first)
            break
    else:
        raise ValueError("none of the tables has rows, expected at least one")
    _take_new_values(encoder, map(partial(_new_values, encoder), left))
    return encoder


def _read(table: Any) -> Any:
    return table() if callable(table) else table


def _new_values(encoder: FieldEncoder, table: Any) -> list[Any] | None:
    """Of each field what is new in a table, None for one without rows; the encoder stays as it is.

    That of a vocabulary are the values without a feature, and how often each occurs. That of another field is
    its plan, None where it has learned all that it will.
    """
    table = _read(table)
    if not len(table):
        return None
    learned = encoder._fitted()
    columns, _ = read_again(table, learned)
    return [
        field.count(columns[field.name])
        if isinstance(field, CategoricalField)
        else field.plan(columns[field.name])[0]
        for field in learned.fields
    ]


def _take_new_values(encoder: Any, tables: Iterable[list[Any] | None]) -> None:
    """Learn what `_new_values` gave for each table, in this order, as `partial_fit` of the tables does.

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
