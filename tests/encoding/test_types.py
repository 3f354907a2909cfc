"""FieldEncoder: a value is the same category in every type that tables, files and requests give it."""

import datetime
import uuid
import warnings
from decimal import Decimal

import numpy as np
import pytest
from helpers.encoders import names
from helpers.states import encoder_of, meta_and_tensors

from fastfm_c import FieldEncoder
from fastfm_c.encoding import Categorical, Hashed, Numeric

pd = pytest.importorskip("pandas")
pl = pytest.importorskip("polars")
pa = pytest.importorskip("pyarrow")
pytest.importorskip("narwhals")

FRAMES = {
    "pandas": pd.DataFrame,
    "polars": pl.DataFrame,
    "pyarrow": pa.table,
    "arrow of pandas": lambda columns: pa.table(columns).to_pandas(types_mapper=pd.ArrowDtype),
    "record batch": pa.record_batch,
    "dicts": lambda columns: pa.table(columns).to_pylist(),
}


def columns_of(encoder, *values):
    """The columns that the values of the only column get, from `transform` and from `encode_row`."""
    found = encoder.transform([{"c": value} for value in values]).indices.tolist()
    assert [encoder.encode_row({"c": value})[0].tolist() for value in values] == [[j] for j in found]
    return found


@pytest.mark.parametrize("frame", FRAMES)
def test_whole_numbers_beyond_the_exact_floats_are_taken_from_every_table(frame):
    ids = [2**60 + 1, 2**60, None, 2**53 + 1, -(2**62)]
    table = FRAMES[frame]({"id": ids})
    encoder = FieldEncoder({"id": "categorical"}).fit(FRAMES["dicts"]({"id": ids}))
    if frame != "pandas":  # which makes floats of integers with None
        assert encoder.transform(table).indices.tolist() == [4, 3, 0, 2, 1]
    X = FieldEncoder({"id": "numeric"}, dtype="float64").fit_transform(table)
    numbers = np.array([x for x in ids if x is not None], float)
    wanted = (numbers - numbers.mean()) / numbers.std()
    np.testing.assert_allclose(X.data[[0, 1, 3, 4]], wanted, rtol=1e-12)
    assert FieldEncoder().fit(table).transform(table).shape == (5, 2)


UNSIGNED = [
    pa.table({"id": pa.array([2**64 - 1, 5], pa.uint64())}),
    pl.DataFrame({"id": pl.Series([2**64 - 1, 5], dtype=pl.UInt64)}),
    np.array([(2**64 - 1,), (5,)], [("id", np.uint64)]),
]


@pytest.mark.parametrize("table", UNSIGNED, ids=["pyarrow", "polars", "array"])
def test_unsigned_numbers_beyond_the_exact_floats_are_taken(table):
    assert FieldEncoder(dtype="float64").fit_transform(table).data.tolist() == [1, -1]
    assert names(FieldEncoder({"id": "categorical"}).fit(table))[1:] == ["id=5", f"id={2**64 - 1}"]


def silent(function, *args):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        return function(*args)


MANY = list(range(3000))


@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize("missing", [[], [None]], ids=["whole", "with missing"])
def test_integers_of_many_values_that_become_one_number_are_warned_of(frame, missing):
    table = FRAMES[frame]({"uid": MANY + missing})
    with pytest.warns(UserWarning, match=r"column 'uid' holds .* becomes one number.*rest='auto'") as caught:
        FieldEncoder().fit_transform(table)
    assert caught[0].filename == __file__
    with pytest.warns(UserWarning, match="column 'uid'"):
        FieldEncoder(["uid"]).partial_fit(table)
    silent(FieldEncoder({"uid": "numeric"}).fit, table)
    silent(FieldEncoder({"uid": Numeric(bins=3)}).fit, table)
    silent(FieldEncoder({"uid": "categorical"}, rest="auto").fit, table)


