"""Models that divide each row by its length first."""

import pickle
import re

import numpy as np
import pytest
import scipy.sparse as sp
from helpers import oracles
from helpers.levels import gradient, predict
from helpers.oracles import SCORE_TOLERANCE, UNDERFLOW, assert_close, canonical, parameters, term_scale
from helpers.solvers import RULES, bits, make_problem
from helpers.strategies import problems, tasks
from hypothesis import given

from fastfm_c import FFM, FM, SGD, SquaredLoss, reference, set_num_threads

HOWS = ["instance", "xlearn"]


def halves(model):
    """The linear part of a model and its pairs, as models."""
    w0, w, V, *fields = parameters(model)
    return type(model)(w0, w, 0 * V, *fields), type(model)(0 * w0, 0 * w, V, *fields)


def by_parts(model, X, normalize, function):
    """The sum of what `function` says of the linear part and of the pairs."""
    linear, pairs = halves(model)
    of_pairs = reference.normalized(X, 2 if normalize == "xlearn" else 1)
    return function(linear, reference.normalized(X)) + function(pairs, of_pairs)


def hows(model):
    return HOWS if isinstance(model, FM) else HOWS[:1]


def test_by_hand():
    """x = (3, 4), |x| = 5: linear (3 + 2 * 4) / 5, pairs 3 * 4 * <v_0, v_1> / 25 or / 625."""
    V, row = np.array([[1.0], [2.0]]), ([0, 1], [3.0, 4.0])
    assert FM(0.5, [1.0, 2.0], V).predict_row(*row) == 0.5 + 11 + 24
    assert FM(0.5, [1.0, 2.0], V, normalize="instance").predict_row(*row) == 0.5 + 11 / 5 + 24 / 25
    score = FM(0.5, [1.0, 2.0], V, normalize="xlearn").predict_row(*row)
    assert score == pytest.approx(0.5 + 11 / 5 + 24 / 625, rel=1e-15)


@given(problems())
def test_scores(problem):
    model, X = problem
    X.data[X.data == 0] = 1
    for normalize in hows(model):
        model.normalize = normalize
        scores, summed = predict(model, X), canonical(X)
        # Each normalised value has a rounding of its own.
        bound = 2 * SCORE_TOLERANCE[model.dtype.name] * by_parts(model, summed, normalize, term_scale)
        assert_close(scores, by_parts(model, summed, normalize, oracles.scores), bound + UNDERFLOW)
        for i in range(X.shape[0]):
            row = slice(X.indptr[i], X.indptr[i + 1])
            np.testing.assert_array_equal(model.predict_row(X.indices[row], X.data[row]), scores[i])
        np.testing.assert_array_equal(model.predict(X[::-1], num_threads=2)[::-1], scores)


