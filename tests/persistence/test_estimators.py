"""save and load of estimators: parameters, and what a fit left."""

import json

import numpy as np
import pytest
from helpers.subprocesses import run

pytest.importorskip("sklearn")

from helpers.estimators import ALL, CLASSIFIERS, may_end_early, planted, scores_of
from helpers.states import again, load_changed, replaced

from fastfm_c import FM, load, save
from fastfm_c.sklearn import FFMClassifier, FFMRegressor, FMClassifier, FMRegressor

pytestmark = may_end_early

pd = pytest.importorskip("pandas")

LABELS = {
    "int": np.array([7, -3]),
    "uint8": np.array([1, 255], np.uint8),
    "big-endian": np.array([1, 2], ">i2"),
    "bool": np.array([False, True]),
    "float": np.array([1.0, -2.0]),
    "str": np.array(["no", "yes\u20ac"]),
    "object": np.array(["no", "a longer one"], object),
}
FITTED = ("n_features_in_", "feature_names_in_", "classes_", "target_scale_", "n_iter_", "history_", "model_")


def targets(create, scores):
    return (scores > 0).astype(int) if create in CLASSIFIERS else 30 * scores


@pytest.mark.parametrize("mmap", [True, False])
@pytest.mark.parametrize("create", ALL)
def test_a_fitted_estimator(path, create, mmap):
    X, scores = planted()
    estimator = create(max_iter=3, random_state=0, early_stopping=True).fit(X, targets(create, scores))
    other = again(estimator, path, mmap)
    assert type(other) is create
    assert other.get_params() == estimator.get_params()
    assert {*vars(other)} == {*vars(estimator)}
    for name in FITTED:
        assert np.array_equal(getattr(other, name, None), getattr(estimator, name, None)), name
    assert np.array_equal(scores_of(other, X), scores_of(estimator, X))
    assert other.model_.V.flags.writeable == (not mmap)
    other.fit(X, targets(create, scores))
    assert other.model_ == estimator.model_


@pytest.mark.parametrize("mmap", [True, False])
@pytest.mark.parametrize("create", ALL)
def test_partial_fit_goes_on_to_the_same_bits(path, create, mmap):
    X, scores = planted()
    y = targets(create, scores)
    known = {"classes": [0, 1]} if create in CLASSIFIERS else {}
    estimator = create(random_state=0).partial_fit(X, y, **known)
    other = again(estimator, path, mmap)
    assert other.solver_.model is other.model_
    for _ in range(2):
        assert other.partial_fit(X, y).model_ == estimator.partial_fit(X, y).model_
    assert other.history_.loss == estimator.history_.loss


@pytest.mark.parametrize("name", LABELS)
@pytest.mark.parametrize("n_classes", [1, 2])
def test_labels(path, name, n_classes):
    X, scores = planted(50)
    y = LABELS[name][(scores > 0) * (n_classes - 1)]
    estimator = FMClassifier(max_iter=1).fit(X, y)
    other = again(estimator, path)
    assert other.classes_.dtype == estimator.classes_.dtype.newbyteorder("=")
    assert np.array_equal(other.classes_, estimator.classes_)
    assert np.array_equal(other.predict(X), estimator.predict(X))


def test_three_classes(path):
    X, scores = planted(60)
    estimator = FFMClassifier(max_iter=1, fields=[0, 0, 1, 1, 2, 2]).fit(X, np.digitize(scores, [-1, 1]))
    other = again({"clf": estimator, "fm": FM.random(1, 1)}, path)["clf"]
    assert np.array_equal(other.predict_proba(X), estimator.predict_proba(X))
    assert other.fields.tolist() == other.model_.fields.tolist() == [0, 0, 1, 1, 2, 2]


def test_feature_names(path):
    X, scores = planted(50)
    X = pd.DataFrame(X.toarray(), columns=["a", "b\u20ac", "c d", "", "e", "f"])
    estimator = FMRegressor(max_iter=1).fit(X, scores)
    other = again(estimator, path)
    assert other.feature_names_in_.dtype == object
    assert other.feature_names_in_.tolist() == [*X.columns]
    assert np.array_equal(other.predict(X), estimator.predict(X))
    with pytest.raises(ValueError, match="feature names"):
        other.predict(X.rename(columns={"a": "z"}))


