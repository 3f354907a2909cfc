"""FieldEncoder: the same from every table where types are rare, values missing or names alike; copies."""

import copy
import json
from decimal import Decimal
from fractions import Fraction

import numpy as np
import pytest
from helpers.encoders import names
from helpers.states import encoder_of, meta_and_tensors
from hypothesis import given
from hypothesis import strategies as st

from fastfm_c import FieldEncoder, load, save
from fastfm_c.encoding import Categorical, Hashed, MultiCategorical, Numeric

pd = pytest.importorskip("pandas")
pl = pytest.importorskip("polars")
pa = pytest.importorskip("pyarrow")
pytest.importorskip("narwhals")


def encoded(encoder, rows):
    """What transform gives, which encode_row must give, too."""
    X = encoder.transform(rows)
    singly = [encoder.encode_row(row) for row in rows]
    assert np.concatenate([indices for indices, _ in singly]).tolist() == X.indices.tolist()
    assert np.concatenate([values for _, values in singly]).tolist() == X.data.tolist()
    return X


def refuse(encoder, row, message):
    for encode in (encoder.encode_row, lambda row: encoder.transform([row]), lambda row: encoder.fit([row])):
        with pytest.raises(ValueError, match=message):
            encode(row)


def test_partial_fit_of_a_copy_leaves_the_original_alone():
    encoder = FieldEncoder({"c": "categorical", "x": "numeric"}).fit([{"c": "a", "x": None}])
    other = copy.copy(encoder)
    other.partial_fit([{"c": "b", "x": 3.0}, {"x": 5.0}])
    assert names(encoder) == ["c=<unknown>", "c=a", "x=<unknown>", "x"]
    assert encoded(encoder, [{"c": "b", "x": 3.0}]).toarray().tolist() == [[1, 0, 0, 0]]
    assert encoded(other, [{"c": "b", "x": 3.0}]).toarray().tolist() == [[0, 0, 0, -1, 1]]
    assert copy.copy(FieldEncoder(["a"])).get_params() == FieldEncoder(["a"]).get_params()


@pytest.mark.parametrize("value", ["x", "new", 1, b"x"])
def test_a_single_value_is_no_list(value):
    refuse(FieldEncoder({"m": "multi"}).fit([{"m": ["x", 1]}]), {"m": value}, "column 'm' holds .*lists")


@pytest.mark.parametrize("kind", ["categorical", "multi", Hashed(3), "numeric"])
@pytest.mark.parametrize("one", [Fraction(1), 1 + 0j])
def test_types_that_equal_a_number_are_refused_all_the_same(kind, one):
    """Fraction(1) == 1, so that a dict finds one under the other."""
    few, two = ([1], [one]) if kind == "multi" else (1, one)
    refuse(FieldEncoder({"c": kind}).fit([{"c": few}]), {"c": two}, "column 'c' holds .* expected str")
    with pytest.raises(ValueError, match=f"column 'c' holds .*{type(one).__name__}"):
        FieldEncoder({"c": kind}).fit([{"c": few}, {"c": two}])


DECIMALS = [Decimal("1.0"), Decimal("2.5")]


@pytest.mark.parametrize("kind", ["auto", "categorical", "numeric", "multi", Hashed(3)])
@pytest.mark.parametrize(
    "table",
    [
        pl.DataFrame({"a": DECIMALS}),
        pa.table({"a": DECIMALS}),
        pd.DataFrame({"a": DECIMALS}),
        pd.DataFrame({"a": pd.Series(DECIMALS, dtype=pd.ArrowDtype(pa.decimal128(5, 2)))}),
        pd.DataFrame({"a": pd.Series(DECIMALS, dtype="category")}),
        np.array([(value,) for value in DECIMALS], [("a", object)]),
    ],
    ids=["polars", "pyarrow", "pandas", "pandas arrow", "pandas category", "structured"],
)
def test_a_decimal_of_every_table_is_the_number_that_it_prints(table, kind):
    if kind == "multi":
        with pytest.raises(ValueError, match=r"column 'a' holds .*1\.0.*, expected lists"):
            FieldEncoder({"a": kind}).fit(table)
        return
    floats = [{"a": 1.0}, {"a": 2.5}]
    is_category = kind == "auto" and getattr(getattr(table, "dtypes", None), "a", None) == "category"
    kind = "categorical" if is_category else kind  # as every column of pandas' type "category"
    for fitted in (floats, table):
        encoder = FieldEncoder({"a": kind}).fit(fitted)
        assert names(encoder) == names(FieldEncoder({"a": kind}).fit(floats))
        assert encoder.transform(table).toarray().tolist() == encoded(encoder, floats).toarray().tolist()


MAP = pa.map_(pa.string(), pa.int64())


