"""Pairs of features and fields that count most."""

import itertools

import numpy as np
import pytest
import scipy.sparse as sp
from helpers.make import make_model

from fastfm_c import FM
from fastfm_c.inspection import _top_pairs as module
from fastfm_c.inspection import explain, pair_importance, top_pairs


def make(kind, n, outputs=(), n_fields=3):
    rng = np.random.default_rng(n)
    fields = rng.integers(0, n_fields, n) if kind == "FFM" else None
    model = make_model(rng, outputs, n, 4, "float64", n_fields=n_fields, fields=fields)
    model.V *= rng.exponential(1, n)[:, None] if fields is None else rng.exponential(1, n)[:, None, None]
    return model


def products(model):
    """a_ij of all pairs, (outputs, n, n)."""
    V = model.V if model.V.ndim == (4 if hasattr(model, "fields") else 3) else model.V[None]
    if not hasattr(model, "fields"):
        return np.einsum("cik,cjk->cij", V, V)
    G = V[:, :, model.fields]
    return np.einsum("cijk,cjik->cij", G, G)


@pytest.mark.parametrize("kind", ["FM", "FFM"])
@pytest.mark.parametrize("outputs", [(), (3,)])
@pytest.mark.parametrize("side", [7, 1024])
def test_top_pairs_are_those_of_all_pairs(kind, outputs, side, monkeypatch):
    monkeypatch.setattr(module, "_SIDE", side)
    model = make(kind, 60, outputs)
    a = products(model)
    largest = np.take_along_axis(a, np.abs(a).argmax(axis=0)[None], axis=0)[0]
    order = sorted(itertools.combinations(range(60), 2), key=lambda pair: -abs(largest[pair]))
    for n in 1, 10, 5000:
        found = top_pairs(model, n)
        assert [pair[:2] for pair in found] == order[:n]
        np.testing.assert_allclose([value for *_, value in found], [largest[pair] for pair in order[:n]])


def test_blocks_below_the_bound_are_left_out(monkeypatch):
    """Two features are far longer than all others: only blocks with them are multiplied."""
    monkeypatch.setattr(module, "_SIDE", 10)
    V = np.full((2000, 2), 1e-3)
    V[[3, 1500]] = 1.0
    added = []
    monkeypatch.setattr(
        module._Best, "add", lambda self, i, *rest: added.append(len(i)) or add(self, i, *rest)
    )
    assert top_pairs(FM(0.0, np.zeros(2000), V), 1) == [(3, 1500, 2.0)]
    assert len(added) == 1


add = module._Best.add


def test_equal_products_and_chosen_features():
    model = FM(0.0, np.zeros(5), np.ones((5, 1)))
    assert top_pairs(model, 3) == [(0, 1, 1.0), (0, 2, 1.0), (0, 3, 1.0)]
    assert top_pairs(model, 9, features=[4, 2]) == [(2, 4, 1.0)]
    assert top_pairs(model, 9, features=[]) == []
    for features, words in ([5], "outside 0..4"), ([1, 1], "1 twice"), ([0.5], "integers"), ([-1], "outside"):
        with pytest.raises(ValueError, match=words):
            top_pairs(model, 1, features=features)
    with pytest.raises(ValueError, match="n must be"):
        top_pairs(model, 0)


@pytest.mark.parametrize("kind", ["FM", "FFM"])
@pytest.mark.parametrize("outputs", [(), (2,)])
@pytest.mark.parametrize("by", ["feature", "field"])
@pytest.mark.parametrize("has_background", [True, False])
def test_importance_is_the_mean_of_absolute_interactions(kind, outputs, by, has_background):
    rng = np.random.default_rng(5)
    model = make(kind, 9, outputs)
    X = rng.standard_normal((30, 9)) * (rng.random((30, 9)) < 0.5)
    options = {"by": by, "background": X[:7] if has_background else None}
    if by == "field":
        options["fields"] = getattr(model, "fields", np.arange(9) % 3)
    pairs = explain(model, X, pairs=True, **options).pairs
    dense = [p.toarray() if sp.issparse(p) else p for p in pairs]
    found = pair_importance(model, X, **options)
    found = found.toarray() if sp.issparse(found) else found
    np.testing.assert_allclose(found, np.mean(np.abs(dense), axis=0), atol=1e-12)


def test_importance_of_no_rows_is_refused():
    with pytest.raises(ValueError, match="no rows"):
        pair_importance(FM.random(3, 2), np.zeros((0, 3)), by="feature")
