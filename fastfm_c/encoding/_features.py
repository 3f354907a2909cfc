"""The features of all fields: who makes the fields, where new features go, and what features are called."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastfm_c._validation import as_fields
from fastfm_c.encoding._column_types import Spec, type_name
from fastfm_c.encoding._columns import Column
from fastfm_c.encoding._hashed import HashedField
from fastfm_c.encoding._numeric import NumericField
from fastfm_c.encoding._vocabulary import CategoricalField, Field, MultiField

__all__ = ["grow", "names_of_features", "new_field"]

_LIMIT = np.iinfo(np.int32).max  # features of a CSR matrix with int32 indices
_FIELDS: dict[str, Any] = {
    "categorical": CategoricalField,
    "hashed": HashedField,
    "multi": MultiField,
    "numeric": NumericField,
}


def new_field(name: str, spec: Spec) -> Field[Any, Any]:
    """A field for a column of this type, without features yet."""
    field: Field[Any, Any] = _FIELDS[type_name(spec)](name, spec)
    return field


def grow(
    fields: list[Field[Any, Any]], columns: Mapping[str, Column], before: NDArray[np.int32]
) -> NDArray[np.int32]:
    """Give new features to what is new in the columns.

    All columns are read before any field changes.

    Parameters
    ----------
    fields : list of Field
    columns : dict of name to column
    before : ndarray of int32
        The field of each feature so far.

    Returns
    -------
    ndarray of int32
        The field of each feature, those before and the new ones.
    """
    observed = [field.observe(columns[field.name]) for field in fields]
    ends = [len(before)]
    for field, seen in zip(fields, observed, strict=True):
        ends.append(field.append(seen, ends[-1]))
    if ends[-1] > _LIMIT:
        raise ValueError(f"X has {ends[-1]} features, expected at most {_LIMIT}")
    new = np.repeat(np.arange(len(fields), dtype=np.int32), np.diff(ends))
    grown: NDArray[np.int32] = as_fields(np.concatenate([before, new]), ends[-1], len(fields))
    return grown


def names_of_features(fields: list[Field[Any, Any]], field_of: NDArray[np.int32]) -> NDArray[np.object_]:
    """A different name for each feature."""
    names = np.empty(len(field_of), object)
    for f, field in enumerate(fields):
        names[field_of == f] = field.feature_names()
    if len(set(names)) < len(names):  # "a=b=c" comes from the column "a" and from the column "a=b"
        for j, f in enumerate(field_of):
            column = fields[f].name
            names[j] = repr(column) + names[j][len(column) :]
    return names
