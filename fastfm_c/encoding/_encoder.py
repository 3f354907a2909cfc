"""`FieldEncoder`: tables to CSR matrices that know their fields."""

from collections.abc import Mapping, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import DTypeLike, NDArray

from fastfm_c._field_csr import FieldCSR
from fastfm_c.encoding._column_types import Spec
from fastfm_c.encoding._estimator_api import EstimatorAPI
from fastfm_c.encoding._fit import learn, read, read_again
from fastfm_c.encoding._fitted import Fitted
from fastfm_c.encoding._tables import check_names
from fastfm_c.encoding._values import SINGLES

__all__ = ["FieldEncoder"]


class FieldEncoder(Fitted, EstimatorAPI):
    """Turn the columns of a table into the fields of a CSR matrix.

    A table is a DataFrame (pandas, polars, pyarrow, a relation of DuckDB and others, by narwhals: extra
    ``[dataframe]``), a list of dicts, a structured array, or a two-dimensional array_like with columns named
    "x0", "x1", ... The same values give the same matrix from each of them. Two values are the same category
    if Python's ``==`` says so: 3, 3.0 and ``np.int64(3)`` are. Decimals and float32 are the numbers that they
    print; dates (in ISO 8601), UUIDs and intervals of pandas are texts. A warning tells of texts that a
    column of numbers gets, and the other way round. None, NaN, NaT, ``pandas.NA``, nulls, masked values and
    absent keys are missing.

    The first feature of each field is that of unknown values: values that `fit` did not see, values that
    were too rare, and missing values except with ``missing="own"``. The features of categories follow,
    numbers before strings, both ascending.

    Parameters
    ----------
    columns : mapping of str to column type, or sequence of str, optional
        The columns to encode, in this order. A type is `Categorical`, `MultiCategorical`, `Numeric`, `Date`
        or `Hashed` of `fastfm_c.encoding`, or "categorical", "multi", "numeric", "date" or "hashed" for one
        with its defaults, or "auto". With "auto" lists are multi, numbers (also integers, with a warning
        where they may be ids) are numeric, dates are dates, and all else is categorical, such as a column
        whose values are all missing. Default: all columns, by "auto"; a table must then have these columns
        and no others.
    min_count : int
        For `Categorical` columns that do not give one.
    max_categories : int, optional
        Likewise. A column that has this many takes no more in `partial_fit`.
    missing : {"unknown", "own"}
        For columns that do not give one: whether missing values share the unknown feature of their field
        or have one of their own, which comes second. "own" is the better choice with bins.
    dtype : {"float32", "float64"}
        The dtype of the matrix.
    rest : {"drop", "error", "auto"} or column type
        What becomes of columns that `columns` does not name: they are dropped, they are an error, or they are
        encoded after the named ones, by "auto" or as a column type (or its name). A table must then have them
        later, and no others.

    Attributes
    ----------
    fields_ : ndarray of shape (n_features,), int32
        The field of each feature: the position of its column.
    feature_names_in_, n_features_in_ : ndarray of shape (n_fields,), object; int
        The names of the columns, and their number.
    unknown_counts_, missing_counts_ : dict of str to int
        In how many rows each column had an unknown value, and a missing one: in the last `transform`, and in
        each `encode_row` since.

    Notes
    -----
    Threads may call `transform`, `encode_row` and all that reads while one of them calls `fit` or
    `partial_fit`; several that do so wait for each other.

    `set_params` after `fit` acts on the next `fit`, not on `partial_fit`. `fastfm_c.sklearn.FieldEncoder` is
    this class with scikit-learn's base classes (`set_output`, HTML, metadata routing).

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
    >>> encoder.unknown_counts_, encoder.missing_counts_
    ({'colour': 1, 'size': 0}, {'colour': 0, 'size': 1})
    >>> encoder.encode_row({"colour": "red", "size": 3.0})
    (array([2, 4], dtype=int32), array([1., 1.], dtype=float32))

    A column type with parameters:

    >>> from fastfm_c.encoding import Numeric
    >>> encoder = FieldEncoder({"size": Numeric(bins=10, missing="own")}).fit(rows)
    >>> encoder.get_feature_names_out().tolist()
    ['size=<unknown>', 'size=<missing>', 'size=[-inf, 3.0)', 'size=[3.0, inf)']
    """

    def __init__(
        self,
        columns: Mapping[str, Spec | str] | Sequence[str] | None = None,
        *,
        min_count: int = 1,
        max_categories: int | None = None,
        missing: str = "unknown",
        dtype: DTypeLike = "float32",
        rest: Spec | str = "drop",
    ) -> None:
        self.columns = columns
        self.min_count = min_count
        self.max_categories = max_categories
        self.missing = missing
        self.dtype = dtype
        self.rest = rest

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
            does not take, such as an infinite number.
        ImportError
            For a DataFrame without narwhals.
        """
        with self._lock:
            self._learned = learn(self, *read(X, self))
        return self

    def partial_fit(self, X: Any, y: Any = None) -> Self:
        """Learn new categories. Their features are appended; all others stay what they are.

        The count of a value that was too rare goes on. Means, standard deviations, bins and the types of
        columns stay as they were first fitted; mean and standard deviation wait for the first number. So let
        the first table have many rows: a column whose numbers are all equal in it is 0 for ever. To make a
        model follow, call ``model.resize``. The first call is `fit`.

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
        with self._lock:
            if not self._is_fitted:
                return self.fit(X)
            self._learned.grow(read_again(X, self._learned)[0])
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
        learned = self._fitted()
        return learned.encode(*read_again(X, learned))

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
        with self._lock:
            table = read(X, self)
            self._learned = learn(self, *table)
            return self._learned.encode(*table)

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
        learned = self._fitted()
        for field in learned.fields:
            value: Any = row.get(field.name)
            try:
                feature = field.lookup_row.get(value)
            except TypeError:  # a list
                feature = None
            if feature is not None and type(value) in SINGLES:
                indices.append(feature)
                values.append(1.0)
            else:
                found = field.row_of_missing if value is None else field.encode_value(value)
                if found.has_unknown or found.has_missing:
                    learned.count(field.name, found)
                indices += found.features
                values += found.values
        if learned.only and not row.keys() <= learned.known_names:
            check_names(row, learned.names)
        return np.array(indices, np.int32), np.array(values, learned.dtype)

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
        with self._lock:
            return self._fitted().feature_names()
