"""The features of all fields: where new ones go, and what they are called."""

import numpy as np

from fastfm_c._validation import as_fields

__all__ = ["grow", "names_of_features"]

_LIMIT = np.iinfo(np.int32).max  # of a CSR matrix with narrow indices


def grow(fields, columns, before):
    """Appends the features of what is new in columns to those before; the field of each feature.

    All columns are read before any field changes.
    """
    observed = [field.observe(columns[field.name]) for field in fields]
    ends = [len(before)]
    for field, seen in zip(fields, observed, strict=True):
        ends.append(field.append(seen, ends[-1]))
    if ends[-1] > _LIMIT:
        raise ValueError(f"X has {ends[-1]} features, expected at most {_LIMIT}")
    new = np.repeat(np.arange(len(fields), dtype=np.int32), np.diff(ends))
    return as_fields(np.concatenate([before, new]), ends[-1], len(fields))


def names_of_features(fields, field_of):
    """A different name for each feature."""
    names = np.empty(len(field_of), object)
    for f, field in enumerate(fields):
        names[field_of == f] = field.names()
    if len(set(names)) < len(names):  # "a=b=c" of "a" and of "a=b"
        for j, f in enumerate(field_of):
            column = fields[f].name
            names[j] = repr(column) + names[j][len(column) :]
    return names
