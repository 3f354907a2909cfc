"""Files of text, compressed or not, in chunks of whole lines."""

import bz2
import codecs
import gzip
import importlib
import io
import lzma
import os
import re
import stat
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np

CHUNK_BYTES = 1 << 23
LONGEST_LINE = 1 << 30
LONGEST_TOKEN = 30  # bytes of it that a message shows


class _Zstandard(io.RawIOBase):
    """A zstd file through the zstandard package, whose own reader takes a cut file for a whole one."""

    def __init__(self, module: Any, file: Any):
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
_OTHER_TEXT = {  # by byte order mark; the longer ones first, since they begin with the others
    codecs.BOM_UTF32_LE: "UTF-32",
    codecs.BOM_UTF32_BE: "UTF-32",
    codecs.BOM_UTF16_LE: "UTF-16",
    codecs.BOM_UTF16_BE: "UTF-16",
}


class _Stream(io.RawIOBase):
    """Bytes that have been read from a file already, and the rest of the file."""

    def __init__(self, file: Any, head: bytes = b""):
        self._file, self._head = file, head

    def readable(self) -> bool:
        return True

    def readinto(self, target: Any) -> int | None:
        piece = self._head[: len(target)]
        if piece:
            self._head = self._head[len(piece) :]
        elif hasattr(self._file, "readinto"):
            return self._file.readinto(target)
        elif (piece := self._file.read(len(target))) is None:
            return None
        if isinstance(piece, str):
            raise ValueError("path is a file that is not open for binary reading: open it with mode 'rb'")
        target[: len(piece)] = piece
        return len(piece)


def is_file(source: Any) -> bool:
    return hasattr(source, "readinto") or hasattr(source, "read")


def can_be_read_again(source: Any) -> bool:
    """Whether a path or a file is no pipe, terminal or the like."""
    if is_file(source):
        return hasattr(source, "seekable") and source.seekable()
    try:
        mode = os.stat(source).st_mode
    except OSError:  # which opening it will tell
        return True
    return not (stat.S_ISFIFO(mode) or stat.S_ISCHR(mode) or stat.S_ISSOCK(mode))


@contextmanager
def open_text(source: Any) -> Iterator[tuple[Any, str]]:
    """(binary file, its name) of a path, or of a binary file, which is read on and left open."""
    if is_file(source):
        if hasattr(source, "readable") and not source.readable():
            raise ValueError("path is a file that is not open for reading: open it with mode 'rb'")
        file = source if hasattr(source, "readinto") else _Stream(source)
        yield file, str(getattr(source, "name", "<file>"))
        return
    path = os.fspath(source)
    with open(path, "rb", buffering=0) as raw:  # once: what has been read of a pipe is gone
        head = b""
        while len(head) < _LONGEST_MAGIC and (piece := raw.read(_LONGEST_MAGIC - len(head))):
            head += piece
        kind = next((kind for magic, kind in _MAGIC.items() if head.startswith(magic)), None)
        stream = _Stream(raw, head)
        with _OPEN[kind](io.BufferedReader(stream), "rb") if kind else stream as file:
            yield file, os.fsdecode(path)


def open_output(path: Any) -> Any:
    """A binary file to write, compressed as the suffix says."""
    path = os.fspath(path)
    open_compressed = _OPEN.get(os.fsdecode(path).rpartition(".")[2])
    return open_compressed(path, "wb") if open_compressed else open(path, "wb")


# What a value looks like in the format that is not being read, and what reads that.
_OTHER_FORMAT = {
    False: (rb"\d+:\d+:[^:]+", "load_libffm reads field:index:value"),
    True: (rb"\d+:[^:]+", "load_libsvm reads index:value"),
}


