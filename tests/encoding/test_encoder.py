"""FieldEncoder: examples by hand, tables of every kind, against the slow specification."""

import numpy as np
import pytest
from helpers.encoders import ROWS, TYPES, dense, encode, tables
from hypothesis import given
from hypothesis import strategies as st

from fastfm_c import FFM, FieldCSR, FieldEncoder
from fastfm_c.encoding import Categorical, Hashed, MultiCategorical, Numeric

pd = pytest.importorskip("pandas")
pl = pytest.importorskip("polars")
pa = pytest.importorskip("pyarrow")


def same(A, B):
    return (
        np.array_equal(A.indptr, B.indptr)
        and np.array_equal(A.indices, B.indices)
        and np.array_equal(A.data, B.data)
        and np.array_equal(A.fields, B.fields)
        and A.dtype == B.dtype
    )


def test_by_hand():
    encoder = FieldEncoder(TYPES, missing="own", dtype="float64")
    X = encoder.fit_transform(ROWS)
    known = ["word=blue word=red", "id=3 id=7", "flag=False flag=True", "size", "tags=a tags=b", "many=x"]
    assert " ".join(encoder.get_feature_names_out()) == " ".join(
        f"{name}=<unknown> {name}=<missing> {names}" for name, names in zip(TYPES, known, strict=True)
    )
    a, b = np.sqrt(0.5), [(x - 3.5 / 3) / np.std([1.5, -2, 4]) for x in (1.5, -2, 4)]
    wanted = [
        [0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, b[0], 0, 0, a, a, 0, 0, 1],
        [0, 1, 0, 0, 0, 0, 1, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1, 0, 0],
        [0, 0, 1, 0, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, b[1], 0, 1, 0, 0, 0, 0, 1],
        [0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 1, 0, 0, b[2], 0, a, 0, a, 1, 0, 0],
    ]
    np.testing.assert_allclose(X.toarray(), wanted, rtol=1e-14)
    assert isinstance(X, FieldCSR)
    assert encoder.fields_.tolist() == np.repeat(range(6), [4, 4, 4, 3, 4, 3]).tolist()
    assert X.fields.tolist() == encoder.fields_.tolist()
    assert not encoder.fields_.flags.writeable
    assert encoder.unknown_counts_ == {"word": 0, "id": 0, "flag": 0, "size": 0, "tags": 0, "many": 2}
    assert encoder.feature_names_in_.tolist() == list(TYPES)
    assert encoder.n_features_in_ == 6


def test_missing_and_unknown_values_share_a_feature():
    encoder = FieldEncoder(TYPES).fit(ROWS)
    assert encoder.get_feature_names_out()[:3].tolist() == ["word=<unknown>", "word=blue", "word=red"]
    X = encoder.transform([{"word": "green", "id": 9, "flag": None, "tags": ["c", "d", "a"]}] * 2)
    assert encoder.unknown_counts_ == {"word": 2, "id": 2, "flag": 0, "size": 0, "tags": 2, "many": 0}
    assert encoder.missing_counts_ == {"word": 0, "id": 0, "flag": 2, "size": 2, "tags": 0, "many": 2}
    assert " ".join(encoder.get_feature_names_out()[X.indices[: X.indptr[1]]]) == (
        "word=<unknown> id=<unknown> flag=<unknown> size=<unknown> tags=<unknown> tags=a many=<unknown>"
    )
    np.testing.assert_allclose(X.data[4:6], np.sqrt(0.5), rtol=1e-7)
    encoder.transform(ROWS[:1])
    assert encoder.unknown_counts_ == dict.fromkeys(TYPES, 0)


@pytest.mark.parametrize("missing", ["unknown", "own"])
@pytest.mark.parametrize("form", tables())
def test_every_table_gives_the_same_matrix(form, missing):
    table = tables()[form]
    of_dicts = FieldEncoder(TYPES, missing=missing)
    wanted = of_dicts.fit_transform(ROWS)
    encoder = FieldEncoder(TYPES, missing=missing)
    assert same(encoder.fit_transform(table), wanted)
    assert encoder.get_feature_names_out().tolist() == of_dicts.get_feature_names_out().tolist()
    assert same(of_dicts.transform(table), wanted)
    assert of_dicts.unknown_counts_ == encoder.unknown_counts_
    nothing = table[:0] if form != "pyarrow" else table.slice(0, 0)
    assert encoder.transform(nothing).shape == (0, len(encoder.fields_))


