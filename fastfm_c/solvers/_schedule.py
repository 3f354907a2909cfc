"""Learning rates, and how they change from epoch to epoch."""

import math
from collections.abc import Callable
from typing import Any, TypeAlias

from fastfm_c._validation import as_positive

__all__ = ["LearningRate", "as_learning_rate", "rate_of_epoch"]

# A number, the name of a schedule, or the rate of each epoch.
LearningRate: TypeAlias = float | str | Callable[[int], float]
SCHEDULES = ("constant", "inverse_sqrt", "cosine")
_NAMES = "'constant', 'inverse_sqrt' or 'cosine'"


def as_learning_rate(
    learning_rate: Any, schedule: Any, default: float
) -> tuple[float | Callable[[int], float], str | None]:
    """The base rate, or the function that gives the rates; and the schedule, None if it is constant.

    Parameters
    ----------
    learning_rate : float, str or callable
        The name of a schedule stands for this schedule with the rate `default`.
    schedule : str or None
    default : float

    Raises
    ------
    ValueError
        For a rate that is no number > 0, for an unknown name, and for a schedule given twice.
    """
    if isinstance(learning_rate, str):
        if schedule is not None:
            raise ValueError(
                f"learning_rate is {learning_rate!r} and schedule is {schedule!r}; give the number as "
                "learning_rate and the name as schedule"
            )
        if learning_rate not in SCHEDULES:
            raise ValueError(
                f"learning_rate must be a finite number > 0, got {learning_rate!r}; it may also be a "
                f"callable, or the name of a schedule, which is {_NAMES}"
            )
        return default, _without_constant(learning_rate)
    if schedule is not None and schedule not in SCHEDULES:
        raise ValueError(f"schedule must be None, {_NAMES}, got {schedule!r}")
    if not callable(learning_rate):
        return as_positive(learning_rate, "learning_rate"), _without_constant(schedule)
    if schedule is not None:
        raise ValueError(f"learning_rate is a callable, which takes no schedule; got {schedule!r}")
    as_positive(learning_rate(1), "learning_rate(1)")
    return learning_rate, None


def _without_constant(name: Any) -> str | None:
    return None if name == "constant" else name


def rate_of_epoch(
    learning_rate: float | Callable[[int], float],
    schedule: str | None,
    epoch: int,
    run: tuple[int, int] | None,
) -> float:
    """The learning rate of an epoch, counted from 1.

    Parameters
    ----------
    learning_rate, schedule
        What `as_learning_rate` returned.
    epoch : int
    run : (int, int) or None
        The epochs before the present `run` of the solver, and the most that it may take.

    Examples
    --------
    >>> [rate_of_epoch(0.5, "cosine", epoch, (0, 4)) for epoch in (1, 3)]
    [0.5, 0.25]
    >>> rate_of_epoch(0.5, "inverse_sqrt", 25, None)
    0.1
    """
    if callable(learning_rate):
        return as_positive(learning_rate(epoch), f"learning_rate({epoch})")
    if schedule == "inverse_sqrt":
        return learning_rate / math.sqrt(epoch)
    if schedule == "cosine":
        if run is None:
            raise ValueError(
                "the schedule 'cosine' ends with the last epoch, which train knows by its max_iter; for "
                "single epochs and for partial_fit take 'inverse_sqrt' or a callable"
            )
        begin, n_epochs = run
        angle = math.pi * (epoch - 1 - begin) / n_epochs
        return learning_rate * ((1 + math.cos(angle)) / 2)
    return learning_rate
