"""The users, or the items, of a recommender as rows over the columns of its model."""

from typing import Any, TypeAlias

import numpy as np
import scipy.sparse as sp
from numpy.typing import DTypeLike, NDArray

from fastfm_c.recommend._interactions import checked_csr

__all__ = ["Side", "as_features"]

_Array: TypeAlias = NDArray[Any]


def as_features(features: Any, name: str, n_rows: int | None, n_columns: int | None, dtype: DTypeLike) -> Any:
    """Features as a CSR array in canonical form and of this dtype.

    Parameters
    ----------
    features : sparse or dense matrix
    name : str
        For messages.
    n_rows, n_columns : int or None
        What is expected; None is any number.
    dtype : "float32" or "float64"

    Returns
    -------
    csr_array
    """
    X = checked_csr(features, name, dtype)
    for axis, (found, wanted) in enumerate(zip(X.shape, (n_rows, n_columns), strict=True)):
        if wanted is not None and found != wanted:
            raise ValueError(f"{name} has {found} {('rows', 'columns')[axis]}, expected {wanted}")
    if not np.isfinite(X.data).all():
        row = int(np.searchsorted(X.indptr, np.argmin(np.isfinite(X.data)), side="right")) - 1
        raise ValueError(f"row {row} of {name} holds a value that is not finite")
    if not X.has_canonical_format:
        X = X.copy()
        X.sum_duplicates()
    return X


class Side:
    """Users or items: the features of each, and the columns of the model that stand for them.

    Parameters
    ----------
    identity : ndarray of int64
        The column of each row's own, or an empty array if rows have none.
    columns : ndarray of int64
        The column of each feature.
    features : csr_array of shape (n, n_features) or None
    """

    def __init__(
        self, identity: NDArray[np.int64], columns: NDArray[np.int64], features: Any, n: int
    ) -> None:
        self.identity, self.columns, self.features, self.n = identity, columns, features, n

    @classmethod
    def empty(cls) -> "Side":
        """A side of nothing."""
        return cls(np.empty(0, np.int64), np.empty(0, np.int64), None, 0)

    def next_features(self, n: int, given: Any, name: str, identity: bool, dtype: DTypeLike) -> Any:
        """The features of n rows: those that are given, or else of before. `name` is that of a row."""
        if n < self.n:
            raise ValueError(f"user_items has {n} {name}s, expected at least the {self.n} of before")
        features = self.features
        if given is not None:
            features = as_features(given, f"{name}_features", n, None, dtype)
        if features is not None and features.shape[0] != n:
            raise ValueError(f"{name}_features is None, but there are {n - self.n} new {name}s with features")
        if features is not None and features.shape[1] < len(self.columns):
            raise ValueError(
                f"{name}_features has {features.shape[1]} columns, expected at least {len(self.columns)}"
            )
        if self.n and self.features is None and given is not None:
            raise ValueError(f"{name}_features is given, but {name}s so far have none")
        if features is None and not identity:
            raise ValueError(f"identity=False needs {name}_features")
        return features

    def grown(self, n: int, features: Any, identity: bool, n_columns: int) -> tuple["Side", int]:
        """A side of at least as many rows; new columns of the model begin at n_columns.

        Returns
        -------
        side : Side
        n_columns : int
            Of the model with the new columns.
        """
        n_features = 0 if features is None else features.shape[1]
        new_features = n_features - len(self.columns)
        new_rows = n - len(self.identity) if identity else 0
        columns = np.arange(n_columns, n_columns + new_features)
        n_columns += new_features
        own = np.arange(n_columns, n_columns + new_rows)
        made = Side(
            np.concatenate([self.identity, own]), np.concatenate([self.columns, columns]), features, n
        )
        return made, n_columns + new_rows

    def rows(self, width: int, dtype: DTypeLike) -> Any:
        """All rows, over `width` columns of the model."""
        parts = []
        if len(self.identity):
            own = np.ones(self.n, dtype), self.identity, np.arange(self.n + 1)
            parts.append(sp.csr_array(own, (self.n, width)))
        if self.features is not None:
            parts.append(self.rows_of(self.features, width))
        if not parts:
            return sp.csr_array((self.n, width), dtype=dtype)
        total = parts[0] if len(parts) == 1 else parts[0] + parts[1]
        total.sort_indices()
        return total

    def rows_of(self, features: Any, width: int) -> Any:
        """Rows of features alone, of users or items that are not known."""
        return sp.csr_array(
            (features.data, self.columns[features.indices], features.indptr), (features.shape[0], width)
        )
