"""FM.objective and FM.gradient: weights, penalties, and what they refuse."""

import numpy as np
import pytest
import scipy.sparse as sp
from helpers.levels import assert_same_bits, at_all_levels, gradient
from helpers.make import make_csr, make_model
from helpers.oracles import assert_gradient
from helpers.strategies import tasks
from hypothesis import given
from hypothesis import strategies as st

from fastfm_c import FFM, FM, LogisticLoss, SoftmaxLoss, SquaredLoss

# --------------------------------------------------------------------------------- examples


def test_weighted_mean_by_hand(simd):
    fm = FM(1.0, [0.0], [[0.0]])
    X = sp.csr_array([[1.0], [1.0]])
    assert fm.objective(X, [0.0, 3.0], SquaredLoss()) == (0.5 + 2) / 2
    assert fm.objective(X, [0.0, 3.0], SquaredLoss(), sample_weight=[3, 1]) == (3 * 0.5 + 2) / 4


def test_penalties_by_hand(simd):
    fm = FM(10.0, [1.0, -2.0], [[3.0, 0.0], [0.0, -1.0]])
    X, y = sp.csr_array((1, 2)), [10.0]
    assert fm.objective(X, y, SquaredLoss()) == 0
    assert fm.objective(X, y, SquaredLoss(), l2_linear=0.5, l2_factors=2) == 0.25 * 5 + 10
    value, gradient = fm.gradient(X, y, SquaredLoss(), l2_linear=0.5, l2_factors=2)
    assert value == 11.25
    assert gradient.w0 == 0
    assert gradient.w.tolist() == [0.5, -1.0]
    assert gradient.V.tolist() == [[6.0, 0.0], [0.0, -2.0]]


def test_penalties_of_an_ffm_by_hand(simd):
    ffm = FFM(10.0, [1.0, -2.0], [[[3.0], [1.0]], [[0.0], [-1.0]]], [0, 1])
    X, y = sp.csr_array((1, 2)), [10.0]
    value, gradient = ffm.gradient(X, y, SquaredLoss(), l2_linear=1, l2_factors=2)
    assert value == 2.5 + 11
    assert gradient.V.ravel().tolist() == [6.0, 2.0, 0.0, -2.0]


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_penalties_of_many_parameters(dtype):
    """More than one part of 65,536 values, and a remainder that is no multiple of 8."""
    fm = FM.random(20011, 7, init_stdev=1, dtype=dtype, rng=0)
    fm.w = np.random.default_rng(1).standard_normal(20011).astype(dtype)
    X, y = sp.csr_array((1, 20011)), [0.0]
    value, gradient = fm.gradient(X, y, SquaredLoss(), l2_linear=0.5, l2_factors=0.25)
    w, V = fm.w.astype(float), fm.V.astype(float)
    assert value == pytest.approx(0.25 * np.sum(w**2) + 0.125 * np.sum(V**2), rel=1e-12)
    np.testing.assert_array_equal(gradient.w, fm.w * fm.dtype.type(0.5))
    np.testing.assert_array_equal(gradient.V, fm.V * fm.dtype.type(0.25))


def test_the_bias_of_each_output_is_not_penalised(simd):
    fm = FM([100.0, 100.0], np.zeros((2, 1)), np.zeros((2, 1, 1)))
    value, gradient = fm.gradient(sp.csr_array((2, 1)), [0, 1], SoftmaxLoss(), l2_linear=5, l2_factors=5)
    assert value == pytest.approx(np.log(2), rel=1e-15)
    assert gradient.w0.tolist() == [0, 0]


# ------------------------------------------------------------------------------- properties


@given(task=tasks(), l2=st.tuples(st.sampled_from([0.0, 0.3]), st.sampled_from([0.0, 1.7])))
def test_objective_and_gradient_of_any_task(task, l2):
    model, X, y, loss, weight = task
    options = {"sample_weight": weight, "l2_linear": l2[0], "l2_factors": l2[1]}
    together = gradient(model, X, y, loss, **options)
    assert_gradient(model, X, y, loss, together, **options)
    assert at_all_levels(lambda: model.objective(X, y, loss, **options)) == together[0]


