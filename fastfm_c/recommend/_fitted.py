"""What a recommender is after `fit`, and the questions that it answers from that."""

from typing import Any, TypeAlias

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from fastfm_c._validation import as_count
from fastfm_c.encoding._estimator_api import not_fitted
from fastfm_c.models import FM
from fastfm_c.recommend._candidates import Candidates
from fastfm_c.recommend._ids import Ids
from fastfm_c.recommend._interactions import as_interactions
from fastfm_c.recommend._options import Options
from fastfm_c.recommend._side import Side, as_features

__all__ = ["Fitted"]

_Array: TypeAlias = NDArray[Any]
_CACHES = "_item_candidates", "_similar"


class Fitted(Options):
    """The attributes of `fit`, and recommendations from them."""

    model_: FM
    user_ids_: Ids | None
    item_ids_: Ids | None
    own_pairs: bool
    _users: Side
    _items: Side
    _seen: Any

    @property
    def n_users_(self) -> int:
        """Number of users."""
        return self._fitted("_users").n

    @property
    def n_items_(self) -> int:
        """Number of items."""
        return self._fitted("_items").n

    @property
    def item_candidates_(self) -> Candidates:
        """All items, ready to be scored beside users."""
        if "_item_candidates" not in vars(self):
            rows = self._fitted("_items").rows(self.model_.n_features, self.model_.dtype)
            made = Candidates._without_pairs(self.model_, rows, bool(self.own_pairs), self._num_threads())
            vars(self)["_item_candidates"] = made
        found: Candidates = vars(self)["_item_candidates"]
        return found

    def _fitted(self, name: str) -> Side:
        if name not in vars(self):
            raise not_fitted(self)
        side: Side = vars(self)[name]
        return side

    def _forget_caches(self) -> None:
        for name in _CACHES:
            vars(self).pop(name, None)

    def __getstate__(self) -> dict[str, Any]:
        return {name: value for name, value in vars(self).items() if name not in _CACHES}

    def user_rows(self, users: Any = None) -> Any:
        """The rows of users, or of all, over the columns of the model: contexts of `item_candidates_`."""
        rows = self._fitted("_users").rows(self.model_.n_features, self.model_.dtype)
        return rows if users is None else rows[users]

    def _top(
        self, users: NDArray[np.int64], exclude: Any, N: int, num_threads: int | None
    ) -> tuple[NDArray[np.int64], _Array]:
        """The N best items of users, without the entries of `exclude`."""
        return self.item_candidates_.top_k(self.user_rows(users), N, exclude=exclude, num_threads=num_threads)

    def _scores(self, users: NDArray[np.int64], num_threads: int | None) -> _Array:
        return self.item_candidates_.scores(self.user_rows(users), num_threads=num_threads)

    def recommend(
        self,
        userid: Any,
        user_items: Any = None,
        N: int = 10,
        *,
        filter_already_liked_items: bool = True,
        items: Any = None,
        user_features: Any = None,
    ) -> tuple[Any, _Array]:
        """The best items for a user, or for many.

        Parameters
        ----------
        userid : int or array_like of int, or the same of ids
            Rows of the matrix that was learned from. None with `user_features`.
        user_items : scipy.sparse matrix or array of shape (n_asked, n_items), optional
            What these users have seen. Default: what `fit` and `partial_fit` saw, and nothing for users
            who are not known.
        N : int, default 10
        filter_already_liked_items : bool, default True
            Whether items that a user has seen are left out.
        items : array_like of int, or of ids, optional
            The only items to choose from.
        user_features : matrix of shape (n_asked, n_user_features), optional
            Rows of users who are not known.

        Returns
        -------
        ids : ndarray of shape (N,), or (n_asked, N) for many users
            int64, the best item first; with -1 (ids: None) where fewer are left. Ids of other types are
            objects.
        scores : ndarray of the same shape
            -inf where fewer are left.

        Raises
        ------
        ValueError
            For a user or an item that is not known, and matrices of other shapes.
        """
        N, num_threads = as_count(N, "N"), self._num_threads()
        contexts, users, is_one = self._contexts(userid, user_features)
        exclude = None
        if filter_already_liked_items:
            exclude = self._seen[users] if user_items is None and users is not None else user_items
            if exclude is not None:
                exclude = as_interactions(exclude)
                if exclude.shape != (wanted := (contexts.shape[0], self.n_items_)):
                    raise ValueError(f"user_items has shape {exclude.shape}, expected {wanted}")
        candidates = self.item_candidates_
        if items is None:
            found, scores = candidates.top_k(contexts, N, exclude=exclude, num_threads=num_threads)
        else:
            allowed = np.unique(self._numbers(items, self.item_ids_, self.n_items_, "item"))
            part = None if exclude is None else exclude[:, allowed]
            found, scores = candidates._taken(allowed).top_k(
                contexts, N, exclude=part, num_threads=num_threads
            )
            found = np.append(allowed, -1)[found]
        return self._answer(found, self.item_ids_, is_one), scores[0] if is_one else scores

    def _contexts(self, userid: Any, user_features: Any) -> tuple[Any, NDArray[np.int64] | None, bool]:
        """(rows, numbers of the users or None, whether one user was asked for)."""
        side = self._fitted("_users")
        if user_features is not None:
            if userid is not None:
                raise ValueError("userid must be None where user_features says who the users are")
            if side.features is None:
                raise ValueError("user_features is given, but no user features were learned")
            dtype = self.model_.dtype
            features = as_features(user_features, "user_features", None, len(side.columns), dtype)
            return side.rows_of(features, self.model_.n_features), None, False
        is_one = _is_one(userid, self.user_ids_)
        users = self._numbers([userid] if is_one else userid, self.user_ids_, side.n, "user")
        return self.user_rows(users), users, is_one

    def _numbers(self, asked: Any, ids: Ids | None, n: int, name: str) -> NDArray[np.int64]:
        """Numbers of users or items, from numbers or ids."""
        if ids is not None:
            found = ids.numbers(asked)
            if (found < 0).any():
                raise ValueError(f"{name} {list(asked)[int(np.argmin(found))]!r} is not known")
            return found
        numbers = np.asarray(asked)
        if numbers.ndim != 1 or (numbers.dtype.kind not in "iu" and numbers.size):
            raise ValueError(f"{name} must be an integer or integers, got {asked!r:.200}")
        outside = (numbers < 0) | (numbers >= n)
        if outside.any():
            raise ValueError(f"{name} {numbers[np.argmax(outside)]} is outside 0..{n - 1}")
        return numbers.astype(np.int64)

    def _answer(self, found: NDArray[np.int64], ids: Ids | None, is_one: bool) -> Any:
        if ids is not None:
            keys = np.empty(found.size, object)
            keys[:] = ids.keys(found)
            found = keys.reshape(found.shape)
        return found[0] if is_one else found

    def similar_items(self, itemid: Any, N: int = 10) -> tuple[Any, _Array]:
        """The items whose factors point into the most similar directions.

        Parameters
        ----------
        itemid : int or array_like of int, or the same of ids
        N : int, default 10

        Returns
        -------
        ids : ndarray of shape (N,), or (n_asked, N) for many items
            Without the item itself.
        scores : ndarray of the same shape
            The cosine of the sums of factors of both items' rows; 0 for an item without any.
        """
        return self._most_similar(self._fitted("_items"), self.__dict__.get("item_ids_"), itemid, N, "item")

    def similar_users(self, userid: Any, N: int = 10) -> tuple[Any, _Array]:
        """The users whose factors point into the most similar directions; see `similar_items`.

        Parameters
        ----------
        userid : int or array_like of int, or the same of ids
        N : int, default 10

        Returns
        -------
        ids, scores : ndarrays of shape (N,), or (n_asked, N) for many users
        """
        return self._most_similar(self._fitted("_users"), self.__dict__.get("user_ids_"), userid, N, "user")

    def _most_similar(self, side: Side, ids: Ids | None, asked: Any, N: int, name: str) -> tuple[Any, _Array]:
        is_one, N = _is_one(asked, ids), as_count(N, "N")
        numbers = self._numbers([asked] if is_one else asked, ids, side.n, name)
        cache = vars(self).setdefault("_similar", {})
        if name not in cache:
            cache[name] = _directions(self.model_, side)
        n, m = side.n, len(numbers)
        own = np.ones(m), numbers, np.arange(m + 1)
        contexts, exclude = sp.csr_array(own, (m, 2 * n)), sp.csr_array(own, (m, n))
        found, scores = cache[name].top_k(contexts, N, exclude=exclude, num_threads=self._num_threads())
        return self._answer(found, ids, is_one), scores[0] if is_one else scores


def _is_one(asked: Any, ids: Ids | None) -> bool:
    """Whether one user or item is asked for; an id may be a tuple."""
    if ids is None or np.isscalar(asked):
        return bool(np.ndim(asked) == 0)
    return not hasattr(asked, "__iter__") or (isinstance(asked, tuple) and asked in ids)


def _directions(model: FM, side: Side) -> Candidates:
    """Rows whose scores beside each other are cosines: those of columns n.. beside those of ..n."""
    rows = side.rows(model.n_features, model.dtype)
    plain = FM(0.0, np.zeros(model.n_features), model.V)
    sums = Candidates(plain, rows, own_pairs=False).vectors()[:, :-2]
    lengths = np.sqrt(np.einsum("ik,ik->i", sums, sums, dtype=np.float64))
    unit = (sums / np.where(lengths > 0, lengths, 1)[:, None]).astype(model.dtype)
    both = FM(0.0, np.zeros(2 * side.n), np.concatenate([unit, unit]))
    return Candidates(both, sp.csr_array(sp.eye(side.n, 2 * side.n, k=side.n)))
