"""Explanations through the estimators."""

import numpy as np
import pytest
import scipy.sparse as sp

pytest.importorskip("sklearn")

from sklearn.exceptions import NotFittedError

from fastfm_c import FieldCSR, FieldEncoder
from fastfm_c.inspection import explain
from fastfm_c.sklearn import FFMClassifier, FFMRegressor, FMClassifier, FMRegressor

ESTIMATORS = [FMClassifier, FMRegressor, FFMClassifier, FFMRegressor]


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("by", ["feature", "field"])
def test_an_estimator_explains_its_scores(estimator, by):
    rng = np.random.default_rng(0)
    X = FieldCSR(sp.csr_array(sp.random(60, 6, 0.5, "csr", random_state=rng)), fields=[0, 0, 1, 1, 1, 2])
    y = rng.integers(0, 2, 60)
    fitted = estimator(n_factors=2, max_iter=3, random_state=0, early_stopping=False).fit(X, y)
    found = fitted.explain(X, background=X, by=by, pairs=True)
    scores = fitted.decision_function(X) if hasattr(fitted, "decision_function") else fitted.predict(X)
    np.testing.assert_allclose(found.base + found.values.sum(axis=1), scores, rtol=1e-4, atol=1e-5)
    fields = None if by == "feature" else X.fields
    np.testing.assert_array_equal(
        found.values, explain(fitted.model_, X, background=X, by=by, fields=fields).values
    )


def test_before_fit_and_with_other_columns():
    with pytest.raises(NotFittedError):
        FMClassifier().explain(np.ones((1, 2)))
    fitted = FMClassifier(early_stopping=False, max_iter=1).fit(np.eye(2), [0, 1])
    with pytest.raises(ValueError, match="3 features"):
        fitted.explain(np.ones((1, 3)))


def test_three_classes_and_the_names_of_an_encoder():
    pytest.importorskip("pandas")
    rows = [{"color": c, "size": s} for c in ("red", "blue", "green") for s in (1, 2, 3)]
    encoder = FieldEncoder()
    X = encoder.fit_transform(rows)
    fitted = FMClassifier(early_stopping=False, max_iter=2, random_state=0).fit(X, np.arange(9) % 3)
    by_field = fitted.explain(X, by="field")
    assert by_field.to_frame(encoder).columns.tolist() == ["base", "color", "size"]
    by_feature = fitted.explain(X)
    assert by_feature.to_frame(encoder).columns.tolist() == ["base", *encoder.get_feature_names_out()]
    assert by_feature.values.shape == (9, 3, X.shape[1])