@pytest.mark.parametrize(
    ("table", "message"),
    [
        (pa.table({"a": pa.array([[("k", 1)]], MAP)}), "column 'a' holds"),
        (pd.DataFrame({"a": pd.Series([[("k", 1)]], dtype=pd.ArrowDtype(MAP))}), "column 'a' holds"),
        (pa.table({"a": pa.array([2**62], pa.timestamp("us"))}), "column 'a' holds Datetime.* out of range"),
        (pl.DataFrame({"a": [{"x": 1}]}), "column 'a' holds"),
    ],
)
@pytest.mark.parametrize("kind", ["categorical", "numeric", "multi", Hashed(3)])
def test_faults_are_named_as_ours_whatever_the_library_says(table, message, kind):
    with pytest.raises(ValueError, match=message):
        FieldEncoder({"a": kind}).fit(table)


@pytest.mark.parametrize(
    ("table", "wanted"),
    [
        (pl.DataFrame({"a": pl.Series([2**100, 1], dtype=pl.Int128)}), [1, 2**100]),
        (pa.table({"a": pa.array(["y", "x"], pa.string_view())}), ["x", "y"]),
        (pa.table({"a": pa.array([np.float16(3), np.float16(1.5)])}), [1.5, 3]),
    ],
)
def test_types_that_a_library_cannot_encode_itself(table, wanted):
    encoder = FieldEncoder({"a": "categorical"}).fit(table)
    assert names(encoder)[1:] == [f"a={value}" for value in wanted]
    assert encoder.transform(table).indices.tolist() == [2, 1]


def test_masked_values_are_missing():
    mask = [[False, True], [False, False], [True, False]]
    wanted = FieldEncoder().fit_transform([{"x0": 1, "x1": None}, {"x0": 2, "x1": 8}, {"x0": None, "x1": 9}])
    for dtype in (int, np.float32, object):
        X = np.ma.array([[1, 77], [2, 8], [77, 9]], mask=mask, dtype=dtype)
        named = np.ma.array([*map(tuple, X.data)], [("x0", dtype), ("x1", dtype)], mask=[*map(tuple, mask)])
        for table in (X, named):
            assert (FieldEncoder().fit_transform(table) != wanted).nnz == 0
    words = np.ma.array([["a"], ["b"]], mask=[[True], [False]])
    assert names(FieldEncoder().fit(words)) == ["x0=<unknown>", "x0=b"]
    lists = [{"m": np.ma.array([1, 2], mask=[1, 0])}]
    assert names(FieldEncoder(missing="own").fit(lists)) == ["m=<unknown>", "m=<missing>", "m=2"]
    for scalar in (np.ma.masked, np.array(5)):
        refuse(FieldEncoder({"c": "categorical"}).fit([{"c": 1}]), {"c": scalar}, "column 'c' holds")
    refuse(FieldEncoder({"m": "multi"}).fit([{"m": [1]}]), {"m": np.array(5)}, "'m' holds 5, expected lists")


NOTHING = {
    "dicts": [{"a": None}, {"a": float("nan")}],
    "NaN": [{"a": np.float32("nan")}] * 2,
    "array": np.full(2, np.nan, [("a", float)]),
    "masked": np.ma.array([(1,), (2,)], [("a", int)], mask=[True, True]),
    "pandas": pd.DataFrame({"a": [np.nan, np.nan]}),
    "pandas Int64": pd.DataFrame({"a": pd.array([None, None], "Int64")}),
    "pandas object": pd.DataFrame({"a": [None, pd.NA]}, dtype=object),
    "pandas time": pd.DataFrame({"a": [pd.NaT, pd.NaT]}),
    "polars": pl.DataFrame({"a": [None, None]}),
    "polars NaN": pl.DataFrame({"a": [None, float("nan")]}),
    "polars int": pl.DataFrame({"a": [None, None]}, schema={"a": pl.Int64}),
    "polars list": pl.DataFrame({"a": [None, None]}, schema={"a": pl.List(pl.String)}),
    "pyarrow": pa.table({"a": pa.nulls(2)}),
    "pyarrow int": pa.table({"a": pa.nulls(2, pa.int64())}),
    "pyarrow decimal": pa.table({"a": pa.nulls(2, pa.decimal128(5, 2))}),
}


@pytest.mark.parametrize("form", NOTHING)
def test_a_column_of_missing_values_is_categorical_of_every_table(form):
    table = NOTHING[form]
    encoder = FieldEncoder({"a": "auto"}).fit(table)
    assert names(encoder) == ["a=<unknown>"]
    assert encoder.transform(table).indices.tolist() == [0, 0]
    assert names(encoder.partial_fit([{"a": "x"}])) == ["a=<unknown>", "a=x"]
    with pytest.raises(ValueError, match="column 'a' holds no number to make bins of"):
        FieldEncoder({"a": Numeric(bins=3)}).fit(table)
    assert FieldEncoder({"a": "numeric"}).fit_transform(table).toarray().tolist() == [[1, 0], [1, 0]]