@pytest.mark.parametrize(
    "values", [[i % 100 for i in MANY], [i + 0.5 for i in MANY], [float(i) for i in MANY]]
)
def test_few_integers_and_floats_are_not_warned_of(values):
    for frame in FRAMES.values():
        silent(FieldEncoder().fit, frame({"x": values}))
    silent(FieldEncoder().fit, np.array(values)[:, None])


def test_many_rows_are_looked_at_here_and_there():
    with pytest.warns(UserWarning, match="column 'x0'"):
        FieldEncoder().fit(np.repeat(np.arange(500), 1000)[:, None])


@pytest.mark.parametrize("kind", ["categorical", "multi"])
@pytest.mark.parametrize(
    ("known", "other"),
    [(7, "7"), ("7", 7), (True, "true"), (0.5, "0.5"), ("0.5", 0.5), ("7", 7.0), (-3, "-3")],
)
def test_a_value_that_is_known_in_another_type_is_warned_of(kind, known, other):
    known, other = ([known], [other]) if kind == "multi" else (known, other)
    encoder = FieldEncoder({"c": kind}).fit([{"c": known}])
    wanted = r"column 'c' holds the .* which is unknown, while the .* is known"
    with pytest.warns(UserWarning, match=wanted) as caught:
        assert encoder.transform([{"c": other}, {"c": None}]).indices.tolist() == [0, 0]
    assert caught[0].filename == __file__
    with pytest.warns(UserWarning, match=wanted):
        encoder.encode_row({"c": other})
    with pytest.warns(UserWarning, match=wanted):
        encoder.partial_fit([{"c": other}])
    assert names(encoder)[0:1] == ["c=<unknown>"]


def test_unknown_values_of_the_same_type_are_not_warned_of():
    encoder = FieldEncoder({"c": "categorical"}).fit([{"c": 1}, {"c": "a"}])
    assert silent(encoder.transform, [{"c": 2}, {"c": "b"}]).indices.tolist() == [0, 0]
    assert silent(encoder.transform, [{"c": "1"}, {"c": "a"}]).indices.tolist() == [0, 2]  # a column of texts


SHORT, LONG = 0.1, float(np.float32(0.1))


@pytest.mark.parametrize("kind", ["categorical", Hashed(10)])
@pytest.mark.parametrize(
    "table",
    [
        np.array([(0.1,), (2.5,), (0.7,)], [("c", np.float32)]),
        np.array([(0.1,), (2.5,), (0.7,)], [("c", ">f4")]),
        pd.DataFrame({"c": np.array([0.1, 2.5, 0.7], np.float32)}),
        pd.DataFrame({"c": pd.array([0.1, 2.5, 0.7], pd.ArrowDtype(pa.float32()))}),
        pl.DataFrame({"c": pl.Series([0.1, 2.5, 0.7], dtype=pl.Float32)}),
        pa.table({"c": pa.array([0.1, 2.5, 0.7], pa.float32())}),
        [{"c": np.float32(0.1)}, {"c": np.float32(2.5)}, {"c": np.float32(0.7)}],
    ],
    ids=["array", "big-endian", "pandas", "pandas arrow", "polars", "pyarrow", "dicts"],
)
def test_float32_at_fit_is_the_number_of_json_at_serving(table, kind):
    encoder = FieldEncoder({"c": kind}).fit(table)
    wanted = encoder.transform(table).indices.tolist()
    assert columns_of(encoder, 0.1, 2.5, 0.7) == wanted
    assert columns_of(encoder, LONG, np.float32(2.5), float(np.float32(0.7))) == wanted  # as to_dict gives it
    assert encoder.unknown_counts_ == {"c": 0}
    assert len(set(wanted)) == 3
    if kind == "categorical":
        assert names(encoder) == ["c=<unknown>", "c=0.1", "c=0.7", "c=2.5"]
        assert FieldEncoder({"c": kind}).fit([{"c": 0.1}]).transform(table).indices[0] == 1
        assert names(encoder.partial_fit([{"c": 0.1}, {"c": LONG}])) == names(encoder)


