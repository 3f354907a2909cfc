"""The estimators: arguments and values that make no sense, or are hardly numbers any more."""

import numpy as np
import pytest

pytest.importorskip("sklearn")

from helpers.estimators import ALL, CLASSIFIERS, planted

from fastfm_c.sklearn import FFMClassifier, FMRegressor


@pytest.mark.parametrize("estimator", ALL)
def test_an_unknown_argument_is_refused_by_the_name_of_the_class(estimator):
    with pytest.raises(TypeError, match=rf"^{estimator.__name__}\.__init__\(\) got .* 'factors'"):
        estimator(factors=3)


@pytest.mark.parametrize("how", ["fit", "partial_fit", "predict"])
@pytest.mark.parametrize("estimator", [FFMClassifier, FMRegressor])
def test_words_instead_of_numbers_are_refused_with_the_name_of_the_encoder(estimator, how):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"user": ["a", "b"], "item": ["x", "y"]})
    numbers = pd.DataFrame({"user": [1.0, 2.0], "item": [0.0, 1.0]})
    model = estimator(max_iter=1)
    options = {"classes": [0, 1]} if how == "partial_fit" and estimator in CLASSIFIERS else {}
    if how == "predict":
        model.fit(numbers, [0, 1])
    y = () if how == "predict" else ([0, 1],)
    with pytest.raises(ValueError, match=rf"FieldEncoder\(\), {estimator.__name__}"):
        getattr(model, how)(frame, *y, **options)


@pytest.mark.parametrize("estimator", ALL)
@pytest.mark.parametrize("size", [5e-324, 1e-310, 1e308])
def test_weights_of_any_size_are_ratios(estimator, size):
    X, y = planted(60)
    models = [
        estimator(max_iter=3, random_state=0).fit(X, y > 0, weight).model_
        for weight in (np.ones(60), np.full(60, size))
    ]
    assert models[0] == models[1]


@pytest.mark.parametrize("estimator", ALL)
@pytest.mark.parametrize("n_classes", [2, 3])
@pytest.mark.parametrize("size", [1e30, 1e200])
def test_scores_of_huge_values_are_not_nan(estimator, n_classes, size):
    X, y = planted(200, 3)
    if estimator in CLASSIFIERS:
        y = np.digitize(y, [-0.5, 0.5][: n_classes - 1])
    model = estimator(max_iter=20, random_state=0).fit(X.toarray(), y)
    rows = size * np.array([[1.0, 1, 0], [0, -1, 1], [1, 1, 1], [0, 0, 0]])
    assert not np.isnan(model.predict(rows).astype(float)).any()
    assert model.predict(rows)[3] == model.predict(np.zeros((1, 3)))[0]
    if estimator in CLASSIFIERS:
        proba = model.predict_proba(rows)
        np.testing.assert_allclose(proba.sum(axis=1), 1)
        np.testing.assert_array_equal(model.predict(rows), model.predict(1e6 * rows / size))