@pytest.mark.parametrize("stored", [False, True])
def test_standardisation_waits_for_numbers(stored):
    """The numbers of b were equal in the first table; so b is 0 ever after."""
    columns = {"a": "numeric", "b": Numeric(missing="own"), "c": "categorical"}
    encoder = FieldEncoder(columns, dtype="float64").fit([{"a": None, "b": 0, "c": "x"}])
    encoder.partial_fit([{"a": float("nan"), "b": 4}])
    if stored:
        encoder = encoder_of(*meta_and_tensors(encoder))
    encoder.partial_fit([{"a": 1, "b": 5, "c": "y"}, {"a": 5}, {}])
    encoder.partial_fit([{"a": 100}])
    of_c = ["c=<unknown>", "c=x", "c=y"]
    assert names(encoder) == ["a=<unknown>", "a", "b=<unknown>", "b=<missing>", "b", *of_c]
    X = encoded(encoder, [{"a": 1, "b": 7}, {"a": 5}, {"a": 9}])
    assert X[:, [1, 4]].toarray().tolist() == [[-1, 0], [1, 0], [3, 0]]


def test_zero_has_one_name():
    for zero in (0.0, -0.0):
        for table in ([{"x": -1.0}, {"x": zero}], np.array([(-1,), (zero,)], [("x", float)])):
            encoder = FieldEncoder({"x": Numeric(bins=2)}).fit(table)
            assert names(encoder) == ["x=<unknown>", "x=[-inf, 0.0)", "x=[0.0, inf)"]
            assert encoded(encoder, [{"x": 0.0}, {"x": -0.0}]).indices.tolist() == [2, 2]


@pytest.mark.parametrize("value", [float("inf"), float("-inf"), 2**70, 1e300, "\ud800", True])
def test_any_category_is_stored(value):
    """JSON of the standard has no infinities; a vocabulary may hold them."""
    encoder = FieldEncoder({"c": "categorical"}).fit([{"c": value}, {"c": "a"}])
    other = encoder_of(*meta_and_tensors(encoder))
    assert names(other) == names(encoder)
    assert (
        encoded(other, [{"c": value}]).indices.tolist() == encoded(encoder, [{"c": value}]).indices.tolist()
    )


def test_bins_are_never_learned_again():
    """Not even if a stored encoder says that they were not learned."""
    meta, tensors = meta_and_tensors(FieldEncoder({"x": Numeric(bins=2)}).fit([{"x": 1}, {"x": 2}]))
    stored = b'[{"mean": null, "scale": 1.0, "edges": [2.0]}]'
    encoder = encoder_of(meta, tensors | {"vocabulary": np.frombuffer(stored, np.uint8)})
    encoder.partial_fit([{"x": 7}])
    assert names(encoder) == ["x=<unknown>", "x=[-inf, 2.0)", "x=[2.0, inf)"]
    assert encoded(encoder, [{"x": 1}, {"x": 7}]).indices.tolist() == [1, 2]


def test_names_of_features_that_are_alike():
    values = [1, "1", "'1'", "<unknown>", "<missing>", "True", 0.5, "0.5", "plain"]
    encoder = FieldEncoder({"c": "categorical"}).fit([{"c": value} for value in values])
    assert " ".join(names(encoder)) == (
        "c=<unknown> c=0.5 c=1 c=\"'1'\" c='0.5' c='1' c='<missing>' c='<unknown>' c=True c=plain"
    )
    of_two = FieldEncoder({"a": "categorical", "a=b": "categorical"}).fit([{"a": "b=c", "a=b": "c"}])
    assert names(of_two) == ["'a'=<unknown>", "'a'=b=c", "'a=b'=<unknown>", "'a=b'=c"]


WORDS = st.sampled_from(["1", "'1'", '"1"', "0.5", "<unknown>", "<missing>", "True", "1=1", "'"])
VALUES = st.lists(WORDS | st.sampled_from([1, 0.5, True, None]), max_size=6)


@given(st.dictionaries(WORDS, VALUES, min_size=1))
def test_no_two_features_have_the_same_name(row):
    encoder = FieldEncoder(dict.fromkeys(row, MultiCategorical(missing="own"))).fit([row])
    assert len(set(names(encoder))) == len(encoder.fields_)


def test_integers_of_numpy_are_parameters(tmp_path):
    int_ = np.int64
    columns = {
        "c": Categorical(min_count=int_(1), max_categories=np.uint8(3)),
        "x": Numeric(bins=np.int32(3)),
        "h": Hashed(int_(20)),
    }
    rows = [{"c": i, "x": i, "h": "abcdef"[i]} for i in range(6)]
    encoder = FieldEncoder(columns, min_count=int_(2), max_categories=int_(5)).fit(rows)
    plain = FieldEncoder(
        {"c": Categorical(1, 3), "x": Numeric(3), "h": Hashed(20)}, min_count=2, max_categories=5
    ).fit(rows)
    assert json.dumps(meta_and_tensors(encoder)[0]) == json.dumps(meta_and_tensors(plain)[0])
    save(encoder, tmp_path / "encoder")
    loaded = load(tmp_path / "encoder")
    for other in (plain, loaded):
        assert other.transform(rows).indices.tolist() == encoded(encoder, rows).indices.tolist()
