"""Files of Pipelines that somebody has changed: each is a ValueError, or an object of a known class."""

import json
import random

import numpy as np
import pytest

pytest.importorskip("sklearn")

from helpers.states import load_changed
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import make_column_transformer
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, OneHotEncoder, StandardScaler

from fastfm_c.persistence._registry import KINDS
from fastfm_c.sklearn import FMClassifier

X, Y = np.array([[0, 1.5, np.nan], [1, 0.5, 2.0], [2, 1.0, 3.0], [0, 2.5, 1.0]] * 3), [0, 1] * 6
CALLS = {"call": "os.system"}, {"object": {"kind": "Popen", "args": "id"}}, {"type": "builtins.eval"}
VALUES = [
    None,
    True,
    0,
    -1,
    10**30,
    0.5,
    "",
    "tensor",
    "sklearn",
    [],
    {},
    {"tuple": []},
    {"dict": []},
    *CALLS,
]
VALUES += [{"array": "numbers"}, {"array": "object"}, {"float": "nan"}, {"slice": [0, 1, None]}]


@pytest.fixture(scope="module")
def fitted():
    columns = make_column_transformer(
        (OneHotEncoder(handle_unknown="ignore"), [0]),
        (make_pipeline(SimpleImputer(), StandardScaler()), slice(1, 3)),
        (MinMaxScaler(), [1]),
        ("passthrough", [1]),
    )
    pipe = make_pipeline(columns, FMClassifier(n_factors=1, max_iter=1, random_state=0))
    return CalibratedClassifierCV(pipe, cv=2, method="isotonic").fit(X, Y)


def places(value):
    """Every place in a JSON value where there is another value, as the container and the key."""
    items = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in items:
        yield value, key
        yield from places(part)


def types_in(obj, seen):
    """The classes of an object and of what it consists of."""
    if id(obj) in seen:
        return
    seen[id(obj)] = type(obj)
    parts = list(obj) if isinstance(obj, list | tuple) else obj.values() if isinstance(obj, dict) else ()
    for part in [*parts, *getattr(obj, "__dict__", {}).values()]:
        types_in(part, seen)


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.InconsistentVersionWarning")
@pytest.mark.parametrize("seed", range(2))
def test_a_changed_pipeline_is_a_value_error_or_holds_known_classes_alone(path, fitted, seed):
    rng, n_errors = random.Random(seed), 0

    def change(state, tensors, **_):
        for _ in range(rng.choice([1, 1, 3])):
            container, key = rng.choice([*places(state)])
            container[key] = json.loads(json.dumps(rng.choice(VALUES)))
        if rng.random() < 0.2:
            name = rng.choice([*tensors])
            tensors[name] = np.concatenate([tensors[name].ravel()] * rng.choice([0, 2]) or [np.zeros(0)])

    for _ in range(40):
        try:
            loaded = load_changed(path, fitted, change)
        except ValueError:
            n_errors += 1
            continue
        types_in(loaded, seen := {})
        modules = {kind.__module__.split(".")[0] for kind in seen.values()}
        assert modules <= {"builtins", "numpy", "scipy", "sklearn", "fastfm_c"}
        known = {kind.__name__ for kind in seen.values() if kind.__module__.startswith("sklearn.")}
        assert known <= KINDS.keys()
    assert n_errors > 5
