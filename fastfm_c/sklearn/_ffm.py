"""Makes the model of an estimator an FFM: the parameter `fields`, and where fields come from."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike

from fastfm_c._validation import as_fields
from fastfm_c.models import FFM
from fastfm_c.sklearn._base import Estimator

__all__ = ["FieldAware"]

MOST_FIELDS = 2000  # of an FFM in which each column is a field of its own


@dataclass(kw_only=True, eq=False, repr=False)
class FieldAware(Estimator):
    """A mixin for an estimator whose model is an FFM."""

    fields: ArrayLike | None = None

    def _require_fields(self, X: Any) -> None:
        fields = getattr(X, "fields", None) if sp.issparse(X) else None
        if fields is None or self.fields is not None:
            return
        if not (isinstance(self.model_, FFM) and np.array_equal(fields, self.model_.fields)):
            raise ValueError("X.fields are not those that the model was fitted with")

    def _random_model(self, n_features: int, fields: ArrayLike | None, **options: Any) -> FFM:
        if self.fields is not None:
            fields = self.fields
        elif fields is None:
            fields = np.arange(n_features)
            if n_features > MOST_FIELDS:
                raise ValueError(
                    f"X has {n_features} columns and no fields, and each would be a field of its own; "
                    f"expected at most {MOST_FIELDS}, or the parameter fields, or X.fields, which "
                    "scipy.sparse.vstack loses and fastfm_c.vstack keeps"
                )
        return FFM.random(as_fields(fields, n_features, None), self.n_factors, **options)
