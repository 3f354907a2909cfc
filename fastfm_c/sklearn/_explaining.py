"""The estimators' way to `fastfm_c.inspection.explain`."""

from dataclasses import dataclass
from typing import Any

import scipy.sparse as sp
from numpy.typing import ArrayLike

from fastfm_c.inspection import Explanation, explain
from fastfm_c.sklearn._rows_and_models import RowsAndModels

__all__ = ["Explaining"]


@dataclass(kw_only=True, eq=False, repr=False)
class Explaining(RowsAndModels):
    """`explain`."""

    def explain(
        self,
        X: Any,
        *,
        background: Any = None,
        by: str = "feature",
        fields: ArrayLike | None = None,
        pairs: bool = False,
    ) -> Explanation:
        """Split the raw score of each row among its features or fields: exact Shapley values.

        Parameters
        ----------
        X : as for `predict`
        background : as X, optional
        by : "feature" (default) or "field"
        fields : array_like of int, shape (n_features,), optional
            Default, by field: those of the model or of X.
        pairs : bool, default False
            All as for `fastfm_c.inspection.explain`.

        Returns
        -------
        fastfm_c.inspection.Explanation
            Of the raw score of `model_`: with two classes the log odds of the second one, or its probit
            after a fit with "mcmc"; else a score for each class.

        Raises
        ------
        NotFittedError
            Before `fit`.
        ValueError
            As for `fastfm_c.inspection.explain`.
        """
        rows = self._new_rows(X)
        if by == "field" and fields is None and not hasattr(self.model_, "fields") and sp.issparse(X):
            fields = getattr(X, "fields", None)
        compared = None if background is None else self._new_rows(background)
        return explain(self.model_, rows, background=compared, by=by, fields=fields, pairs=pairs)
