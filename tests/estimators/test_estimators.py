"""The estimators: parameters, containers of rows, seeds, threads, and scikit-learn's tools."""

import doctest
import inspect
import re
import tracemalloc

import numpy as np
import pytest
import scipy.sparse as sp
from helpers.subprocesses import output_of

pytest.importorskip("sklearn")

from helpers.estimators import ALL, CLASSIFIERS, may_end_early, planted, scores_of
from sklearn.calibration import CalibratedClassifierCV
from sklearn.exceptions import NotFittedError
from sklearn.frozen import FrozenEstimator
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from fastfm_c import FFM
from fastfm_c.sklearn import FFMClassifier, FFMRegressor, FMClassifier, FMRegressor

pytestmark = may_end_early

PARAMETERS = {"n_factors", "solver", "learning_rate", "max_iter", "batch_size", "l2_linear", "l2_factors"}
PARAMETERS |= {"init_stdev", "early_stopping", "validation_fraction", "n_iter_no_change", "tol", "warm_start"}
PARAMETERS |= {"dtype", "random_state", "n_jobs", "verbose", "normalize", "validation_split", "clip_value"}
PARAMETERS |= {"schedule", "refit"}


# ---------------------------------------------------------------------------------------- parameters


@pytest.mark.parametrize("estimator", ALL)
def test_parameters_are_keywords_stored_as_given(estimator):
    parameters = inspect.signature(estimator).parameters
    more = {"label_smoothing", "class_weight"} if estimator in CLASSIFIERS else {"clip"}
    more |= {"fields"} if estimator in (FFMClassifier, FFMRegressor) else set()
    assert set(parameters) == PARAMETERS | more
    assert {p.kind for p in parameters.values()} == {inspect.Parameter.KEYWORD_ONLY}
    given = {name: object() for name in parameters}
    assert estimator(**given).get_params(deep=False) == given


@pytest.mark.parametrize("estimator", ALL)
@pytest.mark.parametrize(
    "bad",
    [
        {"n_factors": 0},
        {"solver": "newton"},
        {"learning_rate": -1.0},
        {"max_iter": 0},
        {"batch_size": 0},
        {"l2_linear": -1.0},
        {"l2_factors": np.nan},
        {"init_stdev": -1.0},
        {"early_stopping": "precision"},
        {"early_stopping": True, "validation_split": "first"},
        {"learning_rate": "0.1"},
        {"l2_factors": "1"},
        {"tol": "0.1"},
        {"validation_fraction": "0.1"},
        {"solver": "lbfgs", "learning_rate": 0.1},
        {"solver": "lbfgs", "batch_size": 10},
        {"solver": "lbfgs", "clip_value": 1.0},
        {"clip_value": 0.0},
        {"early_stopping": True, "validation_fraction": 1.5},
        {"early_stopping": True, "n_iter_no_change": 0},
        {"tol": -1.0},
        {"dtype": "int32"},
        {"n_jobs": 0},
        {"refit": "x"},
        {"warm_start": 3},
        {"validation_split": "first"},
    ],
    ids=str,
)
def test_a_bad_parameter_is_refused(estimator, bad):
    X, y = planted(40)
    with pytest.raises(ValueError, match=r"\w"):
        estimator(**bad).fit(X, y > 0)


def test_a_bad_label_smoothing_is_refused():
    with pytest.raises(ValueError, match="label_smoothing"):
        FMClassifier(label_smoothing=1.0).fit([[1.0], [2.0]], [0, 1])


