"""Fields and normalisation in the estimators."""

import numpy as np
import pytest
import scipy.sparse as sp
from helpers.estimators import ALL

from fastfm_c import FFM, SGD, FieldCSR, SquaredLoss, load, save, train, vstack
from fastfm_c.sklearn import FFMClassifier, FFMRegressor, FMClassifier, FMRegressor

RNG = np.random.default_rng(0)
X = FieldCSR(RNG.standard_normal((60, 4)), fields=[0, 0, 1, 1])
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
        with pytest.raises(ValueError, match=r"X\.fields are not those that the model was fitted with"):
            call(other)
    model.predict(sp.csr_array(X))
    given = FFMClassifier(n_factors=2, fields=[0, 1, 2, 3], random_state=0).fit(X, Y)
    assert given.model_.n_fields == 4
    given.predict(other)


def test_many_columns_without_fields_are_refused():
    wide = sp.csr_array(sp.random(20, 2001, 0.01, "csr", random_state=RNG))
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
