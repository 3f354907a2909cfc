"""`FieldTable`: the field of each column of X, and which feature of a file each column is."""

from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastfm_c._validation import plain_fields, require_choice

__all__ = [
    "FieldTable",
    "as_fields",
    "field_conflict",
    "field_conflicts",
    "from_state",
    "read_table",
    "to_state",
    "write_table",
]

_Row = tuple[NDArray[np.int64], NDArray[Any]]


class FieldTable(np.ndarray[Any, np.dtype[np.int32]]):
    """The field of each column, an int32 array that also knows what libffm's files say about the columns.

    `load_libffm` returns it. It is given to `load_libffm` and `iter_libffm` for the next file, to the
    readers of models in `fastfm_c.interop`, to `FFM.random`, and to `save`. What is computed from it, such as
    a slice, is a plain array.

    Parameters
    ----------
    fields : array_like of shape (n_features,), int
        The field of each column.
    features : array_like of shape (n_features,), int, optional
        The feature of each column in the file; -1 is a column that is still free. Default: column j is
        feature j. A feature of several fields has a column for each of them.
    has_values : array_like of shape (n_features,), bool, optional
        Whether the column has had a value. A column that never had one is in no field yet: the first value
        decides, and its entry in `fields` says nothing. Default: all have had one.

    Attributes
    ----------
    n_ignored : int
        How many values the reader left out of the file, or `encode_row` out of rows.

    Examples
    --------
    >>> import io
    >>> from fastfm_c import load_libffm
    >>> train, test = io.BytesIO(b"1 1:0:1 0:0:2 0:1:3\\n"), io.BytesIO(b"0 0:1:4 1:0:5 1:7:6\\n")
    >>> X, y, table = load_libffm(train, on_field_conflict="split")
    >>> table.features.tolist(), table.tolist()
    ([0, 0, 1], [1, 0, 0])
    >>> X, y, seen = load_libffm(test, fields=table, unknown="ignore")
    >>> X.toarray().tolist(), seen.n_ignored
    ([[5.0, 0.0, 4.0]], 1)
    """

    _features: NDArray[np.int64] | None
    _has_values: NDArray[np.bool_] | None
    n_ignored: int

    def __new__(
        cls, fields: ArrayLike, features: ArrayLike | None = None, has_values: ArrayLike | None = None
    ) -> Self:
        plain = plain_fields(fields, None, None)
        mask = _column(has_values, np.bool_, plain, "has_values")
        mask = None if mask is None or mask.all() else mask
        return cls._of(plain, _column(features, np.int64, plain, "features"), mask)

    @classmethod
    def _of(
        cls,
        fields: NDArray[np.int32],
        features: NDArray[np.int64] | None,
        has_values: NDArray[np.bool_] | None,
    ) -> Self:
        """A table that takes these arrays; nothing may change the last two."""
        table: Self = fields.view(cls)
        table._features, table._has_values = features, has_values
        for array in (features, has_values):
            if array is not None:
                array.flags.writeable = False
        return table

    def __array_finalize__(self, obj: Any) -> None:
        self._features, self._has_values, self.n_ignored = None, None, 0

    def __array_wrap__(self, array: Any, context: Any = None, return_scalar: bool = False) -> Any:
        plain = np.asarray(array)
        return plain[()] if return_scalar else plain

    def __getitem__(self, key: Any) -> Any:
        return np.asarray(self)[key]

    @property
    def features(self) -> NDArray[np.int64]:
        """The feature of each column in the file, or -1 if the column is free."""
        return np.arange(len(self)) if self._features is None else self._features

    @property
    def has_values(self) -> NDArray[np.bool_]:
        """Whether each column has had a value."""
        return np.ones(len(self), bool) if self._has_values is None else self._has_values

    @property
    def is_split(self) -> bool:
        """Whether a column is a pair of feature and field, and not just a feature."""
        return self._features is not None

    @property
    def _says_more(self) -> bool:
        """Whether it says more than a plain array of fields."""
        return self._features is not None or self._has_values is not None

    def columns(self, features: ArrayLike, fields: ArrayLike) -> NDArray[np.int64]:
        """The columns of some values of a file.

        Parameters
        ----------
        features, fields : array_like of int, shape (n_values,)
            What the file says of each value.

        Returns
        -------
        ndarray of int64, shape (n_values,)
            -1 for a feature that the table does not have, or has in other fields alone.
        """
        wanted, of = np.asarray(features, np.int64), np.asarray(fields, np.int64)
        mine, decided = self.features, self.has_values
        if wanted.ndim != 1 or wanted.shape != of.shape:
            raise ValueError(f"features has shape {wanted.shape} and fields {of.shape}, expected (n_values,)")
        if self._features is None:  # column j is feature j
            columns = np.where((wanted >= 0) & (wanted < len(self)), wanted, -1)
            other = (np.asarray(self)[columns] != of) & decided[columns] if len(self) else columns >= 0
            return np.where(other, -1, columns)
        columns = np.full(len(wanted), -1)
        for i, (feature, field) in enumerate(zip(wanted, of, strict=True)):
            found = np.flatnonzero((mine == feature) & (mine >= 0) & (~decided | (np.asarray(self) == field)))
            columns[i] = found[0] if len(found) else -1
        return columns

    def encode_row(
        self, features: ArrayLike, fields: ArrayLike, values: ArrayLike, *, unknown: str = "error"
    ) -> _Row:
        """One row of a file for ``model.predict_row``.

        Parameters
        ----------
        features, fields : array_like of int, shape (n_values,)
            What libffm writes before each value.
        values : array_like of float, shape (n_values,)
        unknown : "error" or "ignore"
            What to do with a value that has no column. `n_ignored` counts those that are ignored.

        Returns
        -------
        indices : ndarray of int64
            Columns.
        values : ndarray

        Raises
        ------
        ValueError
            For a value that has no column, unless it is ignored.

        Examples
        --------
        >>> table = FieldTable([1, 0, 0], features=[0, 0, 1])
        >>> table.encode_row([1, 0, 9], [0, 1, 1], [4.0, 5.0, 6.0], unknown="ignore")
        (array([2, 0]), array([4., 5.]))
        """
        require_choice(unknown, "unknown", ("error", "ignore"))
        columns, numbers = self.columns(features, fields), np.asarray(values)
        if numbers.shape != columns.shape:
            raise ValueError(f"values has shape {numbers.shape}, expected {columns.shape}")
        missing = np.flatnonzero(columns < 0)
        if len(missing) and unknown == "error":
            feature, field = (np.asarray(a)[missing[0]] for a in (features, fields))
            raise ValueError(f"feature {feature} in field {field} has no column (unknown='ignore' skips it)")
        self.n_ignored += len(missing)
        return columns[columns >= 0], numbers[columns >= 0]

    def copy(self, order: Any = "C") -> NDArray[np.int32]:  # type: ignore[override]
        """Copy the fields to a plain array; `copy.copy` gives a table."""
        return np.array(self)

    def __copy__(self) -> Self:
        return self._like(np.array(self))

    def __deepcopy__(self, memo: Any) -> Self:
        return self.__copy__()

    def __reduce__(self) -> Any:
        return type(self), (np.array(self), self._features, self._has_values)

    def _like(self, fields: NDArray[np.int32]) -> Self:
        """These fields, and what this table knows about the same columns."""
        return self._of(fields, self._features, self._has_values)

    def _select(self, columns: NDArray[np.intp]) -> Self:
        """The table of some columns."""
        features = None if self._features is None else self._features[columns]
        has_values = None if self._has_values is None else self._has_values[columns]
        return self._of(np.asarray(self)[columns], features, has_values)