@given(task=tasks(with_weights=True))
def test_a_row_of_weight_zero_is_as_if_absent(task):
    """Whatever it holds: here also a score that is not finite, and a loss of nan."""
    model, X, y, loss, weight = task
    for i in np.flatnonzero(weight == 0):
        X.data[X.indptr[i] : X.indptr[i + 1]] = np.nan
    kept = weight > 0
    without = gradient(model, X[kept], y[kept], loss, sample_weight=weight[kept])
    assert_same_bits(gradient(model, X, y, loss, sample_weight=weight), without)


@given(task=tasks(with_weights=True), exponent=st.integers(-30, 30))
def test_weights_count_by_their_ratios_only(task, exponent):
    model, X, y, loss, weight = task
    scaled = gradient(model, X, y, loss, sample_weight=weight * 2.0**exponent)
    assert_same_bits(scaled, gradient(model, X, y, loss, sample_weight=weight))


@given(task=tasks(with_weights=False))
def test_weights_of_one_are_no_weights(task):
    model, X, y, loss, _ = task
    ones = np.ones(X.shape[0], "int8")
    assert_same_bits(gradient(model, X, y, loss, sample_weight=ones), gradient(model, X, y, loss))


@given(task=tasks(dtype="float64"))
def test_objective_is_the_mean_of_the_losses(task):
    model, X, y, loss, weight = task
    mean = loss.mean(y, model.predict(X), sample_weight=weight)
    assert model.objective(X, y, loss, sample_weight=weight) == pytest.approx(mean, rel=1e-14)


@pytest.mark.parametrize("dtype", ["bool", "int8", "int32", "int64", "longlong", "float32", "float64", ">i4"])
def test_targets_of_any_real_type_give_the_same_bits(small, dtype):
    model, X, y = small
    expected = model.gradient(X, y, LogisticLoss())
    assert_same_bits(model.gradient(X, y.astype(dtype), LogisticLoss()), expected)
    strided = np.repeat(y.astype(dtype), 2)[::2]
    assert_same_bits(model.gradient(X, strided, LogisticLoss()), expected)


@pytest.mark.parametrize("n_rows", [255, 256, 257, 600])
def test_more_rows_than_a_block(n_rows):
    rng = np.random.default_rng(3)
    X = make_csr(rng, rng.integers(0, 5, n_rows), 9, "float32")
    model = make_model(rng, (2,), 9, 2, "float64")
    y, weight = rng.integers(0, 2, n_rows), rng.random(n_rows)
    assert_gradient(model, X, y, SoftmaxLoss(0.1), sample_weight=weight, l2_linear=0.1, l2_factors=0.1)


def test_a_float32_objective_is_summed_in_float64():
    """A float32 sum of 200,000 losses of 0.5 + 2^-20 would lose the small part."""
    n_rows = 200_000
    fm = FM(1 + 2.0**-20, np.zeros(1, "float32"), np.zeros((1, 1), "float32"))
    value = fm.objective(sp.csr_array((n_rows, 1)), np.zeros(n_rows), SquaredLoss())
    assert value == pytest.approx(0.5 * (1 + 2.0**-20) ** 2, rel=1e-12)


# ---------------------------------------------------------------------------------- refused


@pytest.mark.parametrize("method", ["objective", "gradient"])
@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sample_weight": np.zeros(40)}, "total weight"),
        ({"sample_weight": np.full(40, 1e308)}, "total weight"),
        ({"sample_weight": np.full(40, -1.0)}, r"sample_weight\[0\] is -1.0"),
        ({"sample_weight": np.array([1.0] * 39 + [np.nan])}, r"sample_weight\[39\] is nan"),
        ({"sample_weight": np.array([np.inf] * 40)}, r"sample_weight\[0\] is inf"),
        ({"sample_weight": np.ones(41)}, r"sample_weight has shape \(41,\), expected \(40,\)"),
        ({"sample_weight": np.ones((40, 1))}, "sample_weight has shape"),
        ({"sample_weight": 1.0}, "sample_weight has shape"),
        ({"sample_weight": ["1"] * 40}, "sample_weight must hold real numbers"),
        ({"sample_weight": np.ones(40, complex)}, "sample_weight must hold real numbers"),
        ({"l2_linear": -1e-9}, "l2_linear must be finite and >= 0"),
        ({"l2_factors": -1}, "l2_factors must be finite and >= 0"),
        ({"l2_linear": np.nan}, "l2_linear must be finite and >= 0"),
        ({"l2_factors": np.inf}, "l2_factors must be finite and >= 0"),
        ({"num_threads": 0}, "num_threads must be a positive integer"),
    ],
)
def test_options_are_checked(small, method, options, message):
    model, X, y = small
    with pytest.raises(ValueError, match=message):
        getattr(model, method)(X, y, LogisticLoss(), **options)


