"""FM and FFM as values: repr, copies, equality, pickling, random models."""

import copy
import pickle

import numpy as np
import pytest
import scipy.sparse as sp

from fastfm_c import FFM, FM, load, save
from fastfm_c.serving import quantize

X4 = sp.csr_array([[1.0, 2.0, 0.0, 0.5], [0.0, 1.0, 1.0, 0.0]])
FIELDS = [0, 1, 1, 2]


# --------------------------------------------------------------- copies, equality, pickling


def test_repr():
    assert repr(FM.random(4, 5)) == "FM(n_features=4, n_factors=5, dtype=float32)"
    assert repr(FM.random(4, 5, n_outputs=3, dtype="float64")) == (
        "FM(n_features=4, n_factors=5, n_outputs=3, dtype=float64)"
    )
    assert repr(FFM.random(FIELDS, 5)) == "FFM(n_features=4, n_fields=3, n_factors=5, dtype=float32)"


@pytest.mark.parametrize(
    "make", [lambda m: m.copy(), copy.copy, copy.deepcopy, lambda m: pickle.loads(pickle.dumps(m))]
)
def test_copies_are_equal_and_independent(model, make):
    if make is copy.copy:  # shares, as Python's shallow copies do
        assert copy.copy(model) == model
        return
    other = make(model)
    assert type(other) is type(model)
    assert other == model
    assert other.dtype == model.dtype
    np.testing.assert_array_equal(other.predict(X4), model.predict(X4))
    for name in ("w", "V"):
        changed = make(model)
        getattr(changed, name)[...] += 1
        assert changed != model
    changed = make(model)
    changed.w0 = np.asarray(model.w0, model.dtype) + 1
    assert changed != model


class OwnFM(FM):
    """A user's own."""


class OwnFFM(FFM):
    """A user's own."""


def test_metadata_are_kept(model, tmp_path):
    assert model.copy().metadata == {}
    model = model.copy()
    model.metadata["made by"] = "the job of Monday"
    save(model, tmp_path / "model")
    for other in (
        model.copy(),
        copy.deepcopy(model),
        pickle.loads(pickle.dumps(model)),
        load(tmp_path / "model"),
    ):
        assert other == model
        assert other.metadata == {"made by": "the job of Monday"}
        assert other.metadata is not model.metadata
    model.metadata = {}
    assert model.copy().metadata == {}


def test_small_models_keep_metadata(tmp_path):
    model = FM.random(4, 2, rng=0)
    model.metadata = {"link": "probit"}
    small = quantize(model, "int8")
    save(small, tmp_path / "small")
    for other in (
        small,
        small.copy(),
        pickle.loads(pickle.dumps(small)),
        load(tmp_path / "small"),
        small.full(),
    ):
        assert other.metadata == {"link": "probit"}


def test_metadata_are_words():
    model = FM.random(4, 2)
    for wrong in ({"rows": 3}, {3: "rows"}):
        with pytest.raises(ValueError, match="metadata holds 3, expected str to str"):
            model.metadata = wrong
    model.metadata["rows"] = 3
    with pytest.raises(ValueError, match="metadata holds 3"):
        save(model, "never-written")


@pytest.mark.parametrize("own", [OwnFM.random(4, 2, rng=0), OwnFFM.random(FIELDS, 2, rng=0)], ids=repr)
def test_random_models_and_copies_keep_a_subclass(own):
    base = type(own).__base__
    for other in (own, own.copy(), copy.deepcopy(own), pickle.loads(pickle.dumps(own))):
        assert type(other) is type(own)
        assert repr(other).startswith(f"Own{base.__name__}(")
        assert other == own
        assert other != base(*own.__reduce__()[1])


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_pickling_keeps_every_bit(model, protocol):
    model.V[..., 0, 0] = np.finfo(model.dtype).smallest_subnormal
    model.w0 = np.asarray(model.w0, model.dtype) / 3
    other = pickle.loads(pickle.dumps(model, protocol))
    assert other == model
    for name in ("w0", "w", "V"):
        assert np.asarray(getattr(other, name)).tobytes() == np.asarray(getattr(model, name)).tobytes()


