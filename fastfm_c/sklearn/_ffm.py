"""Makes the model of an estimator an FFM: the parameter `fields`, and where fields come from."""

import warnings
from dataclasses import dataclass
from typing import Any, ClassVar, Literal

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from fastfm_c._field_csr import with_fields
from fastfm_c._field_table import as_fields, field_conflicts
from fastfm_c.models import FFM
from fastfm_c.sklearn._base import Estimator
from fastfm_c.sklearn._fields import fields_of_transformer, is_transformer
from fastfm_c.sklearn._fit_rows import FitRows
from fastfm_c.sklearn._one_hot import one_hot_fields

__all__ = ["FieldAware"]

ONE_HOT = "one-hot"
MOST_FIELDS = 2000  # of an FFM whose fields nobody has given
FIELDS_TO_WARN_OF = 64  # of a sparse X: so many columns are seldom meant as fields


@dataclass(kw_only=True, eq=False, repr=False)
class FieldAware(Estimator):
    """A mixin for an estimator whose model is an FFM."""

    fields: ArrayLike | Literal["one-hot"] | Any | None = None
    _largest_batch: ClassVar[int] = 2048  # as good as 1024 on W1 (.5775), and work for more threads

    def _checked_rows(
        self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None, is_new: bool, *args: Any, **options: Any
    ) -> tuple[FitRows, ArrayLike | None]:
        if is_new and self.fields is None and sp.issparse(X) and not hasattr(X, "fields"):
            _warn_of_many_fields(X.shape[-1])
        rows, fields = super()._checked_rows(X, y, sample_weight, is_new, *args, **options)
        return rows, one_hot_fields(rows.X, MOST_FIELDS) if is_new and self._are_found() else fields

    def _begin_stream(self, rows: FitRows, fields: ArrayLike | None) -> None:
        if self._are_found():
            raise ValueError(
                'fields is "one-hot", but the first rows of a stream do not tell the fields of all columns; '
                "expected an array or a fitted transformer"
            )
        super()._begin_stream(rows, fields)

    def _are_found(self) -> bool:
        """Whether fields are found in the rows of `fit`."""
        if isinstance(self.fields, str) and self.fields != ONE_HOT:
            raise ValueError(f'fields is {self.fields!r}, expected "one-hot", an array or a transformer')
        return isinstance(self.fields, str)

    def _rows_for_model(self, X: Any, given: Any) -> Any:
        """Checked rows with the fields that the model is to compare: those of the X that was given."""
        fields = getattr(given, "fields", None) if sp.issparse(given) else None
        if self.fields is not None or fields is None:
            return sp.csr_array(X) if hasattr(X, "fields") and sp.issparse(X) else X
        return X if hasattr(X, "fields") else with_fields(X, as_fields(fields, X.shape[1], None))

    def _require_fields(self, X: Any) -> None:
        """Refuse rows and parameters whose fields are not those of the model."""
        model = self.model_
        if not isinstance(model, FFM):
            raise ValueError(f"model_ is an {type(model).__name__}, expected an FFM")
        if self.fields is not None and not self._are_found():
            given = self._given_fields(model.n_features)
            if field_conflicts(model.fields, given) is not None:
                raise ValueError("fields are not those of the model that the training goes on with")
        model._require_rows(X)

    def _given_fields(self, n_features: int) -> NDArray[np.int32]:
        """The parameter `fields` as an array."""
        fields: Any = self.fields
        if is_transformer(fields):
            fields = fields_of_transformer(fields, n_features)
        return as_fields(fields, n_features, None)

    def _random_model(self, n_features: int, fields: ArrayLike | None, **options: Any) -> FFM:
        if self.fields is not None and not self._are_found():
            fields = self._given_fields(n_features)
        elif fields is None:
            fields = np.arange(n_features)
            if n_features > MOST_FIELDS:
                raise ValueError(
                    f"X has {n_features} columns and no fields, and each would be a field of its own; "
                    f"expected at most {MOST_FIELDS}, or the parameter fields, or X.fields, which "
                    "scipy.sparse.vstack loses and fastfm_c.vstack keeps"
                )
        return FFM.random(as_fields(fields, n_features, None), self.n_factors, **options)


def _warn_of_many_fields(n_features: int) -> None:
    if FIELDS_TO_WARN_OF < n_features <= MOST_FIELDS:  # of more there is an error
        warnings.warn(
            f"X is sparse and has {n_features} columns and no fields, so each column becomes a field of its "
            "own. If X had fields, an operation lost them: use fastfm_c.sklearn.FieldColumnTransformer in "
            'the place of ColumnTransformer, or fastfm_c.vstack, or give fields (fields="one-hot" finds '
            "columns that were encoded one-hot)",
            UserWarning,
            stacklevel=4,
        )
