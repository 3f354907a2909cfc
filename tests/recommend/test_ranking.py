"""Learning to rank: against a plain reference, with the same bits however it is computed."""

import math

import numpy as np
import pytest
import scipy.sparse as sp
from helpers.levels import LEVELS, at_level

from fastfm_c import FM, SGD, AdaGrad, LogisticLoss
from fastfm_c._core import rank_epoch
from fastfm_c.recommend._learning import ranking_rows

OPTIONS = dict(loss="warp", own_pairs=False, max_sampled=10, negative_sampling="uniform", seed=5)


def philox(counter, key):
    """Ten rounds of Philox 4x32 (Salmon et al. 2011)."""
    c, k = list(counter), list(key)
    for _ in range(10):
        a, b = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        mask = 0xFFFFFFFF
        c = [b >> 32 ^ c[1] ^ k[0], b & mask, a >> 32 ^ c[3] ^ k[1], a & mask]
        k = [(k[0] + 0x9E3779B9) & mask, (k[1] + 0xBB67AE85) & mask]
    return c


class Draws:
    """Numbers below n for an entry in an epoch."""

    def __init__(self, seed, epoch, entry):
        self.seed, self.epoch, self.entry, self.block, self.left = seed, epoch, entry, 0, []

    def below(self, n):
        if not self.left:
            words = self.seed & 0xFFFFFFFF, self.seed >> 32
            self.left = philox([self.entry & 0xFFFFFFFF, self.entry >> 32, self.epoch, self.block], words)
            self.block += 1
        return self.left.pop() * n >> 32


def softplus(x):
    return max(x, 0) + math.log1p(math.exp(-abs(x)))


def sigmoid(x):
    return 1 / (1 + math.exp(-x)) if x > -700 else 0.0


def joined(parts, own_pairs, model, context):
    """(score, gradient of w, gradient of V) of a context's row beside an item's."""
    user, item = parts
    w, V = model.w.astype(float), model.V.astype(float)
    s_u, s_i = user @ V, item @ V
    score = w @ item + s_u @ s_i + (w @ user + model.w0 if context else 0)
    grad_w = item + (user if context else 0)
    grad_V = np.outer(user, s_i) + np.outer(item, s_u)
    for x, s, counts in (user, s_u, context), (item, s_i, True):
        if own_pairs and counts:
            score += 0.5 * (s @ s - ((x**2) @ (V**2)).sum())
            grad_V += np.outer(x, s) - (x**2)[:, None] * V
    return score, grad_w, grad_V