def test_equality():
    fm = FM.random(4, 5, rng=0)
    assert fm == fm.copy()
    assert fm != FM.random(4, 5, rng=1)
    assert fm != FM.random(4, 6, rng=0)
    assert fm != FM(fm.w0, fm.w.astype(float), fm.V.astype(float))
    assert fm != "FM"
    assert fm != None  # noqa: E711
    flat = FFM(0, np.zeros(4), np.zeros((4, 3, 2)), FIELDS)
    assert flat != FFM(0, np.zeros(4), np.zeros((4, 3, 2)), [0, 1, 1, 1])
    assert flat == FFM(0, np.zeros(4), np.zeros((4, 3, 2)), FIELDS)
    assert FM(0, [0], np.zeros((1, 1))) != FM([0], [[0]], np.zeros((1, 1, 1)))


def test_a_mutable_object_has_no_hash():
    with pytest.raises(TypeError):
        hash(FM.random(1, 1))


# ------------------------------------------------------------------------------------ random


@pytest.mark.parametrize("dtype", ["float32", "float64", np.float32, np.dtype("float64")])
def test_random(dtype):
    fm = FM.random(2000, 50, init_stdev=0.5, dtype=dtype, rng=0)
    assert fm.dtype == dtype
    assert fm.w0 == 0
    assert not fm.w.any()
    # Of 100,000 normal numbers: four standard errors are 0.0063 and 0.0045.
    assert abs(fm.V.mean()) < 0.0063
    assert abs(fm.V.std() - 0.5) < 0.0045
    assert FM.random(2000, 50).V.std() < 0.0101  # the default is 0.01


def test_random_fields():
    ffm = FFM.random([3, 0, 0], 2, n_outputs=2, init_stdev=1, rng=0)
    assert ffm.V.shape == (2, 3, 4, 2)
    assert ffm.fields.tolist() == [3, 0, 0]
    assert FFM.random(np.zeros(0, int), 2).V.shape == (0, 1, 2)


def test_random_generators():
    def same(rng):
        return FM.random(4, 5, rng=rng)

    seed = 7
    expected = same(seed)
    assert same(np.int64(seed)) == expected
    assert same(np.random.default_rng(seed)) == expected
    assert same(np.random.SeedSequence(seed)) == expected
    assert same(np.random.PCG64(seed)) == expected
    assert same(8) != expected
    assert same(None) != same(None)
    generator = np.random.default_rng(seed)
    assert same(generator) == expected
    assert same(generator) != expected


def test_random_with_outputs():
    assert FM.random(4, 5).V.shape == (4, 5)
    assert FM.random(4, 5, n_outputs=1).V.shape == (4, 5)
    many = FM.random(4, 5, n_outputs=2, init_stdev=1, rng=0)
    assert (many.w0.shape, many.w.shape, many.V.shape) == ((2,), (2, 4), (2, 4, 5))
    assert not np.array_equal(many.V[0], many.V[1])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"init_stdev": -1}, "init_stdev must be finite and >= 0"),
        ({"init_stdev": np.nan}, "init_stdev must be finite and >= 0"),
        ({"init_stdev": np.inf}, "init_stdev must be finite and >= 0"),
        ({"dtype": "float16"}, "dtype must be float32 or float64"),
        ({"dtype": int}, "dtype must be float32 or float64"),
        ({"n_outputs": 0}, "n_outputs must be a positive integer"),
        ({"n_outputs": 1.5}, "n_outputs must be a positive integer"),
    ],
)
def test_random_refuses(options, message):
    with pytest.raises(ValueError, match=message):
        FM.random(4, 5, **options)
    with pytest.raises(ValueError, match=message):
        FFM.random(FIELDS, 5, **options)


def test_random_refuses_sizes():
    for bad in (0, -1, 2.5, "3", None):
        with pytest.raises(ValueError, match="n_factors must be a positive integer"):
            FM.random(4, bad)
        with pytest.raises(ValueError, match="n_factors must be a positive integer"):
            FFM.random(FIELDS, bad)
    for bad in (-1, 2.5, "3", None):
        with pytest.raises(ValueError, match="n_features"):
            FM.random(bad, 3)
    assert FM.random(0, 3).n_features == 0
    for bad in ([-1], [0.5], [[0]], ["a"]):
        with pytest.raises(ValueError, match="fields"):
            FFM.random(bad, 3)
    with pytest.raises(TypeError):
        FM.random(4, 5, 3)
