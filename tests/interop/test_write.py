"""Models written in the formats of libffm, libFM and xLearn: byte by byte, and back to the same bits."""

import tracemalloc

import numpy as np
import pytest
from helpers import foreign
from helpers.strategies import REALS, SEEDS
from hypothesis import given
from hypothesis import strategies as st

from fastfm_c import FFM, FM, interop

COUNTS = st.integers(1, 9)


def awkward(rng, shape, dtype):
    """Numbers of every size that dtype has, zeros of both signs among them."""
    bits = rng.integers(0, 256, (*shape, np.dtype(dtype).itemsize), np.uint8)
    numbers = bits.view(dtype).reshape(shape)
    zeros = np.where(rng.random(shape) < 0.5, -0.0, 0.0).astype(dtype)
    return np.where(np.isfinite(numbers) & (rng.random(shape) < 0.8), numbers, zeros)


@st.composite
def models(draw, kinds=("FM", "FFM")):
    rng, dtype = np.random.default_rng(draw(SEEDS)), draw(REALS)
    n_features, n_fields, n_factors = draw(COUNTS), draw(COUNTS), draw(COUNTS)
    w0, w = awkward(rng, (1,), dtype)[0], awkward(rng, (n_features,), dtype)
    if draw(st.sampled_from(kinds)) == "FM":
        normalize = draw(st.sampled_from([None, "xlearn"]))
        return FM(w0, w, awkward(rng, (n_features, n_factors), dtype), normalize=normalize)
    V = awkward(rng, (n_features, n_fields, n_factors), dtype)
    fields, normalize = rng.integers(0, n_fields, n_features), draw(st.sampled_from([None, "instance"]))
    return FFM(w0, w, V, fields, normalize=normalize)


def assert_same_bits(one, other):
    assert type(one) is type(other)
    assert (one.dtype, one.normalize) == (other.dtype, other.normalize)
    for name in ("w0", "w", "V"):
        a, b = np.asarray(getattr(one, name)), np.asarray(getattr(other, name))
        assert a.shape == b.shape
        assert a.tobytes() == b.tobytes(), name
    if isinstance(one, FFM):
        np.testing.assert_array_equal(one.fields, other.fields)


@given(model=models(["FFM"]), alignment=st.sampled_from([1, 4]))
def test_libffm_returns_every_bit(tmp_path_factory, model, alignment):
    path = tmp_path_factory.mktemp("m") / "model"
    with np.errstate(all="ignore"):
        V = model.V.astype(np.float32)
    V[~np.isfinite(V)] = 0
    V = V.astype(model.dtype)  # float64 that float32 holds
    plain = FFM(0.0, np.zeros(model.n_features), V, model.fields, normalize=model.normalize)
    interop.dump_libffm_model(plain, path, alignment=alignment)
    back = interop.load_libffm_model(path, plain.fields, alignment=alignment)
    single = FFM(0.0, plain.w, V.astype(np.float32), plain.fields, normalize=plain.normalize)
    assert_same_bits(back, single)


@given(model=models(["FM"]))
def test_libfm_returns_every_bit(tmp_path_factory, model):
    path = tmp_path_factory.mktemp("m") / "model"
    model.normalize = None
    interop.dump_libfm_model(model, path)
    assert_same_bits(interop.load_libfm_model(path, dtype=model.dtype), model)


@given(model=models())
def test_xlearn_returns_every_bit(tmp_path_factory, model):
    path = tmp_path_factory.mktemp("m") / "model"
    interop.dump_xlearn_model(model, path)
    fields = model.fields if isinstance(model, FFM) else None
    normalize = model.normalize is not None
    assert_same_bits(interop.load_xlearn_model(path, fields, normalize=normalize, dtype=model.dtype), model)


@pytest.mark.parametrize("name", [name for name in foreign.MODELS if name.startswith("libffm")])
def test_libffm_files_differ_in_their_sums_alone(name, tmp_path):
    interop.dump_libffm_model(foreign.load(name), tmp_path / "model", alignment=4 if "sse" in name else 1)
    ours, theirs = (tmp_path / "model").read_bytes(), foreign.path_of(name).read_bytes()
    assert ours[:13] == theirs[:13]
    ours, theirs = (np.frombuffer(content[13:], "<f4") for content in (ours, theirs))
    differ = ours != theirs
    assert (ours[differ] == 1).all()
    assert (theirs[differ] > 1).all()
    assert foreign.load(name, tmp_path / "model") == foreign.load(name)


