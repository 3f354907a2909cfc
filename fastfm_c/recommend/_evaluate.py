"""How good recommendations are: measures over users, and splits of interactions."""

from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from fastfm_c._validation import as_count, as_fraction
from fastfm_c.recommend._interactions import as_interactions

__all__ = ["evaluate", "leave_last_out", "split_by_user"]

_USERS = 256  # that are scored at a time


def evaluate(
    recommender: Any, train: Any, test: Any, K: int = 10, *, num_threads: int | None = None
) -> dict[str, float]:
    """Measures of the recommendations for users with items in `test`, each a mean over these users.

    Items of `train` are not recommended. With h_r = 1 if the r-th recommendation is a test item:

    - precision: the sum of h_r / K; recall: the same divided by the number of test items
    - map: the sum of h_r times the precision of the first r, divided by min(K, number of test items)
    - ndcg: the sum of h_r / log2(r + 1), divided by its largest possible value
    - auc: the share of pairs of a test item and another one not in `train` that scores put in order; a tie
      is a half. Users without such pairs do not count
    - coverage: the share of all items that are recommended to somebody

    Parameters
    ----------
    recommender : FMRecommender
    train, test : scipy.sparse matrix or array of shape (n_users, n_items)
        Stored values above 0 are interactions. An item of both is one of `train`.
    K : int, default 10
    num_threads : int, optional

    Returns
    -------
    dict of str to float
        nan where no user counts.

    Raises
    ------
    ValueError
        If shapes do not fit the recommender.
    """
    K = as_count(K, "K")
    train, test = as_interactions(train, "train"), as_interactions(test, "test")
    shape = recommender.n_users_, recommender.n_items_
    for name, matrix in ("train", train), ("test", test):
        if matrix.shape != shape:
            raise ValueError(f"{name} has shape {matrix.shape}, expected {shape}")
    test = as_interactions(test - test.multiply(train > 0))
    users = np.flatnonzero(np.diff(test.indptr))
    sums, n_auc, recommended = np.zeros(5), 0, np.zeros(shape[1], bool)
    for begin in range(0, len(users), _USERS):
        block = users[begin : begin + _USERS]
        hits, ids = _hits(recommender, train[block], test[block], block, K, num_threads)
        sums[:4] += measures(hits, np.diff(test[block].indptr)).sum(axis=1)
        recommended[ids[ids >= 0]] = True
        scores = recommender._scores(block, num_threads)
        aucs = np.array(
            [_auc(row, train[[u]].indices, test[[u]].indices) for row, u in zip(scores, block, strict=True)]
        )
        sums[4] += np.nansum(aucs)
        n_auc += int(np.isfinite(aucs).sum())
    n = len(users)
    names = "precision", "recall", "map", "ndcg"
    found = {name: float(sums[i] / n) if n else np.nan for i, name in enumerate(names)}
    found["auc"] = float(sums[4] / n_auc) if n_auc else np.nan
    return found | {"coverage": float(recommended.mean()) if len(recommended) else np.nan}


def top_measures(
    recommender: Any, train: Any, test: Any, K: int, num_threads: int | None
) -> dict[str, float]:
    """precision and ndcg alone, of matrices that are checked: what early stopping watches."""
    users = np.flatnonzero(np.diff(test.indptr))
    hits, _ = _hits(recommender, train[users], test[users], users, K, num_threads)
    precision, _, _, ndcg = measures(hits, np.diff(test[users].indptr)).mean(axis=1)
    return {"precision": float(precision), "ndcg": float(ndcg)}


def _hits(
    recommender: Any, train: Any, test: Any, users: NDArray[np.int64], K: int, num_threads: int | None
) -> tuple[NDArray[np.bool_], NDArray[np.int64]]:
    """Which of the first K recommendations are test items, and the recommendations."""
    ids, _ = recommender._top(users, train, K, num_threads)
    row = np.repeat(np.arange(len(users)), np.diff(test.indptr))
    n_items = test.shape[1]
    wanted = row * n_items + test.indices  # ascending, because test is in canonical form
    asked = np.arange(len(users))[:, None] * n_items + ids
    place = np.minimum(np.searchsorted(wanted, asked), max(len(wanted) - 1, 0))
    return (ids >= 0) & (wanted[place] == asked), ids


