"""Files of text, compressed or not, in chunks of whole lines."""

import bz2
import codecs
import gzip
import importlib
import io
import lzma
import os
import stat
import zlib
from collections.abc import Iterable, Iterator, Mapping, Set
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastfm_c._open_files import is_file, open_output
from fastfm_c.text._chunks import Chunk

__all__ = ["can_be_read_again", "open_text", "open_text_output", "parts_of", "whole_lines"]

# Tests set these to small numbers, so that a short text has several chunks, or a line that is too long.
CHUNK_BYTES = 1 << 23
LONGEST_LINE = 1 << 30


class _Zstandard(io.RawIOBase):
    """A zstd file read by the zstandard package, whose own reader does not notice that a file is cut."""

    def __init__(self, module: Any, file: Any) -> None:
        self._file = file
        self._error, self._new_frame = module.ZstdError, module.ZstdDecompressor().decompressobj
        self._frame, self._is_inside, self._ready = self._new_frame(), False, b""

    def readable(self) -> bool:
        return True

    def readinto(self, target: Any) -> int:
        while not self._ready:
            rest = b""
            if self._frame.eof:
                rest, self._frame, self._is_inside = self._frame.unused_data, self._new_frame(), False
            piece = rest or self._file.read(1 << 16)
            if not piece:
                if self._is_inside:
                    raise EOFError("the file ends inside a frame")
                return 0
            try:
                self._ready, self._is_inside = self._frame.decompress(piece), True
            except self._error as error:
                raise EOFError(str(error)) from error
        size = min(len(target), len(self._ready))
        target[:size], self._ready = self._ready[:size], self._ready[size:]
        return size


def _open_zstd(file: Any, mode: str) -> Any:
    try:
        return importlib.import_module("compression.zstd").open(file, mode)
    except ImportError:
        pass
    try:
        module = importlib.import_module("zstandard")
    except ImportError as error:
        raise ImportError("zstd files need Python 3.14, or the zstandard package") from error
    return _Zstandard(module, file) if mode == "rb" else module.open(file, mode)


_OPEN: dict[str, Any] = {"gz": gzip.open, "bz2": bz2.open, "xz": lzma.open, "zst": _open_zstd}
_MAGIC = {b"\x1f\x8b": "gz", b"BZh": "bz2", b"\xfd7zXZ\0": "xz", b"\x28\xb5\x2f\xfd": "zst"}
_LONGEST_MAGIC = max(map(len, _MAGIC))
_OTHER_TEXT = {  # by byte order mark; long marks first, because they begin with short ones
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}


class _Stream(io.RawIOBase):
    """Bytes that were read from a file already, and then the rest of the file."""

    def __init__(self, file: Any, head: bytes = b"") -> None:
        self._file, self._head = file, head

    def readable(self) -> bool:
        return True

    def readinto(self, target: Any) -> int | None:
        piece = self._head[: len(target)]
        if piece:
            self._head = self._head[len(piece) :]
        elif hasattr(self._file, "readinto"):
            size: int | None = self._file.readinto(target)
            return size
        elif (piece := self._file.read(len(target))) is None:
            return None
        if isinstance(piece, str):
            raise ValueError("path is a file that is not open for binary reading: open it with mode 'rb'")
        target[: len(piece)] = piece
        return len(piece)


def parts_of(source: Any) -> list[Any]:
    """The paths and files of a source, which is one of them or several.

    Raises
    ------
    ValueError
        If it has no order, is empty, or names an open file twice.
    """
    if is_file(source) or isinstance(source, str | bytes | os.PathLike) or not isinstance(source, Iterable):
        return [source]
    if isinstance(source, Set | Mapping):
        raise ValueError(f"path is a {type(source).__name__}, expected a path, a file, or a list of them")
    parts = list(source)
    if not parts:
        raise ValueError("path is an empty list, expected at least one file")
    files = [id(part) for part in parts if is_file(part)]
    if len(set(files)) < len(files):
        raise ValueError("path holds the same open file twice, and each can be read once")
    return parts


def can_be_read_again(source: Any) -> bool:
    """Whether a path or a file can be read twice, as a pipe or a terminal cannot."""
    if is_file(source):
        return hasattr(source, "seekable") and bool(source.seekable())
    try:
        mode = os.stat(source).st_mode
    except OSError:  # raised again when the path is opened
        return True
    return not (stat.S_ISFIFO(mode) or stat.S_ISCHR(mode) or stat.S_ISSOCK(mode))


