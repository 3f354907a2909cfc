"""The reader of MovieLens' u.data, which the benchmarks use."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

READER = Path(__file__).parents[2] / "bench" / "movielens.py"
pytestmark = pytest.mark.skipif(not READER.is_file(), reason="no bench/ here")
RATINGS = "7\t50\t3\t881250949\n2\t9\t5\t881250950\n7\t9\t1\t881250951\n7\t50\t4\t881250952\n"  # made up


@pytest.fixture
def reader():
    spec = importlib.util.spec_from_file_location("reader_of_ratings", READER)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_pairs_of_users_and_items(reader, tmp_path, monkeypatch):
    (tmp_path / "u.data").write_text(RATINGS)
    np.testing.assert_array_equal(reader.read_ratings(tmp_path / "u.data").toarray(), [[1, 0], [1, 1]])
    monkeypatch.setenv("FASTFM_C_MOVIELENS", str(tmp_path))
    assert reader.movielens().nnz == 3
    monkeypatch.delenv("FASTFM_C_MOVIELENS")
    assert reader.movielens() is None


@pytest.mark.filterwarnings("ignore:loadtxt")
def test_refuses_other_files(reader, tmp_path):
    path = tmp_path / "u.data"
    for text, message in ("", "has no ratings"), ("a\tb\t3\t4\n", "could not convert"):
        path.write_text(text)
        with pytest.raises(ValueError, match=message):
            reader.read_ratings(path)
