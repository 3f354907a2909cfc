"""What model files of other programs have in common: tables of numbers in text, and models that fit them."""

import os
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any, TextIO

import numpy as np
from numpy.typing import NDArray

from fastfm_c.models import FFM
from fastfm_c._validation import aligned_zeros

__all__ = ["Lines", "PathLike", "open_text", "require_model", "write_table"]

PathLike = str | os.PathLike[str]

_BLOCK = 1 << 12  # lines parsed or formatted at a time


class Lines:
    """A text file line by line: `line` is the next one to read, "" at the end, `number` counts from 1."""

    def __init__(self, file: TextIO, path: PathLike) -> None:
        self._file, self._path, self.number = file, path, 0
        self.advance()

    def advance(self) -> None:
        self.line = self._file.readline()
        self.number += 1

    def skip(self, line: str) -> bool:
        """Whether this was the next line."""
        found = self.line.rstrip() == line
        if found:
            self.advance()
        return found

    def until(self, prefix: str) -> Iterator[str]:
        """The lines before one that begins so, or the end."""
        while self.line and not self.line.startswith(prefix):
            line = self.line
            self.advance()
            yield line

    def named(self, names: Iterable[str]) -> Iterator[str]:
        """What stands behind ``name:`` on the next lines, which have these names."""
        for name in names:
            found, _, numbers = self.line.partition(":")
            if found != name:
                raise self.error(f"'{name}:' and numbers")
            self.advance()
            yield numbers

    def table(self, rows: Iterator[str], dtype: np.dtype[Any], n_columns: int | None = None) -> NDArray[Any]:
        """Numbers of equally many columns, at least 1; `rows` come from the methods above."""
        number, blocks = self.number, []
        while block := list(islice(rows, _BLOCK)):
            n_columns = n_columns or len(block[0].split())
            numbers = _parse(block, dtype)
            if numbers is None or numbers.shape[1] != n_columns:
                bad = next((i for i, row in enumerate(block) if not _fits(row, dtype, n_columns)), 0)
                wanted = f"{n_columns} finite number{'s'[: n_columns != 1]}" if n_columns else "numbers"
                raise self.error(wanted, block[bad], number + bad)
            blocks.append(numbers)
            number += len(block)
        table = aligned_zeros((sum(map(len, blocks)), n_columns or 0), dtype)
        return np.concatenate(blocks, out=table) if blocks else table

    def end(self) -> None:
        if self.line:
            raise self.error("the end of the file")

    def error(self, wanted: str, line: str | None = None, number: int | None = None) -> ValueError:
        line = self.line if line is None else line
        found = repr(line.strip()[:50]) if line else "the end of the file"
        return ValueError(f"{self._path}, line {number or self.number}: found {found}, expected {wanted}")


def _fits(row, dtype, n_columns):
    numbers = _parse([row], dtype)
    return numbers is not None and numbers.shape[1] == n_columns


def _parse(rows, dtype):
    """The numbers of all rows, or None if there is anything else."""
    if not rows[0].strip():  # loadtxt warns of rows that are all blank
        return None
    try:
        with np.errstate(all="ignore"):
            numbers = np.loadtxt(rows, dtype, comments=None, ndmin=2, encoding="utf-8")
    except ValueError:
        return None
    return numbers if len(numbers) == len(rows) and np.isfinite(numbers).all() else None


def write_table(file: TextIO, names: Iterable[str], table: NDArray[Any]) -> None:
    """One line for each row: its name, as it is, and its numbers."""
    number = "%.9g" if table.dtype == np.float32 else "%.17g"
    form = " ".join([number] * table.shape[1]) + "\n"
    names = iter(names)
    for start in range(0, len(table), _BLOCK):
        rows = table[start : start + _BLOCK].tolist()
        file.writelines(name + form % tuple(row) for row, name in zip(rows, names, strict=False))


def open_text(path: PathLike) -> TextIO:
    return open(path, encoding="utf-8", errors="replace")  # what isn't text becomes a number's error


def require_model(model, kind, normalizations, program):
    if not isinstance(model, kind):
        names = " or ".join(k.__name__ for k in (kind if isinstance(kind, tuple) else (kind,)))
        raise ValueError(f"model is {type(model).__name__}, {program} holds {names}")
    if model.V.ndim != (3 if isinstance(model, FFM) else 2):
        raise ValueError(f"model has {model.n_outputs} outputs, {program} holds one")
    if model.normalize not in normalizations:
        wanted = " or ".join(map(repr, normalizations))
        raise ValueError(f"model.normalize is {model.normalize!r}, {program} has {wanted}")
    for name in ("w0", "w", "V"):
        if not np.isfinite(getattr(model, name)).all():
            raise ValueError(f"model.{name} holds values that are not finite")
