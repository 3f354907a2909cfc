"""Explanations: what they are by definition, and what they refuse."""

import numpy as np
import pytest
import scipy.sparse as sp
from helpers.games import coalition_values, shapley_interactions, shapley_values
from helpers.make import make_model

from fastfm_c import FFM, FM, FieldCSR
from fastfm_c.inspection import Explanation, compare_norms, explain, pair_importance, top_pairs
from fastfm_c.serving import quantize

# Sums of a few hundred terms of about 1, in float64.
TOLERANCE = 1e-10
FIELDS = np.array([0, 1, 1, 2, 0, 2, 3, 2])


def make(rng, kind, outputs=(), dtype="float64"):
    fields = FIELDS if kind == "FFM" else None
    return make_model(rng, outputs, 8, 3, dtype, n_fields=4, fields=fields)


def dense(values):
    return values.toarray() if sp.issparse(values) else values


def rows(rng, n):
    return rng.standard_normal((n, 8)) * (rng.random((n, 8)) < 0.6)


@pytest.mark.parametrize("outputs", [(), (3,)])
@pytest.mark.parametrize("kind", ["FM", "FFM"])
@pytest.mark.parametrize("by", ["feature", "field"])
@pytest.mark.parametrize("has_background", [True, False])
def test_every_coalition(kind, by, outputs, has_background):
    rng = np.random.default_rng(len(kind) + len(outputs))
    model, X, R = make(rng, kind, outputs), rows(rng, 3), rows(rng, 5)
    player, P = (FIELDS, 4) if by == "field" else (np.arange(8), 8)
    fields = FIELDS if by == "field" else None
    background = R if has_background else None
    found = explain(model, X, background=background, by=by, fields=fields, pairs=True)
    for i, x in enumerate(X):
        worth = coalition_values(model.predict, x, R if has_background else np.zeros((1, 8)), player, P)
        np.testing.assert_allclose(found.base, worth[frozenset()], atol=TOLERANCE)
        np.testing.assert_allclose(dense(found.values)[i], shapley_values(worth, P), atol=TOLERANCE)
        np.testing.assert_allclose(dense(found.pairs[i]), shapley_interactions(worth, P), atol=TOLERANCE)


@pytest.mark.parametrize("kind", ["FM", "FFM"])
@pytest.mark.parametrize("by", ["feature", "field"])
def test_values_add_up_to_the_score(kind, by):
    rng = np.random.default_rng(0)
    model, X = make(rng, kind, dtype="float32"), sp.csr_array(rows(rng, 3000))
    found = explain(model, X, background=X[:100], by=by, fields=FIELDS if by == "field" else None)
    scores = model.predict(X)
    np.testing.assert_allclose(found.base + found.values.sum(axis=1), scores, rtol=1e-5, atol=1e-5)


def test_without_background_values_are_as_sparse_as_the_rows():
    model = FM.random(10**6, 4, dtype="float64", init_stdev=1, rng=0)
    X = sp.csr_array(([1.0, 2.0, 3.0], [5, 999_999, 7], [0, 2, 3]), shape=(2, 10**6))
    found = explain(model, X, pairs=True)
    assert found.values.nnz == 3
    np.testing.assert_allclose(found.base + found.values.sum(axis=1), model.predict(X))
    assert found.pairs[0][5, 999_999] == pytest.approx(2 * model.V[5] @ model.V[999_999])
    assert found.pairs[1].nnz == 0


def test_where_fields_come_from():
    rng = np.random.default_rng(0)
    fm, ffm, X = make(rng, "FM"), make(rng, "FFM"), rows(rng, 2)
    wanted = explain(fm, X, by="field", fields=FIELDS).values
    np.testing.assert_array_equal(explain(fm, FieldCSR(X, fields=FIELDS), by="field").values, wanted)
    np.testing.assert_array_equal(
        explain(ffm, X, by="field").values, explain(ffm, X, by="field", fields=FIELDS).values
    )
    with pytest.raises(ValueError, match="needs fields"):
        explain(fm, X, by="field")
    with pytest.raises(ValueError, match="not those of the FFM"):
        explain(ffm, X, by="field", fields=FIELDS[::-1])
    with pytest.raises(ValueError, match="by='feature' does not use"):
        explain(fm, X, fields=FIELDS)


def test_columns_that_a_row_repeats_are_summed():
    model = FM.random(3, 2, init_stdev=1, dtype="float64", rng=0)
    X = sp.csr_array((np.array([1.0, 2.0]), np.array([1, 1]), np.array([0, 2])), shape=(1, 3))
    assert explain(model, X).values.toarray()[0, 1] == pytest.approx(3 * model.w[1])
    assert explain(model, X, background=X).values.shape == (1, 3)


