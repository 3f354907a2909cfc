"""UCI Adult ("Census Income"): does a person earn more than 50,000 dollars a year?

48,842 people of the 1994 US census, 14 columns, and the official split into training and
test rows. Source, licence and citation are in ``adult.md`` beside this file.
"""

import bz2
import csv
import io
from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources
from typing import Any, TypeAlias

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

__all__ = ["Adult", "load_adult"]

_Codes: TypeAlias = NDArray[np.integer[Any]]

# The columns in the order of the files. The last column of a file, which is the label, is not among them.
_COLUMNS = (
    "age",
    "workclass",
    "fnlwgt",
    "education",
    "education-num",
    "marital-status",
    "occupation",
    "relationship",
    "race",
    "sex",
    "capital-gain",
    "capital-loss",
    "hours-per-week",
    "native-country",
)
_NUMERIC = {"age", "fnlwgt", "education-num", "capital-gain", "capital-loss", "hours-per-week"}
_LABELS = {"<=50K": 0.0, ">50K": 1.0}
_N_TRAIN, _N_TRAIN_POSITIVE = 32_561, 7_841
_N_TEST, _N_TEST_POSITIVE = 16_281, 3_846


@dataclass(frozen=True, repr=False, eq=False)
class Adult:
    """The Adult data as one-hot rows: each row has exactly one 1 in each of the 14 fields.

    Attributes
    ----------
    X_train : scipy.sparse.csr_array of shape (32561, n_features), float32, int32 indices
    y_train : ndarray of shape (32561,), float32
        1 if the person earns more than 50,000 dollars, else 0.
    X_test : scipy.sparse.csr_array of shape (16281, n_features), float32, int32 indices
    y_test : ndarray of shape (16281,), float32
    fields : ndarray of shape (n_features,), int32
        The field (column of the original table) that each feature belongs to.
    feature_names : tuple of n_features str
    field_names : tuple of 14 str
    """

    X_train: sp.csr_array
    y_train: NDArray[np.float32]
    X_test: sp.csr_array
    y_test: NDArray[np.float32]
    fields: NDArray[np.int32]
    feature_names: tuple[str, ...]
    field_names: tuple[str, ...]

    def __repr__(self) -> str:
        return (
            f"Adult({self.X_train.shape[0]} training rows, {self.X_test.shape[0]} test rows, "
            f"{len(self.feature_names)} features in {len(self.field_names)} fields)"
        )


def load_adult(*, n_bins: int = 16) -> Adult:
    """Load the UCI Adult data, one-hot encoded, from the files inside the package.

    The encoding is learned from the training rows alone. A categorical column has one feature for
    each value of the training rows, and the feature ``name=<unknown>`` for all other values. A numeric
    column is cut into bins at the quantiles of the training rows. If most of its values are zero, as
    in capital gain and loss, zero is a bin of its own, and the quantiles are those of the other values.

    Parameters
    ----------
    n_bins : int
        Largest number of quantile bins of a numeric column. Equal quantiles make fewer bins.

    Returns
    -------
    Adult

    Raises
    ------
    ValueError
        If `n_bins` is less than 1, or if a file is damaged.

    Examples
    --------
    >>> from fastfm_c.datasets import load_adult
    >>> adult = load_adult()
    >>> adult.X_train.shape[0], adult.X_test.shape[0], len(adult.field_names)
    (32561, 16281, 14)
    """
    if n_bins < 1:
        raise ValueError(f"n_bins is {n_bins}, it must be at least 1")
    train, y_train = _read("adult.data.bz2", _N_TRAIN, _N_TRAIN_POSITIVE)
    test, y_test = _read("adult.test.csv.bz2", _N_TEST, _N_TEST_POSITIVE, header=True)

    train_codes, test_codes, field_sizes = [], [], []
    feature_names: list[str] = []
    for name, train_column, test_column in zip(_COLUMNS, train, test, strict=True):
        encode = _encode_numeric if name in _NUMERIC else _encode_categorical
        codes_a, codes_b, names = encode(name, train_column, test_column, n_bins)
        train_codes.append(codes_a + len(feature_names))
        test_codes.append(codes_b + len(feature_names))
        feature_names += names
        field_sizes.append(len(names))

    return Adult(
        X_train=_one_hot(train_codes, len(feature_names)),
        y_train=y_train,
        X_test=_one_hot(test_codes, len(feature_names)),
        y_test=y_test,
        fields=np.repeat(np.arange(len(_COLUMNS), dtype=np.int32), field_sizes),
        feature_names=tuple(feature_names),
        field_names=_COLUMNS,
    )


