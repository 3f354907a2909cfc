"""Malformed text: every fault is a ValueError that names path, line and column; changed files never crash."""

import io

import numpy as np
import pytest
from helpers.texts import read_in_chunks
from scipy.sparse import csr_array

from fastfm_c import dump_libffm, dump_libsvm, iter_libffm, iter_libsvm, load_libffm, load_libsvm
from fastfm_c.text import _feature_fields

LIBSVM = {
    "label": (b"x 1:1", ":1:1: found 'x', expected a finite number as label"),
    "no label": (b"1\n\n 1:1", ":3:2: found '1:1', expected a finite number as label"),
    "label after rows without": (b"1:1\n1 2:1", ":2:1: found '1', .*the first row has no label, and so none"),
    "multilabel": (b"1,2 1:1", r":1:1: found '1,2', expected one label \(load_svmlight_file"),
    "multilabel, blank": (b"1 1:1\n1, 2 1:1", ":2:1: found '1,', expected one label"),
    "labels alone": (b"1 1:1\n1,2,3", ":2:1: found '1,2,3', expected one label"),
    "decimal comma of a label": (b"0,5 1:1", ":1:1: found '0,5', expected one label"),
    "decimal comma": (b"1 1:0,5 2:1", r":1:7: found '5', .*\(a comma separates values: write decimal"),
    "no value before a comma": (b"1,1:,2:1", ":1:5: found ',', expected a finite number as value"),
    "nan": (b"# c\n1 1:nan", ":2:5: found 'nan', expected a finite number as value"),
    "infinite": (b"1 1:inf", ":1:5: found 'inf'"),
    "too large": (b"1 1:1e400", ":1:5: found '1e400'"),
    "too large a float32": (b"1 1:1e39", ":1:5: found '1e39'"),
    "infinite label": (b"-inf", ":1:1: found '-inf'"),
    "no value": (b"1 1:1 2:\n", ":1:9: found the end of the line, expected a finite number as value"),
    "no colon": (b"1 1:1\n1 5\n", ":2:3: found '5', expected index:value with an index of at most 18 digits"),
    "value and more": (b"1 1:2:3", ":1:5: found '2:3'"),
    "blank after the colon": (b"1 1: 3", ":1:5: found the end of the line"),
    "exponent": (b"1 1:1e", ":1:5: found '1e'"),
    "underscore": (b"1 1:1_0", ":1:5: found '1_0'"),
    "sign of an index": (b"1 -1:1", ":1:3: found '-1:1'"),
    "qid elsewhere": (b"1 1:1 qid:3", ":1:7: found 'qid:3', expected index:value"),
    "two of qid": (b"1 qid:3 qid:4", ":1:9: found 'qid:4', expected index:value"),
    "qid without a number": (b"1 qid: 1:1", ":1:3: found 'qid:', expected qid: and a whole number"),
    "qid of a name": (b"1 qid:a 1:1", ":1:3: found 'qid:a', expected qid: and a whole number"),
    "qid of two numbers": (b"qid:1:1", ":1:1: found 'qid:1:1', expected qid: and a whole number"),
    "huge index": (b"1 1" + b"0" * 18 + b":1", r":1:3: found '10+:1', expected index:value with an index of"),
    "NUL": (b"1 1:1\n\0", r":2:1: found '\\x00', expected a finite number as label"),
    "not ASCII": ("1 1:\u0661".encode(), r":1:5: found '\\xd9\\xa1'"),
    "UTF-16": ("1 1:1".encode("utf-16"), ":1:1: found text in UTF-16, expected ASCII or UTF-8"),
    "UTF-16, big": (b"\xfe\xff\x001", ":1:1: found text in UTF-16"),
    "UTF-32": ("1 1:1".encode("utf-32"), ":1:1: found text in UTF-32"),
    "after a byte order mark": (b"\xef\xbb\xbf1 1:x", ":1:8: found 'x'"),
    "a mark elsewhere": (b"1\n\xef\xbb\xbf1 1:1", r":2:1: found '\\xef\\xbb\\xbf1'"),
    "libffm": (b"1 0:1:1", r":1:5: found '1:1', .* value \(load_libffm reads field:index:value\)$"),
    "libffm, long": (b"1 1:1 2:123456:" + b"1" * 50, r".*\(load_libffm reads field:index:value\)$"),
    "two colons elsewhere": (b"1 1:1 2: 3:3:3", ":1:9: found the end of the line, expected .* value$"),
    "a third colon": (b"1 0:1:1:1", ".* as value$"),
    "many digits": (b"1 1:" + b"1" * 1_000_000, ":1:5: found '1{30}', expected a finite number as value"),
}  # fmt: skip
LIBFFM = {
    "libsvm": (b"1 10:1.5", r":1:6: found '1.5', .* digits \(load_libsvm reads index:value\)$"),
    "no value": (b"1 0:1:", ":1:7: found the end of the line, expected a finite number as value$"),
    "field": (b"1 0:1:1 -1:1:1", ":1:9: found '-1:1:1', expected field:index:value with a field below"),
    "huge field": (b"1 2147483647:1:1", ":1:3: found '2147483647:1:1'"),
    "huge index": (
        b"1 0:1000000000000:1",
        ":1:5: .*an index within n_features = 67108864 .*larger n_f",
    ),
    "two fields": (
        b"1 0:5:1 # c\n#\n1 1:3:1 0:4:1 2:5:1",
        ":3:15: found feature 5 in field 2, expected field 0, which it has on line 1 ",
    ),
    "two fields in a line": (b"1 0:5:1 1:5:1", ":1:9: found feature 5 in field 1, expected field 0"),
}


