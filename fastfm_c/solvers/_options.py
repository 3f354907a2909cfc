"""Options that all stochastic solvers have, and what they must be."""

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias, TypedDict

import numpy as np

from fastfm_c._validation import as_count, as_not_negative, as_positive

__all__ = ["OptionChecks", "Rng", "SolverOptions", "checked_options", "option_names"]

# What `train` hands on; it has arguments of its own for shuffle, num_threads and rng.
_FIRST = "learning_rate", "schedule", "l2_linear", "l2_factors", "batch_size", "clip_value"
_LAST = ("normalize",)
LARGEST_BATCH = 1 << 62
# A function for each option: of the value and the name, it returns a number or raises ValueError.
OptionChecks: TypeAlias = Mapping[str, Callable[[Any, str], float]]
Rng: TypeAlias = int | np.random.Generator | np.random.SeedSequence | np.random.BitGenerator | None


class SolverOptions(TypedDict, total=False):
    """Options of all stochastic solvers; `SGD` documents them."""

    schedule: str | None
    l2_linear: float
    l2_factors: float
    shuffle: bool
    clip_value: float | None
    normalize: str | None
    num_threads: int | None
    rng: Rng


def option_names(own: OptionChecks) -> tuple[str, ...]:
    """The options that `train` hands on to a solver that has these of its own."""
    return (*_FIRST, *own, *_LAST)


def checked_options(
    l2_linear: float,
    l2_factors: float,
    batch_size: int,
    shuffle: bool,
    clip_value: float | None,
    num_threads: int | None,
) -> dict[str, Any]:
    """The options by name, except learning rate and schedule; ValueError for one outside its range."""
    if num_threads is not None:
        as_count(num_threads, "num_threads")
    if clip_value is not None:
        as_positive(clip_value, "clip_value")
    return {
        "l2_linear": as_not_negative(l2_linear, "l2_linear"),
        "l2_factors": as_not_negative(l2_factors, "l2_factors"),
        "batch_size": min(as_count(batch_size, "batch_size"), LARGEST_BATCH),
        "shuffle": bool(shuffle),
        "clip_value": clip_value,
        "num_threads": num_threads,
    }
