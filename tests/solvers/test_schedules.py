"""Learning rates that change from epoch to epoch."""

import math
import pickle

import numpy as np
import pytest
from helpers.solvers import RULES, bits, make_problem

from fastfm_c import FM, LogisticLoss, SquaredLoss, load, save, train

N_EPOCHS = 6
FACTORS = {
    "constant": lambda epoch: 1.0,
    "inverse_sqrt": lambda epoch: 1 / math.sqrt(epoch),
    "cosine": lambda epoch: (1 + math.cos(math.pi * (epoch - 1) / N_EPOCHS)) / 2,
}


def third(epoch):
    return 0.3 / epoch


def run(solver, X, y, weight, rates=None, n_epochs=N_EPOCHS):
    """Train in order; the rates that the solver had, and the losses. Sets `rates` before each epoch."""
    seen = []

    def callback(info):
        seen.append(solver.current_learning_rate)
        if rates is not None and info.epoch < len(rates):
            solver.learning_rate = rates[info.epoch]

    options = {"solver": solver, "max_iter": n_epochs, "shuffle": False, "callbacks": callback}
    history = train(solver.model, X, y, solver.loss, sample_weight=weight, **options)
    return seen, history.loss


@pytest.mark.parametrize("name", FACTORS)
@pytest.mark.parametrize("rule", RULES)
def test_an_epoch_learns_at_the_base_rate_times_the_schedule(rule, name):
    """To the bits of a solver whose rate is set before each epoch."""
    create, _, options = RULES[rule]
    X, y, weight, model, loss, _ = make_problem(3)
    peer = create(model.copy(), loss, **options)
    solver = create(model, loss, schedule=name, **options)
    rates = [options["learning_rate"] * FACTORS[name](epoch) for epoch in range(1, N_EPOCHS + 1)]
    seen = run(solver, X, y, weight)
    np.testing.assert_allclose(seen[0], rates, rtol=1e-15)
    assert run(peer, X, y, weight, seen[0]) == seen
    assert bits(solver.model) == bits(peer.model)
    assert (solver.learning_rate, solver.schedule) == (
        options["learning_rate"],
        name if name != "constant" else None,
    )


@pytest.mark.parametrize("rule", RULES)
def test_the_name_of_a_schedule_has_the_default_rate(rule):
    create = RULES[rule][0]
    X, y, weight, model, loss, _ = make_problem(3)
    named, peer = create(model, loss, learning_rate="cosine"), create(model.copy(), loss, schedule="cosine")
    assert run(named, X, y, weight) == run(peer, X, y, weight)
    assert named.learning_rate == create(model, loss).learning_rate == create.default_learning_rate


@pytest.mark.parametrize("rule", RULES)
def test_a_callable_gives_the_rate_of_each_epoch(rule):
    X, y, weight, model, loss, _ = make_problem(3)
    solver = RULES[rule][0](model, loss, learning_rate=third)
    assert run(solver, X, y, weight)[0] == [third(epoch) for epoch in range(1, N_EPOCHS + 1)]
    solver.partial_fit(X, y, weight)
    assert solver.current_learning_rate == third(N_EPOCHS + 1)
    assert solver.learning_rate is third


def test_train_takes_what_solvers_take():
    X, y, _, model, loss, _ = make_problem(3)
    for options in ({"schedule": "cosine", "learning_rate": 0.2}, {"learning_rate": "inverse_sqrt"},
                    {"learning_rate": third}):  # fmt: skip
        one, other = model.copy(), model.copy()
        train(one, X, y, loss, solver="adam", max_iter=3, rng=0, **options)
        train(other, X, y, loss, solver=RULES["adam"][0](other, loss, **options), max_iter=3, rng=0)
        assert one == other != model


def test_a_callable_that_gives_no_rate_ends_the_training_before_its_epoch():
    X, y, _, model, loss, _ = make_problem(3)
    solver = RULES["sgd"][0](model, loss, learning_rate=lambda epoch: 0.1 if epoch < 3 else 0)
    with pytest.raises(ValueError, match=r"learning_rate\(3\) must be a finite number > 0, got 0"):
        run(solver, X, y, None)
    assert solver.n_epochs == 2


def test_partial_fit_knows_no_last_epoch():
    X, y, _, model, loss, _ = make_problem(3)
    before, solver = model.copy(), RULES["sgd"][0](model, loss, schedule="cosine")
    with pytest.raises(ValueError, match=r"'cosine' ends with the last epoch.* take 'inverse_sqrt'"):
        solver.partial_fit(X, y)
    assert model == before
    run(solver, X, y, None)
    with pytest.raises(ValueError, match="'cosine' ends"):
        solver.partial_fit(X, y)


