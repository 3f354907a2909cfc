"""The history of an estimator in files."""

import math
from types import NoneType
from typing import Any

import numpy as np

from fastfm_c.persistence._json import as_scalar, json_member, require_no_more
from fastfm_c.persistence._objects import Reader, Writer
from fastfm_c.training import Candidate, History

__all__ = ["history_from_state", "history_to_state"]

_ARRAYS = "loss", "validation", "seconds"  # each has a number for every epoch
_TYPES: tuple[tuple[type, ...], ...] = (  # of what a Candidate holds, in its order
    (int, float, str, NoneType),
    (int, float),
    (int, float),
    (float, NoneType),
    (int, NoneType),
    (int,),
    (str, NoneType),
    (bool,),
)


def history_to_state(history: History, writer: Writer) -> dict[str, Any]:
    """The state of a history: numbers of epochs as tensors, the rest as JSON."""
    members = dict(vars(history))
    for name in (*_ARRAYS, "refit"):
        writer.tensor(f"history_.{name}", np.array(members.pop(name), np.float64))
    candidates = members.pop("candidates")
    state: dict[str, Any] = {name: as_scalar(value, f"history_.{name}") for name, value in members.items()}
    state["candidates"] = [[as_scalar(part, "history_.candidates") for part in one] for one in candidates]
    return state


def history_from_state(members: dict[str, Any], reader: Reader) -> History:
    """The history of a state. Older files know nothing of candidates."""
    arrays = {name: reader.tensor(f"history_.{name}", "f", 1).tolist() for name in _ARRAYS}
    if reader.has_tensor("history_.refit"):
        arrays["refit"] = reader.tensor("history_.refit", "f", 1).tolist()
    names = {
        name: json_member(members, name, str, NoneType) for name in ("metric", "stop_reason", "loss_name")
    }
    candidates = json_member(members, "candidates", list) if "candidates" in members else []
    history = History(
        json_member(members, "rows", int),
        **names,
        best_epoch=json_member(members, "best_epoch", int, NoneType),
        candidates=[_candidate(values) for values in candidates],
        **arrays,
    )
    require_no_more(members, "history_")
    return history


def _candidate(values: Any) -> Candidate:
    is_sound = isinstance(values, list) and len(values) == len(_TYPES)
    if not is_sound or not all(type(value) in types for value, types in zip(values, _TYPES, strict=True)):
        raise ValueError(
            f"history_.candidates holds {values!r:.200}, expected {', '.join(Candidate._fields)}"
        )
    if not all(math.isfinite(value) for value in values if isinstance(value, float)):
        raise ValueError(f"history_.candidates holds {values!r:.200}, expected finite numbers")
    return Candidate(*values)