@given(tasks())
def test_objective_and_gradient(task):
    """Of the mean loss of the scores; the gradient by differences."""
    model, X, y, loss, weight = task
    for normalize in hows(model):
        wide = type(model)(*(np.asarray(p, np.float64) for p in parameters(model)[:3]),
                           *parameters(model)[3:], normalize=normalize)  # fmt: skip
        value, of_value = gradient(wide, X, y, loss, sample_weight=weight)
        assert value == wide.objective(X, y, loss, sample_weight=weight)
        assert value == pytest.approx(loss.mean(y, wide.predict(X), weight), rel=1e-10, abs=1e-12)
        rng, step = np.random.default_rng(0), 1e-6
        for name in ("w", "V"):
            p = getattr(wide, name)
            direction = rng.standard_normal(p.shape)
            at = []
            for sign in (1, -1):
                moved = wide.copy()
                getattr(moved, name)[...] += sign * step * direction
                at.append(moved.objective(X, y, loss, sample_weight=weight))
            slope = np.sum(getattr(of_value, name) * direction)
            assert (at[0] - at[1]) / (2 * step) == pytest.approx(slope, rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("n_fields", [0, 4])
def test_training_on_normalised_rows(rule, n_fields):
    """Is training on rows that were divided before."""
    X, y, weight, model, loss, _ = make_problem(5, n_fields=n_fields)
    other, create, options = model.copy(), RULES[rule][0], RULES[rule][2]
    model.normalize = "instance"
    ours = create(model, loss, **options).partial_fit(X, y, weight)
    theirs = create(other, loss, **options).partial_fit(reference.normalized(X), y, weight)
    assert ours == pytest.approx(theirs, rel=1e-12)
    np.testing.assert_allclose(model.V, other.V, rtol=1e-9)
    np.testing.assert_allclose(model.w, other.w, rtol=1e-9, atol=1e-15)


def test_a_step_of_xlearn_follows_the_gradient():
    X, y, _, model, loss, _ = make_problem(3)
    model.normalize = "xlearn"
    before, (_, g) = model.copy(), model.gradient(X, y, loss)
    SGD(model, loss, learning_rate=1e-3, batch_size=len(y)).partial_fit(X, y)
    np.testing.assert_allclose(before.w - model.w, 1e-3 * len(y) * g.w, rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(before.V - model.V, 1e-3 * len(y) * g.V, rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("normalize", HOWS)
def test_the_bits_do_not_depend_on_threads(normalize):
    X, y, _, model, loss, _ = make_problem(4, n_rows=6000, n_features=2000)
    model.normalize = normalize
    results = []
    try:
        for n_threads in (1, 3):
            set_num_threads(n_threads)
            learned = model.copy()
            SGD(learned, loss, batch_size=3000).partial_fit(X, y)
            results.append([model.predict(X).tobytes(), *bits(learned), model.objective(X, y, loss)])
    finally:
        set_num_threads(None)
    assert results[0] == results[1]


def test_many_values_are_scored_in_pieces():
    rng = np.random.default_rng(0)
    X = sp.csr_array(sp.random(3000, 800, 0.5, "csr", np.float32, rng))
    model = FM.random(800, 4, rng=rng)
    model.normalize = "instance"
    np.testing.assert_array_equal(model.predict(X)[-7:], model.predict(X[-7:]))
    assert X.nnz > 2**20


def test_rows_of_any_size():
    model = FM(0.0, [1.0, 1.0], np.ones((2, 1)), normalize="instance")
    for size in (1e-310, 1e-160, 1e160, 1e308):
        assert model.predict([[size, size]]) == pytest.approx(2 / np.sqrt(2) + 0.5)
    assert model.predict([[0.0, 0.0]]) == 0
    assert np.isnan(model.predict([[np.inf, 1.0], [3.0, 4.0]])).tolist() == [True, False]


@pytest.mark.parametrize("normalize", [None, *HOWS])
def test_it_is_part_of_the_model(normalize):
    model = FM(0.0, [1.0], [[1.0]], normalize=normalize)
    assert model.normalize == normalize
    for other in (model.copy(), pickle.loads(pickle.dumps(model))):
        assert other.normalize == normalize
        assert other == model
    other.normalize = "xlearn" if normalize != "xlearn" else None
    assert other != model
    assert ("normalize" in repr(model)) == (normalize is not None)


def test_what_is_refused():
    fm, ffm = FM.random(2, 1), FFM.random([0, 1], 1)
    for model, value, wanted in [
        (fm, "l2", "None, 'instance' or 'xlearn', got 'l2'"),
        (ffm, "xlearn", "None or 'instance', got 'xlearn'"),
        (fm, True, "None, 'instance' or 'xlearn', got True"),
    ]:
        with pytest.raises(ValueError, match=re.escape(wanted)):
            model.normalize = value
    with pytest.raises(ValueError, match="None or 'instance'"):
        FFM(0.0, [0.0], np.zeros((1, 1, 1)), [0], normalize="xlearn")
    fm.normalize = "xlearn"
    with pytest.raises(ValueError, match="normalize is 'instance', but the model has 'xlearn'"):
        SGD(fm, SquaredLoss(), normalize="instance")
    X = sp.csr_array([[1.0, 2.0]])
    X.indptr = np.array([1, 9], np.int32)
    for call in (fm.predict, lambda X: fm.objective(X, [1.0], SquaredLoss())):
        with pytest.raises(ValueError, match=re.escape("X.indptr is broken at row 0")):
            call(X)