VALUES = {
    "c": st.sampled_from(["a", "b", "ß", "", "7", 7, 7.0, np.int64(3), 2.5, True, None, float("nan"), pd.NA]),
    "m": st.none() | st.lists(st.sampled_from(["p", "q", 1, None]), max_size=4),
    "x": st.sampled_from([0, 1.5, -3, 10**6, 0.1, None, np.float32(0.1), float("nan")]),
    "q": st.integers(-5, 5) | st.none(),
}
DRAWN = st.fixed_dictionaries({}, optional=VALUES)


@pytest.mark.filterwarnings("ignore:column 'c' holds the")  # 7 and "7" are drawn
@given(
    st.lists(DRAWN, min_size=1, max_size=12),
    st.lists(DRAWN, max_size=5),
    st.sampled_from([1, 2]),
    st.sampled_from([None, 1, 3]),
    st.sampled_from(["unknown", "own"]),
    st.sampled_from([None, "sqrt"]),
    st.sampled_from([1, 3]),
)
def test_as_the_specification_says(train, rows, min_count, most, missing, scale, bins):
    options = {"min_count": min_count, "max_categories": most, "missing": missing}
    columns = {
        "c": Categorical(**options),
        "m": MultiCategorical(scale=scale, **options),
        "x": Numeric(missing=missing),
        "q": Numeric(bins=bins, missing=missing),
    }
    train = [{"c": None, "m": None, "x": 2.0, "q": 2}, *train]  # a mean needs a number, a fit all keys
    encoder = FieldEncoder(columns, dtype="float64").fit(train)
    for table in (train, rows):
        wanted, fields = encode(table, columns, train)
        X = encoder.transform(table)
        assert encoder.fields_.tolist() == fields
        np.testing.assert_allclose(X.toarray(), dense(wanted, len(fields)), rtol=1e-9, atol=1e-9)
        assert X.nnz == sum(map(len, wanted))
        for i, row in enumerate(table):
            indices, values = encoder.encode_row(row)
            begin, end = X.indptr[i : i + 2]
            assert indices.tolist() == X.indices[begin:end].tolist()
            assert values.tolist() == X.data[begin:end].tolist()


def test_columns_by_default():
    rows = [
        {"s": "a", "b": True, "i": 1, "f": 0.5, "l": ["p"], "n": None, "mix": 1, "bn": True},
        {"s": "b", "b": False, "i": 2, "f": 2.5, "l": ["q"], "n": None, "mix": "1", "bn": None},
    ]
    names = FieldEncoder().fit(rows).get_feature_names_out().tolist()
    assert [name for name in names if "<unknown>" not in name] == (
        ["s=a", "s=b", "b=False", "b=True", "i", "f", "l=p", "l=q", "mix=1", "mix='1'", "bn=True"]
    )
    rows = [{k: v for k, v in row.items() if k != "mix"} for row in rows]
    wanted = FieldEncoder().fit_transform(rows)
    categories = pd.DataFrame(rows).astype({"s": "category"})
    for table in (pd.DataFrame(rows), pl.DataFrame(rows), pa.Table.from_pylist(rows), categories):
        assert same(FieldEncoder().fit_transform(table), wanted)
    for nothing in (None, pd.NA, pd.NaT, float("nan")):
        for value, name in ((1, "x"), (True, "x=True"), ("a", "x=a"), (["a"], "x=a")):
            of_two = FieldEncoder().fit([{"x": nothing}, {"x": value}])
            assert of_two.get_feature_names_out()[1:].tolist() == [name]
    with_missing = pd.DataFrame({"i": [1, None, 3]})  # pandas makes floats of them
    assert same(
        FieldEncoder().fit_transform(with_missing), FieldEncoder().fit_transform([{"i": 1}, {}, {"i": 3}])
    )


@pytest.mark.parametrize("dtype", [object, "U3", np.int16, np.float64, np.float32, bool, ">f8"])
def test_arrays(dtype):
    values = np.array([[1, 0], [0, 1], [1, 1]]).astype(dtype)
    encoder = FieldEncoder({"x1": "categorical", "x0": "auto"})
    X = encoder.fit_transform(values)
    known = ["x1=False", "x1=True"] if dtype is bool else ["x1=0", "x1=1"]
    assert encoder.get_feature_names_out()[1:3].tolist() == known
    rows = [{f"x{j}": v for j, v in enumerate(row)} for row in values.tolist()]
    assert same(FieldEncoder({"x1": "categorical", "x0": "auto"}).fit_transform(rows), X)
    assert same(FieldEncoder({"x1": "categorical", "x0": "auto"}).fit_transform(values.tolist()), X)
    named = np.array([tuple(row) for row in values], [("x0", dtype), ("x1", dtype)])
    assert same(encoder.transform(named), X)


