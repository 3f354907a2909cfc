"""Load damaged model files: each must load as something that works, or raise ValueError.

    python tools/fuzz_models.py --count 10000 --seed 0

Files of every kind of object are changed at random, by bytes and by what a header says, and loaded with and
without ``mmap``. What loads is used: models predict, solvers and estimators learn, encoders encode, Pipelines
go through their steps. There scikit-learn may raise what it likes, but none of our code. Run it under
AddressSanitizer to see what no exception tells:

    FASTFM_C_CFLAGS="-fsanitize=address -g -O1" python setup.py -q build --build-lib build/asan
    LD_PRELOAD=$(gcc -print-file-name=libasan.so) ASAN_OPTIONS=detect_leaks=0 PYTHONPATH=build/asan \\
        python tools/fuzz_models.py --count 100000
"""

from __future__ import annotations

import argparse
import collections
import json
import os
import tempfile
import traceback
import warnings
from pathlib import Path

import joblib
import numpy as np
from scipy.sparse import csr_array
from sklearn import calibration
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, make_column_selector, make_column_transformer
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline, make_union
from sklearn.preprocessing import (
    FunctionTransformer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    RobustScaler,
    StandardScaler,
)

import fastfm_c
from fastfm_c import (
    FFM,
    FM,
    FTRL,
    SGD,
    AdaGrad,
    Adam,
    FieldEncoder,
    FieldTable,
    LogisticLoss,
    SoftmaxLoss,
    SquaredLoss,
)
from fastfm_c import sklearn as estimators
from fastfm_c.persistence._registry import KINDS
from fastfm_c.sklearn import FFMClassifier, FFMRegressor, FMClassifier, FMRegressor

N_FEATURES = 5
FIELDS = [0, 1, 1, 2, 0]
X = csr_array(np.eye(N_FEATURES) + 0.5 * np.eye(N_FEATURES, k=2))
Y = np.array([0, 1, 1, 0, 1])
# For what stands around an estimator: a category, a number with a gap, and a number.
TABLE = np.array([[0, 1.5, 2], [1, np.nan, 3], [2, 1.0, 3], [0, 2.5, 1], [1, 0.5, 4]] * 3)
ROWS = [{"site": "a", "size": 1.0}, {"site": "b", "size": 2.0}]
NUMBERS = [
    0,
    1,
    -1,
    2,
    3,
    63,
    64,
    1 << 31,
    1 << 32,
    (1 << 63) - 1,
    1 << 63,
    1 << 64,
    10**30,
    0.5,
    1e300,
    -0.0,
]
VALUES = [None, True, False, "", "F64", "FM", "SGD", "model", [], [0], [1, 2], {}, {"kind": "FM"}, "tensor"]


def objects():
    """One object of every kind, trained where it can be."""
    models = [
        FM.random(N_FEATURES, 2, rng=0),
        FFM.random(FIELDS, 3, dtype="float64", rng=0),
        FM.random(N_FEATURES, 2, n_outputs=3, rng=0),
    ]
    yield from models
    bits = np.random.PCG64(0), np.random.MT19937(0), np.random.Philox(0), np.random.SFC64(0)
    losses = LogisticLoss(0.1), SquaredLoss(), SoftmaxLoss(), LogisticLoss()
    kinds = SGD, AdaGrad, Adam, FTRL
    for create, loss, model, rng in zip(kinds, losses, [*models, models[1]], bits, strict=True):
        solver = create(model.copy(), loss, shuffle=True, batch_size=2, rng=rng)
        solver.partial_fit(X * 2, Y)
        yield solver
    yield {"ffm": models[1], "solver": solver, "trained": solver.model}
    labels = np.array(["no", "yes"], object)
    yield FMClassifier(n_factors=2, max_iter=2, class_weight={"no": 2.0}, random_state=0).fit(X, labels[Y])
    yield FMClassifier(n_factors=1, random_state=np.random.RandomState(0)).partial_fit(X, Y, [0, 1, 2])
    yield FFMRegressor(n_factors=2, fields=FIELDS).partial_fit(X, 100.0 * Y)
    yield FFMRegressor()
    yield FMRegressor(n_factors=1, max_iter=2, early_stopping=False).fit(X, Y)
    yield FFMClassifier(n_factors=1, max_iter=2, fields=FIELDS, early_stopping=False).fit(X, Y)
    yield FieldEncoder().fit(ROWS)
    yield estimators.FieldEncoder().fit(ROWS)
    yield FieldTable([1, 0, 0, 0], features=[0, 0, 1, -1], has_values=[True, True, True, False])
    yield from objects_of_scikit_learn()


