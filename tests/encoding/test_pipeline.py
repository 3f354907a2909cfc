"""FieldEncoder among scikit-learn's tools, and on real data."""

import bz2
import csv
import io
from importlib import resources

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV, cross_val_score
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.utils import _safe_indexing, get_tags, resample

from fastfm_c import FieldCSR, FieldEncoder
from fastfm_c.datasets import load_adult
from fastfm_c.encoding import Categorical, Hashed, Numeric
from fastfm_c.sklearn import FFMClassifier

pd = pytest.importorskip("pandas")
pytest.importorskip("narwhals")

NAMES = load_adult().field_names
NUMERIC = ("age", "fnlwgt", "education-num", "capital-gain", "capital-loss", "hours-per-week")
COLUMNS = {name: Numeric(bins=16) if name in NUMERIC else "categorical" for name in NAMES}


@pytest.fixture(scope="module")
def adult():
    """(training table, test table) as they are in the files, with "?" for what is missing."""
    tables = []
    for file in ("adult.data.bz2", "adult.test.csv.bz2"):
        raw = resources.files("fastfm_c.datasets").joinpath(file).read_bytes()
        text = io.StringIO(bz2.decompress(raw).decode())
        rows = [row for row in csv.reader(text, skipinitialspace=True) if row[0].isdigit()]
        table = pd.DataFrame([row[:-1] for row in rows], columns=list(NAMES))
        tables.append(table.astype(dict.fromkeys(NUMERIC, "int64")))
    return tables


def small(n_rows=300):
    """A table whose target is whether two of its columns are equal."""
    rng = np.random.default_rng(0)
    table = pd.DataFrame({name: rng.choice(list("pqr"), n_rows) for name in ("a", "b", "c")})
    return table, (table["a"] == table["b"]).to_numpy()


def pipeline(**options):
    model = FFMClassifier(n_factors=4, max_iter=20, learning_rate=0.2, random_state=0, n_jobs=1)
    return Pipeline([("encoder", FieldEncoder(**options)), ("model", model)])


def test_the_fields_reach_the_model():
    table, y = small()
    fitted = pipeline().fit(table, y)
    assert (
        fitted["model"].model_.fields.tolist()
        == fitted["encoder"].fields_.tolist()
        == [0] * 4 + [1] * 4 + [2] * 4
    )
    assert fitted.score(table, y) > 0.95
    assert fitted["encoder"].unknown_counts_ == {"a": 0, "b": 0, "c": 0}
    assert fitted.score(table.assign(c="new"), y) > 0.9
    assert fitted["encoder"].unknown_counts_ == {"a": 0, "b": 0, "c": 300}
    assert fitted[:-1].get_feature_names_out()[3] == "a=r"
    assert fitted.feature_names_in_.tolist() == ["a", "b", "c"]
    repr(fitted)
    fitted._repr_html_()


@pytest.mark.parametrize("form", ["frame", "dicts", "objects"])
def test_cross_validation(form):
    """With other values in each fold, and so other features."""
    table, y = small()
    table["c"] = [f"row {i}" for i in range(len(table))]
    X = {"frame": table, "dicts": table.to_dict("records"), "objects": table.to_numpy(object)}[form]
    assert cross_val_score(pipeline(), X, y, cv=3, error_score="raise").min() > 0.9


def test_grid_search_over_both():
    table, y = small()
    grid = {
        "encoder__min_count": [1, 1000],
        "encoder__columns": [None, {"a": "categorical", "b": Hashed(4)}],
        "model__n_factors": [2, 4],
    }
    search = GridSearchCV(pipeline(), grid, cv=2, error_score="raise").fit(table, y)
    assert search.best_score_ > 0.95
    assert search.best_params_["encoder__columns"] is None or search.best_params_["encoder__min_count"] == 1
    everything_rare = [
        p["encoder__columns"] is None and p["encoder__min_count"] > 1 for p in search.cv_results_["params"]
    ]
    assert search.cv_results_["mean_test_score"][everything_rare].max() < 0.75


def test_clone_and_tags():
    encoder = FieldEncoder({"a": Categorical(min_count=2)}, missing="own")
    copied = clone(encoder.fit([{"a": "x"}]))
    assert copied.get_params() == encoder.get_params()
    assert not hasattr(copied, "fields_")
    tags = get_tags(encoder)
    assert tags.transformer_tags is not None
    assert tags.input_tags.string
    assert not tags.target_tags.required


def test_a_field_csr_among_scikit_learns_tools():
    table, y = small()
    X = FieldEncoder().fit_transform(table)
    mask = np.arange(len(y)) % 3 == 0
    for key in (slice(0, 100), np.flatnonzero(mask), mask, [5, 3]):
        part = _safe_indexing(X, key)
        assert isinstance(part, FieldCSR)
        assert part.fields.tolist() == X.fields.tolist()
    assert resample(X, random_state=0).fields.tolist() == X.fields.tolist()
    model = FFMClassifier(n_factors=2, max_iter=3, random_state=0, n_jobs=1)
    assert cross_val_score(model, X, y, cv=2).shape == (2,)
    assert model.fit(X[mask], y[mask]).model_.n_fields == 3
    assert make_pipeline(FieldEncoder(), LogisticRegression()).fit(table, y).score(table, y) > 0.5


def test_adult_is_encoded_as_load_adult_encodes_its_categories(adult):
    loaded = load_adult()
    encoder = FieldEncoder(COLUMNS).fit(adult[0])
    names = encoder.get_feature_names_out().tolist()
    for table, X in zip(adult, (loaded.X_train, loaded.X_test), strict=True):
        mine, checked = encoder.transform(table), 0
        for j, name in enumerate(loaded.feature_names):
            if loaded.field_names[loaded.fields[j]] not in NUMERIC:
                checked += 1
                assert (mine[:, [names.index(name)]] != X[:, [j]]).nnz == 0
        assert checked == 110
        assert (np.diff(mine.indptr) == 14).all()


def test_an_ffm_learns_adult(adult):
    """And a row is scored from a dict as from the table, of any library."""
    loaded = load_adult()
    model = FFMClassifier(n_factors=4, random_state=0, n_jobs=1)
    fitted = make_pipeline(FieldEncoder(COLUMNS, min_count=5), model).fit(adult[0], loaded.y_train)
    assert fitted.score(adult[1], loaded.y_test) > 0.86
    encoder, scores = fitted[0], fitted.decision_function(adult[1][:50])
    for row, score in zip(adult[1][:50].to_dict("records"), scores, strict=True):
        assert model.model_.predict_row(*encoder.encode_row(row)) == pytest.approx(score, abs=1e-6)
