"""Faults of estimators: streams and held-out rows."""

from itertools import pairwise

import numpy as np
import pytest
import scipy.sparse as sp

pytest.importorskip("sklearn")

from helpers.estimators import ALL, CLASSIFIERS, may_end_early, planted
from scipy.special import expit
from sklearn.metrics import log_loss, roc_auc_score

from fastfm_c.sklearn import FMClassifier, FMRegressor

pytestmark = may_end_early

SOLVERS = ["sgd", "adagrad", "adam", "ftrl"]

# ------------------------------------------------------------- streams: `partial_fit`, and `warm_start`

# Of the error that `fit` has after as many rows.
AS_GOOD_AS_FIT = 1.15
# Of the log loss without the beginning. Models that begin with zeros, and no bias, stay below.
COSTS_NOTHING = 1.05


def stream(model, X, y, rows=100, **options):
    """Learn from chunks of so many rows."""
    for begin in range(0, X.shape[0], rows):
        model.partial_fit(X[begin : begin + rows], y[begin : begin + rows], **options)
    return model


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("estimator", ALL)
def test_partial_fit_in_chunks_has_the_bits_of_one_call_over_the_same_rows(estimator, solver):
    """Chunks are multiples of batch_size; the first ones tell nothing about the targets that follow."""
    X, y = planted(320)
    if estimator in CLASSIFIERS:
        y, classes = (y > 0).astype(int), {"classes": [0, 1]}
    else:
        y, classes = 900 + 28 * y, {}
    y[:48] = y[0]
    whole, chunks = (estimator(solver=solver, batch_size=16, random_state=0) for _ in range(2))
    whole.partial_fit(X, y, **classes)
    for begin, end in pairwise([0, 16, 48, 160, 320]):
        chunks.partial_fit(X[begin:end], y[begin:end], **classes)
    assert chunks.model_ == whole.model_


@pytest.mark.parametrize("n_first", [1, 10])
@pytest.mark.parametrize(("mean", "deviation"), [(0.0, 0.55), (900.0, 28.0)])
@pytest.mark.parametrize("solver", SOLVERS)
def test_a_stream_that_begins_with_equal_targets_is_learned_as_well_as_by_fit(
    solver, mean, deviation, n_first
):
    """After as many rows: five times all of them."""
    X, y = planted(3500)
    y = y + np.random.default_rng(1).normal(0, 0.7 * y.std(), len(y))
    y = mean + deviation * (y - y.mean()) / y.std()
    X, y, X_test, y_test = X[:3000], y[:3000], X[3000:], y[3000:]
    y[:n_first] = y[0]
    options = {"solver": solver, "batch_size": 32, "random_state": 0}
    if solver == "adam":
        options["learning_rate"] = 0.01  # with the default neither gets anywhere in five epochs
    fitted, streamed = FMRegressor(**options), FMRegressor(**options)
    fitted.set_params(max_iter=5, early_stopping=False).fit(X, y)
    streamed.partial_fit(X[:n_first], y[:n_first])
    stream(streamed, X[n_first:], y[n_first:])
    for _ in range(4):
        stream(streamed, X, y)
    errors = [np.sqrt(np.mean((model.predict(X_test) - y_test) ** 2)) for model in (streamed, fitted)]
    assert errors[0] < AS_GOOD_AS_FIT * errors[1]


@pytest.mark.parametrize("factor", [1000, 1e-3])
def test_a_warm_start_learns_targets_in_other_units_as_well_as_a_fresh_fit(factor):
    X, y = planted()
    fresh = FMRegressor(random_state=0).fit(X, factor * y)
    warm = FMRegressor(warm_start=True, random_state=0).fit(X, y).fit(X, factor * y)
    assert warm.score(X, factor * y) > fresh.score(X, factor * y) - 0.02


def labelled(n_rows, n_classes=2, seed=0):
    """Rows, 70 % of them of class 0."""
    X, score = planted(n_rows, seed=seed)
    score = score + np.random.default_rng(seed).logistic(0, 0.5, n_rows)
    edges = np.quantile(score, [0.7, 0.85][: n_classes - 1])
    return X, np.searchsorted(edges, score)


