"""Files as other programs write them: without labels, with commas, with queries; which index is the first."""

import io
import warnings

import numpy as np
import pytest
from helpers.texts import FFM_ROWS, SVM_ROWS, load, load_ffm, read_in_chunks, same, same_rows
from hypothesis import given
from hypothesis import strategies as st

from fastfm_c import iter_libsvm, load_libsvm


def without_labels(text):
    return b"".join(line.split(b" ", 1)[1] for line in text.splitlines(keepends=True))


# --------------------------------------------------------------------------------- rows without labels


@pytest.mark.parametrize("chunk", [24, 1 << 20])
@pytest.mark.parametrize("head", [b"", b"# 1 rows\n\n \t\n", b"\xef\xbb\xbf", b"  "])
def test_rows_without_labels_have_nan(monkeypatch, chunk, head):
    read_in_chunks(monkeypatch, chunk)
    X, y, fields = load_ffm(head + without_labels(FFM_ROWS))
    expected, labels, of_columns = load_ffm(FFM_ROWS)
    assert np.isnan(y).all()
    assert same((X, fields), (expected, of_columns))
    assert len(y) == len(labels)
    X, y = load(head + without_labels(SVM_ROWS))
    assert same_rows(X, load(SVM_ROWS)[0])
    assert np.isnan(y).tolist() == [True, True]


@pytest.mark.parametrize("chunk", [8, 1 << 20])
def test_blocks_of_rows_without_labels(monkeypatch, chunk):
    read_in_chunks(monkeypatch, chunk)
    blocks = iter_libsvm(io.BytesIO(without_labels(SVM_ROWS)), rows=1)
    for _ in range(2):
        rows = list(blocks)
        assert [X.toarray().tolist() for X, _ in rows] == [[[1, 0, 0.5]], [[0, 1, 0]]]
        assert all(np.isnan(y).tolist() == [True] for _, y in rows)


def test_rows_without_labels_by_many_threads():
    text = b"".join(b"%d:%d:1 9:77:0.25\n" % (i % 5, i % 5) for i in range(100_000))
    results = [load_ffm(text, num_threads=n) for n in (1, 3)]
    assert same(*results)
    assert results[0][0].shape == (100_000, 78)


def test_rows_without_labels_name_the_place_of_a_conflict():
    with pytest.raises(ValueError, match=r":2:7: found feature 0 in field 1, expected field 0, .* line 1 "):
        load_ffm(b"0:0:1\n1:2:1 1:0:1\n")
    with pytest.raises(ValueError, match=r":2:13: found feature 0 in field 1, expected field 0"):
        load_ffm(b"qid:1 0:0:1\nqid:1 1:2:1 1:0:1\n")


@pytest.mark.parametrize("read", [load, lambda text: list(iter_libsvm(io.BytesIO(text), rows=1))])
@pytest.mark.parametrize("chunk", [8, 1 << 20])
def test_a_file_with_labels_in_some_rows_alone_is_refused(monkeypatch, read, chunk):
    read_in_chunks(monkeypatch, chunk)
    with pytest.raises(ValueError, match=":3:2: found '2:1', expected a finite number as label, as in the"):
        read(b"1 1:1\n\n 2:1\n")
    with pytest.raises(ValueError, match=r":3:2: found '1', expected index:value .*first row has no label"):
        read(b"1:1\n\n 1 2:1\n")


# ------------------------------------------------------------------------------------------- separators


@pytest.mark.parametrize("separator", [b",", b", ", b" , ", b"\t", b" \t", b"   ", b",,"])
@pytest.mark.parametrize("end", [b"\n", b"\r\n", b" \r\n", b",\n", b"\n\n", b"\n \r\n", b" # 5:5:5, 1\n"])
def test_separators_and_ends_of_lines(separator, end):
    def changed(text):
        return text.replace(b" ", separator).replace(b"\n", end)

    assert same(load_ffm(changed(FFM_ROWS)), load_ffm(FFM_ROWS))
    assert same(load(changed(SVM_ROWS)), load(SVM_ROWS))
    assert same(load_ffm(changed(without_labels(FFM_ROWS))), load_ffm(without_labels(FFM_ROWS)))
    assert same(load(changed(SVM_ROWS)[: -len(end)]), load(SVM_ROWS))


