"""Arrays that joblib maps: a model for predictions shares them, a solver has its own memory to write to."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from helpers.solvers import RULES, bits, make_problem

pytest.importorskip("sklearn")

from fastfm_c import FFM, FM, SGD, AdaGrad, LogisticLoss, SquaredLoss
from fastfm_c.sklearn import FFMClassifier, FMRegressor

joblib = pytest.importorskip("joblib")
SIZE = 16  # features of 4 factors of 4 bytes: w begins a cache line where V does


class MappingPickler(pickle.Pickler):
    """Arrays in files beside the pickle, as joblib does it, but at any distance from a cache line."""

    def __init__(self, file, folder, offset):
        super().__init__(file)
        self._folder, self._offset = folder, offset

    def reducer_override(self, obj):
        if type(obj) is np.ndarray and obj.dtype.kind == "f":
            name = self._folder / f"{len([*self._folder.iterdir()])}.bin"
            name.write_bytes(bytes(self._offset) + obj.tobytes())
            return np.memmap, (name, obj.dtype, "r", self._offset, obj.shape)
        return NotImplemented


def again(obj, folder, offset):
    """Unpickled with all float arrays mapped."""
    with open(folder / "object", "wb") as file:
        MappingPickler(file, folder, offset).dump(obj)
    return pickle.loads((folder / "object").read_bytes())


offsets = pytest.mark.parametrize("offset", [0, 4, 32])


@offsets
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize(("n_outputs", "n_fields"), [(1, 0), (3, 0), (1, 4), (3, 4)])
def test_a_mapped_solver_goes_on(tmp_path, rule, offset, n_outputs, n_fields):
    create, _, options = RULES[rule]
    X, y, weight, model, loss, _ = make_problem(3, dtype="float32", n_outputs=n_outputs, n_fields=n_fields)
    X.data *= 5  # so that there is a scale
    solver = create(model, loss, shuffle=True, batch_size=7, rng=4, **options)
    solver.partial_fit(X, y, weight)
    other = again({"model": model, "solver": solver}, tmp_path, offset)
    assert other["solver"].model is other["model"]
    assert other["solver"].nbytes == solver.nbytes
    assert repr(other["solver"]) == repr(solver)
    for _ in range(2):
        assert other["solver"].partial_fit(X, y, weight) == solver.partial_fit(X, y, weight)
    assert bits(other["model"]) == bits(model)


@offsets
@pytest.mark.parametrize("create", [FMRegressor, FFMClassifier])
def test_a_mapped_estimator_goes_on(tmp_path, create, offset):
    X, y = sp.csr_array(np.eye(SIZE, dtype="float32")), np.arange(SIZE) % 2
    fields = {"fields": np.arange(SIZE) % 3} if create is FFMClassifier else {}
    estimator = create(**fields, n_factors=4, random_state=0)
    estimator.partial_fit(X, y, **({"classes": [0, 1]} if fields else {}))
    other = again(estimator, tmp_path, offset)
    assert other.solver_.model is other.model_
    for each in (estimator, other):
        each.partial_fit(X, y)
    assert bits(other.model_) == bits(estimator.model_)


def test_a_mapped_model_is_shared(tmp_path):
    model = FM.random(SIZE, 4, rng=0)
    mapped = again(model, tmp_path, 0)
    assert mapped == model
    assert not mapped.V.flags.writeable  # as no copy is
    with pytest.raises(ValueError, match=r"model\.w is read-only"):
        SGD(mapped, SquaredLoss())


@pytest.mark.parametrize("mode", ["r", "c"])
def test_joblib_itself(tmp_path, mode):
    model = FFM.random(np.arange(1000) % 3, 4, rng=0)
    solver = AdaGrad(model, LogisticLoss())
    X, y = sp.csr_array(np.eye(1000, dtype="float32")), np.arange(1000) % 2
    solver.partial_fit(X, y)
    joblib.dump(solver, tmp_path / "solver")
    other = joblib.load(tmp_path / "solver", mmap_mode=mode)
    assert other.partial_fit(X, y) == solver.partial_fit(X, y)
    assert bits(other.model) == bits(model)
    again = joblib.load(tmp_path / "solver")
    assert again.n_epochs == 1
