"""How a recommender learns: interactions for the C library, epochs, and what watches them."""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastfm_c._core import RankingRows, rank_epoch
from fastfm_c.recommend._evaluate import top_measures
from fastfm_c.recommend._interactions import as_interactions
from fastfm_c.training._history import History
from fastfm_c.training._monitor import Monitor
from fastfm_c.training._progress import reporter

__all__ = ["Validation", "learn", "ranking_rows"]

_Array: TypeAlias = NDArray[Any]


def ranking_rows(
    matrix: Any,
    seen: Any,
    weights: NDArray[np.float64],
    rows: tuple[Any, Any],
    options: dict[str, Any],
) -> RankingRows:
    """Interactions as the C library reads them.

    Parameters
    ----------
    matrix : csr_array of shape (n_users, n_items)
        What to learn from, in canonical form.
    seen : csr_array of the same shape
        What was seen at any time, `matrix` included: never a negative of its user.
    weights : ndarray of shape (nnz,)
    rows : (csr_array, csr_array)
        Those of the users and of the items.
    options : dict
        loss, own_pairs, max_sampled, negative_sampling, seed.
    """
    users, items = rows
    eligible = np.unique(seen.indices).astype(np.int32)
    by_popularity = options["negative_sampling"] == "popularity"
    weighted = None if (weights == 1).all() else weights
    return RankingRows(
        _arrays(users),
        _arrays(items),
        np.repeat(np.arange(matrix.shape[0], dtype=np.int32), np.diff(matrix.indptr)),
        matrix.indices.astype(np.int32),
        weighted,
        seen.indptr.astype(np.int64),
        seen.indices.astype(np.int32),
        eligible,
        seen.indices.astype(np.int32) if by_popularity else eligible,
        options["loss"],
        options["own_pairs"],
        options["max_sampled"],
        options["seed"],
        users.shape[1],
    )


def _arrays(X: Any) -> tuple[_Array, _Array, _Array]:
    return X.indptr.astype(np.int64), X.indices.astype(np.int32), X.data


def learn(
    data: RankingRows,
    solver: Any,
    rng: np.random.Generator,
    first_epoch: int,
    *,
    max_iter: int,
    validation: Any,
    patience: int | None,
    tol: float,
    callbacks: Callable[..., Any] | Sequence[Callable[..., Any]] | None,
    verbose: bool | int,
    num_threads: int | None,
) -> History:
    """Epochs over all interactions in random orders; the history of them."""
    history = History(data.n_entries)
    history.loss_name = "ranking loss"
    if validation is not None:
        history.metric = validation.name
    callbacks = () if callbacks is None else callbacks
    callbacks = (callbacks,) if callable(callbacks) else tuple(callbacks)
    report = reporter(verbose, max_iter, data.n_entries)
    watched = Monitor(solver.model, history, validation, patience, tol, callbacks, report)
    history.stop_reason = "max_iter"
    with watched as monitor:
        for epoch in range(1, max_iter + 1):
            order = rng.permutation(data.n_entries)
            loss = rank_epoch(solver, data, first_epoch + epoch, order, monitor.within(epoch), num_threads)
            reason = monitor.after_epoch(loss)
            if reason is not None:
                history.stop_reason = reason
                break
    return history


class Validation:
    """The measure of held-out interactions that early stopping watches."""

    greater_is_better = True

    def __init__(self, recommender: Any, train: Any, test: Any) -> None:
        self.recommender, self.train = recommender, train
        self.test = as_interactions(test - test.multiply(train > 0))
        self.measure = "precision" if recommender.early_stopping == "precision" else "ndcg"
        self.name = f"{self.measure}@{recommender.eval_k}"

    def __call__(self) -> float:
        recommender = self.recommender
        recommender._forget_caches()
        K, num_threads = int(recommender.eval_k), recommender._num_threads()
        return top_measures(recommender, self.train, self.test, K, num_threads)[self.measure]
