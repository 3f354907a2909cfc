"""Files that a caller has opened: read from where they stand, written to as they are, and left open."""

import contextlib
import io
import os
from collections.abc import Callable, Iterator
from typing import Any, BinaryIO, TypeAlias

__all__ = ["Source", "is_file", "open_input", "open_output", "write_to"]

Source: TypeAlias = str | bytes | os.PathLike[Any] | BinaryIO

_BYTES_AT_ONCE = 1 << 22  # that are copied on the way from or to a file
_NOT_BINARY = "path is a file that is not open for binary {}: open it with mode {!r}"


def is_file(source: Any) -> bool:
    """Whether this is a file object, and not a path. Some paths have a method `read`, too."""
    if isinstance(source, str | bytes | os.PathLike):
        return False
    return any(hasattr(source, name) for name in ("readinto", "read", "write"))


class _Rest(io.RawIOBase):
    """What is left of an open file. The place where the file stands now is 0."""

    def __init__(self, file: Any) -> None:
        self._file, self._start = file, int(file.tell())

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._file.seek(offset + (self._start if whence == os.SEEK_SET else 0), whence)
        return self.tell()

    def tell(self) -> int:
        return int(self._file.tell()) - self._start

    def readinto(self, target: Any) -> int:
        piece = self._file.read(min(len(target), _BYTES_AT_ONCE))
        target[: len(piece)] = piece
        return len(piece)


@contextlib.contextmanager
def open_input(source: Any) -> Iterator[tuple[BinaryIO, int, str]]:
    """Give a binary file, which begins at 0, its number of bytes, and its name. A path is opened.

    An open file is read from where it stands. It stands at its end afterwards.
    """
    if not is_file(source):
        path = os.fsdecode(source)
        with open(path, "rb") as file:
            yield file, os.fstat(file.fileno()).st_size, path
        return
    name = str(getattr(source, "name", "<file>"))
    is_readable = hasattr(source, "read") and (not hasattr(source, "readable") or source.readable())
    if not is_readable or not isinstance(source.read(0), bytes):
        raise ValueError(_NOT_BINARY.format("reading", "rb"))
    if not (hasattr(source, "seekable") and source.seekable()):
        content = source.read()
        yield io.BytesIO(content), len(content), name
        return
    rest = _Rest(source)
    size = rest.seek(0, os.SEEK_END)
    rest.seek(0)
    yield io.BufferedReader(rest), size, name
    rest.seek(size)


class _Output(io.RawIOBase):
    """An open file that the caller keeps: closing this one does not close it."""

    def __init__(self, file: Any) -> None:
        self._file = file

    def writable(self) -> bool:
        return True

    def write(self, content: Any) -> int:
        piece = bytes(content[:_BYTES_AT_ONCE])
        write_to(self._file, piece)
        return len(piece)


def open_output(target: Any, opener: Callable[..., Any] = open) -> Any:
    """Open a path to write a binary file, by `opener`. A file that is open is written to, and left open."""
    if not is_file(target):
        return opener(target, "wb")
    is_writable = hasattr(target, "write") and (not hasattr(target, "writable") or target.writable())
    if not is_writable or isinstance(target, io.TextIOBase):
        raise ValueError(_NOT_BINARY.format("writing", "wb"))
    return io.BufferedWriter(_Output(target))


def write_to(file: Any, content: bytes) -> None:
    """Write all of these bytes, also to a file that takes a part of them at a time."""
    while content:
        try:
            written = file.write(content)
        except TypeError as error:  # a wrapper around a file of text, as of the module tempfile
            raise ValueError(_NOT_BINARY.format("writing", "wb")) from error
        if written == 0 or (written is None and isinstance(file, io.RawIOBase)):
            raise BlockingIOError("path is a file that takes no bytes now, expected one that waits")
        content = content[written:] if isinstance(written, int) else b""
