"""Files that the caller has opened: written to and read from where they stand, and left open."""

import gzip
import io
import tempfile

import numpy as np
import pytest

from fastfm_c import FM, AdaGrad, LogisticLoss, load, save

MODEL = FM.random(300, 5, rng=0)


class OnlyReads:
    """Has no other method, as an answer from the network."""

    def __init__(self, content):
        self.read = io.BytesIO(content).read


@pytest.fixture
def content(tmp_path):
    save(MODEL, tmp_path / "model")
    return (tmp_path / "model").read_bytes()


@pytest.mark.parametrize("mmap", [True, False])
def test_memory_takes_and_gives_what_files_do(content, mmap):
    file = io.BytesIO(b"head")
    file.seek(4)
    save(MODEL, file)
    assert file.getvalue() == b"head" + content
    file.seek(4)
    model = load(file, mmap)
    assert model == MODEL
    assert model.V.flags.writeable  # it is a copy, and no map
    assert file.read() == b""
    assert not file.closed


@pytest.mark.parametrize("buffering", [-1, 0])
def test_files_on_disk(tmp_path, content, buffering):
    with open(tmp_path / "copy", "wb", buffering=buffering) as file:
        save(MODEL, file)
        assert not file.closed
    assert (tmp_path / "copy").read_bytes() == content
    with open(tmp_path / "copy", "rb", buffering=buffering) as file:
        assert load(file) == MODEL
        file.seek(0)
        assert load(file, mmap=False) == MODEL
    with tempfile.TemporaryFile() as file:
        save(MODEL, file)
        file.seek(0)
        assert load(file) == MODEL


def test_files_that_cannot_be_sought(content, tmp_path):
    assert load(OnlyReads(content)) == MODEL
    with gzip.open(tmp_path / "packed", "wb") as file:
        save(MODEL, file)
    with gzip.open(tmp_path / "packed", "rb") as file:
        assert load(file) == MODEL


def test_arrays_larger_than_a_piece(monkeypatch):
    monkeypatch.setattr("fastfm_c._open_files._BYTES_AT_ONCE", 100)
    solver = AdaGrad(MODEL.copy(), LogisticLoss(), rng=0)
    solver.partial_fit(np.eye(300, dtype=np.float32), np.arange(300) % 2)
    file = io.BytesIO()
    save({"solver": solver, "model": MODEL}, file)
    file.seek(0)
    found = load(file)
    assert found["model"] == MODEL
    assert found["solver"].model == solver.model


def test_what_is_wrong_with_an_open_file_is_told(tmp_path, content):
    for file in (io.StringIO(), open(tmp_path / "a", "w"), tempfile.NamedTemporaryFile("w")):  # noqa: SIM115
        with file, pytest.raises(ValueError, match="not open for binary writing: open it with mode 'wb'"):
            save(MODEL, file)
    with open(tmp_path / "a", "rb") as file, pytest.raises(ValueError, match="open it with mode 'wb'"):
        save(MODEL, file)
    with open(tmp_path / "a", "wb") as file, pytest.raises(ValueError, match="open it with mode 'rb'"):
        load(file)
    for file in (io.StringIO("text"), open(tmp_path / "a")):  # noqa: SIM115
        with file, pytest.raises(ValueError, match="not open for binary reading: open it with mode 'rb'"):
            load(file)
    with pytest.raises(ValueError, match=r"^<file>: the file has 3 bytes"):
        load(io.BytesIO(b"abc"))
    for n in (len(content) - 1, len(content) // 2, 40):
        with pytest.raises(ValueError, match=r"^<file>"):
            load(io.BytesIO(content[:n]))
    with pytest.raises(ValueError, match=r"^<file>"):
        load(io.BytesIO(content + b"x"))
