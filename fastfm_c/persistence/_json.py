"""JSON in files: which values it can hold, how it is parsed, and how a typed member is read."""

import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np

__all__ = ["as_scalar", "json_member", "parse_json", "require_no_more"]


def as_scalar(value: Any, what: str) -> bool | int | float | str | None:
    """The value as a JSON scalar; a NumPy scalar becomes a Python one.

    Raises
    ------
    ValueError
        For a value that JSON cannot hold.
    """
    value = value.item() if isinstance(value, np.generic) else value
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    raise ValueError(
        f"{what} is {value!r:.200}, which a file cannot hold; it holds None, bool, int, finite float and str"
    )


def json_member(members: Any, name: str, *types: type) -> Any:
    """Remove a member of a JSON object and return its value, which must have exactly one of the types.

    An absent member counts as None. So ``NoneType`` among the types makes a member optional.

    Raises
    ------
    ValueError
        For a value of another type, or `members` that are not a JSON object.
    """
    if not isinstance(members, dict):
        raise ValueError(f"found {members!r:.200}, expected an object with the member {name}")
    value = members.pop(name, None)
    if type(value) not in types:
        wanted = " or ".join(kind.__name__ for kind in types)
        raise ValueError(f"{name} is {value!r:.200}, expected {wanted}")
    return value


def require_no_more(members: Any, what: str) -> None:
    """Check that every member of a JSON object has been read.

    Raises
    ------
    ValueError
        If there are members left, or `members` are not a JSON object.
    """
    if not isinstance(members, dict):
        raise ValueError(f"{what} is {members!r:.200}, expected an object")
    if members:
        raise ValueError(f"{what} has unknown members {sorted(members)!r:.200}")


def parse_json(text: str | bytes, what: str, *, finite: bool = True) -> Any:
    """The value of a JSON text. Python's own parser allows more than the standard; this one does not.

    Parameters
    ----------
    text : str, or bytes in UTF-8
    what : str
        The name of the text in error messages.
    finite : bool, default True
        False allows NaN and infinities, which a vocabulary of an encoder may hold.

    Raises
    ------
    ValueError
        For text that is not JSON in UTF-8, a repeated key, NaN, an infinity, or lists too deep to read.
    """
    number: Callable[[str], float] = _finite if finite else float
    try:
        text = text.decode() if isinstance(text, bytes) else text
        return json.loads(text, object_pairs_hook=_unique, parse_constant=number, parse_float=number)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{what} is not sound JSON: {error}") from None


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = {}
    for name, value in pairs:
        if name in members:
            raise ValueError(f"key {name!r:.200} occurs twice")
        members[name] = value
    return members


def _finite(text: str) -> float:
    if not math.isfinite(number := float(text)):
        raise ValueError(f"{text:.50} is not a finite number")
    return number
