"""train: what it takes and what it refuses."""

import numpy as np
import pytest
import scipy.sparse as sp
from helpers.make import make_csr

from fastfm_c import FM, AdaGrad, LogisticLoss
from fastfm_c.training import train

X = make_csr(np.random.default_rng(0), [4] * 60, 12)
Y = np.arange(60) % 2


def new_model():
    return FM.random(12, 2, init_stdev=0.1, dtype="float64", rng=1)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"solver": "newton"}, "one of sgd, adagrad, adam, ftrl, lbfgs, als, got 'newton'"),
        ({"solver": 3}, "or a solver object, got 3"),
        ({"learning_rat": 1}, "takes learning_rate, .*; got learning_rat"),
        ({"beta1": 0.5}, "normalize; got beta1"),
        ({"solver": "lbfgs", "learning_rate": 1}, "takes l2_linear, l2_factors; got learning_rate"),
        ({"learning_rate": -1}, "learning_rate must be"),
        ({"learning_rate": "0.1"}, "learning_rate must be a finite number > 0, got '0.1'"),
        ({"solver": "lbfgs", "schedule": "cosine"}, "takes l2_linear, l2_factors; got schedule"),
        ({"tol": "0.1"}, "tol must be finite and >= 0, got '0.1'"),
        ({"sample_weight": Y * 0}, "X has 60 rows of total weight 0.0, expected at least one row"),
        ({"max_iter": 0}, "max_iter must be a positive integer, got 0"),
        ({"n_iter_no_change": 1.5}, "n_iter_no_change must be a positive integer, got 1.5"),
        ({"tol": -1}, "tol must be finite and >= 0, got -1"),
        ({"early_stopping": "f1"}, "log_loss, auc, accuracy, rmse, got 'f1'"),
        ({"early_stopping": True, "validation_fraction": 1.0}, r"must be in \(0, 1\), got 1.0"),
        ({"eval_set": [X, Y]}, r"must be a tuple \(X, y\)"),
        ({"eval_set": (X, Y[1:])}, "y has shape"),
        ({"eval_set": (X, Y + 1)}, "expects 0 or 1"),
        ({"eval_set": (X[:0], Y[:0])}, "eval_set has no rows"),
        ({"eval_set": (X * np.inf, Y)}, "eval_set holds nan or inf"),
        ({"eval_set": (X[:, :3], Y)}, "3 columns"),
        ({"sample_weight": Y[1:]}, "sample_weight has shape"),
    ],
)
def test_what_is_refused(options, message):
    model = new_model()
    with pytest.raises(ValueError, match=message):
        train(model, X, Y, LogisticLoss(), **options)
    assert model == new_model()


@pytest.mark.parametrize("solver", ["adagrad", "lbfgs"])
@pytest.mark.parametrize("early_stopping", [None, True])
def test_unfit_data_is_refused(solver, early_stopping):
    """Before SciPy slices it: that would read outside the arrays."""
    nan, beyond, unordered = X.copy(), X.copy(), X.copy()
    nan.data[9], beyond.indices[0], unordered.indptr[3] = np.nan, 2**31 - 1, 2**31 - 1
    for unfit, message in [(nan, "row 2 of X holds nan"), (beyond, "row 0"), (unordered, "row 2")]:
        with pytest.raises(ValueError, match=message):
            train(new_model(), unfit, Y, LogisticLoss(), solver=solver, early_stopping=early_stopping)
    with pytest.raises(ValueError, match="expects 0 or 1"):
        train(new_model(), X, Y + 1, LogisticLoss(), solver=solver, early_stopping=early_stopping)


@pytest.mark.parametrize("solver", ["adagrad", "lbfgs"])
@pytest.mark.parametrize("options", [{}, {"early_stopping": True}, {"eval_set": (X, Y)}], ids=str)
def test_no_rows_are_refused(solver, options):
    """Unlike a block of a stream that happens to be empty."""
    model = new_model()
    with pytest.raises(ValueError, match=r"X has 0 rows of total weight 0\.0, expected at least one row"):
        train(model, X[:0], Y[:0], LogisticLoss(), solver=solver, **options)
    assert model == new_model()


@pytest.mark.parametrize("solver", ["adagrad", "lbfgs"])
def test_weights_on_one_side_only_are_refused(solver):
    order = np.random.default_rng(0).permutation(60)
    for row, message in [(order[0], "positive sample_weight were held out"), (order[-1], "total weight")]:
        weight = (np.arange(60) == row) * 1.0
        with pytest.raises(ValueError, match=message):
            train(
                new_model(),
                X,
                Y,
                LogisticLoss(),
                solver=solver,
                early_stopping=True,
                sample_weight=weight,
                rng=0,
            )


def test_solver_objects():
    """One of the same model, loss and options does what its name does; others are refused."""
    model, peer = new_model(), new_model()
    solver = AdaGrad(model, LogisticLoss(0.1), learning_rate=0.2)
    train(model, X, Y, LogisticLoss(0.1), solver=solver, max_iter=2, rng=0)
    train(peer, X, Y, LogisticLoss(0.1), learning_rate=0.2, max_iter=2, rng=0)
    assert model == peer
    for arguments, options in [
        ((peer, X, Y, LogisticLoss(0.1)), {}),
        ((model, X, Y, LogisticLoss()), {}),
        ((model, X, Y, LogisticLoss(0.1)), {"learning_rate": 0.2}),
    ]:
        with pytest.raises(ValueError, match=r"another model or another loss|has its options already"):
            train(*arguments, solver=solver, **options)
    assert model == peer


@pytest.mark.parametrize("kind", [sp.csr_matrix, sp.csc_array, sp.coo_array, lambda X: X.toarray()])
def test_other_matrices(kind):
    models = []
    for matrix in (X, kind(X)):
        models.append(new_model())
        options = {"early_stopping": "auc", "rng": 0, "learning_rate": 0.2, "max_iter": 3}
        train(models[-1], matrix, Y.tolist(), LogisticLoss(), **options)
    # A column order of its own sums in another order.
    np.testing.assert_allclose(models[0].V, models[1].V, rtol=1e-9)


@pytest.mark.parametrize("solver", ["adagrad", "lbfgs"])
@pytest.mark.parametrize("wrong", [None, 3, LogisticLoss])
def test_a_loss_is_a_loss(solver, wrong):
    with pytest.raises(ValueError, match="loss must be"):
        train(new_model(), X, Y, wrong, solver=solver)


@pytest.mark.parametrize(("n_rows", "n_positive"), [(600, 12), (2000, 5), (200, 2)])
def test_rare_classes_are_on_both_sides_for_every_seed(n_rows, n_positive):
    """An AUC of held-out rows needs both classes."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n_rows, 3))
    y = np.zeros(n_rows)
    y[rng.choice(n_rows, n_positive, replace=False)] = 1
    for seed in range(20):
        history = train(
            FM.random(3, 1, rng=0), X, y, LogisticLoss(), early_stopping="auc", max_iter=1, rng=seed
        )
        assert np.isfinite(history.validation).all()
