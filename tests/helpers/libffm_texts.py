"""Texts in libffm's format: files for training and for testing, and features that are in two fields."""

import io

import numpy as np

from fastfm_c import FieldCSR, load_libffm

FIELDS = np.repeat([0, 1, 2], 4)
NOT_IN_TEST = [5, 10]


def text(seed, absent, n_rows=200):
    """A libffm file of rows with one feature of each of three fields, which are those of FIELDS."""
    rng = np.random.default_rng(seed)
    there = np.setdiff1d(np.arange(12), absent)
    rows = zip(*(rng.choice(there[FIELDS[there] == f], n_rows) for f in range(3)), strict=True)
    return "".join(f"{(a + b) % 2} 0:{a}:1 1:{b}:1 2:{c}:1\n" for a, b, c in rows).encode()


def read(content, **options):
    return load_libffm(io.BytesIO(content), **options)


def with_conflict(X):
    """The same rows, and the feature 6 in a field that it is not in."""
    return FieldCSR(X, fields=np.where(np.arange(12) == 6, 2, X.fields))


# Columns of FIRST, by their features and fields: 0 in 1, 0 in 0, 1 in 0.
FIRST = b"1 1:0:1 0:0:2 0:1:3\n"
SECOND = b"0 0:1:4 1:0:5\n"
SECOND_ROW = [[5, 0, 4]]


def table_of_first():
    """What says which column each pair of feature and field has: the fields that load_libffm returns."""
    return read(FIRST, on_field_conflict="split")[2]
