"""`FieldEncoder`: tables to CSR matrices that know their fields."""

import copy
from collections.abc import Mapping, Sequence
from typing import Any, Self, TypeAlias

import numpy as np
from numpy.typing import DTypeLike, NDArray

from fastfm_c._field_csr import FieldCSR, assemble
from fastfm_c._validation import as_real_dtype
from fastfm_c.encoding._column_types import Spec, names_of, resolve
from fastfm_c.encoding._columns import SINGLES, Column
from fastfm_c.encoding._estimator_api import EstimatorAPI
from fastfm_c.encoding._features import grow, names_of_features, new_field
from fastfm_c.encoding._tables import check_names, columns_of
from fastfm_c.encoding._vocabulary import Field

__all__ = ["FieldEncoder"]

_Columns: TypeAlias = tuple[dict[str, Column], int]


class FieldEncoder(EstimatorAPI):
    """Turn the columns of a table into the fields of a CSR matrix.

    A table is a DataFrame (pandas, polars, pyarrow and others, by narwhals: extra ``[dataframe]``), a list
    of dicts, a structured array, or a two-dimensional array_like with columns named "x0", "x1", ... The
    same values give the same matrix from each of them. A value is a str, bool, int or float; all others
    (Decimal, dates) are refused. Two values are the same category if Python's ``==`` says so: 3, 3.0 and
    ``np.int64(3)`` are. None, NaN, NaT, ``pandas.NA``, nulls, masked values and absent keys are missing.

    The first feature of each field is that of unknown values: values that `fit` did not see, values that
    were too rare, and missing values except with ``missing="own"``. The features of categories follow,
    numbers before strings, both ascending.

    Parameters
    ----------
    columns : mapping of str to column type, or sequence of str, optional
        The columns to encode, in this order; a table may have others. A type is `Categorical`,
        `MultiCategorical`, `Numeric` or `Hashed` of `fastfm_c.encoding`, or "categorical", "multi",
        "numeric" or "hashed" for one with its defaults, or "auto". With "auto" lists are multi, numbers
        (also integers) are numeric, and all else is categorical, such as a column whose values are all
        missing. Default: all columns, by "auto"; a table must then have these columns and no others.
    min_count : int
        For `Categorical` columns that do not give one.
    max_categories : int, optional
        Likewise. A column that has this many takes no more in `partial_fit`.
    missing : {"unknown", "own"}
        For columns that do not give one: whether missing values share the unknown feature of their field
        or have one of their own, which comes second. "own" is the better choice with bins.
    dtype : {"float32", "float64"}
        The dtype of the matrix.

    Attributes
    ----------
    fields_ : ndarray of shape (n_features,), int32
        The field of each feature: the position of its column.
    feature_names_in_, n_features_in_ : ndarray of shape (n_fields,), object; int
        The names of the columns, and their number.
    unknown_counts_ : dict of str to int
        How many values of each column went to the unknown feature in the last `transform`.

    Notes
    -----
    `set_params` after `fit` acts on the next `fit`, not on `partial_fit`. There is no `set_output`, because
    the result is a sparse matrix.

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

    A column type with parameters:

    >>> from fastfm_c.encoding import Numeric
    >>> encoder = FieldEncoder({"size": Numeric(bins=10, missing="own")}).fit(rows)
    >>> encoder.get_feature_names_out().tolist()
    ['size=<unknown>', 'size=<missing>', 'size=[-inf, 3.0)', 'size=[3.0, inf)']
    """

    fields_: NDArray[np.int32]
    _fields: list[Field[Any, Any]]

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
            does not take, such as a date or an infinite number.
        ImportError
            For a DataFrame without narwhals.
        """
        self._fit(*self._read(X))
        return self

    def partial_fit(self, X: Any, y: Any = None) -> Self:
        """Learn new categories. Their features are appended; all others stay what they are.

        The count of a value that was too rare goes on. Means, standard deviations, bins and the types of
        columns stay as they were first fitted; mean and standard deviation wait for the first number. To
        make a model follow, call ``model.resize``. The first call is `fit`.

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
            Each row has one entry for each field, in order; a list has one for each different value.

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

    def encode_row(self, row: Mapping[str, Any]) -> tuple[NDArray[np.int32], NDArray[Any]]:
        """Encode one row for ``model.predict_row``, as `transform` does, within microseconds.

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
                feature = field.lookup_row.get(value)
            except TypeError:  # a list
                feature = None
            if feature is not None and type(value) in SINGLES:
                indices.append(feature)
                values.append(1.0)
            else:
                features, numbers = field.encode_value(value)
                indices += features
                values += numbers
        if self._only and not row.keys() <= self._names:
            check_names(row, list(self.feature_names_in_))
        return np.array(indices, np.int32), np.array(values, self._dtype)

    def get_feature_names_out(self, input_features: Any = None) -> NDArray[np.object_]:
        """Names of the features, such as ``colour=red``, ``colour=<unknown>``, ``size=[1.0, 2.0)``, ``ip#3``.

        No two names are equal. A str is put in quotes where its feature would share the name of another
        one; so are the names of columns.

        Parameters
        ----------
        input_features : ignored
            For pipelines.

        Returns
        -------
        ndarray of shape (n_features,), object
        """
        return names_of_features(self._fitted(), self.fields_)

    def _fitted(self) -> list[Field[Any, Any]]:
        try:
            return self._fields
        except AttributeError:
            raise ValueError("this FieldEncoder is not fitted yet: call fit") from None

    def _read(self, X: Any, fields: list[Field[Any, Any]] | None = None) -> _Columns:
        """The columns of a table by name, and its number of rows: for a fit, or for these fitted fields."""
        if fields is not None:
            return columns_of(X, [field.name for field in fields], only=self._only, fitted=True)
        return columns_of(X, None if self.columns is None else names_of(self.columns))

    def _fit(self, columns: dict[str, Column], n_rows: int) -> None:
        dtype = as_real_dtype(self.dtype)
        if not n_rows or not columns:
            raise ValueError(f"X has {n_rows} rows and {len(columns)} columns, expected at least one of each")
        fields = []
        for name, column in columns.items():
            spec = self.columns[name] if isinstance(self.columns, Mapping) else "auto"
            fields.append(
                new_field(name, resolve(column.default_type() if spec == "auto" else spec, name, self))
            )
        self.fields_ = grow(fields, columns, np.empty(0, np.int32))
        self._become(fields, dtype, only=self.columns is None)

    def _become(self, fields: list[Field[Any, Any]], dtype: np.dtype[Any], only: bool) -> None:
        """Be fitted, with these fields. `only`: a table must have no other columns."""
        self._fields, self._dtype, self._only = fields, dtype, only
        self._names = {field.name for field in fields}
        self.feature_names_in_ = np.array([field.name for field in fields], object)
        self.n_features_in_ = len(fields)
        self.unknown_counts_ = dict.fromkeys(self.feature_names_in_, 0)

    def _transform(self, columns: dict[str, Column], n_rows: int) -> FieldCSR:
        fields = self._fields
        encoded = [field.encode(columns[field.name]) for field in fields]
        self.unknown_counts_ = {
            field.name: int(np.count_nonzero(of_field.features == field.unknown))
            for field, of_field in zip(fields, encoded, strict=True)
        }
        return assemble(encoded, n_rows, self.fields_, self._dtype)

    def __copy__(self) -> Self:
        return copy.deepcopy(self)  # partial_fit changes the fields in place