def test_parameters(path):
    weight = {np.int64(0): np.float32(0.5), 1: 2}
    estimator = FMClassifier(
        n_factors=np.int64(3), class_weight=weight, dtype=np.float64, tol=np.float32(0.5)
    )
    other = again(estimator, path)
    changed = {"class_weight": {0: 0.5, 1: 2}, "dtype": "float64", "n_factors": 3, "tol": 0.5}
    assert other.get_params() == estimator.get_params() | changed
    assert not hasattr(other, "model_")
    assert again(FFMRegressor(), path).get_params() == FFMRegressor().get_params()
    labels = {"a": 1.0, "b": 2.0}
    assert again(FMClassifier(class_weight=labels), path).class_weight == labels
    assert again(FMClassifier(class_weight="balanced", early_stopping="auc"), path).class_weight == "balanced"


@pytest.mark.parametrize("bits", [np.random.MT19937, np.random.PCG64])
def test_a_random_state_goes_on(path, bits):
    rng = np.random.RandomState(bits(3))
    rng.standard_normal()  # it makes two at once, and keeps one
    other = again(FMRegressor(random_state=rng), path).random_state
    assert other is not rng
    assert other.standard_normal(5).tolist() == rng.standard_normal(5).tolist()
    assert other.randint(1 << 30, size=9).tolist() == rng.randint(1 << 30, size=9).tolist()


@pytest.mark.parametrize(
    ("params", "message"),
    [
        ({"early_stopping": max}, r"FMClassifier.early_stopping is <built-in .*a file cannot hold"),
        ({"tol": -np.inf}, "FMClassifier.tol is -inf, which a file cannot hold"),
        ({"class_weight": {(1,): 2}}, r"FMClassifier.class_weight is \(1,\), which a file cannot hold"),
        ({"n_factors": "8"}, "FMClassifier.n_factors is '8', expected <class 'int'>"),
        ({"random_state": np.random.default_rng()}, "FMClassifier.random_state is Generator"),
    ],
)
def test_parameters_that_no_file_holds(path, params, message):
    with pytest.raises(ValueError, match=message):
        save(FMClassifier(**params), path)
    assert not path.exists()


def test_labels_that_no_file_holds(path):
    estimator = FMClassifier(max_iter=1).fit(np.eye(4), [0, 1, 0, 1])
    estimator.classes_ = np.array([0, "a"], object)
    with pytest.raises(ValueError, match=r"classes_ is array.*a file holds numbers or strings alone"):
        save(estimator, path)


# ------------------------------------------------------------------------------------ broken files


def bytes_of(value):
    return np.frombuffer(json.dumps(value).encode(), np.uint8)


