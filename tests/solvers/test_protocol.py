"""What `train` uses of any solver, and what a solver refuses of those who use it directly."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from helpers.solvers import RULES, bits, make_problem

from fastfm_c import FM, SGD, AdaGrad, LogisticLoss, SquaredLoss, _core
from fastfm_c.solvers import SOLVERS, Solver, TrainingRows, restore_solver


class Observer:
    """Ends a training after some epochs."""

    def __init__(self, n_epochs):
        self.n_epochs, self.losses = n_epochs, []

    def within(self, epoch):
        assert epoch == len(self.losses) + 1

    def after_epoch(self, loss):
        self.losses.append(loss)
        return "enough" if len(self.losses) == self.n_epochs else None


@pytest.mark.parametrize("rule", RULES)
def test_every_rule_is_a_solver(rule):
    create, _, options = RULES[rule]
    assert SOLVERS[rule] is create
    assert isinstance(create(FM.random(2, 2), SquaredLoss()), Solver)
    assert options.keys() <= set(create.option_names)
    assert not isinstance("adagrad", Solver)


@pytest.mark.parametrize("rule", RULES)
def test_option_names_are_those_of_the_constructor(rule):
    create, model = SOLVERS[rule], FM.random(2, 2)
    options = create(model, SquaredLoss())._options()
    assert set(create.option_names) == options.keys() - {"shuffle", "num_threads"} | {"normalize"}
    create(model, SquaredLoss(), **{name: options.get(name) for name in create.option_names})


@pytest.mark.parametrize("rule", RULES)
def test_hogwild_is_no_option(rule):
    with pytest.raises(TypeError, match="hogwild"):
        SOLVERS[rule](FM.random(2, 2), SquaredLoss(), hogwild=True)


@pytest.mark.parametrize("rule", RULES)
def test_a_state_that_was_written_with_hogwild_is_restored(rule):
    solver = SOLVERS[rule](FM.random(2, 2), SquaredLoss(), clip_value=3.0)
    restore, (create, model, loss, options, progress) = solver.__reduce__()
    assert restore is restore_solver
    other = restore(create, model, loss, options | {"hogwild": True}, progress)
    assert other._options() == solver._options()


@pytest.mark.parametrize("rule", RULES)
def test_epochs_of_prepared_rows_are_partial_fits(rule):
    create, _, options = RULES[rule]
    X, y, weight, model, loss, _ = make_problem(3)
    other = model.copy()
    solver, peer = create(model, loss, **options), create(other, loss, **options)
    data = solver.prepare(X, y, weight)
    losses = [solver.epoch(data, rows) for rows in (None, range(X.shape[0]))]
    assert losses == [peer.partial_fit(X, y, weight) for _ in range(2)]
    assert bits(model) == bits(other)
    assert (solver.n_epochs, peer.n_epochs) == (2, 2)


def test_run_ends_when_the_observer_says_so():
    X, y, weight, model, loss, _ = make_problem(2)
    solver = AdaGrad(model, loss)
    data = solver.prepare(X, y, weight)
    rows = np.arange(30)
    assert solver.run(data, rows, np.random.default_rng(0), 5, Observer(2)) == "enough"
    assert solver.run(data, None, None, 5, Observer(9)) == "max_iter"
    assert solver.n_epochs == 7
    np.testing.assert_array_equal(rows, np.arange(30))  # a copy is shuffled


def test_state_arrays_have_the_names_of_the_papers():
    names = {"sgd": [], "adagrad": ["G"], "adam": ["m", "v"], "ftrl": ["z", "n"]}
    for rule, states in names.items():
        solver = SOLVERS[rule](FM.random(5, 3), SquaredLoss())
        assert [*solver.state_arrays] == [
            f"{s}.{parameter}" for s in states for parameter in ("w0", "w", "V")
        ]
        for name, array in solver.state_arrays.items():
            assert array.size == np.size(getattr(solver.model, name.split(".")[1]))
    solver = SGD(FM.random(2, 3), SquaredLoss())
    solver.partial_fit(np.array([[2.0, 0.0]]), [1.0])
    assert solver.state_arrays["scale"].tolist() == [2.0, 1.0]


# ------------------------------------------------------------------------------------------ rows


def test_rows_hold_what_was_given():
    X, y, weight, model, loss, _ = make_problem(2)
    data = TrainingRows(model, loss, X, y, weight)
    assert data.n_rows == X.shape[0]
    for name in ("indptr", "indices", "data"):
        assert np.shares_memory(getattr(data.X, name), getattr(X, name))
    assert data.X.shape == X.shape
    np.testing.assert_array_equal(data.y, y)
    np.testing.assert_array_equal(data.sample_weight, weight)
    assert TrainingRows(model, loss, X, y).sample_weight is None


def test_columns_are_measured_once():
    X = sp.csr_array(np.array([[0.5, 0.0, -3.0], [-4.0, 0.0, 2.0], [9.0, 0.0, 9.0]]))
    data = TrainingRows(FM.random(3, 2), SquaredLoss(), X, np.zeros(3), [1, 1, 0])
    largest = data.column_max_abs("float32")
    assert largest.dtype == np.float32
    assert largest.tolist() == [4.0, 1.0, 3.0]
    assert not largest.flags.writeable
    assert data.column_max_abs(np.float32) is largest
    assert data.column_max_abs("float64").dtype == np.float64
    ones = TrainingRows(FM.random(2, 2), SquaredLoss(), np.eye(2), np.zeros(2))
    assert ones.column_max_abs("float32") is None
    assert ones.column_rms("float32") is None
    assert data.column_rms("float64").tolist() == [np.sqrt((0.25 + 16) / 2), 1.0, np.sqrt((9 + 4) / 2)]
    assert not data.column_rms("float32").flags.writeable
    huge = TrainingRows(FM.random(1, 2), SquaredLoss(), np.array([[1e300]]), np.zeros(1))
    assert huge.column_rms("float32").tolist() == [1.0]


def test_a_solver_does_not_share_what_was_measured():
    """It goes on to larger values in the same array."""
    X, y = np.array([[0.5, 2.0]]), [1.0]
    solver = SGD(FM.random(2, 2, rng=0), SquaredLoss())
    data = solver.prepare(X, y)
    solver.run(data, None, None, 1, Observer(9))
    solver.partial_fit(X * 4, y)
    assert solver.state_arrays["scale"].tolist() == [2.0, 8.0]
    assert data.column_max_abs("float32").tolist() == [0.5, 2.0]


# ---------------------------------------------------------------------------------------- refusals


def test_rows_of_a_wider_model_are_refused():
    wide, narrow = FM.random(9, 2), FM.random(4, 2)
    data = SGD(wide, SquaredLoss()).prepare(np.ones((2, 9)), [0.0, 1.0])
    with pytest.raises(ValueError, match="data has 9 columns, the model has 4 features"):
        SGD(narrow, SquaredLoss()).epoch(data)


def test_rows_for_another_loss_are_refused():
    model = FM.random(2, 2)
    data = SGD(model, SquaredLoss()).prepare(np.eye(2), [0.0, 3.0])
    with pytest.raises(ValueError, match=r"y\[1\] is 3.0, LogisticLoss expects 0 or 1"):
        SGD(model, LogisticLoss()).epoch(data)


@pytest.mark.parametrize("bad", [-1, 2, 2**40])
def test_rows_that_do_not_exist_are_refused(bad):
    solver = SGD(FM.random(2, 2), SquaredLoss())
    with pytest.raises(ValueError, match=f"rows holds {bad}, expected 0 <= row < 2"):
        solver.epoch(solver.prepare(np.eye(2), [0.0, 1.0]), [0, bad])


@pytest.mark.parametrize("data", [None, np.eye(2), (np.eye(2), [0, 1])])
def test_an_epoch_takes_prepared_rows_alone(data):
    with pytest.raises(TypeError):
        SGD(FM.random(2, 2), SquaredLoss()).epoch(data)


def test_a_solver_without_a_rule_and_a_loss_without_a_function():
    for create in (_core.Solver, _core.Loss):
        with pytest.raises(TypeError, match="by itself"):
            create()


def test_a_subclass_is_pickled_as_such():
    solver = Named(FM.random(2, 2), SquaredLoss(), learning_rate=0.5)
    solver.partial_fit(np.eye(2), [0.0, 1.0])
    again = pickle.loads(pickle.dumps(solver))
    assert type(again) is Named
    assert repr(again) == repr(solver)
    assert again.partial_fit(np.eye(2), [0.0, 1.0]) == solver.partial_fit(np.eye(2), [0.0, 1.0])


class Named(AdaGrad):
    """A user's own."""
