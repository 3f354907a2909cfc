"""Callbacks of the user, which see each epoch and may end a training."""

from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

__all__ = ["any_ends", "as_callbacks"]


def as_callbacks(
    callbacks: Callable[..., Any] | Iterable[Callable[..., Any]],
) -> tuple[Callable[..., Any], ...]:
    """One callback, or several, as a tuple."""
    return (callbacks,) if callable(callbacks) else tuple(callbacks)


def any_ends(callbacks: Iterable[Callable[..., Any]], info: Any) -> bool:
    """Call all of them; whether one returned True. Other values, such as arrays, end nothing."""
    answers = [callback(info) for callback in callbacks]
    return any(isinstance(answer, bool | np.bool_) and bool(answer) for answer in answers)
