"""Text files: examples by hand, numbers against Python's float, round trips, compression, blocks."""

import io
import struct

import numpy as np
import pytest
from helpers.strategies import csr
from helpers.texts import PLAIN, load, read_in_chunks, same_array, same_rows
from hypothesis import given
from hypothesis import strategies as st
from scipy.sparse import csr_array

from fastfm_c import dump_libffm, dump_libsvm, iter_libsvm, load_libffm, load_libsvm

# ------------------------------------------------------------------------------------------ examples


def test_libsvm_by_hand():
    X, y = load(PLAIN, zero_based=True)
    assert isinstance(X, csr_array)
    assert X.shape == (4, 4)
    assert X.indptr.tolist() == [0, 2, 4, 6, 6]
    assert X.indices.tolist() == [0, 3, 2, 2, 1, 0]  # in the order of the file, repeats and zeros kept
    assert X.data.tolist() == [1, 0.5, -20, 4, 0.5, 0]
    assert y.tolist() == [1, -1, 1.5, 0]
    assert (X.indptr.dtype, X.indices.dtype, X.data.dtype, y.dtype) == (
        "int32",
        "int32",
        "float32",
        "float64",
    )


def test_libffm_by_hand():
    X, y, fields = load_libffm(io.BytesIO(b"1 0:0:1 7:5:2\n0 3:2:.5 0:0:1\n"), dtype="float64")
    assert X.toarray().tolist() == [[1, 0, 0, 0, 0, 2], [1, 0, 0.5, 0, 0, 0]]
    assert y.tolist() == [1, 0]
    assert fields.tolist() == [0, 0, 3, 0, 0, 7]
    assert fields.dtype == np.int32
    assert X.data.dtype == np.float64


@pytest.mark.parametrize(
    ("text", "zero_based", "n_features", "columns", "width"),
    [
        (b"1 1:1 3:1", "auto", None, [0, 2], 3),
        (b"1 0:1 3:1", "auto", None, [0, 3], 4),
        (b"1 1:1 3:1", True, None, [1, 3], 4),
        (b"1 1:1 3:1", False, 9, [0, 2], 9),
        (b"1 1:1 3:1", "auto", 3, [0, 2], 3),
        (b"1 0:1 2:1", "auto", 3, [0, 2], 3),
        (b"1", "auto", None, [], 0),
        (b"", "auto", None, [], 0),
        (b"", False, 4, [], 4),
    ],
)
def test_first_index_and_width(text, zero_based, n_features, columns, width):
    X, y = load(text, zero_based=zero_based, n_features=n_features)
    assert X.indices.tolist() == columns
    assert X.shape == (len(y), width)
    blocks = iter_libsvm(io.BytesIO(text), zero_based=zero_based, n_features=n_features)
    assert blocks.n_features == width
    assert all(same_rows(X, block) for block, _ in blocks)


def test_indices_of_64_bits():
    X, _ = load(b"1 5:1\n0 5000000000:2\n")
    assert X.indices.tolist() == [4, 4999999999]
    assert (X.indices.dtype, X.indptr.dtype, X.shape) == ("int64", "int64", (2, 5000000000))
    X, _ = load(b"1 2147483647:1\n", zero_based=False)
    assert X.indices.dtype == np.int32


def test_split_makes_a_column_for_each_pair():
    text = b"1 0:4:1 1:4:2\n0 1:9:3 0:4:4\n1 2:4:5 1:4:6"
    X, _, fields = load_libffm(io.BytesIO(text), on_field_conflict="split")
    assert X.toarray().tolist() == [[1, 2, 0, 0], [4, 0, 3, 0], [0, 6, 0, 5]]
    assert fields.tolist() == [0, 1, 1, 2]
    large = io.BytesIO(b"1 0:4000000000:1 1:4000000000:2")
    X, _, fields = load_libffm(large, on_field_conflict="split")
    assert (X.indices.tolist(), X.indices.dtype, fields.tolist()) == ([0, 1], "int32", [0, 1])


# --------------------------------------------------------------------------------------- against others

NUMBERS = [
    "0", "-0", "1.", ".5", "+1", "00012", "1e22", "1e23", "9007199254740993", "9007199254740993.00000001",
    "2.4703282292062327e-324", "2.4703282292062328e-324", "5e-324", "2.2250738585072011e-308",
    "1.7976931348623158e308", "8.5", "1e-400", "0." + "0" * 400 + "1e400", "1" + "0" * 500 + "e-500",
    "1" * 300, "0." + "1" * 5000, "18446744073709551616", "9" * 19 + "e-5", "1E+5", "4.5e-07",
]  # fmt: skip


def middles():
    """Decimal numbers exactly between two doubles, and a little beyond."""
    rng = np.random.default_rng(3)
    for power in range(-40, 40, 3):
        mantissa = int(rng.integers(2**52, 2**53))
        middle = (2 * mantissa + 1) * 2 ** (power + 80) * 5**80  # times 10^-80 and 2^power
        yield f"{middle}e-80"
        yield f"{middle}.{'0' * 800}1e-80"


def values(numbers, dtype="float64"):
    text = "".join(f"{number} 1:{number}\n" for number in numbers)
    X, y = load(text.encode(), dtype=dtype)
    return X.data, y


@pytest.mark.parametrize("numbers", [NUMBERS, list(middles())], ids=["hard", "middles"])
def test_numbers_are_those_of_python(numbers):
    expected = np.array([float(number) for number in numbers])
    data, y = values(numbers)
    assert same_array(data, expected)
    assert same_array(y, expected)


