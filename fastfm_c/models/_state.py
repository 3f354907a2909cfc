"""Models and losses in files: see `fastfm_c.persistence`."""

from types import NoneType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastfm_c._field_table import read_table, write_table
from fastfm_c.persistence._json import json_member
from fastfm_c.persistence._objects import Reader, Writer

__all__ = ["from_state", "take_words", "to_state", "words_of"]


def to_state(obj: Any, writer: Writer) -> dict[str, Any]:
    """The state of a model or a loss."""
    if not hasattr(obj, "V"):
        return {"label_smoothing": getattr(obj, "label_smoothing", None)}
    has_fields = hasattr(obj, "fields")
    w, V = _outputs_swapped(obj.w, obj.V, has_fields)
    writer.tensor("V", V)
    writer.tensor("w", w)
    if has_fields:
        write_table(obj.fields, writer)
    writer.tensor("w0", np.asarray(obj.w0, obj.dtype))
    state = {} if obj.normalize is None else {"normalize": obj.normalize}
    if obj.repeats != "sum":
        state["repeats"] = obj.repeats
    return state | words_of(obj)


def words_of(model: Any) -> dict[str, Any]:
    """The member of a state that keeps the metadata of a model, if there are any."""
    model.metadata = model.metadata  # which checks them
    return {"metadata": dict(model.metadata)} if model.metadata else {}


def take_words(model: Any, state: dict[str, Any]) -> None:
    """Give a model the metadata of a state."""
    model.metadata = json_member(state, "metadata", dict, NoneType) or {}


def from_state(create: Any, state: dict[str, Any], reader: Reader) -> Any:
    """The model or the loss of a state."""
    if not hasattr(create, "V"):
        smoothing = json_member(state, "label_smoothing", float, NoneType)
        return create() if smoothing is None else create(smoothing)
    # A solver in the same file marks its model: it writes to the parameters.
    writable = json_member(state, "trained", bool, NoneType) is True
    V, w = (reader.tensor(name, "f", writable=writable) for name in ("V", "w"))
    w0 = reader.tensor("w0", "f")
    if not V.dtype == w.dtype == w0.dtype:
        raise ValueError(f"V, w and w0 have dtypes {V.dtype}, {w.dtype} and {w0.dtype}, expected one")
    has_fields = hasattr(create, "fields")
    fields = [read_table(reader)] if has_fields else []
    normalize = json_member(state, "normalize", str, NoneType)
    repeats = json_member(state, "repeats", str, NoneType)
    model = create(w0, *_outputs_swapped(w, V, has_fields), *fields, normalize=normalize)
    if repeats is not None:
        model.repeats = repeats
    take_words(model, state)
    return model


def _outputs_swapped(w: NDArray[Any], V: NDArray[Any], has_fields: bool) -> tuple[NDArray[Any], NDArray[Any]]:
    """Views whose first two axes, outputs and features, are swapped, if there is an axis of outputs.

    In a file, as in memory, features come first. So a mapped file is used as it is.
    """
    has_outputs = w.ndim > 1 and V.ndim > (3 if has_fields else 2)
    return (w.swapaxes(0, 1), V.swapaxes(0, 1)) if has_outputs else (w, V)
