"""FieldTable: what one libffm file says about features, fields and columns is used for the next."""

import contextlib
import copy
import io
import pickle

import numpy as np
import pytest
from helpers.libffm_texts import FIRST, read, table_of_first
from hypothesis import given, settings
from hypothesis import strategies as st

from fastfm_c import (
    FFM,
    AdaGrad,
    FieldTable,
    LogisticLoss,
    iter_libffm,
    iter_libsvm,
    load,
    load_libsvm,
    save,
    train,
    vstack,
)
from fastfm_c.interop import dump_xlearn_model, load_xlearn_model


def blocks(text, **options):
    found = iter_libffm(io.BytesIO(text), rows=1, **options)
    return vstack([X for X, _ in found]), found


TRAIN = b"1 0:0:1 1:2:1\n0 0:1:1 1:3:1\n"  # feature 4 is missing
TEST = b"1 0:0:2 1:4:3\n"

# ------------------------------------------------------------------------------------------- columns


def test_a_column_that_had_no_value_is_in_no_field_until_a_file_says_so():
    X, y, table = read(TRAIN, n_features=5)
    assert table.tolist() == [0, 0, 1, 1, 0]
    assert table.has_values.tolist() == [True] * 4 + [False]
    X_test, _, seen = read(TEST, fields=table)
    assert X_test.toarray().tolist() == [[2, 0, 0, 0, 3]]
    assert seen.tolist() == X_test.fields.tolist() == [0, 0, 1, 1, 1]
    assert blocks(TEST, fields=table)[0].fields.tolist() == [0, 0, 1, 1, 1]
    model = FFM.random(table, 2, rng=0)
    scores = model.predict(X_test)
    AdaGrad(model, LogisticLoss()).partial_fit(X, y)
    assert model.fields.tolist() == [0, 0, 1, 1, 0]
    AdaGrad(model, LogisticLoss()).partial_fit(X_test, [1.0])  # which decides
    assert model.fields.tolist() == [0, 0, 1, 1, 1]
    assert model.predict(X_test) != scores
    with pytest.raises(ValueError, match="feature 4 in field 0, expected field 1"):
        read(b"1 0:4:1\n", fields=model.fields)


def test_training_with_validation_rows_that_have_new_features():
    X, y, table = read(TRAIN * 20, n_features=5)
    X_test, y_test, _ = read(TEST, fields=table)
    history = train(
        FFM.random(X.fields, 2, rng=0), X, y, LogisticLoss(), max_iter=2, eval_set=(X_test, y_test)
    )
    assert np.isfinite(history.validation).all()


def test_a_new_feature_in_a_field_that_the_model_lacks_is_not_learned_silently():
    table = read(b"1 0:0:1 0:1:1\n", n_features=3)[2]
    model = FFM.random(table, 2, rng=0)
    X_new, y, _ = read(b"1 0:0:1 1:2:1\n", fields=table)
    assert np.isfinite(model.predict(X_new)).all()
    with pytest.raises(ValueError, match="column 2 of X is in field 1, the model has 1 fields"):
        AdaGrad(model, LogisticLoss()).partial_fit(X_new, y)


# --------------------------------------------------------------------------------------------- pairs


def test_split_takes_n_features_as_the_number_of_columns():
    X, _, table = read(FIRST, n_features=5, on_field_conflict="split")
    assert X.shape == (1, 5)
    assert table.features.tolist() == [0, 0, 1, -1, -1]
    X2, _, larger = read(b"0 1:1:7 0:0:1\n", fields=table)  # the pair takes a free column
    assert X2.toarray().tolist() == [[0, 1, 0, 7, 0]]
    assert larger.features.tolist() == [0, 0, 1, 1, -1]
    with pytest.raises(ValueError, match="feature 1 in field 0, expected at most n_features = 2 pairs"):
        read(FIRST, n_features=2, on_field_conflict="split")
    X3, _, seen = read(FIRST, n_features=2, on_field_conflict="split", unknown="ignore")
    assert (X3.toarray().tolist(), seen.n_ignored) == ([[1, 2]], 1)


def test_split_adds_columns_to_the_table_of_another_file():
    table = table_of_first()
    X, found = blocks(b"0 1:1:7 0:0:1\n1 2:0:3\n", fields=table, on_field_conflict="split")
    assert X.toarray().tolist() == [[0, 1, 0, 7, 0], [0, 0, 0, 0, 3]]
    assert found.fields.features.tolist() == [0, 0, 1, 1, 0]
    assert found.fields.tolist() == [1, 0, 0, 1, 2]
    plain, _, _ = read(b"0 1:0:1 0:0:2\n", fields=[0, 1], on_field_conflict="split")
    assert plain.toarray().tolist() == [[2, 0, 1]]


