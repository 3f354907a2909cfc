"""Models of libffm, libFM and xLearn: read as the programs wrote them, they give the same predictions."""

import struct

import numpy as np
import pytest
from helpers import foreign

from fastfm_c import FFM, FM
from fastfm_c.interop import load_libffm_model, load_libfm_model, load_xlearn_model

# The programs print six digits of probabilities, or of scores below 1: half a unit is 5e-7. xLearn writes
# six digits of each parameter too, and had more when it predicted what is compared here.
TOLERANCE = 2e-6
# Probabilities change faster with a probit score, and libFM had more digits of these than it wrote.
PROBIT_TOLERANCE = 4e-6

LIBFM = "#global bias W0\n0.5\n#unary interactions Wj\n1\n-2\n#pairwise interactions Vj,f\n1 0.25\n2 -4\n"
XLEARN_FM = "bias: 0.5\ni_0: 1\ni_1: -2\nv_0: 1 0.25\nv_1: 2 -4\n"
XLEARN_FFM = "bias: 0.5\ni_0: 1\ni_1: -2\nv_0_0: 1\nv_0_1: 2\nv_1_0: 3\nv_1_1: 4\n"


@pytest.mark.parametrize("name", foreign.MODELS)
def test_the_programs_predictions(name):
    X, model = foreign.rows(), foreign.load(name)
    assert model.normalize == foreign.MODELS[name]
    assert model.dtype == np.float32
    tolerance = PROBIT_TOLERANCE if name == "libfm_probit" else TOLERANCE
    scores = model.predict(X)
    np.testing.assert_allclose(
        foreign.as_printed(name, scores), foreign.printed(name), rtol=0, atol=tolerance
    )
    for i, (begin, end) in enumerate(zip(X.indptr[:-1], X.indptr[1:], strict=True)):
        assert model.predict_row(X.indices[begin:end], X.data[begin:end]) == scores[i]


def test_the_rows_tell_normalizations_apart():
    """Else the test above would say nothing of them."""
    X = foreign.rows()
    for name, normalize in foreign.MODELS.items():
        model = foreign.load(name)
        others = {None, "instance"} if isinstance(model, FFM) else {None, "instance", "xlearn"}
        for other in others - {normalize}:
            model.normalize = other
            wrong = foreign.as_printed(name, model.predict(X)) - foreign.printed(name)
            assert np.abs(wrong).max() > 1e-2


def test_models_without_factors_are_refused():
    with pytest.raises(ValueError, match=r"libfm_no_factors\.libfm, line 65: .*an FM has at least one"):
        load_libfm_model(foreign.FOLDER / "libfm_no_factors.libfm")
    with pytest.raises(ValueError, match=r"xlearn_linear\.txt, line 62: found the end .*a linear model"):
        load_xlearn_model(foreign.FOLDER / "xlearn_linear.txt")


def test_parts_that_libfm_left_out_are_zero():
    assert foreign.load("libfm_no_bias").w0 == 0
    assert not foreign.load("libfm_no_linear").w.any()
    assert foreign.load("libfm_no_bias").w.any()
    assert foreign.load("libfm_no_linear").w0 != 0


def test_features_that_libffm_has_not_seen():
    """It leaves them out of the pairs, and counts them in the row's length: as factors of 0 do."""
    ffm = foreign.load("libffm_sse_k3")
    before = ffm.predict_row([4, 5], [3.0, 4.0])
    ffm.resize(62, np.append(foreign.FIELDS, [0, 5]), init_stdev=0.0)
    assert ffm.predict_row([4, 5], [3.0, 4.0]) == before
    np.testing.assert_allclose(ffm.predict_row([4, 5, 61], [3.0, 4.0, 10.0]), before * 25 / 125, rtol=1e-6)


# ------------------------------------------------------------------------------- worked by hand


def libffm_bytes(n_features, n_fields, n_factors, values, normalize=1):
    return (
        struct.pack("<iiiB", n_features, n_fields, n_factors, normalize) + np.array(values, "<f4").tobytes()
    )


def test_libffm_by_hand_one_by_one(tmp_path):
    path = tmp_path / "model"
    path.write_bytes(libffm_bytes(2, 1, 2, [0.5, 1, 0.25, 2, -1, 1.5, 3, 1]))
    model = load_libffm_model(path, [0, 0])
    assert model == FFM(0.0, [0, 0], np.float32([[[0.5, 0.25]], [[-1, 3]]]), [0, 0], normalize="instance")


def test_libffm_by_hand_four_by_four(tmp_path):
    path = tmp_path / "model"
    path.write_bytes(libffm_bytes(1, 2, 2, [0.5, 0.25, 0, 0, 1, 2, 1, 1, -1, 3, 0, 0, 1, 1, 1, 1], 0))
    model = load_libffm_model(path, [1])
    assert model == FFM(0.0, [0], np.float32([[[0.5, 0.25], [-1, 3]]]), [1])
    assert model.normalize is None


