"""Training over shards in this process, which defines the bits."""

import numpy as np
import pytest
import scipy.sparse as sp
from helpers.shards import N_FEATURES, bits, ffm, fm, rows, split

from fastfm_c import FM, AdaGrad, DivergenceError, LogisticLoss, SoftmaxLoss, SquaredLoss
from fastfm_c import train as train_alone
from fastfm_c.distributed import State, local_gradient, local_update, merge, train
from fastfm_c.distributed._shards import Source
from fastfm_c.distributed._train import expected_of

LOSS = LogisticLoss()
# L-BFGS amplifies the rounding of sums from iteration to iteration.
RELATIVE = {"float64": 1e-9, "float32": 1e-5}


def shard_of(model, X, y, *weight, index=0):
    return Source(index, (X, y, *weight), expected_of(model, LOSS, None)).load()


def adagrad_state(model):
    solver = AdaGrad(model, LOSS, learning_rate=0.1)
    state = State(model, LOSS)
    return State(**{**vars(state), "sums": solver._states[0], "options": solver._options()}), solver


def test_one_shard_of_one_row_is_a_step_of_the_solver():
    X, y = rows(n_rows=1)
    model = fm()
    state, solver = adagrad_state(model)
    before = bits(model)
    delta = local_update(state, shard_of(model, X, y), seed=0, round=1)
    assert bits(model) == before  # pure
    np.testing.assert_array_equal(delta.features, X.indices)
    old = model.copy()
    solver.partial_fit(X, y)
    np.testing.assert_array_equal(delta.rows["V"], (model.V - old.V)[X.indices])
    np.testing.assert_array_equal(delta.rows["counts"], np.ones(4))
    assert delta.totals["w0"] == np.float32(model.w0) - np.float32(old.w0)


def test_one_shard_learns_as_the_solver_alone():
    X, y = rows()
    model, alone = fm(), fm()
    history = train(model, [(X, y)], LOSS, max_iter=1, learning_rate=0.1, rng=5)
    order = np.random.default_rng([int(np.random.default_rng(5).integers(2**63)), 1, 0]).permutation(len(y))
    loss = AdaGrad(alone, LOSS, learning_rate=0.1).partial_fit(X[order], y[order])
    assert history.loss == [pytest.approx(loss, rel=1e-12)]
    np.testing.assert_allclose(model.V, alone.V, atol=1e-6)  # the change was rounded once more
    np.testing.assert_allclose(model.w, alone.w, atol=1e-6)


def test_changes_are_means_weighted_by_occurrences():
    """Feature 0 occurs once in the first shard and three times in the second, 1 and 2 in one of them."""
    X = sp.csr_array(np.array([[1.0, 1, 0], [1, 0, 0], [1, 0, 1], [1, 0, 0]]))
    y = np.array([1.0, 0, 1, 0])
    model = FM.random(3, 2, init_stdev=0.1, dtype="float64", rng=0)
    old = model.copy()
    state, _ = adagrad_state(model)
    parts = [shard_of(model, X[:1], y[:1]), shard_of(model, X[1:], y[1:], index=1)]
    seed = int(np.random.default_rng(3).integers(2**63))
    a, b = (local_update(state, part, seed, 1) for part in parts)
    train(model, [(X[:1], y[:1]), (X[1:], y[1:])], LOSS, max_iter=1, learning_rate=0.1, rng=3)
    expected = (a.rows["w"][0] + b.rows["w"][0]) / 4
    assert model.w[0] - old.w[0] == pytest.approx(expected, rel=1e-12)
    assert model.w[1] - old.w[1] == pytest.approx(a.rows["w"][1], rel=1e-12)
    assert model.w[2] - old.w[2] == pytest.approx(b.rows["w"][1], rel=1e-12)
    assert a.rows["counts"].tolist() == [1, 1]
    assert b.rows["counts"].tolist() == [3, 1]