def test_blocks_of_a_split_file_are_the_rows_of_the_whole_file():
    text = b"1 1:0:1 0:0:2\n0 0:1:3 2:0:4\n1 2:0:5 1:1:6\n"
    X, _, table = read(text, on_field_conflict="split")
    stacked, found = blocks(text, on_field_conflict="split")
    np.testing.assert_array_equal(stacked.toarray(), X.toarray())
    assert found.fields.features.tolist() == table.features.tolist()
    assert found.fields.tolist() == table.tolist() == [1, 0, 0, 2, 1]


def test_rows_of_two_files_that_were_split_apart_do_not_fit_a_model():
    """Their columns have the same fields, and are other features."""
    X, _, table = read(b"1 0:0:1 0:1:1 1:0:1\n", on_field_conflict="split")
    other, _, _ = read(b"1 0:1:1 0:0:1 1:0:1\n", on_field_conflict="split")
    with pytest.raises(ValueError, match="column 0, which is feature 1, expected feature 0"):
        FFM.random(table, 2, rng=0).predict(other)
    with pytest.raises(ValueError, match="fields"):
        vstack([X, other])


lines = st.lists(
    st.lists(st.tuples(st.integers(0, 3), st.integers(0, 4)), max_size=6, unique=True), min_size=1, max_size=5
)


@settings(max_examples=50, deadline=None)
@given(lines, lines)
def test_two_files_with_one_table_are_one_file(first, second):
    a, b = (
        "".join("1 " + " ".join(f"{f}:{j}:1" for f, j in row) + "\n" for row in rows).encode()
        for rows in (first, second)
    )
    X, _, table = read(a + b, on_field_conflict="split")
    X1, _, table1 = read(a, on_field_conflict="split")
    X2, _, table2 = read(b, fields=table1, on_field_conflict="split")
    assert table2.features.tolist() == table.features.tolist()
    assert table2.tolist() == table.tolist()
    np.testing.assert_array_equal(X[len(first) :].toarray(), X2.toarray())
    np.testing.assert_array_equal(X[: len(first), : X1.shape[1]].toarray(), X1.toarray())


# ------------------------------------------------------------------------------------ what is unknown

UNKNOWN = b"1 0:0:1 1:9:5 1:2:2\n0 1:3:1 1:100000000000:4\n"


def test_unknown_features_are_ignored_and_counted():
    X, _, table = read(UNKNOWN, n_features=4, unknown="ignore")
    assert X.toarray().tolist() == [[1, 0, 2, 0], [0, 0, 0, 1]]
    assert (X.indices.dtype, table.n_ignored) == (np.int32, 2)
    for options in ({"fields": [0, 0, 1, 1]}, {"n_features": 4}):
        stacked, found = blocks(UNKNOWN, unknown="ignore", **options)
        np.testing.assert_array_equal(stacked.toarray(), X.toarray())
        assert found.n_ignored == 2
        with pytest.raises(ValueError, match=r"n_features = 4 .*unknown='ignore'"):
            blocks(UNKNOWN, **options)
    split = read(b"1 0:0:1 1:0:1\n", on_field_conflict="split")[2]
    X, _, table = read(UNKNOWN, fields=split, unknown="ignore")
    assert (X.toarray().tolist(), table.n_ignored) == ([[1, 0], [0, 0]], 4)
    with pytest.raises(ValueError, match="1:9: found feature 9 in field 1, expected a pair"):
        read(UNKNOWN.partition(b"\n")[0], fields=split)


def test_values_in_a_second_field_are_ignored_and_counted():
    text = b"1 0:0:1 1:0:2 1:1:3\n0 0:1:4 0:0:5\n"
    X, _, table = read(text, on_field_conflict="ignore")
    assert (X.toarray().tolist(), table.tolist(), table.n_ignored) == ([[1, 3], [5, 0]], [0, 1], 2)
    stacked, found = blocks(text, on_field_conflict="ignore")
    np.testing.assert_array_equal(stacked.toarray(), X.toarray())
    assert found.n_ignored == 2
    X, _, table = read(text, fields=[1, 0], on_field_conflict="ignore")
    assert (X.toarray().tolist(), table.n_ignored) == ([[2, 0], [0, 4]], 3)


def warns_of_a_guess(is_guess):
    return pytest.warns(UserWarning, match="may have index 0 or 1") if is_guess else contextlib.nullcontext()