def test_whole_numbers_are_the_same_category_in_every_type():
    encoder = FieldEncoder({"id": "categorical"}).fit([{"id": 1}, {"id": 2}, {"id": 2**62}])
    wanted = [1, 2, 0]
    for ids in (
        pd.Series([1, 2, None]),
        pd.Series([1, 2, None], dtype="Int64"),
        pd.Series([True, 2.0, "2"], dtype=object),
        pd.Series([1, 2, 3], dtype="category"),
        pd.Series([1.0, 2.0, 3.5], dtype="float32"),
        pl.Series([1, 2, None], dtype=pl.UInt8),
        pl.Series([1.0, 2.0, float("nan")]),
        pa.chunked_array([[1, 2], [None]]),
        pa.chunked_array([[1.0], [2.0, None]]),
        pa.chunked_array([[1.0, 2.0, float("nan")]]),
    ):
        kind = {"pandas": pd.DataFrame, "polars": pl.DataFrame}.get(
            type(ids).__module__.split(".")[0], pa.table
        )
        assert encoder.transform(kind({"id": ids})).indices.tolist() == wanted
    assert encoder.transform(pl.DataFrame({"id": [2**62, 2**62 + 1, None]})).indices.tolist() == [3, 0, 0]


def test_strings_are_the_same_category_in_every_type():
    class Word(str):
        def __str__(self):
            return "other"

    encoder = FieldEncoder({"c": "categorical", "h": Hashed(8)})
    X = encoder.fit_transform([{"c": "red", "h": "red"}] * 3)
    of_types = [{"c": v, "h": v} for v in ("red", np.str_("red"), Word("red"))]
    for rows in (of_types, np.array([("red", "red")] * 3, [("c", "U3"), ("h", "U9")])):
        assert same(encoder.transform(rows), X)
        assert same(FieldEncoder({"c": "categorical", "h": Hashed(8)}).fit_transform(rows), X)
    assert [encoder.encode_row(row)[0].tolist() for row in of_types] == X.indices.reshape(3, 2).tolist()


def test_max_categories_keeps_the_most_frequent():
    rows = [{"c": c} for c in "zzzyyxxw"]
    encoder = FieldEncoder(max_categories=2).fit(rows)
    assert encoder.get_feature_names_out().tolist() == ["c=<unknown>", "c=x", "c=z"]
    encoder = FieldEncoder({"c": Categorical(max_categories=9), "d": "categorical"}, max_categories=1)
    rows = [row | {"d": row["c"]} for row in rows]
    assert encoder.fit(rows).get_feature_names_out()[-2:].tolist() == ["d=<unknown>", "d=z"]
    assert len(encoder.fields_) == 7


def test_quantile_bins():
    rows = [{"x": float(x)} for x in range(8)] + [{"x": None}]
    encoder = FieldEncoder({"x": Numeric(bins=4)}).fit(rows)
    names = ["x=[-inf, 2.0)", "x=[2.0, 4.0)", "x=[4.0, 6.0)", "x=[6.0, inf)"]
    assert encoder.get_feature_names_out().tolist() == ["x=<unknown>", *names]
    X = encoder.transform(
        np.array([[-9], [1.9], [2], [5.9], [6], [99], [np.nan]]).astype([("x", float)])[:, 0]
    )
    assert X.indices.tolist() == [1, 1, 2, 3, 4, 4, 0]
    often = [{"x": x} for x in [1, *[5] * 40, 7, 7, 8, 9, 9]]
    assert FieldEncoder({"x": Numeric(bins=4)}).fit(often).get_feature_names_out()[1:].tolist() == (
        ["x=[-inf, 5.0)", "x=[5.0, 7.0)", "x=[7.0, 9.0)", "x=[9.0, inf)"]
    )
    constant = FieldEncoder({"x": Numeric(bins=4)}).fit([{"x": 3}] * 5)
    assert constant.get_feature_names_out().tolist() == ["x=<unknown>", "x=[-inf, inf)"]


@pytest.mark.parametrize("x", [0.0, 0.1, -1e300, 1e-310])
def test_a_constant_column_has_the_value_zero(x):
    X = FieldEncoder().fit_transform([{"x": x}] * 3)
    assert X.toarray().tolist() == [[0, 0]] * 3


def test_a_row_is_scored_as_in_a_matrix():
    encoder = FieldEncoder(TYPES | {"size": Numeric(bins=2), "id": Hashed(5)}).fit(ROWS)
    model = FFM.random(encoder.fields_, 3, rng=0)
    for row in [*ROWS, {}, {"word": "new", "tags": ["a", 5, "b"], "size": 1e9}]:
        indices, values = encoder.encode_row(row)
        assert indices.dtype == np.int32
        assert values.dtype == np.float32
        assert model.predict_row(indices, values) == model.predict(encoder.transform([row]))[0]
