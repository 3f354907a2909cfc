"""What users met: fields that are refused, lost or ignored, and features that a libffm row repeats.

Each test says what is right. Faults of streams, of held-out rows and of the encoder are in test_faults.py.
"""

import io
import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from helpers import foreign
from scipy.special import expit

pytest.importorskip("sklearn")

from sklearn.compose import ColumnTransformer
from sklearn.model_selection import cross_val_score
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import StandardScaler

from fastfm_c import FFM, AdaGrad, FieldCSR, FieldEncoder, LogisticLoss, load, save, train, vstack
from fastfm_c.interop import dump_libffm_model, load_libffm_model
from fastfm_c.sklearn import FFMClassifier, FieldColumnTransformer
from fastfm_c.text import iter_libffm, load_libffm

# ------------------------------------------------------------- fields: a file for training, one for testing

FIELDS = np.repeat([0, 1, 2], 4)
NOT_IN_TEST = [5, 10]


def text(seed, absent, n_rows=200):
    """A libffm file of rows with one feature of each of three fields, which are those of FIELDS."""
    rng = np.random.default_rng(seed)
    there = np.setdiff1d(np.arange(12), absent)
    rows = zip(*(rng.choice(there[FIELDS[there] == f], n_rows) for f in range(3)), strict=True)
    return "".join(f"{(a + b) % 2} 0:{a}:1 1:{b}:1 2:{c}:1\n" for a, b, c in rows).encode()


def read(content, **options):
    return load_libffm(io.BytesIO(content), **options)


def with_conflict(X):
    """The same rows, and the feature 6 in a field that it is not in."""
    return FieldCSR(X, fields=np.where(np.arange(12) == 6, 2, X.fields))


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


def test_vstack_takes_the_field_of_a_column_from_the_blocks_with_values_in_it():
    X, _, _ = read(text(0, [11]), n_features=12)
    X_test, _, _ = read(text(1, NOT_IN_TEST))
    for blocks in ([X, X_test], [X_test, X]):
        stacked = vstack(blocks)
        assert stacked.fields.tolist() == FIELDS.tolist()
        np.testing.assert_array_equal(stacked.toarray(), np.vstack([X.toarray() for X in blocks]))
    with pytest.raises(ValueError, match="fields"):
        vstack([X, with_conflict(X_test)])


def test_a_file_is_read_with_the_fields_of_another():
    _, _, fields = read(text(0, []))
    X, _, _ = read(text(1, [*NOT_IN_TEST, 11]), fields=fields)
    assert X.shape == (200, 12)
    assert X.fields.tolist() == FIELDS.tolist()
    with pytest.raises(ValueError, match="found feature 6 in field 1, expected field 2"):
        read(text(1, []), fields=with_conflict(X).fields)


# -------------------------------------------------------------- fields: features that are in several fields

# Columns of FIRST, by their features and fields: 0 in 1, 0 in 0, 1 in 0.
FIRST = b"1 1:0:1 0:0:2 0:1:3\n"
SECOND = b"0 0:1:4 1:0:5\n"
SECOND_ROW = [[5, 0, 4]]


def table_of_first():
    """What says which column each pair of feature and field has: the fields that load_libffm returns."""
    return read(FIRST, on_field_conflict="split")[2]


def test_a_pair_of_feature_and_field_has_the_same_column_in_the_blocks_of_the_next_file():
    ((X, _),) = iter_libffm(io.BytesIO(SECOND), fields=table_of_first())
    assert X.toarray().tolist() == SECOND_ROW
    assert X.fields.tolist() == [1, 0, 0]


def test_a_pair_of_feature_and_field_has_the_same_column_in_the_next_file():
    X, _, _ = read(SECOND, fields=table_of_first())
    assert X.toarray().tolist() == SECOND_ROW
    assert X.fields.tolist() == [1, 0, 0]


def test_the_columns_of_pairs_can_be_saved(tmp_path):
    save(table_of_first(), tmp_path / "table")
    ((X, _),) = iter_libffm(io.BytesIO(SECOND), fields=load(tmp_path / "table"))
    assert X.toarray().tolist() == SECOND_ROW


def libffm_score(V, row, normalize):
    """What libffm computes of a row of (field, feature, value)."""
    score = 0.0
    for k, (f, i, x) in enumerate(row):
        for g, j, z in row[k + 1 :]:
            score += V[i, g] @ V[j, f] * x * z
    return score / sum(x * x for *_, x in row) if normalize else score


