"""What estimators choose by themselves: learning rate, penalties, epochs; and that they learn all rows."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp

pytest.importorskip("sklearn")

from helpers.estimators import ALL, data_for, labelled, planted
from sklearn.base import clone

from fastfm_c import LogisticLoss, load, save
from fastfm_c.sklearn import FMClassifier, FMRegressor

CHOSEN = "learning_rate", "l2_linear", "l2_factors"


def ids(n_users, n_items, n_rows, seed):
    """Two one-hot fields of uniform ids."""
    rng = np.random.default_rng(seed)
    user, item = rng.integers(n_users, size=n_rows), rng.integers(n_items, size=n_rows)
    columns = np.column_stack([user, n_users + item]).ravel().astype(np.int32)
    indptr = np.arange(0, 2 * n_rows + 1, 2, dtype=np.int32)
    X = sp.csr_array((np.ones(2 * n_rows, np.float32), columns, indptr), shape=(n_rows, n_users + n_items))
    return X, user, item, rng


def ratings(seed=0, n_rows=35_000):
    """Few ratings for each user and item: without penalties, factors learn them by heart."""
    X, user, item, rng = ids(600, 300, n_rows, seed)
    V = rng.normal(0, 0.55, (900, 8))
    return X, rng.normal(0, 0.5, 600)[user] + (V[user] * V[600 + item]).sum(axis=1) + rng.normal(
        0, 0.5, n_rows
    )


# ----------------------------------------------------------------------------------------- the choice


@pytest.mark.parametrize("estimator", ALL)
def test_the_history_says_what_was_tried_and_what_was_chosen(estimator):
    X, y = data_for(estimator)
    model = estimator(random_state=0).fit(X, y)
    history = model.history_
    (chosen,) = [candidate for candidate in history.candidates if candidate.is_chosen]
    assert len(history.candidates) > 1
    assert len({candidate[:3] for candidate in history.candidates}) == len(history.candidates)
    assert chosen[:3] == (model.learning_rate_, model.l2_linear_, model.l2_factors_)
    assert chosen.validation == history.validation[history.best_epoch - 1]
    assert (chosen.best_epoch, chosen.n_iter) == (history.best_epoch, model.n_iter_)
    assert chosen.validation <= 1.005 * min(c.validation for c in history.candidates)
    assert history.rows == 1080
    assert len(history.refit) > 0


@pytest.mark.parametrize("given", [*({name: 0.03} for name in CHOSEN), dict.fromkeys(CHOSEN, 0.02)], ids=str)
def test_a_number_is_taken(given):
    X, y = data_for(FMClassifier)
    model = FMClassifier(random_state=0, **given).fit(X, y)
    for name, value in given.items():
        assert getattr(model, f"{name}_") == value
        assert {getattr(candidate, name) for candidate in model.history_.candidates} <= {value}
    assert (len(model.history_.candidates) > 1) == (len(given) == 1)


@pytest.mark.parametrize("options", [{"solver": "lbfgs"}, {"early_stopping": False}], ids=str)
def test_without_validation_rows_nothing_is_chosen(options):
    X, y = data_for(FMClassifier)
    model = FMClassifier(random_state=0, **options).fit(X, y)
    assert (model.l2_linear_, model.l2_factors_, model.history_.candidates) == (1e-5, 1e-5, [])
    assert model.history_.rows == 1200
    assert model.history_.refit == []


def test_a_stream_chooses_nothing():
    X, y = data_for(FMClassifier)
    one = FMClassifier(random_state=0).partial_fit(X, y, classes=[False, True])
    other = FMClassifier(random_state=0, learning_rate=0.05, l2_linear=1e-5, l2_factors=1e-5)
    assert one.model_ == other.partial_fit(X, y, classes=[False, True]).model_


def test_ids_get_strong_penalties():
    """5 seeds left no relative error above 0.93."""
    X, y = ratings()
    mild = FMRegressor(learning_rate=0.05, l2_linear=1e-5, l2_factors=1e-5, random_state=0)
    errors = [
        np.sqrt(np.mean((model.fit(X[:25_000], y[:25_000]).predict(X[25_000:]) - y[25_000:]) ** 2))
        for model in (FMRegressor(random_state=0), mild)
    ]
    assert errors[0] < 0.96 * errors[1]


@pytest.mark.parametrize(("sizes", "n_rows"), [((100, 50), 2000), ((1000, 500), 20_000)], ids=str)
def test_pairs_alone_are_learned(sizes, n_rows):
    """5 of 5 seeds."""
    X, user, item, rng = ids(*sizes, n_rows + 1000, 0)
    y = rng.integers(2, size=sizes[0])[user] ^ rng.integers(2, size=sizes[1])[item]
    model = FMClassifier(random_state=0).fit(X[:n_rows], y[:n_rows])
    assert model.score(X[n_rows:], y[n_rows:]) > 0.99


def test_a_step_that_is_too_long_for_the_rows_is_no_error():
    """SGD diverges with the longest steps of a search."""
    X, y = ratings()
    model = FMRegressor(solver="sgd", random_state=0).fit(X, 100 * y)
    assert np.isfinite(model.predict(X[:100])).all()


# ------------------------------------------------------------------------------------------ all rows


def test_all_rows_are_learned_in_the_end():
    """A column in a single row has no weight unless that row was learned from."""
    X, y = data_for(FMClassifier)
    X = sp.hstack([X, sp.eye(1200)]).tocsr()
    options = {"random_state": 0, "learning_rate": 0.1, "l2_linear": 0.0, "l2_factors": 0.0, "solver": "sgd"}
    held_out = FMClassifier(refit=False, **options).fit(X, y)
    assert np.count_nonzero(held_out.model_.w[6:] == 0) == 120
    assert held_out.history_.refit == []
    assert np.count_nonzero(FMClassifier(**options).fit(X, y).model_.w[6:] == 0) == 0


@pytest.mark.parametrize("learning_rate", [None, 0.1])
def test_given_validation_rows_decide_and_are_not_learned(learning_rate):
    X, y = data_for(FMClassifier)
    fit = {"X_val": X[1000:], "y_val": y[1000:]}
    model = FMClassifier(random_state=0, learning_rate=learning_rate).fit(X[:1000], y[:1000], **fit)
    assert model.history_.refit == []
    assert model.history_.rows == 1000
    loss = LogisticLoss().mean(y[1000:], model.decision_function(X[1000:]))
    assert loss == pytest.approx(min(model.history_.validation), rel=1e-5)


@pytest.mark.parametrize("n_rows", [60, 200])
@pytest.mark.parametrize("estimator", ALL)
def test_few_rows_are_all_learned_and_five_folds_say_for_how_long(estimator, n_rows):
    X, y = data_for(estimator, n_rows)
    model = estimator(random_state=0).fit(X, y)
    assert model.history_.rows == 0.8 * n_rows
    assert len(model.history_.refit) > 0
    assert FMRegressor().fit(X[:49], np.arange(49.0)).history_.candidates == []


def test_noise_is_not_learned_from_few_rows():
    """Without folds, 100 epochs gave a log-loss of 1.5."""
    X, _ = planted(200, n_features=40)
    y = np.random.default_rng(1).integers(2, size=200)
    model = FMClassifier(random_state=0).fit(X[:100], y[:100])
    assert LogisticLoss().mean(y[100:], model.decision_function(X[100:])) < 0.8


@pytest.mark.parametrize(
    "options", [{}, {"groups": np.arange(200) % 9}, {"sample_weight": np.arange(200) % 3}]
)
def test_folds_of_groups_and_weights(options):
    X, y = data_for(FMClassifier, 200)
    model = FMClassifier(random_state=0, class_weight="balanced", n_jobs=1).fit(X, y, **options)
    assert len(model.history_.candidates) > 1
    few = {"groups": np.arange(200) % 4}
    assert FMClassifier(random_state=0).fit(X, y, **few).history_.candidates == []


# ------------------------------------------------------------------------------------ what stays so


@pytest.mark.parametrize("estimator", ALL)
def test_the_same_bits_again_and_for_any_number_of_threads(estimator):
    X, y = data_for(estimator)
    one = estimator(random_state=3, n_jobs=1).fit(X, y)
    for n_jobs in (1, 4):
        other = clone(one).set_params(n_jobs=n_jobs).fit(X, y)
        assert other.model_ == one.model_
        assert other.history_.candidates == one.history_.candidates


@pytest.mark.parametrize("estimator", ALL)
def test_what_was_chosen_is_saved(estimator, tmp_path):
    X, y = data_for(estimator)
    model = estimator(random_state=0).fit(X, y)
    save(model, tmp_path / "model")
    for other in (load(tmp_path / "model"), pickle.loads(pickle.dumps(model))):
        for name in CHOSEN:
            assert getattr(other, name) is None
            assert getattr(other, f"{name}_") == getattr(model, f"{name}_")
        assert other.history_.candidates == model.history_.candidates
        assert other.history_.refit == model.history_.refit
    unfitted = clone(model)
    assert unfitted.get_params() == model.get_params()
    assert not hasattr(unfitted, "l2_factors_")


def test_a_warm_start_takes_what_was_chosen():
    X, y = data_for(FMClassifier)
    model = FMClassifier(random_state=0, warm_start=True).fit(X, y)
    chosen = [getattr(model, f"{name}_") for name in CHOSEN]
    model.fit(X, y)
    assert [getattr(model, f"{name}_") for name in CHOSEN] == chosen
    assert model.history_.candidates == []


@pytest.mark.parametrize("n_calls", [1, 3, 40])
@pytest.mark.parametrize("error", [None, KeyboardInterrupt])
def test_a_fit_that_ends_early_has_the_best_model_so_far(error, n_calls):
    X, y = data_for(FMClassifier)
    values, calls = [], []

    def end(info):
        values.append(info.validation)
        calls.append(info)
        if len(calls) == n_calls and error is not None:
            raise error
        return len(calls) >= n_calls

    model = FMClassifier(random_state=0)
    fit = {"X_val": X[1000:], "y_val": y[1000:], "callbacks": end}
    if error is None:
        model.fit(X[:1000], y[:1000], **fit)
    else:
        with pytest.raises(error):
            model.fit(X[:1000], y[:1000], **fit)
    loss = LogisticLoss().mean(y[1000:], model.decision_function(X[1000:]))
    assert len(calls) == n_calls
    assert loss == pytest.approx(min(values), rel=1e-5)
    assert loss == pytest.approx(model.history_.validation[model.history_.best_epoch - 1], rel=1e-5)


def test_the_figure_that_stops_decides():
    X, y = labelled(3000)
    model = FMClassifier(early_stopping="auc", random_state=0).fit(X, y)
    best = max(candidate.validation for candidate in model.history_.candidates)
    (chosen,) = [candidate for candidate in model.history_.candidates if candidate.is_chosen]
    assert chosen.validation > best - 0.01
    assert best > 0.7


@pytest.mark.parametrize("n_classes", [2, 3])
def test_time_and_groups_hold_out_rows_as_before(n_classes):
    X, y = labelled(2000, n_classes)
    for options, fit in (({"validation_split": "time"}, {}), ({}, {"groups": np.arange(2000) // 50})):
        model = FMClassifier(random_state=0, **options).fit(X, y, **fit)
        assert model.history_.rows == 1800
        assert len(model.history_.refit) > 0


def test_unfit_groups_and_numbers_are_refused_by_name():
    X, y = data_for(FMClassifier, 200)
    with pytest.raises(ValueError, match=r"groups has shape \(7,\), expected \(200,\)"):
        FMClassifier().fit(X, y, groups=np.arange(7))
    for name in CHOSEN:
        with pytest.raises(ValueError, match=name):
            FMClassifier(**{name: -1.0}).fit(X, y)
    model = FMClassifier(random_state=0).fit(X, y)
    before = model.decision_function(X)
    with pytest.raises(ValueError, match="early_stopping"):
        model.set_params(warm_start=True, early_stopping="none").fit(X, y)
    np.testing.assert_array_equal(model.decision_function(X), before)
