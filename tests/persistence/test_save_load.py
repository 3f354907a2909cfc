"""save and load: every kind of object comes back as it was."""

import json
import os

import numpy as np
import pytest
import scipy.sparse as sp
from helpers.solvers import RULES, bits, make_problem
from helpers.states import again
from helpers.strategies import models
from helpers.subprocesses import output_of
from hypothesis import given
from hypothesis import strategies as st

import fastfm_c
from fastfm_c import FFM, FM, FTRL, SGD, AdaGrad, Adam, LogisticLoss, SoftmaxLoss, SquaredLoss, load, save
from fastfm_c.persistence._safetensors import read

MMAP = pytest.mark.parametrize("mmap", [True, False])
BITS = [np.random.PCG64, np.random.PCG64DXSM, np.random.MT19937, np.random.Philox, np.random.SFC64]


# ------------------------------------------------------------------------------------------ models


def test_a_model_by_hand(path):
    save(FM(0.5, [1.0, 2.0], np.array([[3.0], [4.0]], "float32")), path)
    data = path.read_bytes()
    end = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:end])
    assert end % 64 == 0
    assert header["V"] == {"dtype": "F32", "shape": [2, 1], "data_offsets": [0, 8]}
    assert header["w"] == {"dtype": "F32", "shape": [2], "data_offsets": [64, 72]}
    assert header["w0"] == {"dtype": "F32", "shape": [], "data_offsets": [128, 132]}
    assert np.frombuffer(data[end : end + 8], "<f4").tolist() == [3, 4]
    assert np.frombuffer(data[end + 64 : end + 72], "<f4").tolist() == [1, 2]
    assert np.frombuffer(data[end + 128 :], "<f4").tolist() == [0.5]
    assert header["__metadata__"] == {
        "format": "fastfm_c",
        "schema_version": "1",
        "library_version": fastfm_c.__version__,
        "object": '{"kind": "FM"}',
    }


@given(model=st.integers(0, 30).flatmap(models), mmap=st.booleans())
def test_models_come_back(tmp_path_factory, model, mmap):
    path = tmp_path_factory.getbasetemp() / "model"
    other = again(model, path, mmap)
    if os.name != "nt":  # which keeps files that are mapped
        path.unlink()
    assert type(other) is type(model)
    assert other == model
    assert bits(other) == bits(model)
    assert other.w.flags.writeable == other.V.flags.writeable == (not mmap)
    X = sp.csr_array(np.eye(3, model.n_features, dtype="float32"))
    assert np.array_equal(other.predict(X), model.predict(X))


