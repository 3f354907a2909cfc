"""libffm's binary models: a header of 13 bytes, then weights and AdaGrad sums side by side."""

import math
import struct
from collections.abc import Iterator
from typing import BinaryIO, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastfm_c._open_files import open_input, open_output
from fastfm_c._validation import aligned_zeros
from fastfm_c.interop._number_tables import Source, columns_of, require_model
from fastfm_c.models import FFM

__all__ = ["dump_libffm_model", "load_libffm_model"]

_Shape: TypeAlias = tuple[int, int, int]  # of V: n_features, n_fields, n_factors

_HEADER = struct.Struct("<3iB")  # n_features, n_fields, n_factors, normalize
_BYTES_AT_ONCE = 1 << 22  # bytes of a file that are read or written at a time


def load_libffm_model(path: Source, fields: ArrayLike, *, alignment: int | None = None) -> FFM:
    """The model that libffm's ``ffm-train`` wrote.

    Parameters
    ----------
    path : str, path-like or binary file
    fields : FieldTable, or array_like of int, shape (n_features,)
        The field of each feature. The file does not hold it, because libffm reads it beside each value;
        `fastfm_c.load_libffm` returns it. With a table of pairs of feature and field, for a feature in
        several fields, the model has a column for each pair.
    alignment : {None, 1, 4}
        How many weights lie side by side. After each group of weights lie its AdaGrad sums. It is 4 in
        libffm built with SSE instructions, 1 without. None finds it by the size of the file. If the size is
        the same for both (`n_factors` is a multiple of 4), the sums tell, because they are at least 1.

    Returns
    -------
    FFM
        float32, with ``w0 = 0`` and ``w = 0``; ``normalize="instance"`` unless trained with ``--no-norm``.
        The AdaGrad sums are not loaded. A feature that a row repeats is two values, as in libffm: see
        `FFM.repeats`.

    Raises
    ------
    ValueError
        If the file is not such a model, or `fields` does not fit it.

    Examples
    --------
    >>> import tempfile
    >>> from fastfm_c import FFM
    >>> from fastfm_c.interop import dump_libffm_model, load_libffm_model
    >>> ffm = FFM.random([0, 1, 1], 4)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     dump_libffm_model(ffm, f"{folder}/model")
    ...     load_libffm_model(f"{folder}/model", ffm.fields) == ffm
    True
    """
    if alignment not in (None, 1, 4):
        raise ValueError(f"alignment must be None, 1 or 4, got {alignment!r}")
    with open_input(path) as (file, size, name):
        header = file.read(_HEADER.size)
        if len(header) < _HEADER.size:
            raise ValueError(f"{name}: {size} bytes, expected a libffm model of at least 13")
        n_features, n_fields, n_factors, normalize = _HEADER.unpack(header)
        if min(n_features, n_fields, n_factors) < 1 or normalize > 1:
            raise ValueError(
                f"{name}: begins with {n_features} features, {n_fields} fields, {n_factors} factors and "
                f"the flag {normalize}, expected three positive numbers and 0 or 1"
            )
        shape = (n_features, n_fields, n_factors)
        sizes = {a: _file_size(shape, a) for a in ((1, 4) if alignment is None else (alignment,))}
        fitting = [a for a in sizes if sizes[a] == size]
        if not fitting:
            wanted = " or ".join(map(str, dict.fromkeys(sizes.values())))
            raise ValueError(
                f"{name}: {size} bytes, expected {wanted} for {n_features} features, {n_fields} fields and "
                f"{n_factors} factors"
            )
        table, features = columns_of(fields, n_features, n_fields)
        if len(fitting) > 1:
            fitting = _alignments_of_sums(file, shape)
            if len(fitting) != 1:
                raise ValueError(f"{name}: fits alignments {fitting}, expected one; say which by alignment")
        V: NDArray[np.float32] = aligned_zeros((len(table), n_fields, n_factors), np.float32)
        order = np.argsort(features, kind="stable")
        for part, content in _contents(file, shape, fitting[0]):
            first, last = np.searchsorted(features[order], (part.start, part.stop))
            columns = order[first:last]
            weights = content[..., 0, :].reshape(len(content), n_fields, -1)[..., :n_factors]
            V[columns] = weights[features[columns] - part.start]
    if not np.isfinite(V).all():
        raise ValueError(f"{name}: holds weights that are not finite, expected finite ones")
    w = np.zeros(len(V), V.dtype)
    model = FFM(0.0, w, V, table, normalize="instance" if normalize else None)
    model.repeats = "separate"
    return model