def measures(hits: NDArray[np.bool_], n_test: NDArray[Any]) -> NDArray[np.float64]:
    """(precision, recall, average precision, ndcg) of each user, of shape (4, n_users)."""
    K = hits.shape[1]
    rank = np.arange(1, K + 1)
    gains = 1 / np.log2(rank + 1)
    best = np.concatenate([[0.0], np.cumsum(gains)])[np.minimum(n_test, K)]
    n_hits = hits.sum(axis=1)
    average = (hits * np.cumsum(hits, axis=1) / rank).sum(axis=1) / np.minimum(n_test, K)
    return np.array([n_hits / K, n_hits / n_test, average, (hits * gains).sum(axis=1) / best])


def _auc(scores: NDArray[Any], train: NDArray[Any], test: NDArray[Any]) -> float:
    """The share of ordered pairs of a test item and one of neither matrix; nan without such pairs."""
    is_other = np.ones(len(scores), bool)
    is_other[train] = is_other[test] = False
    others, mine = np.sort(scores[is_other]), scores[test]
    if not len(others) or not len(mine):
        return np.nan
    below, not_above = (np.searchsorted(others, mine, side=side).sum() for side in ("left", "right"))
    return float((below + not_above) / (2 * len(others) * len(mine)))


def split_by_user(user_items: Any, test_size: float = 0.2, *, rng: Any = None) -> tuple[Any, Any]:
    """A random part of each user's interactions as test set.

    Parameters
    ----------
    user_items : scipy.sparse matrix or array of shape (n_users, n_items)
    test_size : float, default 0.2
        The share of a user's interactions, rounded down; in (0, 1).
    rng : anything that `numpy.random.default_rng` takes

    Returns
    -------
    train, test : csr_array of shape (n_users, n_items)
    """
    matrix = as_interactions(user_items)
    share = as_fraction(test_size, "test_size")
    lengths = np.diff(matrix.indptr)
    user = np.repeat(np.arange(len(lengths)), lengths)
    order = np.lexsort((np.random.default_rng(rng).random(matrix.nnz), user))
    place = np.empty(matrix.nnz, np.int64)
    place[order] = np.arange(matrix.nnz) - matrix.indptr[user]
    return _parts(matrix, place < np.floor(lengths * share)[user])


def leave_last_out(user_items: Any, times: Any) -> tuple[Any, Any]:
    """The last interaction of each user who has at least two as test set.

    Parameters
    ----------
    user_items : scipy.sparse matrix or array of shape (n_users, n_items)
    times : the same
        When each interaction happened, greater is later, with an entry for each of them. Of equal times the
        item with the greater number is the last.

    Returns
    -------
    train, test : csr_array of shape (n_users, n_items)
    """
    matrix, when = as_interactions(user_items), as_interactions(times, "times")
    if when.shape != matrix.shape or when.nnz != matrix.nnz or (when.indices != matrix.indices).any():
        raise ValueError("times must have an entry above 0 wherever user_items has one, and nowhere else")
    lengths = np.diff(matrix.indptr)
    user = np.repeat(np.arange(len(lengths)), lengths)
    order = np.lexsort((matrix.indices, when.data, user))
    is_last = np.zeros(matrix.nnz, bool)
    is_last[order[matrix.indptr[1:][lengths > 1] - 1]] = True
    return _parts(matrix, is_last)


def _parts(matrix: Any, is_test: NDArray[np.bool_]) -> tuple[Any, Any]:
    """Matrices of the other entries, and of those that are marked."""
    parts = []
    for chosen in ~is_test, is_test:
        part = sp.csr_array((matrix.data * chosen, matrix.indices, matrix.indptr), shape=matrix.shape)
        part = part.copy()
        part.eliminate_zeros()
        parts.append(part)
    return parts[0], parts[1]
