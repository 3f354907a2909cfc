"""save and load of scikit-learn's objects around estimators: Pipelines, transformers, calibration."""

import re

import numpy as np
import pytest
from helpers.states import again, load_changed

pytest.importorskip("sklearn")
pytest.importorskip("pandas")

import pandas as pd
import scipy.sparse as sp
import sklearn
from sklearn.calibration import CalibratedClassifierCV
from sklearn.compose import ColumnTransformer, make_column_selector, make_column_transformer
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.impute import SimpleImputer
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, StratifiedKFold
from sklearn.pipeline import FeatureUnion, Pipeline, make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    KBinsDiscretizer,
    MaxAbsScaler,
    MinMaxScaler,
    OneHotEncoder,
    OrdinalEncoder,
    RobustScaler,
    StandardScaler,
)

from fastfm_c import FieldEncoder, load, save
from fastfm_c.sklearn import FFMClassifier, FMClassifier, FMRegressor


def table(n_rows=80, seed=0):
    """Rows of strings, some of them missing, integers, and numbers, some of them NaN."""
    rng = np.random.default_rng(seed)
    return pd.DataFrame(
        {
            "color": rng.choice(["red", "green", "b\u20acue", None], n_rows),
            "size": rng.integers(5, size=n_rows),
            "price": np.where(rng.random(n_rows) < 0.2, np.nan, rng.normal(3, 2, n_rows)),
            "weight": rng.normal(size=n_rows),
        }
    )


X, y = table(), np.arange(80) % 2
STEPS = {
    "one column after another": [
        ("color", OneHotEncoder(handle_unknown="ignore", min_frequency=9, dtype=np.float32), ["color"]),
        ("size", OrdinalEncoder(handle_unknown="use_encoded_value", unknown_value=-1), [1]),
        ("price", make_pipeline(SimpleImputer(add_indicator=True), StandardScaler()), ["price"]),
        ("weight", "passthrough", slice(3, 4)),
    ],
    "selected": [
        ("color", OneHotEncoder(drop="if_binary"), make_column_selector(dtype_exclude=np.number)),
        ("size", "drop", "size"),
        ("rest", make_pipeline(SimpleImputer(strategy="median"), RobustScaler()), [False, False, True, True]),
    ],
    "scaled": [
        ("maximum", MaxAbsScaler(), ["size"]),
        ("range", MinMaxScaler(feature_range=(-1, 1), clip=True), ["weight"]),
        ("names", SimpleImputer(strategy="constant", fill_value="none"), []),
        ("nothing", FunctionTransformer(feature_names_out="one-to-one"), ["size"]),
    ],
    "remainder": [
        ("color", OneHotEncoder(handle_unknown="ignore"), ["color"]),
        ("price", SimpleImputer(), ["price"]),
    ],
    "infrequent": [
        ("color", OneHotEncoder(handle_unknown="infrequent_if_exist", max_categories=2), ["color", "size"]),
        ("given", OneHotEncoder(categories=[[0, 1, 2, 3, 4]], sparse_output=False), ["size"]),
    ],
}


def dense(X):
    return X.toarray() if sp.issparse(X) else np.asarray(X)


@pytest.mark.parametrize("mmap", [True, False])
@pytest.mark.parametrize("name", STEPS)
def test_a_pipeline_of_a_table_comes_back(path, name, mmap):
    """Fitted, as what it was made of, and able to be fitted again."""
    columns = ColumnTransformer(STEPS[name], remainder=StandardScaler() if name == "remainder" else "drop")
    pipe = Pipeline([("columns", columns), ("fm", FMClassifier(max_iter=2, random_state=0))]).fit(X, y)
    other, new = again(pipe, path, mmap), table(40, seed=1)
    np.testing.assert_array_equal(dense(other[0].transform(new)), dense(pipe[0].transform(new)))
    np.testing.assert_array_equal(other.predict_proba(new), pipe.predict_proba(new))
    assert other[0].get_feature_names_out().tolist() == pipe[0].get_feature_names_out().tolist()
    assert re.sub("0x[0-9a-f]+", "", repr(other)) == re.sub("0x[0-9a-f]+", "", repr(pipe))
    np.testing.assert_array_equal(other.fit(X, y).predict_proba(new), pipe.predict_proba(new))


def test_an_encoder_and_a_model_in_a_pipeline_come_back(path):
    rows = X.assign(color=X["color"].fillna("?")).to_dict("records")
    pipe = make_pipeline(FieldEncoder(), FFMClassifier(max_iter=2)).fit(rows, y)
    other = again({"pipe": pipe, "model": pipe[-1].model_}, path)
    np.testing.assert_array_equal(other["pipe"].predict_proba(rows), pipe.predict_proba(rows))
    assert other["pipe"][-1].model_ is other["model"]


