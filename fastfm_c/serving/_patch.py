"""Patches: the features that differ between two models, in a file that is applied while others predict."""

import os
import threading
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastfm_c.persistence import load, save
from fastfm_c.persistence._json import json_member

__all__ = ["Patch", "apply", "diff"]

_Array: TypeAlias = NDArray[Any]

_TENSORS = ("w0", "f"), ("w", "f"), ("V", "fi")
_BLOCK_BYTES = 1 << 17  # of rows that are compared or summed up at a time: they stay in the cache

_one_apply = threading.RLock()  # a patch at a time; no fork meanwhile: the child would have half of one


def _fork_begin() -> None:
    _one_apply.acquire()


def _fork_end() -> None:
    _one_apply.release()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_fork_begin, after_in_parent=_fork_end, after_in_child=_fork_end)


@dataclass(eq=False)
class Patch:
    """New parameters of some features; the arrays are as the kernels read them."""

    features: NDArray[np.int64]  # ascending
    w0: _Array
    w: _Array
    V: _Array
    scale: NDArray[np.float32] | None  # of these features
    kind: str  # of both models, as `_kind` says it
    old_sum: int  # CRC-32 of what the features had before


def diff(old: Any, new: Any, path: Any) -> int:
    """Write the features in which two models differ to a file, which `apply` takes in.

    Parameters
    ----------
    old, new : FM, FFM, QuantizedFM or QuantizedFFM
        Two models of one kind, with the same sizes, dtype and fields. Of int8 models with scales of groups,
        the scales must be the same, too.
    path : str, bytes, PathLike or binary file
        Where to write it, as `fastfm_c.save` does.

    Returns
    -------
    int
        Number of features that differ.

    Raises
    ------
    ValueError
        For models that differ in more than numbers. `resize` the old one first if the new one has grown.

    Examples
    --------
    >>> import io
    >>> from fastfm_c import FM
    >>> old = FM.random(100, 4, rng=0)
    >>> new = old.copy()
    >>> new.V[[7, 9]] = 0.5
    >>> diff(old, new, io.BytesIO())
    2
    """
    _require_model(old, "old")
    _require_model(new, "new")
    if _kind(old) != _kind(new):
        raise ValueError(f"the models are {_kind(old)} and {_kind(new)}, expected two of one kind")
    before, after = old._snapshot(), new._snapshot()
    if before.fields is not None and not np.array_equal(before.fields, after.fields):
        raise ValueError("the fields of the models differ")
    has_scales = _scale_per_feature(after)
    if after.scale is not None and not has_scales and not _same_scales(before, after):
        raise ValueError(
            "the models are int8 with other scales, which changes all features of a group: save the new one"
        )
    names = ["w", "V", *(["scale"] if has_scales else [])]
    differs = np.zeros(len(after.w), bool)
    for name in names:
        differs |= _rows_that_differ(getattr(before, name), getattr(after, name))
    features = np.flatnonzero(differs).astype(np.int64)
    scale = after.scale[features] if has_scales and after.scale is not None else None
    old_sum = _sum_of(before, features)
    save(Patch(features, after.w0, after.w[features], after.V[features], scale, _kind(new), old_sum), path)
    return len(features)


def apply(model: Any, path: Any, *, copy: bool = False) -> Any:
    """Take in a patch that `diff` has written.

    Other threads may go on to predict. They see each feature's parameters as they were or as they are, never
    a mixture; two features of a row may be of either time. A prediction waits for some tens of microseconds
    at most, and `apply` for batches that are being scored. Calls of `apply` wait for each other, and
    `os.fork` waits for them: the child has the whole patch or nothing of it.

    Parameters
    ----------
    model : FM, FFM, QuantizedFM or QuantizedFFM
        The old model of the patch, in memory that may be written to: take the ``copy()`` of one that `load`
        mapped.
    path : as for `diff`
    copy : bool, default False
        Leave the model as it is and return a new one, to be swapped in whole.

    Returns
    -------
    model
        The model itself, or the new one.

    Raises
    ------
    ValueError
        For a file that is damaged or no patch; for a model that is not the old one of the patch, or is
        read-only.

    Examples
    --------
    >>> import io
    >>> from fastfm_c import FM
    >>> old = FM.random(100, 4, rng=0)
    >>> new = old.copy()
    >>> new.V[7] = 0.5
    >>> patch = io.BytesIO()
    >>> diff(old, new, patch), patch.seek(0)
    (1, 0)
    >>> apply(old, patch) == new
    True
    """
    _require_model(model, "model")
    patch = load(path)
    if not isinstance(patch, Patch):
        raise ValueError(f"the file holds a {type(patch).__name__}, expected a patch, which diff writes")
    if patch.kind != _kind(model):
        raise ValueError(f"the patch is for {patch.kind}, the model is {_kind(model)}")
    with _one_apply:
        now = model._snapshot()
        if len(patch.features) and patch.features[-1] >= len(now.w):
            raise ValueError(f"the patch has feature {patch.features[-1]}, the model has {len(now.w)}")
        if _sum_of(now, patch.features) != patch.old_sum:
            raise ValueError("the model is not the one that the patch was made from: other numbers are there")
        if copy:
            model = model.copy()
            now = model._snapshot()
        now.replace_rows(patch.features, patch.w0, patch.w, patch.V, patch.scale)
    return model