def test_a_model_of_libffm_is_read_with_the_columns_of_pairs(tmp_path):
    theirs = FFM.random([0, 1, 0], 4, init_stdev=1.0, rng=0)
    dump_libffm_model(theirs, tmp_path / "model")
    model = load_libffm_model(tmp_path / "model", table_of_first())
    np.testing.assert_array_equal(model.V, theirs.V[[0, 0, 1]])
    expected = libffm_score(theirs.V, [(1, 0, 1), (0, 0, 2), (0, 1, 3)], model.normalize)
    assert model.predict_row([0, 1, 2], [1.0, 2.0, 3.0]) == pytest.approx(expected, rel=1e-5)


# ------------------------------------------------------------------------- fields: not lost without a word


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


# ---------------------------------------------------------- fields: one rule for models and for estimators

LABELS = [0.0, 1.0]
READERS = {
    "predict": lambda model, X: model.predict(X),
    "objective": lambda model, X: model.objective(X, LABELS, LogisticLoss()),
    "gradient": lambda model, X: model.gradient(X, LABELS, LogisticLoss()),
    "partial_fit": lambda model, X: AdaGrad(model, LogisticLoss()).partial_fit(X, LABELS),
    "train": lambda model, X: train(model, X, LABELS, LogisticLoss(), max_iter=1),
}


@pytest.mark.parametrize("reader", READERS)
def test_an_ffm_refuses_values_in_other_fields_as_estimators_do(reader):
    """And takes columns without values, whatever their fields."""
    model = FFM.random([0, 1, 2, 1], 2, rng=0)
    rows = [[1.0, 1.0, 2.0, 0.0], [0.0, 1.0, 0.0, 0.0]]
    READERS[reader](model, FieldCSR(rows, fields=[0, 1, 2, 0]))
    with pytest.raises(ValueError, match="field"):
        READERS[reader](model, FieldCSR(rows, fields=[2, 0, 1, 1]))


def test_a_warm_start_with_other_fields_is_refused():
    X, y = np.eye(4), [0, 1, 0, 1]
    model = FFMClassifier(fields=[0, 0, 1, 1], warm_start=True, max_iter=1, random_state=0).fit(X, y)
    model.set_params(fields=[0, 1, 0, 1])
    with pytest.raises(ValueError, match="fields"):
        model.fit(X, y)


# --------------------------------------------------------------- fields: a feature repeated in a libffm row


def predicted(model, line):
    return model.predict(read(line, n_features=model.n_features, dtype="float64")[0])[0]


def score_or_refusal(score, *args):
    """A score, or None where the row is refused because of what it repeats."""
    try:
        return score(*args)
    except ValueError as error:
        if "repeat" not in str(error):
            raise
        return None


def test_a_row_that_repeats_a_feature_has_the_probability_that_libffm_printed(tmp_path):
    V = np.full((2, 2, 4), 0.25, np.float32)
    dump_libffm_model(FFM(0.0, [0.0, 0.0], V, [0, 1], normalize="instance"), tmp_path / "model")
    model = load_libffm_model(tmp_path / "model", [0, 1])
    score = score_or_refusal(predicted, model, b"1 0:0:1 0:0:1 1:1:1")
    assert score is None or expit(score) == pytest.approx(0.562, abs=5e-4)


@pytest.mark.parametrize("name", [name for name in foreign.MODELS if name.startswith("libffm")])
def test_a_row_that_repeats_features_scores_as_in_libffm_or_is_refused(name):
    model, rng = foreign.load(name), np.random.default_rng(0)
    for _ in range(20):
        features, values = rng.integers(60, size=6), rng.uniform(0.5, 2.0, 6)
        features[3:] = rng.choice(features[:3], 3)
        row = list(zip(foreign.FIELDS[features], features, values, strict=True))
        line = "1 " + " ".join(f"{f}:{j}:{x}" for f, j, x in row)
        expected = libffm_score(model.V.astype(float), row, model.normalize)
        expected = pytest.approx(expected, rel=1e-5, abs=1e-5)  # some digits of float32
        assert score_or_refusal(predicted, model, line.encode()) in (None, expected)
        assert score_or_refusal(model.predict_row, features, values) in (None, expected)
