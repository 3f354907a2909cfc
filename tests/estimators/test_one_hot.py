"""fields="one-hot": fields that are found in the columns, where scikit-learn has lost them."""

import numpy as np
import pytest
import scipy.sparse as sp

pytest.importorskip("sklearn")

from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from fastfm_c import FieldEncoder, load, save
from fastfm_c.sklearn import FFMClassifier
from fastfm_c.sklearn._one_hot import one_hot_fields


def found(rows, most_fields=100):
    return one_hot_fields(sp.csr_array(np.array(rows, float)), most_fields).tolist()


@pytest.mark.parametrize(
    ("rows", "fields"),
    [
        ([[1, 0, 1, 0, 0], [0, 1, 0, 0, 1], [1, 0, 0, 1, 0]], [0, 0, 1, 1, 1]),
        ([[1, 0, 0.5, 1, 0], [0, 1, -2, 0, 1]], [0, 0, 1, 2, 2]),  # a number between two fields
        ([[1, 0, 0.5, 3], [0, 1, -2, 4]], [0, 0, 1, 2]),
        ([[0, 0, 1, 0, 0, 1], [0, 1, 0, 0, 1, 0]], [0, 0, 0, 1, 1, 1]),  # unknown values come first
        ([[1, 0, 0], [0, 1, 0]], [0, 0, 0]),  # an empty column at the end
        ([[2, 0], [0, 3]], [0, 1]),  # each row has exactly one, but they are numbers
        ([[1, 0], [1, 1]], [0, 1]),
        ([[1, 0], [0, 0]], [0, 0]),  # a row has none: one column, and an empty one
        ([[1, 0, 1, 0], [0, 0, 0, 1], [0, 1, 1, 0]], [0, 1, 2, 2]),  # a row has no value of the first two
        ([[0, 0], [0, 0]], [0, 0]),
        ([[1], [1]], [0]),
    ],
)
def test_fields_of_columns(rows, fields):
    assert found(rows) == fields


def test_how_a_matrix_is_stored_does_not_matter():
    X = sp.csr_array(([0.5, 1.0, 0.5, 1.0, 0.0, 1.0, 1.0], [1, 3, 1, 0, 1, 2, 2], [0, 3, 7]), shape=(2, 4))
    assert one_hot_fields(X, 9).tolist() == found([[0, 1, 0, 1], [1, 0, 2, 0]])
    assert X.nnz == 7


@pytest.mark.parametrize("seed", range(20))
def test_fields_are_those_of_an_encoder(seed):
    rng = np.random.default_rng(seed)
    table = np.column_stack([rng.integers(n, size=50).astype(str) for n in rng.integers(2, 9, size=4)])
    encoder = FieldEncoder().fit(table.astype(object))
    X = encoder.transform(table.astype(object))
    assert one_hot_fields(sp.csr_array(X), 10).tolist() == encoder.fields_.tolist()


def test_too_many_fields_are_refused():
    with pytest.raises(ValueError, match="more than 3 fields are found"):
        found(np.full((2, 4), 0.5), 3)
    with pytest.raises(ValueError, match="no rows"):
        one_hot_fields(sp.csr_array((0, 3)), 3)


def words(n_words, n_rows=400):
    """A table of two columns of words and a number, and whether the words of a row belong together."""
    rng = np.random.default_rng(0)
    a, b = rng.integers(n_words, size=(2, n_rows))
    table = [[f"a {i}", f"b {j}", x] for i, j, x in zip(a, b, rng.standard_normal(n_rows), strict=True)]
    return np.array(table, object), (a + b) % 2


@pytest.mark.parametrize("encoder", [FieldEncoder(), OneHotEncoder(handle_unknown="ignore")])
def test_a_column_transformer_works_under_cross_validation(encoder):
    table, y = words(40)
    columns = ColumnTransformer([("f", encoder, [0, 1]), ("n", StandardScaler(), [2])])
    pipeline = make_pipeline(columns, FFMClassifier(fields="one-hot", learning_rate=0.2, random_state=0))
    assert cross_val_score(pipeline, table, y, cv=3, error_score="raise").min() > 0.8
    assert pipeline.fit(table, y)[-1].model_.n_fields == 3
    search = GridSearchCV(pipeline, {"ffmclassifier__n_factors": [2, 4]}, cv=2, error_score="raise")
    assert search.fit(table, y).best_estimator_[-1].model_.n_fields == 3


def test_an_estimator_with_found_fields_goes_on_and_is_saved(tmp_path):
    table, y = words(8)
    X = sp.csr_array(FieldEncoder().fit_transform(table[:, :2]))
    model = FFMClassifier(fields="one-hot", max_iter=2, warm_start=True, random_state=0).fit(X, y)
    assert model.model_.n_fields == 2
    save(model, tmp_path / "file")
    again = load(tmp_path / "file")
    assert again.fields == clone(model).fields == "one-hot"
    np.testing.assert_array_equal(again.fit(X, y).predict_proba(X), model.fit(X, y).predict_proba(X))
    model.partial_fit(X, y)  # the fields are known


def test_what_fields_takes():
    X, y = np.eye(4), [0, 1, 0, 1]
    with pytest.raises(ValueError, match='fields is "one-hot", but the first rows of a stream'):
        FFMClassifier(fields="one-hot").partial_fit(X, y, classes=[0, 1])
    with pytest.raises(ValueError, match="fields is 'onehot', expected \"one-hot\""):
        FFMClassifier(fields="onehot").fit(X, y)