@pytest.mark.parametrize("estimator", ALL)
def test_docstrings(estimator):
    """Parameters, attributes and methods are described; the examples run."""
    text = inspect.getdoc(estimator)
    fitted = estimator(max_iter=1).fit([[0.0], [1.0], [2.0]], [0, 1, 1])
    attributes = {name for name in vars(fitted) if name.endswith("_")}
    for name in set(inspect.signature(estimator).parameters) | attributes:
        assert re.search(rf"^ *(\w+, )*{name}(, \w+)* : ", text, re.MULTILINE), name
    assert not re.search(r"[{}<]\w+[}>]", text.replace('{"adagrad", "sgd"', ""))
    for name in ("fit", "partial_fit", "predict", "predict_proba", "decision_function"):
        if not hasattr(estimator, name):
            continue
        method = getattr(estimator(), name)
        for parameter in inspect.signature(method).parameters:
            assert re.search(rf"^ *{parameter} : ", inspect.getdoc(method), re.MULTILINE), (name, parameter)
    runner, report = doctest.DocTestRunner(verbose=False), []
    test = doctest.DocTestParser().get_doctest(text, {}, estimator.__name__, None, 0)
    runner.run(test, out=report.append)
    assert runner.summarize(verbose=False).attempted > 3
    assert not report, "".join(report)


# ---------------------------------------------------------------------------------------------- data


def peak_memory(call):
    """Bytes of arrays that a call needs at a time, beside those that were there before."""
    tracemalloc.start()
    try:
        call()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(("container", "index"), [(sp.csr_array, "int32"), (sp.csr_matrix, "int64")])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_csr_is_not_copied(container, index, dtype):
    n_rows, n_values = 20_000, 50
    rng = np.random.default_rng(0)
    indices = np.tile(np.arange(0, 5 * n_values, 5), n_rows) + rng.integers(5, size=n_rows * n_values)
    indptr = np.arange(0, n_rows * n_values + 1, n_values)
    ones = np.ones(len(indices), dtype)  # other values are measured, in copies of blocks of rows
    X = container((ones, indices, indptr), shape=(n_rows, 5 * n_values))
    X.indptr, X.indices = X.indptr.astype(index), X.indices.astype(index)
    y = rng.standard_normal(n_rows)
    model = FMRegressor(n_factors=1, max_iter=1, early_stopping=False)
    model.fit(X, y)  # what is imported or made at the first call does not count
    smallest = min(X.data.nbytes, X.indices.nbytes)
    assert peak_memory(lambda: model.fit(X, y, eval_set=(X, y))) < smallest
    assert peak_memory(lambda: model.predict(X)) < smallest
    assert peak_memory(lambda: model.predict(X.tocsc())) > smallest


@pytest.mark.parametrize("estimator", ALL)
def test_any_container_holds_the_same_rows(estimator):
    X, y = planted(60)
    models = [
        estimator(max_iter=2, random_state=0).fit(rows, y > 0)
        for rows in (
            X,
            X.toarray(),
            X.tocsc(),
            X.tocoo(),
            X.toarray().tolist(),
            np.asfortranarray(X.toarray()),
        )
    ]
    assert all(models[0].model_ == model.model_ for model in models)
    np.testing.assert_array_equal(scores_of(models[0], X), scores_of(models[0], X.toarray()))


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("solver", ["adagrad", "lbfgs"])
def test_the_dtype_of_models_and_scores(solver, dtype):
    X, y = planted(60)
    seen = []
    model = FMRegressor(solver=solver, dtype=dtype, max_iter=2)
    model.fit(X, y, callbacks=lambda info: seen.append(info.model.dtype))
    assert model.model_.dtype == model.predict(X).dtype == dtype
    assert set(seen) == {np.dtype("float64" if solver == "lbfgs" else dtype)}


def test_names_of_columns():
    pd = pytest.importorskip("pandas")
    X, y = planted(60, 3)
    frame = pd.DataFrame(X.toarray(), columns=["one", "fields", "three"])
    model = FFMRegressor(max_iter=2, random_state=0).fit(frame, pd.Series(y))
    np.testing.assert_array_equal(model.feature_names_in_, frame.columns)
    np.testing.assert_array_equal(model.model_.fields, [0, 1, 2])
    np.testing.assert_array_equal(model.predict(frame), scores_of(model, frame))
    with pytest.raises(ValueError, match="feature names"):
        model.predict(frame[["three", "one", "fields"]])


class FieldedMatrix(sp.csr_array):
    fields = np.array([0, 1, 1, 0, 2, 2])


