"""States of NumPy's random number generators as JSON, and back.

NumPy believes the state that it is given: with a position outside a generator's buffer it would read there.
So each state is compared with the state of a fresh generator first.
"""

import math
from typing import Any

import numpy as np

__all__ = ["generator_state", "random_state", "restored_generator", "restored_random_state"]

_BIT_GENERATORS = "PCG64", "PCG64DXSM", "MT19937", "Philox", "SFC64"
# For each whole number of a state, the first number that is too large.
_BOUNDS = {"state": 1 << 128, "inc": 1 << 128, "uinteger": 1 << 32, "has_uint32": 2, "has_gauss": 2}
_BOUNDS |= {"pos": 625, "buffer_pos": 5}


def generator_state(rng: np.random.Generator) -> dict[str, Any]:
    """The state of a Generator."""
    state: dict[str, Any] = _as_json(rng.bit_generator.state)
    return state


def random_state(rng: np.random.RandomState) -> dict[str, Any]:
    """The state of a RandomState."""
    state: dict[str, Any] = _as_json(rng.get_state(legacy=False))
    return state


def restored_generator(state: Any) -> np.random.Generator:
    """The Generator of a state.

    Raises
    ------
    ValueError
        For a state that no generator has.
    """
    bits = _bit_generator(state)
    bits.state = _checked(state, bits.state, "rng")
    return np.random.Generator(bits)


def restored_random_state(state: Any) -> np.random.RandomState:
    """The RandomState of a state.

    Raises
    ------
    ValueError
        For a state that no generator has.
    """
    rng = np.random.RandomState(_bit_generator(state))
    rng.set_state(_checked(state, rng.get_state(legacy=False), "random_state"))
    return rng


def _as_json(state: Any) -> Any:
    if isinstance(state, dict):
        if state.get("bit_generator", "PCG64") not in _BIT_GENERATORS:
            raise ValueError(f"the random numbers come from {state['bit_generator']}, unknown to NumPy")
        return {name: _as_json(value) for name, value in state.items()}
    return state.tolist() if isinstance(state, np.ndarray | np.generic) else state


def _bit_generator(state: Any) -> Any:
    """A fresh bit generator of the class that a state names."""
    name = state.get("bit_generator") if isinstance(state, dict) else None
    if name not in _BIT_GENERATORS:
        raise ValueError(f"the random numbers come from {name!r:.200}, expected one of {_BIT_GENERATORS}")
    return getattr(np.random, name)(0)


def _checked(value: Any, like: Any, name: str) -> Any:
    """The value with the types of `like`, which must have the same structure."""
    if isinstance(like, dict):
        if isinstance(value, dict) and value.keys() == like.keys():
            return {key: _checked(value[key], like[key], key) for key in like}
    elif isinstance(like, np.ndarray):
        largest = int(np.iinfo(like.dtype).max)
        if isinstance(value, list) and len(value) == len(like) and all(_is_int(n, largest) for n in value):
            return np.array(value, like.dtype)
    elif isinstance(like, str):
        if value == like:
            return value
    elif isinstance(like, float):
        if isinstance(value, float) and math.isfinite(value):
            return value
    elif _is_int(value, _BOUNDS[name] - 1) and (name != "inc" or value % 2):  # an even inc has short cycles
        return value
    raise ValueError(f"the state of the random numbers has {name} {value!r:.200}, which no generator has")


def _is_int(value: Any, largest: int) -> bool:
    return type(value) is int and 0 <= value <= largest
