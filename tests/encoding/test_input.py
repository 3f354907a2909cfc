"""FieldEncoder refuses what it cannot encode."""

from fractions import Fraction

import numpy as np
import pytest
import scipy.sparse as sp
from helpers.encoders import pa, pd, pl
from helpers.subprocesses import output_of

from fastfm_c import FieldEncoder, load, save
from fastfm_c.encoding import Categorical, Hashed, MultiCategorical, Numeric

FRAME = pd.DataFrame({"a": ["x", "y"], "b": [1.0, 2.0]})


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"columns": {"c": "categorical"}}, r"X has no column 'c', expected the columns \['c'\]"),
        ({"columns": ["a", "z"]}, "X has no column 'z'"),
        ({"columns": {}}, "columns must name one column at least"),
        ({"columns": "a"}, "columns must name one column at least, .* got 'a'"),
        ({"columns": {"a": "text"}}, r"columns\['a'\] is 'text', expected Categorical"),
        ({"columns": {"a": Numeric}}, r"columns\['a'\] is .* one of auto, categorical"),
        ({"columns": {"a": None}}, r"columns\['a'\] is None"),
        ({"columns": {"a": Categorical(min_count=0)}}, "min_count of column 'a' must be a positive integer"),
        (
            {"columns": {"a": MultiCategorical(scale="max")}},
            r"scale of column 'a' must be one of \(None, 'sqrt'",
        ),
        ({"columns": {"b": Numeric(bins=1.5)}}, "bins of column 'b' must be a positive integer, got 1.5"),
        ({"columns": {"a": Hashed(0)}}, "n_bits of column 'a' must be a positive integer, got 0"),
        ({"columns": {"a": Hashed(29)}}, "n_bits of column 'a' must be at most 28, got 29"),
        ({"columns": {"a": Hashed(2, missing="mean")}}, "missing of column 'a' must be one of"),
        ({"columns": {"a": "numeric"}}, "column 'a' holds 'x', expected a number"),
        ({"columns": {"a": "multi"}}, "column 'a' holds 'x', expected lists of values"),
        ({"columns": {"b": "multi"}}, "column 'b' holds 1.0, expected lists of values"),
        ({"min_count": "3"}, "min_count must be a positive integer, got '3'"),
        ({"max_categories": 0}, "max_categories must be a positive integer, got 0"),
        ({"missing": "drop"}, r"missing must be one of \('unknown', 'own'\), got 'drop'"),
        ({"dtype": "int32"}, "dtype must be float32 or float64, got 'int32'"),
    ],
)
def test_bad_parameters(options, message):
    with pytest.raises(ValueError, match=message):
        FieldEncoder(**options).fit(FRAME)


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ([], "X has 0 rows and 0 columns"),
        (FRAME[:0], "X has 0 rows and 2 columns"),
        (FRAME[[]], "X has 2 rows and 0 columns"),
        ([{"a": 1}, ["x"]], "row 1 of X is a list, expected a dict as row 0 is"),
        ({"a": ["x"]}, "X is a dict, expected a DataFrame, a list of dicts"),
        (FRAME["a"], "X is a Series"),
        (pl.LazyFrame({"a": [1]}), "X is a LazyFrame, expected .* not lazy"),
        (sp.csr_array(np.eye(2)), "X is a csr_array"),
        (None, "X is a NoneType"),
        (np.arange(3), r"X must have rows and columns, got an array of shape \(3,\)"),
        (["a", "b"], "X must have rows and columns"),
        (np.zeros((2, 2), complex), "column 'x0' is an array of shape .* complex128"),
        (np.zeros((2, 2), "S3"), r"column 'x0' .* \|S3"),
        (np.zeros(2, [("a", float, 2)]), r"column 'a' is an array of shape \(2, 2\)"),
        (pd.DataFrame([[1, 2]]), "X has a column named 0, expected a name that is a str"),
        ([{1: "x"}], "X has a column named 1"),
        (pd.DataFrame([[1, 2]], columns=["a", "a"]), "unique column names"),
        (pa.table({"t": pa.array([5], pa.duration("s"))}), "column 't' holds datetime.timedelta"),
        (pa.table({"t": pa.array([b"x"])}), "column 't' holds b'x', a bytes"),
        (pl.DataFrame({"t": [{"a": 1}]}), "column 't' holds lists or others"),
        ([{"t": {"a": 1}}], "column 't' holds lists or others"),
        ([{"t": ("a", {"b"})}], "column 't' holds lists or others"),
        ([{"t": Fraction(3)}], "column 't' holds Fraction.* a Fraction; expected"),
        ([{"t": 1j}], "column 't' holds 1j, a complex"),
    ],
)
def test_bad_tables(table, message):
    with pytest.raises(ValueError, match=message):
        FieldEncoder().fit(table)


@pytest.mark.parametrize("table", [FRAME.assign(a=[["x"], ["y"]]), pl.DataFrame({"a": [["x"]]})])
def test_lists_are_no_categories(table):
    with pytest.raises(ValueError, match="column 'a' holds lists"):
        FieldEncoder({"a": "categorical"}).fit(table)
    with pytest.raises(ValueError, match=r"column 'a' holds \['x'\], a list"):
        FieldEncoder({"a": "categorical"}).fit([{"a": "x"}]).encode_row({"a": ["x"]})


