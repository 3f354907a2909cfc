"""Problems for learning by columns, and their sweeps."""

import functools

import numpy as np
import scipy.sparse as sp

from fastfm_c import FFM, LogisticLoss, _core, reference
from fastfm_c.solvers import TrainingRows

KINDS = ["pair", "one-hot", "sparse", "dense", "mixed"]


def one_hot(rng, n_rows, sizes, index="int32"):
    """Rows with one value of 1 in each of these fields."""
    columns = [
        rng.integers(0, size, n_rows) + first for size, first in zip(sizes, _firsts(sizes), strict=True)
    ]
    indices = np.stack(columns, axis=1).ravel().astype(index)
    indptr = np.arange(0, len(indices) + 1, len(sizes)).astype(index)
    X = sp.csr_array((n_rows, sum(sizes)))
    X.indptr, X.indices, X.data = indptr, indices, np.ones(len(indices))
    return X


def _firsts(sizes):
    return np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(int)


def make_X(kind, rng, n_rows=60):
    """Rows of one kind; all have a column without values but those of pairs."""
    if kind == "pair":
        return one_hot(rng, n_rows, [7, 6])
    if kind == "one-hot":
        return one_hot(rng, n_rows, [7, 4, 3])
    share = {"sparse": 0.15, "dense": 0.9, "mixed": 0.5}[kind]
    values = rng.normal(size=(n_rows, 14)) * (rng.random((n_rows, 14)) < share)
    values[:, 5] = 0
    if kind == "mixed":
        return sp.csr_array(sp.hstack([one_hot(rng, n_rows, [6, 5]), values[:, :6]]))
    return sp.csr_array(values)


def make_rows(kind, loss, seed, n_rows=60):
    """X, y, weights."""
    rng = np.random.default_rng(seed)
    X = make_X(kind, rng, n_rows)
    y = rng.integers(0, 2, n_rows) if isinstance(loss, LogisticLoss) else rng.normal(size=n_rows)
    return X, y, rng.choice([0.0, 0.5, 1.0, 2.0], n_rows)


def reference_loss(loss):
    """The loss in the reference, and its curvature."""
    if isinstance(loss, LogisticLoss):
        return functools.partial(reference.logistic_loss, label_smoothing=loss.label_smoothing), 0.25
    return reference.squared_loss, 1.0


def shared_rows(rng, n_rows=400, n_users=8, n_items=6, n_liked=3):
    """Rows of an item, a user, what the user has liked before, and one of two kinds of users.

    All but the item repeats: a relation. Returns X, and the first column that repeats.
    """
    users, items = rng.permutation(np.arange(n_rows) % n_users), rng.integers(n_items, size=n_rows)
    liked = np.array([rng.choice(n_items, n_liked, replace=False) for _ in range(n_users)])[users]
    firsts = _firsts([n_items, n_users, n_items])
    kind = firsts[2] + n_items + users % 2
    indices = np.column_stack([items, firsts[1] + users, firsts[2] + liked, kind])
    values = np.concatenate([np.ones(2), np.full(n_liked, n_liked**-0.5), np.ones(1)])
    X = sp.csr_array((n_rows, int(firsts[2]) + n_items + 2))
    X.indices, X.data = indices.ravel().astype("int32"), np.tile(values, n_rows)
    X.indptr = np.arange(0, len(X.data) + 1, len(values)).astype("int32")
    return X, n_items


def columns_of(model, loss, X, y, sample_weight=None, rows=None, num_threads=1):
    """The plan of these rows, for an FM or an FFM."""
    data = TrainingRows(model, loss, X, y, sample_weight)
    kind = _core.FieldColumns if isinstance(model, FFM) else _core.Columns
    return kind(model, loss, data, rows, num_threads)


def swept(model, loss, X, y, sweeps=2, l2=(0.02, 0.05), **options):
    """A copy of the model after some sweeps."""
    model = model.copy()
    columns = columns_of(model, loss, X, y, **options)
    for _ in range(sweeps):
        columns.sweep(*l2)
    columns.write()
    return model