def objects_of_scikit_learn():
    """What stands around an estimator."""
    columns = make_column_transformer(
        (make_pipeline(SimpleImputer(add_indicator=True), StandardScaler()), [1]),
        (OneHotEncoder(handle_unknown="ignore"), [0]),
        (OrdinalEncoder(), [0]),
        (make_union(MinMaxScaler(), MaxAbsScaler(), FunctionTransformer()), [2]),
        (RobustScaler(), slice(2, 3)),
    )
    labels = np.resize([0, 1], len(TABLE))
    pipe = make_pipeline(columns, FMClassifier(n_factors=1, max_iter=2, random_state=0)).fit(TABLE, labels)
    yield pipe
    yield ColumnTransformer([("rest", StandardScaler(), make_column_selector("a"))])
    yield CalibratedClassifierCV(FrozenEstimator(pipe), method="sigmoid").fit(TABLE, labels)
    methods = ["isotonic", "temperature"] if "_TemperatureScaling" in vars(calibration) else ["isotonic"]
    for method in methods:
        yield CalibratedClassifierCV(pipe, method=method, cv=2).fit(TABLE, labels)


def kinds_in(state):
    """The kinds of all objects in the state of one."""
    if isinstance(state, dict):
        yield from [state["kind"]] if isinstance(state.get("kind"), str) else []
    for part in state.values() if isinstance(state, dict) else state if isinstance(state, list) else ():
        yield from kinds_in(part)


def files_of_all_kinds(path):
    """The bytes of a file of each object."""
    files, kinds = [], set()
    for obj in objects():
        fastfm_c.save(obj, path)
        use(fastfm_c.load(path, mmap=False))
        files.append(path.read_bytes())
        header = json.loads(files[-1][8 : 8 + int.from_bytes(files[-1][:8], "little")])
        kinds.update(kinds_in(json.loads(header["__metadata__"]["object"])))
    missing = {name for name in KINDS if name not in kinds and _is_there(name)}
    if missing:
        raise SystemExit(f"fuzz_models.py: no object of {', '.join(sorted(missing))}")
    return files


def _is_there(name):
    """Whether this scikit-learn has the class."""
    try:
        return bool(KINDS[name].class_named(name))
    except AttributeError:
        return False


def use(obj):
    """Do with an object what one does with it; what is refused must be refused by ValueError."""
    if isinstance(obj, dict):
        for item in obj.values():
            use(item)
    elif isinstance(obj, FM | FFM):
        n = obj.n_features
        obj.predict(csr_array(np.eye(min(n, 8), n)))
        obj.predict_row(np.arange(min(n, 8)), np.ones(min(n, 8)))
    elif isinstance(obj, FieldTable):
        obj.encode_row([0, 9], [obj[0] if len(obj) else 0, 0], [1.0, 2.0], unknown="ignore")
    elif hasattr(obj, "encode_row"):
        obj.encode_row(ROWS[0])
    elif type(obj).__module__.startswith("sklearn."):
        use_of_scikit_learn(obj)
    elif hasattr(obj, "n_steps"):
        obj.partial_fit(csr_array(np.eye(5, obj.model.n_features)), Y)
        use(obj.model)
    elif hasattr(obj, "model_"):
        use(obj.model_)
        obj.predict(X)
        if hasattr(obj, "solver_") and hasattr(obj, "partial_fit"):
            obj.partial_fit(X, obj.classes_[Y % len(obj.classes_)] if hasattr(obj, "classes_") else Y)


def use_of_scikit_learn(obj):
    """Objects of scikit-learn refuse in many ways what is wrong with them; our code, by ValueError alone."""
    try:
        with joblib.parallel_config("sequential"):  # n_jobs may be any number
            for method in ("transform", "predict", "predict_proba"):
                if hasattr(obj, method):
                    getattr(obj, method)(TABLE)
    except NotFittedError:
        return
    except Exception as error:
        where = traceback.extract_tb(error.__traceback__)[-1].filename
        if Path(where).is_relative_to(Path(fastfm_c.__file__).parent):
            raise
        raise ValueError(f"scikit-learn: {error}") from error


