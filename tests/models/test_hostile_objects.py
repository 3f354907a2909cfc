"""Objects that are half made, made twice or made of damaged parts, and absurd sizes: errors, no crash."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp
from helpers.make import csr_of, make_model

import fastfm_c
from fastfm_c import FFM, FM, FTRL, SGD, AdaGrad, Adam, LogisticLoss, SquaredLoss
from fastfm_c.solvers import restore_solver

X = sp.csr_array(np.eye(4))
Y = np.array([0, 1, 0, 1])
SOLVERS = [SGD, AdaGrad, Adam, FTRL]


def fm(n_features=4):
    return FM.random(n_features, 2, rng=0)


USES = {
    "partial_fit": lambda solver: solver.partial_fit(X, Y),
    "resize": lambda solver: solver.resize(9),
    "pickle": pickle.dumps,
}


@pytest.mark.parametrize("kind", SOLVERS)
@pytest.mark.parametrize("use", USES)
def test_a_solver_that_was_not_initialised(kind, use):
    with pytest.raises(TypeError, match=f"this {kind.__name__} was made without its state"):
        USES[use](kind.__new__(kind))
    assert repr(kind.__new__(kind)) == f"<{kind.__name__} without state>"


def test_a_solver_whose_initialisation_failed():
    solver = AdaGrad.__new__(AdaGrad)
    with pytest.raises(ValueError, match="initial_accumulator"):
        solver.__init__(fm(), LogisticLoss(), initial_accumulator=-1)
    with pytest.raises(TypeError, match="this AdaGrad was made without its state"):
        solver.partial_fit(X, Y)


@pytest.mark.parametrize("kind", SOLVERS)
def test_a_solver_keeps_its_model(kind):
    """Its state has the size of the first model's parameters."""
    solver = kind(fm(), LogisticLoss())
    with pytest.raises(TypeError, match=f"this {kind.__name__} has its model already"):
        solver.__init__(fm(4000), LogisticLoss())
    assert solver.model == fm()
    solver.partial_fit(X, Y)


def restored(kind, n_states):
    model = fm()
    state = np.ones(1, "float32"), np.ones(4, "float32"), np.ones((4, 2), "float32")
    progress = 0, 0, np.random.default_rng(0), [state] * n_states, None
    return restore_solver(kind, model, LogisticLoss(), {}, progress)


@pytest.mark.parametrize(("kind", "right"), [(SGD, 0), (AdaGrad, 1), (Adam, 2), (FTRL, 2)])
def test_a_solver_restored_with_too_little_state_or_too_much(kind, right):
    for n_states in range(6):
        if n_states == right:
            restored(kind, n_states).partial_fit(X, Y)
        else:
            with pytest.raises(TypeError, match=f"this {kind.__name__} was made without its state"):
                restored(kind, n_states)


def test_a_solver_whose_state_came_in_read_only_memory():
    """As pickle's out-of-band buffers may be, and arrays that joblib shares between processes."""
    rng = np.random.default_rng(0)
    wide = sp.csr_array(2 * np.eye(300, dtype="float32"))  # beyond 1: there is a scale too
    labels = np.arange(300) % 2
    solver = Adam(make_model(rng, (), 300, 40, "float32"), LogisticLoss())
    solver.partial_fit(wide, labels)
    create, (kind, model, loss, options, progress) = solver.__reduce__()
    for array in [*(array for state in progress[3] for array in state), progress[4]]:
        array.flags.writeable = False
    other = create(kind, model.copy(), loss, options, progress)
    for array in [*(array for state in progress[3] for array in state), progress[4]]:
        array.flags.writeable = True
    before = [state[1].copy() for state in progress[3]]
    other.partial_fit(wide, labels)
    for state, copy in zip(progress[3], before, strict=True):
        np.testing.assert_array_equal(state[1], copy)  # read-only memory was not written to
    solver.partial_fit(wide, labels)
    assert other.model == solver.model
    assert not np.array_equal(progress[3][0][1], before[0])


# ------------------------------------------------------------------------------------ absurd sizes


def test_factors_without_features_take_no_memory_but_time():
    """V of shape (0, 2**60) is an empty array."""
    for outputs, V in (((), np.zeros((0, 2**31), "float32")), ((2,), np.zeros((2, 0, 2**30), "float32"))):
        with pytest.raises(ValueError, match=r"expected less than 2\*\*31 factors of all outputs"):
            FM(np.zeros(outputs), np.zeros((*outputs, 0)), V)
    with pytest.raises(ValueError, match=r"expected less than 2\*\*31 factors"):
        FFM(0.0, [], np.zeros((0, 2, 2**31), "float32"), [])


def test_sizes_whose_product_exceeds_64_bits():
    """2**30 fields times 2**30 factors of 4 bytes times 4 values of a row (3, and one more): 2**64."""
    model = FFM(0.0, [], np.zeros((0, 2**30, 2**30), "float32"), [])
    junk = csr_of(np.array([0, 3]), np.array([0, 1, 2]), np.ones(3), (1, 0))
    for call in (
        lambda: model.gradient(junk, [0], LogisticLoss()),
        lambda: model.objective(junk, [0], LogisticLoss()),
        lambda: SGD(model, LogisticLoss()).partial_fit(junk, [0]),
    ):
        with pytest.raises((ValueError, MemoryError)):
            call()


def test_no_rows_have_no_bad_row():
    empty = csr_of(np.array([-5]), np.zeros(0, "int64"), np.zeros(0), (0, 4))
    for normalize in (None, "instance", "xlearn"):
        model = fm()
        model.normalize = normalize
        assert model.predict(empty).shape == (0,)


@pytest.mark.parametrize("huge", [10**30, 10**400])
def test_numbers_beyond_64_bits(huge, num_threads):
    fastfm_c.set_num_threads(huge)
    fm().predict(X, num_threads=huge)
    fm().gradient(X, Y, LogisticLoss(), num_threads=huge)
    SGD(fm(), LogisticLoss(), batch_size=huge, num_threads=huge).partial_fit(X, Y)
    with pytest.raises((ValueError, MemoryError)):
        FM.random(huge, 2)
    with pytest.raises((ValueError, MemoryError)):
        fm().resize(huge)


@pytest.mark.parametrize("bad", [10**400, "a", None, 1j, np.array([1, 2])])
def test_penalties_and_rates_that_are_no_numbers(bad):
    for name in ("l2_linear", "l2_factors"):
        with pytest.raises(ValueError, match=f"{name} must be finite and >= 0"):
            fm().objective(X, Y, SquaredLoss(), **{name: bad})
    with pytest.raises(ValueError, match="learning_rate must be a finite number > 0"):
        SGD(fm(), SquaredLoss(), learning_rate=bad)


@pytest.mark.parametrize("name", ["indptr", "indices", "data"])
@pytest.mark.parametrize("bad", [None, [0, 1, 2, 3], 5])
def test_a_matrix_of_other_things_than_arrays(name, bad):
    broken = X.copy()
    setattr(broken, name, bad)
    with pytest.raises(ValueError, match=rf"X\.{name} must be an array, got {type(bad).__name__}"):
        fm().predict(broken)