@pytest.mark.parametrize("estimator", [FFMClassifier, FFMRegressor])
def test_where_fields_come_from(estimator):
    X, y = planted(60)
    y = y > 0
    fielded = FieldedMatrix(X)
    given = [0, 0, 0, 1, 1, 1]
    for model, rows, fields in (
        (estimator(max_iter=1), X, np.arange(6)),
        (estimator(max_iter=1), fielded, FieldedMatrix.fields),
        (estimator(max_iter=1, fields=given), fielded, given),
        (estimator(max_iter=1, fields=np.array(given)), X.toarray(), given),
    ):
        model.fit(rows, y)
        assert isinstance(model.model_, FFM)
        np.testing.assert_array_equal(model.model_.fields, fields)
        assert model.model_.n_fields == max(fields) + 1
    with pytest.raises(ValueError, match=r"fields has shape \(2,\), expected \(6,\)"):
        estimator(fields=[0, 1]).fit(X, y)


# ---------------------------------------------------------------------------- randomness and threads


@pytest.mark.parametrize("estimator", ALL)
def test_the_seed_decides(estimator):
    X, y = planted(100)

    def model(random_state):
        return estimator(max_iter=2, random_state=random_state).fit(X, y > 0).model_

    assert model(3) == model(3)
    assert model(np.random.RandomState(3)) == model(3)
    assert model(3) != model(4)
    assert model(None) != model(None)
    state = np.random.RandomState(3)
    assert model(state) != model(state)


@pytest.mark.parametrize("solver", ["adagrad", "lbfgs"])
def test_any_number_of_threads_leaves_the_same_bits(solver):
    X, y = planted(5000, 60)
    models = [
        FMRegressor(solver=solver, max_iter=2, n_jobs=n_jobs, random_state=0).fit(X, y)
        for n_jobs in (None, 1, 2, -1)
    ]
    assert all(models[0].model_ == model.model_ for model in models)


def test_n_jobs_is_the_number_of_threads():
    X, y = planted(60)
    assert "num_threads=2" in repr(FMRegressor(n_jobs=2).partial_fit(X, y).solver_)
    assert "num_threads" not in repr(FMRegressor().partial_fit(X, y).solver_)


# ------------------------------------------------------------------------------ scikit-learn's tools


@pytest.mark.parametrize("estimator", ALL)
def test_not_fitted(estimator):
    with pytest.raises(NotFittedError):
        estimator().predict([[1.0]])


def test_pipeline_grid_search_and_calibration():
    rng = np.random.default_rng(0)
    columns = rng.integers(0, 4, (300, 3))
    y = np.where((columns[:, 0] + columns[:, 1]) % 2, "odd", "even")  # pairs alone tell
    model = make_pipeline(
        OneHotEncoder(handle_unknown="ignore"), FMClassifier(solver="lbfgs", random_state=0)
    )
    search = GridSearchCV(
        model, {"fmclassifier__n_factors": [1, 4], "fmclassifier__init_stdev": [0.0, 0.1]}, cv=3
    )
    search.fit(columns, y)
    assert search.best_params_["fmclassifier__init_stdev"] == 0.1
    assert search.score(columns, y) > 0.95
    for calibrated in (
        CalibratedClassifierCV(model, cv=3).fit(columns, y),
        CalibratedClassifierCV(FrozenEstimator(search), method="isotonic").fit(columns, y),
    ):
        assert calibrated.predict_proba(columns).shape == (300, 2)
        assert calibrated.score(columns, y) > 0.9


# ------------------------------------------------------------------------------------------- imports


def test_the_core_does_not_load_scikit_learn():
    output_of("import sys, fastfm_c; assert not {'sklearn', 'pandas', 'joblib'} & set(sys.modules)")


@pytest.mark.parametrize(
    "before",
    [
        "sys.modules['sklearn'] = None",
        "sys.modules['joblib'] = None",
        "import sklearn.utils.validation as v; del v.validate_data",  # as before 1.6
    ],
)
def test_without_scikit_learn_the_error_says_what_to_install(before):
    program = f"""
import sys
{before}
try:
    import fastfm_c.sklearn
except ImportError as error:
    print(error)
"""
    assert "fastfm-c[sklearn]" in output_of(program)
