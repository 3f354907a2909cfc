"""The safetensors format: named arrays and a dictionary of strings in one file.

A file is the length of its header (8 bytes, little-endian), the header (JSON), and the arrays' bytes. Nothing
of it is believed before it has been checked against the size of the file.
"""

import json
import math
import os
from collections.abc import Mapping
from mmap import ACCESS_READ
from mmap import mmap as map_file
from typing import Any, BinaryIO, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastfm_c._validation import ALIGNMENT, aligned_zeros

__all__ = ["parse_json", "read", "write"]

Tensors: TypeAlias = dict[str, NDArray[Any]]

_DTYPES = {
    name: np.dtype(code)
    for name, code in {
        **{"BOOL": "?", "I8": "i1", "I16": "<i2", "I32": "<i4", "I64": "<i8"},
        **{"U8": "u1", "U16": "<u2", "U32": "<u4", "U64": "<u8", "F16": "<f2", "F32": "<f4", "F64": "<f8"},
    }.items()
}
_NAMES = {dtype: name for name, dtype in _DTYPES.items()}
_LONGEST_HEADER = 100_000_000  # bytes, as in the safetensors package
_MOST_AXES = 32
# The format has no holes: what brings the next array to a multiple of 64 bytes is an array too.
_PADDING = "__padding_"


def write(file: BinaryIO, tensors: Mapping[str, NDArray[Any]], metadata: Mapping[str, str]) -> None:
    """Write arrays, each at a multiple of 64 bytes, to a file that is open at its beginning."""
    header: dict[str, Any] = {"__metadata__": metadata}
    parts: list[NDArray[Any]] = []
    at = 0

    def append(name, tensor):
        nonlocal at
        dtype = tensor.dtype.newbyteorder("<")
        if dtype not in _NAMES:
            raise ValueError(f"tensor {name!r} has dtype {tensor.dtype}, which the format does not know")
        parts.append(np.require(tensor, dtype, "C").reshape(-1).view(np.uint8))
        end = at + parts[-1].nbytes
        header[name] = {"dtype": _NAMES[dtype], "shape": tensor.shape, "data_offsets": (at, end)}
        at = end

    for name, tensor in tensors.items():
        if name.startswith("__"):
            raise ValueError(f"tensor {name!r} has a name that the format needs")
        if gap := -at % ALIGNMENT:
            append(f"{_PADDING}{at}__", np.zeros(gap, np.uint8))
        append(name, tensor)
    text = json.dumps(header, separators=(",", ":"), allow_nan=False).encode()
    text += b" " * (-(8 + len(text)) % ALIGNMENT)
    if len(text) > _LONGEST_HEADER:
        raise ValueError(f"the header would take {len(text)} bytes, the format allows {_LONGEST_HEADER}")
    file.write(len(text).to_bytes(8, "little"))
    file.write(text)
    for part in parts:
        file.write(part.data)


def read(path: str | os.PathLike[str], mmap: bool) -> tuple[Tensors, dict[str, str]]:
    """The arrays of a file, read-only views of one mapping of it or copies, and its metadata.

    Raises
    ------
    ValueError
        For a file that breaks a rule of the format, before memory is taken for its arrays.
    """
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        entries, metadata, start = _read_header(file, size)
        if mmap:
            buffer = np.frombuffer(map_file(file.fileno(), size, access=ACCESS_READ), np.uint8)
        tensors = {}
        for name, (dtype, shape, begin, end) in entries.items():
            if name.startswith(_PADDING):
                continue
            if mmap:
                tensor = buffer[start + begin : start + end].view(dtype).reshape(shape)
                tensors[name] = np.require(tensor, requirements="A")
            else:
                tensors[name] = tensor = aligned_zeros(shape, dtype)
                file.seek(start + begin)
                if file.readinto(tensor.reshape(-1).view(np.uint8).data) != end - begin:
                    raise ValueError(f"the file ended within tensor {name!r} while it was read")
            if dtype == np.bool_ and tensor.view(np.uint8).max(initial=0) > 1:
                raise ValueError(f"tensor {name!r} is BOOL, but holds bytes other than 0 and 1")
    return tensors, metadata


