"""Pipes and file objects of all kinds: every row is read, or an error says what is wrong."""

import bz2
import errno
import gzip
import io
import lzma
import os
import threading
import time
from contextlib import contextmanager

import pytest
from helpers.subprocesses import output_of
from hypothesis import given
from hypothesis import strategies as st

from fastfm_c import dump_libsvm, iter_libffm, iter_libsvm, load_libffm, load_libsvm

ROWS = b"".join(b"%d %d:1 50:0.5\n" % (i % 2, i % 40) for i in range(20_000))  # more than a pipe holds
FFM_ROWS = b"1 0:0:1 1:1:1\n0 0:0:2\n"
needs_fifo = pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names here")


@contextmanager
def fifo(folder, *pieces):
    """The path of a pipe into which these pieces are written one by one."""
    path = folder / "pipe"
    os.mkfifo(path)

    def write():
        with open(path, "wb", buffering=0) as file:
            for piece in pieces:
                file.write(piece)
                time.sleep(0.02)  # so that most reads end here

    thread = threading.Thread(target=write)
    thread.start()
    yield path
    thread.join(30)
    assert not thread.is_alive()


# --------------------------------------------------------------------------------------------- pipes


@needs_fifo
@pytest.mark.parametrize("pack", [bytes, gzip.compress])
@pytest.mark.parametrize("first", [0, 1, 3, 5000])  # bytes that come alone
def test_a_pipe_is_read_from_its_beginning(tmp_path, pack, first):
    text = pack(ROWS)
    with fifo(tmp_path, text[:first], text[first:]) as path:
        X, y = load_libsvm(path, zero_based=True)
    expected, labels = load_libsvm(io.BytesIO(ROWS), zero_based=True)
    assert (expected != X).nnz == 0
    assert y.tolist() == labels.tolist()


@needs_fifo
@pytest.mark.parametrize("text", [b"", b"1", b"\n", b"\x1f", b"BZ"])
def test_short_pipes(tmp_path, text):
    with fifo(tmp_path, text) as path:
        if text in (b"", b"1", b"\n"):
            assert len(load_libsvm(path)[1]) == (text == b"1")
        else:
            with pytest.raises(ValueError, match=r"pipe:1:1: found '.*', expected a finite number as label"):
                load_libsvm(path)


@pytest.mark.skipif(os.name == "nt" or not os.path.exists("/dev/stdin"), reason="no /dev/stdin here")
def test_standard_input(tmp_path):
    program = """
import subprocess, sys
reader = "import fastfm_c; X, y = fastfm_c.load_libsvm('/dev/stdin'); print(X.shape, X.nnz, int(y.sum()))"
with open(sys.argv[1], "rb") as file:
    text = file.read()
for options in ({"input": text}, {"stdin": open(sys.argv[1], "rb")}):
    done = subprocess.run([sys.executable, "-P", "-c", reader], check=True, capture_output=True, **options)
    print(done.stdout.decode(), end="")
"""
    (tmp_path / "rows").write_bytes(ROWS)
    output = output_of(program, tmp_path / "rows", options=())
    assert output.splitlines() == ["(20000, 51) 40000 10000"] * 2


@needs_fifo
def test_blocks_of_a_pipe(tmp_path):
    path = tmp_path / "pipe"
    os.mkfifo(path)  # nobody writes: these would wait for ever if they opened it
    for options in ({}, {"n_features": 51}, {"zero_based": True}):
        with pytest.raises(ValueError, match="can be read only once: give n_features and zero_based"):
            iter_libsvm(path, **options)
    with pytest.raises(ValueError, match="can be read only once: give fields"):
        iter_libffm(path)
    path.unlink()
    with fifo(tmp_path, ROWS) as path:
        blocks = iter_libsvm(path, n_features=51, zero_based=True, rows=7000)
        assert [len(y) for _, y in blocks] == [7000, 7000, 6000]
        with pytest.raises(ValueError, match="not seekable, and so cannot be read a second time"):
            list(blocks)


# -------------------------------------------------------------------------------------- file objects


class Reads:
    """What has `read` alone, as answers from the network do."""

    def __init__(self, text, most=5):
        self.file, self.most = io.BytesIO(text), most

    def read(self, size):
        return self.file.read(min(size, self.most))


class Stream(io.BytesIO):
    def seekable(self):
        return False