def reference_step(model, users, items, matrix, batch, epoch, options, weights):
    """(sum of losses, gradient of w, gradient of V) of one batch, literally."""
    context = options["loss"] == "logistic"
    total, grad_w, grad_V = 0.0, np.zeros(model.n_features), np.zeros(model.V.shape)
    user_of = np.repeat(np.arange(matrix.shape[0]), np.diff(matrix.indptr))
    eligible = np.unique(matrix.indices)
    pool = matrix.indices if options["negative_sampling"] == "popularity" else eligible
    for entry in batch:
        u, i, draws = user_of[entry], matrix.indices[entry], Draws(options["seed"], epoch, int(entry))
        seen = set(matrix[[u]].indices.tolist())
        n_unseen = len(eligible) - len(seen)
        mine = joined((users[u], items[i]), options["own_pairs"], model, context)
        slopes = None
        for t in range(1, (options["max_sampled"] if options["loss"] == "warp" else 1) + 1):
            if n_unseen == 0:
                break
            j = next(j for j in iter(lambda d=draws: pool[d.below(len(pool))], None) if j not in seen)
            other = joined((users[u], items[j]), options["own_pairs"], model, context)
            if options["loss"] == "warp" and not other[0] > mine[0] - 1:
                continue
            if options["loss"] == "warp":
                g = math.log(max(1, n_unseen // t))
                total, slopes = total + weights[entry] * g * (1 - mine[0] + other[0]), (-g, g)
            elif options["loss"] == "bpr":
                g = sigmoid(other[0] - mine[0])
                total, slopes = total + weights[entry] * softplus(other[0] - mine[0]), (-g, g)
            else:
                total += weights[entry] * (softplus(-mine[0]) + softplus(other[0]))
                slopes = -sigmoid(-mine[0]), sigmoid(other[0])
            break
        if slopes:
            for g, (_, of_w, of_V) in zip(slopes, (mine, other), strict=True):
                grad_w += weights[entry] * g * of_w
                grad_V += weights[entry] * g * of_V
    return total, grad_w, grad_V


def problem(rng, n_users=9, n_items=14, features=True, dtype="float64", k=3):
    """(model, users, items, matrix): rows of the users have the first columns.

    features: False, or True for both sides, "items", or "shared" for rows of one column that others have.
    """
    width = n_users + n_items + 8
    users, items = np.zeros((n_users, width)), np.zeros((n_items, width))
    users[:, :n_users], items[:, n_users : n_users + n_items] = np.eye(n_users), np.eye(n_items)
    if features == "shared":
        users, items = users[np.arange(n_users) // 2], items[np.arange(n_items) // 3]
    if features is True:
        users[:, -8:-4] = rng.integers(0, 2, (n_users, 4)) * rng.random((n_users, 4))
    if features in (True, "items"):
        items[:, -4:] = rng.integers(0, 2, (n_items, 4)) * rng.random((n_items, 4))
    matrix = sp.csr_array(sp.random(n_users, n_items, 0.4, "csr", random_state=rng))
    matrix.sort_indices()
    model = FM(0.3, rng.standard_normal(width).astype(dtype), rng.standard_normal((width, k)).astype(dtype))
    return model, users, items, matrix


def data_of(users, items, matrix, weights, options, dtype="float64"):
    rows = tuple(sp.csr_array(side.astype(dtype)) for side in (users, items))
    return ranking_rows(matrix, matrix, weights, rows, options)


@pytest.mark.parametrize("loss", ["bpr", "warp", "logistic"])
@pytest.mark.parametrize("own_pairs", [False, True])
@pytest.mark.parametrize("negative_sampling", ["uniform", "popularity"])
@pytest.mark.parametrize("features", [False, True, "items", "shared"])
def test_a_step_is_that_of_the_reference(loss, own_pairs, negative_sampling, features):
    rng = np.random.default_rng(3)
    model, users, items, matrix = problem(rng, features=features)
    options = OPTIONS | dict(loss=loss, own_pairs=own_pairs, negative_sampling=negative_sampling)
    weights = rng.random(matrix.nnz) + 0.5
    data = data_of(users, items, matrix, weights, options)
    before, order = model.copy(), rng.permutation(matrix.nnz)
    solver = SGD(model, LogisticLoss(), learning_rate=0.01, batch_size=1000)
    mean = rank_epoch(solver, data, 7, order, None, 1)
    total, grad_w, grad_V = reference_step(before, users, items, matrix, order, 7, options, weights)
    np.testing.assert_allclose(mean * matrix.nnz, total, rtol=1e-12)
    np.testing.assert_allclose(model.w, before.w - 0.01 * grad_w, rtol=1e-10, atol=1e-12)
    np.testing.assert_allclose(model.V, before.V - 0.01 * grad_V, rtol=1e-10, atol=1e-12)
    assert (model.w0 != before.w0) == (loss == "logistic")


def test_batches_are_steps_after_each_other():
    rng = np.random.default_rng(4)
    model, users, items, matrix = problem(rng)
    weights = np.ones(matrix.nnz)
    data = data_of(users, items, matrix, weights, OPTIONS)
    mine = model.copy()
    solver = SGD(model, LogisticLoss(), learning_rate=0.02, batch_size=10)
    rank_epoch(solver, data, 1, np.arange(matrix.nnz), None, 1)
    for begin in range(0, matrix.nnz, 10):
        batch = np.arange(begin, min(begin + 10, matrix.nnz))
        _, grad_w, grad_V = reference_step(mine, users, items, matrix, batch, 1, OPTIONS, weights)
        mine.w -= 0.02 * grad_w
        mine.V -= 0.02 * grad_V
    np.testing.assert_allclose(model.V, mine.V, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("loss", ["bpr", "warp", "logistic"])
@pytest.mark.parametrize("k", [3, 16, 37])
@pytest.mark.parametrize("features", [True, False])
def test_same_bits_for_threads_and_levels(loss, k, features):
    """Large enough for several threads."""
    results = []
    for level in LEVELS:
        for num_threads in 1, 2, 3, 7:
            rng = np.random.default_rng(0)
            model, users, items, matrix = problem(rng, 60, 80, features, "float32", k)
            data = data_of(users, items, matrix, np.ones(matrix.nnz), OPTIONS | dict(loss=loss), "float32")
            solver = AdaGrad(model, LogisticLoss(), learning_rate=0.1, batch_size=20_000 // k)
            order = np.tile(np.arange(matrix.nnz), 5)
            with at_level(level):
                mean = rank_epoch(solver, data, 1, order, None, num_threads)
            results.append((mean, model.w.tobytes(), model.V.tobytes()))
    assert all(result == results[0] for result in results)


def test_a_user_who_has_seen_everything_teaches_nothing():
    rng = np.random.default_rng(0)
    model, users, items, _ = problem(rng)
    matrix = sp.csr_array(np.vstack([np.ones((1, 14)), np.zeros((8, 14))]))
    data = data_of(users, items, matrix, np.ones(14), OPTIONS | dict(loss="bpr"))
    before = model.copy()
    assert rank_epoch(SGD(model, LogisticLoss()), data, 1, np.arange(14), None, 1) == 0
    assert model == before


def test_the_one_unseen_item_is_found():
    """More often seen than the search rejects: the unseen ones are then counted out."""
    n_items = 3000
    users, items = np.eye(2, n_items + 2), np.eye(n_items, n_items + 2, k=2)
    seen = np.ones((2, n_items))
    seen[0, 1234] = 0
    matrix = sp.csr_array(seen)
    model = FM(0.0, np.zeros(n_items + 2), np.ones((n_items + 2, 1)))
    for negative_sampling in "uniform", "popularity":
        options = OPTIONS | dict(loss="bpr", negative_sampling=negative_sampling)
        data = data_of(users, items, matrix, np.ones(matrix.nnz), options)
        mine = model.copy()
        rank_epoch(SGD(mine, LogisticLoss(), learning_rate=0.1), data, 1, np.array([0]), None, 1)
        np.testing.assert_array_equal(np.flatnonzero(mine.w), [2, 1236])


def test_divergence_leaves_finite_parameters():
    rng = np.random.default_rng(0)
    model, users, items, matrix = problem(rng)
    model.V *= 1e200
    data = data_of(users, items, matrix, np.ones(matrix.nnz), OPTIONS)
    with pytest.raises(ArithmeticError, match="diverged"):
        rank_epoch(SGD(model, LogisticLoss()), data, 1, np.arange(matrix.nnz), None, 1)
    assert np.isfinite(model.V).all()


def test_refuses_what_does_not_fit():
    rng = np.random.default_rng(0)
    model, users, items, matrix = problem(rng)
    data = data_of(users, items, matrix, np.ones(matrix.nnz), OPTIONS)
    solver = SGD(model, LogisticLoss())
    with pytest.raises(ValueError, match="order holds numbers outside"):
        rank_epoch(solver, data, 1, np.array([matrix.nnz]), None, 1)
    with pytest.raises(ValueError, match="prepared for another model"):
        rank_epoch(SGD(FM.random(3, 2, rng=0), LogisticLoss()), data, 1, np.array([0]), None, 1)
