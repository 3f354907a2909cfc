"""FieldEncoder: columns of dates and times."""

import datetime
import pickle
from math import pi

import numpy as np
import pytest
from helpers.states import encoder_of, meta_and_tensors

from fastfm_c import FieldEncoder, load, save
from fastfm_c.encoding import Date

pd = pytest.importorskip("pandas")
pl = pytest.importorskip("polars")
pa = pytest.importorskip("pyarrow")
pytest.importorskip("narwhals")

TIMES = [  # a Saturday, a Monday, nothing, a Sunday before 1970
    datetime.datetime(2026, 1, 31, 9, 59),
    datetime.datetime(2025, 12, 1, 23, 0, 0, 5),
    None,
    datetime.datetime(1969, 6, 1, 0, 30),
]
FRAME = pl.DataFrame({"t": TIMES})
TABLES = {
    "dicts": [{"t": t} for t in TIMES],
    "texts": [{"t": t and t.isoformat()} for t in TIMES],
    "texts of UTC": [{"t": t and t.isoformat() + "Z"} for t in TIMES],
    "zones": [{"t": t and t.replace(tzinfo=datetime.timezone(datetime.timedelta(hours=5)))} for t in TIMES],
    "pandas": pd.DataFrame({"t": TIMES}),
    "pandas ns": pd.DataFrame({"t": np.array(TIMES, "M8[ns]")}),
    "pandas zone": pd.DataFrame({"t": pd.Series(TIMES).dt.tz_localize("UTC")}),
    "pandas objects": pd.DataFrame({"t": TIMES}, dtype=object),
    "pandas texts": pd.DataFrame({"t": [t and t.isoformat() for t in TIMES]}),
    "pandas arrow": pa.table({"t": TIMES}).to_pandas(types_mapper=pd.ArrowDtype),
    "polars": FRAME,
    "polars zone": FRAME.with_columns(pl.col("t").dt.replace_time_zone("UTC")),
    "polars texts": pl.DataFrame({"t": [t and t.isoformat() for t in TIMES]}),
    "pyarrow": pa.table({"t": TIMES}),
    "pyarrow s": pa.table({"t": pa.array(TIMES).cast(pa.timestamp("s"), safe=False)}),
    "array": np.array([(t,) for t in TIMES], [("t", "M8[us]")]),
    "array ns": np.array([(t,) for t in TIMES], [("t", "M8[ns]")]),
}


def rows_of(encoder, table):
    X = encoder.transform(table)
    return [X[[i]].toarray()[0] for i in range(X.shape[0])]


def named(encoder, row):
    """The names of the features that a row has, except the age."""
    names = encoder.get_feature_names_out()
    return [name for name, x in zip(names, row, strict=True) if x and not name.endswith("age")]


@pytest.mark.parametrize("form", TABLES)
def test_hour_weekday_month_and_age_of_every_table(form):
    encoder = FieldEncoder({"t": "date"}, dtype="float64").fit(TABLES[form])
    rows = rows_of(encoder, TABLES[form])
    assert [named(encoder, row) for row in rows] == [
        ["t:hour=9", "t:weekday=5", "t:month=1"],
        ["t:hour=23", "t:weekday=0", "t:month=12"],
        ["t=<unknown>"],
        ["t:hour=0", "t:weekday=6", "t:month=6"],
    ]
    seconds = form == "pyarrow s"  # has no microseconds
    days = np.array([(t - datetime.datetime(2026, 2, 1)) / datetime.timedelta(1) for t in TIMES if t])
    ages = -(days - days.mean()) / days.std()
    assert encoder.get_feature_names_out()[-1] == "t:age"
    np.testing.assert_allclose([rows[i][-1] for i in (0, 1, 3)], ages, rtol=1e-9 if seconds else 1e-12)
    assert ages[2] > ages[0]
    assert encoder.missing_counts_ == {"t": 1}
    for row, of_row in zip(rows, TABLES["texts"], strict=True):
        indices, values = encoder.encode_row(of_row)
        np.testing.assert_allclose(row[indices], values, rtol=1e-9)
        assert np.count_nonzero(row) == len(indices)


def test_dates_are_dates_by_default():
    for form in ("dicts", "pandas", "polars", "pyarrow", "array"):
        encoder = FieldEncoder().fit(TABLES[form])
        assert encoder.fields_.size == 1 + 24 + 7 + 12 + 1
    day = datetime.date(2026, 1, 31)
    for table in ([{"t": day}], pd.DataFrame({"t": pd.to_datetime([day])}), pl.DataFrame({"t": [day]})):
        encoder = FieldEncoder().fit(table)
        assert encoder.fields_.size == 1 + 7 + 12 + 1  # days have no hour
        assert named(encoder, rows_of(encoder, table)[0]) == ["t:weekday=5", "t:month=1"]
    nine = datetime.time(9, 30)
    for table in ([{"t": nine}], pl.DataFrame({"t": [nine]}), pd.DataFrame({"t": [nine]})):
        encoder = FieldEncoder().fit(table)
        assert encoder.get_feature_names_out()[[1, 24]].tolist() == ["t:hour=0", "t:hour=23"]
        assert named(encoder, rows_of(encoder, [{"t": "21:15"}])[0]) == ["t:hour=21"]


