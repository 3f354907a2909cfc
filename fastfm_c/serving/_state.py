"""Quantised models and patches in files: see `fastfm_c.persistence`."""

from types import NoneType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastfm_c._field_table import as_fields, read_table, write_table
from fastfm_c.models._state import take_words, words_of
from fastfm_c.persistence._json import json_member
from fastfm_c.persistence._objects import Reader, Writer

__all__ = ["from_state", "to_state"]


def to_state(model: Any, writer: Writer) -> dict[str, Any]:
    """The state of a quantised model. float16 is in the file as it is, features first."""
    now = model._snapshot()
    writer.tensor("V", now.V)
    writer.tensor("w", now.w)
    for name in "scale", "scale_of":
        if getattr(now, name) is not None:
            writer.tensor(name, getattr(now, name))
    if now.fields is not None:
        write_table(now.fields, writer)
    writer.tensor("w0", now.w0)
    state = {"has_outputs": now.has_outputs, "normalize": now.normalize, "repeats": model.repeats}
    return state | words_of(model)


def from_state(create: Any, state: dict[str, Any], reader: Reader) -> Any:
    """The model of a state; its arrays may be parts of the file."""
    is_ffm = hasattr(create, "fields")
    has_outputs = json_member(state, "has_outputs", bool)
    normalize = json_member(state, "normalize", str, NoneType)
    repeats = json_member(state, "repeats", str)
    if repeats not in ("sum", "separate"):
        raise ValueError(f"repeats is {repeats!r:.50}")
    if normalize not in ((None, "instance") if is_ffm else (None, "instance", "xlearn")):
        raise ValueError(f"normalize is {normalize!r:.50}")
    n_axes = 2 + is_ffm + has_outputs
    V = reader.tensor("V", "fi", n_axes)
    w, w0 = reader.tensor("w", "f", 1 + has_outputs), reader.tensor("w0", "f", 1)
    has_bytes = V.dtype == np.int8
    if not (has_bytes or V.dtype == np.float16):
        raise ValueError(f"V has dtype {V.dtype}, expected float16 or int8")
    outputs = V.shape[1 : 1 + has_outputs]
    if 0 in V.shape[1:] or w.shape != V.shape[: 1 + has_outputs] or w0.shape != (outputs or (1,)):
        raise ValueError(f"V, w and w0 have shapes {V.shape}, {w.shape} and {w0.shape}")
    if not has_outputs and len(w0) != 1:
        raise ValueError("w0 has several outputs")
    scale = scale_of = fields = None
    if has_bytes:
        scale = _aligned(reader.tensor("scale", "f", 1), np.float32)
        if reader.has_tensor("scale_of"):
            scale_of = _aligned(reader.tensor("scale_of", "u", 1), np.uint16)
    if is_ffm:
        fields = as_fields(read_table(reader), len(w), V.shape[-2])
    w_dtype = np.float32 if has_bytes else np.float16
    arrays = (np.array(w0, np.float32), _aligned(w, w_dtype), _aligned(V, V.dtype))
    model = create(*arrays, scale, scale_of, fields, has_outputs, normalize, repeats)
    take_words(model, state)
    return model


def _aligned(array: NDArray[Any], dtype: Any) -> NDArray[Any]:
    """The array itself where the kernels can read it, which is so where `save` wrote it."""
    if array.dtype != dtype:
        raise ValueError(f"a tensor has dtype {array.dtype}, expected {np.dtype(dtype)}")
    return np.require(array, dtype, ["C", "A"])
