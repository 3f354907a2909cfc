"""Files that are no models of libffm, libFM or xLearn: refused with the place, whatever they hold."""

import struct
import tracemalloc

import numpy as np
import pytest
from helpers import foreign
from hypothesis import given
from hypothesis import strategies as st

from fastfm_c.interop import load_libffm_model, load_libfm_model, load_xlearn_model

LIBFM = [
    "#global bias W0",
    "0.5",
    "#unary interactions Wj",
    "1",
    "-2",
    "#pairwise interactions Vj,f",
    "1 2",
    "3 4",
]
XLEARN_FM = ["bias: 0.5", "i_0: 1", "i_1: -2", "v_0: 1 2", "v_1: 3 4"]
XLEARN_FFM = ["bias: 0.5", "i_0: 1", "i_1: -2", "v_0_0: 1", "v_0_1: 2", "v_1_0: 3", "v_1_1: 4"]


def load(program, path, fields=(0, 1)):
    """`fields` are for FFM alone."""
    if program == "libfm":
        return load_libfm_model(path)
    if program == "libffm":
        return load_libffm_model(path, fields)
    return load_xlearn_model(path, fields if program == "xlearn_ffm" else None)


# -------------------------------------------------------------------------------------------- text


@pytest.mark.parametrize(
    ("program", "lines", "place", "line", "message"),
    [
        ("libfm", LIBFM, 1, "", r"line 1: found '', expected '#pairwise interactions Vj,f'"),
        ("libfm", LIBFM, 1, "#bias", "line 1: found '#bias', expected '#pairwise"),
        ("libfm", LIBFM, 1, "#global bias", "line 1: found '#global bias', expected '#pairwise"),
        ("libfm", LIBFM, 1, "bias: 0.5", "line 1: found 'bias: 0.5', expected '#pairwise"),
        ("libfm", LIBFM, 2, "half", "line 2: found 'half', expected 1 finite number"),
        ("libfm", LIBFM, 2, "", "line 2: found '', expected 1 finite number"),
        ("libfm", LIBFM, 2, "1 2", "line 2: found '1 2', expected 1 finite number"),
        ("libfm", LIBFM, 2, "1\n2", "2 lines of bias, expected 1"),
        ("libfm", LIBFM, 4, "1 2", "line 4: found '1 2', expected 1 finite number"),
        ("libfm", LIBFM, 5, "nan", "line 5: found 'nan', expected 1 finite number"),
        ("libfm", LIBFM, 5, "-1e39", "line 5: found '-1e39', expected 1 finite number"),
        ("libfm", LIBFM, 5, "1\n2", "3 linear weights, expected 2: one for each line of factors"),
        ("libfm", LIBFM, 6, "1", "line 7: found '1 2', expected 1 finite number"),
        ("libfm", LIBFM, 7, "", "line 7: found '', expected factors"),
        ("libfm", LIBFM, 8, "", "2 linear weights, expected 1: one for each line of factors"),
        ("libfm", LIBFM, 8, "\n3 4", "line 8: found '', expected 2 finite numbers"),
        ("libfm", LIBFM, 8, "3", "line 8: found '3', expected 2 finite numbers"),
        ("libfm", LIBFM, 8, "3 4 5", "line 8: found '3 4 5', expected 2 finite numbers"),
        ("libfm", LIBFM, 8, "3 4x", "line 8: found '3 4x', expected 2 finite numbers"),
        ("libfm", LIBFM, 8, "3 1_0", "line 8: found '3 1_0', expected 2 finite numbers"),
        ("libfm", LIBFM, 8, "3,4", "line 8: found '3,4', expected 2 finite numbers"),
        ("libfm", LIBFM, 8, "3 4 #5", "line 8: found '3 4 #5', expected 2 finite numbers"),
        ("libfm", LIBFM, 8, "#3 4", "line 8: found '#3 4', expected the end of the file"),
        ("libfm", LIBFM, 8, "3 \0", r"line 8: found '3 \\x00', expected 2 finite numbers"),
        ("xlearn", XLEARN_FM, 1, "0.5", "line 2: found 'i_0: 1', expected a number: the weight of feature 0"),
        ("xlearn", XLEARN_FM, 1, "bias 0.5", "line 1: found 'bias 0.5', expected 'bias:' and numbers"),
        ("xlearn", XLEARN_FM, 1, "bias:", "line 1: found '', expected 1 finite number"),
        ("xlearn", XLEARN_FM, 1, "bias", "line 1: found 'bias', expected 'bias:' and numbers"),
        ("xlearn", XLEARN_FM, 2, "i_1: 1", "line 2: found 'i_1: 1', expected 'i_0:' and numbers"),
        ("xlearn", XLEARN_FM, 2, "v_0: 1", "line 2: found 'v_0: 1', expected 'i_0:' and a number"),
        ("xlearn", XLEARN_FM, 3, "i_2: 1", "line 3: found 'i_2: 1', expected 'i_1:' and numbers"),
        ("xlearn", XLEARN_FM, 3, "i_1: inf", "line 3: found 'inf', expected 1 finite number"),
        ("xlearn", XLEARN_FM, 4, "v_1: 1 2", "line 4: found 'v_1: 1 2', expected factors"),
        ("xlearn", XLEARN_FM, 4, "v_0:", "line 4: found '', expected numbers"),
        ("xlearn", XLEARN_FM, 4, "v_0 1 2", "line 4: found 'v_0 1 2', expected 'v_0:' and numbers"),
        ("xlearn", XLEARN_FM, 5, "v_1: 1", "line 5: found '1', expected 2 finite numbers"),
        ("xlearn", XLEARN_FM, 5, "v_1_0: 1 2", "line 5: found 'v_1_0: 1 2', expected 'v_1:' and numbers"),
        ("xlearn", XLEARN_FM, 5, "v_1: 1 2\nv_2: 1", "line 6: found 'v_2: 1', expected the end of the file"),
        ("xlearn_ffm", XLEARN_FFM, 5, "v_0_2: 1", "line 5: found 'v_0_2: 1', expected 'v_0_1:' and numbers"),
        ("xlearn_ffm", XLEARN_FFM, 5, "v_1_0: 1", "line 6: found 'v_1_0: 3', expected the end of the file"),
        ("xlearn_ffm", XLEARN_FFM, 7, "v_1_1: 1 2", "line 7: found '1 2', expected 1 finite number"),
    ],
)
def test_one_wrong_line(program, lines, place, line, message, tmp_path):
    path = tmp_path / "model"
    path.write_text("\n".join([*lines[: place - 1], line, *lines[place:]]) + "\n")
    with pytest.raises(ValueError, match=message) as error:
        load(program, path)
    assert str(error.value).startswith(str(path))


