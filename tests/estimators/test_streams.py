"""The estimators: streams, whose first rows decide nothing for good."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp

pytest.importorskip("sklearn")

from helpers.estimators import ALL, AS_GOOD_AS_FIT, CLASSIFIERS, in_chunks, labelled, planted, targets_for
from sklearn.metrics import log_loss

from fastfm_c import load, save
from fastfm_c.sklearn import FMClassifier, FMRegressor

SOLVERS = ["sgd", "adagrad", "adam", "ftrl"]
# Of the log loss without the beginning. Models that begin with zeros, and no bias, stay below.
COSTS_NOTHING = 1.05


def stream(model, X, y, **options):
    """Learn from chunks of 100 rows."""
    n_rows = X.shape[0]
    return in_chunks(model, X, y, [*range(0, n_rows, 100), n_rows], **options)


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
    in_chunks(chunks, X, y, [0, 16, 48, 160, 320], **classes)
    assert chunks.model_ == whole.model_


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("estimator", ALL)
def test_chunks_are_one_call_where_columns_come_late_and_grow(estimator, solver, weighted):
    """Columns of very small, growing and new values; the last chunk is no multiple of batch_size."""
    X, y = planted(300, 8)
    y, options = targets_for(estimator, y, 3)
    X = X.toarray()
    X[:100, 0] *= 1e-4  # tells nothing about its later size
    X[:, 1] *= 1000
    X[:150, 2] = 0
    X[:, 3] = X[:, 3] > 0
    X = sp.csr_array(X)
    weight = np.random.default_rng(0).choice([0.0, 0.5, 3.0], 300) if weighted else None
    whole, chunks = (estimator(solver=solver, batch_size=16, random_state=0) for _ in range(2))
    in_chunks(whole, X, y, [0, 300], weight, **options)
    in_chunks(chunks, X, y, [0, 16, 64, 160, 288, 300], weight, **options)
    assert chunks.model_ == whole.model_


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("estimator", [FMClassifier, FMRegressor])
def test_a_column_that_begins_small_is_learned_as_if_it_had_not(estimator, solver):
    """The factors of the start suit the sizes of all values so far, and not those of the first rows."""
    X, y = planted(4000)
    y, options = targets_for(estimator, y)
    small = sp.vstack([X[:32] * 1e-5, X[32:]], format="csr")
    scores = []
    for rows in (X, small):
        model = estimator(solver=solver, batch_size=16, random_state=0)
        for _ in range(6):
            in_chunks(model, rows, y, [0, 16, 32, 2000, 4000], **options)
        scores.append(model.score(X[3000:], y[3000:]))
    assert scores[1] > scores[0] - 0.05


@pytest.mark.parametrize("solver", SOLVERS)
@pytest.mark.parametrize("first", [0.0, 5.0, -1e4])
def test_equal_targets_first_cost_a_regressor_nothing(solver, first):
    X, y = planted(3000)
    y = 900 + 28 * y
    errors = []
    for n_first in (0, 50):
        model = FMRegressor(solver=solver, batch_size=10, random_state=0)
        if n_first:
            model.partial_fit(X[:n_first], np.full(n_first, first))
        for _ in range(3):
            stream(model, X, y)
        errors.append(np.sqrt(np.mean((model.predict(X) - y) ** 2)))
    assert errors[1] < 1.15 * errors[0]


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


@pytest.mark.parametrize("n_first", [0, 50])
@pytest.mark.parametrize("estimator", [FMClassifier, FMRegressor])
def test_rows_that_come_one_by_one_are_learned_as_in_chunks(estimator, n_first):
    """A batch of one row has one target, and tells something all the same."""
    X, y = planted(1500)
    y, options = targets_for(estimator, y)
    y[:n_first] = y[0]
    single = in_chunks(estimator(random_state=0), X, y, range(1501), **options)
    chunks = in_chunks(estimator(random_state=0), X, y, range(0, 1501, 10), **options)
    assert single.score(X, y) > chunks.score(X, y) - 0.03
    if estimator is FMClassifier:
        assert single.predict_proba(X)[:, 1].mean() == pytest.approx(y.mean(), abs=0.1)


@pytest.mark.parametrize("solver", SOLVERS)
def test_a_stream_whose_targets_change_their_unit_is_learned_again(solver):
    X, y = planted(2000)
    model = FMRegressor(solver=solver, batch_size=16, random_state=0, learning_rate=0.05)
    for unit in (1.0, 1000.0):
        for _ in range(5):
            in_chunks(model, X, unit * y + 3 * unit, range(0, 2001, 500))
        assert model.score(X, unit * y + 3 * unit) > 0.5


@pytest.mark.parametrize("estimator", ALL)
def test_a_saved_stream_goes_on_as_if_it_had_not_been_saved(estimator, tmp_path):
    X, y = planted(320)
    y, options = targets_for(estimator, y, 3)
    model = estimator(batch_size=16, random_state=0)
    in_chunks(model, X, y, [0, 48, 160], **options)
    save(model, tmp_path / "file")
    others = load(tmp_path / "file"), pickle.loads(pickle.dumps(model))
    for each in (model, *others):
        in_chunks(each, X * 8, y, [160, 320], **options)  # which makes other sizes of columns
    assert all(other.model_ == model.model_ for other in others)


@pytest.mark.parametrize("estimator", ALL)
def test_a_fit_goes_on_as_a_stream(estimator):
    """The figures of its targets, too: a stream of the same rows does not move the bias."""
    X, y = planted(400)
    y, _ = targets_for(estimator, y)
    model = estimator(random_state=0, early_stopping=False).fit(X, y)
    before = model.score(X, y)
    in_chunks(model, X, y, [0, 200, 400])
    assert model.score(X, y) > before - 0.02


@pytest.mark.parametrize("when", ["first", "later"])
@pytest.mark.parametrize("estimator", ALL)
def test_a_chunk_without_rows_changes_nothing(estimator, when):
    X, y = planted(64)
    y, options = targets_for(estimator, y)
    plain, model = (estimator(batch_size=16, random_state=0) for _ in range(2))
    if when == "first":
        assert model.partial_fit(X[:0], y[:0], **options).n_iter_ == 0
    in_chunks(plain, X, y, [0, 32, 64], **options)
    in_chunks(model, X, y, [0, 32, 32, 64], **options)
    model.partial_fit(X[:5], y[:5], sample_weight=np.zeros(5))
    assert model.model_ == plain.model_
    assert model.n_iter_ == len(model.history_.loss) == 2


def test_rare_positives_and_class_weights_keep_the_mean_probability():
    rng = np.random.default_rng(0)
    X = sp.csr_array(rng.standard_normal((20_000, 4)))
    y = (rng.random(20_000) < 0.02).astype(int)
    y[:1000] = 0
    model = stream(FMClassifier(random_state=0), X, y, classes=[0, 1])
    assert model.predict_proba(X)[:, 1].mean() == pytest.approx(y.mean(), rel=0.3)
    model = FMClassifier(class_weight={1: 30}, random_state=0)
    stream(model, X, y, classes=[0, 1])
    share = 30 * y.sum() / (30 * y.sum() + (1 - y).sum())
    assert model.predict_proba(X)[:, 1].mean() == pytest.approx(share, rel=0.2)


@pytest.mark.parametrize("shift", [(1.0, 1000.0), (1000.0, -5e5), (1e-3, 0.0)])
@pytest.mark.parametrize("solver", ["adagrad", "lbfgs"])
def test_a_warm_start_learns_targets_of_another_unit_and_origin(solver, shift):
    X, y = planted()
    other = shift[0] * y + shift[1]
    fresh = FMRegressor(solver=solver, random_state=0).fit(X, other)
    warm = FMRegressor(solver=solver, warm_start=True, random_state=0).fit(X, y).fit(X, other)
    assert warm.score(X, other) > fresh.score(X, other) - 0.02


@pytest.mark.parametrize("estimator", ALL)
def test_a_batch_without_weight_adds_no_loss_to_the_history(estimator):
    X, y = planted(n_rows=40)
    targets, options = targets_for(estimator, y)
    weight = np.repeat([0.0, 1.0, 0.0, 1.0, 0.0], 8)
    model = estimator(batch_size=8, random_state=0).partial_fit(X, targets, sample_weight=weight, **options)
    assert np.isfinite(model.history_.loss).all()


@pytest.mark.parametrize("estimator", ALL)
def test_a_stream_that_cannot_begin_leaves_no_model(estimator):
    X, y = planted(n_rows=40)
    targets, options = targets_for(estimator, y)
    model = estimator(normalize="nothing")
    with pytest.raises(ValueError, match="normalize"):
        model.partial_fit(X, targets, **options)
    assert not hasattr(model, "model_")