def _require_model(model: Any, name: str) -> None:
    if not hasattr(model, "_snapshot"):
        raise ValueError(f"{name} is a {type(model).__name__}, expected an FM, FFM or a quantised model")


def _kind(model: Any) -> str:
    """What two models must have in common, in words."""
    now = model._snapshot()
    sizes = " x ".join(map(str, now.V.shape))
    how = f", normalize={now.normalize}" if now.normalize else ""
    how += ", repeats=separate" if now.separates_repeats else ""
    return f"{type(model).__name__} of {sizes} {now.V.dtype}{how}"


def _scale_per_feature(now: Any) -> bool:
    return now.scale is not None and now.scale_of is None and len(now.scale) > 1


def _same_scales(before: Any, after: Any) -> bool:
    same_groups = (before.scale_of is None) == (after.scale_of is None) and (
        after.scale_of is None or np.array_equal(before.scale_of, after.scale_of)
    )
    return same_groups and np.array_equal(before.scale, after.scale)


def _blocks(n: int, row_bytes: int) -> Iterator[tuple[int, int]]:
    step = max(1, _BLOCK_BYTES // max(1, row_bytes))
    return ((begin, min(begin + step, n)) for begin in range(0, n, step))


def _as_bytes(rows: _Array) -> NDArray[np.uint8]:
    return np.ascontiguousarray(rows).reshape(len(rows), -1).view(np.uint8)


def _rows_that_differ(before: _Array, after: _Array) -> NDArray[np.bool_]:
    """Which rows have other bits; NaN equals itself."""
    differs = np.zeros(len(after), bool)
    for begin, end in _blocks(len(after), after[0].nbytes if len(after) else 1):
        differs[begin:end] = (_as_bytes(before[begin:end]) != _as_bytes(after[begin:end])).any(axis=1)
    return differs


def _sum_of(now: Any, features: NDArray[np.int64]) -> int:
    """CRC-32 of w0 and of what these features have, with the low byte of a number first, as in files."""
    total = zlib.crc32(_low_byte_first(now.w0).tobytes())
    for array in (now.w, now.V, *((now.scale,) if _scale_per_feature(now) else ())):
        for begin, end in _blocks(len(features), array[0].nbytes if len(array) else 1):
            total = zlib.crc32(_low_byte_first(np.take(array, features[begin:end], axis=0)).data, total)
    return total


def _low_byte_first(array: _Array) -> _Array:
    return array.astype(array.dtype.newbyteorder("<"), copy=False)


def to_state(patch: Patch, writer: Any) -> dict[str, Any]:
    """The state of a patch in a file: see `fastfm_c.persistence`."""
    n = int(patch.features[-1]) if len(patch.features) else 0
    writer.tensor("features", patch.features.astype(np.int32 if n < 1 << 31 else np.int64))
    for name in "w0", "w", "V", "scale":
        if getattr(patch, name) is not None:
            writer.tensor(name, getattr(patch, name))
    return {"of": patch.kind, "old_sum": patch.old_sum}


def from_state(create: Any, state: dict[str, Any], reader: Any) -> Patch:
    """The patch of a state. `apply` compares it with the model."""
    features = reader.tensor("features", "i", 1).astype(np.int64)
    if len(features) and (features[0] < 0 or (np.diff(features) <= 0).any()):
        raise ValueError("the features of the patch do not ascend")
    w0, w, V = (np.require(reader.tensor(name, kinds), None, ["C", "A"]) for name, kinds in _TENSORS)
    if not len(w) == len(V) == len(features):
        raise ValueError(f"the patch has {len(features)} features, and parameters of {len(w)} and {len(V)}")
    scale = reader.tensor("scale", "f", 1) if reader.has_tensor("scale") else None
    kind, old_sum = json_member(state, "of", str), json_member(state, "old_sum", int)
    return Patch(features, w0, w, V, scale, kind, old_sum)