@pytest.mark.parametrize(("program", "lines"), [("xlearn", XLEARN_FM), ("xlearn_ffm", XLEARN_FFM)])
def test_missing_lines_at_the_end(program, lines, tmp_path):
    path = tmp_path / "model"
    for n in range(len(lines)):
        path.write_text("".join(line + "\n" for line in lines[:n]))
        with pytest.raises(ValueError, match=rf"line {n + 1}: found the end of the file, expected"):
            load(program, path)


def test_a_wrong_line_among_thousands(tmp_path):
    path, rows = tmp_path / "model", [f"{j} {j}\n" for j in range(20000)]
    rows[12345] = "1 2 3\n"
    path.write_text("#pairwise interactions Vj,f\n" + "".join(rows))
    with pytest.raises(ValueError, match="line 12347: found '1 2 3', expected 2 finite numbers"):
        load_libfm_model(path)


def test_bytes_that_are_no_text(tmp_path):
    path = tmp_path / "model"
    path.write_bytes("\n".join(XLEARN_FM).encode() + b"\xff")
    with pytest.raises(ValueError, match="line 5: found '3 4\ufffd', expected 2 finite numbers"):
        load_xlearn_model(path)


def test_a_long_line_is_not_repeated(tmp_path):
    path = tmp_path / "model"
    path.write_text("x" * 100_000)
    with pytest.raises(ValueError, match=r"line 1: found 'x{50}', expected"):
        load_libfm_model(path)


def test_no_factors_at_all(tmp_path):
    path = tmp_path / "model"
    path.write_text("#pairwise interactions Vj,f\n")
    with pytest.raises(ValueError, match="no lines of factors, expected one for each feature"):
        load_libfm_model(path)


def test_fields_are_for_ffm_alone():
    with pytest.raises(ValueError, match=r"fields is given, but .*xlearn_fm_k3.txt holds an FM"):
        load_xlearn_model(foreign.path_of("xlearn_fm_k3"), foreign.FIELDS)
    with pytest.raises(ValueError, match=r"fields is None, but .*xlearn_ffm_k3.txt holds an FFM"):
        load_xlearn_model(foreign.path_of("xlearn_ffm_k3"))
    with pytest.raises(ValueError, match=r"fields has shape \(59,\), expected \(60,\)"):
        load_xlearn_model(foreign.path_of("xlearn_ffm_k3"), foreign.FIELDS[1:])


@pytest.mark.parametrize("load", [load_libfm_model, load_xlearn_model])
def test_dtypes(load):
    with pytest.raises(ValueError, match="dtype must be float32 or float64, got int64"):
        load("nowhere", dtype=np.int64)


