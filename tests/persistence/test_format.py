"""The safetensors format: written as others read it, read only where every rule holds."""

import io
import json
import os
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fastfm_c import FFM, FM, SGD, AdaGrad, SquaredLoss, load, save
from fastfm_c.inspection import Drift
from fastfm_c.persistence import _safetensors
from fastfm_c.persistence._json import parse_json
from fastfm_c.persistence._safetensors import read
from fastfm_c.serving import quantize

DTYPES = ["?", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "f2", "f4", "f8", ">f4", ">i8"]
TEXTS = st.text('ab_."\\\0\u20ac\U0001f600', max_size=5)


def file_of(header, data=b"", *, length=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return (len(text) if length is None else length).to_bytes(8, "little") + text + data


def entry(dtype="U8", shape=(4,), offsets=(0, 4), **more):
    return {"dtype": dtype, "shape": shape, "data_offsets": offsets, **more}


@st.composite
def tensors(draw):
    names = draw(st.lists(TEXTS.filter(lambda s: not s.startswith("__")), unique=True, max_size=5))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    made = {}
    for name in names:
        shape = draw(st.lists(st.integers(0, 5), max_size=3))
        array = rng.integers(0, 2, [*shape, 2]).astype(draw(st.sampled_from(DTYPES)))
        made[name] = draw(st.sampled_from([array, array[..., 0], array.T, array[..., ::-1]]))
    return made


@given(tensors(), st.dictionaries(TEXTS, TEXTS), st.booleans())
def test_arrays_come_back(tmp_path_factory, arrays, metadata, mmap):
    path = tmp_path_factory.getbasetemp() / "tensors"
    with open(path, "wb") as file:
        _safetensors.write(file, arrays, metadata)
    found, found_metadata = read(path, mmap)
    if os.name != "nt":  # which keeps files that are mapped
        path.unlink()
    assert found_metadata == metadata
    assert found.keys() == arrays.keys()
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype.newbyteorder("=")
        assert np.array_equal(found[name], array)
        assert found[name].shape == array.shape
        assert found[name].ctypes.data % 64 == 0 or not array.size
        assert found[name].flags.c_contiguous
        assert found[name].flags.writeable == (not mmap)


def test_the_low_byte_comes_first_on_every_machine():
    file = io.BytesIO()
    _safetensors.write(file, {"a": np.array([1], ">f4"), "b": np.array([-2], "=i8")}, {})
    bits = file.getvalue()
    assert int.from_bytes(bits[:8], "little") == len(bits) - 8 - (64 + 8)
    assert b"\0\0\x80\x3f" in bits
    assert bits.endswith(b"\xfe" + 7 * b"\xff")


@pytest.mark.parametrize("mmap", [True, False])
def test_files_of_the_other_byte_order_than_the_machine(path, monkeypatch, mmap):
    """What a machine whose high byte comes first does: there the order of files is not the machine's."""
    dtypes = {name: dtype.newbyteorder("S") for name, dtype in _safetensors._DTYPES.items()}
    monkeypatch.setattr(_safetensors, "_ORDER", ">" if sys.byteorder == "little" else "<")
    monkeypatch.setattr(_safetensors, "_DTYPES", dtypes)
    monkeypatch.setattr(_safetensors, "_NAMES", {dtype: name for name, dtype in dtypes.items()})
    model = FFM.random(np.arange(7) % 3, 3, rng=0)
    solver = AdaGrad(model, SquaredLoss(), learning_rate=0.1, rng=0)
    X = np.eye(7)
    solver.partial_fit(X, np.arange(7.0))
    parts = {"solver": solver, "small": quantize(model, "float16"), "drift": Drift.fit(X, model.predict(X))}
    save(parts, path)
    assert model.V.astype(model.V.dtype.newbyteorder("S")).tobytes() in path.read_bytes()
    found = load(path, mmap=mmap)
    for same in solver, found["solver"]:
        same.partial_fit(X, np.arange(7.0))
    assert found["solver"].model == model
    assert np.array_equal(found["small"].predict(X), parts["small"].predict(X))
    assert found["drift"].compare(X[:3]).fields == parts["drift"].compare(X[:3]).fields
    tensors, _ = read(path, mmap)
    for tensor in tensors.values():
        assert tensor.dtype.isnative
        assert tensor.ctypes.data % 64 == 0 or not tensor.size
        assert tensor.flags.writeable == (not mmap)


# ------------------------------------------------------------------------- the package of that name


@given(tensors())
def test_the_package_reads_our_files(arrays):
    package = pytest.importorskip("safetensors.numpy")
    file = io.BytesIO()
    _safetensors.write(file, arrays, {"a": "b"})
    found = package.load(file.getvalue())
    assert {name for name in found if not name.startswith("__padding_")} == arrays.keys()
    for name, array in arrays.items():
        assert found[name].dtype == array.dtype.newbyteorder("<")
        assert np.array_equal(found[name], array)


@pytest.mark.parametrize("mmap", [True, False])
def test_we_read_the_files_of_the_package(path, mmap):
    package = pytest.importorskip("safetensors.numpy")
    model = FM.random(7, 3, rng=0)
    model.w[:] = np.arange(7)
    save({"solver": AdaGrad(model, SquaredLoss())}, path)
    _, metadata = read(path, False)
    package.save_file(package.load_file(path), path, metadata)
    other = load(path, mmap)["solver"]
    assert other.model == model
    assert other.model.w.ctypes.data % 64 == other.model.V.ctypes.data % 64 == 0


def test_unaligned_arrays_are_copied(path):
    values = np.arange(3.0)
    path.write_bytes(
        file_of({"x": entry("F64", [3], [1, 25]), "y": entry("U8", [1], [0, 1])}, b"\1" + values.tobytes())
    )
    found = read(path, True)[0]["x"]
    assert found.flags.aligned
    assert found.tolist() == [0, 1, 2]


# --------------------------------------------------------------------------------------- broken rules

GOOD = {"a": entry(), "b": entry("F32", [2, 1], [4, 12])}
DATA = bytes(12)


def test_the_good_file_is_good(path):
    path.write_bytes(file_of(GOOD, DATA))
    assert read(path, True)[0].keys() == {"a", "b"}
    path.write_bytes(file_of(b"{}"))
    assert read(path, False) == ({}, {})


DEEP = b'{"a":' * 100_000
BROKEN = {
    "empty": (b"", "0 bytes, too few for the length"),
    "short": (bytes(7), "7 bytes, too few for the length"),
    "no header": (bytes(8), "not sound JSON"),
    "long header": (file_of(GOOD, DATA, length=10**6), "to have 1000000 bytes, in a file of"),
    "huge header": (file_of(GOOD, DATA, length=2**64 - 1), "to have 18446744073709551615 bytes"),
    "cut header": (file_of(GOOD, DATA, length=20), "not sound JSON"),
    "not UTF-8": (file_of(b'{"\xff": 1}'), "not sound JSON"),
    "UTF-16": (file_of(json.dumps(GOOD).encode("utf-16"), DATA), "not sound JSON"),
    "deep": (file_of(DEEP), "not sound JSON"),
    "list": (file_of(b"[]"), "the header is a JSON list"),
    "twice": (file_of(b'{"a": 1, "a": 1}'), "key 'a' occurs twice"),
    "NaN": (file_of(b'{"a": NaN}'), "NaN is not a finite number"),
    "infinity": (file_of(b'{"a": -Infinity}'), "-Infinity is not a finite number"),
    "too large a number": (file_of(b'{"a": 1e999}'), "1e999 is not a finite number"),
    "too long a number": (file_of(b'{"a": ' + b"9" * 5000 + b"}"), "not sound JSON"),
    "metadata a list": (file_of({"__metadata__": []}), "__metadata__ is not an object of strings"),
    "metadata a number": (file_of({"__metadata__": {"a": 1}}), "__metadata__ is not an object of strings"),
    "one byte more": (file_of(GOOD, DATA + b"x"), "the tensors end at byte"),
    "one byte less": (file_of(GOOD, DATA[1:]), "the tensors end at byte"),
    "hole": (file_of({"a": entry(), "b": entry(offsets=[5, 9])}, bytes(9)), "begins at 5, expected 4"),
    "hole at the start": (file_of({"a": entry(offsets=[1, 5])}, bytes(5)), "begins at 1, expected 0"),
    "overlap": (file_of({"a": entry(), "b": entry(offsets=[3, 7])}, bytes(7)), "begins at 3, expected 4"),
    "the same bytes": (file_of({"a": entry(), "b": entry()}, bytes(4)), "begins at 0, expected 4"),
    "entry a list": (file_of({"a": []}), "'a' must have dtype, shape and data_offsets alone"),
    "entry with more": (file_of({"a": entry(more=1)}, bytes(4)), "dtype, shape and data_offsets alone"),
    "dtype unknown": (file_of({"a": entry("BF16", [2])}, bytes(4)), "dtype 'BF16', expected one of"),
    "dtype a list": (file_of({"a": entry([])}, bytes(4)), r"dtype \[\], expected one of"),
    "shape negative": (file_of({"a": entry(shape=[-2, -2])}, bytes(4)), "must have lists of sizes"),
    "shape a float": (file_of({"a": entry(shape=[4.0])}, bytes(4)), "must have lists of sizes"),
    "shape a bool": (file_of({"a": entry(shape=[4, True])}, bytes(4)), "must have lists of sizes"),
    "shape null": (file_of({"a": entry(shape=None)}, bytes(4)), "must have lists of sizes"),
    "shape too large": (file_of({"a": entry(shape=[0, 2**62, 4])}), "too large for any array"),
    "shape overflows": (file_of({"a": entry(shape=[2**32, 2**32, 4])}, bytes(4)), "too large for any array"),
    "too many axes": (file_of({"a": entry(shape=[1] * 99)}, bytes(4)), "too large for any array"),
    "shape wrong": (file_of({"a": entry(shape=[5])}, bytes(4)), "its shape takes 5 bytes"),
    "offsets backwards": (file_of({"a": entry(offsets=[4, 0])}, bytes(4)), "its shape takes 4 bytes"),
    "three offsets": (file_of({"a": entry(offsets=[0, 4, 8])}, bytes(4)), "its shape takes 4 bytes"),
    "offsets a string": (file_of({"a": entry(offsets="04")}, bytes(4)), "must have lists of sizes"),
    "offset 2**63": (file_of({"a": entry(offsets=[0, 2**63])}, bytes(4)), "must have lists of sizes"),
    "BOOL of 2": (file_of({"a": entry("BOOL")}, b"\0\1\2\1"), "BOOL, but holds bytes other than 0 and 1"),
}


@pytest.mark.parametrize("mmap", [True, False])
@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_rule_is_an_error(path, name, mmap):
    data, message = BROKEN[name]
    path.write_bytes(data)
    with pytest.raises(ValueError, match=message):
        read(path, mmap)
    with pytest.raises(ValueError, match=message) as error:
        load(path, mmap)
    assert str(error.value).startswith(f"{path}: ")


def test_a_claim_of_much_memory_takes_none(path):
    """A file of some bytes that says it holds 2**60."""
    path.write_bytes(file_of({"a": entry("F32", [2**58], [0, 2**60])}, bytes(4)))
    with pytest.raises(ValueError, match="the tensors end at byte"):
        read(path, False)


def test_a_header_that_would_be_too_long(path, monkeypatch):
    monkeypatch.setattr(_safetensors, "LONGEST_HEADER", 100)
    with pytest.raises(ValueError, match=r"the header would take \d+ bytes, the format allows 100"):
        save(FM.random(2, 1), path)
    assert [*path.parent.iterdir()] == []


@pytest.mark.parametrize("dtype", ["U3", "c8", "O", "datetime64[s]", np.longdouble])
def test_dtypes_that_the_format_lacks(dtype):
    if np.dtype(dtype) == np.float64:
        pytest.skip("long double is double here")
    with pytest.raises(ValueError, match="which the format does not know"):
        _safetensors.write(io.BytesIO(), {"a": np.zeros(2, dtype)}, {})


def test_json_is_that_of_the_standard():
    assert parse_json('{"a": [1, 2.5, "x", null, true]} ', "it") == {"a": [1, 2.5, "x", None, True]}
    for text in ("{'a': 1}", "[NaN]", "[1e999]"):
        with pytest.raises(ValueError, match="it is not sound JSON"):
            parse_json(text, "it")
    assert parse_json("[Infinity, 1e999]", "it", finite=False) == [np.inf, np.inf]


# ------------------------------------------------------------------------ every truncation, every byte


@pytest.mark.parametrize("mmap", [True, False])
def test_no_piece_of_a_file_loads(path, mmap):
    save({"fm": FM.random(2, 1), "solver": SGD(FM.random(1, 1), SquaredLoss())}, path)
    data = path.read_bytes()
    for size in range(0, len(data), 3):
        path.unlink()
        path.write_bytes(data[:size])
        with pytest.raises(ValueError, match=r"file: "):
            load(path, mmap)


def test_a_changed_byte_of_the_header_is_an_error_or_another_sound_object(path):
    save(SGD(FM.random(1, 1, rng=0), SquaredLoss()), path)
    data = bytearray(path.read_bytes())
    n_refused = 0
    for place in range(0, 8 + int.from_bytes(data[:8], "little"), 2):
        data[place] ^= 1 + place % 127
        path.unlink()
        path.write_bytes(data)
        data[place] ^= 1 + place % 127
        try:
            solver = load(path)
        except ValueError:
            n_refused += 1
        else:
            solver.partial_fit([[1.0]], [1.0])
    assert n_refused > 0.25 * place
