"""`fit_encoder`: a FieldEncoder of tables that no one machine holds."""

from collections.abc import Callable, Iterable
from functools import partial
from typing import Any, TypeVar

from fastfm_c.encoding import FieldEncoder
from fastfm_c.encoding._merge import new_values, take_new_values

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
        table = table() if callable(table) else table
        if len(table):
            encoder.fit(table)
            break
    else:
        raise ValueError("none of the tables has rows, expected at least one")
    take_new_values(encoder, map(partial(_new_values, encoder), left))
    return encoder


def _new_values(encoder: FieldEncoder, table: Any) -> list[Any] | None:
    table = table() if callable(table) else table
    return new_values(encoder, table) if len(table) else None