# ------------------------------------------------------------------------------------------ libffm


def header(n_features, n_fields, n_factors, normalize=1):
    return struct.pack("<iiiB", n_features, n_fields, n_factors, normalize)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "0 bytes, expected a libffm model of at least 13"),
        (header(1, 1, 1)[:12], "12 bytes, expected a libffm model of at least 13"),
        (
            header(0, 1, 1),
            "begins with 0 features, 1 fields, 1 factors and the flag 1, expected three positive",
        ),
        (header(1, -1, 1), "begins with 1 features, -1 fields"),
        (header(1, 1, 0), "1 fields, 0 factors"),
        (header(1, 1, 1, 2), "1 factors and the flag 2, expected three positive numbers and 0 or 1"),
        (header(2, 2, 3), "13 bytes, expected 109 or 141 for 2 features, 2 fields and 3 factors"),
        (header(2, 2, 4) + bytes(127), "140 bytes, expected 141 for"),
        (header(2, 2, 4) + bytes(129), "142 bytes, expected 141 for"),
        (header(2**31 - 1, 2**31 - 1, 2**31 - 1), f"expected {13 + 8 * (2**31 - 1) ** 3} or"),
        (header(2**31 - 1, 1, 10**9) + bytes(100), "113 bytes, expected"),
        (header(1, 2, 1) + np.float32([1, 1, np.nan, 1]).tobytes(), "holds weights that are not finite"),
        (header(1, 2, 1) + np.float32([1, 1, np.inf, 1]).tobytes(), "holds weights that are not finite"),
    ],
)
def test_libffm_files(content, message, tmp_path):
    path = tmp_path / "model"
    path.write_bytes(content)
    tracemalloc.start()
    with pytest.raises(ValueError, match=message) as error:
        load_libffm_model(path, [0])
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()
    assert str(error.value).startswith(str(path))


def test_libffm_arguments():
    path = foreign.path_of("libffm_sse_k3")
    with pytest.raises(ValueError, match=r"fields has shape \(59,\), expected \(60,\)"):
        load_libffm_model(path, foreign.FIELDS[1:])
    with pytest.raises(ValueError, match=r"fields\[4\] is 5, expected 0 <= field < 5"):
        load_libffm_model(path, np.where(foreign.FIELDS == 4, 5, foreign.FIELDS))
    with pytest.raises(ValueError, match="alignment must be None, 1 or 4, got 2"):
        load_libffm_model(path, foreign.FIELDS, alignment=2)
    with pytest.raises(ValueError, match="9613 bytes, expected 7213 for"):
        load_libffm_model(path, foreign.FIELDS, alignment=1)


def test_a_file_that_is_not_there(tmp_path):
    for load in load_libfm_model, load_xlearn_model, lambda path: load_libffm_model(path, [0]):
        with pytest.raises(FileNotFoundError):
            load(tmp_path / "model")


# ---------------------------------------------------------------------------------- any file at all


CONTENTS = {
    "libffm": header(2, 2, 4) + np.float32([[1, 2, 3, 4, 1, 1, 1, 1]] * 4).tobytes(),
    "libfm": "\n".join(LIBFM).encode(),
    "xlearn": "\n".join(XLEARN_FM).encode(),
    "xlearn_ffm": "\n".join(XLEARN_FFM).encode(),
}


def load_or_refuse(program, path):
    """A model, whose parameters are finite, or a ValueError; nothing else."""
    try:
        model = load(program, path)
    except ValueError:
        return
    assert np.isfinite(model.V).all()


@pytest.mark.parametrize("program", CONTENTS)
def test_truncated_anywhere(program, tmp_path):
    path, content = tmp_path / "model", CONTENTS[program]
    for n in range(len(content)):
        path.write_bytes(content[:n])
        load_or_refuse(program, path)


@pytest.mark.parametrize("program", CONTENTS)
@given(data=st.data())
def test_altered_anywhere(program, data, tmp_path_factory):
    content, path = bytearray(CONTENTS[program]), tmp_path_factory.mktemp("m") / "model"
    for _ in range(data.draw(st.integers(1, 4))):
        begin = data.draw(st.integers(0, len(content)))
        content[begin : data.draw(st.integers(begin, begin + 3))] = data.draw(st.binary(max_size=4))
    path.write_bytes(content)
    load_or_refuse(program, path)


@pytest.mark.parametrize("program", CONTENTS)
@given(content=st.binary(max_size=100))
def test_any_bytes(program, content, tmp_path_factory):
    path = tmp_path_factory.mktemp("m") / "model"
    path.write_bytes(content)
    load_or_refuse(program, path)
