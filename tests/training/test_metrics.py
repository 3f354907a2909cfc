"""Figures of merit: against their definitions, and what they refuse."""

import numpy as np
import pytest
from helpers.strategies import SEEDS
from hypothesis import given
from hypothesis import strategies as st

from fastfm_c import LogisticLoss, SoftmaxLoss, SquaredLoss
from fastfm_c.training._metrics import accuracy, auc, log_loss, metric_of, rmse


@given(st.integers(2, 30), st.booleans(), SEEDS)
def test_auc_counts_pairs(n_rows, weighted, seed):
    rng = np.random.default_rng(seed)
    y = rng.permutation(np.arange(n_rows) % 3 == 0).astype(rng.choice(["bool", "int64", "float32"]))
    scores = rng.integers(-3, 4, n_rows) * 0.1  # with ties
    weight = rng.random(n_rows) if weighted else np.ones(n_rows)
    difference = scores[y == 1][:, None] - scores[y == 0]
    pairs = np.outer(weight[y == 1], weight[y == 0])
    expected = np.sum(pairs * ((difference > 0) + 0.5 * (difference == 0))) / np.sum(pairs)
    assert auc(y, scores, weight if weighted else None) == pytest.approx(expected, rel=1e-12)


@given(st.integers(1, 30), SEEDS)
def test_rmse_and_log_loss(n_rows, seed):
    rng = np.random.default_rng(seed)
    y, weight = rng.integers(0, 2, n_rows), rng.random(n_rows) + 0.1
    scores, many = rng.standard_normal(n_rows), rng.standard_normal((n_rows, 3))
    squares = (scores - y) ** 2
    assert rmse(y, scores) == pytest.approx(np.sqrt(np.mean(squares)))
    assert rmse(y, scores, weight) == pytest.approx(np.sqrt(np.average(squares, weights=weight)))
    losses = np.log1p(np.exp(np.where(y == 1, -scores, scores)))
    assert log_loss(y, scores, weight) == pytest.approx(np.average(losses, weights=weight))
    proba = np.exp(many) / np.exp(many).sum(axis=1, keepdims=True)
    assert log_loss(y, many) == pytest.approx(np.mean(-np.log(proba[np.arange(n_rows), y])))


def test_huge_scores_have_a_log_loss():
    assert log_loss(np.array([1, 0]), np.array([-1e300, 0.0])) == pytest.approx(5e299)


def test_what_is_refused():
    y, scores = np.array([0, 1, 1]), np.array([0.1, 0.2, 0.3])
    for bad_y, bad_scores, weight, message in [
        (np.array([0, 2, 1]), scores, None, "0 and 1 only"),
        (np.ones(3), scores, None, "both classes"),
        (y, scores, np.array([0, 1, 1]), "both classes"),
        (np.ones(3), np.ones((3, 2)), None, "both classes"),
    ]:
        with pytest.raises(ValueError, match=message):
            auc(bad_y, bad_scores, weight)
    with pytest.raises(ValueError, match="got SquaredLoss"):
        metric_of("log_loss", SquaredLoss())
    with pytest.raises(ValueError, match="'accuracy' needs LogisticLoss or SoftmaxLoss, got SquaredLoss"):
        metric_of("accuracy", SquaredLoss())
    for loss in (LogisticLoss(), SoftmaxLoss()):
        with pytest.raises(ValueError, match=f"'rmse' needs SquaredLoss, got {type(loss).__name__}"):
            metric_of("rmse", loss)


@pytest.mark.parametrize("weighted", [False, True])
@pytest.mark.parametrize("n_classes", [3, 5])
def test_metrics_of_several_classes_are_those_of_scikit_learn(n_classes, weighted):
    metrics = pytest.importorskip("sklearn.metrics")
    rng = np.random.default_rng(n_classes)
    y = rng.integers(n_classes, size=200)
    scores = rng.standard_normal((200, n_classes)) + np.eye(n_classes)[y]
    weight = rng.random(200) if weighted else None
    proba = SoftmaxLoss().proba(scores)
    expected = metrics.roc_auc_score(y, proba, multi_class="ovr", average="macro", sample_weight=weight)
    assert auc(y, scores, weight) == pytest.approx(expected, rel=1e-12)
    expected = metrics.accuracy_score(y, scores.argmax(axis=1), sample_weight=weight)
    assert accuracy(y, scores, weight) == pytest.approx(expected, rel=1e-12)
    assert accuracy(y % 2, scores[:, 0]) == np.mean((scores[:, 0] >= 0) == y % 2)


def test_the_auc_of_several_classes_leaves_out_one_that_does_not_occur():
    rng = np.random.default_rng(0)
    y, scores = rng.integers(2, size=50), rng.standard_normal((50, 3))
    proba = SoftmaxLoss().proba(scores)
    assert auc(y, scores) == pytest.approx((auc(y == 0, proba[:, 0]) + auc(y == 1, proba[:, 1])) / 2)


def test_names():
    def profit(y, scores):
        return 0.0

    loss = LogisticLoss(0.2)
    y, scores = np.array([0, 1, 1]), np.array([0.1, 0.2, 0.3])
    for off in (None, True, False, np.True_):
        name, metric = metric_of(off, loss)
        assert (name, metric(y, scores)) == ("loss", loss.mean(y, scores))
    assert metric_of(profit, loss) == ("profit", profit)
    assert metric_of("auc", loss) == ("auc", auc)
    assert auc.greater_is_better
