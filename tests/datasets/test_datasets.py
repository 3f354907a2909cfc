"""The Adult data: its counts, its encoding, and that damage is noticed."""

import numpy as np
import pytest

from fastfm_c.datasets import adult as module
from fastfm_c.datasets import load_adult


@pytest.fixture(scope="module")
def adult():
    return load_adult()


def test_counts(adult):
    n = len(adult.fields)
    assert adult.X_train.shape == (32_561, n)
    assert adult.X_test.shape == (16_281, n)
    assert (adult.y_train.shape, adult.y_test.shape) == ((32_561,), (16_281,))
    assert (adult.y_train.sum(), adult.y_test.sum()) == (7_841, 3_846)
    assert set(adult.y_train) == set(adult.y_test) == {0, 1}
    assert repr(adult) == f"Adult(32561 training rows, 16281 test rows, {n} features in 14 fields)"


def test_types(adult):
    for X, y in ((adult.X_train, adult.y_train), (adult.X_test, adult.y_test)):
        assert X.dtype == y.dtype == np.float32
        assert X.indices.dtype == X.indptr.dtype == np.int32
        assert X.has_canonical_format
    assert adult.fields.dtype == np.int32


def test_every_row_has_one_1_in_each_field(adult):
    for X in (adult.X_train, adult.X_test):
        assert np.all(X.data == 1)
        np.testing.assert_array_equal(np.diff(X.indptr), 14)
        np.testing.assert_array_equal(
            adult.fields[X.indices].reshape(-1, 14), np.tile(np.arange(14), (X.shape[0], 1))
        )


def test_fields_and_names(adult):
    assert len(adult.field_names) == 14
    assert len(adult.feature_names) == len(adult.fields) == len(set(adult.feature_names))
    assert np.all(np.diff(adult.fields) >= 0)
    for name, field in zip(adult.feature_names, adult.fields, strict=True):
        assert name.startswith(adult.field_names[field])


def test_known_counts_of_the_original(adult):
    """Published: 21,790 men and 10,771 women among the training rows, 5,355 with a bachelor's."""
    counts = dict(zip(adult.feature_names, adult.X_train.sum(axis=0), strict=True))
    assert counts["sex=Male"] == 21_790
    assert counts["sex=Female"] == 10_771
    assert counts["education=Bachelors"] == 5_355
    assert counts["sex=<unknown>"] == 0


def test_every_feature_but_unknown_occurs_in_training(adult):
    """Also of numeric columns: no bin is empty."""
    counts = adult.X_train.sum(axis=0)
    for name, count in zip(adult.feature_names, counts, strict=True):
        assert (count == 0) == name.endswith("=<unknown>"), name


@pytest.mark.parametrize("n_bins", [1, 2, 50])
def test_number_of_bins(n_bins):
    data = load_adult(n_bins=n_bins)
    numeric = ["age", "fnlwgt", "education-num", "capital-gain", "capital-loss", "hours-per-week"]
    for name in numeric:
        size = np.sum(data.fields == data.field_names.index(name))
        assert 1 <= size <= n_bins + 1  # zero may be a bin of its own
    np.testing.assert_array_equal(np.diff(data.X_test.indptr), 14)


def test_number_of_bins_is_positive():
    with pytest.raises(ValueError, match="n_bins is 0"):
        load_adult(n_bins=0)


def test_the_test_rows_do_not_change_the_encoding(monkeypatch):
    """A value that only test rows have is unknown; the features stay those of training."""
    column = (("a", "b", "a"), ("b", "c", "a"))
    train, test, names = module._encode_categorical("x", *column, 16)
    assert (train.tolist(), test.tolist()) == ([0, 1, 0], [1, 2, 0])
    assert names == ["x=a", "x=b", "x=<unknown>"]
    train, test, names = module._encode_numeric("x", ("1", "2", "3", "4"), ("0", "9", "2"), 2)
    assert train.tolist() == [0, 0, 1, 1]
    assert test.tolist() == [0, 1, 0]
    assert names == ["x<3", "x>=3"]


def test_damaged_files_are_noticed(monkeypatch):
    monkeypatch.setattr(module, "_N_TEST", 16_280)
    with pytest.raises(ValueError, match=r"adult\.test\.csv\.bz2 is damaged"):
        load_adult()
    monkeypatch.undo()
    monkeypatch.setattr(module, "_N_TRAIN_POSITIVE", 1)
    with pytest.raises(ValueError, match=r"adult\.data\.bz2 is damaged"):
        load_adult()
