"""The estimators: validation rows, which are given or held out."""

import numpy as np
import pytest
import scipy.sparse as sp

pytest.importorskip("sklearn")

import sklearn
from helpers.estimators import ALL, CLASSIFIERS, labelled, may_end_early, planted
from scipy.special import expit
from sklearn.metrics import accuracy_score, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder

from fastfm_c.sklearn import FMClassifier, FMRegressor
from fastfm_c.training._holdout import hold_out

pytestmark = may_end_early

# ----------------------------------------------------------------------------------------- given rows


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("estimator", ALL)
def test_the_ways_to_give_validation_rows_are_the_same(estimator, weighted):
    X, y = planted()
    y = (y > 0).astype(int) if estimator in CLASSIFIERS else y
    weight = np.random.default_rng(0).random(200) if weighted else None
    rows = (X[200:], y[200:], weight)[: 2 + weighted]
    ways = [
        {"X_val": X[200:], "y_val": y[200:], "sample_weight_val": weight},
        {"eval_set": rows},
        {"eval_set": [rows]},
    ]
    models = [estimator(max_iter=20, random_state=0).fit(X[:200], y[:200], **way) for way in ways]
    assert models[0].history_.validation == models[1].history_.validation == models[2].history_.validation
    assert models[0].model_ == models[1].model_ == models[2].model_
    assert models[0].history_.rows == 200


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"X_val": np.eye(2)}, "y_val is None: X_val and y_val are given together"),
        ({"y_val": [0, 1]}, "X_val is None"),
        ({"sample_weight_val": [1.0, 1.0]}, "sample_weight_val is given without X_val"),
        ({"X_val": np.eye(2), "y_val": [0, 1], "eval_set": (np.eye(2), [0, 1])}, "two ways"),
        ({"eval_set": [(np.eye(2), [0, 1])] * 2}, "eval_set holds 2 sets of validation rows, expected one"),
        ({"X_val": np.eye(2), "y_val": [0, 1], "sample_weight_val": [1.0, -1.0]}, "row 1 is -1.0"),
    ],
    ids=str,
)
def test_arguments_for_validation_that_do_not_fit(given, words):
    with pytest.raises(ValueError, match=words):
        FMClassifier().fit(np.eye(2), [0, 1], **given)


def test_validation_rows_go_through_the_steps_of_a_pipeline():
    rng = np.random.default_rng(0)
    columns = rng.integers(0, 4, (600, 3)).astype(str)
    y = np.where((columns[:, 0] == columns[:, 1]), "same", "other")
    with sklearn.config_context(enable_metadata_routing=True):
        model = FMClassifier(random_state=0, early_stopping="accuracy", max_iter=30)
        model.set_fit_request(X_val=True, y_val=True)
        pipeline = make_pipeline(OneHotEncoder(), model, transform_input=["X_val"])
        pipeline.fit(columns[:400], y[:400], X_val=columns[400:], y_val=y[400:])
    history = pipeline[-1].history_
    assert history.rows == 400
    assert history.validation[history.best_epoch - 1] == pytest.approx(
        pipeline.score(columns[400:], y[400:]), abs=1e-12
    )


# -------------------------------------------------------------------------------------------- metrics


@pytest.mark.parametrize("n_classes", [2, 3, 4])
@pytest.mark.parametrize("estimator", CLASSIFIERS)
def test_accuracy_and_auc_are_those_of_scikit_learn(estimator, n_classes):
    X, y = planted(600)
    y = np.array(["d", "b", "c", "a"])[np.searchsorted(np.quantile(y, [0.4, 0.7, 0.9][: n_classes - 1]), y)]
    X_val, y_val = X[400:], y[400:]
    for metric in ("accuracy", "auc"):
        model = estimator(early_stopping=metric, max_iter=8, random_state=0, dtype="float64")
        model.fit(X[:400], y[:400], X_val=X_val, y_val=y_val)
        proba = model.predict_proba(X_val)
        own = {
            "accuracy": lambda model=model: accuracy_score(y_val, model.predict(X_val)),
            "auc": lambda proba=proba: roc_auc_score(
                y_val, proba if n_classes > 2 else proba[:, 1], multi_class="ovr"
            ),
        }
        best = model.history_.validation[model.history_.best_epoch - 1]
        assert best == max(model.history_.validation)
        assert best == pytest.approx(own[metric](), rel=1e-9)