def test_libffm_groups_of_four_are_joined(tmp_path):
    path = tmp_path / "model"
    path.write_bytes(libffm_bytes(1, 1, 5, [1, 2, 3, 4, 9, 9, 9, 9, 5, 0, 0, 0, 9, 9, 9, 9]))
    np.testing.assert_array_equal(load_libffm_model(path, [0]).V, [[[1, 2, 3, 4, 5]]])


def test_libfm_by_hand(tmp_path):
    path = tmp_path / "model"
    path.write_text(LIBFM)
    model = load_libfm_model(path)
    assert model == FM(0.5, [1, -2], np.float32([[1, 0.25], [2, -4]]))
    assert model.predict_row([0, 1], [1.0, 2.0]) == 0.5 + 1 - 4 + 2 * (2 - 1)


def test_xlearn_by_hand(tmp_path):
    path = tmp_path / "model.txt"
    path.write_text(XLEARN_FM)
    assert load_xlearn_model(path) == FM(0.5, [1, -2], np.float32([[1, 0.25], [2, -4]]), normalize="xlearn")
    path.write_text(XLEARN_FFM)
    V = np.float32([[[1], [2]], [[3], [4]]])
    assert load_xlearn_model(path, [0, 1]) == FFM(0.5, [1, -2], V, [0, 1], normalize="instance")
    model = load_xlearn_model(path, [0, 1], normalize=False)
    assert model.normalize is None
    assert model.predict_row([0, 1], [1.0, 2.0]) == 0.5 + 1 - 4 + 2 * 2 * 3


def test_float64_on_demand(tmp_path):
    path = tmp_path / "model"
    path.write_text(LIBFM.replace("0.25", "0.1"))
    assert load_libfm_model(path, dtype="float64").V[0, 1] == 0.1
    path.write_text(XLEARN_FFM.replace("v_1_1: 4", "v_1_1: 0.1"))
    assert load_xlearn_model(path, [0, 1], dtype=np.float64).V[1, 1, 0] == 0.1


def test_lines_may_end_as_on_windows(tmp_path):
    for text, load in (LIBFM, load_libfm_model), (XLEARN_FM, load_xlearn_model):
        path = tmp_path / "model"
        path.write_text(text)
        expected = load(path)
        path.write_bytes(text.replace("\n", "\r\n").encode())
        assert load(path) == expected


# ------------------------------------------------------------------------- alignments of libffm


@pytest.mark.parametrize(("name", "alignment"), [("libffm_sse_k4", 4), ("libffm_scalar_k4", 1)])
def test_files_of_one_size_are_told_apart(name, alignment):
    path, model = foreign.path_of(name), foreign.load(name)
    assert path.stat().st_size == 13 + 8 * 60 * 5 * 4
    assert load_libffm_model(path, foreign.FIELDS, alignment=alignment) == model
    other = load_libffm_model(path, foreign.FIELDS, alignment=5 - alignment)
    assert not np.array_equal(other.V, model.V)


def test_alignment_is_asked_for_when_nothing_tells(tmp_path):
    path = tmp_path / "model"
    path.write_bytes(libffm_bytes(1, 1, 4, [0.5, 2, 3, 4, 5, 6, 7, 8]))
    with pytest.raises(ValueError, match=r"fits alignments \[1, 4\], expected one; say which by alignment"):
        load_libffm_model(path, [0])
    np.testing.assert_array_equal(load_libffm_model(path, [0], alignment=1).V, [[[0.5, 3, 5, 7]]])
    np.testing.assert_array_equal(load_libffm_model(path, [0], alignment=4).V, [[[0.5, 2, 3, 4]]])


def test_sums_below_one_are_no_model(tmp_path):
    path = tmp_path / "model"
    path.write_bytes(libffm_bytes(1, 1, 4, [0.5] * 8))
    with pytest.raises(ValueError, match=r"fits alignments \[\], expected one"):
        load_libffm_model(path, [0])


def test_the_last_feature_may_be_what_tells(tmp_path):
    n_features = 200_000  # 6 MB, more than is read at a time
    values = np.tile(np.float32([0.5, 2, 3, 4, 5, 6, 7, 8]), (n_features, 1))  # fits both
    values[-1] = [1, 0, 0, 0, 1, 1, 1, 1]
    path = tmp_path / "model"
    path.write_bytes(libffm_bytes(n_features, 1, 4, values))
    V = load_libffm_model(path, np.zeros(n_features, int)).V
    np.testing.assert_array_equal(V[:, 0], values[:, :4])
