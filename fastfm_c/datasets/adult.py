"""UCI Adult ("Census Income"): does a person earn more than 50,000 dollars a year?

48,842 people of the 1994 US census, 14 columns, and the official split into training and
test rows. Source, licence and citation are in ``adult.md`` beside this file.
"""

import bz2
import csv
import io
from dataclasses import dataclass
from importlib import resources

import numpy as np
import scipy.sparse as sp

__all__ = ["Adult", "load_adult"]

# The columns in file order, without the label, which is the last one.
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
    """The Adult data as one-hot rows: every row has exactly one 1 in each of the 14 fields.

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
    y_train: np.ndarray
    X_test: sp.csr_array
    y_test: np.ndarray
    fields: np.ndarray
    feature_names: tuple[str, ...]
    field_names: tuple[str, ...]

    def __repr__(self) -> str:
        return (
            f"Adult({self.X_train.shape[0]} training rows, {self.X_test.shape[0]} test rows, "
            f"{len(self.feature_names)} features in {len(self.field_names)} fields)"
        )


def load_adult(*, n_bins: int = 16) -> Adult:
    """Load the UCI Adult data, one-hot encoded, from the files inside the package.

    The encoding is learned from the training rows alone. A categorical column has one
    feature per value seen there and one, ``name=<unknown>``, for every other value. A numeric
    column is cut at the quantiles of the training rows; where most values are zero (capital
    gain and loss) zero is a bin of its own and the quantiles are those of the other values.

    Parameters
    ----------
    n_bins : int
        Largest number of quantile bins of a numeric column. Quantiles that coincide are one.

    Returns
    -------
    Adult

    Raises
    ------
    ValueError
        If `n_bins` is less than 1, or the files are not the ones that were shipped.

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


def _read(file_name, n_rows, n_positive, *, header=False):
    """The 14 columns, each a tuple of str, and the labels of one file, checked by its counts."""
    raw = resources.files(__package__).joinpath(file_name).read_bytes()
    text = io.StringIO(bz2.decompress(raw).decode("ascii"), newline="")
    rows = list(csv.reader(text, skipinitialspace=True))[int(header) :]
    if len(rows) != n_rows or any(len(row) != len(_COLUMNS) + 1 for row in rows):
        raise ValueError(f"{file_name} is damaged: expected {n_rows} rows of 15 columns")
    *columns, labels = zip(*rows, strict=True)
    if labels.count(">50K") != n_positive or labels.count("<=50K") != n_rows - n_positive:
        raise ValueError(f"{file_name} is damaged: expected {n_positive} labels '>50K'")
    return columns, np.array([_LABELS[label] for label in labels], dtype=np.float32)


def _encode_categorical(name, train, test, n_bins):
    values = sorted(set(train))
    code = {value: i for i, value in enumerate(values)}
    names = [f"{name}={value}" for value in values] + [f"{name}=<unknown>"]
    train_codes = [code[value] for value in train]
    test_codes = [code.get(value, len(values)) for value in test]
    return np.array(train_codes, np.int32), np.array(test_codes, np.int32), names


def _encode_numeric(name, train, test, n_bins):
    train, test = np.array(train).astype(np.int64), np.array(test).astype(np.int64)
    edges = _bin_edges(train, n_bins)
    # Bin b holds edges[b - 1] <= value < edges[b]; the values are whole numbers.
    names = [f"{name}<{edges[0]}"] if len(edges) else [f"{name}=any"]
    for low, high in zip(edges[:-1], edges[1:] - 1, strict=True):
        names.append(f"{name}={low}" if low == high else f"{name}={low}..{high}")
    names += [f"{name}>={edge}" for edge in edges[-1:]]
    return np.searchsorted(edges, train, "right"), np.searchsorted(edges, test, "right"), names


def _bin_edges(values, n_bins):
    """Ascending lower bounds of all bins but the first, so that no training bin is empty."""
    mostly_zero = np.mean(values == 0) > 0.5
    kept = values[values != 0] if mostly_zero else values
    inner = np.linspace(0, 1, n_bins + 1)[1:-1]
    edges = np.unique(np.quantile(kept, inner, method="higher").astype(np.int64))
    edges = edges[edges > kept.min()]
    return np.union1d(1, edges) if mostly_zero else edges  # below 1 there is only zero


def _one_hot(codes, n_features):
    """CSR rows with a 1 in each of the given columns, one array of codes per field."""
    indices = np.stack(codes, axis=1).astype(np.int32)
    n_rows, n_fields = indices.shape
    indptr = np.arange(0, n_rows * n_fields + 1, n_fields, dtype=np.int32)
    data = np.ones(indices.size, dtype=np.float32)
    return sp.csr_array((data, indices.ravel(), indptr), shape=(n_rows, n_features))
