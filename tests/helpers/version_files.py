"""Writes the files of the present schema version, which stay in tests/data for good.

    python tests/helpers/version_files.py

Run it once for each new version, from an installation of it; persistence/test_versions.py reads them all.
"""

from pathlib import Path

import numpy as np

from fastfm_c import (
    FFM,
    FM,
    FTRL,
    AdaGrad,
    Adam,
    FieldEncoder,
    LogisticLoss,
    SoftmaxLoss,
    SquaredLoss,
    save,
)
from fastfm_c.encoding import Categorical, Hashed, MultiCategorical, Numeric
from fastfm_c.persistence._files import _SCHEMA_VERSION
from fastfm_c.sklearn import FFMRegressor, FMClassifier

DATA = Path(__file__).parents[1] / "data"
X, Y = np.array([[1.0, 0.0, 2.0], [0.0, 1.0, 0.0], [0.5, 0.0, 1.0]]), np.array([0, 1, 1])


def fm():
    return FM(0.5, [1.0, 2.0, 3.0], np.array([[1, 2], [3, 4], [5, 6]], "float32"))


def ffm():
    return FFM([0.5, 1.5], np.ones((2, 3)), np.arange(24.0).reshape(2, 3, 2, 2), [1, 0, 1])


def adagrad():
    solver = AdaGrad(fm(), SquaredLoss(), learning_rate=0.25, clip_value=2.0, shuffle=True, rng=0)
    solver.partial_fit(X, Y)
    return solver


def several():
    model = fm()
    solver = Adam(model, LogisticLoss(0.25), rng=np.random.Generator(np.random.MT19937(0)))
    rng = np.random.Generator(np.random.Philox(0))
    return {"model": model, "solver": solver, "ftrl": FTRL(ffm(), SoftmaxLoss(), l1_factors=0.5, rng=rng)}


def classifier():
    """With what a stream of the first version learned: later ones learn in other units."""
    estimator = FMClassifier(n_factors=2, class_weight={"no": 2.0}, random_state=np.random.RandomState(0))
    estimator.partial_fit(X, np.array(["no", "yes"], object)[Y], ["no", "yes"])
    model, solver = estimator.model_, estimator.solver_
    model.w0 = np.float32(-9.186753e-07)
    model.w = np.array([-0.0300004464, 0.0223606806, -0.0150002232], np.float32)
    V = [[0.0026963537, -0.003883194], [0.0020094041, 0.0027958092], [-0.0024672926, -0.005057183]]
    model.V = np.array(V, np.float32)
    state = solver.state_arrays
    state["G.w0"][...] = 1.0
    state["G.w"][:] = [1.562526, 1.25, 1.562526]
    state["G.V"][:] = [[1.0000179, 1.0000813], [1.0, 1.0], [1.0000048, 1.0000144]]
    solver._set_scale(np.array([1.0, 1.0, 2.0], np.float32))
    estimator.history_.loss = [0.6931543258811381]
    return estimator


def regressor():
    """With what a fit of the first version learned: later ones learn in other units."""
    estimator = FFMRegressor(n_factors=1, fields=[0, 1, 1], max_iter=2, random_state=0).fit(X, 100.0 * Y)
    model = estimator.model_
    model.w0 = np.float32(66.8875961)
    model.w = np.array([-3.52298546, 2.77051067, -1.76149321], np.float32)
    V = [0.0198817421, -0.0313531831, 0.0160752404, 0.0223664623, -0.0178203788, -0.0412159115]
    model.V = np.array(V, np.float32).reshape(3, 2, 1)
    estimator.history_.loss = [1111.137051, 1032.637438]
    return estimator


ROWS = [
    {"site": "a", "tags": ["x", "y"], "age": 30, "ip": "10.0.0.1", "size": 1.5},
    {"site": None, "tags": [], "age": 45, "ip": "10.0.0.2", "size": 2.5},
    {"site": "b", "tags": ["y"], "age": 61, "ip": None, "size": None},
]


def encoder():
    types = {"site": Categorical(missing="own"), "tags": MultiCategorical(), "age": Numeric(bins=2)}
    return FieldEncoder(types | {"ip": Hashed(n_bits=3), "size": "numeric"}).fit(ROWS)


OBJECTS = {"fm": fm, "ffm": ffm, "adagrad": adagrad, "dict": several, "classifier": classifier}
OBJECTS |= {"regressor": regressor, "encoder": encoder}


if __name__ == "__main__":
    DATA.mkdir(exist_ok=True)
    for name, make in OBJECTS.items():
        save(make(), DATA / f"v{_SCHEMA_VERSION}_{name}.safetensors")