@pytest.mark.parametrize("name", LIBSVM)
@pytest.mark.parametrize("chunk", [10, 1 << 20])
def test_malformed_libsvm(tmp_path, monkeypatch, name, chunk):
    read_in_chunks(monkeypatch, chunk)
    text, message = LIBSVM[name]
    path = tmp_path / "rows.txt"
    path.write_bytes(text)
    with pytest.raises(ValueError, match=r"rows\.txt" + message):
        load_libsvm(path)
    with pytest.raises(ValueError, match=r"rows\.txt" + message):
        list(iter_libsvm(path, n_features=10**6, zero_based=True))


@pytest.mark.parametrize("name", LIBFFM)
@pytest.mark.parametrize("chunk", [10, 1 << 20])
def test_malformed_libffm(monkeypatch, name, chunk):
    read_in_chunks(monkeypatch, chunk)
    text, message = LIBFFM[name]
    with pytest.raises(ValueError, match="^<file>" + message):
        load_libffm(io.BytesIO(text))
    with pytest.raises(ValueError, match="^<file>" + message):
        iter_libffm(io.BytesIO(text))


def test_an_index_outside():
    with pytest.raises(ValueError, match=":1:7: found '4:1', expected an index within n_features = 3"):
        load_libsvm(io.BytesIO(b"1 1:1 4:1"), n_features=3, zero_based=False)
    with pytest.raises(ValueError, match="both index 0 and index 3, expected n_features = 3"):
        load_libsvm(io.BytesIO(b"1 0:1 3:1"), n_features=3)
    with pytest.raises(ValueError, match=":2:3: found '0:1', expected an index of at least 1"):
        load_libsvm(io.BytesIO(b"1 1:1\n1 0:1"), zero_based=False)
    with pytest.raises(ValueError, match="found '4:1', expected an index within n_features = 3"):
        load_libsvm(io.BytesIO(b"1 1:1 4:1"), n_features=3)
    with pytest.raises(ValueError, match=r"within n_features = 2 \(as in `fields`; unknown='ignore'"):
        list(iter_libffm(io.BytesIO(b"1 0:2:1"), fields=[0, 0]))


def test_an_index_beyond_the_default_says_what_helps(monkeypatch):
    text = b"1 0:100000000:1\n"
    for read in (load_libffm, iter_libffm):
        with pytest.raises(ValueError, match=r"= 67108864 \(the most by default: give a larger n_features"):
            read(io.BytesIO(text))
    with pytest.raises(ValueError, match="an index below 4294967296, the most with on_field_conflict"):
        load_libffm(io.BytesIO(b"1 0:4294967296:1\n"), on_field_conflict="split")
    monkeypatch.setattr(_feature_fields, "FEATURE_LIMIT", 8)
    with pytest.raises(ValueError, match=r"n_features = 8 \(the most by default"):
        load_libffm(io.BytesIO(b"1 0:8:1"))
    assert load_libffm(io.BytesIO(b"1 0:8:1"), n_features=9)[0].shape == (1, 9)


def test_fields_that_are_given():
    blocks = iter_libffm(io.BytesIO(b"1 0:0:1\n1 1:0:1"), fields=[0])
    with pytest.raises(ValueError, match=r":2:3: found feature 0 in field 1, expected field 0.* in `fields`"):
        list(blocks)


