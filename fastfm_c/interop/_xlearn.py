"""xLearn's text models: a name and numbers on each line."""

import re
from collections.abc import Iterable, Iterator
from itertools import count, takewhile
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

from fastfm_c._field_table import FieldTable
from fastfm_c._validation import as_real_dtype
from fastfm_c.interop._number_tables import (
    LineReader,
    Source,
    columns_of,
    open_model_text,
    open_model_text_output,
    require_model,
    write_table,
)
from fastfm_c.models import FFM, FM

__all__ = ["dump_xlearn_model", "load_xlearn_model"]

_NUMBER = re.compile(r"[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?", re.IGNORECASE | re.ASCII)
_LONGEST_NUMBER = 40  # letters; xLearn writes at most 13, and longer words would take long to look at
_RUN_TOGETHER = re.compile(r"[-+.\de]+", re.IGNORECASE | re.ASCII)
_Tables: TypeAlias = tuple[NDArray[Any], NDArray[Any], NDArray[Any], bool]  # w0, w, V; whether it is an FFM


def load_xlearn_model(
    path: Source, fields: ArrayLike | None = None, *, normalize: bool = True, dtype: DTypeLike = "float32"
) -> FM | FFM:
    """The model that xLearn wrote as text: ``setTXTModel`` in Python, ``-t`` on the command line.

    Parameters
    ----------
    path : str, path-like or binary file
    fields : FieldTable, or array_like of int, shape (n_features,)
        The field of each feature, for an FFM only. The file does not hold it; `fastfm_c.load_libffm`
        returns it. A table of pairs is taken as by `load_libffm_model`.
    normalize : bool, default True
        False for a model that was trained and used with ``disableNorm()`` or ``--no-norm``; the file does
        not say so.
    dtype : "float32" (default) or "float64"
        xLearn writes six digits, which float32 holds.

    Returns
    -------
    FM or FFM
        The one that the file holds. It normalises rows as xLearn does: an FFM by ``"instance"``, an FM by
        ``"xlearn"``.

    Raises
    ------
    ValueError
        If the file is not such a model, or is a linear one, or `fields` does not fit it.

    Notes
    -----
    Before version 0.32 xLearn wrote numbers without names (``bias:``, ``i_0:``, ``v_0:``). Such a file is
    read if it holds an FM of at least two factors. An FFM of that time is refused, because its numbers run
    together.

    Examples
    --------
    >>> import tempfile
    >>> from fastfm_c import FFM
    >>> from fastfm_c.interop import dump_xlearn_model, load_xlearn_model
    >>> ffm = FFM.random([0, 1, 1], 4)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     dump_xlearn_model(ffm, f"{folder}/model.txt")
    ...     load_xlearn_model(f"{folder}/model.txt", ffm.fields, normalize=False) == ffm
    True
    """
    dtype = as_real_dtype(dtype)
    with open_model_text(path) as lines:
        w0, w, V, is_ffm = (_unnamed if _is_number(lines.line) else _named)(lines, fields is not None, dtype)
    if not is_ffm:
        if fields is not None:
            raise ValueError(f"fields is given, but {lines.name} holds an FM")
        fm = FM(w0[0, 0], w[:, 0], V, normalize="xlearn" if normalize else None)
        fm.repeats = "separate"
        return fm
    if fields is None:
        raise ValueError(f"fields is None, but {lines.name} holds an FFM: expected the field of each feature")
    V = V.reshape(len(w), -1, V.shape[1])
    table, features = columns_of(fields, len(w), V.shape[1])
    if isinstance(table, FieldTable) and table.is_split:
        is_there = features >= 0
        w, V = (np.where(is_there.reshape(-1, *[1] * (a.ndim - 1)), a[features], 0) for a in (w, V))
    ffm = FFM(w0[0, 0], w[:, 0], V, table, normalize="instance" if normalize else None)
    ffm.repeats = "separate"
    return ffm


