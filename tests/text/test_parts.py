"""Rows in several files, and files that the caller has opened."""

import gzip
import io
import tempfile
from pathlib import Path

import numpy as np
import pytest
from helpers.texts import FFM_ROWS, SVM_ROWS, same, same_rows
from scipy.sparse import csr_array

from fastfm_c import dump_libffm, dump_libsvm, iter_libffm, iter_libsvm, load_libffm, load_libsvm

# ------------------------------------------------------------------------------------------------ parts


@pytest.mark.parametrize("kind", [list, tuple, iter, np.array], ids=["list", "tuple", "iterator", "array"])
def test_parts_of_a_file_are_one_file(tmp_path, kind):
    parts = [str(tmp_path / "a.ffm"), str(tmp_path / "b.ffm.gz")]
    Path(parts[0]).write_bytes(FFM_ROWS[:15])  # without the end of its last line
    Path(parts[1]).write_bytes(gzip.compress(b"\xef\xbb\xbf" + FFM_ROWS[16:]))
    assert same(load_libffm(kind(parts)), load_libffm(io.BytesIO(FFM_ROWS)))
    assert same(load_libffm([io.BytesIO(FFM_ROWS[:16]), Path(parts[1])]), load_libffm(io.BytesIO(FFM_ROWS)))
    blocks = iter_libffm(kind(parts), rows=2)
    assert (blocks.n_features, blocks.n_rows) == (3, 3)
    for _ in range(2):
        assert [X.shape[0] for X, _ in blocks] == [2, 1]


def test_parts_count_their_indices_together():
    """Index 0 occurs in one part alone."""
    parts = [b"1 1:1 2:1\n", b"", b"1 0:1\n"]
    assert load_libsvm(map(io.BytesIO, parts))[0].toarray().tolist() == [[0, 1, 1], [1, 0, 0]]
    blocks = iter_libsvm([io.BytesIO(part) for part in parts], rows=1)
    for _ in range(2):
        assert [X.toarray().tolist() for X, _ in blocks] == [[[0, 1, 1]], [[1, 0, 0]]]


def test_open_parts_are_read_from_where_they_stand():
    files = [io.BytesIO(b"skipped\n" + part) for part in (FFM_ROWS[:16], FFM_ROWS[16:])]
    for file in files:
        file.readline()
    blocks = iter_libffm(files, rows=3)
    for _ in range(2):
        assert [y.tolist() for _, y in blocks] == [[1, 0, 1]]


def test_faults_in_parts_name_the_part(tmp_path):
    for name, text in ("a", b"1 1:1\n1 2:1\n"), ("b", b"1 1:1\n1 1:x\n"), ("c", b"3:1\n"):
        (tmp_path / name).write_bytes(text)
    parts = [tmp_path / "a", tmp_path / "b"]
    for read in (load_libsvm, iter_libsvm):
        with pytest.raises(ValueError, match=r"b:2:5: found 'x'"):
            read(parts)
    with pytest.raises(ValueError, match=r"c:1:1: found '3:1', expected a finite number as label"):
        load_libsvm([tmp_path / "a", tmp_path / "c"])
    with pytest.raises(ValueError, match=r"^path\[1\]:1:3: found 'x'"):
        load_libsvm([io.BytesIO(b"1 1:1\n"), io.BytesIO(b"1 x\n")])


def test_a_conflict_between_parts_names_both_places(tmp_path):
    for name, text in ("a", b"#\n1 0:5:1\n"), ("b", b"1 0:6:1\n"), ("c", b"1 2:6:1 2:5:1\n"):
        (tmp_path / name).write_bytes(text)
    for read in (load_libffm, iter_libffm):
        with pytest.raises(
            ValueError, match=r"c:1:3: found feature 6 in field 2, expected field 0, .* line 1 of .*b "
        ):
            read([tmp_path / "a", tmp_path / "b", tmp_path / "c"])
        with pytest.raises(
            ValueError, match=r"c:1:9: found feature 5 in field 2, expected field 0, .* line 2 of .*a "
        ):
            read([tmp_path / "a", tmp_path / "c"])


def test_what_is_no_list_of_files():
    file = io.BytesIO(SVM_ROWS)
    with pytest.raises(ValueError, match="path is an empty list, expected at least one file"):
        load_libsvm([])
    with pytest.raises(ValueError, match="path is a set, expected a path, a file, or a list of them"):
        load_libsvm({"a", "b"})
    for read in (load_libsvm, iter_libsvm):
        with pytest.raises(ValueError, match="path holds the same open file twice"):
            read([file, file])


# ---------------------------------------------------------------------------------------------- file objects


def test_rows_are_written_to_open_files_which_stay_open(tmp_path):
    X, y = csr_array(np.array([[0.5, 0, 2]], np.float32)), [1]
    written = b"head\n1 0:0:0.5 1:2:2\n1 1:0.5 3:2\n"

    def write(file):
        file.write(b"head\n")
        dump_libffm(X, y, file, fields=[0, 0, 1])
        dump_libsvm(X, y, file)
        assert not file.closed

    memory = io.BytesIO()
    write(memory)
    assert memory.getvalue() == written
    for opener in (open, gzip.open):
        with opener(tmp_path / "rows", "wb") as file:
            write(file)
        with opener(tmp_path / "rows", "rb") as file:
            assert file.read() == written
    with open(tmp_path / "rows", "wb", buffering=0) as file:
        write(file)
    with tempfile.NamedTemporaryFile() as file:
        write(file)
        file.seek(5)
        assert load_libffm([io.BytesIO(file.readline())])[1].tolist() == [1]


class Takes:
    """Takes some bytes at a time, and has no other method."""

    def __init__(self, most):
        self.content, self.most = b"", most

    def write(self, content):
        self.content += content[: self.most]
        return len(content[: self.most])


def test_a_file_that_takes_some_bytes_at_a_time():
    X, file = csr_array(np.eye(50)), Takes(7)
    dump_libsvm(X, np.arange(50), file)
    assert same_rows(load_libsvm(io.BytesIO(file.content), dtype="float64")[0], X)
    with pytest.raises(BlockingIOError, match="takes no bytes now"):
        dump_libsvm(X, np.arange(50), Takes(0))


def test_files_that_rows_cannot_be_written_to(tmp_path):
    X = csr_array(np.eye(2))
    for file in (io.StringIO(), open(tmp_path / "a", "w"), tempfile.NamedTemporaryFile("w")):  # noqa: SIM115
        with file, pytest.raises(ValueError, match="not open for binary writing: open it with mode 'wb'"):
            dump_libsvm(X, [1, 2], file)
    with open(tmp_path / "a", "rb") as file, pytest.raises(ValueError, match="open it with mode 'wb'"):
        dump_libsvm(X, [1, 2], file)


def test_a_path_with_methods_to_read_and_write_is_a_path(tmp_path):
    class RichPath(type(tmp_path)):
        def read(self):
            raise AssertionError("a path was taken for a file")

        write = read

    path = RichPath(tmp_path / "rows.gz")
    dump_libsvm(csr_array(np.eye(2)), [1, 2], path)
    assert load_libsvm(path)[1].tolist() == [1, 2]
    assert [y.tolist() for _, y in iter_libsvm(path)] == [[1, 2]]
