"""The fields of what transformers of scikit-learn give, and a ColumnTransformer that keeps them."""

from collections.abc import Iterator
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray
from sklearn.compose import ColumnTransformer
from sklearn.exceptions import NotFittedError
from sklearn.pipeline import FeatureUnion, Pipeline
from sklearn.preprocessing import OneHotEncoder
from sklearn.utils.validation import check_is_fitted

from fastfm_c._field_csr import FieldCSR

__all__ = ["FieldColumnTransformer", "fields_of_transformer", "is_transformer"]


class FieldColumnTransformer(ColumnTransformer):
    """A `sklearn.compose.ColumnTransformer` whose result is a `fastfm_c.FieldCSR`.

    ``ColumnTransformer`` itself loses the fields of a `fastfm_c.FieldEncoder`, because it puts the columns of
    its transformers together by ``scipy.sparse.hstack``. This one gives `FFMClassifier` and `FFMRegressor`
    the field of each column, also in a pipeline, under cross-validation and after ``clone``.

    The columns of a FieldEncoder keep their fields. The columns that a ``OneHotEncoder`` makes of one column
    are one field. Every other column, such as a scaled number, is a field of its own. The fields of a
    transformer come after those of the transformers before it.

    Parameters
    ----------
    transformers, remainder, sparse_threshold, n_jobs, transformer_weights, verbose, ...
        As for ``ColumnTransformer``. The result is sparse for any `sparse_threshold`, unless ``set_output``
        asks for a DataFrame.

    Attributes
    ----------
    fields_ : ndarray of shape (n_features_out,), int32
        The field of each column of the result.

    Examples
    --------
    >>> import numpy as np
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn.preprocessing import StandardScaler
    >>> from fastfm_c import FieldEncoder
    >>> from fastfm_c.sklearn import FFMClassifier, FieldColumnTransformer
    >>> table = np.array([["a", "x", 1.0], ["b", "x", 2.0], ["a", "y", 3.0], ["b", "y", 4.0]], object)
    >>> columns = FieldColumnTransformer([("f", FieldEncoder(), [0, 1]), ("n", StandardScaler(), [2])])
    >>> model = make_pipeline(columns, FFMClassifier(random_state=0)).fit(table, [0, 1, 1, 0])
    >>> model[-1].model_.n_fields
    3
    """

    @property
    def fields_(self) -> NDArray[np.int32]:
        """The field of each column of the result."""
        return fields_of_transformer(self)

    def fit_transform(self, X: Any, y: Any = None, **params: Any) -> Any:
        """Fit all transformers and put their results together.

        Parameters
        ----------
        X, y, params
            As for ``ColumnTransformer``.

        Returns
        -------
        FieldCSR of shape (n_rows, n_features_out)
        """
        return self._with_fields(super().fit_transform(X, y, **params))

    def transform(self, X: Any, **params: Any) -> Any:
        """Transform X by each transformer and put the results together.

        Parameters
        ----------
        X, params
            As for ``ColumnTransformer``.

        Returns
        -------
        FieldCSR of shape (n_rows, n_features_out)
        """
        return self._with_fields(super().transform(X, **params))

    def _with_fields(self, result: Any) -> Any:
        if not (sp.issparse(result) or isinstance(result, np.ndarray)):  # a DataFrame of set_output
            return result
        if result.dtype == object:  # numbers of a table of objects that were passed through
            result = result.astype(np.float64)
        return FieldCSR(sp.csr_array(result), fields=self.fields_)


def is_transformer(fields: Any) -> bool:
    """Whether this is a transformer, and not an array."""
    return hasattr(fields, "transform") and hasattr(fields, "fit") and not isinstance(fields, np.ndarray)


def fields_of_transformer(transformer: Any, n_columns: int | None = None) -> NDArray[np.int32]:
    """The field of each column of what a fitted transformer gives.

    Parameters
    ----------
    transformer : object
        A FieldEncoder, ColumnTransformer, FeatureUnion, Pipeline, OneHotEncoder, or any other one, whose
        columns are each a field.
    n_columns : int, optional
        How many columns it gives, if that is known.

    Raises
    ------
    ValueError
        If it is not fitted.
    """
    if isinstance(transformer, Pipeline):
        return fields_of_transformer(transformer.steps[-1][1], n_columns)
    if isinstance(transformer, (ColumnTransformer, FeatureUnion)):
        _require_fitted(transformer)
        parts: list[NDArray[np.int32]] = [np.empty(0, np.int32)]
        n_fields = 0
        for part in _parts(transformer):
            parts.append(part + np.int32(n_fields))
            n_fields += int(part.max(initial=-1)) + 1
        return np.concatenate(parts)
    if not isinstance(transformer, str):
        _require_fitted(transformer)
    if hasattr(transformer, "fields_"):
        return np.array(transformer.fields_, np.int32)
    if isinstance(transformer, OneHotEncoder):
        sizes = _sizes_of_one_hot(transformer)
        return np.repeat(np.arange(len(sizes), dtype=np.int32), sizes)
    if n_columns is None:
        n_columns = len(transformer.get_feature_names_out())
    return np.arange(n_columns, dtype=np.int32)


def _parts(transformer: ColumnTransformer | FeatureUnion) -> Iterator[NDArray[np.int32]]:
    """The fields of the columns of each transformer inside, in their order."""
    if isinstance(transformer, FeatureUnion):
        for _, inner in transformer.transformer_list:
            if inner not in ("drop", None):
                n_columns = transformer.n_features_in_ if isinstance(inner, str) else None
                yield fields_of_transformer(inner, n_columns)
        return
    inside, places = transformer.named_transformers_, transformer.output_indices_
    if not all(
        isinstance(getattr(places[name], end, None), int) for name in places for end in ("start", "stop")
    ):
        raise ValueError(f"output_indices_ is {places!r:.200}, expected a slice for each transformer")
    for name, columns in sorted(places.items(), key=lambda item: item[1].start):
        if columns.stop > columns.start:
            yield fields_of_transformer(inside[name], columns.stop - columns.start)


def _sizes_of_one_hot(encoder: OneHotEncoder) -> list[int]:
    """How many columns it makes of each column."""
    names = encoder.get_feature_names_out([str(i) for i in range(encoder.n_features_in_)])
    columns = [int(name.split("_", 1)[0]) for name in names]
    return [int(n) for n in np.bincount(columns, minlength=encoder.n_features_in_)]


def _require_fitted(transformer: Any) -> None:
    try:
        check_is_fitted(transformer)
        if type(transformer).__name__ == "FieldEncoder":
            _ = transformer.fields_
    except (NotFittedError, ValueError) as error:
        raise ValueError(
            f"fields is a {type(transformer).__name__} that is not fitted. In a pipeline that is fitted "
            "again, as by cross-validation, use fastfm_c.sklearn.FieldColumnTransformer in the place of "
            "ColumnTransformer, and no parameter fields"
        ) from error