@pytest.mark.parametrize(("n_first", "n_classes"), [(10, 2), (100, 2), (1000, 2), (100, 3), (1000, 3)])
def test_probabilities_of_a_stream_that_begins_with_one_class_are_those_of_its_rows(n_first, n_classes):
    X, y = labelled(10_000, n_classes)
    model = FMClassifier(random_state=0)
    stream(model, planted(n_first, seed=1)[0], np.zeros(n_first, int), classes=range(n_classes))
    stream(model, X, y)
    np.testing.assert_allclose(model.predict_proba(X).mean(axis=0), np.bincount(y) / len(y), rtol=0, atol=0.1)


@pytest.mark.parametrize("n_first", [100, 1000])
@pytest.mark.parametrize("solver", SOLVERS)
def test_one_class_first_costs_nothing_after_as_many_rows_of_both(solver, n_first):
    X, y = labelled(n_first + 2000)
    X_first, losses = planted(n_first, seed=1)[0], []
    for n_rows in (n_first, 0):
        model = FMClassifier(solver=solver, random_state=0)
        stream(model, X_first[:n_rows], np.zeros(n_rows, int), classes=[0, 1])
        stream(model, X[:n_first], y[:n_first], classes=[0, 1])
        losses.append(log_loss(y[n_first:], model.predict_proba(X[n_first:])))
    assert losses[0] < COSTS_NOTHING * losses[1]


# ------------------------------------------------------------------------------------- held-out rows


def pairs(seed, n_rows=12_000):
    """Two one-hot columns of 50 and 30 values, of which only the pairs say anything about the label."""
    rng = np.random.default_rng(seed)
    U, W = rng.standard_normal((50, 2)), rng.standard_normal((30, 2))
    a, b = rng.integers(50, size=n_rows), rng.integers(30, size=n_rows)
    score = ((U - U.mean(axis=0))[a] * (W - W.mean(axis=0))[b]).sum(axis=1)
    indices, indptr = np.column_stack([a, 50 + b]).ravel(), np.arange(0, 2 * n_rows + 1, 2)
    X = sp.csr_array((np.ones(2 * n_rows, np.float32), indices, indptr), shape=(n_rows, 80))
    return X, (rng.random(n_rows) < expit(score)).astype(int)


@pytest.mark.parametrize("options", [{}, {"tol": 0}, {"early_stopping": "auc"}], ids=str)
def test_early_stopping_waits_for_the_pairs_where_classes_have_weights(options):
    for seed in (0, 2, 4):
        X, y = pairs(seed)
        aucs = []
        for class_weight in ({0: 1, 1: 20}, None):
            model = FMClassifier(class_weight=class_weight, random_state=0, **options)
            model.fit(X[:10_000], y[:10_000])
            aucs.append(roc_auc_score(y[10_000:], model.decision_function(X[10_000:])))
        assert aucs[0] > aucs[1] - 0.05


@pytest.mark.parametrize("class_weight", [{0: 1, 1: 20}, "balanced"], ids=str)
@pytest.mark.parametrize("given", [False, True], ids=["no weights of rows", "weights of rows"])
def test_validation_has_the_class_weights_of_training(class_weight, given):
    X, y = labelled(600)
    of_class = {0: 1, 1: 20} if class_weight != "balanced" else len(y[:400]) / np.bincount(y[:400])
    rng = np.random.default_rng(0)
    weight = rng.random(200) if given else np.ones(200)
    by_class, by_row = (FMClassifier(early_stopping=True, random_state=0) for _ in range(2))
    by_class.set_params(class_weight=class_weight)
    by_class.fit(X[:400], y[:400], eval_set=(X[400:], y[400:], weight)[: 2 + given])
    of_row = np.array([of_class[label] for label in y], float)
    by_row.fit(X[:400], y[:400], of_row[:400], eval_set=(X[400:], y[400:], weight * of_row[400:]))
    np.testing.assert_allclose(by_class.history_.validation, by_row.history_.validation, rtol=1e-6)
    assert by_class.history_.best_epoch == by_row.history_.best_epoch