def _read(
    file_name: str, n_rows: int, n_positive: int, *, header: bool = False
) -> tuple[list[tuple[str, ...]], NDArray[np.float32]]:
    """The 14 columns and the labels of a file. The file is damaged if its counts are not these."""
    raw = resources.files(__package__).joinpath(file_name).read_bytes()
    text = io.StringIO(bz2.decompress(raw).decode("ascii"), newline="")
    rows = list(csv.reader(text, skipinitialspace=True))[int(header) :]
    if len(rows) != n_rows or any(len(row) != len(_COLUMNS) + 1 for row in rows):
        raise ValueError(f"{file_name} is damaged: expected {n_rows} rows of 15 columns")
    *columns, labels = zip(*rows, strict=True)
    if labels.count(">50K") != n_positive or labels.count("<=50K") != n_rows - n_positive:
        raise ValueError(f"{file_name} is damaged: expected {n_positive} labels '>50K'")
    return columns, np.array([_LABELS[label] for label in labels], dtype=np.float32)


def _encode_categorical(
    name: str, train: Sequence[str], test: Sequence[str], n_bins: int
) -> tuple[_Codes, _Codes, list[str]]:
    """Codes of the training and the test rows, and the name of each code. There are no bins."""
    values = sorted(set(train))
    code = {value: i for i, value in enumerate(values)}
    names = [f"{name}={value}" for value in values] + [f"{name}=<unknown>"]
    train_codes = [code[value] for value in train]
    test_codes = [code.get(value, len(values)) for value in test]
    return np.array(train_codes, np.int32), np.array(test_codes, np.int32), names


def _encode_numeric(
    name: str, train: Sequence[str], test: Sequence[str], n_bins: int
) -> tuple[_Codes, _Codes, list[str]]:
    """Codes of the training and the test rows, and the name of each code. A code is a bin."""
    train_values, test_values = np.array(train).astype(np.int64), np.array(test).astype(np.int64)
    edges = _bin_edges(train_values, n_bins)
    # Bin b holds the whole numbers with edges[b - 1] <= value < edges[b].
    names = [f"{name}<{edges[0]}"] if len(edges) else [f"{name}=any"]
    for low, high in zip(edges[:-1], edges[1:] - 1, strict=True):
        names.append(f"{name}={low}" if low == high else f"{name}={low}..{high}")
    names += [f"{name}>={edge}" for edge in edges[-1:]]
    codes = [np.searchsorted(edges, values, "right") for values in (train_values, test_values)]
    return codes[0], codes[1], names


def _bin_edges(values: NDArray[np.int64], n_bins: int) -> NDArray[np.int64]:
    """Ascending lower bounds of all bins except the first. Each bin holds at least one of the values."""
    mostly_zero = np.mean(values == 0) > 0.5
    kept = values[values != 0] if mostly_zero else values
    inner = np.linspace(0, 1, n_bins + 1)[1:-1]
    edges = np.unique(np.quantile(kept, inner, method="higher").astype(np.int64))
    edges = edges[edges > kept.min()]
    return np.union1d([1], edges) if mostly_zero else edges  # only zero is below 1


def _one_hot(codes: Sequence[_Codes], n_features: int) -> sp.csr_array:
    """CSR rows with a 1 at each of their codes. There is one array of codes for each field."""
    indices = np.stack(codes, axis=1).astype(np.int32)
    n_rows, n_fields = indices.shape
    indptr = np.arange(0, n_rows * n_fields + 1, n_fields, dtype=np.int32)
    data = np.ones(indices.size, dtype=np.float32)
    return sp.csr_array((data, indices.ravel(), indptr), shape=(n_rows, n_features))
