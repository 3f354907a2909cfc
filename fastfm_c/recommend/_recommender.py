"""`FMRecommender`: a factorization machine that learns to rank items for users."""

from collections.abc import Callable, Sequence
from typing import Any, Self

import numpy as np
import scipy.sparse as sp

from fastfm_c.losses import LogisticLoss
from fastfm_c.models import FM
from fastfm_c.recommend._fitted import Fitted
from fastfm_c.recommend._ids import Interactions, joined_ids
from fastfm_c.recommend._interactions import as_interactions, resized, weights_of
from fastfm_c.recommend._learning import Validation, learn, ranking_rows
from fastfm_c.recommend._side import Side
from fastfm_c.solvers import SOLVERS
from fastfm_c.training import History

__all__ = ["FMRecommender"]

_Callbacks = Callable[..., Any] | Sequence[Callable[..., Any]] | None


class FMRecommender(Fitted):
    """A factorization machine that learns from what users have chosen to rank items for them.

    The row of a user is a column of its own and the columns of its features; that of an item likewise. An
    item is scored beside a user by ``w`` of the item's columns and the inner product of the sums of factors
    of both rows. Unlike in an `FM` of the joined rows, the pairs inside the row of an item do not count
    unless `own_pairs`: with features they make recommendations worse.

    Parameters
    ----------
    n_factors : int, default 32
    loss : {"warp", "bpr", "logistic"}
        "warp" (Weston et al. 2011) draws items until one is scored too high, and learns more from it the
        sooner that happens; it looks at the top of the ranking. "bpr" (Rendle et al. 2009): one drawn item
        against the chosen one. "logistic": the chosen item as 1, a drawn one as 0; its scores are logits.
    solver : {"adagrad", "adam"}
    learning_rate : float, optional
        By default 0.1 for "adagrad" and 0.01 for "adam", and half of that with "warp".
    max_iter : int, default 30
        Epochs, at most.
    batch_size : int, optional
        Interactions that are learned from with the same parameters. Default: 4096, fewer of little data.
    l2_linear, l2_factors : float, default 0
        Each batch adds ``l2 / 2 * |v_j|**2`` of the columns that it touches to its loss.
    negative_sampling : {"uniform", "popularity"}
        How items are drawn that the user has not seen: all alike, or as often as others have chosen them.
        An item that nobody has seen is never drawn.
    max_sampled : int, default 10
        Most draws of "warp" for an interaction.
    init_stdev : float, default 0.01
        Standard deviation of new factors.
    identity : bool, default True
        Whether each user and each item has a column of its own.
    own_pairs : bool, default False
        Whether the pairs inside a user's and inside an item's row count.
    early_stopping : None, bool, "ndcg" or "precision"
        With the `X_val` of `fit`: the measure at `eval_k` that ends the learning, True is "ndcg"; the best
        parameters are kept. None is True if there is an `X_val`; False only shows the measure.
    eval_k : int, default 10
    n_iter_no_change : int, default 5
    tol : float, default 1e-4
    dtype : "float32" (default) or "float64"
    random_state : anything that `numpy.random.default_rng` takes
    n_jobs : int, optional
        Threads; None or -1: all that the process may use. No bit of a result depends on it.
    verbose : bool or int

    Attributes
    ----------
    model_ : FM
    item_candidates_ : Candidates
        All items; `user_rows` makes contexts for it.
    history_ : History
        Of the last `fit` or `partial_fit`.
    user_ids_, item_ids_ : Ids or None
        The ids of `from_frame`.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.sparse import csr_array
    >>> from fastfm_c.recommend import FMRecommender
    >>> liked = np.kron(np.eye(2), np.ones((20, 20)))  # two groups of users and items
    >>> liked[::2, 1::3] = 0
    >>> recommender = FMRecommender(n_factors=4, random_state=0).fit(csr_array(liked))
    >>> ids, scores = recommender.recommend(0, N=3)
    >>> bool((ids < 20).all())  # of the user's own group
    True
    """

    def __init__(
        self,
        *,
        n_factors: int = 32,
        loss: str = "warp",
        solver: str = "adagrad",
        learning_rate: float | None = None,
        max_iter: int = 30,
        batch_size: int | None = None,
        l2_linear: float = 0.0,
        l2_factors: float = 0.0,
        negative_sampling: str = "uniform",
        max_sampled: int = 10,
        init_stdev: float = 0.01,
        identity: bool = True,
        own_pairs: bool = False,
        early_stopping: bool | str | None = None,
        eval_k: int = 10,
        n_iter_no_change: int = 5,
        tol: float = 1e-4,
        dtype: Any = "float32",
        random_state: Any = None,
        n_jobs: int | None = None,
        verbose: bool | int = False,
    ) -> None:
        self.n_factors, self.loss, self.solver, self.learning_rate = n_factors, loss, solver, learning_rate
        self.max_iter, self.batch_size = max_iter, batch_size
        self.l2_linear, self.l2_factors = l2_linear, l2_factors
        self.negative_sampling, self.max_sampled = negative_sampling, max_sampled
        self.init_stdev, self.identity, self.own_pairs = init_stdev, identity, own_pairs
        self.early_stopping, self.eval_k = early_stopping, eval_k
        self.n_iter_no_change, self.tol, self.dtype = n_iter_no_change, tol, dtype
        self.random_state, self.n_jobs, self.verbose = random_state, n_jobs, verbose

    def fit(
        self,
        user_items: Any,
        user_features: Any = None,
        item_features: Any = None,
        sample_weight: Any = None,
        *,
        X_val: Any = None,
        callbacks: _Callbacks = None,
    ) -> Self:
        """Learn from interactions.

        Parameters
        ----------
        user_items : scipy.sparse matrix or array of shape (n_users, n_items), or Interactions
            Stored values above 0 are interactions, and their weights.
        user_features : matrix of shape (n_users, n_user_features), optional
        item_features : matrix of shape (n_items, n_item_features), optional
        sample_weight : sparse matrix like user_items, optional
            Multiplies the weights.
        X_val : sparse matrix like user_items, optional
            Interactions that are held out: those of `user_items` are not among its recommendations.
        callbacks : callable or sequence of callables, optional
            As for `fastfm_c.train`.

        Returns
        -------
        self

        Raises
        ------
        ValueError
            For parameters outside their range and for malformed matrices, before anything is learned.
        DivergenceError
            If a loss or a parameter is no longer finite.
        """
        self._check()
        return self._from_the_start(
            user_items, user_features, item_features, sample_weight, X_val, callbacks, int(self.max_iter)
        )

    def partial_fit(
        self,
        user_items: Any,
        user_features: Any = None,
        item_features: Any = None,
        sample_weight: Any = None,
        *,
        callbacks: _Callbacks = None,
    ) -> Self:
        """Learn once more from new interactions, of new users and items too.

        Rows and columns so far stay where they are; new ones come after them. A matrix without interactions
        only makes room: no score of old users and items changes.

        Parameters
        ----------
        user_items : scipy.sparse matrix or array of shape (n_users, n_items), or Interactions
            New interactions alone, of at least as many users and items as before.
        user_features, item_features : matrix, optional
            Those of all users or items, with new columns behind the old ones; None where none are new.
        sample_weight, callbacks
            As for `fit`.

        Returns
        -------
        self
        """
        self._check()
        go_on = self._go_on if "_users" in vars(self) else self._from_the_start
        return go_on(user_items, user_features, item_features, sample_weight, None, callbacks, 1)

    def _from_the_start(self, *arguments: Any) -> Self:
        """Forget all and go on with these; what was fitted stays if nothing of them is taken."""
        before = dict(vars(self))
        self._start()
        try:
            return self._go_on(*arguments)
        except ValueError:
            if not self.model_.n_features:
                vars(self).clear()
                vars(self).update(before)
            raise

    def _start(self) -> None:
        """Begin anew: no users, no items, a model without columns."""
        self._rng = np.random.default_rng(self.random_state)
        self._users, self._items, self._seen = Side.empty(), Side.empty(), sp.csr_array((0, 0))
        self.user_ids_ = self.item_ids_ = None
        self.model_ = FM.random(0, self.n_factors, dtype=self.dtype, rng=0)
        self._seed, self._n_epochs, self._solver = int(self._rng.integers(2**63)), 0, None

    def _go_on(
        self,
        user_items: Any,
        user_features: Any,
        item_features: Any,
        sample_weight: Any,
        X_val: Any,
        callbacks: _Callbacks,
        max_iter: int,
    ) -> Self:
        matrix = as_interactions(user_items.matrix if isinstance(user_items, Interactions) else user_items)
        held_out = None if X_val is None else as_interactions(X_val, "X_val")
        if held_out is not None and held_out.shape != matrix.shape:
            raise ValueError(f"X_val has shape {held_out.shape}, expected {matrix.shape}")
        ids = joined_ids(user_items, (self.user_ids_, self.item_ids_), matrix.shape)
        weights = weights_of(matrix, sample_weight)
        if held_out is not None and not (held_out - held_out.multiply(matrix > 0)).count_nonzero():
            raise ValueError("X_val has no interactions beside those of user_items")
        self._grow(matrix.shape, user_features, item_features)
        self.user_ids_, self.item_ids_ = ids
        self._seen = as_interactions(resized(self._seen, matrix.shape) + matrix)
        self._forget_caches()
        if not matrix.nnz:
            self.history_ = History(0)
            return self
        try:
            self._learn(matrix, weights, held_out, callbacks, max_iter)
        finally:
            self._forget_caches()
        return self

    def _grow(self, shape: tuple[int, int], user_features: Any, item_features: Any) -> None:
        """Take features; make columns for users, items and features that are new."""
        sides, width = [], self.model_.n_features
        for side, n, given, name in (
            (self._users, shape[0], user_features, "user"),
            (self._items, shape[1], item_features, "item"),
        ):
            features = side.next_features(n, given, name, bool(self.identity), self.dtype)
            side, width = side.grown(n, features, bool(self.identity), width)
            sides.append(side)
        self.model_.resize(width, init_stdev=self.init_stdev, rng=self._rng)
        self._users, self._items = sides

    def _learn(self, matrix: Any, weights: Any, held_out: Any, callbacks: _Callbacks, max_iter: int) -> None:
        options = {
            name: getattr(self, name) for name in ("loss", "own_pairs", "max_sampled", "negative_sampling")
        }
        width, dtype = self.model_.n_features, self.model_.dtype
        rows = self._users.rows(width, dtype), self._items.rows(width, dtype)
        data = ranking_rows(matrix, self._seen, weights, rows, options | {"seed": self._seed})
        if self._solver is None:
            create: Any = SOLVERS[self.solver]
            self._solver = create(self.model_, LogisticLoss(), **self._solver_options(matrix.nnz))
        validation = None if held_out is None else Validation(self, matrix, held_out)
        stops = held_out is not None and self.early_stopping is not False
        history = learn(
            data,
            self._solver,
            self._rng,
            self._n_epochs,
            max_iter=max_iter,
            validation=validation,
            patience=int(self.n_iter_no_change) if stops else None,
            tol=float(self.tol),
            callbacks=callbacks,
            verbose=self.verbose,
            num_threads=self._num_threads(),
        )
        self._n_epochs += history.n_iter
        self.history_ = history