@pytest.mark.parametrize("name", [name for name in foreign.MODELS if not name.startswith("libffm")])
def test_text_files_have_the_programs_lines(name, tmp_path):
    """Number by number: theirs have six digits, ours enough for every bit."""
    dump = interop.dump_libfm_model if name.startswith("libfm") else interop.dump_xlearn_model
    dump(foreign.load(name), tmp_path / "model")
    ours = (tmp_path / "model").read_text().splitlines()
    theirs = foreign.path_of(name).read_text().splitlines()
    if name == "libfm_no_bias":
        theirs = ["#global bias W0", "0", *theirs]
    if name == "libfm_no_linear":
        theirs[2:2] = ["#unary interactions Wj", *["0"] * 60]
    assert [rounded(line) for line in ours] == [rounded(line) for line in theirs]
    assert foreign.load(name, tmp_path / "model") == foreign.load(name)


def rounded(line):
    return [f"{float(t):.6g}" if t[-1].isdigit() and "W" not in t else t for t in line.split(" ")]


@pytest.mark.parametrize("program", ["libffm", "libfm", "xlearn"])
def test_large_models_in_memory(program, tmp_path):
    """Files of several pieces return every bit, and take the model and once more what it is made from."""
    fields = np.arange(50_000) % 2
    model = FM.random(50_000, 40, rng=0) if program == "libfm" else FFM.random(fields, 20, rng=0)
    if program != "libffm":
        model.w[:] = np.arange(50_000)
    model.normalize = None if program == "libfm" else "instance"
    getattr(interop, f"dump_{program}_model")(model, tmp_path / "model")
    tracemalloc.start()
    arguments = [] if program == "libfm" else [fields]
    loaded = getattr(interop, f"load_{program}_model")(tmp_path / "model", *arguments)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert_same_bits(loaded, model)
    # Beside them a piece: of the file, or of lines as Python holds them.
    assert peak < 2 * model.nbytes + (5 << 20)


def test_text_by_hand(tmp_path):
    path, V = tmp_path / "model", np.float32([[1, 0.25], [2, -4]])
    interop.dump_libfm_model(FM(0.5, [1, -2], V), path)
    text = "#global bias W0\n0.5\n#unary interactions Wj\n1\n-2\n#pairwise interactions Vj,f\n1 0.25\n2 -4\n"
    assert path.read_bytes() == text.encode()
    interop.dump_xlearn_model(FM(0.5, [1, -2], V), path)
    assert path.read_bytes() == b"bias: 0.5\ni_0: 1\ni_1: -2\nv_0: 1 0.25\nv_1: 2 -4\n"
    interop.dump_xlearn_model(FFM(0.5, [1], V[None], [0]), path)
    assert path.read_bytes() == b"bias: 0.5\ni_0: 1\nv_0_0: 1 0.25\nv_0_1: 2 -4\n"


FM_, FFM_ = FM.random(3, 2, rng=0), FFM.random([0, 1], 2, rng=0)


def changed(model, **changes):
    model = model.copy()
    for name, value in changes.items():
        if isinstance(value, tuple):
            getattr(model, name)[value[0]] = value[1]
        else:
            setattr(model, name, value)
    return model


@pytest.mark.parametrize(
    ("program", "model", "message"),
    [
        ("libffm", FM_, "model is FM, libffm holds FFM"),
        ("libfm", FFM_, "model is FFM, libFM holds FM"),
        ("xlearn", None, "model is NoneType, xLearn holds FM or FFM"),
        ("libffm", FFM.random([0, 1], 2, n_outputs=3), "model has 3 outputs, libffm holds one"),
        ("libfm", FM.random(2, 2, n_outputs=3), "model has 3 outputs, libFM holds one"),
        ("xlearn", FM.random(2, 2, n_outputs=3), "model has 3 outputs, xLearn holds one"),
        ("libfm", changed(FM_, normalize="instance"), "normalize is 'instance', libFM has None"),
        ("xlearn", changed(FM_, normalize="instance"), "is 'instance', xLearn has None or 'xlearn'"),
        ("libffm", changed(FFM_, w0=1.0), "a bias or linear weights other than 0"),
        ("libffm", changed(FFM_, w=(1, 0.5)), "a bias or linear weights other than 0"),
        ("libffm", changed(FFM_, V=((1, 0, 0), np.nan)), "model.V holds values that are not finite"),
        ("libfm", changed(FM_, w=(1, np.inf)), "model.w holds values that are not finite"),
        ("xlearn", changed(FM_, w0=-np.inf), "model.w0 holds values that are not finite"),
        ("libffm", FFM(0.0, [0], np.full((1, 1, 1), 1e39), [0]), "model.V holds values beyond float32"),
    ],
)
def test_models_that_a_format_cannot_hold(program, model, message, tmp_path):
    with pytest.raises(ValueError, match=message):
        getattr(interop, f"dump_{program}_model")(model, tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_alignment_of_writing(tmp_path):
    with pytest.raises(ValueError, match="alignment must be 1 or 4, got 8"):
        interop.dump_libffm_model(FFM_, tmp_path / "model", alignment=8)
