"""The estimators in graphs of skl2onnx, run by onnxruntime."""

import numpy as np
import pytest

skl2onnx = pytest.importorskip("skl2onnx")
runtime = pytest.importorskip("onnxruntime")
pytest.importorskip("sklearn")

from sklearn.pipeline import make_pipeline  # noqa: E402
from sklearn.preprocessing import StandardScaler  # noqa: E402

from fastfm_c.sklearn import (  # noqa: E402
    FFMClassifier,
    FFMRegressor,
    FMClassifier,
    FMRegressor,
    register_onnx_converters,
)

register_onnx_converters()
FIELDS = [0, 0, 1, 2, 1]


def rows(dtype="float32"):
    rng = np.random.default_rng(0)
    return rng.normal(size=(200, 5)).astype(dtype), rng.integers(0, 3, 200)


def fitted(kind, y, **options):
    X, _ = rows()
    if kind in (FFMClassifier, FFMRegressor):
        options["fields"] = FIELDS
    return kind(n_factors=3, max_iter=5, early_stopping=False, random_state=0, **options).fit(X, y)


def run(estimator, X, **options):
    graph = skl2onnx.to_onnx(estimator, X[:1], **options)
    session = runtime.InferenceSession(graph.SerializeToString(), providers=["CPUExecutionProvider"])
    return session.run(None, {session.get_inputs()[0].name: X})


@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("kind", [FMRegressor, FFMRegressor])
def test_regressors(kind, dtype):
    X, _ = rows(dtype)
    model = fitted(kind, X[:, 0] * X[:, 1])
    (found,) = run(model, X)
    np.testing.assert_allclose(found[:, 0], model.predict(X), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("kind", [FMClassifier, FFMClassifier])
@pytest.mark.parametrize("labels", [[0, 1], [3, -7, 5], ["no", "yes"], ["a", "b", "c"]])
def test_classifiers(kind, labels):
    X, y = rows("float64" if len(labels) == 3 else "float32")
    model = fitted(kind, np.array(labels)[y % len(labels)])
    found, proba = run(model, X, options={"zipmap": False})
    np.testing.assert_array_equal(found, model.predict(X))
    np.testing.assert_allclose(proba, model.predict_proba(X), atol=1e-5)


def test_a_pipeline_and_the_default_options():
    X, y = rows()
    pipeline = make_pipeline(StandardScaler(), fitted(FMClassifier, y)).fit(X, y)
    found, proba = run(pipeline, X)
    np.testing.assert_array_equal(found, pipeline.predict(X))
    for i in range(3):
        wanted = pipeline.predict_proba(X)[:, i]
        np.testing.assert_allclose([row[i] for row in proba], wanted, atol=1e-5)


def test_what_is_refused():
    X, y = rows()
    with pytest.raises(ValueError, match="it is no single model"):
        run(FMRegressor(solver="mcmc", max_iter=3, random_state=0).fit(X, X[:, 0]), X)
    with pytest.raises(ValueError, match="one class alone"):
        run(fitted(FMClassifier, np.zeros(200, int)), X)
    with pytest.raises(ValueError, match="expected integers or strings"):
        run(fitted(FMClassifier, np.where(y == 0, 0.0, 1.0)), X)