BROKEN = [
    ({"params": {"n_factor": 1}}, {}, "FMClassifier has no parameter 'n_factor'"),
    ({"params": None}, {}, "params is None, expected dict"),
    ({"params": {"n_factors": []}}, {}, r"FMClassifier.n_factors is \[\], expected <class 'int'>"),
    ({"params": {"n_jobs": "2"}}, {}, r"FMClassifier.n_jobs is '2', expected int \| None"),
    ({"params": {"tol": None}}, {}, "FMClassifier.tol is None, expected <class 'float'>"),
    ({"params": {"dtype": "float16"}}, {}, "dtype is 'float16', expected float32 or float64"),
    ({"params": {"random_state": 0.5}}, {}, "random_state is 0.5, expected int, RandomState or None"),
    ({"params": {"class_weight": [["a", "b"]]}}, {}, "expected numbers as weights"),
    ({"params": {"class_weight": [1]}}, {}, "sequence"),
    ({"params": {"random_state": {"bit_generator": "x"}}}, {}, "come from 'x'"),
    ({"kind": "FFMClassifier"}, {}, "model_ is an FM, unfit for FFMClassifier"),
    ({"kind": "FMRegressor", "params": {}}, {}, "target_scale_ is None, expected float"),
    ({"model_": None}, {}, "model_ is None, expected dict"),
    ({"solver_": None}, {}, "solver_ is None, expected dict"),
    ({"classes_": "number"}, {"classes_": np.array([1, 0])}, "expected ascending labels"),
    ({"classes_": "number"}, {"classes_": np.array([0, np.nan])}, "expected ascending labels"),
    ({"classes_": "number"}, {"classes_": np.array([])}, "expected ascending labels"),
    ({"classes_": "number"}, {"classes_": np.array([[0, 1]])}, "has shape .*, expected 1 dimensions"),
    (
        {"classes_": "number"},
        {"classes_": np.arange(3)},
        r"w0 has shape \(\), FMClassifier expects \(3,\)",
    ),
    ({"classes_": "bytes"}, {}, "classes_ holds 'bytes', expected number, str or object"),
    ({}, {"classes_": bytes_of(["a", 1])}, "classes_ is no list of strings"),
    ({}, {"classes_": bytes_of({"a": 1})}, "classes_ is no list of strings"),
    ({}, {"classes_": np.frombuffer(b"\xff", np.uint8)}, "'classes_' is not sound JSON"),
    ({}, {"feature_names_in_": bytes_of(["a"])}, "feature_names_in_ has 1 names, expected 4"),
    ({"n_iter_": 1.5}, {}, "n_iter_ is 1.5, expected int"),
    ({"history_": None}, {}, "history_ is None, expected dict"),
    ({"history_": {"rows": "x"}}, {}, "rows is 'x', expected int"),
    ({"history_": {"rows": 1, "more": 2}}, {}, r"history_ has unknown members \['more'\]"),
    ({}, {"history_.loss": np.ones(1, np.int64)}, "tensor 'history_.loss' is of dtype int64"),
]


@pytest.mark.parametrize(("state", "tensors", "message"), BROKEN, ids=[message for _, _, message in BROKEN])
def test_no_estimator(path, state, tensors, message):
    X = pd.DataFrame(np.eye(4), columns=[*"abcd"])
    with pytest.raises(ValueError, match=message):
        load_changed(path, FMClassifier(max_iter=1).fit(X, [*"baba"]), replaced(state, tensors))


def test_a_solver_of_another_model(path):
    estimator = FMRegressor().partial_fit(np.eye(4), np.ones(4))
    estimator.model_ = estimator.model_.copy()
    save(estimator, path)
    with pytest.raises(ValueError, match="solver_ trains another model than model_"):
        load(path)


def test_a_solver_without_a_history(path):
    def without_history(state, **_):
        del state["history_"], state["n_iter_"]

    with pytest.raises(ValueError, match="n_iter_ is None, expected int"):
        load_changed(path, FMRegressor().partial_fit(np.eye(4), np.ones(4)), without_history)


def test_a_fit_that_failed_early(path):
    estimator = FMRegressor(max_iter=1)
    with pytest.raises(ValueError, match="features"):
        estimator.fit(np.eye(4), np.ones(4), eval_set=(np.eye(3), np.ones(3)))
    assert again(estimator, path).model_ == estimator.model_


def test_without_scikit_learn(path):
    save(FMRegressor(), path)
    program = "import sys; sys.modules['sklearn'] = None; import fastfm_c; fastfm_c.load(sys.argv[1])"
    assert "ImportError: fastfm_c.sklearn needs scikit-learn" in run(program, path).stderr


@pytest.mark.parametrize("mmap", [True, False])
def test_a_mapped_estimator_goes_on_learning(path, mmap):
    """By a copy of its model, to the same bits; the file stays as it is."""
    X, y = np.random.default_rng(0).standard_normal((60, 3)), 100 * np.arange(60.0)
    for create in (FMRegressor, FFMRegressor):
        one = create(n_factors=2, random_state=0, warm_start=True).fit(X, y)
        save(one, path)
        data = path.read_bytes()
        other = load(path, mmap)
        one.partial_fit(X, y)
        other.partial_fit(X, y)
        assert np.array_equal(one.predict(X), other.predict(X))
        again = load(path, mmap)
        again.set_params(solver="sgd", max_iter=1).fit(X, y)
        assert path.read_bytes() == data
