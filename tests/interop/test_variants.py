"""Models of other programs in files that are open, with blank lines at the end, and xLearn's old text."""

import io

import numpy as np
import pytest

from fastfm_c import FFM, FM
from fastfm_c.interop import (
    dump_libffm_model,
    dump_libfm_model,
    dump_xlearn_model,
    load_libffm_model,
    load_libfm_model,
    load_xlearn_model,
)

FIELDS = [0, 1, 1]
LIBFM = b"#global bias W0\n0.5\n#unary interactions Wj\n1\n-2\n#pairwise interactions Vj,f\n1 2\n3 4\n"
OLD_FM = b"0.5\n1\n-2\n0.25 2\n3 -4e-05\n"  # as xLearn 0.30 and 0.31 wrote it
OLD_FFM = b"0.5\n1\n-2\n0.25 23 4\n0.1 0.20.3 0.4\n"


# ------------------------------------------------------------------------------------- open files


@pytest.mark.parametrize(
    ("model", "dump", "load"),
    [
        (FFM.random(FIELDS, 3, rng=0), dump_libffm_model, lambda file: load_libffm_model(file, FIELDS)),
        (FM.random(4, 3, rng=0), dump_libfm_model, load_libfm_model),
        (FM.random(4, 3, rng=0), dump_xlearn_model, lambda file: load_xlearn_model(file, normalize=False)),
        (
            FFM.random(FIELDS, 3, rng=0),
            dump_xlearn_model,
            lambda file: load_xlearn_model(file, FIELDS, normalize=False),
        ),
    ],
)
def test_models_in_open_files(tmp_path, model, dump, load):
    dump(model, tmp_path / "model")
    content = (tmp_path / "model").read_bytes()
    file = io.BytesIO(b"head")
    file.seek(4)
    dump(model, file)
    assert file.getvalue() == b"head" + content
    file.seek(4)
    assert load(file) == model
    assert file.read() == b""
    with open(tmp_path / "model", "rb") as opened:
        assert load(opened) == model
        assert not opened.closed
    assert load(type("Reads", (), {"read": io.BytesIO(content).read})()) == model
    with pytest.raises(ValueError, match="not open for binary writing: open it with mode 'wb'"):
        dump(model, io.StringIO())
    with pytest.raises(ValueError, match="not open for binary reading: open it with mode 'rb'"):
        load(io.StringIO("0.5"))
    with pytest.raises(ValueError, match=r"^<file>"):
        load(io.BytesIO(content[: len(content) // 3]))


# ------------------------------------------------------------------------------------ blank lines


@pytest.mark.parametrize("end", ["", "\n", "\n\n \n", " \t", "\r\n"])
@pytest.mark.parametrize("newline", ["\n", "\r\n"])
def test_blank_lines_at_the_end_are_none(end, newline):
    content = (LIBFM.decode() + end).replace("\r", "").replace("\n", newline).encode()
    assert load_libfm_model(io.BytesIO(content)) == load_libfm_model(io.BytesIO(LIBFM))
    model, file = FFM.random(FIELDS, 2, rng=0), io.BytesIO()
    dump_xlearn_model(model, file)
    file.write(end.encode())
    file.seek(0)
    assert load_xlearn_model(file, FIELDS, normalize=False) == model


def test_blank_lines_elsewhere_are_faults():
    with pytest.raises(ValueError, match="line 8: found '', expected 2 finite numbers"):
        load_libfm_model(io.BytesIO(LIBFM.replace(b"3 4", b"\n\n3 4")))
    with pytest.raises(ValueError, match=r"line 7: found .*, expected factors: an FM has at least one"):
        load_libfm_model(io.BytesIO(LIBFM.replace(b"1 2\n3 4", b"\n")))


def test_many_blank_lines_are_read_over():
    with pytest.raises(ValueError, match="line 9: found '', expected 2 finite numbers"):
        load_libfm_model(io.BytesIO(LIBFM + b"\n" * 1_000_000 + b"5 6"))
    assert load_libfm_model(io.BytesIO(LIBFM + b"\n" * 1_000_000)).n_features == 2


# ------------------------------------------------------------------------------------ xLearn's old text


def test_an_old_fm_of_xlearn():
    model = load_xlearn_model(io.BytesIO(OLD_FM))
    named = b"bias: 0.5\ni_0: 1\ni_1: -2\nv_0: 0.25 2\nv_1: 3 -4e-05\n"
    assert model == load_xlearn_model(io.BytesIO(named))
    assert model.w.tolist() == [1, -2]
    assert model.V.tolist() == np.float32([[0.25, 2], [3, -4e-05]]).tolist()
    assert model.normalize == "xlearn"
    assert load_xlearn_model(io.BytesIO(OLD_FM), normalize=False, dtype="float64").V[1, 1] == -4e-05


def test_an_old_ffm_of_xlearn_with_a_line_for_each_vector():
    content = b"0.5\n1\n-2\n1 2\n3 4\n5 6\n7 8\n"
    model = load_xlearn_model(io.BytesIO(content), [0, 1])
    assert model.V.tolist() == [[[1, 2], [3, 4]], [[5, 6], [7, 8]]]
    with pytest.raises(ValueError, match=r"line 4: .* one for each of 2 features; there are 4"):
        load_xlearn_model(io.BytesIO(content))


@pytest.mark.parametrize("fields", [None, [0, 1]])
@pytest.mark.parametrize(
    ("content", "message"),
    [
        (OLD_FFM.replace(b" 23 ", b" 2.53 "), r"line 5: found '0.1 0.20.3 0.4', expected"),
        (
            b"0.5\n1\n-2\n0.1 0.20.3 0.4\n",
            r"line 4: .* numbers; those of an old FFM run together, .* xLearn 0.32",
        ),
        (b"0.5\n1\n-2\n0.1 0.2-0.3 0.4\n", r"line 4: .* run together"),
        (b"0.5\n1\n-2\n3\n4\n", "line 6: found the end of the file, expected lines of two or more factors"),
        (b"0.5\n", "line 2: found the end of the file, expected lines of two or more"),
        (b"0.5\n1 2\n", "line 2: found '1 2', expected a number: the weight of feature 0"),
        (b"0.5\n1\n-2\n1 2\n3 4\n5 6\n", "line 4: found '1 2', expected lines of factors, .* there are 3"),
        (b"0.5\n1\n-2\n1 2\n3\n", "line 5: found '3', expected 2 finite numbers"),
        (b"0.5\n1\n-2\n1 nan\n3 4\n", "line 4: found '1 nan', expected 2 finite numbers"),
        (b"0.5\nx\n", "line 2: found 'x', expected a number: the weight of feature 0"),
        (b"0.5x\n", "line 1: found '0.5x', expected 'bias:' and numbers"),
        (b"1" * 200_000 + b"x\n", "line 1: found '1{50}', expected 'bias:' and numbers"),
    ],
)
def test_old_text_that_is_not_certain_is_refused(content, message, fields):
    with pytest.raises(ValueError, match=message):
        load_xlearn_model(io.BytesIO(content), fields)


def test_old_text_cut_anywhere():
    for n in range(len(OLD_FM) - 1):
        for fields in (None, [0, 0]):
            try:
                model = load_xlearn_model(io.BytesIO(OLD_FM[:n]), fields)
            except ValueError:
                continue
            assert model.n_features == 2
            assert np.isfinite(model.V).all()
