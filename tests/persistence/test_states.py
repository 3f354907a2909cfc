"""Files that are sound safetensors, but hold no sound object."""

import numpy as np
import pytest
from helpers.states import load_changed

from fastfm_c import FFM, FM, SGD, AdaGrad, Adam, LogisticLoss, SquaredLoss, load, save
from fastfm_c.persistence import _safetensors

BITS = {"MT": np.random.MT19937, "Philox": np.random.Philox, "PCG64": np.random.PCG64}


def solver(model=None, rng=0):
    solver = AdaGrad(model or FM.random(3, 2, rng=0), LogisticLoss(0.1), shuffle=True, rng=rng)
    solver.partial_fit(np.eye(3) * 2, [0, 1, 1])
    return solver


OBJECTS = {
    "fm": lambda: FM.random(3, 2, rng=0),
    "ffm": lambda: FFM.random([0, 1, 1], 2, rng=0),
    "solver": solver,
    "adam": lambda: Adam(FM.random(3, 2), SquaredLoss()),
    "dict": lambda: {"a": FM.random(1, 1, rng=0), "b": SquaredLoss()},
    **{name: lambda bits=bits: solver(rng=np.random.Generator(bits(0))) for name, bits in BITS.items()},
}


@pytest.fixture
def changed(tmp_path):
    """Saves an object of a name, changes what the file holds, and loads it."""
    return lambda name, change: load_changed(tmp_path / "file", OBJECTS[name](), change)


def at(*keys, value):
    """A change of one place of the state."""

    def change(state, **_):
        for key in keys[:-1]:
            state = state[key]
        state[keys[-1]] = value

    return change


def without(*keys):
    def change(state, **_):
        for key in keys[:-1]:
            state = state[key]
        del state[keys[-1]]

    return change


def tensor(name, value):
    return lambda tensors, **_: tensors.update({name: np.asarray(value)})


def no_tensor(name):
    return lambda tensors, **_: tensors.pop(name)


def metadata(**values):
    return lambda metadata, **_: metadata.update(values)