def dump_libffm_model(model: FFM, path: Source, *, alignment: int = 4) -> None:
    """Write a model for libffm's ``ffm-predict``.

    Parameters
    ----------
    model : FFM
        With one output. ``w0`` and ``w`` must be 0, because libffm has no place for them. The model is
        written as float32 and without its fields, see `load_libffm_model`.
    path : str, path-like or binary file
    alignment : {4, 1}
        4 for libffm built with SSE instructions, as its Makefile does; 1 for one without.

    Raises
    ------
    ValueError
        If the format cannot hold the model.

    Examples
    --------
    >>> import os, tempfile
    >>> from fastfm_c import FFM
    >>> from fastfm_c.interop import dump_libffm_model
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     dump_libffm_model(FFM.random([0, 1, 1], 4), f"{folder}/model")
    ...     os.path.getsize(f"{folder}/model") == 13 + 8 * 3 * 2 * 4
    True
    """
    if alignment not in (1, 4):
        raise ValueError(f"alignment must be 1 or 4, got {alignment!r}")
    require_model(model, (FFM,), (None, "instance"), "libffm")
    if model.w0 != 0 or np.any(model.w):
        raise ValueError("model has a bias or linear weights other than 0, which libffm's format cannot hold")
    if np.abs(model.V).max(initial=0) > np.finfo(np.float32).max:
        raise ValueError("model.V holds values beyond float32, which libffm's format has")
    shape = model.V.shape
    _, n_fields, n_factors = shape
    groups = _n_groups(n_factors, alignment)
    with open_output(path) as file:
        file.write(_HEADER.pack(*shape, model.normalize is not None))
        for features in _slices(shape, alignment):
            V = model.V[features]
            padded = np.zeros((len(V), n_fields, groups * alignment), "<f4")
            padded[..., :n_factors] = V
            content = np.ones((len(V), n_fields, groups, 2, alignment), "<f4")  # libffm's sums begin with 1
            content[..., 0, :] = padded.reshape(len(V), n_fields, groups, alignment)
            file.write(content.tobytes())


def _n_groups(n_factors: int, alignment: int) -> int:
    """How many groups of `alignment` weights a feature has for each field."""
    return -(-n_factors // alignment)


def _file_size(shape: _Shape, alignment: int) -> int:
    n_features, n_fields, n_factors = shape
    return _HEADER.size + 8 * n_features * n_fields * _n_groups(n_factors, alignment) * alignment


def _slices(shape: _Shape, alignment: int) -> Iterator[slice]:
    """Slices of all features, of some megabytes of the file each."""
    n_features, n_fields, n_factors = shape
    step = max(1, _BYTES_AT_ONCE // _file_size((1, n_fields, n_factors), alignment))
    for begin in range(0, n_features, step):
        yield slice(begin, min(begin + step, n_features))


def _contents(file: BinaryIO, shape: _Shape, alignment: int) -> Iterator[tuple[slice, NDArray[np.float32]]]:
    """Slices of features, and what the file holds of them.

    That has the shape (features, n_fields, groups, 2, alignment): of weights and of sums, on the axis of 2.
    """
    _, n_fields, n_factors = shape
    of_feature = (n_fields, _n_groups(n_factors, alignment), 2, alignment)
    n_bytes = 4 * math.prod(of_feature)
    file.seek(_HEADER.size)
    for features in _slices(shape, alignment):
        content = file.read(n_bytes * (features.stop - features.start))
        yield features, np.frombuffer(content, "<f4").reshape(-1, *of_feature)


def _alignments_of_sums(file: BinaryIO, shape: _Shape) -> list[int]:
    """The alignments for which no AdaGrad sum is less than 1, if `n_factors` is a multiple of 4."""
    possible = [1, 4]
    for _, content in _contents(file, shape, 4):
        pairs = content.reshape(*content.shape[:2], -1, 2, 1)
        sums = {1: pairs[..., 1, :], 4: content[..., 1, :]}
        possible = [a for a in possible if (sums[a] >= 1).all()]
        if len(possible) < 2:
            break
    return possible