@pytest.mark.parametrize(
    ("estimator", "metric"), [(FMClassifier, "rmse"), (FMRegressor, "accuracy"), (FMRegressor, "log_loss")]
)
def test_a_metric_of_the_other_kind_of_targets_is_refused(estimator, metric):
    X, y = planted(40)
    with pytest.raises(ValueError, match=f"early_stopping='{metric}' needs"):
        estimator(early_stopping=metric).fit(X, y > 0)


# ------------------------------------------------------------------------------------- held-out rows


@pytest.mark.parametrize(("n_rows", "n_positive"), [(600, 12), (2000, 5), (200, 2)])
def test_rare_classes_are_on_both_sides_for_every_seed(n_rows, n_positive):
    rng = np.random.default_rng(0)
    X = sp.csr_array(rng.standard_normal((n_rows, 3)))
    y = np.zeros(n_rows, int)
    y[rng.choice(n_rows, n_positive, replace=False)] = 1
    for seed in range(20):
        model = FMClassifier(early_stopping="auc", max_iter=1, random_state=seed, n_factors=1).fit(X, y)
        assert model.history_.rows == n_rows - n_rows // 10
    weight = np.where(np.arange(n_rows) % 3 == 0, 0.0, 1.0)  # a row of weight 0 is as if absent
    y[np.flatnonzero(weight)[:2]] = 1
    for seed in range(20):
        model = FMClassifier(early_stopping="auc", max_iter=1, random_state=seed, n_factors=1)
        model.fit(X, y, weight)


@pytest.mark.parametrize("fraction", [0.05, 0.25, 0.5])
def test_each_class_is_held_out_by_its_share(fraction):
    y = np.repeat([0, 1, 2], [700, 250, 50])
    rows, held_out = hold_out(1000, fraction, np.random.default_rng(0), classes=y)
    assert sorted([*rows, *held_out]) == list(range(1000))
    np.testing.assert_allclose(np.bincount(y[held_out]), fraction * np.bincount(y), atol=1)
    assert len(held_out) == 1000 * fraction


@pytest.mark.parametrize("estimator", ALL)
def test_the_last_rows_are_held_out_by_time(estimator):
    X, y = planted()
    y = (y > 0).astype(int) if estimator in CLASSIFIERS else y
    options = {"early_stopping": True, "max_iter": 3}
    model = estimator(validation_split="time", validation_fraction=0.2, random_state=0, **options).fit(X, y)
    assert model.history_.rows == 320
    X2, y2 = X.toarray(), y.copy()
    X2[320:] = X2[320:][::-1]
    y2[320:] = y[320:][::-1]
    again = estimator(validation_split="time", validation_fraction=0.2, random_state=0, **options)
    again.fit(X2, y2)  # the same rows to learn from, in the same places
    np.testing.assert_allclose(again.history_.validation, model.history_.validation, rtol=1e-6)
    np.testing.assert_allclose(again.history_.loss, model.history_.loss, rtol=1e-5)


@pytest.mark.parametrize("split", ["random", "time"])
@pytest.mark.parametrize("kind", ["str", "int"])
def test_no_group_is_on_both_sides(split, kind):
    rng = np.random.default_rng(0)
    groups = np.sort(rng.integers(40, size=800)).astype(kind)
    y = (rng.random(800) < 0.1).astype(int)
    for seed in range(10):
        rng = np.random.default_rng(seed)
        rows, held_out = hold_out(800, 0.2, rng, classes=y, groups=groups, split=split)
        assert not set(groups[rows]) & set(groups[held_out])
        assert 120 <= len(held_out) <= 200
        assert split == "random" or held_out.min() > rows.max()
        assert split == "time" or 5 < y[held_out].sum() < 30


def test_fit_holds_out_whole_groups():
    """Each group has a column of its own, which a row of validation never meets in training."""
    rng = np.random.default_rng(0)
    groups = rng.integers(20, size=400)
    X, y = sp.csr_array(np.eye(20)[groups]), rng.standard_normal(400)
    model = FMRegressor(early_stopping=True, refit=False, max_iter=2, solver="sgd", random_state=0)
    model.fit(X, y, groups=groups)
    untouched = np.flatnonzero(model.model_.w == 0)
    assert len(untouched)
    assert np.isin(groups, untouched).sum() == 400 - model.history_.rows
    with pytest.raises(ValueError, match=r"groups has shape \(3,\), expected \(400,\)"):
        model.fit(X, y, groups=[1, 2, 3])
    with pytest.raises(ValueError, match="one label for all rows"):
        model.fit(X, y, groups=np.zeros(400))


# ----------------------------------------------------------------- weights of classes in held-out rows


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