def test_lists_of_what_cannot_be_hashed():
    encoder = FieldEncoder({"a": "multi"}).fit([{"a": ["x"]}])
    for row in ({"a": [("y", ["z"])]}, {"a": [["x"]]}, {"a": [{"x": 1}]}):
        for encode in (encoder.encode_row, lambda row: encoder.transform([row])):
            with pytest.raises(ValueError, match="column 'a' holds"):
                encode(row)


@pytest.mark.parametrize("x", [np.inf, -np.inf, 10**400], ids=["inf", "-inf", "int"])
@pytest.mark.parametrize("bins", [None, 2])
def test_infinite_numbers(x, bins):
    encoder = FieldEncoder({"x": Numeric(bins=bins)})
    tables = [[{"x": x}, {"x": 1}]]
    if x != 10**400:
        tables += [
            pd.DataFrame({"x": [1.0, x]}),
            pl.DataFrame({"x": [1.0, x]}),
            np.array([(1,), (x,)], [("x", "f4")]),
        ]
    for table in tables:
        with pytest.raises(ValueError, match=r"column 'x' holds .*inf.* expected finite or missing"):
            encoder.fit(table)
        with pytest.raises(ValueError, match=r"column 'x' holds .*inf.* expected finite or missing"):
            FieldEncoder({"x": Numeric(bins=bins)}).fit([{"x": 2}]).transform(table)
    with pytest.raises(ValueError, match="infinite number"):
        encoder.fit([{"x": 2}]).encode_row({"x": x})


@pytest.mark.parametrize("x", [1e300, -1e308, 1e39])
def test_numbers_that_a_matrix_cannot_hold(x):
    encoder = FieldEncoder({"x": Numeric()}).fit([{"x": 0.0}, {"x": 1e-3}])
    for encode, row in ((encoder.encode_row, {"x": x}), (encoder.transform, [{"x": 0.0}, {"x": x}])):
        with pytest.raises(ValueError, match=r"column 'x' holds .*, too far from its mean 0\.0005"):
            encode(row)


def test_large_numbers_are_standardised_without_overflow():
    X = FieldEncoder(dtype="float64").fit_transform([{"x": 1e308}, {"x": -1e308}])
    np.testing.assert_allclose(X.toarray()[:, 1], [1, -1])


def test_other_columns_than_at_fit():
    encoder = FieldEncoder().fit(FRAME)
    with pytest.raises(ValueError, match=r"X has no column 'b', expected the columns \['a', 'b'\]"):
        encoder.transform(FRAME[["a"]])
    for table in (FRAME.assign(c=1), [{"a": "x", "c": 1}]):
        with pytest.raises(ValueError, match=r"X has a column 'c', expected the columns \['a', 'b'\] only"):
            encoder.transform(table)
        with pytest.raises(ValueError, match="X has a column 'c'"):
            encoder.partial_fit(table)
    with pytest.raises(ValueError, match="X has a column 'c'"):
        encoder.encode_row({"a": "x", "c": 1})
    with pytest.raises(ValueError, match="row is a list, expected a dict"):
        encoder.encode_row([1])
    named = FieldEncoder(["a", "b"]).fit(FRAME.assign(c=1))
    assert (named.transform(FRAME) != encoder.transform(FRAME)).nnz == 0
    assert named.encode_row({"a": "x", "d": 1})[0].tolist() == [1, 3]


@pytest.mark.parametrize("call", ["transform", "encode_row", "get_feature_names_out"])
def test_not_fitted(call):
    with pytest.raises(ValueError, match="not fitted yet: call fit"):
        getattr(FieldEncoder(), call)(*[{}] * (call != "get_feature_names_out"))


def test_an_encoder_that_is_not_fitted_is_saved_as_one(tmp_path):
    """A fitted ColumnTransformer keeps it beside the fitted one."""
    encoder = FieldEncoder({"a": "categorical"}, rest="auto", min_count=3, dtype="float64")
    save(encoder, tmp_path / "encoder")
    other = load(tmp_path / "encoder")
    assert repr(other) == repr(encoder)
    with pytest.raises(ValueError, match="not fitted yet: call fit"):
        other.transform([{"a": "x"}])
    rows = [{"a": "x", "b": 1.0}] * 3
    assert (
        other.fit(rows).get_feature_names_out().tolist() == encoder.fit(rows).get_feature_names_out().tolist()
    )


def test_parameters():
    encoder = FieldEncoder(["a"], min_count=3)
    assert repr(encoder) == "FieldEncoder(columns=['a'], min_count=3)"
    assert encoder.set_params(min_count=1, missing="own").get_params(deep=False) == {
        "columns": ["a"],
        "min_count": 1,
        "max_categories": None,
        "missing": "own",
        "dtype": "float32",
        "rest": "drop",
    }
    with pytest.raises(ValueError, match="'bins' is no parameter, expected one of columns, min_count"):
        encoder.set_params(bins=3)


def test_nothing_optional_is_loaded_without_need():
    program = """
import sys
import numpy as np
from fastfm_c import FieldEncoder, load, save
FieldEncoder().fit_transform([{"a": "x", "b": 1.0}])
FieldEncoder().fit_transform(np.eye(2))
print(sorted({"narwhals", "pandas", "polars", "pyarrow", "sklearn", "scipy.optimize"} & set(sys.modules)))
sys.modules["narwhals"] = None
try:
    FieldEncoder().fit(object())
except ImportError as error:
    print(error)
"""
    loaded, message = output_of(program).splitlines()
    assert loaded == "[]"
    assert message.endswith("DataFrames need narwhals: pip install 'fastfm-c[dataframe]'")