@pytest.mark.parametrize("background", [None, np.ones((2, 3))])
@pytest.mark.parametrize("by", ["feature", "field"])
def test_no_rows_and_no_features(background, by):
    fields = [0, 1, 1] if by == "field" else None
    model = FM.random(3, 2, rng=0)
    found = explain(model, np.zeros((0, 3)), background=background, by=by, fields=fields, pairs=True)
    assert found.values.shape == (0, 2 if by == "field" else 3)
    assert len(found) == len(found.pairs) == 0
    empty = explain(FM.random(0, 2), np.zeros((2, 0)), by=by, fields=None if fields is None else [])
    assert empty.values.shape == (2, 0)


@pytest.mark.parametrize("dtype", ["float16", "int8"])
@pytest.mark.parametrize("kind", ["FM", "FFM"])
def test_a_quantised_model_is_explained_as_the_model_that_it_stands_for(kind, dtype):
    """The int8 numbers themselves were taken for factors, without their scale."""
    rng = np.random.default_rng(0)
    small, X = quantize(make(rng, kind), dtype), rows(rng, 5)
    full = small.full()
    for options in {"by": "field", "fields": FIELDS}, {"background": X}:
        found, wanted = explain(small, X, **options), explain(full, X, **options)
        np.testing.assert_array_equal(found.values, wanted.values)
        assert found.base == wanted.base
    np.testing.assert_array_equal(
        pair_importance(small, X, fields=FIELDS), pair_importance(full, X, fields=FIELDS)
    )
    assert top_pairs(small, 3) == top_pairs(full, 3)
    assert compare_norms(full, small)[0].moved == 0


def test_what_is_refused():
    model, X = FM.random(3, 2, rng=0), np.ones((2, 3))
    for options, words in [
        ({"by": "row"}, "by must be"),
        ({"background": np.ones((2, 4))}, "background: X has 4 columns"),
        ({"background": np.zeros((0, 3))}, "no rows"),
        ({"background": [[0, 0, 0], [0, np.nan, 0]]}, "row 1 of background"),
        ({"by": "field", "fields": [0, 1]}, "fields has shape"),
    ]:
        with pytest.raises(ValueError, match=words):
            explain(model, X, **options)
    with pytest.raises(ValueError, match="4 columns"):
        explain(model, np.ones((1, 4)))
    for call in (
        lambda: explain("model", X),
        lambda: top_pairs("model", 1),
        lambda: compare_norms(model, "model"),
    ):
        with pytest.raises(ValueError, match="is a str, expected an FM"):
            call()
    model.normalize = "instance"
    with pytest.raises(ValueError, match="normalize='instance'"):
        explain(model, X)


def test_a_row_that_is_not_finite_spoils_no_other():
    model = FFM.random([0, 0, 1], 2, init_stdev=1, rng=0)
    X = np.array([[1, 0, 1], [np.nan, 1, 0], [0, 1, 1]])
    for by in "feature", "field":
        values = explain(model, X, background=np.eye(3), by=by).values
        assert np.isfinite(values[[0, 2]]).all()
        assert np.isnan(values[1]).any()


def test_the_frame_and_the_arguments_of_shap():
    pytest.importorskip("pandas")
    rng = np.random.default_rng(0)
    X = rows(rng, 4)
    found = explain(make(rng, "FM"), X, background=X)
    frame = found.to_frame(names=list("abcdefgh"))
    np.testing.assert_array_equal(frame["c"], found.values[:, 2])
    assert frame["base"].tolist() == [found.base] * 4
    arguments = found.to_shap()
    np.testing.assert_array_equal(arguments["values"], found.values)
    np.testing.assert_array_equal(arguments["data"], X)
    assert arguments["base_values"].shape == (4,)
    with pytest.raises(ValueError, match="names has 1"):
        found.to_frame(names=["a"])
    several = explain(make(rng, "FFM", (2,)), X, by="field")
    assert several.to_frame().loc[(3, 1)].tolist() == [several.base[1], *several.values[3, 1]]
    assert several.to_shap()["values"].shape == (4, 4, 2)
    assert repr(found) == f"Explanation(base={found.base}, values: 4 x 8)"


def test_the_arguments_make_an_explanation_of_shap():
    shap = pytest.importorskip("shap")
    model = FM.random(3, 2, init_stdev=1, rng=0)
    found = explain(model, np.eye(3), background=np.ones((1, 3)))
    assert shap.Explanation(**found.to_shap()).values.shape == (3, 3)


def test_the_plot():
    pytest.importorskip("matplotlib").use("Agg")
    found = Explanation(0.0, np.array([[1.0, -3.0, 0.5], [1.0, 1.0, 1.0]]))
    axes = found.plot(0, names=["a", "b", "c"], n=2)
    assert [label.get_text() for label in axes.get_yticklabels()] == ["a", "b"]
    assert [bar.get_width() for bar in found.plot().patches] == [0.75, 1.0, 2.0]
    assert len(Explanation(0.0, sp.csr_array(found.values)).plot(1).patches) == 3