def test_a_conflict_behind_commas_is_found_where_it_is():
    with pytest.raises(ValueError, match=":2:9: found feature 0 in field 1, expected field 0"):
        load_ffm(b"1,0:0:1\n1,1:2:1,1:0:1\n")


@given(st.lists(st.tuples(st.integers(-5, 5), st.lists(st.integers(0, 30), max_size=4)), max_size=6),
       st.lists(st.sampled_from([b" ", b",", b"\t", b", ", b" \t "]), min_size=1))  # fmt: skip
def test_any_separators(rows, separators):
    plain, other, i = b"", b"", 0
    for label, indices in rows:
        for n, word in enumerate([b"%d" % label, *(b"%d:1" % j for j in indices)]):
            separator = separators[i % len(separators)]
            plain, other, i = plain + b" " * (n > 0) + word, other + separator * (n > 0) + word, i + 1
        plain, other = plain + b"\n", other + b"\n"
    assert same(load(other, zero_based=True), load(plain, zero_based=True))


# ---------------------------------------------------------------------------------------------- queries


def test_queries_are_read_over():
    ranked = b"1 qid:1 1:1 3:0.5 # docid = 7:7\n-1  qid:12345678901234567890123 2:1 #c\n"
    assert same(load(ranked), load(SVM_ROWS))
    assert same(load(ranked.replace(b" ", b",")), load(SVM_ROWS))
    assert same(load(without_labels(ranked)), load(without_labels(SVM_ROWS)))
    X, y = load(b"1 qid:1\n2 qid:-2 1:1\n")
    assert (X.toarray().tolist(), y.tolist()) == ([[0], [1]], [1, 2])
    assert same(load_ffm(FFM_ROWS.replace(b"1 0:", b"1 qid:3 0:")), load_ffm(FFM_ROWS))


def test_scikit_learn_reads_the_same_queries():
    datasets = pytest.importorskip("sklearn.datasets")
    text = b"2 qid:1 1:0.25 3:1 # a\n0 qid:1 2:-1\n1 qid:2 1:1\n"
    X, y = load(text, dtype="float64")
    theirs, labels = datasets.load_svmlight_file(io.BytesIO(text))
    assert X.toarray().tolist() == theirs.toarray().tolist()
    assert y.tolist() == labels.tolist()


# ----------------------------------------------------------------------------- the index of the first column

UNSURE = b"1 1:1 2:1\n"


@pytest.mark.parametrize("options", [{}, {"unknown": "ignore"}])
@pytest.mark.parametrize("read", [load_libsvm, iter_libsvm])
def test_a_guess_of_the_first_index_is_a_warning(read, options):
    with pytest.warns(UserWarning, match=r"from 1 to 2, and n_features is 3: .* zero_based=True") as caught:
        found = read(io.BytesIO(UNSURE), n_features=3, **options)
    assert caught[0].filename == __file__
    X, _ = found if read is load_libsvm else next(iter(found))
    assert X.toarray().tolist() == [[1, 1, 0]]


@pytest.mark.parametrize(
    ("text", "options", "row"),
    [
        (UNSURE, {"n_features": 2}, [1, 1]),  # index 2 must be the last of two columns
        (UNSURE, {}, [1, 1]),
        (UNSURE, {"n_features": 3, "zero_based": True}, [0, 1, 1]),
        (UNSURE, {"n_features": 3, "zero_based": False}, [1, 1, 0]),
        (b"1 0:1\n", {"n_features": 3}, [1, 0, 0]),
        (b"1 0:1 7:1\n", {"n_features": 3, "unknown": "ignore"}, [1, 0, 0]),
        (b"1\n", {"n_features": 3}, [0, 0, 0]),
    ],
)
def test_where_the_first_index_is_certain_there_is_no_warning(text, options, row):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert load(text, **options)[0].toarray().tolist() == [row]
        assert next(iter(iter_libsvm(io.BytesIO(text), **options)))[0].toarray().tolist() == [row]
