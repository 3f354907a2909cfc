"""Files of text, compressed or not, in chunks of whole lines."""

import bz2
import gzip
import importlib
import io
import lzma
import os
import re
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

    def __init__(self, module: Any, path: Any):
        self._file = open(path, "rb")  # noqa: SIM115
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

    def close(self) -> None:
        self._file.close()
        super().close()


def _open_zstd(path: Any, mode: str) -> Any:
    try:
        return importlib.import_module("compression.zstd").open(path, mode)
    except ImportError:
        pass
    try:
        module = importlib.import_module("zstandard")
    except ImportError as error:
        raise ImportError("zstd files need Python 3.14, or the zstandard package") from error
    return _Zstandard(module, path) if mode == "rb" else module.open(path, mode)


_OPEN: dict[str, Any] = {"gz": gzip.open, "bz2": bz2.open, "xz": lzma.open, "zst": _open_zstd}
_MAGIC = {b"\x1f\x8b": "gz", b"BZh": "bz2", b"\xfd7zXZ\0": "xz", b"\x28\xb5\x2f\xfd": "zst"}


@contextmanager
def open_text(source: Any) -> Iterator[tuple[Any, str]]:
    """(binary file, its name) of a path, or of a binary file, which is read on and left open."""
    if hasattr(source, "readinto"):
        yield source, str(getattr(source, "name", "<file>"))
        return
    if hasattr(source, "read"):
        raise ValueError("path is a file that is not open for binary reading: open it with mode 'rb'")
    path = os.fspath(source)
    with open(path, "rb") as file:
        start = file.read(6)
    kind = next((kind for magic, kind in _MAGIC.items() if start.startswith(magic)), None)
    with _OPEN[kind](path, "rb") if kind else open(path, "rb", buffering=0) as file:
        yield file, os.fsdecode(path)


def open_output(path: Any) -> Any:
    """A binary file to write, compressed as the suffix says."""
    path = os.fspath(path)
    open_compressed = _OPEN.get(os.fsdecode(path).rpartition(".")[2])
    return open_compressed(path, "wb") if open_compressed else open(path, "wb")


@dataclass
class Place:
    """Where a chunk of whole lines comes from."""

    name: str
    line: int = 1
    buffer: bytearray = field(default_factory=bytearray)

    def error(self, line: int, column: int, problem: str) -> ValueError:
        return ValueError(f"{self.name}:{line}:{column}: {problem}")

    def fault(self, offset: int, expected: str) -> ValueError:
        """The error of a fault at this byte of the chunk."""
        line = self.line + self.buffer.count(b"\n", 0, offset)
        column = offset - self.buffer.rfind(b"\n", 0, offset)
        token = re.match(rb"[^ \t\r\n]*", self.buffer[offset : offset + LONGEST_TOKEN])
        found = repr(bytes(token[0]))[1:] if token and token[0] else "the end of the line"
        return self.error(line, column, f"found {found}, expected {expected}")

    def column(self, line: int, number: int) -> int:
        """Where value `number` of a sound line begins."""
        text = bytes(self.buffer).split(b"\n")[line - self.line]
        return [token.start() for token in re.finditer(rb"[^ \t\r]+", text)][number + 1] + 1


def whole_lines(file: Any, place: Place) -> Iterator[tuple[np.ndarray, int]]:
    """(array, n_bytes) of chunk after chunk, each ending with a line; sets place.buffer.

    The reader of the chunks counts place.line on.
    """
    place.buffer, kept = bytearray(CHUNK_BYTES), 0
    while True:
        n_bytes = _fill(file, place, kept)
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


def _fill(file: Any, place: Place, begin: int) -> int:
    """Reads into place.buffer from `begin` until it is full or the file ends; returns where that is."""
    with memoryview(place.buffer) as view:
        while begin < len(view):
            try:
                size = file.readinto(view[begin:])
            except Exception as error:
                # An OSError without a number is bz2's or gzip's; compression.zstd need not be there.
                kinds = (EOFError, OSError, lzma.LZMAError, zlib.error)
                is_damage = isinstance(error, kinds) or type(error).__name__ == "ZstdError"
                if not is_damage or getattr(error, "errno", None) is not None:
                    raise
                raise ValueError(f"{place.name}: damaged compressed data ({error})") from error
            if not size:
                break
            begin += size
    return begin