def test_a_merge_is_a_tree_in_the_order_of_shards():
    X, y = rows()
    model = fm()
    state, _ = adagrad_state(model)
    deltas = [
        local_update(state, shard_of(model, *part, index=i), 0, 1)
        for i, part in enumerate(split(X, y, 3, 50, 51, 200))
    ]
    a, b, c, d, e = (delta.rows["w"] for delta in deltas)
    whole = [np.zeros(N_FEATURES, np.float32) for _ in deltas]
    for sums, delta, w in zip(whole, deltas, (a, b, c, d, e), strict=True):
        sums[delta.features] = w
    merged = merge(iter(deltas))
    expected = ((whole[0] + whole[1]) + (whole[2] + whole[3])) + whole[4]
    np.testing.assert_array_equal(merged.rows["w"], expected[merged.features])
    assert merged.features.tolist() == sorted({*X.indices.tolist()})
    with pytest.raises(ValueError, match="no shards"):
        merge([])


@pytest.mark.parametrize("dtype", ["float64", "float32"])
@pytest.mark.parametrize("values", ["ones", "gamma"])
def test_lbfgs_over_shards_is_that_of_one_machine(dtype, values):
    X, y = rows(values=values)
    weight = np.random.default_rng(1).gamma(1.0, size=len(y))
    options = {"solver": "lbfgs", "max_iter": 20, "l2_linear": 1e-3, "l2_factors": 1e-2}
    alone, model = fm(dtype=dtype), fm(dtype=dtype)
    expected = train_alone(alone, X, y, LOSS, sample_weight=weight, **options)
    found = train(model, split(X, y, 1, 7, 150, weight=weight), LOSS, **options)
    assert found.loss[-1] == pytest.approx(expected.loss[-1], rel=RELATIVE[dtype])
    assert found.loss_name == expected.loss_name
    assert found.loss[-1] == pytest.approx(
        model.objective(X, y, LOSS, sample_weight=weight, l2_linear=1e-3, l2_factors=1e-2), rel=1e-6
    )


def test_a_gradient_of_shards_is_that_of_all_rows():
    X, y = rows()
    model = ffm("float64")
    shards = [shard_of(model, *part) for part in split(X, y, 0, 1, 120)]
    sums = merge(local_gradient(State(model, LOSS), shard) for shard in shards)
    value, gradient = model.gradient(X, y, LOSS)
    assert sums.totals["loss"] / len(y) == pytest.approx(value, rel=1e-12)
    np.testing.assert_allclose(sums.rows["V"] / len(y), gradient.V[sums.features], rtol=1e-9, atol=1e-15)


CASES = {
    "FM": (fm, LOSS, {}),
    "FFM": (ffm, LOSS, {}),
    "softmax": (lambda: fm(3), SoftmaxLoss(), {"n_classes": 3}),
    "squared": (fm, SquaredLoss(), {"n_classes": 5}),
    "values": (fm, LOSS, {"values": "gamma"}),
    "int64": (fm, LOSS, {"index_dtype": np.int64}),
}


@pytest.mark.parametrize("solver", ["adagrad", "lbfgs"])
@pytest.mark.parametrize("case", CASES)
def test_shards_of_any_size_repeat_and_learn(case, solver):
    """No rows, one row, a feature in one shard alone, classes that a shard lacks; kept or read anew."""
    make, loss, kind = CASES[case]
    X, y = rows(**kind)
    order = np.argsort(y, kind="stable")
    shards = split(X[order], y[order], 0, 1, 100, 100, 220)
    options = {"solver": solver, "max_iter": 6, **({"learning_rate": 0.3} if solver == "adagrad" else {})}
    models = [make() for _ in range(3)]
    start = models[0].objective(X, y, loss)
    history = train(models[0], shards, loss, **options)
    train(models[1], shards, loss, num_threads=1, **options)
    read = [lambda part=part: part for part in shards]
    train(models[2], read, loss, num_threads=2, **options)
    assert len({bits(model) for model in models}) == 1
    assert models[0].objective(X, y, loss) < start
    assert history.rows == len(y)


def test_the_seed_decides_about_the_order_of_rows_alone():
    X, y = rows()
    models = [fm(), fm(), fm()]
    for model, rng in zip(models, (0, 0, 1), strict=True):
        train(model, split(X, y, 100), LOSS, max_iter=2, rng=rng)
    assert bits(models[0]) == bits(models[1]) != bits(models[2])


