"""Fields and normalisation in the estimators."""

import warnings

import numpy as np
import pytest
import scipy.sparse as sp
from helpers.estimators import ALL
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.pipeline import FeatureUnion, make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from fastfm_c import FFM, SGD, FieldCSR, FieldEncoder, SquaredLoss, load, save, train, vstack
from fastfm_c.sklearn import FFMClassifier, FFMRegressor, FieldColumnTransformer, FMClassifier, FMRegressor

X = FieldCSR(np.random.default_rng(0).standard_normal((60, 4)), fields=[0, 0, 1, 1])
Y = np.arange(60) % 2


def test_other_fields_are_refused():
    model = FFMClassifier(n_factors=2, random_state=0).fit(X, Y)
    assert model.model_.n_fields == 2
    other = FieldCSR(X, fields=[0, 1, 1, 0])
    for call in (
        model.predict,
        lambda Z: model.partial_fit(Z, Y),
        lambda Z: model.fit(X, Y, eval_set=(Z, Y)),
    ):
        with pytest.raises(ValueError, match="column 1, which is in field 1, expected field 0"):
            call(other)
    model.predict(sp.csr_array(X))
    given = FFMClassifier(n_factors=2, fields=[0, 1, 2, 3], random_state=0).fit(X, Y)
    assert given.model_.n_fields == 4
    given.predict(other)


def test_columns_without_values_may_be_in_any_field():
    model = FFMClassifier(n_factors=2, random_state=0).fit(X, Y)
    empty = sp.csr_array(X.toarray() * [1, 0, 1, 0])
    other = FieldCSR(empty, fields=[0, 1, 1, 0])
    np.testing.assert_array_equal(model.decision_function(other), model.decision_function(empty))
    model.fit(X, Y, eval_set=(other, Y)).partial_fit(other, Y)
    integers = FieldCSR(np.eye(4, dtype=int), fields=[0, 0, 1, 0])  # converted, and still with fields
    with pytest.raises(ValueError, match="column 3, which is in field 0, expected field 1"):
        model.predict(integers)


@pytest.mark.parametrize("call", ["fit", "partial_fit"])
def test_other_fields_to_go_on_with_are_refused(call):
    model = FFMClassifier(n_factors=2, random_state=0, warm_start=True, fields=[0, 0, 1, 1]).fit(X, Y)
    getattr(model, call)(X, Y)
    model.set_params(fields=np.array([0, 1, 1, 0]))
    with pytest.raises(ValueError, match="fields are not those of the model that the training goes on with"):
        getattr(model, call)(X, Y)
    assert model.set_params(warm_start=False).fit(X, Y).model_.fields.tolist() == [0, 1, 1, 0]


@pytest.mark.parametrize(("n_features", "is_told"), [(64, False), (65, True)])
def test_many_fields_of_a_sparse_matrix_without_fields_are_told(n_features, is_told):
    wide = sp.random(20, n_features, 0.2, "csr", random_state=0)
    estimator = FFMRegressor(n_factors=1, max_iter=1)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        estimator.fit(wide, np.arange(20.0))
        estimator.predict(wide)
        estimator.fit(wide.toarray(), np.arange(20.0))
        estimator.fit(FieldCSR(wide, fields=np.zeros(n_features, int)), np.arange(20.0))
        estimator.set_params(fields=np.zeros(n_features, int)).fit(wide, np.arange(20.0))
    told = [w for w in caught if "each column becomes a field of its own" in str(w.message)]
    assert len(told) == is_told
    assert all(w.category is UserWarning and w.filename == __file__ for w in told)


TABLE = np.array([["a", "x", 1.0, "r"], ["b", "x", 2.0, "s"], ["a", "y", 4.0, "t"]] * 8, object)
PARTS = [("f", FieldEncoder(), [0, 1]), ("n", StandardScaler(), [2]), ("o", OneHotEncoder(), [3])]


def encoded_fields():
    return [*FieldEncoder().fit(TABLE[:, :2]).fields_, 2, 3, 3, 3]


@pytest.mark.parametrize("threshold", [0.0, 0.3, 1.0])
def test_a_field_column_transformer_keeps_fields(threshold):
    columns = FieldColumnTransformer(PARTS, sparse_threshold=threshold)
    for Z in (columns.fit_transform(TABLE), columns.transform(TABLE), clone(columns).fit_transform(TABLE)):
        assert isinstance(Z, FieldCSR)
        assert Z.fields.tolist() == encoded_fields()
    plain = ColumnTransformer(PARTS, sparse_threshold=0).fit_transform(TABLE)
    np.testing.assert_array_equal(Z.toarray(), plain.astype(float))
    nested = FieldColumnTransformer([("g", columns, [0, 1, 2, 3])], remainder="passthrough").fit(TABLE)
    assert nested.fields_.tolist() == encoded_fields()
    rest = FieldColumnTransformer([("f", FieldEncoder(), [0]), ("no", "drop", [1])], remainder="passthrough")
    rest.fit(TABLE[:, :3])
    assert rest.fields_.tolist() == [*FieldEncoder().fit(TABLE[:, :1]).fields_, 1]


