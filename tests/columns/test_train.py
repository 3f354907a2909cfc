"""`train(solver="als")`: what it takes, when it ends, and what it leaves."""

import numpy as np
import pytest
from helpers.columns import make_rows, one_hot

from fastfm_c import FFM, FM, DivergenceError, LogisticLoss, SoftmaxLoss, SquaredLoss, train


def rows_and_model(kind="one-hot", loss=None, dtype="float64", **sizes):
    X, y, weight = make_rows(kind, SquaredLoss() if loss is None else loss, seed=0, **sizes)
    return X, y, weight, FM.random(X.shape[1], 4, init_stdev=0.3, dtype=dtype, rng=0)


@pytest.mark.parametrize("loss", [SquaredLoss(), LogisticLoss()], ids=["squared", "logistic"])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_history_is_the_objective(loss, dtype):
    X, y, weight, model = rows_and_model(loss=loss, dtype=dtype, n_rows=300)
    options = {"sample_weight": weight, "l2_linear": 0.01, "l2_factors": 0.02}
    seen = []

    def note(info):
        seen.append(model.objective(X, y, loss, **options))

    history = train(model, X, y, loss, solver="als", max_iter=2000, tol=0, callbacks=note, **options)
    assert history.stop_reason == "converged"
    assert history.loss_name.endswith("+ L2")
    assert np.all(np.diff(history.loss) <= 0)
    np.testing.assert_allclose(history.loss, seen, rtol=1e-12 if dtype == "float64" else 1e-5)


def test_it_ends_where_the_objective_falls_by_less_than_tol():
    X, y, _, model = rows_and_model(n_rows=300)
    history = train(model, X, y, SquaredLoss(), solver="als", max_iter=500, tol=1e-5, l2_factors=0.02)
    falls = -np.diff(history.loss)
    assert history.stop_reason == "converged"
    assert falls[-1] < 1e-5
    assert np.all(falls[:-1] >= 1e-5)


def test_twenty_sweeps_unless_told():
    X, y, _, model = rows_and_model(n_rows=300)
    history = train(model, X, y, SquaredLoss(), solver="als", tol=0)
    assert (history.n_iter, history.stop_reason) == (20, "max_iter")


def test_a_model_at_the_optimum_stays():
    X, y, _, model = rows_and_model("pair")
    train(model, X, y, SquaredLoss(), solver="als", max_iter=3000, tol=0, l2_linear=0.1, l2_factors=0.1)
    before = model.copy()
    history = train(model, X, y, SquaredLoss(), solver="als", tol=1e-9, l2_linear=0.1, l2_factors=0.1)
    assert (history.n_iter, history.stop_reason) == (1, "converged")
    np.testing.assert_allclose(model.V, before.V, atol=1e-7)


def test_rows_are_held_out():
    """Validation rows are not learned from: the objective is that of the others."""
    X, y, weight, model = rows_and_model(n_rows=200)
    history = train(
        model, X, y, SquaredLoss(), solver="als", sample_weight=weight, early_stopping=True, rng=0
    )
    assert history.rows == 180
    assert len(history.validation) == history.n_iter
    assert history.validation[history.best_epoch - 1] == min(history.validation)


def test_rows_of_weight_zero_are_as_if_absent():
    X, y, weight, model = rows_and_model(n_rows=200)
    other = model.copy()
    train(model, X, y, SquaredLoss(), solver="als", sample_weight=weight, l2_factors=0.1)
    kept = weight > 0
    train(other, X[kept], y[kept], SquaredLoss(), solver="als", sample_weight=weight[kept], l2_factors=0.1)
    assert model == other


def test_what_ends_a_training_leaves_a_whole_sweep():
    X, y, _, model = rows_and_model()
    kept = []

    def callback(info):
        kept.append(model.copy())
        if info.epoch == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        train(model, X, y, SquaredLoss(), solver="als", callbacks=callback, tol=0)
    assert len(kept) == 3
    assert model == kept[-1]


def test_rows_that_change_on_the_way_are_refused():
    X, y, _, model = rows_and_model()

    def spoil(info):
        X.indices[7] = 1_000_000

    with pytest.raises(ValueError, match="row 2 of X has column index 1000000"):
        train(model, X, y, SquaredLoss(), solver="als", callbacks=spoil, tol=0)


@pytest.mark.parametrize(
    ("make", "loss", "message"),
    [
        (lambda: FM.random(3, 2, n_outputs=2, rng=0), SoftmaxLoss(), "SquaredLoss or a LogisticLoss"),
        (
            lambda: FFM.random([0, 0, 1], 2, n_outputs=2, rng=0),
            SoftmaxLoss(),
            "SquaredLoss or a LogisticLoss",
        ),
    ],
)
def test_what_it_does_not_learn(make, loss, message):
    with pytest.raises(ValueError, match=message):
        train(make(), np.eye(3), [0, 1, 1], loss, solver="als")