def dump_xlearn_model(model: FM | FFM, path: Source) -> None:
    """Write a model in xLearn's text format.

    Parameters
    ----------
    model : FM or FFM
        With one output. float32 is written with 9 digits and float64 with 17, which keep every bit. Its
        fields and its normalisation are not written, see `load_xlearn_model`.
    path : str, path-like or binary file

    Raises
    ------
    ValueError
        If xLearn has no such model.

    Notes
    -----
    xLearn writes this format for other programs. It reads only its own binary files.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> import numpy as np
    >>> from fastfm_c import FM
    >>> from fastfm_c.interop import dump_xlearn_model
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     dump_xlearn_model(FM(0.5, [1.0], np.array([[2.0, 0.25]])), f"{folder}/model.txt")
    ...     print(Path(folder, "model.txt").read_text(), end="")
    bias: 0.5
    i_0: 1
    v_0: 2 0.25
    """
    require_model(model, (FM, FFM), (None, "instance" if isinstance(model, FFM) else "xlearn"), "xLearn")
    features = range(model.n_features)
    prefixes = (f"v_{j}: " for j in features)
    if isinstance(model, FFM):
        prefixes = (f"v_{j}_{f}: " for j in features for f in range(model.n_fields))
    with open_model_text_output(path) as file:
        write_table(file, ["bias: "], np.full((1, 1), model.w0, model.dtype))
        write_table(file, (f"i_{j}: " for j in features), model.w[:, None])
        write_table(file, prefixes, model.V.reshape(-1, model.n_factors))


def _ffm_names(lines: LineReader, n_features: int) -> Iterator[str]:
    """v_0_0, v_0_1, ... as long as the next line is of feature 0, then as many for each other feature."""
    n_fields = 0
    while lines.line.startswith("v_0_"):
        yield f"v_0_{n_fields}"
        n_fields += 1
    for j in range(1, n_features):
        for field in range(n_fields):
            yield f"v_{j}_{field}"


def _named(lines: LineReader, has_fields: bool, dtype: np.dtype[Any]) -> _Tables:
    """The tables of a file that names each line."""
    w0 = lines.table(lines.named(["bias"]), dtype, 1)
    linear = takewhile(lambda _: lines.line.startswith("i_"), count())
    w = lines.table(lines.named(f"i_{j}" for j in linear), dtype, 1)
    if len(w) == 0:
        raise lines.error("'i_0:' and a number")
    if not lines.line.startswith("v_0"):
        raise lines.error("factors, 'v_0:' or 'v_0_0:'; an FM has at least one, a linear model has none")
    is_ffm = lines.line.startswith("v_0_")
    names = _ffm_names(lines, len(w)) if is_ffm else (f"v_{j}" for j in range(len(w)))
    V = lines.table(lines.named(names), dtype)
    lines.end()
    return w0, w, V, is_ffm


def _is_number(line: str) -> bool:
    """Whether a line, or a word, is one number."""
    word = line.strip()
    return len(word) <= _LONGEST_NUMBER and _NUMBER.fullmatch(word) is not None


def _unnamed(lines: LineReader, has_fields: bool, dtype: np.dtype[Any]) -> _Tables:
    """The tables of an old file, which has only numbers: the bias, a weight a line, then factors.

    Lines of one number are weights, so one factor cannot be told from them. xLearn 0.30 and 0.31 wrote all
    vectors of a feature of an FFM on one line, without a blank between them, where numbers run together.
    """
    again = "train it with xLearn 0.32 or later, which names each line"
    single = takewhile(lambda _: _is_number(lines.line), count())
    numbers = lines.table(_lines(lines, single), dtype, 1)
    n_features, first_line, first = len(numbers) - 1, lines.line_number, lines.line
    if n_features < 1 and first:
        raise lines.error("a number: the weight of feature 0")
    if not first:
        raise lines.error(f"lines of two or more factors; without names, one or none cannot be told: {again}")
    if any(_RUN_TOGETHER.fullmatch(word) and not _is_number(word) for word in first.split()):
        raise lines.error(f"numbers; those of an old FFM run together, and cannot be told: {again}")
    V = lines.table(lines.until("#"), dtype)
    lines.end()
    n_vectors = len(V) / n_features
    if n_vectors % 1 or n_vectors < 1 or (n_vectors > 1 and not has_fields):
        wanted = "as many for each" if has_fields else "one for each"
        wanted = f"lines of factors, {wanted} of {n_features} features; there are {len(V)}"
        raise lines.error(wanted, first, first_line)
    return numbers[:1], numbers[1:], V, has_fields


def _lines(lines: LineReader, which: Iterable[int]) -> Iterator[str]:
    """Read a line for each item."""
    for _ in which:
        line = lines.line
        lines.advance()
        yield line
