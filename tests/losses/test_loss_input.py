"""What the losses accept and refuse, and their small print: mean, proba, equality, pickling."""

import pickle

import numpy as np
import pytest

from fastfm_c import LogisticLoss, SoftmaxLoss, SquaredLoss

LOGISTIC_SCORES = np.array([0.5, -2.0, 3.0])
SOFTMAX_SCORES = np.array([[0.5, -2.0, 3.0], [1.0, 2.0, 0.0], [0.0, 0.1, 0.2]])
# Several roundings of a weighted mean in double.
RTOL = 1e-14


# ---------------------------------------------------------------------------------- targets


@pytest.mark.parametrize(
    "dtype",
    [
        "bool",
        "int8",
        "uint8",
        "int16",
        "int32",
        "uint32",
        "int64",
        "uint64",
        "float16",
        "float32",
        "float64",
        "longlong",
        ">i4",
        ">f8",
    ],
)
def test_targets_of_any_real_type_give_the_same_bits(dtype):
    y = np.array([1, 0, 1])
    for loss, scores in [
        (SquaredLoss(), LOGISTIC_SCORES),
        (LogisticLoss(0.1), LOGISTIC_SCORES),
        (SoftmaxLoss(0.1), SOFTMAX_SCORES),
    ]:
        expected = loss.loss_gradient(y, scores)
        for got, wanted in zip(loss.loss_gradient(y.astype(dtype), scores), expected, strict=True):
            np.testing.assert_array_equal(got, wanted)


def test_lists_and_strided_arrays():
    y, scores = np.array([1, 9, 0, 9, 1]), np.array([0.5, 9, -2.0, 9, 3.0])
    expected = LogisticLoss().loss([1, 0, 1], [0.5, -2.0, 3.0])
    np.testing.assert_array_equal(LogisticLoss().loss(y[::2], scores[::2]), expected)
    columns = np.asfortranarray(SOFTMAX_SCORES)
    np.testing.assert_array_equal(
        SoftmaxLoss().gradient([0, 1, 2], columns),
        SoftmaxLoss().gradient([0, 1, 2], SOFTMAX_SCORES),
    )


def test_integer_scores_become_float64():
    losses = SquaredLoss().loss([1, 2], np.array([3, 2], "int32"))
    assert losses.dtype == np.float64
    assert losses.tolist() == [2.0, 0.0]


def test_targets_and_scores_are_only_read():
    y, scores = np.array([1.0, 0.0, 1.0]), LOGISTIC_SCORES.copy()
    y.flags.writeable = scores.flags.writeable = False
    LogisticLoss().loss_gradient(y, scores)
    assert scores.tolist() == LOGISTIC_SCORES.tolist()


@pytest.mark.parametrize("bad", [2, -1, 0.5, np.nan, np.inf])
def test_logistic_targets_are_0_and_1(bad):
    with pytest.raises(ValueError, match=r"y\[1\] is .*expects 0 or 1"):
        LogisticLoss().loss([1, bad, 5], LOGISTIC_SCORES)


@pytest.mark.parametrize("bad", [3, -1, 0.5, np.nan, np.inf, 1e300])
def test_softmax_targets_are_classes(bad):
    with pytest.raises(ValueError, match=r"y\[2\] is .*expects an integer class in 0..2"):
        SoftmaxLoss().gradient([0, 2, bad], SOFTMAX_SCORES)


def test_a_huge_integer_is_not_a_class():
    with pytest.raises(ValueError, match=r"y\[0\] is 9223372036854775807"):
        SoftmaxLoss().loss([2**63 - 1, 0, 0], SOFTMAX_SCORES)


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_squared_targets_are_finite(bad):
    with pytest.raises(ValueError, match=r"y\[0\] is .*expects a finite number"):
        SquaredLoss().loss([bad, 1, 2], LOGISTIC_SCORES)


@pytest.mark.parametrize("y", [[1, 0], [1, 0, 1, 0], [[1], [0], [1]], 1, []])
def test_one_target_for_each_row(y):
    for method in ("loss", "gradient", "loss_gradient", "mean"):
        with pytest.raises(ValueError, match=r"y has shape .*expected \(3,\)"):
            getattr(LogisticLoss(), method)(y, LOGISTIC_SCORES)


@pytest.mark.parametrize("y", [["a", "b", "a"], [1 + 0j, 0, 1], np.array([1, 0, 1], object), [None] * 3])
def test_targets_are_real_numbers(y):
    with pytest.raises(ValueError, match="y must hold real numbers"):
        LogisticLoss().loss(y, LOGISTIC_SCORES)


# ----------------------------------------------------------------------------------- scores


@pytest.mark.parametrize("loss", [SquaredLoss(), LogisticLoss()], ids=repr)
def test_one_score_for_each_row(loss):
    for scores in (SOFTMAX_SCORES, np.zeros((3, 1)), 1.0):
        with pytest.raises(ValueError, match=r"expects \(rows,\)"):
            loss.loss([0, 1, 0], scores)


