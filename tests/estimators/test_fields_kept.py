"""Fields on their way to an estimator, from file to file and step to step: kept, or a warning tells."""

import io
import warnings

import numpy as np
import pytest
import scipy.sparse as sp

pytest.importorskip("sklearn")

from helpers.estimators import may_end_early
from helpers.libffm_texts import FIELDS, NOT_IN_TEST, read, text, with_conflict
from sklearn.compose import ColumnTransformer
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import StandardScaler

from fastfm_c import FieldCSR, FieldEncoder
from fastfm_c.sklearn import FFMClassifier, FieldColumnTransformer

pytestmark = may_end_early

# ------------------------------------------------------------------ a file for training, one for testing

CALLS = {
    "predict": lambda model, X, y: model.predict_proba(X),
    "eval_set": lambda model, X, y: model.fit(X_TRAIN, Y_TRAIN, eval_set=(X, y)),
    "partial_fit": lambda model, X, y: model.partial_fit(X, y),
    "warm_start": lambda model, X, y: model.set_params(warm_start=True).fit(X, y),
}
X_TRAIN, Y_TRAIN, _ = read(text(0, []))


@pytest.mark.parametrize("call", CALLS)
def test_rows_that_lack_some_features_of_the_training_rows_are_taken(call):
    """Their columns conflict with nothing. A value in another field is refused."""
    model = FFMClassifier(n_factors=2, max_iter=2, random_state=0).fit(X_TRAIN, Y_TRAIN)
    X, y, _ = read(text(1, NOT_IN_TEST), n_features=12)
    with pytest.raises(ValueError, match="field"):
        CALLS[call](model, with_conflict(X), y)
    expected = model.predict_proba(sp.csr_array(X))
    CALLS[call](model, X, y)
    assert model.model_.fields.tolist() == FIELDS.tolist()
    if call == "predict":
        np.testing.assert_array_equal(model.predict_proba(X), expected)


def test_a_feature_that_the_training_rows_lack_is_in_no_field_yet():
    X, y, _ = read(text(0, [11]), n_features=12)
    X_test, y_test, fields = read(text(1, NOT_IN_TEST))
    assert fields[11] == 2
    model = FFMClassifier(n_factors=2, max_iter=2, random_state=0)
    model.fit(X, y, eval_set=(X_test, y_test))
    assert np.isfinite(model.predict_proba(X_test)).all()


# -------------------------------------------------------------------------------- not lost without a word


def words(n_words, n_rows=400):
    """A table of two columns of words, and whether the words of a row belong together."""
    a, b = np.random.default_rng(0).integers(n_words, size=(2, n_rows))
    table = [[f"word {i}", f"word {j}"] for i, j in zip(a, b, strict=True)]
    return np.array(table, object), (a + b) % 2


def through_a_file(X):
    file = io.BytesIO()
    sp.save_npz(file, X)
    return sp.load_npz(io.BytesIO(file.getvalue()))


def encoded(table):
    return FieldEncoder().fit_transform(table)


WAYS = {
    "ColumnTransformer": lambda t: ColumnTransformer([("f", FieldEncoder(), [0, 1])]).fit_transform(t),
    "FeatureUnion": lambda t: FeatureUnion([("f", FieldEncoder())]).fit_transform(t),
    "csr_matrix": lambda t: sp.csr_matrix(encoded(t)),
    "tocsc": lambda t: encoded(t).tocsc().tocsr(),
    "save_npz": lambda t: through_a_file(encoded(t)),
    "sum": lambda t: encoded(t) + encoded(t),
    "multiply": lambda t: sp.csr_array(encoded(t).multiply(2.0)),
    "FieldCSR": lambda t: FieldCSR(encoded(t)),
}


@pytest.mark.parametrize("way", WAYS)
def test_fields_are_kept_or_their_loss_is_told(way):
    table, y = words(65)
    X = WAYS[way](table)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model = FFMClassifier(n_factors=1, max_iter=1, random_state=0).fit(X, y).model_
    told = any(issubclass(w.category, UserWarning) and "field" in str(w.message) for w in caught)
    assert model.n_fields == 2 or told


def test_one_line_gives_the_fields_of_a_column_transformer_under_cross_validation():
    """The width differs from fold to fold, since each word of the third column occurs but once.

    scikit-learn's ColumnTransformer cannot pass the fields on: it stacks plain matrices, and each fold clones
    the pipeline, so that nothing that a model was given is fitted to that fold.
    """
    table, y = words(24)
    once = np.array([f"row {i}" for i in range(len(y))], object)
    table = np.column_stack([table, once, np.random.default_rng(1).standard_normal((len(y), 2))])
    columns = FieldColumnTransformer([("f", FieldEncoder(), [0, 1, 2]), ("n", StandardScaler(), [3, 4])])
    model = FFMClassifier(n_factors=4, learning_rate=0.2, random_state=0)
    pipeline = make_pipeline(columns, model)
    # With one field for each column, or with fields at random, it is less than 0.7.
    assert cross_val_score(pipeline, table, y, cv=3, error_score="raise").min() > 0.9
    fields = pipeline.fit(table, y)[-1].model_.fields
    assert fields[:-2].tolist() == pipeline[0].named_transformers_["f"].fields_.tolist()
    assert fields[-2:].min() > 2
