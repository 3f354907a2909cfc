"""What model files of other programs have in common: tables of numbers in text, and models that fit them."""

import contextlib
import io
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, TextIO

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastfm_c._field_table import FieldTable, as_fields
from fastfm_c._open_files import Source, open_input, open_output
from fastfm_c._validation import aligned_zeros
from fastfm_c.models import FFM

__all__ = [
    "LineReader",
    "Source",
    "columns_of",
    "open_model_text",
    "open_model_text_output",
    "require_model",
    "write_table",
]

_LINES_AT_ONCE = 1 << 12  # lines that are parsed or formatted at a time, so that memory holds few of them


class LineReader:
    """Reads a text file line by line.

    `line` is the next line, "" at the end of the file. `line_number` is its number, counted from 1.
    """

    def __init__(self, file: TextIO, name: str) -> None:
        self._file, self.name, self.line_number = file, name, 0
        self._n_blank, self._next = 0, ""  # blank lines that were read already, and the line behind them
        self.ends_blank = False  # whether there were blank lines at the end
        self.advance()

    def advance(self) -> None:
        """Go to the next line. Blank lines at the end of the file are none."""
        self.line_number += 1
        if self._n_blank:
            self._n_blank -= 1
            self.line = "\n"
            return
        self.line, self._next = self._next or self._file.readline(), ""
        if not self.line.isspace():
            return
        while (line := self._file.readline()).isspace():
            self._n_blank += 1
        self._next = line
        if not line:
            self.line, self._n_blank, self.ends_blank = "", 0, True

    def skip(self, line: str) -> bool:
        """Go on if this is the next line, and say whether it was."""
        is_found = self.line.rstrip() == line
        if is_found:
            self.advance()
        return is_found

    def until(self, prefix: str) -> Iterator[str]:
        """Read the lines before one that begins with `prefix`, or before the end."""
        while self.line and not self.line.startswith(prefix):
            line = self.line
            self.advance()
            yield line

    def named(self, names: Iterable[str]) -> Iterator[str]:
        """Read lines that begin with ``name:``, for each of the names, and give what follows."""
        for name in names:
            found, _, numbers = self.line.partition(":")
            if found != name:
                raise self.error(f"'{name}:' and numbers")
            self.advance()
            yield numbers

    def table(self, rows: Iterator[str], dtype: np.dtype[Any], n_columns: int | None = None) -> NDArray[Any]:
        """The numbers of rows that have equally many, at least one.

        `rows` come from `until` or `named`. The first row decides about the number of columns, if it is not
        given.
        """
        line_number, pieces = self.line_number, []
        while texts := list(islice(rows, _LINES_AT_ONCE)):
            n_columns = n_columns or len(texts[0].split())
            numbers = _parse(texts, dtype)
            if numbers is None or numbers.shape[1] != n_columns:
                bad = next((i for i, text in enumerate(texts) if not _fits(text, dtype, n_columns)), 0)
                wanted = f"{n_columns} finite number{'s'[: n_columns != 1]}" if n_columns else "numbers"
                raise self.error(wanted, texts[bad], line_number + bad)
            pieces.append(numbers)
            line_number += len(texts)
        table: NDArray[Any] = aligned_zeros((sum(map(len, pieces)), n_columns or 0), dtype)
        return np.concatenate(pieces, out=table) if pieces else table

    def end(self) -> None:
        """Check that there are no more lines."""
        if self.line:
            raise self.error("the end of the file")

    def error(self, wanted: str, line: str | None = None, line_number: int | None = None) -> ValueError:
        """An error that says what was found, by default the next line, and what was expected."""
        line = self.line if line is None else line
        found = repr(line.strip()[:50]) if line else "the end of the file"
        place = f"{self.name}, line {line_number or self.line_number}"
        return ValueError(f"{place}: found {found}, expected {wanted}")


def _fits(text: str, dtype: np.dtype[Any], n_columns: int) -> bool:
    numbers = _parse([text], dtype)
    return numbers is not None and numbers.shape[1] == n_columns


def _parse(texts: list[str], dtype: np.dtype[Any]) -> NDArray[Any] | None:
    """The numbers of all rows, or None if there is anything else."""
    if not texts[0].strip():  # loadtxt warns if all rows are blank
        return None
    try:
        with np.errstate(all="ignore"):
            numbers = np.loadtxt(texts, dtype, comments=None, ndmin=2, encoding="utf-8")
    except ValueError:
        return None
    return numbers if len(numbers) == len(texts) and np.isfinite(numbers).all() else None


def write_table(file: TextIO, prefixes: Iterable[str], table: NDArray[Any]) -> None:
    """Write a line for each row: its prefix and its numbers, with as many digits as keep every bit."""
    number = "%.9g" if table.dtype == np.float32 else "%.17g"
    template = " ".join([number] * table.shape[1]) + "\n"
    prefixes = iter(prefixes)
    for begin in range(0, len(table), _LINES_AT_ONCE):
        rows = table[begin : begin + _LINES_AT_ONCE].tolist()
        lines = (prefix + template % tuple(row) for row, prefix in zip(rows, prefixes, strict=False))
        file.writelines(lines)


@contextlib.contextmanager
def open_model_text(path: Source) -> Iterator["LineReader"]:
    """Read the lines of a file. Bytes that are not text become characters that no number has."""
    with open_input(path) as (file, _, name):
        text = io.TextIOWrapper(file, encoding="utf-8", errors="replace")
        yield LineReader(text, name)
        text.detach()


def open_model_text_output(path: Source) -> TextIO:
    """Open a path to write lines, which end in one byte on all systems. A file that is open is left open."""
    return io.TextIOWrapper(open_output(path), encoding="ascii", newline="\n")


def require_model(
    model: Any, types: tuple[type[Any], ...], normalizations: tuple[str | None, ...], program: str
) -> None:
    """Check that a program has such models: with one output, finite, of these types and normalizations."""
    if not isinstance(model, types):
        names = " or ".join(type_.__name__ for type_ in types)
        raise ValueError(f"model is {type(model).__name__}, {program} holds {names}")
    if model.V.ndim != (3 if isinstance(model, FFM) else 2):
        raise ValueError(f"model has {model.n_outputs} outputs, {program} holds one")
    if model.normalize not in normalizations:
        wanted = " or ".join(map(repr, normalizations))
        raise ValueError(f"model.normalize is {model.normalize!r}, {program} has {wanted}")
    for name in ("w0", "w", "V"):
        if not np.isfinite(getattr(model, name)).all():
            raise ValueError(f"model.{name} holds values that are not finite")


def columns_of(
    fields: ArrayLike, n_features: int, n_fields: int
) -> tuple[NDArray[np.int32], NDArray[np.int64]]:
    """The fields of a model's columns, checked, and the feature of each column in the model's file.

    A table of pairs may have several columns for a feature. A column that is still free, of a feature -1,
    gets no parameters from the file.
    """
    is_split = isinstance(fields, FieldTable) and fields.is_split
    table = as_fields(fields, None if is_split else n_features, n_fields)
    features = table.features if isinstance(table, FieldTable) else np.arange(n_features)
    for j in np.flatnonzero(features >= n_features)[:1]:
        raise ValueError(f"fields.features[{j}] is {features[j]}, expected less than {n_features}")
    return table, features