DECIMAL = r"[+-]?([0-9]{1,40}\.?[0-9]{0,40}|\.[0-9]{1,25})([eE][+-]?[0-9]{1,2})?"


@given(st.lists(st.from_regex(DECIMAL, fullmatch=True)))
def test_any_number_is_that_of_python(numbers):
    expected = np.array([float(number) for number in numbers])
    data, y = values(numbers)
    assert same_array(data, expected)
    assert same_array(y, expected)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False, width=32)))
def test_float32_is_the_rounded_float64(numbers):
    data, _ = values([repr(x) for x in numbers], "float32")
    assert same_array(data, np.array(numbers, np.float32))


def test_scikit_learn_reads_and_writes_the_same(tmp_path):
    datasets = pytest.importorskip("sklearn.datasets")
    rng = np.random.default_rng(0)
    X = csr_array(rng.standard_normal((50, 20)) * (rng.random((50, 20)) < 0.3))
    y = rng.standard_normal(50)
    datasets.dump_svmlight_file(X, y, str(tmp_path / "theirs"), zero_based=False)
    dump_libsvm(X, y, tmp_path / "ours")
    for name in ("theirs", "ours"):
        A, a = load_libsvm(tmp_path / name, n_features=20, zero_based=False, dtype="float64")
        B, b = datasets.load_svmlight_file(str(tmp_path / name), n_features=20, zero_based=False)
        assert same_array(A.data, B.data)
        assert A.indices.tolist() == B.indices.tolist()
        assert same_array(a, b)


# ------------------------------------------------------------------------------------------ properties


@given(csr(), st.lists(st.floats(allow_nan=False, allow_infinity=False)), st.sampled_from([7, 64, 1 << 12]))
def test_round_trip_to_the_bit(tmp_path_factory, X, labels, chunk):
    path = tmp_path_factory.mktemp("text") / "rows"
    y = np.resize(np.array(labels), X.shape[0]) if labels else np.arange(X.shape[0], dtype=float)
    n_features = max(X.shape[1], 1)
    fields = np.arange(n_features) % 3
    with pytest.MonkeyPatch.context() as patch:
        read_in_chunks(patch, chunk)
        X = csr_array((X.data, X.indices, X.indptr), shape=(X.shape[0], n_features))
        dump_libsvm(X, y, path)
        A, a = load_libsvm(path, n_features=n_features, dtype=X.dtype, zero_based=False)
        dump_libffm(X, y, path, fields=fields)
        B, b, its = load_libffm(path, n_features=n_features, dtype=X.dtype)
    for Z, z in ((A, a), (B, b)):
        assert same_array(Z.data, X.data)
        assert Z.indices.tolist() == X.indices.tolist()
        assert Z.indptr.tolist() == X.indptr.tolist()
        assert same_array(z, y)
    assert (its[X.indices] == fields[X.indices]).all()


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False), min_size=1))
def test_written_numbers_are_short(tmp_path_factory, numbers):
    path = tmp_path_factory.mktemp("text") / "rows"
    numbers += [0.1, 123456.789, 1e-5, 1e300, 2.5e-320, -0.0, 1e15, 2.0**52 + 0.5]
    dump_libsvm(csr_array((len(numbers), 1)), numbers, path)
    for line, x in zip(path.read_text().splitlines(), numbers, strict=True):
        assert struct.pack("d", float(line)) == struct.pack("d", x)
        assert len(line) <= len(repr(x)) + 1


def test_written_by_hand(tmp_path):
    numbers = [0.1, 1 / 3, 1e16, 1.5e16, 2e-5, 1e-300, 0.001, 1234.5, -0.0, 1e15, 5e-324, 3e100]
    expected = ["0.1", "0.3333333333333333", "1e16", "1.5e16", "2e-5", "1e-300",
                "0.001", "1234.5", "-0", "1000000000000000", "5e-324", "3e100"]  # fmt: skip
    dump_libsvm(csr_array((len(numbers), 1)), numbers, tmp_path / "rows")
    assert (tmp_path / "rows").read_text().split() == expected
    X = csr_array(np.array([[0.1, 1 / 3, 1e10]], np.float32))
    dump_libsvm(X, np.array([1], np.float32), tmp_path / "rows", zero_based=True)
    assert (tmp_path / "rows").read_text() == "1 0:0.1 1:0.33333334 2:10000000000\n"


@pytest.mark.parametrize("num_threads", [1, 3])
def test_large_files_by_any_number_of_threads(monkeypatch, num_threads):
    rng = np.random.default_rng(1)
    lines = [
        b"# 1:2:3\n" if i % 7 == 0 else b"%d %d:%d:1 9:77:0.25\n" % (i, i % 5, i % 5) for i in range(100_000)
    ]
    rng.shuffle(lines)
    labels = [float(line.split()[0]) for line in lines if not line.startswith(b"#")]
    for chunk in (1 << 23, 300_000):
        read_in_chunks(monkeypatch, chunk)
        X, y, fields = load_libffm(io.BytesIO(b"".join(lines)), num_threads=num_threads)
        assert y.tolist() == labels
        assert (X.indices[::2] == np.array(labels) % 5).all()
        assert (X.indices[1::2] == 77).all()
        assert fields[:5].tolist() == [0, 1, 2, 3, 4]