def test_an_older_file_that_holds_the_digits_of_a_float32_knows_them():
    meta, tensors = meta_and_tensors(FieldEncoder({"c": "categorical"}).fit([{"c": LONG}]))
    encoder = encoder_of(meta, tensors)
    assert columns_of(encoder, LONG, np.float32(0.1), 0.1, 0.2) == [1, 1, 1, 0]


def test_two_floats_of_one_table_stay_two_categories():
    encoder = FieldEncoder({"c": "categorical"}).fit([{"c": SHORT}, {"c": LONG}])
    assert columns_of(encoder, SHORT, LONG) == [1, 2]


def test_an_older_file_hashes_a_float32_as_it_did():
    encoder = FieldEncoder({"c": Hashed(10)}).fit([{"c": 1}])
    meta, tensors = meta_and_tensors(encoder)
    old = encoder_of(meta, tensors | {"vocabulary": np.frombuffer(b"[{}]", np.uint8)})
    assert columns_of(old, LONG) == columns_of(old, np.float32(0.1)) != columns_of(old, SHORT)
    again = encoder_of(*meta_and_tensors(old))
    assert columns_of(again, LONG, 1, "x", 0.5) == columns_of(old, LONG, 1, "x", 0.5)
    assert columns_of(encoder, SHORT, 1, "x", 0.5) == columns_of(old, SHORT, 1, "x", 0.5)


def test_decimals_are_numbers():
    rows = [{"c": Decimal("0.1")}, {"c": Decimal("2.50")}, {"c": None}, {"c": Decimal("NaN")}]
    floats = [{"c": 0.1}, {"c": 2.5}, {"c": None}, {"c": None}]
    for kind in ("auto", "numeric", "categorical", Numeric(bins=2), Hashed(6)):
        encoder, wanted = (FieldEncoder({"c": kind}).fit(table) for table in (rows, floats))
        assert names(encoder) == names(wanted)
        for table in (rows, floats):
            assert encoder.transform(table).toarray().tolist() == wanted.transform(floats).toarray().tolist()
    assert columns_of(FieldEncoder({"c": "categorical"}).fit(floats), Decimal("0.1"), Decimal(1)) == [1, 0]
    huge = FieldEncoder({"c": "categorical"}).fit([{"c": Decimal("1e999999999")}])
    assert columns_of(huge, Decimal("1e999999998"), 1) == [1, 0]  # both are beyond every float
    with pytest.raises(ValueError, match="infinite number"):
        FieldEncoder({"c": "numeric"}).fit([{"c": Decimal("1e400")}])


def test_equal_values_of_several_types_count_together():
    rows = [{"c": value} for value in (Decimal("0.1"), 0.1, np.float32(0.1), 0.2)]
    encoder = FieldEncoder({"c": Categorical(min_count=3)}).fit(rows)
    assert names(encoder) == ["c=<unknown>", "c=0.1"]


def test_intervals_of_pandas_are_categories_of_their_text():
    frame = pd.DataFrame({"c": pd.cut([1, 5, 9, 5], [0, 4, 10])})
    for table in (frame, frame.astype(object), frame.to_dict("records")):
        encoder = FieldEncoder().fit(table)
        assert names(encoder) == ["c=<unknown>", "c=(0, 4]", "c=(4, 10]"]
        assert encoder.transform(table).indices.tolist() == [1, 2, 2, 2]
        assert columns_of(encoder, "(4, 10]", pd.Interval(0, 4)) == [2, 1]


def test_a_uuid_is_the_category_of_its_text():
    ids = [uuid.UUID(int=2), uuid.UUID(int=1)]
    for table in ([{"c": i} for i in ids], pd.DataFrame({"c": ids})):
        encoder = FieldEncoder().fit(table)
        assert encoder.transform(table).indices.tolist() == [2, 1]
        assert columns_of(encoder, str(ids[0]), ids[1], "other") == [2, 1, 0]