@dataclass
class Place:
    """Where a chunk of whole lines comes from."""

    name: str
    line: int = 1
    buffer: bytearray = field(default_factory=bytearray)

    def error(self, line: int, column: int, problem: str) -> ValueError:
        return ValueError(f"{self.name}:{line}:{column}: {problem}")

    def fault(self, offset: int, expected: str, has_fields: bool) -> ValueError:
        """The error of a fault at this byte of the chunk, in the format with or without fields."""
        line = self.line + self.buffer.count(b"\n", 0, offset)
        column = offset - self.buffer.rfind(b"\n", 0, offset)
        token = re.match(rb"[^ \t\r\n]*", self.buffer[offset : offset + LONGEST_TOKEN])
        found = repr(bytes(token[0]))[1:] if token and token[0] else "the end of the line"
        begun = re.search(rb"[^ \t\r\n]*\Z", self.buffer[max(offset - LONGEST_TOKEN, 0) : offset])
        whole = (begun[0] if begun else b"") + (token[0] if token else b"")
        other, reads = _OTHER_FORMAT[has_fields]
        hint = f" ({reads})" if re.fullmatch(other, whole) else ""
        return self.error(line, column, f"found {found}, expected {expected}{hint}")

    def column(self, line: int, number: int) -> int:
        """Where value `number` of a sound line begins."""
        text = bytes(self.buffer).split(b"\n")[line - self.line]
        return [token.start() for token in re.finditer(rb"[^ \t\r]+", text)][number + 1] + 1


def whole_lines(file: Any, place: Place) -> Iterator[tuple[np.ndarray, int]]:
    """(array, n_bytes) of chunk after chunk, each ending with a line; sets place.buffer.

    The reader of the chunks counts place.line on.
    """
    place.buffer, kept, is_first = bytearray(CHUNK_BYTES), 0, True
    while True:
        n_bytes = _fill(file, place, kept)
        if is_first:
            _skip_mark(place)
            is_first = False
        if n_bytes == len(place.buffer):
            end = place.buffer.rfind(b"\n", kept) + 1
            if end == 0:
                if n_bytes >= LONGEST_LINE:
                    raise place.error(place.line, 1, f"found a line of more than {LONGEST_LINE} bytes")
                place.buffer, kept = place.buffer + bytearray(n_bytes), n_bytes
                continue
        else:
            if n_bytes and place.buffer[n_bytes - 1 : n_bytes] != b"\n":
                place.buffer[n_bytes : n_bytes + 1] = b"\n"
                n_bytes += 1
            end = n_bytes
        yield np.frombuffer(place.buffer, np.uint8), end
        if n_bytes < len(place.buffer) or end == 0:
            return
        kept = n_bytes - end
        place.buffer[:kept] = place.buffer[end:n_bytes]


def _skip_mark(place: Place) -> None:
    """Blanks instead of the byte order mark of UTF-8, with which columns stay what they are."""
    for mark, encoding in _OTHER_TEXT.items():
        if place.buffer.startswith(mark):
            raise place.error(1, 1, f"found text in {encoding}, expected ASCII or UTF-8")
    if place.buffer.startswith(codecs.BOM_UTF8):
        place.buffer[:3] = b"   "


def _fill(file: Any, place: Place, begin: int) -> int:
    """Reads into place.buffer from `begin` until it is full or the file ends; returns where that is."""
    with memoryview(place.buffer) as view:
        while begin < len(view):
            try:
                size = file.readinto(view[begin:])
            except Exception as error:
                if not _is_damage(error, file):
                    raise
                raise ValueError(f"{place.name}: damaged compressed data ({error})") from error
            if size is None:
                raise ValueError(
                    f"{place.name}: no data are ready, expected a file that blocks until there are"
                )
            if not size:
                break
            begin += size
    return begin


def _is_damage(error: Exception, file: Any) -> bool:
    """Whether an error of reading tells of compressed data, and not of the disk."""
    if isinstance(file, bz2.BZ2File) and isinstance(error, OSError):
        return error.errno is None  # bz2 has no error of its own
    kinds = (EOFError, gzip.BadGzipFile, lzma.LZMAError, zlib.error)
    return isinstance(error, kinds) or type(error).__name__ == "ZstdError"  # whose module need not be there
