"""Columns that a row repeats: summed, or values of their own as in libffm, libFM and xLearn."""

import copy
import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from helpers import foreign

from fastfm_c import FFM, FM, AdaGrad, SquaredLoss, load, save, train

FIELDS = [0, 1, 1]
ROWS = sp.csr_array(
    (np.array([1.0, 2.0, 3.0, 0.5, 4.0, 1.5]), np.array([0, 1, 0, 2, 1, 1]), [0, 4, 4, 6]), shape=(3, 3)
)


def by_pairs(model, row):
    """The score from all pairs of values of a row."""
    columns, x = ROWS.indices[row], ROWS.data[row]
    x = x / np.sqrt(x @ x) if model.normalize and x.size else x
    V, score = model.V.astype(float), model.w0 + model.w[columns] @ x
    for p, i in enumerate(columns):
        for q, j in enumerate(columns[:p]):
            one, other = (V[i, FIELDS[j]], V[j, FIELDS[i]]) if V.ndim == 3 else (V[i], V[j])
            score += one @ other * x[p] * x[q]
    return score


def make(kind, normalize=None, repeats="separate", n_factors=3, dtype="float64"):
    where = FIELDS if kind is FFM else 3
    model = kind.random(where, n_factors, init_stdev=1.0, rng=0, dtype=dtype)
    model.w = np.array([0.5, -1.0, 2.0], dtype)
    model.normalize, model.repeats = normalize, repeats
    return model


@pytest.mark.parametrize("kind", [FM, FFM])
@pytest.mark.parametrize("normalize", [None, "instance"])
@pytest.mark.parametrize("n_factors", [1, 4, 8, 17])
def test_repeated_columns_form_pairs_as_in_other_programs(kind, normalize, n_factors):
    model = make(kind, normalize, n_factors=n_factors)
    scores = model.predict(ROWS)
    for i in range(3):
        row = slice(ROWS.indptr[i], ROWS.indptr[i + 1])
        assert scores[i] == pytest.approx(by_pairs(model, row), rel=1e-12)
        assert model.predict_row(ROWS.indices[row], ROWS.data[row]) == scores[i]
    model.repeats = "sum"
    summed = ROWS.copy()
    summed.sum_duplicates()
    np.testing.assert_allclose(model.predict(ROWS), model.predict(summed), rtol=1e-12)


@pytest.mark.parametrize("kind", [FM, FFM])
def test_repeats_do_not_change_rows_without_them(kind):
    rows = sp.random(200, 3, 0.8, "csr", random_state=0)
    np.testing.assert_array_equal(make(kind).predict(rows), make(kind, repeats="sum").predict(rows))


@pytest.mark.parametrize("through", [copy.copy, lambda m: m.copy(), "pickle", "save"])
@pytest.mark.parametrize("kind", [FM, FFM])
def test_a_model_keeps_what_it_does_with_repeats(kind, through, tmp_path):
    model = make(kind, "instance")
    if through == "pickle":
        again = pickle.loads(pickle.dumps(model))
    elif through == "save":
        save(model, tmp_path / "file")
        again = load(tmp_path / "file")
    else:
        again = through(model)
    assert (again.repeats, again.normalize) == ("separate", "instance")
    again.resize(4, [*FIELDS, 0]) if kind is FFM else again.resize(4)
    assert (again.repeats, again.normalize) == ("separate", "instance")


@pytest.mark.parametrize("kind", [FM, FFM])
def test_such_a_model_refuses_to_learn_from_rows_that_repeat(kind):
    model, y = make(kind), np.zeros(3)
    for call in (
        lambda: model.objective(ROWS, y, SquaredLoss()),
        lambda: model.gradient(ROWS, y, SquaredLoss()),
        lambda: model.gradient(ROWS, y, SquaredLoss(), sparse=True),
        lambda: AdaGrad(model, SquaredLoss()).partial_fit(ROWS, y),
        lambda: train(model, ROWS, y, SquaredLoss(), max_iter=1),
    ):
        with pytest.raises(ValueError, match="row 0 of X repeats column 0"):
            call()
    assert np.isfinite(model.objective(ROWS[1:2], y[:1], SquaredLoss()))
    model.repeats = "sum"
    assert np.isfinite(train(model, ROWS, y, SquaredLoss(), max_iter=1).loss).all()


def test_models_of_other_programs_have_it():
    assert {foreign.load(name).repeats for name in foreign.MODELS} == {"separate"}
    assert make(FM, repeats="sum").repeats == "sum"
    with pytest.raises(ValueError, match="repeats must be 'sum' or 'separate', got 'add'"):
        make(FM).repeats = "add"
