"""Files of text: compressed ones, blocks of rows for ``partial_fit``."""

import bz2
import gzip
import io
import lzma
import sys

import numpy as np
import pytest
from helpers.texts import PLAIN, load, read_in_chunks, same_array, same_rows

import fastfm_c
from fastfm_c import (
    FFM,
    AdaGrad,
    LogisticLoss,
    dump_libffm,
    dump_libsvm,
    iter_libffm,
    iter_libsvm,
    load_libffm,
    load_libsvm,
)
from fastfm_c._field_csr import FieldCSR


@pytest.mark.parametrize(("suffix", "module"), [("gz", gzip), ("bz2", bz2), ("xz", lzma), ("zst", None)])
def test_compressed(tmp_path, suffix, module):
    if module is None:
        module = pytest.importorskip("compression.zstd" if sys.version_info >= (3, 14) else "zstandard")
    X, y = load(PLAIN, zero_based=True)
    dump_libsvm(X, y, tmp_path / f"rows.{suffix}", zero_based=True)
    with module.open(tmp_path / f"rows.{suffix}", "rb") as file:
        assert file.read().startswith(b"1 0:1 3:0.5\n")
    (tmp_path / f"rows.{suffix}").rename(tmp_path / "rows")  # told by its first bytes
    A, a = load_libsvm(tmp_path / "rows", zero_based=True)
    assert same_rows(A, X)
    assert same_array(a, y)
    assert [len(b) for _, b in iter_libsvm(tmp_path / "rows", rows=3)] == [3, 1]
    damaged = (tmp_path / "rows").read_bytes()[:-9]
    (tmp_path / "damaged").write_bytes(damaged)
    with pytest.raises(ValueError, match="damaged: damaged compressed data"):
        load_libsvm(tmp_path / "damaged")


@pytest.mark.parametrize("rows", [1, 2, 3, 1000])
@pytest.mark.parametrize("chunk", [16, 1 << 10])
def test_blocks_are_the_rows(monkeypatch, rows, chunk):
    read_in_chunks(monkeypatch, chunk)
    text = b"".join(b"%d 0:%d:1 1:50:%d\n" % (i % 2, i % 40, i) for i in range(101))
    X, y, fields = load_libffm(io.BytesIO(text))
    for options in ({}, {"fields": fields}):
        blocks = iter_libffm(io.BytesIO(text), rows=rows, **options)
        assert same_array(blocks.fields, fields)
        for _ in range(2):
            parts = list(blocks)
            sizes = [len(part_y) for _, part_y in parts]
            assert sizes[:-1] == [rows] * (len(sizes) - 1)
            assert np.concatenate([part_y for _, part_y in parts]).tolist() == y.tolist()
            assert all(part.shape[1] == 51 and part.indices.dtype == np.int32 for part, _ in parts)
            assert np.concatenate([part.toarray() for part, _ in parts]).tolist() == X.toarray().tolist()
        assert blocks.n_rows == 101


def test_blocks_train_like_all_rows(tmp_path):
    text = b"".join(b"%d 0:%d:1 1:%d:.5\n" % (i % 2, i % 7, 7 + i % 3) for i in range(60))
    (tmp_path / "rows").write_bytes(text)
    X, y, fields = load_libffm(tmp_path / "rows")
    models = [FFM.random(fields, 4, rng=0) for _ in range(2)]
    solvers = [AdaGrad(model, LogisticLoss(), batch_size=10) for model in models]
    solvers[0].partial_fit(X, y)
    for block, labels in iter_libffm(tmp_path / "rows", rows=20):
        solvers[1].partial_fit(block, labels)
    assert same_array(models[0].V, models[1].V)


def test_rows_know_their_fields(tmp_path):
    path, text = tmp_path / "rows", b"1 2:0:1 0:3:1\n0 1:2:.5\n1 2:0:1\n"
    path.write_bytes(text)
    X, y, fields = load_libffm(path)
    assert isinstance(X, FieldCSR)
    assert X.fields.tolist() == fields.tolist() == [2, 0, 1, 0]
    assert load_libffm(path, on_field_conflict="split")[0].fields.tolist() == [2, 0, 1]
    for rows in (1, 2, 9):
        assert all(block.fields.tolist() == fields.tolist() for block, _ in iter_libffm(path, rows=rows))
    dump_libffm(X, y, tmp_path / "again")
    assert (tmp_path / "again").read_bytes() == text.replace(b".5", b"0.5")
    dump_libffm(X, y, tmp_path / "others", fields=[4, 4, 4, 4])
    assert load_libffm(tmp_path / "others")[2].tolist() == [4, 0, 4, 4]
    pytest.importorskip("sklearn")
    assert fastfm_c.sklearn.FFMClassifier(max_iter=1).fit(X, y).model_.fields.tolist() == fields.tolist()