@pytest.mark.parametrize("zero_based", ["auto", False, True])
def test_unknown_indices_of_libsvm_are_ignored(zero_based):
    text = b"1 1:1 3:3 7:7\n0 2:2 3000000000:1\n"
    options = {"n_features": 3, "zero_based": zero_based, "unknown": "ignore"}
    with warns_of_a_guess(zero_based == "auto"):
        X, _ = load_libsvm(io.BytesIO(text), **options)
    shift = zero_based is True
    expected = np.zeros((2, 4))
    expected[[0, 0, 1], [1 - 1 + shift, 2 + shift, 1 + shift]] = 1, 3, 2
    np.testing.assert_array_equal(X.toarray(), expected[:, :3])
    with warns_of_a_guess(zero_based == "auto"):
        found = iter_libsvm(io.BytesIO(text), **options)
    np.testing.assert_array_equal(next(iter(found))[0].toarray(), expected[:, :3])
    assert sum(X.shape[0] for X, _ in found) == 2
    assert found.n_ignored == 2 + shift


def test_a_row_for_serving_may_have_unknown_features():
    table = read(TRAIN)[2]
    model = FFM.random(table, 2, init_stdev=1.0, rng=0)
    row = table.encode_row([9, 0, 2, 1], [1, 0, 1, 1], [5.0, 1.0, 2.0, 7.0], unknown="ignore")
    assert model.predict_row(*row) == model.predict_row([0, 2], [1.0, 2.0])
    assert table.n_ignored == 2
    with pytest.raises(ValueError, match="feature 9 in field 1 has no column"):
        table.encode_row([9], [1], [5.0])
    split = table_of_first()
    assert split.columns([0, 0, 1, 1], [0, 1, 0, 1]).tolist() == [1, 0, 2, -1]


# --------------------------------------------------------------------------------------- the object


def through_pickle(obj):
    return pickle.loads(pickle.dumps(obj))


def table_of_everything():
    return FieldTable([1, 0, 0, 0], features=[0, 0, 1, -1], has_values=[True, True, True, False])


@pytest.mark.parametrize("through", [copy.copy, copy.deepcopy, through_pickle, "save"])
def test_a_table_survives(through, tmp_path):
    table = table_of_everything()
    if through == "save":
        save({"table": table, "plain": read(TRAIN)[2]}, tmp_path / "file")
        found = load(tmp_path / "file")
        again = found["table"]
        assert found["plain"].tolist() == [0, 0, 1, 1]
    else:
        again = through(table)
    assert isinstance(again, FieldTable)
    for name in ("features", "has_values"):
        assert getattr(again, name).tolist() == getattr(table, name).tolist()
    assert again.tolist() == table.tolist()


@pytest.mark.parametrize("through", [copy.copy, lambda model: model.copy(), through_pickle, "save"])
def test_a_model_keeps_its_table(through, tmp_path):
    model = FFM.random(table_of_everything(), 2, rng=0)
    if through == "save":
        save(model, tmp_path / "file")
        again = load(tmp_path / "file")
    else:
        again = through(model)
    assert again == model
    assert again.fields.features.tolist() == [0, 0, 1, -1]
    X, _, _ = read(b"1 0:0:5 1:1:2\n", fields=again.fields)
    assert X.toarray().tolist() == [[0, 5, 0, 2]]


def test_what_is_computed_from_a_table_is_a_plain_array():
    table = table_of_everything()
    for part in (table[1:], table + 1, table == 0, np.sort(table), table[[0, 1]]):
        assert not (isinstance(part, FieldTable) and part.is_split)
    assert table.max() == 1
    X, _, _ = read(FIRST, on_field_conflict="split")
    assert X[:, [2, 0]].fields.features.tolist() == [1, 0]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (([0, -1],), r"fields\[1\] is -1"),
        (([0, 1], [0]), r"features has shape \(1,\)"),
        (([0, 1], [0.5, 1]), "features has dtype float64"),
        (([0, 1], None, [0, 1]), "has_values has dtype int"),
    ],
)
def test_bad_tables(arguments, message):
    with pytest.raises(ValueError, match=message):
        FieldTable(*arguments)


def test_a_model_of_xlearn_is_read_with_the_columns_of_pairs(tmp_path):
    theirs = FFM.random([0, 1, 0], 4, init_stdev=1.0, rng=0)
    dump_xlearn_model(theirs, tmp_path / "model")
    model = load_xlearn_model(tmp_path / "model", table_of_everything(), normalize=False)
    np.testing.assert_array_equal(model.V[:3], theirs.V[[0, 0, 1]])
    assert not model.V[3].any()
    with pytest.raises(ValueError, match=r"fields.features\[1\] is 3, expected less than 3"):
        load_xlearn_model(tmp_path / "model", FieldTable([0, 1], features=[0, 3]))
