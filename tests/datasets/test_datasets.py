"""The Adult data: its counts, its encoding, and that damage is noticed."""

import bz2

import numpy as np
import pytest

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


def test_bins_are_cut_at_quantiles():
    """Half of the training rows are of people under 37; most people have no capital gain."""
    adult = load_adult(n_bins=2)
    ages = [name for name in adult.feature_names if name.startswith("age")]
    assert ages == ["age<37", "age>=37"]
    gains = [name for name in adult.feature_names if name.startswith("capital-gain")]
    assert gains == ["capital-gain<1", "capital-gain=1..7297", "capital-gain>=7298"]
    counts = dict(zip(adult.feature_names, adult.X_train.sum(axis=0), strict=True))
    assert 0.48 < counts["age<37"] / 32_561 < 0.5
    assert counts["capital-gain<1"] == 29_849


@pytest.fixture
def edit_test_file(monkeypatch):
    """Replaces text in the file of the test rows, as if it had been shipped so."""
    decompress = bz2.decompress

    def edit(old, new, count=-1):
        def edited(raw):
            text = decompress(raw)
            return text.replace(old, new, count) if text.startswith(b"age,") else text

        monkeypatch.setattr(bz2, "decompress", edited)

    return edit


def test_the_test_rows_do_not_change_the_encoding(adult, edit_test_file):
    """A value that only test rows have is unknown."""
    edit_test_file(b"United-States", b"Atlantis")
    data = load_adult()
    assert data.feature_names == adult.feature_names
    assert (data.X_train != adult.X_train).nnz == 0
    known, unknown = (
        adult.feature_names.index(f"native-country={value}") for value in ("United-States", "<unknown>")
    )
    counts, new_counts = adult.X_test.sum(axis=0), data.X_test.sum(axis=0)
    assert counts[known] > 14_000
    assert (new_counts[known], new_counts[unknown]) == (0, counts[known] + counts[unknown])


def test_a_number_beyond_those_of_the_training_rows_is_in_the_last_bin(adult, edit_test_file):
    edit_test_file(b"\n25, ", b"\n1000, ", 1)
    moved = load_adult().X_test[0] - adult.X_test[0]
    last_age = np.flatnonzero(adult.fields == adult.field_names.index("age"))[-1]
    assert (moved[last_age], moved.sum(), abs(moved).sum()) == (1, 0, 2)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"\n25, Private", b""),  # the first row becomes a part of the header
        (b"Private, 226802", b"226802"),  # a value less
        (b"<=50K", b">50K"),
        (b"<=50K", b"50K"),
    ],
    ids=["row", "value", "label", "unknown label"],
)
def test_a_damaged_file_is_noticed(edit_test_file, old, new):
    edit_test_file(old, new, 1)
    with pytest.raises(ValueError, match=r"adult\.test\.csv\.bz2 is damaged"):
        load_adult()
