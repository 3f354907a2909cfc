"""FieldEncoder: which columns it takes, and errors that say what to do."""

import datetime

import numpy as np
import pytest
import scipy.sparse as sp

from fastfm_c import FieldEncoder
from fastfm_c.encoding import Categorical, Hashed, MultiCategorical, Numeric

pd = pytest.importorskip("pandas")
pl = pytest.importorskip("polars")
pa = pytest.importorskip("pyarrow")
pytest.importorskip("narwhals")


@pytest.mark.parametrize(
    "columns",
    [
        "ab",
        b"ab",
        {"a", "b"},
        frozenset("a"),
        ["a", "a"],
        [1],
        {1: "numeric"},
        [["a"]],
        [],
        3,
        dict,
        iter("a"),
    ],
)
def test_columns_must_be_names_in_an_order(columns):
    with pytest.raises(ValueError, match="columns must name one column at least, in a list of str without"):
        FieldEncoder(columns).fit([{"a": 1, "b": 2}])


def test_columns_of_other_sequences():
    frame = pd.DataFrame({"a": ["x"], "b": ["y"], "c": ["z"]})
    for columns in (("a", "b"), frame.columns[:2], np.array(["a", "b"])):
        encoder = FieldEncoder(columns).fit(frame)
        assert encoder.get_feature_names_out().tolist() == ["a=<unknown>", "a=x", "b=<unknown>", "b=y"]
        assert repr(encoder).startswith("FieldEncoder(columns=")


def test_a_column_must_be_in_some_row_at_fit_alone():
    encoder = FieldEncoder(["a", "zz"])
    with pytest.raises(ValueError, match=r"X has no column 'zz', expected the columns \['a', 'zz'\]"):
        encoder.fit([{"a": "x"}, {"a": "y"}])
    encoder.fit([{"a": "x"}, {"zz": "y"}])
    assert encoder.partial_fit([{"a": "y"}]).transform([{"a": "y"}, {}]).indices.tolist() == [4, 2, 0, 2]


@pytest.mark.parametrize("kind", [Categorical, MultiCategorical, Numeric, Hashed])
def test_a_type_that_is_not_called(kind):
    with pytest.raises(ValueError, match=rf"did you mean {kind.__name__}\(\)\?"):
        FieldEncoder({"a": kind}).fit([{"a": 1}])


def test_errors_of_wide_tables_are_short():
    row = {f"c{i}": "x" for i in range(3000)}
    encoder = FieldEncoder().fit([row])
    wanted = (
        r"X has a column 'new', expected the columns \['c0', 'c1', 'c2', 'c3', 'c4'\] and 2995 more only; "
        r".* name the columns: FieldEncoder\(columns=\[...\]\)$"
    )
    for encode in (encoder.encode_row, lambda row: encoder.transform([row])):
        with pytest.raises(ValueError, match=wanted):
            encode(row | {"new": 1})
    with pytest.raises(ValueError, match=r"X has no column 'c0', .*'c4'\] and 2995 more$"):
        encoder.transform(pd.DataFrame({"a": ["x"]}))


def test_hints():
    with pytest.raises(ValueError, match=r"named 0, .* a str: df.columns = df.columns.astype\(str\)"):
        FieldEncoder().fit(pd.DataFrame([[1, 2]]))
    with pytest.raises(ValueError, match=r"named 0, expected a name that is a str$"):
        FieldEncoder().fit([{0: 1}])
    with pytest.raises(ValueError, match=r"holds b'x', a bytes \(decode it\); expected str, .* or missing$"):
        FieldEncoder().fit([{"t": b"x"}])
    span = datetime.timedelta(1)
    for table in ([{"t": span}], [{"t": np.timedelta64(1, "h")}], pl.DataFrame({"t": [span]})):
        with pytest.raises(ValueError, match=r"column 't' .* \(convert it to its total seconds\)"):
            FieldEncoder().fit(table)
    with pytest.raises(ValueError, match=r"X is a csr_array, .*a sparse matrix is no table"):
        FieldEncoder().fit(sp.csr_array(np.eye(2)))
    with pytest.raises(ValueError, match=r"Reshape your data: X.reshape\(1, -1\)"):
        FieldEncoder().fit(np.arange(3))
