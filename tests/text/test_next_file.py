"""A file with fields is read like the one before it: a feature is in the same field and column."""

import io

import numpy as np
import pytest
from helpers.libffm_texts import (
    FIELDS,
    NOT_IN_TEST,
    SECOND,
    SECOND_ROW,
    read,
    table_of_first,
    text,
    with_conflict,
)

from fastfm_c import load, save, vstack
from fastfm_c.text import iter_libffm


def test_vstack_takes_the_field_of_a_column_from_the_blocks_with_values_in_it():
    X, _, _ = read(text(0, [11]), n_features=12)
    X_test, _, _ = read(text(1, NOT_IN_TEST))
    for blocks in ([X, X_test], [X_test, X]):
        stacked = vstack(blocks)
        assert stacked.fields.tolist() == FIELDS.tolist()
        np.testing.assert_array_equal(stacked.toarray(), np.vstack([X.toarray() for X in blocks]))
    with pytest.raises(ValueError, match="fields"):
        vstack([X, with_conflict(X_test)])


def test_a_file_is_read_with_the_fields_of_another():
    _, _, fields = read(text(0, []))
    X, _, _ = read(text(1, [*NOT_IN_TEST, 11]), fields=fields)
    assert X.shape == (200, 12)
    assert X.fields.tolist() == FIELDS.tolist()
    with pytest.raises(ValueError, match="found feature 6 in field 1, expected field 2"):
        read(text(1, []), fields=with_conflict(X).fields)


def test_a_pair_of_feature_and_field_has_the_same_column_in_the_blocks_of_the_next_file():
    ((X, _),) = iter_libffm(io.BytesIO(SECOND), fields=table_of_first())
    assert X.toarray().tolist() == SECOND_ROW
    assert X.fields.tolist() == [1, 0, 0]


def test_a_pair_of_feature_and_field_has_the_same_column_in_the_next_file():
    X, _, _ = read(SECOND, fields=table_of_first())
    assert X.toarray().tolist() == SECOND_ROW
    assert X.fields.tolist() == [1, 0, 0]


def test_the_columns_of_pairs_can_be_saved(tmp_path):
    save(table_of_first(), tmp_path / "table")
    ((X, _),) = iter_libffm(io.BytesIO(SECOND), fields=load(tmp_path / "table"))
    assert X.toarray().tolist() == SECOND_ROW