def test_a_line_without_end(monkeypatch):
    read_in_chunks(monkeypatch, 64, longest_line=256)
    text = b"1 1:1\n1" + b" 1:1" * 200
    with pytest.raises(ValueError, match=":2:1: found a line of more than 256 bytes"):
        load_libsvm(io.BytesIO(text))
    read_in_chunks(monkeypatch, 64, longest_line=1 << 20)
    assert load_libsvm(io.BytesIO(text))[0].nnz == 201


ARGUMENTS = {
    "zero_based must be": lambda file: load_libsvm(file, zero_based="yes"),
    "dtype must be": lambda file: load_libsvm(file, dtype="int32"),
    "n_features must be": lambda file: load_libsvm(file, n_features=0),
    "num_threads must be": lambda file: load_libsvm(file, num_threads=0),
    "rows must be": lambda file: iter_libsvm(file, rows=0),
    "on_field_conflict must be": lambda file: load_libffm(file, on_field_conflict="merge"),
    "unknown must be 'error' or 'ignore'": lambda file: load_libffm(file, n_features=3, unknown="drop"),
    "fields has shape": lambda file: iter_libffm(file, fields=[0], n_features=2),
    "mode 'rb'": lambda file: load_libsvm(io.StringIO("1")),
}


@pytest.mark.parametrize("message", ARGUMENTS)
def test_arguments(message):
    with pytest.raises(ValueError, match=message):
        ARGUMENTS[message](io.BytesIO(b"1 1:1:1\n"))


@pytest.mark.parametrize(
    ("message", "data", "indices", "indptr", "y"),
    [
        (r"X.data\[1\] is nan", [1, np.nan], [0, 1], [0, 2], [1]),
        (r"y\[0\] is inf", [1, 1], [0, 1], [0, 2], [np.inf]),
        ("column index 9, outside 0..1", [1, 1], [0, 9], [0, 2], [1]),
        ("X.indptr decreases", [1, 1], [0, 1], [0, 3], [1]),
        ("y has shape", [1, 1], [0, 1], [0, 2], [1, 2]),
    ],
)
def test_what_is_not_written(tmp_path, message, data, indices, indptr, y):
    X = csr_array((1, 2))
    X.data, X.indices, X.indptr = np.array(data, float), np.array(indices), np.array(indptr)
    for dump in (dump_libsvm, lambda X, y, path: dump_libffm(X, y, path, fields=[0, 1])):
        with pytest.raises(ValueError, match=message):
            dump(X, y, tmp_path / "rows")
    assert not (tmp_path / "rows").exists()


def test_fields_that_do_not_fit(tmp_path):
    with pytest.raises(ValueError, match="fields has shape"):
        dump_libffm(csr_array((1, 2)), [1], tmp_path / "rows", fields=[0])
    with pytest.raises(ValueError, match="fields is None and X has none, expected the field of each column"):
        dump_libffm(csr_array((1, 2)), [1], tmp_path / "rows")
    with pytest.raises(ValueError, match="zero_based is 'auto'"):
        dump_libsvm(csr_array((1, 2)), [1], tmp_path / "rows", zero_based="auto")


def changed(rng, text):
    text = bytearray(text)
    for _ in range(rng.integers(0, 4)):
        at = int(rng.integers(len(text)))
        new = bytes(rng.choice(list(b"0123456789::: \n\n\t\r#.eE+-naif,\0\xff"), rng.integers(0, 3)).tolist())
        text[at : at + int(rng.integers(0, 3))] = new
    return bytes(text)


@pytest.mark.parametrize("seed", range(4))
def test_changed_files_are_sound_or_refused(monkeypatch, seed):
    """The C tests change many more, under sanitizers."""
    read_in_chunks(monkeypatch, 32)
    rng = np.random.default_rng(seed)
    text, n_sound = b"1 0:3:1 1:7:0.5\n0 0:2:1e-3 1:8:2\n-1 0:3:1 # end\n", 0
    for _ in range(300):
        for on_field_conflict in ("error", "split"):
            try:
                X, y, fields = load_libffm(
                    io.BytesIO(changed(rng, text)), on_field_conflict=on_field_conflict
                )
            except ValueError:
                continue
            n_sound += 1
            X.check_format(full_check=True)
            assert X.shape == (len(y), len(fields))
            assert np.isfinite(X.data).all()
            assert np.isfinite(y).all() or np.isnan(y).all()  # a first row without a label
            assert (fields >= 0).all()
    assert 100 < n_sound < 550