def test_a_mapped_model_is_the_file(path):
    V = np.random.default_rng(0).standard_normal((1000, 3)).astype("float32")
    save(FFM(0.0, np.ones(1000), V.reshape(1000, 1, 3), np.zeros(1000, int)), path)
    mapped = load(path)
    # One mapping, in which w follows V.
    assert mapped.w.ctypes.data - mapped.V.ctypes.data == -(-V.nbytes // 64) * 64
    with open(path, "r+b") as file:  # never do that: here it shows that no copy is in between
        file.seek(8 + int.from_bytes(file.read(8), "little"))
        file.write(np.float32(7).tobytes())
    assert mapped.V[0, 0, 0] == 7
    assert mapped.predict_row([0], [1.0]) == 1


def test_awkward_arrays(path):
    rng = np.random.default_rng(0)
    V = rng.standard_normal((2, 5)).astype(">f8")
    model = FM(np.float16(0.5), rng.standard_normal(10)[::2], V.T)
    other = again(model, path.with_name("other"))  # Windows replaces no file that is mapped
    assert other == model
    assert other.dtype == np.float64
    assert again(FM([0.5], [[1.0]], np.ones((1, 1, 1))), path) == FM([0.5], [[1.0]], np.ones((1, 1, 1)))
    assert again(FM(0, [], np.zeros((0, 3))), path).V.shape == (0, 3)
    assert again(FM(np.nan, [np.inf], np.ones((1, 1))), path).w[0] == np.inf


def test_training_a_mapped_model_says_what_to_do(path):
    fm = again(FM.random(4, 2), path)
    with pytest.raises(ValueError, match=r"model.w is read-only: train a model.copy\(\)"):
        SGD(fm, SquaredLoss())
    SGD(fm.copy(), SquaredLoss()).partial_fit(np.eye(4), np.ones(4))


def test_normalize_is_kept(path):
    for normalize in (None, "instance", "xlearn"):
        model = FM(0, [1], np.ones((1, 1)), normalize=normalize)
        assert again(model, path, mmap=False).normalize == normalize
        assert ("normalize" in read(path, False)[1]["object"]) == (normalize is not None)


# ------------------------------------------------------------------------------- losses and solvers


@pytest.mark.parametrize("loss", [SquaredLoss(), LogisticLoss(), LogisticLoss(0.1), SoftmaxLoss(0.2)])
def test_losses(path, loss):
    assert again(loss, path) == loss


@MMAP
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_solvers_go_on_to_the_same_bits(path, rule, dtype, mmap):
    create, _, options = RULES[rule]
    n_outputs = 3 if rule == "adam" else 1
    n_fields = 4 if rule == "ftrl" else 0
    X, y, weight, model, loss, _ = make_problem(3, dtype=dtype, n_outputs=n_outputs, n_fields=n_fields)
    X.data *= 5  # so that there is a scale
    solver = create(model, loss, shuffle=True, batch_size=7, rng=4, l2_factors=0.01, **options)
    solver.partial_fit(X, y, weight)
    other = again(solver, path, mmap)
    assert repr(other) == repr(solver)
    assert (other.n_steps, other.n_epochs, other.nbytes) == (solver.n_steps, 1, solver.nbytes)
    for _ in range(2):
        assert other.partial_fit(X, y, weight) == solver.partial_fit(X, y, weight)
    assert bits(other.model) == bits(solver.model)


@pytest.mark.parametrize("create", BITS)
def test_random_numbers_go_on(path, create):
    """The order of the rows comes from them, and in batches of one row it decides about all bits."""
    rng = np.random.Generator(create(5))
    rng.integers(0, 9, 7, dtype=np.int32)  # an odd number of halves
    model = FM.random(3, 2, rng=0)
    solver = AdaGrad(model, SquaredLoss(), shuffle=True, batch_size=1, rng=rng)
    other = again(solver, path)
    X, y = sp.csr_array(np.random.default_rng(0).standard_normal((50, 3))), np.arange(50) % 3
    for _ in range(2):
        assert other.partial_fit(X, y) == solver.partial_fit(X, y)
    assert bits(other.model) == bits(model)


def test_options_come_back(path):
    solver = Adam(
        FM.random(3, 1), SquaredLoss(), beta1=0.5, epsilon=np.float64(0.1), clip_value=2, shuffle=True
    )
    assert repr(again(solver, path)) == repr(solver)
    solver = FTRL(FM.random(3, 1), SquaredLoss(), l1_factors=1, num_threads=2)
    assert repr(again(solver, path)) == repr(solver)


# -------------------------------------------------------------------------------------- dictionaries


@MMAP
@pytest.mark.parametrize("order", [1, -1])
def test_a_model_that_occurs_twice_stays_one(path, mmap, order):
    model, apart = FM.random(4, 2, rng=0), FM.random(4, 2, rng=1)
    solver = SGD(model, SquaredLoss())
    objects = dict([*{"solver": solver, "model": model, "apart": apart}.items()][::order])
    other = again(objects, path, mmap)
    assert [*other] == [*objects]
    assert other["solver"].model is other["model"]
    assert other["model"] == model
    assert other["apart"] == apart
    assert other["apart"].V.flags.writeable == (not mmap)
    solver.partial_fit(np.eye(4), np.ones(4))
    other["solver"].partial_fit(np.eye(4), np.ones(4))
    assert other["model"] == model


def test_an_empty_dict(path):
    assert again({}, path) == {}


@pytest.mark.parametrize("key", ["a.b", "", 1, "__a", "a b", None])
def test_keys_must_be_names(path, key):
    with pytest.raises(ValueError, match=r"obj has the key .*, expected a string that can name a variable"):
        save({key: SquaredLoss()}, path)


# -------------------------------------------------------------------------------------------- errors


@pytest.mark.parametrize("obj", [None, 3, "FM", np.ones(3), FM, [FM.random(1, 1)], type("FM", (), {})()])
def test_other_objects_are_refused(path, obj):
    with pytest.raises(ValueError, match=r"obj is a .*; can save FM, FFM, "):
        save(obj, path)
    with pytest.raises(ValueError, match=r"obj is a .*; can save FM, FFM, "):
        save({"a": {"b": obj}}, path)
    assert not path.exists()


def test_a_subclass_is_refused(path):
    class Mine(FM):
        pass

    with pytest.raises(ValueError, match="Mine; can save"):
        save(Mine(0, [1], np.ones((1, 1))), path)


def test_paths(tmp_path, monkeypatch):
    model = FM.random(2, 1)
    monkeypatch.chdir(tmp_path)
    save(model, "name.any")
    assert load("name.any") == load(tmp_path / "name.any") == model
    for bad in (3, None):
        with pytest.raises(TypeError):
            save(model, bad)
        with pytest.raises(TypeError):
            load(bad)
    with pytest.raises(FileNotFoundError):
        load("absent")
    with pytest.raises(FileNotFoundError):
        save(model, "absent/name")
    with pytest.raises(OSError, match=r"irectory|ermission"):
        load(tmp_path)


def test_no_optional_import_and_no_pickle(path):
    program = """
import sys, fastfm_c
fm = fastfm_c.FM.random(3, 2)
fastfm_c.save({"model": fm, "solver": fastfm_c.SGD(fm, fastfm_c.SquaredLoss())}, sys.argv[1])
class NoPickle:
    def find_spec(self, name, path=None, target=None):
        assert name not in ("pickle", "cloudpickle", "joblib", "sklearn"), name
sys.meta_path.insert(0, NoPickle())
sys.modules.pop("pickle", None), sys.modules.pop("_pickle", None)
assert fastfm_c.load(sys.argv[1])["model"] == fm
print({"sklearn", "pandas", "pickle", "scipy.optimize", "safetensors"} & set(sys.modules))
"""
    assert output_of(program, path).strip() == "set()"


@pytest.mark.parametrize(
    ("make", "modules"),
    [
        ("fastfm_c.FM.random(3, 2)", ["models._state"]),
        ("fastfm_c.SquaredLoss()", ["models._state"]),
        (
            "fastfm_c.SGD(fastfm_c.FM.random(3, 2), fastfm_c.SquaredLoss())",
            ["models._state", "solvers._state"],
        ),
        ("fastfm_c.FieldEncoder().fit([{'a': 1}])", ["encoding._state"]),
    ],
)
def test_a_file_imports_what_it_needs(path, make, modules):
    output_of(f"import sys, fastfm_c; fastfm_c.save({make}, sys.argv[1])", path)
    program = """
import sys, fastfm_c
assert not [name for name in sys.modules if name.endswith("_state")]
fastfm_c.load(sys.argv[1])
print(*sorted(name.removeprefix("fastfm_c.") for name in sys.modules if name.endswith("_state")))
"""
    assert output_of(program, path).split() == modules