DAYS = [datetime.date(2026, 1, 31), datetime.date(2025, 12, 1)]


@pytest.mark.parametrize("kind", ["categorical", Hashed(12)])
@pytest.mark.parametrize(
    "table",
    [
        [{"c": day} for day in DAYS],
        pd.DataFrame({"c": pd.to_datetime(DAYS)}),
        pd.DataFrame({"c": pd.to_datetime(DAYS).astype("category")}),
        pd.DataFrame({"c": pd.PeriodIndex(DAYS, freq="D")}),
        pl.DataFrame({"c": DAYS}),
        pa.table({"c": DAYS}),
        np.array([(day,) for day in DAYS], [("c", "M8[D]")]),
        np.array([(day,) for day in DAYS], [("c", "M8[ns]")]),
        np.array([(day,) for day in DAYS], [("c", object)]),
    ],
    ids=["dicts", "pandas", "category", "period", "polars", "pyarrow", "days", "ns", "objects"],
)
def test_a_day_is_the_category_of_its_text_in_every_table(table, kind):
    encoder = FieldEncoder({"c": kind}).fit(table)
    wanted = encoder.transform(table).indices.tolist()
    assert columns_of(encoder, "2026-01-31", "2025-12-01") == wanted
    assert columns_of(encoder, *DAYS) == columns_of(encoder, *map(pd.Timestamp, DAYS)) == wanted
    if kind == "categorical":
        assert wanted == [2, 1]


NINE = datetime.datetime(2026, 1, 31, 9, 30)


@pytest.mark.parametrize("late", [NINE, NINE.replace(microsecond=250_000)])
def test_a_time_is_the_category_of_its_text_in_every_table(late):
    times = [late, datetime.datetime(2025, 12, 1)]
    encoder = FieldEncoder({"c": "categorical"}).fit([{"c": t} for t in times])
    assert names(encoder)[1:] == ["c=2025-12-01", f"c={late.isoformat()}"]
    for dtype in ("M8[us]", "M8[ns]", "M8[ms]"):
        for table in (
            np.array([(t,) for t in times], [("c", dtype)]),
            pd.DataFrame({"c": np.array(times, dtype)}),
            pl.DataFrame({"c": np.array(times, dtype)}),
            pa.table({"c": np.array(times, dtype)}),
        ):
            assert encoder.transform(table).indices.tolist() == [2, 1]
    assert columns_of(encoder, late.isoformat(), np.datetime64(late), "2025-12-01") == [2, 2, 1]


def test_instants_that_are_equal_are_one_category():
    zone = datetime.timezone(datetime.timedelta(hours=2))
    noon = datetime.datetime(2026, 1, 1, 12, 30, tzinfo=zone)
    encoder = FieldEncoder({"c": "categorical"}).fit([{"c": noon}])
    assert names(encoder)[1] == "c=2026-01-01T10:30:00+00:00"
    assert columns_of(encoder, noon.astimezone(datetime.UTC), noon.replace(tzinfo=None)) == [1, 0]


def test_relations_of_duckdb_are_tables():
    duckdb = pytest.importorskip("duckdb")
    query = "select * from (values ('a', 1.5::decimal(4, 2)), ('b', 2.5), ('a', null)) t(s, x)"
    encoder = FieldEncoder().fit(duckdb.sql(query))
    rows = [{"s": "a", "x": 1.5}, {"s": "b", "x": 2.5}, {"s": "a"}]
    assert names(encoder) == ["s=<unknown>", "s=a", "s=b", "x=<unknown>", "x"]
    assert (encoder.transform(duckdb.sql(query)) != encoder.transform(rows)).nnz == 0


def test_what_numpy_makes_an_array_of_is_a_table():
    class Array:
        def __array__(self, dtype=None, copy=None):
            return np.eye(3)

    assert FieldEncoder().fit(Array()).transform(Array()).shape == (3, 6)