F = np.float32
RNG = ("rng", "state")
BROKEN = [
    ("fm", metadata(format="pt"), "not written by fastfm_c.save"),
    ("fm", lambda metadata, **_: metadata.pop("format"), "not written by fastfm_c.save"),
    ("fm", metadata(schema_version="2"), "schema version '2', this fastfm_c .* reads version 1"),
    ("fm", lambda metadata, **_: metadata.pop("schema_version"), "schema version None"),
    ("fm", lambda metadata, **_: metadata.pop("object"), "the metadata's object is not sound JSON"),
    (
        "fm",
        at("kind", value="Unknown"),
        "by fastfm_c '0.*kind 'Unknown' is unknown here, expected one of FM",
    ),
    ("fm", at("kind", value=["FM"]), r"kind is \['FM'\], expected str"),
    ("fm", without("kind"), "kind is None, expected str"),
    ("fm", at("kind", value="FFM"), "tensor 'fields' is absent"),
    ("fm", at("more", value=1), r"the FM '' has unknown members \['more'\]"),
    ("fm", at("trained", value=1), "trained is 1, expected bool"),
    ("fm", at("normalize", value=3), "normalize is 3, expected str"),
    ("fm", at("same_as", value=""), "there is no model ''"),
    ("fm", no_tensor("V"), "tensor 'V' is absent"),
    ("fm", tensor("more", [1]), r"tensors \['more'\] belong to nothing"),
    ("fm", tensor("V", np.ones((3, 2), np.int64)), "tensor 'V' is of dtype int64"),
    ("fm", tensor("V", np.ones((3, 2), np.float16)), "V has dtype float16|have dtypes float16"),
    ("fm", tensor("w", np.ones(3)), "V, w and w0 have dtypes float32, float64 and float32, expected one"),
    ("fm", tensor("w", np.ones(2, F)), r"w has shape \(2,\), expected \(3,\)"),
    ("fm", tensor("w0", np.ones(1, F)), r"w0 has shape \(1,\), expected \(\)"),
    ("fm", tensor("V", np.ones((3, 0), F)), "only the number of features may be 0"),
    ("fm", tensor("V", np.ones(3, F)), "V has 1 dimensions"),
    ("ffm", tensor("fields", [0, 1, 2]), r"fields\[2\] is 2, expected 0 <= field < 2"),
    ("ffm", tensor("fields", [0, -1, 1]), r"fields\[1\] is -1, expected 0 <= field < 2"),
    ("ffm", tensor("fields", [0, 1]), r"fields has shape \(2,\), expected \(3,\)"),
    ("ffm", tensor("fields", np.zeros(3)), "tensor 'fields' is of dtype float64"),
    ("solver", without("model"), "model is None, expected dict"),
    ("solver", at("model", "kind", value="SGD"), "kind 'SGD' is unknown here, expected one of FM, FFM"),
    ("solver", at("model", value={"same_as": "model."}), "there is no model 'model.' before 'model.'"),
    ("solver", at("loss", "kind", value="FM"), "expected one of SquaredLoss, LogisticLoss"),
    ("solver", at("loss", "label_smoothing", value=1.5), r"label_smoothing must be in \[0, 1\)"),
    ("solver", at("loss", "label_smoothing", value="a"), "label_smoothing is 'a', expected float"),
    ("solver", at("loss", "kind", value="SoftmaxLoss"), "SoftmaxLoss needs a model with several outputs"),
    ("solver", at("loss", "kind", value="SquaredLoss"), "takes .* argument"),
    ("solver", at("options", "learning_rate", value=-1), "learning_rate must be a finite number > 0, got -1"),
    ("solver", at("options", "learning_rate", value=10**400), "learning_rate must be a finite number"),
    ("solver", at("options", "learning_rate", value=None), "learning_rate must be a finite number > 0"),
    ("solver", at("options", "momentum", value=1), "unexpected keyword argument 'momentum'"),
    ("solver", at("options", "batch_size", value=0), "batch_size must be a positive integer, got 0"),
    ("solver", at("options", value=[]), r"options is \[\], expected dict"),
    ("solver", at("n_steps", value=-1), "n_steps and n_passes are -1 and 1, expected counts"),
    ("solver", at("n_passes", value=2**62), "n_steps and n_passes are .*, expected counts"),
    ("solver", at("n_steps", value=True), "n_steps is True, expected int"),
    ("solver", no_tensor("G.w"), "tensor 'G.w' is absent"),
    ("solver", tensor("G.w", np.ones(2, F)), r"state has shape \(2,\), expected \(3,\)"),
    ("solver", tensor("G.w", np.array([1, -1, 1], F)), "tensor 'G.w' holds numbers that no training makes"),
    ("solver", tensor("G.w0", np.array([np.nan], F)), "tensor 'G.w0' holds numbers that no training makes"),
    ("solver", tensor("scale", np.array([1, np.inf, 1], F)), "tensor 'scale' holds numbers"),
    ("solver", tensor("scale", np.array([1, 0, 1], F)), "tensor 'scale' holds numbers"),
    ("solver", tensor("scale", np.ones(4, F)), r"scale has shape \(4,\), expected \(3,\)"),
    ("adam", tensor("v.V", -np.ones((3, 2), F)), "tensor 'v.V' holds numbers that no training makes"),
    ("solver", without("rng"), "the random numbers come from None, expected one of"),
    ("solver", at("rng", value=7), "the random numbers come from None, expected one of"),
    ("solver", at("rng", "bit_generator", value="RDRAND"), "come from 'RDRAND', expected one of"),
    ("solver", at("rng", "bit_generator", value="MT19937"), "the random numbers has"),
    ("solver", without("rng", "uinteger"), "the random numbers has rng"),
    ("solver", at("rng", "has_uint32", value=2), "has has_uint32 2, which no generator has"),
    ("solver", at("rng", "uinteger", value=2**32), "has uinteger 4294967296, which no"),
    ("solver", at(*RNG, "state", value=2**128), "the random numbers has state"),
    ("solver", at(*RNG, "state", value=-1), "has state -1, which no generator has"),
    ("solver", at(*RNG, "inc", value=2), "has inc 2, which no generator has"),
    ("MT", at(*RNG, "pos", value=625), "has pos 625, which no generator has"),
    ("MT", at(*RNG, "pos", value=-1), "has pos -1, which no generator has"),
    ("MT", at(*RNG, "key", value=[1] * 623), "the random numbers has key"),
    ("MT", at(*RNG, "key", value=[2**32] * 624), "the random numbers has key"),
    ("MT", at(*RNG, "key", value=[0.5] * 624), "the random numbers has key"),
    ("Philox", at("rng", "buffer_pos", value=5), "has buffer_pos 5, which no generator has"),
    ("Philox", at("rng", "buffer_pos", value=-1), "has buffer_pos -1, which no generator has"),
    ("Philox", at("rng", "buffer", value=[1, 2, 3]), "the random numbers has buffer"),
    ("dict", at("items", value=[]), r"items is \[\], expected dict"),
    ("dict", at("more", value=1), r"the dict has unknown members \['kind', 'more'\]"),
    ("dict", at("items", "a", value=1), "the state of 'a.' is 1, expected an object"),
    ("dict", at("items", "a", value={"kind": "dict", "items": {}}), "kind 'dict' is unknown here"),
    ("dict", at("items", "b", value={"same_as": "b."}), "there is no model 'b.' before 'b.'"),
    ("dict", at("items", "b", value={"same_as": "a.", "kind": "FM"}), "there is no model 'a.' before"),
    ("dict", at("items", value={"c": {"kind": "FM"}}), "tensor 'c.V' is absent"),
]


@pytest.mark.parametrize(("name", "change", "message"), BROKEN, ids=[message for _, _, message in BROKEN])
def test_no_object(changed, name, change, message):
    with pytest.raises(ValueError, match=message):
        changed(name, change)


@pytest.mark.parametrize("name", OBJECTS)
def test_the_unchanged_files_load(changed, name):
    assert type(changed(name, lambda **_: None)) is type(OBJECTS[name]())


def test_a_solver_of_a_model_that_is_not_marked_trained(changed):
    loaded = changed("solver", without("model", "trained"))
    assert loaded.partial_fit(np.eye(3), [0, 1, 1]) == solver().partial_fit(np.eye(3), [0, 1, 1])


@pytest.mark.parametrize("text", ["", "1", "null", "[]", '"FM"', '{"kind": "FM", "kind": "FM"}', "[" * 10**5])
def test_no_state(tmp_path, text):
    metadata = {"format": "fastfm_c", "schema_version": "1", "object": text}
    with open(tmp_path / "file", "wb") as file:
        _safetensors.write(file, {}, metadata)
    with pytest.raises(ValueError, match=r"file \(written by fastfm_c None\): "):
        load(tmp_path / "file")


def test_a_bit_generator_of_somebody_else(tmp_path):
    class Mine(np.random.PCG64):
        state = property(lambda self: {"bit_generator": "Mine"})

    own = SGD(FM.random(1, 1), SquaredLoss(), rng=np.random.Generator(Mine()))
    with pytest.raises(ValueError, match="the random numbers come from Mine, unknown to NumPy"):
        save(own, tmp_path / "file")