def as_fields(fields: ArrayLike, n_features: int | None, n_fields: int | None) -> NDArray[np.int32]:
    """A read-only int32 copy of the fields of features. It is never shared, because the kernels trust it.

    None for `n_features` or `n_fields` means any number. A `FieldTable` stays one.
    """
    plain = plain_fields(fields, n_features, n_fields)
    plain.flags.writeable = False
    return fields._like(plain) if isinstance(fields, FieldTable) and fields._says_more else plain


def _column(values: Any, dtype: Any, fields: NDArray[np.int32], name: str) -> Any:
    """A copy of one number for each column, or None."""
    if values is None:
        return None
    array = np.asarray(values)
    if array.shape != fields.shape:
        raise ValueError(f"{name} has shape {array.shape}, expected {fields.shape}: one for each field")
    if array.size and array.dtype.kind not in ("b" if dtype is np.bool_ else "iu"):
        raise ValueError(f"{name} has dtype {array.dtype}, expected {np.dtype(dtype)}")
    return np.array(array, dtype)


def field_conflicts(mine: NDArray[np.int32], others: Any) -> NDArray[np.bool_] | None:
    """Which columns cannot have values because two sources disagree about them; None if there are none.

    They disagree if a column is in two fields, or is two features of split files. A column that never had
    values conflicts with nothing.

    Parameters
    ----------
    mine : ndarray of shape (n_features,)
        Fields of a model, or a FieldTable of them.
    others : array_like
        Of rows that may have values in any column.
    """
    theirs = np.asarray(others)
    if theirs.shape != mine.shape:
        raise ValueError(f"X.fields has shape {theirs.shape}, expected {mine.shape}")
    differs: NDArray[np.bool_] = theirs != np.asarray(mine)
    mine_split, others_split = _split_features(mine), _split_features(others)
    if mine_split is not None and others_split is not None:
        differs |= (mine_split != others_split) & (mine_split >= 0) & (others_split >= 0)
    if isinstance(mine, FieldTable) and mine._has_values is not None:
        differs &= mine._has_values
    return differs if differs.any() else None