def test_a_schedule_changes_the_rate_of_rounds():
    X, y = rows()
    rates = []
    model, same = fm(), fm()

    def rate(epoch):
        rates.append(epoch)
        return 0.1 / epoch**0.5

    train(model, split(X, y, 100), LOSS, max_iter=3, learning_rate=rate)
    train(same, split(X, y, 100), LOSS, max_iter=3, learning_rate=0.1, schedule="inverse_sqrt")
    assert {1, 2, 3} <= set(rates) <= {1, 2, 3}
    np.testing.assert_allclose(model.V, same.V, rtol=1e-6)
    train(same, split(X, y, 100), LOSS, max_iter=3, schedule="cosine")


def test_normalize_is_an_option_as_for_one_machine():
    X, y = rows(values="gamma")
    model, same = fm(), fm()
    same.normalize = "instance"
    train(model, split(X, y, 100), LOSS, max_iter=2, normalize="instance")
    train(same, split(X, y, 100), LOSS, max_iter=2)
    assert model.normalize == "instance"
    assert bits(model) == bits(same)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda X, y: (X, np.where(np.arange(len(y)) == 4, 7.0, y)), r"shard 1: .*4.*7"),
        (
            lambda X, y: (sp.csr_array((X.data * np.nan, X.indices, X.indptr), shape=X.shape), y),
            "shard 1: row 0",
        ),
        (lambda X, y: (X, y[1:]), "shard 1: y has shape"),
        (lambda X, y: X, "shard 1: a shard must be"),
    ],
)
def test_an_error_names_the_shard_and_the_row(change, match):
    X, y = rows()
    first, second = split(X, y, 100)
    model = fm()
    before = bits(model)
    for bad in (change(*second), lambda: change(*second)):
        with pytest.raises(ValueError, match=match):
            train(model, [first, bad], LOSS)
    assert bits(model) == before


def test_a_reader_that_fails_says_of_which_shard():
    def read():
        raise FileNotFoundError("no such file")

    with pytest.raises(FileNotFoundError, match="no such file") as caught:
        train(fm(), [rows(), read], LOSS)
    assert caught.value.__notes__ == ["in shard 1"]


def test_divergence_names_the_shard_and_leaves_the_last_round():
    X, y = rows()
    model = fm()
    models = []
    y[250] = 1e30
    with pytest.raises(DivergenceError, match=r"shard 1: epoch \d diverged at row"):
        train(
            model, split(X, y, 100), SquaredLoss(), max_iter=50, learning_rate=1e12,
            callbacks=lambda info: models.append(bits(info.model)),
        )  # fmt: skip
    assert np.isfinite(model.V).all()
    assert bits(model) == (models[-1] if models else bits(fm()))


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"solver": "adam"}, "solver must be 'adagrad' or 'lbfgs'"),
        ({"momentum": 1}, "takes learning_rate.*got momentum"),
        ({"early_stopping": True}, "eval_set"),
        ({"resume": True}, "path of a checkpoint"),
        ({"checkpoint_every": 0}, "checkpoint_every"),
        ({"eval_set": [(rows()[0][:0], rows()[1][:0])]}, "eval_set has no rows"),
    ],
)
def test_what_cannot_be_is_refused(options, match):
    with pytest.raises(ValueError, match=match):
        train(fm(), [rows()], LOSS, **options)


def test_shards_without_weight_are_refused():
    X, y = rows()
    for shards in ([(X, y, 0 * y)], [(X[:0], y[:0])]):
        with pytest.raises(ValueError, match="positive weight"):
            train(fm(), shards, LOSS)
    with pytest.raises(ValueError, match="no shards"):
        train(fm(), [], LOSS)


def test_a_row_of_weight_zero_is_as_if_absent():
    X, y = rows()
    weight = np.ones(len(y))
    weight[::3] = 0
    shards = [(X[:0], y[:0], weight[:0]), (X, y, weight)]
    model, same = fm(), fm()
    train(model, shards, LOSS, solver="lbfgs", max_iter=5)
    train(same, split(X[weight > 0], y[weight > 0], 0), LOSS, solver="lbfgs", max_iter=5)
    np.testing.assert_allclose(model.V, same.V, atol=1e-5)