@pytest.mark.parametrize("create", [Reads, Stream])
def test_a_file_that_is_read_once(create):
    assert load_libsvm(create(b"1 1:1 2:1\n0 2:1"))[0].toarray().tolist() == [[1, 1], [0, 1]]
    blocks = iter_libffm(create(FFM_ROWS), fields=[0, 1], rows=1)
    assert [y.tolist() for _, y in blocks] == [[1], [0]]
    with pytest.raises(ValueError, match="path is not seekable, and so cannot be read a second time"):
        list(blocks)
    with pytest.raises(ValueError, match="give fields"):
        iter_libffm(create(FFM_ROWS))
    with pytest.raises(ValueError, match="give n_features and zero_based"):
        iter_libsvm(create(b"1 1:1\n"))


def test_a_file_is_read_on_and_again():
    file = io.BytesIO(b"skipped\n" + FFM_ROWS)
    file.readline()
    blocks = iter_libffm(file)
    for _ in range(2):
        assert [y.tolist() for _, y in blocks] == [[1, 0]]
    file.seek(len("skipped\n"))
    assert load_libffm(file)[1].tolist() == [1, 0]
    assert not file.closed


def test_files_that_cannot_be_read(tmp_path):
    for file in (open(tmp_path / "rows", "wb"), gzip.open(tmp_path / "rows.gz", "wb")):  # noqa: SIM115
        with file, pytest.raises(ValueError, match="not open for reading: open it with mode 'rb'"):
            load_libsvm(file)
    with open(tmp_path / "rows") as file, pytest.raises(ValueError, match="not open for binary reading"):
        load_libsvm(file)
    with pytest.raises(FileNotFoundError):
        iter_libsvm(tmp_path / "absent")


@pytest.mark.parametrize("only_read", [False, True])
def test_a_file_without_data_at_the_moment(only_read):
    class Later(io.RawIOBase):
        pieces = [b"1 1:1\n", None]  # noqa: RUF012

        def readable(self):
            return True

        def readinto(self, target):
            piece = self.pieces.pop(0)
            return None if piece is None else io.BytesIO(piece).readinto(target)

    Later.pieces = [b"1 1:1\n", None]
    file = Later()
    if only_read:
        file = type("Reads", (), {"read": staticmethod(lambda size: Later.pieces.pop(0))})()
    with pytest.raises(ValueError, match="no data are ready, expected a file that blocks"):
        load_libsvm(file)


@pytest.mark.parametrize("number", [(), (errno.EIO,)])
def test_errors_of_the_disk_are_not_damage(number):
    class Broken(io.BytesIO):
        def readinto(self, target):
            raise OSError(*number, "the disk is gone")

    with pytest.raises(OSError, match="the disk is gone"):
        load_libsvm(Broken(b"1 1:1"))


@pytest.mark.parametrize(("suffix", "module"), [("gz", gzip), ("bz2", bz2), ("xz", lzma)])
def test_damage_in_an_open_file(tmp_path, suffix, module):
    path = tmp_path / f"rows.{suffix}"
    X, y = load_libsvm(io.BytesIO(ROWS))
    dump_libsvm(X, y, path)
    text = bytearray(path.read_bytes())
    text[len(text) // 2] ^= 0xFF
    path.write_bytes(text)
    with module.open(path) as file, pytest.raises(ValueError, match="damaged compressed data"):
        load_libsvm(file)


# ------------------------------------------------------------------------------------- any pieces


@given(st.lists(st.integers(1, 9), max_size=12), st.booleans(), st.booleans())
def test_the_sizes_of_reads_do_not_matter(sizes, has_mark, only_read):
    text = b"\xef\xbb\xbf" * has_mark + b"1 1:1 3:0.5\n-1 2:2\n"

    class Pieces(io.BytesIO):
        def readinto(self, target):
            with memoryview(target) as view:
                return super().readinto(view[: sizes.pop() if sizes else None])

    X, y = load_libsvm(Reads(text, sizes[0] if sizes else 3) if only_read else Pieces(text))
    assert X.toarray().tolist() == [[1, 0, 0.5], [0, 2, 0]]
    assert y.tolist() == [1, -1]


@pytest.mark.parametrize("text", [b"\xef\xbb\xbf", b"\xef\xbb\xbf\n", b"\xef\xbb\xbf# comment\n"])
def test_a_mark_alone(tmp_path, text):
    (tmp_path / "rows").write_bytes(text)
    assert len(load_libsvm(tmp_path / "rows")[1]) == 0


def test_a_mark_in_every_reading(tmp_path):
    (tmp_path / "rows").write_bytes(gzip.compress(b"\xef\xbb\xbf" + FFM_ROWS))
    blocks = iter_libffm(tmp_path / "rows")
    assert [y.tolist() for _ in range(2) for _, y in blocks] == [[1, 0]] * 2