def field_conflict(mine: NDArray[np.int32], others: Any, column: int) -> str:
    """What `field_conflicts` has found about a column, in words."""
    field, expected = np.asarray(others)[column], np.asarray(mine)[column]
    if field != expected:
        return f"which is in field {field}, expected field {expected}, which it has in the model"
    split = _split_features(others), _split_features(mine)
    feature, other = (-1 if features is None else features[column] for features in split)
    return f"which is feature {feature}, expected feature {other}, which it is in the model"


def _split_features(fields: Any) -> NDArray[np.int64] | None:
    return fields._features if isinstance(fields, FieldTable) else None


def to_state(table: FieldTable, writer: Any) -> dict[str, Any]:
    """The state of a table in a file: see `fastfm_c.persistence`."""
    write_table(table, writer)
    return {}


def from_state(create: Any, state: dict[str, Any], reader: Any) -> FieldTable:
    """The table of a state."""
    table = read_table(reader)
    return table if isinstance(table, FieldTable) else FieldTable(table)


def write_table(fields: NDArray[np.int32], writer: Any) -> None:
    """Write fields, and what else is known about the columns if they are a table."""
    writer.tensor("fields", np.asarray(fields))
    if isinstance(fields, FieldTable):
        if fields._features is not None:
            writer.tensor("fields_features", fields._features)
        if fields._has_values is not None:
            writer.tensor("fields_has_values", fields._has_values.view(np.uint8))


def read_table(reader: Any) -> NDArray[np.int32]:
    """The fields that `write_table` was given: a plain array if nothing else is known."""
    fields = reader.tensor("fields", "i", 1)
    features = reader.tensor("fields_features", "i", 1) if reader.has_tensor("fields_features") else None
    mask = None
    if reader.has_tensor("fields_has_values"):
        mask = reader.tensor("fields_has_values", "u", 1) != 0
    return fields if features is None and mask is None else FieldTable(fields, features, mask)