@contextmanager
def open_text(source: Any, name: str = "<file>") -> Iterator[tuple[Any, str]]:
    """Open a path to read, and give the binary file and its name. A binary file is read on and left open.

    `name` is for a file that has none.
    """
    if is_file(source):
        if hasattr(source, "readable") and not source.readable():
            raise ValueError("path is a file that is not open for reading: open it with mode 'rb'")
        file = source if hasattr(source, "readinto") else _Stream(source)
        yield file, str(getattr(source, "name", name))
        return
    path = os.fspath(source)
    with open(path, "rb", buffering=0) as raw:  # only once, because bytes of a pipe can be read only once
        head = b""
        while len(head) < _LONGEST_MAGIC and (piece := raw.read(_LONGEST_MAGIC - len(head))):
            head += piece
        suffix = next((suffix for magic, suffix in _MAGIC.items() if head.startswith(magic)), None)
        stream = _Stream(raw, head)
        with _OPEN[suffix](io.BufferedReader(stream), "rb") if suffix else stream as file:
            yield file, os.fsdecode(path)


def open_text_output(path: Any) -> Any:
    """Open a path to write a binary file, compressed as its suffix says. A binary file is left open."""
    if is_file(path):
        return open_output(path)
    path = os.fspath(path)
    return open_output(path, _OPEN.get(os.fsdecode(path).rpartition(".")[2], open))


def whole_lines(file: Any, chunk: Chunk) -> Iterator[tuple[NDArray[np.uint8], int]]:
    """Read the lines of a file, chunk by chunk.

    This sets ``chunk.buffer``. Whoever reads the chunks adds their numbers of lines to ``chunk.first_line``.

    Yields
    ------
    array of uint8, int
        The memory of the buffer, and how many bytes the lines have in it.
    """
    chunk.buffer, kept, is_first = bytearray(CHUNK_BYTES), 0, True
    while True:
        n_bytes = _fill(file, chunk, kept)
        if is_first:
            _skip_mark(chunk)
            is_first = False
        if n_bytes == len(chunk.buffer):
            end = chunk.buffer.rfind(b"\n", kept) + 1
            if end == 0:
                if n_bytes >= LONGEST_LINE:
                    raise chunk.error(chunk.first_line, 1, f"found a line of more than {LONGEST_LINE} bytes")
                chunk.buffer, kept = chunk.buffer + bytearray(n_bytes), n_bytes
                continue
        else:
            if n_bytes and chunk.buffer[n_bytes - 1 : n_bytes] != b"\n":
                chunk.buffer[n_bytes : n_bytes + 1] = b"\n"
                n_bytes += 1
            end = n_bytes
        yield np.frombuffer(chunk.buffer, np.uint8), end
        if n_bytes < len(chunk.buffer) or end == 0:
            return
        kept = n_bytes - end
        chunk.buffer[:kept] = chunk.buffer[end:n_bytes]


def _skip_mark(chunk: Chunk) -> None:
    """Replace a byte order mark of UTF-8 by blanks, so that columns stay the same. Refuse other marks."""
    for mark, encoding in _OTHER_TEXT.items():
        if chunk.buffer.startswith(mark):
            raise chunk.error(1, 1, f"found text in {encoding}, expected ASCII or UTF-8")
    if chunk.buffer.startswith(codecs.BOM_UTF8):
        chunk.buffer[:3] = b"   "


def _fill(file: Any, chunk: Chunk, begin: int) -> int:
    """Read into ``chunk.buffer`` from `begin` until it is full or the file ends; return the end."""
    with memoryview(chunk.buffer) as view:
        while begin < len(view):
            try:
                size = file.readinto(view[begin:])
            except Exception as error:
                if not _is_damage(error, file):
                    raise
                raise ValueError(f"{chunk.name}: damaged compressed data ({error})") from error
            if size is None:
                raise ValueError(
                    f"{chunk.name}: no data are ready, expected a file that blocks until there are"
                )
            if not size:
                break
            begin += size
    return begin


def _is_damage(error: Exception, file: Any) -> bool:
    """Whether an error comes from damaged compressed data, and not from the disk."""
    if isinstance(file, bz2.BZ2File) and isinstance(error, OSError):
        return error.errno is None  # bz2 has no error class
    damage = (EOFError, gzip.BadGzipFile, lzma.LZMAError, zlib.error)
    return isinstance(error, damage) or type(error).__name__ == "ZstdError"  # its module may not be there