def test_a_second_training_begins_a_cosine_anew_and_goes_on_with_an_inverse_root():
    X, y, _, model, loss, _ = make_problem(3)
    for name, epochs in (("cosine", [1, 2, 3, 4, 5, 6]), ("inverse_sqrt", [7, 8, 9, 10, 11, 12])):
        solver = RULES["adagrad"][0](model.copy(), loss, learning_rate=0.5, schedule=name)
        run(solver, X, y, None)
        rates = [0.5 * FACTORS[name](epoch) for epoch in epochs]
        np.testing.assert_allclose(run(solver, X, y, None)[0], rates)


# -------------------------------------------------------------------------------------- setting it


def test_a_rate_can_be_set():
    solver = RULES["adam"][0](FM.random(2, 2), SquaredLoss(), schedule="inverse_sqrt")
    solver.learning_rate = 0.25
    assert (solver.learning_rate, solver.schedule) == (0.25, "inverse_sqrt")
    solver.learning_rate = third
    assert (solver.learning_rate, solver.schedule) == (third, None)
    solver.learning_rate = "cosine"
    assert (solver.learning_rate, solver.schedule) == (0.001, "cosine")
    for wrong in (0, -1.0, "0.1", None, math.nan, [0.1, 0.2], lambda epoch: math.inf):
        with pytest.raises(ValueError, match="learning_rate"):
            solver.learning_rate = wrong
    assert (solver.learning_rate, solver.schedule) == (0.001, "cosine")


@pytest.mark.parametrize("rule", RULES)
def test_a_rate_that_was_set_is_that_of_a_solver_made_with_it(rule):
    X, y, weight, model, loss, _ = make_problem(3)
    create = RULES[rule][0]
    made = create(model.copy(), loss, learning_rate=0.25)
    set_later = create(model, loss)
    set_later.learning_rate = 0.25
    losses = [[solver.partial_fit(X, y, weight) for _ in range(3)] for solver in (made, set_later)]
    np.testing.assert_allclose(*losses, rtol=1e-12)  # FTRL's z is converted


@pytest.mark.parametrize("size", [1.0, 1e4])
@pytest.mark.parametrize("dtype", ["float32", "float64"])
@pytest.mark.parametrize("n_outputs", [1, 3])
@pytest.mark.parametrize("n_fields", [0, 3])
def test_a_change_of_rate_does_not_move_what_ftrl_has_learned(n_fields, n_outputs, dtype, size):
    """Its parameters follow from z and the rate. A gradient of nearly nothing shows what they follow to."""
    X, y, _, model, loss, _ = make_problem(2, n_fields=n_fields, n_outputs=n_outputs, dtype=dtype)
    X.data *= size
    for part in (model.w, model.V):
        part[...] /= size
    solver = RULES["ftrl"][0](model, loss, l1_linear=1.0 * size, l2_linear=0.1, l2_factors=0.1)
    for _ in range(3):
        solver.partial_fit(X, y)
    before = model.copy()
    solver.learning_rate = 1e-3
    solver.partial_fit(X, y, np.full(X.shape[0], 1e-20))
    for name in ("w0", "w", "V"):
        was, now = np.asarray(getattr(before, name)), np.asarray(getattr(model, name))
        np.testing.assert_allclose(now, was, rtol=0, atol=1e-5 * np.abs(was).max())
    assert np.count_nonzero(before.w) not in (0, before.w.size)


# ------------------------------------------------------------------------------------------- files


@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("again", ["pickle", "file"])
def test_a_solver_with_a_schedule_goes_on_where_it_was(rule, again, tmp_path):
    X, y, weight, model, loss, _ = make_problem(3)
    solver = RULES[rule][0](model, loss, learning_rate=0.3, schedule="inverse_sqrt")
    for _ in range(3):
        solver.partial_fit(X, y, weight)
    if again == "file":
        save(solver, tmp_path / "solver")
        other = load(tmp_path / "solver")
    else:
        other = pickle.loads(pickle.dumps(solver))
    assert other.current_learning_rate == solver.current_learning_rate == 0.3 / math.sqrt(3)
    assert repr(other) == repr(solver)
    assert other.partial_fit(X, y, weight) == solver.partial_fit(X, y, weight)
    assert bits(other.model) == bits(solver.model)


def test_a_file_holds_no_function(tmp_path):
    solver = RULES["sgd"][0](FM.random(2, 2), LogisticLoss(), learning_rate=third)
    assert pickle.loads(pickle.dumps(solver)).learning_rate is third
    with pytest.raises(ValueError, match="learning_rate is <function third"):
        save(solver, tmp_path / "solver")


def test_a_pickle_of_the_first_version_has_no_rate():
    X, y, weight, model, loss, _ = make_problem(3)
    solver = RULES["ftrl"][0](model, loss, learning_rate=0.3)
    solver.partial_fit(X, y, weight)
    restore, (create, model, loss, options, progress) = solver.__reduce__()
    del options["schedule"]
    other = restore(create, model.copy(), loss, options, pickle.loads(pickle.dumps(progress[:-1])))
    assert other.current_learning_rate == 0.3
    assert other.partial_fit(X, y, weight) == solver.partial_fit(X, y, weight)