@pytest.mark.parametrize(
    "transformer",
    [
        ColumnTransformer(PARTS),
        FeatureUnion([("c", ColumnTransformer(PARTS))]),
        make_pipeline(ColumnTransformer(PARTS)),
    ],
)
def test_fields_come_from_a_fitted_transformer(transformer):
    rows = sp.csr_array(transformer.fit_transform(TABLE).astype(float))
    y = np.arange(24) % 2
    model = FFMClassifier(n_factors=2, fields=transformer, random_state=0).fit(rows, y)
    assert model.model_.fields.tolist() == encoded_fields()
    with pytest.raises(ValueError, match=r"is not fitted.*FieldColumnTransformer"):
        clone(model).fit(rows, y)
    with pytest.raises(ValueError, match=r"fields has shape"):
        model.fit(rows[:, 1:], y)


def test_many_columns_without_fields_are_refused():
    wide = sp.csr_array(sp.random(20, 2001, 0.01, "csr", random_state=0))
    with pytest.raises(ValueError, match="2001 columns and no fields"):
        FFMRegressor().fit(wide, np.arange(20.0))
    fields = np.zeros(2001, int)
    assert FFMRegressor(n_factors=1).fit(FieldCSR(wide, fields=fields), np.arange(20.0)).model_.n_fields == 1
    assert FFMRegressor(n_factors=1, fields=fields).fit(wide, np.arange(20.0)).model_.n_fields == 1
    assert vstack([FieldCSR(wide, fields=fields)] * 2).fields.tolist() == fields.tolist()


@pytest.mark.parametrize("create", ALL)
@pytest.mark.parametrize("solver", ["adagrad", "lbfgs"])
def test_normalised_rows(create, solver, tmp_path):
    """The length of a row says nothing to a model that divides by it."""
    options = {"n_factors": 2, "solver": solver, "random_state": 0, "normalize": "instance"}
    factors = np.where(Y, 1.0, 4.0)[:, None]
    scaled = FieldCSR(sp.csr_array(X.multiply(factors)), fields=X.fields)
    one, other = (create(**options).fit(Z, Y) for Z in (X, scaled))
    if solver != "lbfgs":  # whose path depends on the sizes of columns
        np.testing.assert_allclose(one.model_.V, other.model_.V, rtol=1e-3, atol=1e-5)
    assert one.model_.normalize == "instance"
    save(one, tmp_path / "file")
    again = load(tmp_path / "file")
    assert again.get_params()["normalize"] == again.model_.normalize == "instance"
    np.testing.assert_array_equal(again.predict(X), one.predict(X))


def test_what_normalize_takes():
    assert FMRegressor(n_factors=1, normalize="xlearn").fit(X, Y).model_.normalize == "xlearn"
    with pytest.raises(ValueError, match="None or 'instance', got 'xlearn'"):
        FFMRegressor(n_factors=1, normalize="xlearn").fit(X, Y)
    with pytest.raises(ValueError, match="None, 'instance' or 'xlearn', got 'l2'"):
        FMClassifier(normalize="l2").fit(X, Y)
    model = FFM.random(X.fields, 2, rng=0)
    train(model, X, Y, SquaredLoss(), max_iter=1, normalize="instance", rng=0)
    assert model.normalize == "instance"


def test_masked_values_are_refused():
    masked = np.ma.masked_array(np.ones((2, 4)), mask=np.eye(2, 4))
    model = FFM.random(X.fields, 2, rng=0)
    with pytest.raises(ValueError, match="masked values"):
        model.predict(masked)
    model.predict(np.ma.masked_array(np.ones((2, 4))))


def test_resizing_needs_fields_of_an_ffm_alone():
    model = FFM.random(X.fields, 2, rng=0)
    with pytest.raises(ValueError, match="fields is None"):
        model.resize(5)
    with pytest.raises(ValueError, match="fields is None"):
        SGD(model, SquaredLoss()).resize(5)
    fm = FMRegressor(n_factors=1).fit(X, Y).model_
    with pytest.raises(ValueError, match="an FM has none"):
        SGD(fm, SquaredLoss()).resize(5, [0, 0, 1, 1, 1])
