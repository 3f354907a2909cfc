"""FieldEncoder: what it counts, constant columns, and columns that are not named."""

import copy
import pickle

import numpy as np
import pytest
from helpers.encoders import ROWS, TYPES

from fastfm_c import FieldEncoder, load, save
from fastfm_c.encoding import Date, Hashed, Numeric

pd = pytest.importorskip("pandas")
pl = pytest.importorskip("polars")
pytest.importorskip("narwhals")

KINDS = TYPES | {"bins": Numeric(bins=2), "hash": Hashed(3), "day": Date(["month"])}
MORE = {"bins": 1, "hash": "x", "day": "2026-01-01"}
TABLE = [row | MORE for row in ROWS] + [{"word": "new", "id": 99, "tags": ["a", "new", "newer"]}, {}]


@pytest.mark.parametrize("missing", ["unknown", "own"])
def test_missing_values_are_counted_apart_from_unknown_ones(missing):
    encoder = FieldEncoder(KINDS, missing=missing).fit([row | MORE for row in ROWS])
    unknown = dict.fromkeys(KINDS, 0) | {"word": 1, "id": 1, "tags": 1, "many": 2}  # rows
    missed = {"word": 2, "id": 2, "flag": 3, "size": 3, "tags": 3, "many": 2, "bins": 2, "hash": 2, "day": 2}
    encoder.transform(TABLE)
    assert (encoder.unknown_counts_, encoder.missing_counts_) == (unknown, missed)
    encoder.fit([row | MORE for row in ROWS])
    assert set(encoder.unknown_counts_.values()) == set(encoder.missing_counts_.values()) == {0}
    for row in TABLE:
        encoder.encode_row(row)
    assert (encoder.unknown_counts_, encoder.missing_counts_) == (unknown, missed)
    encoder.transform(TABLE[:1])
    assert set(encoder.unknown_counts_.values()) == set(encoder.missing_counts_.values()) == {0}


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame, lambda c: np.array(c["a"])[:, None]])
def test_missing_values_of_frames_are_not_unknown(frame):
    encoder = FieldEncoder().fit(frame({"a": ["x", "y", None]}))
    encoder.transform(frame({"a": ["x", None, "z", None]}))
    (unknown,), (missing,) = encoder.unknown_counts_.values(), encoder.missing_counts_.values()
    assert (unknown, missing) == (1, 2)


COPIES = {
    "itself": lambda encoder, path: encoder,
    "pickle": lambda encoder, path: pickle.loads(pickle.dumps(encoder)),
    "copy": lambda encoder, path: copy.copy(encoder),
    "file": lambda encoder, path: save(encoder, path) or load(path),
}


@pytest.mark.parametrize("make", COPIES)
@pytest.mark.parametrize(
    "first", [[4.0], [0.0], [0.1] * 3, [-1e300, -1e300, None], [np.float32(0.1)] * 2, [None]]
)
def test_a_column_that_was_constant_at_fit_stays_zero_after_more_rows_and_in_copies(make, first, tmp_path):
    encoder = FieldEncoder({"x": "numeric"}).fit([{"x": x} for x in first])
    encoder = COPIES[make](encoder, tmp_path / "encoder")
    for _ in range(2):
        for x in (first[0], 5000.0, -1e30, 0):
            if x is not None:
                assert encoder.transform([{"x": x}]).toarray().tolist() == [[0, 0]]
                assert encoder.encode_row({"x": x})[1].tolist() == [0]
        if first != [None]:  # which waits for the first number
            encoder = COPIES[make](encoder.partial_fit([{"x": 7.0}, {"x": 9.0}]), tmp_path / "encoder")


def test_a_numeric_column_that_was_constant_at_fit_changes_no_probability():
    pytest.importorskip("sklearn")
    from fastfm_c.sklearn import FMClassifier

    rng = np.random.default_rng(0)
    rows = [{"u": u, "i": i, "fee": 0.0} for u, i in rng.choice(list("abcd"), (400, 2)).tolist()]
    encoder = FieldEncoder()
    X, y = encoder.fit_transform(rows), [row["u"] == row["i"] for row in rows]
    model = FMClassifier(random_state=0).fit(X, y)
    before = model.predict_proba(X)
    after = model.predict_proba(encoder.transform([row | {"fee": 5000.0} for row in rows]))
    np.testing.assert_array_equal(after, before)


def test_numbers_that_hardly_differ_are_not_constant():
    X = FieldEncoder(dtype="float64").fit_transform([{"x": 1.0}, {"x": np.nextafter(1.0, 2)}])
    assert X.data[1] - X.data[0] == pytest.approx(2)


ALL = {"uid": [1, 2, 3], "word": ["a", "b", "a"], "price": [1.5, 2.5, 3.5]}


@pytest.mark.parametrize("frame", [pd.DataFrame, pl.DataFrame, lambda c: pd.DataFrame(c).to_dict("records")])
def test_columns_that_are_not_named(frame, tmp_path):
    table, uid = frame(ALL), {"uid": "categorical"}
    alone = FieldEncoder(uid).fit(table)
    assert alone.feature_names_in_.tolist() == ["uid"]
    with pytest.raises(ValueError, match=r"X has a column 'word', expected the columns \['uid'\] only"):
        FieldEncoder(uid, rest="error").fit(table)
    strict = FieldEncoder(uid, rest="error").fit(frame({"uid": [1]}))
    for encoder in (strict, FieldEncoder(uid, rest="auto").fit(table)):
        with pytest.raises(ValueError, match=r"X has a column '(more|word)', expected"):
            encoder.transform(frame(ALL | {"more": [1, 2, 3]}))
        with pytest.raises(ValueError, match="X has a column 'more', expected"):
            encoder.encode_row({"more": 1})
    wanted = FieldEncoder({"uid": "categorical", "word": "categorical", "price": "numeric"}).fit(table)
    encoder = FieldEncoder(uid, rest="auto").fit(table)
    assert encoder.get_feature_names_out().tolist() == wanted.get_feature_names_out().tolist()
    assert (encoder.transform(table) != wanted.transform(table)).nnz == 0
    for rest in ("hashed", Hashed(18)):
        hashed = FieldEncoder(["word"], rest=rest).fit(table)
        assert hashed.feature_names_in_.tolist() == ["word", "uid", "price"]
        save(hashed, tmp_path / "encoder")
        loaded = load(tmp_path / "encoder")
        assert loaded.rest == rest
        assert (loaded.transform(table) != hashed.transform(table)).nnz == 0
        assert hashed.fields_.size == 3 + 2 * (1 + 2**18)


@pytest.mark.parametrize("rest", ["keep", None, Numeric, 3, ["drop"], Hashed(99)])
def test_bad_rests(rest):
    with pytest.raises(ValueError, match=r"rest is .*, expected 'drop', 'error', 'auto', or a column type"):
        FieldEncoder(["uid"], rest=rest).fit(pd.DataFrame(ALL))