def _read_header(file, size):
    """What the header says of each array, the metadata, and where the arrays begin."""
    if size < 8:
        raise ValueError(f"the file has {size} bytes, too few for the length of its header")
    length = int.from_bytes(file.read(8), "little")
    if length > min(size - 8, _LONGEST_HEADER):
        raise ValueError(f"the header is to have {length} bytes, in a file of {size}")
    header = parse_json(file.read(length), "the header")
    if not isinstance(header, dict):
        raise ValueError(f"the header is a JSON {type(header).__name__}, expected an object")
    metadata = header.pop("__metadata__", {})
    if not isinstance(metadata, dict) or not all(isinstance(value, str) for value in metadata.values()):
        raise ValueError("__metadata__ is not an object of strings")
    entries = {name: _entry(name, entry) for name, entry in header.items()}
    expected = 0
    for name, (_, _, begin, end) in sorted(entries.items(), key=lambda item: item[1][2:]):
        if begin != expected:
            raise ValueError(f"tensor {name!r} begins at {begin}, expected {expected}: no holes, no overlaps")
        expected = end
    if 8 + length + expected != size:
        raise ValueError(f"the tensors end at byte {8 + length + expected} of a file of {size}")
    return entries, metadata, 8 + length


def _entry(name, entry):
    """(dtype, shape, begin, end) of one array, which fit each other."""
    if not isinstance(entry, dict) or entry.keys() != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"tensor {name!r} must have dtype, shape and data_offsets alone, got {entry!r:.200}")
    dtype = _DTYPES.get(entry["dtype"]) if isinstance(entry["dtype"], str) else None
    if dtype is None:
        raise ValueError(f"tensor {name!r} has dtype {entry['dtype']!r:.200}, expected one of {[*_DTYPES]}")
    shape, offsets = entry["shape"], entry["data_offsets"]
    for numbers in (shape, offsets):
        if not isinstance(numbers, list) or not all(type(n) is int and 0 <= n < 2**63 for n in numbers):
            raise ValueError(
                f"tensor {name!r} must have lists of sizes as shape and data_offsets, got {entry!r:.200}"
            )
    # NumPy takes no larger ones, not even where another axis is empty.
    if len(shape) > _MOST_AXES or math.prod(filter(None, shape)) * dtype.itemsize >= 2**63:
        raise ValueError(f"tensor {name!r} has shape {shape!r:.200}, too large for any array")
    n_bytes = math.prod(shape) * dtype.itemsize
    if len(offsets) != 2 or offsets[1] - offsets[0] != n_bytes:
        raise ValueError(
            f"tensor {name!r} has data_offsets {offsets!r:.200}, its shape takes {n_bytes} bytes"
        )
    return dtype, tuple(shape), *offsets


def parse_json(text: str | bytes, what: str) -> Any:
    """The value of a JSON text, without what Python's parser allows beyond the standard.

    Raises
    ------
    ValueError
        For text that is not JSON in UTF-8, a repeated key, NaN, an infinity, or lists too deep to read.
    """
    try:
        text = text.decode() if isinstance(text, bytes) else text
        return json.loads(text, object_pairs_hook=_unique, parse_constant=_finite, parse_float=_finite)
    except (ValueError, RecursionError) as error:
        raise ValueError(f"{what} is not sound JSON: {error}") from None


def _unique(pairs):
    members = {}
    for name, value in pairs:
        if name in members:
            raise ValueError(f"key {name!r:.200} occurs twice")
        members[name] = value
    return members


def _finite(text):
    if not math.isfinite(number := float(text)):
        raise ValueError(f"{text:.50} is not a finite number")
    return number