def damaged(rng, data):
    """The bytes of a file with one or two changes."""
    for _ in range(rng.integers(1, 3)):
        data = CHANGES[rng.integers(len(CHANGES))](rng, data)
    return data


def _flip_header(rng, data):
    end = min(len(data), 8 + int.from_bytes(data[:8], "little"))
    return _flip(rng, data, 0, end)


def _flip_tensors(rng, data):
    return _flip(rng, data, min(len(data), 8 + int.from_bytes(data[:8], "little")), len(data))


def _flip(rng, data, begin, end):
    """Other bits at one to four places."""
    changed = bytearray(data)
    for place in rng.integers(begin, end, rng.integers(1, 5)) if begin < end else ():
        changed[place] ^= 1 << rng.integers(8)
    return bytes(changed)


def _cut(rng, data):
    return data[: rng.integers(len(data) + 1)]


def _splice(rng, data):
    """A piece of the file over, into or out of another place."""
    begin, to = rng.integers(0, len(data) + 1, 2)
    piece = data[begin : begin + rng.integers(0, 40)]
    return data[:to] + piece + data[to + rng.choice([0, len(piece), 5]) :]


def _length(rng, data):
    number = int(rng.choice([0, 1, 7, len(data) - 8, len(data), 10**8, 2**31, 2**62])) + int(
        rng.integers(-2, 3)
    )
    return (number % 2**64).to_bytes(8, "little") + data[8:]


def _header(rng, data):
    """Another value, or none, at one place of the header, or of the object in its metadata."""
    length = int.from_bytes(data[:8], "little")
    try:
        header = json.loads(data[8 : 8 + length])
        if rng.random() < 0.6:
            state = json.loads(header["__metadata__"]["object"])
            _change(rng, state)
            header["__metadata__"]["object"] = json.dumps(state)
        else:
            _change(rng, header)
        text = json.dumps(header).encode()
    except (ValueError, TypeError, LookupError, RecursionError):  # damaged before
        return data
    return len(text).to_bytes(8, "little") + text + data[8 + length :]


def _change(rng, tree):
    places = [*_places(tree)]
    if not places:
        return
    node, key = places[rng.integers(len(places))]
    what, value = rng.integers(5), node[key]
    if what == 0:
        del node[key]
    elif what == 1 and isinstance(node, dict):
        node[f"{key}x"] = node.pop(key)
    elif what == 2 and type(value) in (int, float):
        node[key] = value + int(rng.integers(-2, 3))
    elif what == 3:
        other, place = places[rng.integers(len(places))]
        node[key] = json.loads(json.dumps(other[place])) if place in other or type(other) is list else None
    else:
        node[key] = (NUMBERS + VALUES)[rng.integers(len(NUMBERS) + len(VALUES))]


def _places(tree):
    for key, value in list(tree.items() if isinstance(tree, dict) else enumerate(tree)):
        yield tree, key
        if isinstance(value, dict | list):
            yield from _places(value)


CHANGES = [_flip_header, _flip_tensors, _flip_tensors, _cut, _splice, _length, *[_header] * 4]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--count", type=int, default=10_000)
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    np.seterr(all="ignore")
    outcomes = collections.Counter()
    with tempfile.TemporaryDirectory(dir="/dev/shm" if os.path.isdir("/dev/shm") else None) as folder:
        path = Path(folder, "model")
        files = files_of_all_kinds(path)
        warnings.simplefilter("ignore")  # of another version of scikit-learn, for one
        for i in range(options.count):
            rng = np.random.default_rng([options.seed, i])
            data = damaged(rng, files[rng.integers(len(files))])
            path.unlink()  # its mapping may live on
            path.write_bytes(data)
            outcomes.update(_outcome(path, i, mmap) for mmap in (True, False))
    print(f"{options.count} files:", ", ".join(f"{n} {what}" for what, n in sorted(outcomes.items())))


def _outcome(path, i, mmap):
    try:
        obj = fastfm_c.load(path, mmap)
    except ValueError:
        return "refused"
    except BaseException:
        print(f"file {i}, mmap={mmap}, while loading:")
        raise
    try:
        use(obj)
    except (ValueError, fastfm_c.DivergenceError):
        return "loaded, refused to be used"
    except BaseException:
        print(f"file {i}, mmap={mmap}, in use:")
        raise
    return "loaded and used"


if __name__ == "__main__":
    main()