def test_an_unfitted_pipeline_comes_back(path):
    pipe = Pipeline(
        [("scale", StandardScaler(with_mean=False)), ("none", None), ("fm", FMRegressor(n_factors=3))]
    )
    assert repr(again(pipe, path)) == repr(pipe)


def test_a_union_and_the_output_that_was_set_come_back(path):
    union = FeatureUnion([("a", StandardScaler()), ("b", MaxAbsScaler())], transformer_weights={"a": 2.0})
    union.set_output(transform="pandas").fit(X[["size", "weight"]])
    found = again(union, path).transform(X[["size", "weight"]])
    pd.testing.assert_frame_equal(found, union.transform(X[["size", "weight"]]))


@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("ensemble", [True, False])
@pytest.mark.parametrize("method", ["sigmoid", "isotonic"])
def test_a_calibrated_classifier_comes_back(path, method, ensemble, n_classes):
    Z, labels = X[["size", "weight"]].to_numpy(), np.array(["a", "b", "c"])[np.arange(80) % n_classes]
    model = CalibratedClassifierCV(
        FMClassifier(max_iter=2, random_state=0), method=method, cv=2, ensemble=ensemble
    )
    model.fit(Z, labels)
    other = again(model, path)
    np.testing.assert_array_equal(other.predict_proba(Z), model.predict_proba(Z))
    assert other.predict(Z).tolist() == model.predict(Z).tolist()
    other.fit(Z, labels)
    np.testing.assert_array_equal(other.predict_proba(Z), model.predict_proba(Z))


def test_a_calibrated_pipeline_and_a_frozen_one_come_back(path):
    frozen = pytest.importorskip("sklearn.frozen").FrozenEstimator
    Z = X[["size", "weight"]]
    pipe = make_pipeline(StandardScaler(), FMClassifier(max_iter=2, random_state=0))
    for model in (
        CalibratedClassifierCV(pipe, cv=2).fit(Z, y),
        CalibratedClassifierCV(frozen(pipe.fit(Z, y))).fit(Z, y),
    ):
        np.testing.assert_array_equal(again(model, path).predict_proba(Z), model.predict_proba(Z))


# ------------------------------------------------------------------------------ what no file holds


def square(X):
    return X**2


