"""Pruning: what is left out, and that the cost is the one that is measured."""

import numpy as np
import pytest
import scipy.sparse as sp
from helpers.make import make_model

from fastfm_c import FM, LogisticLoss, SquaredLoss
from fastfm_c.serving import prune, quantize


def problem(kind, k=6):
    rng = np.random.default_rng(0)
    fields = np.arange(20) % 3 if kind == "FFM" else None
    model = make_model(rng, (), 20, k, "float64", n_fields=3, fields=fields)
    X = sp.csr_array(sp.random(500, 20, 0.3, "csr", random_state=rng))
    return model, X, (model.predict(X) + rng.normal(size=500) > 0).astype(float)


@pytest.mark.parametrize("kind", ["FM", "FFM"])
def test_features_that_never_count_cost_nothing(kind):
    model, X, y = problem(kind)
    model.w[[3, 7]], model.V[[3, 7]] = 0, 0
    found = prune(model, X, y)
    assert sorted(set(range(20)) - set(found.features.tolist())) == [3, 7]
    assert found.cost == pytest.approx(0, abs=1e-12)
    np.testing.assert_allclose(found.model.predict(X[:, found.features]), model.predict(X), atol=1e-12)
    assert found.shares.sum() == pytest.approx(1)


@pytest.mark.parametrize("kind", ["FM", "FFM"])
def test_factors_that_are_combinations_of_others_cost_nothing(kind):
    model, X, y = problem(kind)
    rng = np.random.default_rng(1)
    model.V[...] = model.V[..., :2] @ rng.normal(size=(2, 6))
    found = prune(model, X, y, least_share=0, n_factors=2)
    assert found.model.n_factors == 2
    np.testing.assert_allclose(found.model.predict(X), model.predict(X), rtol=1e-9, atol=1e-9)


@pytest.mark.parametrize("kind", ["FM", "FFM"])
def test_the_cost_is_that_of_the_smaller_model(kind):
    model, X, y = problem(kind)
    for loss in LogisticLoss(), SquaredLoss():
        found = prune(model, X, y, loss=loss, least_share=0.03, n_factors=3)
        rows = sp.csr_array(X[:, found.features])
        assert found.loss == model.objective(X, y, loss)
        assert found.pruned_loss == found.model.objective(rows, y, loss)
        assert 0 < len(found.features) < 20
    assert "loss" in repr(found)


@pytest.mark.parametrize("n_factors", [6, 2])
def test_repeats_stay(n_factors):
    model, X, y = problem("FM")
    model.repeats = "separate"
    assert prune(model, X, y, n_factors=n_factors).model.repeats == "separate"


def test_what_is_refused():
    model, X, y = problem("FM")
    for other in "model", quantize(model):
        with pytest.raises(ValueError, match="expected an FM or FFM"):
            prune(other, X, y)
    for options, words in ({"least_share": 1}, "least_share"), ({"n_factors": 7}, "the model has 6"):
        with pytest.raises(ValueError, match=words):
            prune(model, X, y, **options)
    with pytest.raises(ValueError, match="expected one"):
        prune(FM.random(20, 2, n_outputs=3), X, y)
    with pytest.raises(ValueError, match="no rows"):
        prune(model, X[:0], y[:0])
