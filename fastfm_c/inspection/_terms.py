"""The parameters of one output in float64, cut to the columns that occur, and their sums over rows.

An FM is treated as an FFM of one field: ``V`` is (n, F, k), with F = 1 for an FM, and ``field`` is the field
of each column. With ``S[b, a] = sum of V[j, a] x_j over the columns j of field b``, a column's pairs are
``c_i(x) = <V[i], S[:, field i]> - square_i x_i``, where ``square_i = |V[i, field i]|^2`` takes out the pair
of the column with itself.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from fastfm_c.models import FFM, FM

__all__ = ["Terms", "as_model", "row_blocks", "rows_of_entries", "sound_csr", "split_by", "terms_of"]

_Array: TypeAlias = NDArray[np.float64]

# Numbers of a block of rows: its arrays fit the second cache level, and numpy's cost of a call does not
# count.
_BLOCK = 1 << 16


def as_model(model: Any, name: str = "model") -> FM | FFM:
    """The model itself, or the float32 model that a quantised one stands for."""
    if hasattr(model, "full"):
        model = model.full()
    if not isinstance(model, FM | FFM):
        raise ValueError(f"{name} is a {type(model).__name__}, expected an FM or FFM")
    return model


def sound_csr(model: Any, X: Any, name: str = "X") -> Any:
    """X as a CSR array of float64 that `model` can score, with repeated columns summed."""
    try:
        indptr, indices, data = model._snapshot().sound_rows(X, None)
    except ValueError as error:
        raise ValueError(str(error) if name == "X" else f"{name}: {error}") from None
    begin, end = (int(indptr[0]), int(indptr[-1])) if len(indptr) else (0, 0)
    indices, data = indices[begin:end], data[begin:end].astype(np.float64)
    return sp.csr_array((data, indices, indptr - begin), shape=(len(indptr) - 1, model.n_features))


@dataclass
class Terms:
    """The parameters of one output, of some columns."""

    w0: float
    w: _Array  # (n,)
    V: _Array  # (n, F, k)
    field: NDArray[np.intp]  # (n,)
    square: _Array  # (n,)

    @property
    def n_fields(self) -> int:
        """Number of fields of V; 1 for an FM."""
        return int(self.V.shape[1])

    @property
    def numbers_per_row(self) -> int:
        """Numbers of the sums of a row."""
        _, F, k = self.V.shape
        return int(F * F * k)

    def sums(self, X: Any) -> _Array:
        """S of each row: (rows, F, F, k), of fields b and a as above."""
        _, F, k = self.V.shape
        by_field = split_by(X, self.field, F)
        sums: _Array = by_field @ self.V.reshape(len(self.V), F * k)
        return sums.reshape(X.shape[0], F, F, k)

    def pairs_of_entries(self, X: Any, S: _Array) -> _Array:
        """c_i(x) of each stored value of X, whose sums are S."""
        rows = rows_of_entries(X)
        of_entries = S[rows, :, self.field[X.indices]]
        products: _Array = np.einsum("pbk,pbk->p", self.V[X.indices], of_entries)
        own: _Array = self.square[X.indices] * X.data
        return products - own

    def products(self, columns: NDArray[np.intp]) -> _Array:
        """``<V[i, field j], V[j, field i]>`` of each two of these columns, 0 of a column with itself."""
        V = self.V[columns][:, self.field[columns]]
        products: _Array = V[:, 0] @ V[:, 0].T if self.n_fields == 1 else np.einsum("ijk,jik->ij", V, V)
        np.fill_diagonal(products, 0.0)
        return products


def terms_of(model: Any, columns: NDArray[np.intp]) -> list[Terms]:
    """The terms of each output of a model, of these columns."""
    fields = getattr(model, "fields", None)
    field = np.zeros(len(columns), np.intp) if fields is None else np.asarray(fields)[columns].astype(np.intp)
    now = model._snapshot()
    n, C = len(now.w), len(now.w0)
    w = now.w.reshape(n, C)[columns].astype(np.float64)
    F, k = (1 if fields is None else now.n_fields), now.V.shape[-1]
    V = now.V.reshape(n, C, F, k)[columns].astype(np.float64)
    result = []
    for c in range(C):
        V_c = np.ascontiguousarray(V[:, c])
        own = V_c[np.arange(len(columns)), field]
        result.append(Terms(float(now.w0[c]), w[:, c], V_c, field, np.einsum("ik,ik->i", own, own)))
    return result


def rows_of_entries(X: Any) -> NDArray[np.intp]:
    """The row of each stored value."""
    return np.repeat(np.arange(X.shape[0]), np.diff(X.indptr))


def split_by(X: Any, player: NDArray[np.intp], n_players: int) -> Any:
    """X with each row split into n_players rows, one for the columns of each player."""
    if n_players == 1:
        return X
    rows = rows_of_entries(X) * n_players + player[X.indices]
    return sp.csr_array((X.data, (rows, X.indices)), shape=(X.shape[0] * n_players, X.shape[1]))


def row_blocks(X: Any, numbers_per_row: int) -> Iterator[slice]:
    """Slices of rows for which arrays of so many numbers a row stay small."""
    step = max(1, _BLOCK // max(1, numbers_per_row))
    for begin in range(0, X.shape[0], step):
        yield slice(begin, min(begin + step, X.shape[0]))