REFUSED = {
    "a step that nobody knows": (
        make_pipeline(StandardScaler(), LogisticRegression()),
        r"^step 'logisticregression': obj is a sklearn.linear_model._logistic.LogisticRegression; can save",
    ),
    "within a step": (
        make_pipeline(ColumnTransformer([("bins", KBinsDiscretizer(), [0])])),
        "^step 'columntransformer': step 'bins': obj is a sklearn.*KBinsDiscretizer; can save",
    ),
    "a function": (
        make_pipeline(FunctionTransformer(square)),
        "^step 'functiontransformer': FunctionTransformer.func is <function square .*None alone",
    ),
    "a selecting function": (
        make_column_transformer((StandardScaler(), square)),
        r"^step 'standardscaler': ColumnTransformer.transformers\[0\]\[2\] is <function square",
    ),
    "a folder of pickles": (make_pipeline(StandardScaler(), memory="cache"), "^Pipeline.memory is 'cache'"),
    "a splitter": (
        CalibratedClassifierCV(FMClassifier(), cv=StratifiedKFold(2)),
        "^CalibratedClassifierCV.cv is StratifiedKFold.*which a file cannot hold",
    ),
    "another classifier": (
        CalibratedClassifierCV(LogisticRegression()),
        "^obj is a sklearn.*LogisticRegression",
    ),
    "a subclass": (type("Pipeline", (Pipeline,), {})([]), r"^obj is a .*Pipeline; can save"),
    "an attribute": (setattr(scaler := StandardScaler(), "extra_", 1) or scaler, "has an attribute extra_"),
    "a date": (
        OneHotEncoder(categories=[np.array(["2020"], "M8[D]")]),
        r"categories\[0\] has dtype datetime64",
    ),
    "missing of pandas": (SimpleImputer(missing_values=pd.NA), "SimpleImputer.missing_values is <NA>"),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_no_file_holds_is_named(path, name):
    obj, message = REFUSED[name]
    with pytest.raises(ValueError, match=message):
        save(obj, path)
    assert not path.exists()


def test_a_search_says_what_to_save(path):
    search = GridSearchCV(FMRegressor(max_iter=1), {"n_factors": [2]}, cv=2).fit(X[["size", "weight"]], y)
    with pytest.raises(ValueError, match=r"save its best_estimator_$"):
        save(search, path)


# ------------------------------------------------------------------------------------ broken files


def scaler_state(**members):
    return lambda state, **_: state["members"].update(members)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (scaler_state(transform=1), "StandardScaler has no attribute 'transform'"),
        (scaler_state(__class__="x"), "StandardScaler has no attribute '__class__'"),
        (scaler_state(copy={"call": "os.system"}), "is no value of a file"),
        (scaler_state(copy={"type": "os.system"}), "copy is 'os.system', expected one of"),
        (scaler_state(copy={"dtype": "i4,i4"}), "copy is 'i4,i4', expected a dtype"),
        (scaler_state(copy={"scalar": ["object", 1]}), "expected the dtype and the value of a number"),
        (scaler_state(copy={"float": "1"}), "copy is '1', expected one of nan"),
        (scaler_state(copy={"slice": [1, 2]}), "expected a list of 3"),
        (scaler_state(copy={"slice": ["a", 2, 3]}), "expected a slice of integers"),
        (scaler_state(copy={"dict": [[1]]}), "expected a list of 2"),
        (scaler_state(copy={"dict": [[[1], 2]]}), "unhashable"),
        (scaler_state(copy={"object": {"kind": "Popen"}}), "kind 'Popen' is unknown here"),
        (scaler_state(copy={"array": "numbers"}), "tensor 'copy' is absent"),
        (scaler_state(n_features_in_=True), "n_features_in_ is True, expected a number of features"),
        (scaler_state(n_features_in_=3), r"StandardScaler.mean_ is array.* expected an element for each"),
        (scaler_state(feature_names_in_=["a"]), r"feature_names_in_ is \['a'\], expected 2 names"),
        (lambda state, **_: state.update(sklearn_version=None), "sklearn_version is None, expected str"),
        (lambda state, **_: state.update(members=None), "members is None, expected dict"),
    ],
)
def test_no_scaler(path, change, message):
    with pytest.raises(ValueError, match=message):
        load_changed(path, StandardScaler().fit(np.eye(2)), change)


def deep(n):
    nested = {"kind": "StandardScaler", "sklearn_version": "1", "members": {}}
    for _ in range(n):
        nested = {
            "kind": "FrozenEstimator",
            "sklearn_version": "1",
            "members": {"estimator": {"object": nested}},
        }
    return nested


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.InconsistentVersionWarning")
def test_objects_too_deep_to_read_are_a_value_error(path):
    with pytest.raises(ValueError, match=r"recursion|sound JSON"):
        load_changed(path, StandardScaler(), lambda state, **_: state.update(deep(200)))


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ({"steps": [1]}, "Pipeline.steps has 1, expected a name and a step"),
        ({"steps": [{"tuple": ["a", 3]}]}, "Pipeline.steps has the step 'a', which is 3"),
        ({"steps": 3}, "Pipeline.steps has 3"),
        ({"memory": "/tmp"}, "Pipeline.memory is '/tmp', expected None"),
    ],
)
def test_no_pipeline(path, members, message):
    with pytest.raises(ValueError, match=message):
        load_changed(path, Pipeline([("a", None)]), scaler_state(**members))


def test_a_file_of_another_scikit_learn_is_read_with_its_warning(path):
    """A parameter that it did not have gets its default; one that it does not have is an error."""

    def older(state, **_):
        assert state["sklearn_version"] == sklearn.__version__
        state["sklearn_version"] = "1.0"
        del state["members"]["with_std"]

    with pytest.warns(InconsistentVersionWarning, match=r"version 1\.0"):
        scaler = load_changed(path, StandardScaler().fit(np.eye(2)), older)
    assert scaler.with_std is True
    with pytest.raises(ValueError, match=r"no attribute 'new' in scikit-learn .*, the file is of 99\.0"):
        load_changed(
            path,
            scaler,
            lambda state, **_: (state.update(sklearn_version="99.0"), state["members"].update(new=1)),
        )


def test_nothing_is_pickled(path):
    """Not even a name of a module or a class stands in a file, but for the kinds that this library lists."""
    pipe = make_pipeline(StandardScaler(), FMRegressor(max_iter=1)).fit(X[["size", "weight"]], y)
    save(pipe, path)
    content = path.read_bytes()
    assert b"sklearn." not in content
    assert b"numpy" not in content
    assert isinstance(load(path), Pipeline)
