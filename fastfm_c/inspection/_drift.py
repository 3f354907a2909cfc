"""`Drift`: whether new rows are like those that a model learned from."""

from collections.abc import Callable
from typing import Any, Self, TypeAlias

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from fastfm_c._field_table import as_fields
from fastfm_c._validation import as_count
from fastfm_c.inspection._counts import Bins, Counts, checked_rows, checked_scores
from fastfm_c.inspection._report import DriftReport, report_of

__all__ = ["Drift"]

_Mask: TypeAlias = NDArray[np.bool_]


class _OfTheClassToo:
    """A method that the class itself has, too: it then starts from a new object."""

    def __init__(self, method: Callable[..., Any]) -> None:
        self._method = method
        self.__doc__ = method.__doc__

    def __get__(self, obj: Any, owner: Any) -> Any:
        return self._method.__get__(owner() if obj is None else obj)


class Drift:
    """Counts of rows and scores, field by field, to compare later ones with.

    ``Drift.fit(X, scores)`` is the reference. ``reference.compare(X)`` says how far other rows are from it. A
    server counts the rows of an hour in ``window = reference.like()`` by ``window.update(X)``, and asks
    ``reference.compare(window)``. Windows of several servers are put together by `merge`. It keeps counts of
    columns and of bins, and no rows.

    Parameters
    ----------
    encoder : FieldEncoder, optional
        Says the names of the fields, and which columns stand for unknown and missing values.
    fields : array_like of int, shape (n_features,), optional
        The field of each column. Default: those of the encoder, else ``X.fields``, else each column its own.
    n_bins : int, default 20
        Bins of numbers and scores, with about equally many of the first rows each.

    Examples
    --------
    >>> import numpy as np
    >>> X = np.eye(4)[np.arange(1000) % 4]
    >>> reference = Drift(fields=[0, 0, 0, 0]).fit(X)
    >>> reference.compare(X[:500]).alarms, reference.compare(X[np.zeros(500, int)]).alarms
    ([], [0])
    """

    def __init__(self, *, encoder: Any = None, fields: ArrayLike | None = None, n_bins: int = 20) -> None:
        self._n_bins = as_count(n_bins, "n_bins", 2)
        self._given_fields = fields
        self._counts: Counts | None = None
        self._names: list[str] | None = None
        self._unknown_columns: list[int] = []
        self._missing_columns: list[int] = []
        if encoder is not None:
            names = [str(name) for name in encoder.get_feature_names_out()]
            self._names = [str(name) for name in encoder.feature_names_in_]
            self._unknown_columns = [j for j, name in enumerate(names) if name.endswith("=<unknown>")]
            self._missing_columns = [j for j, name in enumerate(names) if name.endswith("=<missing>")]
            if fields is None:
                self._given_fields = encoder.fields_

    @_OfTheClassToo
    def fit(self, X: Any, scores: ArrayLike | None = None) -> Any:
        """Begin with these rows, which also decide the bins. ``Drift.fit(X)`` is ``Drift().fit(X)``.

        Parameters
        ----------
        X : {array_like, sparse matrix} of shape (n_rows, n_features)
            At least one row.
        scores : array_like of shape (n_rows,), optional
            Finite scores or probabilities.

        Returns
        -------
        Drift
            This object.

        Raises
        ------
        ValueError
            For a malformed X, scores or fields.
        """
        fields = self._given_fields
        if fields is None and sp.issparse(X):
            fields = getattr(X, "fields", None)
        rows = checked_rows(X, None)
        if rows.shape[0] == 0:
            raise ValueError("X has no rows, expected at least one")
        n = rows.shape[1]
        of_columns = as_fields(np.arange(n, dtype=np.int32) if fields is None else fields, n, None)
        known = checked_scores(scores, rows.shape[0])
        counts = Counts.empty(Bins.of(rows, np.asarray(of_columns), known, self._n_bins))
        counts.add_rows(rows, known)
        self._counts = counts
        return self

    def update(self, X: Any, scores: ArrayLike | None = None) -> Self:
        """Count more rows, in the bins of the first ones.

        Parameters
        ----------
        X, scores
            As for `fit`; no rows are no error.

        Returns
        -------
        Drift
            This object.

        Raises
        ------
        ValueError
            As for `fit`; before it; and for scores if `fit` had none.
        """
        counts = self._fitted()
        counts.add_rows(*self._checked(X, scores))
        return self

    def like(self) -> "Drift":
        """A Drift with these bins that has counted nothing: a window."""
        window = Drift(fields=self._given_fields, n_bins=self._n_bins)
        window._names = self._names
        window._unknown_columns, window._missing_columns = self._unknown_columns, self._missing_columns
        window._counts = Counts.empty(self._fitted().bins)
        return window

    def merge(self, *others: "Drift") -> Self:
        """Add what others with the same bins (`like`) have counted. The order does not matter.

        Returns
        -------
        Drift
            This object.

        Raises
        ------
        ValueError
            For another one with other bins.
        """
        counts = self._fitted()
        for other in others:
            self._require_same_bins(other)
        for added in [other._fitted() for other in others]:
            counts.add(added)
        return self

    def compare(self, X: Any, scores: ArrayLike | None = None) -> DriftReport:
        """Say how far rows are from those that this object has counted.

        Parameters
        ----------
        X : as for `fit`, or Drift
            Rows, or a window with the same bins.
        scores : array_like of shape (n_rows,), optional

        Returns
        -------
        DriftReport

        Raises
        ------
        ValueError
            As for `update` and `merge`.
        """
        counts = self._fitted()
        if isinstance(X, Drift):
            self._require_same_bins(X)
            if scores is not None:
                raise ValueError("scores are given beside a window, which has its own")
            new = X._fitted()
        else:
            new = Counts.empty(counts.bins)
            new.add_rows(*self._checked(X, scores))
        n_fields = counts.bins.n_fields
        names = self._names if self._names is not None else list(range(n_fields))
        n = len(counts.bins.fields)
        unknown, missing = _mask(self._unknown_columns, n), _mask(self._missing_columns, n)
        return report_of(counts, new, names, unknown, missing)

    @property
    def n_rows(self) -> int:
        """Rows that were counted."""
        return self._fitted().n_rows

    def __repr__(self) -> str:
        if self._counts is None:
            return "Drift()"
        return f"Drift({self.n_rows} rows, {self._counts.bins.n_fields} fields)"

    def _fitted(self) -> Counts:
        if self._counts is None:
            raise ValueError("this Drift has no reference yet: call fit")
        return self._counts

    def _checked(self, X: Any, scores: ArrayLike | None) -> tuple[Any, NDArray[np.float64] | None]:
        bins = self._fitted().bins
        rows = checked_rows(X, len(bins.fields))
        if scores is not None and not len(bins.score_edges):
            raise ValueError("scores are given, but fit had none, which decide the bins")
        return rows, checked_scores(scores, rows.shape[0])

    def _require_same_bins(self, other: Any) -> None:
        if not isinstance(other, Drift):
            raise ValueError(f"expected a Drift, got {type(other).__name__}")
        mine, theirs = self._fitted().bins, other._fitted().bins
        is_same = np.array_equal(mine.fields, theirs.fields) and np.array_equal(
            mine.number_columns, theirs.number_columns
        )
        edges = [(mine.score_edges, theirs.score_edges), *zip(mine.edges, theirs.edges, strict=False)]
        if not (is_same and all(np.array_equal(a, b) for a, b in edges)):
            raise ValueError("the other Drift has other bins; make it by like()")


def _mask(columns: list[int], n: int) -> _Mask:
    mask = np.zeros(n, bool)
    mask[columns] = True
    return mask
