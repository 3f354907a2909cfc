"""The safetensors format: named arrays and a dictionary of strings in one file.

A file has the length of its header (8 bytes, little-endian), the header (JSON), and the bytes of the arrays.
Everything that a header says is checked against the size of the file before it is used.
"""

import json
import math
from collections.abc import Mapping
from io import BufferedIOBase
from mmap import ACCESS_READ
from mmap import mmap as map_file
from typing import Any, BinaryIO, Literal, TypeAlias, cast

import numpy as np
from numpy.typing import NDArray

from fastfm_c._open_files import Source, is_file, open_input
from fastfm_c._validation import ALIGNMENT, aligned_zeros
from fastfm_c.persistence._json import parse_json

__all__ = ["Tensors", "read", "write"]

Tensors: TypeAlias = dict[str, NDArray[Any]]

_ORDER: Literal["<"] = "<"  # of bytes, on every machine: the low one comes first
_DTYPES = {
    name: np.dtype(code).newbyteorder(_ORDER)
    for name, code in {
        **{"BOOL": "?", "I8": "i1", "I16": "i2", "I32": "i4", "I64": "i8"},
        **{"U8": "u1", "U16": "u2", "U32": "u4", "U64": "u8", "F16": "f2", "F32": "f4", "F64": "f8"},
    }.items()
}
_NAMES = {dtype: name for name, dtype in _DTYPES.items()}
LONGEST_HEADER = 100_000_000  # bytes, as in the safetensors package; tests write a file with a lower limit
_MOST_AXES = 32
# The format has no holes. A gap before an array, which brings it to a multiple of 64 bytes, is an array too.
_PADDING = "__padding_"

# (dtype, shape, begin, end) of an array in a file.
_Entry: TypeAlias = tuple[np.dtype[Any], tuple[int, ...], int, int]


def write(file: BinaryIO, tensors: Mapping[str, NDArray[Any]], metadata: Mapping[str, str]) -> None:
    """Write arrays, each at a multiple of 64 bytes, to a file that is open at its beginning."""
    header: dict[str, Any] = {"__metadata__": metadata}
    contents: list[NDArray[np.uint8]] = []  # of all arrays
    end = 0  # of the last array so far

    def append(name: str, tensor: NDArray[Any]) -> None:
        nonlocal end
        dtype = tensor.dtype.newbyteorder(_ORDER)
        if dtype not in _NAMES:
            raise ValueError(f"tensor {name!r} has dtype {tensor.dtype}, which the format does not know")
        contents.append(np.require(tensor, dtype, "C").reshape(-1).view(np.uint8))
        begin, end = end, end + contents[-1].nbytes
        header[name] = {"dtype": _NAMES[dtype], "shape": tensor.shape, "data_offsets": (begin, end)}

    for name, tensor in tensors.items():
        if name.startswith("__"):
            raise ValueError(f"tensor {name!r} has a name that the format needs")
        if gap := -end % ALIGNMENT:
            append(f"{_PADDING}{end}__", np.zeros(gap, np.uint8))
        append(name, tensor)
    text = json.dumps(header, separators=(",", ":"), allow_nan=False).encode()
    text += b" " * (-(8 + len(text)) % ALIGNMENT)
    if len(text) > LONGEST_HEADER:
        raise ValueError(f"the header would take {len(text)} bytes, the format allows {LONGEST_HEADER}")
    file.write(len(text).to_bytes(8, "little"))
    file.write(text)
    for content in contents:
        file.write(content.data)


def read(source: Source, mmap: bool) -> tuple[Tensors, dict[str, str]]:
    """The arrays of a file and its metadata.

    They have the machine's byte order. With `mmap` the arrays of a path are read-only views of one mapping of
    the file, otherwise copies; on a machine whose high byte comes first they are copies, too.

    Raises
    ------
    ValueError
        For a file that breaks a rule of the format. No memory has been taken for its arrays then.
    """
    with open_input(source) as (file, size, _):
        return _read(file, size, mmap and not is_file(source))


def _read(file: BinaryIO, size: int, mmap: bool) -> tuple[Tensors, dict[str, str]]:
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
            if cast(BufferedIOBase, file).readinto(tensor.reshape(-1).view(np.uint8).data) != end - begin:
                raise ValueError(f"the file ended within tensor {name!r} while it was read")
        if dtype == np.bool_ and tensor.view(np.uint8).max(initial=0) > 1:
            raise ValueError(f"tensor {name!r} is BOOL, but holds bytes other than 0 and 1")
        if not dtype.isnative:
            tensors[name] = _native(tensors[name])
    return tensors, metadata


def _native(tensor: NDArray[Any]) -> NDArray[Any]:
    """A copy in the machine's byte order."""
    copied: NDArray[Any] = aligned_zeros(tensor.shape, tensor.dtype.newbyteorder("="))
    copied[...] = tensor
    copied.flags.writeable = tensor.flags.writeable
    return copied


def _read_header(file: BinaryIO, size: int) -> tuple[dict[str, _Entry], dict[str, str], int]:
    """What the header says about each array, the metadata, and the offset of the arrays in the file."""
    if size < 8:
        raise ValueError(f"the file has {size} bytes, too few for the length of its header")
    length = int.from_bytes(file.read(8), "little")
    if length > min(size - 8, LONGEST_HEADER):
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


def _entry(name: str, entry: Any) -> _Entry:
    """What the header says about one array, after a check that it fits together."""
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
    # NumPy refuses larger shapes, even if another axis is empty.
    if len(shape) > _MOST_AXES or math.prod(filter(None, shape)) * dtype.itemsize >= 2**63:
        raise ValueError(f"tensor {name!r} has shape {shape!r:.200}, too large for any array")
    n_bytes = math.prod(shape) * dtype.itemsize
    if len(offsets) != 2 or offsets[1] - offsets[0] != n_bytes:
        raise ValueError(
            f"tensor {name!r} has data_offsets {offsets!r:.200}, its shape takes {n_bytes} bytes"
        )
    return dtype, tuple(shape), *offsets