def test_models_that_divide_rows_are_refused():
    model = FM.random(3, 2, rng=0)
    model.normalize = "instance"
    with pytest.raises(ValueError, match="without normalize, got 'instance'"):
        train(model, np.eye(3), [0, 1, 1], SquaredLoss(), solver="als")


@pytest.mark.parametrize("loss", [SquaredLoss(), LogisticLoss()], ids=["squared", "logistic"])
def test_an_ffm_is_learned_field_by_field(loss):
    X, y, weight = make_rows("one-hot", loss, seed=0, n_rows=300)
    model = FFM.random(np.repeat([0, 1, 2], [7, 4, 3]), 2, init_stdev=0.3, dtype="float64", rng=0)
    options = {"sample_weight": weight, "l2_linear": 0.01, "l2_factors": 0.02}
    history = train(model, X, y, loss, solver="als", max_iter=2000, tol=0, **options)
    assert history.stop_reason == "converged"
    assert np.all(np.diff(history.loss) <= 0)
    assert history.loss[-1] == pytest.approx(model.objective(X, y, loss, **options), rel=1e-12)
    other = FFM.random(model.fields, 2, init_stdev=0.3, dtype="float64", rng=1)
    history = train(other, X, y, loss, solver="als", early_stopping=True, rng=0)
    assert history.rows == 270
    assert history.validation[history.best_epoch - 1] == min(history.validation)


def test_rows_of_an_ffm_that_change_on_the_way_are_refused():
    """X is read again after ten sweeps, when scores are computed afresh."""
    X, y, _ = make_rows("one-hot", SquaredLoss(), seed=0)
    model = FFM.random(np.repeat([0, 1, 2], [7, 4, 3]), 2, init_stdev=0.3, dtype="float64", rng=0)

    def spoil(info):
        X.indices[7] = 1_000_000

    with pytest.raises(ValueError, match="row 2 of X has column index 1000000"):
        train(model, X, y, SquaredLoss(), solver="als", callbacks=spoil, tol=0)


def test_a_sweep_of_an_ffm_that_overflows_leaves_the_model_as_it_was():
    X, y, _ = make_rows("one-hot", SquaredLoss(), seed=0)
    model = FFM.random(np.repeat([0, 1, 2], [7, 4, 3]), 2, init_stdev=0.3, rng=0)
    before = model.copy()
    X.data[...] = 1e-6
    with pytest.raises(DivergenceError, match=r"after sweep 1 \(largest \|x\| 1e-06\)"):
        train(model, X, y * 1e35, SquaredLoss(), solver="als")  # the best w would be about 1e41
    assert model == before
    X.data[...] = 1
    model.w[...] = 3e38
    with pytest.raises(ValueError, match="objective is inf at the start"):
        train(model, X, y, SquaredLoss(), solver="als")


@pytest.mark.parametrize("option", ["learning_rate", "batch_size", "schedule"])
def test_options_of_other_solvers_are_refused(option):
    with pytest.raises(ValueError, match=f"takes l2_linear, l2_factors; got {option}"):
        train(FM.random(3, 2, rng=0), np.eye(3), [0, 1, 1], SquaredLoss(), solver="als", **{option: 1})


def test_a_start_that_is_not_finite_is_refused():
    X, y, _, model = rows_and_model(dtype="float32")
    model.w[...] = 3e38
    with pytest.raises(ValueError, match="objective is inf at the start"):
        train(model, X, y, SquaredLoss(), solver="als")


def test_a_sweep_that_overflows_leaves_the_model_as_it_was():
    X, y, _, model = rows_and_model(dtype="float32")
    before = model.copy()
    with pytest.raises(DivergenceError, match=r"after sweep 1 \(largest \|x\| 1\)"):
        train(model, X, y * 1e30, SquaredLoss(), solver="als")
    assert model == before


def test_planted_parameters_are_recovered():
    """Scores of a planted model without noise, on new rows; 20 seeds left at most 1e-6 of their variance."""
    rng = np.random.default_rng(0)
    X, X_new = one_hot(rng, 3000, [12, 9, 5]), one_hot(rng, 500, [12, 9, 5])
    planted = FM.random(26, 2, init_stdev=1.0, dtype="float64", rng=rng)
    model = FM.random(26, 2, init_stdev=0.1, dtype="float64", rng=rng)
    train(model, X, planted.predict(X), SquaredLoss(), solver="als", max_iter=500, tol=0)
    truth = planted.predict(X_new)
    assert np.var(truth - model.predict(X_new)) < 1e-4 * np.var(truth)
