"""Values in states: what JSON can hold, and what is expected of it."""

import math
from typing import Any

import numpy as np

__all__ = ["as_scalar", "take"]


def as_scalar(value: Any, what: str) -> bool | int | float | str | None:
    """The value, if JSON can hold it; NumPy's scalars become Python's."""
    value = value.item() if isinstance(value, np.generic) else value
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, float) and math.isfinite(value):
        return value
    raise ValueError(
        f"{what} is {value!r:.200}, which a file cannot hold; it holds None, bool, int, finite float and str"
    )


def take(state: dict[str, Any], key: str, *types: type) -> Any:
    """Remove and return a member, which must be of one of the types; an absent one is None."""
    value = state.pop(key, None)
    if type(value) not in types:
        wanted = " or ".join(kind.__name__ for kind in types)
        raise ValueError(f"{key} is {value!r:.200}, expected {wanted}")
    return value
