"""`FieldEncoder`: tables to CSR matrices that know their fields."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray

from fastfm_c._field_csr import FieldCSR, assemble
from fastfm_c._validation import as_real_dtype
from fastfm_c.encoding._column_types import Spec, kind_of, names_of, resolve
from fastfm_c.encoding._estimator_api import Parameters
from fastfm_c.encoding._features import grow, names_of_features
from fastfm_c.encoding._state import KINDS, from_state, to_state
from fastfm_c.encoding._tables import SINGLES, check_names, columns_of

__all__ = ["FieldEncoder"]


class FieldEncoder(Parameters):
    """Turn the columns of a table into the fields of a CSR matrix.

    A table is a DataFrame (pandas, polars, pyarrow and others, by narwhals: extra ``[dataframe]``), a list
    of dicts, a structured array, or a two-dimensional array_like with columns named "x0", "x1", ...; the
    same values give the same matrix from each. Values are the same category if Python's ``==`` says so:
    3, 3.0 and ``np.int64(3)`` are; a value is a str, bool, int or float, all others (Decimal, dates) are
    refused. None, NaN, NaT, ``pandas.NA``, nulls, masked values and absent keys are missing.

    Each field begins with a feature for unknown values: those not seen by `fit`, those too rare there,
    and missing ones unless ``missing="own"``. Categories follow, numbers before strings, ascending.

    Parameters
    ----------
    columns : mapping of str to column type, or sequence of str, optional
        The columns to encode, in this order; a table may have others. A type is `Categorical`,
        `MultiCategorical`, `Numeric` or `Hashed` of `fastfm_c.encoding`, or "categorical", "multi",
        "numeric" or "hashed" for one with its defaults, or "auto": lists are multi, numbers (integers,
        too) numeric, all else, such as a column whose values are all missing, is categorical. Default:
        all columns, by "auto", and a table must have these and no others.
    min_count : int
        Of `Categorical` columns that do not say.
    max_categories : int, optional
        Likewise. A column that has so many takes no more in `partial_fit`.
    missing : {"unknown", "own"}
        Of columns that do not say: whether missing values share the unknown feature of their field or
        have one of their own, which then comes second: the better choice with bins.
    dtype : {"float32", "float64"}
        Of the matrix.

    Attributes
    ----------
    fields_ : ndarray of shape (n_features,), int32
        The field of each feature: the place of its column.
    feature_names_in_, n_features_in_ : ndarray of shape (n_fields,), object; int
        The columns' names, and how many there are.
    unknown_counts_ : dict of str to int
        For each column how many values of the last `transform` went to the unknown feature.

    Notes
    -----
    `set_params` after `fit` acts on the next `fit`, not on `partial_fit`. There is no `set_output`, since
    a sparse matrix comes out.

    Examples
    --------
    >>> from fastfm_c import FieldEncoder
    >>> rows = [{"colour": "red", "size": 1.0}, {"colour": "blue", "size": 3.0}]
    >>> encoder = FieldEncoder().fit(rows)
    >>> encoder.get_feature_names_out().tolist()
    ['colour=<unknown>', 'colour=blue', 'colour=red', 'size=<unknown>', 'size']
    >>> X = encoder.transform([{"colour": "red", "size": 3.0}, {"colour": "green"}])
    >>> X.toarray()
    array([[0., 0., 1., 0., 1.],
           [1., 0., 0., 1., 0.]], dtype=float32)
    >>> X.fields
    array([0, 0, 0, 1, 1], dtype=int32)
    >>> encoder.unknown_counts_
    {'colour': 1, 'size': 1}
    >>> encoder.encode_row({"colour": "red", "size": 3.0})
    (array([2, 4], dtype=int32), array([1., 1.], dtype=float32))

    Types of columns that say more than a name:

    >>> from fastfm_c.encoding import Numeric
    >>> encoder = FieldEncoder({"size": Numeric(bins=10, missing="own")}).fit(rows)
    >>> encoder.get_feature_names_out().tolist()
    ['size=<unknown>', 'size=<missing>', 'size=[-inf, 3.0)', 'size=[3.0, inf)']
    """

    fields_: NDArray[np.int32]

    def __init__(
        self,
        columns: Mapping[str, Spec | str] | Sequence[str] | None = None,
        *,
        min_count: int = 1,
        max_categories: int | None = None,
        missing: str = "unknown",
        dtype: DTypeLike = "float32",
    ) -> None:
        self.columns = columns
        self.min_count = min_count
        self.max_categories = max_categories
        self.missing = missing
        self.dtype = dtype

    def fit(self, X: Any, y: Any = None) -> Self:
        """Learn the categories, means and bins of a table, and forget what was learned before.

        Parameters
        ----------
        X : table of shape (n_rows, n_columns)
            See `FieldEncoder`; at least one row.
        y : ignored
            For pipelines.

        Returns
        -------
        FieldEncoder
            This encoder.

        Raises
        ------
        ValueError
            For a parameter out of range, a column that is not there, or a value that its column's type
            does not take: dates, for one, and infinite numbers.
        ImportError
            For a DataFrame without narwhals.
        """
        self._fit(*self._read(X))
        return self

    def partial_fit(self, X: Any, y: Any = None) -> Self:
        """Learn new categories: features are appended, those there stay what they are.

        Values seen before but too rare count on. Means, standard deviations, bins and the types of
        columns stay as first fitted; mean and standard deviation wait for the first number. A model
        follows with ``model.resize``. The first call is `fit`.

        Parameters
        ----------
        X : table
            As for `fit`.
        y : ignored
            For pipelines.

        Returns
        -------
        FieldEncoder
            This encoder.
        """
        if not hasattr(self, "_fields"):
            return self.fit(X)
        self.fields_ = grow(self._fields, self._read(X, self._fields)[0], self.fields_)
        return self

    def transform(self, X: Any) -> FieldCSR:
        """Encode a table.

        Parameters
        ----------
        X : table
            With the columns of `fit`, in any order.

        Returns
        -------
        FieldCSR of shape (n_rows, n_features)
            Each row's fields in order, one entry each; lists have as many as they have different values.

        Raises
        ------
        ValueError
            As for `fit`, and if this encoder is not fitted.
        """
        return self._transform(*self._read(X, self._fitted()))

    def fit_transform(self, X: Any, y: Any = None) -> FieldCSR:
        """Do `fit` and `transform` at once.

        Parameters
        ----------
        X : table
            As for `fit`.
        y : ignored
            For pipelines.

        Returns
        -------
        FieldCSR of shape (n_rows, n_features)
        """
        table = self._read(X)
        self._fit(*table)
        return self._transform(*table)

    def encode_row(self, row: Mapping[str, Any]) -> tuple[np.ndarray, np.ndarray]:
        """Encode one row for ``model.predict_row``, as `transform` does, but in microseconds.

        Parameters
        ----------
        row : dict of column name to value
            An absent column is a missing value.

        Returns
        -------
        indices : ndarray of int32
        values : ndarray of the encoder's dtype

        Raises
        ------
        ValueError
            As for `transform`.
        """
        if type(row) is not dict and not isinstance(row, Mapping):
            raise ValueError(f"row is a {type(row).__name__}, expected a dict of column name to value")
        indices: list[int] = []
        values: list[float] = []
        for field in self._fitted():
            value = row.get(field.name)
            try:
                column = field.lookup_row.get(value)
            except TypeError:  # a list
                column = None
            if column is not None and type(value) in SINGLES:
                indices.append(column)
                values.append(1.0)
            else:
                columns, numbers = field.encode_value(value)
                indices += columns
                values += numbers
        if self._only and not row.keys() <= self._names:
            check_names(row, list(self.feature_names_in_))
        return np.array(indices, np.int32), np.array(values, self._dtype)

    def get_feature_names_out(self, input_features: Any = None) -> np.ndarray:
        """Names of the features, such as ``colour=red``, ``colour=<unknown>``, ``size=[1.0, 2.0)``, ``ip#3``.

        No two are equal: a str is in quotes where it would share the name of another feature, and so are
        the columns where they would.

        Parameters
        ----------
        input_features : ignored
            For pipelines.

        Returns
        -------
        ndarray of shape (n_features,), object
        """
        return names_of_features(self._fitted(), self.fields_)

    def _fitted(self):
        try:
            return self._fields
        except AttributeError:
            raise ValueError("this FieldEncoder is not fitted yet: call fit") from None

    def _read(self, X, fields=None):
        """Columns by name, and the number of rows; for a fit or, with fields, as fitted."""
        if fields is not None:
            return columns_of(X, [field.name for field in fields], only=self._only, fitted=True)
        return columns_of(X, None if self.columns is None else names_of(self.columns))

    def _fit(self, columns, n_rows):
        dtype = as_real_dtype(self.dtype)
        if not n_rows or not columns:
            raise ValueError(f"X has {n_rows} rows and {len(columns)} columns, expected at least one of each")
        fields = []
        for name, column in columns.items():
            spec = self.columns[name] if isinstance(self.columns, Mapping) else "auto"
            spec = resolve(column.kind() if spec == "auto" else spec, name, self)
            fields.append(KINDS[kind_of(spec)](name, spec))
        self.fields_ = grow(fields, columns, np.empty(0, np.int32))
        self._become(fields, dtype, only=self.columns is None)

    def _become(self, fields, dtype, only):
        self._fields, self._dtype, self._only = fields, dtype, only
        self._names = {field.name for field in fields}
        self.feature_names_in_ = np.array([field.name for field in fields], object)
        self.n_features_in_ = len(fields)
        self.unknown_counts_ = dict.fromkeys(self.feature_names_in_, 0)

    def _transform(self, columns, n_rows):
        fields = self._fields
        parts = [field.encode(columns[field.name]) for field in fields]
        self.unknown_counts_ = {
            field.name: int(np.count_nonzero(part[0] == field.unknown))
            for field, part in zip(fields, parts, strict=True)
        }
        return assemble(parts, n_rows, self.fields_, self._dtype)

    def __copy__(self):
        return copy.deepcopy(self)  # partial_fit changes the fields in place

    _to_state = to_state
    _from_state = classmethod(from_state)
