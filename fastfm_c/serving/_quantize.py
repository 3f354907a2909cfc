"""`quantize`: a model with parameters of 16 or 8 bits."""

from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastfm_c._field_table import as_fields
from fastfm_c._validation import aligned_zeros, require_choice
from fastfm_c.models import FFM, FM
from fastfm_c.serving._quantized import QuantizedFFM, QuantizedFM

__all__ = ["quantize"]

_Array: TypeAlias = NDArray[Any]

_LARGEST_HALF = 65504.0
_MOST_GROUPS = 1 << 16
_ROWS = 1 << 14  # features that are converted at a time


def quantize(model: Any, dtype: str = "float16", *, fields: ArrayLike | None = None) -> Any:
    """Make a read-only model with parameters of 16 or 8 bits, which the kernels read in place.

    float16 halves the file and the memory of a float32 model. int8 takes about a quarter of it; `w` then
    stays float32. Sums are made in float32, in the order of a float32 model: a score has the bits of the
    float32 model with the rounded numbers (`QuantizedFM.full`), on every instruction set.

    Parameters
    ----------
    model : FM or FFM
        Finite, of float32 or float64.
    dtype : "float16" (default) or "int8"
        float16: IEEE binary16, to the nearest, ties to even; of `w`, too. int8: ``v = scale * q`` with q in
        -127..127 and ``scale`` the largest ``|v| / 127`` of a group: of an FFM a feature, of an FM a field
        of `fields`, else all of V.
    fields : array_like of int, shape (n_features,), optional
        Groups of an FM's features for int8: at most 65,536. Rare fields keep their digits beside large ones.

    Returns
    -------
    QuantizedFM or QuantizedFFM
        With `predict` and `predict_row` as a model has them, `nbytes`, `copy`; `fastfm_c.save` and `load`
        take it, mapped as well.

    Raises
    ------
    ValueError
        For a parameter that is not finite or, with float16, beyond 65504.

    Examples
    --------
    >>> from fastfm_c import FM
    >>> model = FM.random(1000, 16, rng=0)
    >>> small = quantize(model)
    >>> small, small.nbytes / model.nbytes < 0.51
    (QuantizedFM(n_features=1000, n_factors=16, float16), True)
    """
    require_choice(dtype, "dtype", ("float16", "int8"))
    if not isinstance(model, FM | FFM):
        raise ValueError(f"model is a {type(model).__name__}, expected an FM or FFM")
    is_ffm = isinstance(model, FFM)
    if fields is not None and (is_ffm or dtype == "float16"):
        raise ValueError("fields are the groups of an FM's int8 parameters; nothing else takes them")
    now = model._snapshot()
    for name, array in ("w0", now.w0), ("w", now.w), ("V", now.V):
        _require_representable(array, name, _LARGEST_HALF if dtype == "float16" and name != "w0" else None)
    w0 = now.w0.astype(np.float32)
    scale = scale_of = None
    if dtype == "float16":
        w, V = _as_half(now.w), _as_half(now.V)
    else:
        w = aligned_zeros(now.w.shape, np.float32)
        w[...] = now.w
        groups = None if fields is None else np.asarray(as_fields(fields, len(now.w), _MOST_GROUPS))
        scale = _scales(now.V, is_ffm, groups)
        scale_of = None if groups is None else groups.astype(np.uint16)
        V = _as_bytes(now.V, scale, scale_of)
    create: Any = QuantizedFFM if is_ffm else QuantizedFM
    small = create(w0, w, V, scale, scale_of, now.fields, now.has_outputs, now.normalize, model.repeats)
    small.metadata = dict(model.metadata)
    return small


def _require_representable(array: _Array, name: str, largest: float | None) -> None:
    limit = float(np.finfo(np.float32).max) if largest is None else largest
    for begin in range(0, len(array), _ROWS):
        bad = ~(np.abs(array[begin : begin + _ROWS]) <= limit)
        if bad.any():
            at = np.unravel_index(int(np.argmax(bad)), bad.shape)
            value = array[begin : begin + _ROWS][at]
            place = name if name == "w0" else f"{name} of feature {begin + int(at[0])}"
            raise ValueError(f"{place} has {value}, expected at most {limit:g}")


def _as_half(array: _Array) -> _Array:
    half: _Array = aligned_zeros(array.shape, np.float16)
    half[...] = array
    return half


def _scales(V: _Array, is_ffm: bool, groups: NDArray[np.int32] | None) -> NDArray[np.float32]:
    """The largest |v| of each group over 127; 1 where all are 0."""
    largest = np.zeros(len(V))
    for begin in range(0, len(V), _ROWS):
        part = V[begin : begin + _ROWS]
        largest[begin : begin + _ROWS] = np.abs(part).reshape(len(part), -1).max(axis=1)
    if groups is not None:
        of_groups = np.zeros(int(groups.max(initial=0)) + 1)
        np.maximum.at(of_groups, groups, largest)
        largest = of_groups
    elif not is_ffm or not len(V):
        largest = largest.max(initial=0.0, keepdims=True)
    scale = (largest / 127).astype(np.float32)
    scale[scale == 0] = 1.0
    return scale


def _as_bytes(V: _Array, scale: NDArray[np.float32], scale_of: NDArray[np.uint16] | None) -> _Array:
    q: _Array = aligned_zeros(V.shape, np.int8)
    of_features = np.broadcast_to(scale, (len(V),)) if scale_of is None and len(scale) == 1 else scale
    for begin in range(0, len(V), _ROWS):
        end = begin + _ROWS
        s = of_features[begin:end] if scale_of is None else scale[scale_of[begin:end]]
        part = V[begin:end].astype(np.float64) / s.astype(np.float64).reshape(-1, *(1,) * (V.ndim - 1))
        q[begin:end] = np.clip(np.rint(part), -127, 127)
    return q