def test_cyclic_parts_are_sines_and_cosines():
    encoder = FieldEncoder({"t": Date(("month", "hour", "weekday"), "cyclic", "own")}, dtype="float64")
    encoder.fit(TABLES["polars"])
    assert encoder.get_feature_names_out()[2:].tolist() == [
        f"t:{function}({part})" for part in ("month", "hour", "weekday") for function in ("sin", "cos")
    ]
    turns = np.array([[0, 9 / 24, 5 / 7], [11 / 12, 23 / 24, 0], [5 / 12, 0, 6 / 7]])
    wanted = np.stack([np.sin(2 * pi * turns), np.cos(2 * pi * turns)], axis=-1).reshape(3, 6)
    rows = np.array(rows_of(encoder, TABLES["polars"]))
    np.testing.assert_allclose(rows[[0, 1, 3], 2:], wanted, atol=1e-15)
    assert rows[2].tolist() == [0, 1, 0, 0, 0, 0, 0, 0]


@pytest.mark.parametrize(
    "options", [{}, {"parts": ["age", "month"], "missing": "own"}, {"encoding": "cyclic"}]
)
def test_copies_of_columns_of_dates_go_on_as_the_original(options, tmp_path):
    encoder = FieldEncoder({"t": Date(**options), "u": "auto"}).fit(
        [row | {"u": "a"} for row in TABLES["dicts"]]
    )
    save(encoder, tmp_path / "encoder")
    rows = [{"t": "2027-03-04T05:06:07", "u": "a"}, {"u": "b"}]
    encoder.partial_fit(rows)
    for other in (load(tmp_path / "encoder").partial_fit(rows), pickle.loads(pickle.dumps(encoder))):
        assert (other.transform(rows) != encoder.transform(rows)).nnz == 0
        assert other.get_feature_names_out().tolist() == encoder.get_feature_names_out().tolist()
    assert other.get_params() == encoder.get_params()


def test_ages_wait_for_a_date_and_equal_dates_are_zero_ever_after():
    encoder = FieldEncoder({"t": Date(["age"])}).fit([{"t": None}])
    assert encoder.transform([{"t": "2026-01-01"}]).toarray().tolist() == [[0, 0]]
    encoder.partial_fit([{"t": "2026-01-01"}, {"t": "2026-01-03"}])
    assert encoder.transform([{"t": "2026-01-02"}, {"t": "2026-01-04"}]).toarray()[:, 1].tolist() == [0, -2]
    encoder.fit([{"t": "2026-01-01"}])
    assert encoder.transform([{"t": "2029-01-01"}]).toarray().tolist() == [[0, 0]]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        (Date(("year",)), r"parts of column 't' must be a tuple of some of \('hour', 'weekday'"),
        (Date("hour"), "parts of column 't' must be a tuple"),
        (Date(()), "parts of column 't' must be a tuple"),
        (Date(("hour", "hour")), "parts of column 't' must be a tuple"),
        (Date(encoding="one"), r"encoding of column 't' must be one of \('one-hot', 'cyclic'\), got 'one'"),
    ],
)
def test_bad_parameters_of_dates(spec, message):
    with pytest.raises(ValueError, match=message):
        FieldEncoder({"t": spec}).fit(TABLES["dicts"])


@pytest.mark.parametrize("value", ["yesterday", "", 1767225600, 2026.5, True, b"2026-01-01"])
def test_what_is_no_date_is_refused(value):
    encoder = FieldEncoder({"t": "date"}).fit(TABLES["dicts"])
    for encode in (
        encoder.encode_row,
        lambda row: encoder.transform([row]),
        lambda row: encoder.partial_fit([row]),
    ):
        with pytest.raises(ValueError, match=r"column 't' holds .*, .*expected a date"):
            encode({"t": value})


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ('{"parts": ["year"], "age": {"mean": 0, "scale": 1}}', r"field 't': parts is \['year'\]"),
        ('{"parts": [], "age": {"mean": 0, "scale": 1}}', r"field 't': parts is \[\]"),
        ('{"parts": ["age"], "age": {"mean": 0, "scale": 1}}', "expected 1 side by side"),
        ('{"parts": ["hour"], "age": {"mean": 0, "scale": -1}}', "scale must be > 0"),
        ('{"parts": ["hour"], "age": {"mean": 0, "scale": 1, "more": 1}}', "unknown members"),
        ('{"parts": ["hour"]}', "age is None, expected dict"),
    ],
)
def test_a_hostile_vocabulary_of_dates_is_refused(members, message):
    meta, tensors = meta_and_tensors(FieldEncoder({"t": Date(["hour"])}).fit(TABLES["dicts"]))
    with pytest.raises(ValueError, match=message):
        encoder_of(meta, tensors | {"vocabulary": np.frombuffer(f"[{members}]".encode(), np.uint8)})