def test_softmax_has_a_row_of_scores():
    for scores in (LOGISTIC_SCORES, np.zeros((3, 0)), np.zeros((3, 2, 2)), 1.0):
        for call in (lambda s: SoftmaxLoss().loss([0, 1, 0], s), SoftmaxLoss().proba):
            with pytest.raises(ValueError, match=r"expects \(rows, C\)"):
                call(scores)


@pytest.mark.parametrize("scores", [["a", "b"], [1j, 2], np.array([1, 2], object)])
def test_scores_are_real_numbers(scores):
    for call in (lambda s: LogisticLoss().loss([0, 1], s), LogisticLoss().proba):
        with pytest.raises(ValueError, match="scores must hold real numbers"):
            call(scores)


# ---------------------------------------------------------------------------- proba and mean


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_probabilities(dtype):
    scores = SOFTMAX_SCORES.astype(dtype)
    proba = SoftmaxLoss().proba(scores)
    assert proba.dtype == dtype
    assert proba.shape == (3, 3)
    expected = np.exp(scores) / np.exp(scores).sum(axis=1, keepdims=True)
    rtol = 3 * np.finfo(dtype).eps
    np.testing.assert_allclose(proba, expected, rtol=rtol)
    logistic = LogisticLoss().proba(scores[:, 0])
    assert logistic.dtype == dtype
    np.testing.assert_allclose(logistic, 1 / (1 + np.exp(-scores[:, 0])), rtol=rtol)


def test_tiny_probabilities_keep_their_relative_accuracy():
    np.testing.assert_allclose(LogisticLoss().proba([-700.0]), np.exp([-700.0]), rtol=RTOL)
    np.testing.assert_allclose(SoftmaxLoss().proba([[0.0, -700.0]])[:, 1], np.exp([-700.0]), rtol=RTOL)


def test_proba_of_zero_rows():
    assert LogisticLoss().proba([]).shape == (0,)
    assert SoftmaxLoss().proba(np.zeros((0, 3))).shape == (0, 3)


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_mean(dtype):
    rng = np.random.default_rng(0)
    y, scores = rng.integers(0, 2, 1000), rng.standard_normal(1000).astype(dtype)
    weight = rng.random(1000)
    losses = LogisticLoss().loss(y, scores).astype(float)
    mean = LogisticLoss().mean(y, scores)
    assert isinstance(mean, float)
    assert mean == pytest.approx(np.mean(losses), rel=RTOL)
    weighted = LogisticLoss().mean(y, scores, sample_weight=weight)
    assert weighted == pytest.approx(np.sum(weight * losses) / np.sum(weight), rel=RTOL)
    assert LogisticLoss().mean(y, scores, 2 * weight) == weighted


def test_mean_of_rows_without_weight_as_if_absent():
    assert SquaredLoss().mean([1, 2, 3], [2.0, np.inf, np.nan], [3, 0, 0]) == 0.5


@pytest.mark.parametrize(
    "weight",
    [
        [0, 0, 0],
        [1, -1, 1],
        [1, np.nan, 1],
        [np.inf, 1, 1],
        [1, 1],
        [[1, 1, 1]],
        1.0,
        ["a"] * 3,
        [1e308] * 3,
    ],
)
def test_mean_refuses_weights(weight):
    with pytest.raises(ValueError, match="weight"):
        SquaredLoss().mean([1, 2, 3], [1.0, 2.0, 3.0], weight)


def test_mean_of_zero_rows_has_no_value():
    with pytest.raises(ValueError, match="total weight"):
        SquaredLoss().mean([], [])


# ------------------------------------------------------------------------------- the objects


@pytest.mark.parametrize("eps", [-0.1, 1, 1.0, 2, np.nan, np.inf])
def test_label_smoothing_is_below_1(eps):
    for kind in (LogisticLoss, SoftmaxLoss):
        with pytest.raises(ValueError, match=r"label_smoothing must be in \[0, 1\)"):
            kind(eps)


def test_one_class_cannot_be_smoothed():
    with pytest.raises(ValueError, match="at least 2 classes"):
        SoftmaxLoss(0.1).loss([0], [[1.0]])


def test_equality_hash_repr_and_pickling():
    losses = [
        SquaredLoss(),
        LogisticLoss(),
        LogisticLoss(0.25),
        SoftmaxLoss(),
        SoftmaxLoss(label_smoothing=0.25),
    ]
    for loss in losses:
        same = pickle.loads(pickle.dumps(loss))
        assert same == loss
        assert hash(same) == hash(loss)
        assert [other == loss for other in losses].count(True) == 1
        assert loss != "loss"
        assert eval(repr(loss)) == loss
    assert repr(losses[-1]) == "SoftmaxLoss(label_smoothing=0.25)"
    assert losses[2].label_smoothing == 0.25
    with pytest.raises(AttributeError):
        losses[2].label_smoothing = 0.5


class Squared(SquaredLoss):
    """A user's own."""


class Logistic(LogisticLoss):
    """A user's own."""


@pytest.mark.parametrize("loss", [Squared(), Logistic(0.25)], ids=repr)
def test_a_subclass_is_pickled_as_such(loss):
    again = pickle.loads(pickle.dumps(loss))
    assert type(again) is type(loss)
    assert again == loss
    assert repr(again) == repr(loss)
    assert again != type(loss).__base__(*loss.__reduce__()[1])
