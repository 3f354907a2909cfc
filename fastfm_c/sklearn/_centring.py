"""Columns far from zero, such as years: a fit learns from their distance to their mean.

A column of 1990 .. 2019 is almost the same number in each row. What it tells is a small part of its values,
which a stochastic solver finds only after very many steps. So such a column is centred for the fit. A
factorization machine of x - mean is one of x, too: afterwards the model is expressed in the columns as they
were.
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from fastfm_c.models import FFM
from fastfm_c.sklearn._fit_rows import FitRows
from fastfm_c.sklearn._trainable import Model

__all__ = ["Centring", "far_columns"]

FAR = 4  # deviations of a column that its mean is away from zero
PROBES = 64  # rows that are looked at first: most data have no column without zeros


@dataclass(frozen=True)
class Centring:
    """Columns, and the means that are taken off them."""

    columns: NDArray[np.int64]
    means: NDArray[np.float64]

    def centred(self, X: Any) -> sp.csr_array:
        """The rows with the means taken off, also of values that are not stored."""
        shift = np.zeros(X.shape[1])
        shift[self.columns] = self.means
        counts = np.bincount(X.indices, minlength=X.shape[1])[self.columns]
        if not (counts == X.shape[0]).all():
            taken = sp.csr_array(np.ones((X.shape[0], 1))) @ sp.csr_array(shift[None, :])
            return sp.csr_array(X - taken.astype(X.dtype))
        data = (X.data - shift[X.indices]).astype(X.dtype)
        return sp.csr_array((data, X.indices, X.indptr), shape=X.shape)

    def expressed(self, model: Model, sign: int) -> None:
        """Change a model so that ``new(x) = old(x + sign * mean)``, in place."""
        for output in range(model.n_outputs):
            self._express_output(model, output, sign)

    def _express_output(self, model: Model, output: int, sign: int) -> None:
        many = np.ndim(model.w0) > 0
        w, V = (model.w[output], model.V[output]) if many else (model.w, model.V)
        c, columns = sign * self.means, self.columns
        bias = float(np.dot(c, w[columns].astype(np.float64)))
        more = np.zeros(len(w))
        for j, c_j in zip(columns, c, strict=True):
            if isinstance(model, FFM):
                products = np.einsum("ik,ik->i", V[:, model.fields[j]], V[j, model.fields])
            else:
                products = V @ V[j]
            products = products.astype(np.float64)
            products[j] = 0
            more += c_j * products
            bias += c_j * float(np.dot(c, products[columns])) / 2
        w += more.astype(w.dtype)
        w0 = np.array(model.w0, np.float64)
        if many:
            w0[output] += bias
        else:
            w0 += bias
        model.w0 = w0.astype(model.dtype)


def far_columns(rows: FitRows) -> Centring | None:
    """The columns that have a value in each row and are far from zero; None if there are none."""
    X = rows.X
    candidates = _probed(X)
    if not len(candidates):
        return None
    values = X[:, candidates]
    counts = np.bincount(values.indices[values.data != 0], minlength=len(candidates))
    weight = np.ones(rows.n_rows) if rows.weight is None else rows.weight / rows.weight.sum()
    weight = weight / weight.sum()
    means = values.T @ weight
    centred = (values.data - means[values.indices]) ** 2 * np.repeat(weight, np.diff(values.indptr))
    deviations = np.sqrt(np.bincount(values.indices, centred, len(candidates)))
    far = (counts == rows.n_rows) & (deviations > 1e-6 * abs(means)) & (abs(means) > FAR * deviations)
    return Centring(candidates[far].astype(np.int64), means[far].astype(np.float64)) if far.any() else None


def _probed(X: Any) -> NDArray[Any]:
    """The columns that have a value in each of some rows."""
    n_rows = X.shape[0]
    counts: dict[int, int] = {}
    probes = np.unique(np.linspace(0, n_rows - 1, min(PROBES, n_rows)).astype(np.int64))
    for i in probes:
        for j in np.unique(X.indices[X.indptr[i] : X.indptr[i + 1]]).tolist():
            counts[j] = counts.get(j, 0) + 1
    return np.array(sorted(j for j, n in counts.items() if n == len(probes)), np.int64)