@pytest.mark.parametrize("method", ["objective", "gradient"])
def test_targets_and_loss_are_checked(small, method):
    model, X, y = small
    call = getattr(model, method)
    with pytest.raises(ValueError, match=r"y has shape \(39,\), expected \(40,\)"):
        call(X, y[1:], LogisticLoss())
    with pytest.raises(ValueError, match=r"y has shape \(40, 1\)"):
        call(X, y[:, None], LogisticLoss())
    with pytest.raises(ValueError, match="y must hold real numbers"):
        call(X, y.astype(str), LogisticLoss())
    with pytest.raises(ValueError, match=r"y\[7\] is 2, LogisticLoss expects 0 or 1"):
        call(X, np.where(np.arange(40) == 7, 2, y), LogisticLoss())
    with pytest.raises(ValueError, match=r"y\[30\] is nan, SquaredLoss expects a finite number"):
        call(X, np.where(np.arange(40) == 30, np.nan, y), SquaredLoss())
    for loss in (None, "logistic", LogisticLoss, 1):
        with pytest.raises(ValueError, match="loss must be a SquaredLoss, LogisticLoss or SoftmaxLoss"):
            call(X, y, loss)
    with pytest.raises(ValueError, match="SoftmaxLoss needs a model with several outputs"):
        call(X, y, SoftmaxLoss())


@pytest.mark.parametrize("method", ["objective", "gradient"])
def test_the_loss_must_fit_the_outputs(method):
    model, X = FM.random(3, 2, n_outputs=4), sp.csr_array(np.eye(2, 3))
    for loss in (SquaredLoss(), LogisticLoss()):
        with pytest.raises(ValueError, match="takes one output, got 4"):
            getattr(model, method)(X, [0, 1], loss)
    with pytest.raises(ValueError, match=r"y\[1\] is 4, SoftmaxLoss expects an integer class in 0\.\.3"):
        getattr(model, method)(X, [0, 4], SoftmaxLoss())


@pytest.mark.parametrize("method", ["objective", "gradient"])
def test_the_first_bad_target_far_into_the_rows_is_named(method):
    X = sp.csr_array((5000, 2))
    y = np.zeros(5000)
    y[[4321, 4999]] = 3
    with pytest.raises(ValueError, match=r"y\[4321\] is 3.0"):
        getattr(FM.random(2, 2), method)(X, y, LogisticLoss())


def test_zero_rows_have_no_mean():
    for method in ("objective", "gradient"):
        with pytest.raises(ValueError, match=r"total weight of the rows is 0\.0"):
            getattr(FM.random(3, 2), method)(sp.csr_array((0, 3)), [], LogisticLoss())


def test_only_names_for_options(small):
    model, X, y = small
    with pytest.raises(TypeError):
        model.objective(X, y, LogisticLoss(), np.ones(40))
    with pytest.raises(TypeError):
        model.gradient(X, y, LogisticLoss(), penalty=1)


def test_a_model_of_one_output_with_a_leading_axis():
    """C = 1 is a model with several outputs as far as shapes go; the losses of one output fit."""
    X, y = sp.csr_array(np.eye(3)), [0, 1, 1]
    flat = FM.random(3, 2, init_stdev=1, rng=0)
    tall = FM([flat.w0], flat.w[None], flat.V[None])
    value, gradient = tall.gradient(X, y, LogisticLoss())
    expected, of_flat = flat.gradient(X, y, LogisticLoss())
    assert value == expected
    assert gradient.w0.shape == (1,)
    np.testing.assert_array_equal(gradient.V[0], of_flat.V)
    assert tall.objective(X, [0, 0, 0], SoftmaxLoss()) == 0
