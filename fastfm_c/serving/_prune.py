"""`prune`: a model without the features and factors that do not count, and what that costs."""

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

from fastfm_c._validation import as_count, as_csr, as_fraction
from fastfm_c.inspection import explain
from fastfm_c.losses import LogisticLoss, Loss, SquaredLoss
from fastfm_c.models import FFM, FM

__all__ = ["Pruned", "prune"]

_Array: TypeAlias = NDArray[Any]


@dataclass(eq=False)
class Pruned:
    """What `prune` would do, and what it costs. Nothing is done until `model` is taken into use.

    Parameters
    ----------
    model : FM or FFM
        The smaller model. Its column i is column ``features[i]`` of before: score ``X[:, features]``.
    features : ndarray of int
        The features that stay, ascending.
    shares : ndarray of float, shape (n_features,)
        Of each feature of before, the share of the variance of its contributions in those of all.
    loss, pruned_loss : float
        Mean loss over the rows with the whole model, and with the smaller one.
    """

    model: Any
    features: NDArray[np.intp]
    shares: NDArray[np.float64]
    loss: float
    pruned_loss: float

    @property
    def cost(self) -> float:
        """How much the mean loss grows."""
        return self.pruned_loss - self.loss

    def __repr__(self) -> str:
        return f"Pruned({self.model!r}, loss {self.loss:.6g} -> {self.pruned_loss:.6g})"


def prune(
    model: Any,
    X: Any,
    y: ArrayLike,
    *,
    loss: Loss | None = None,
    least_share: float = 1e-6,
    n_factors: int | None = None,
) -> Pruned:
    """Leave out features whose contributions hardly vary, and factors; say what it costs before it is done.

    Parameters
    ----------
    model : FM or FFM
        With one output.
    X, y
        Rows that the model has not learned from, and their targets: what the cost is measured on.
    loss : LogisticLoss or SquaredLoss, optional
        Default: logistic where y is 0 and 1, else squared.
    least_share : float, default 1e-6
        A feature stays if the variance of its contributions is at least this share of the sum of those of all
        features. 0 keeps all.
    n_factors : int, optional
        Factors to keep. The factors are rotated first, so that the last ones count least: the products of an
        FM's features stay the best in the sense of squares, and so do those of each two fields of an FFM.

    Returns
    -------
    Pruned

    Raises
    ------
    ValueError
        For a model with several outputs or with `normalize`, and for malformed rows.

    Examples
    --------
    >>> import numpy as np
    >>> from fastfm_c import FM
    >>> model = FM(0.0, [1.0, 0.0, 2.0], np.zeros((3, 2)))
    >>> pruned = prune(model, np.eye(3), [1.0, 0.0, 2.0])
    >>> pruned.features.tolist(), pruned.cost
    ([0, 2], 0.0)
    """
    if not isinstance(model, FM | FFM):
        raise ValueError(f"model is a {type(model).__name__}, expected an FM or FFM")
    share = as_fraction(least_share, "least_share")
    k = model.n_factors if n_factors is None else as_count(n_factors, "n_factors")
    if model.n_outputs > 1 or model._snapshot().has_outputs:
        raise ValueError(f"the model has {model.n_outputs} outputs, expected one")
    if k > model.n_factors:
        raise ValueError(f"n_factors is {k}, the model has {model.n_factors}")
    y = np.asarray(y)
    if loss is None:
        loss = LogisticLoss() if np.isin(y, (0, 1)).all() else SquaredLoss()
    shares = _shares(model, X)
    features = np.flatnonzero(shares >= share)
    smaller = _rotated(_with_features(model, features), k)
    smaller.repeats, smaller.metadata = model.repeats, dict(model.metadata)
    indptr, indices, data, shape = as_csr(X)
    rows = sp.csr_array((data, indices, indptr), shape=shape)
    before = model.objective(rows, y, loss)
    after = smaller.objective(sp.csr_array(rows[:, features]), y, loss)
    return Pruned(smaller, features, shares, before, after)


def _shares(model: Any, X: Any) -> NDArray[np.float64]:
    """The variance over the rows of each feature's contribution, over the sum of them."""
    values = explain(model, X).values
    n_rows, n = values.shape
    if n_rows == 0:
        raise ValueError("X has no rows, expected at least one")
    mean = np.bincount(values.indices, values.data, n) / n_rows
    variance = np.bincount(values.indices, values.data**2, n) / n_rows - mean**2
    variance = np.maximum(variance, 0.0)
    total = variance.sum()
    return variance / total if total else np.ones(n)


def _with_features(model: Any, features: NDArray[np.intp]) -> Any:
    fields = (model.fields[features],) if isinstance(model, FFM) else ()
    return type(model)(model.w0, model.w[features], model.V[features], *fields)


def _rotated(model: Any, k: int) -> Any:
    """The model with k factors whose products are closest to those of now."""
    if k == model.n_factors or not model.n_features:
        return model
    V = model.V.astype(np.float64)
    if isinstance(model, FM):
        return FM(model.w0, model.w, _best_factors(V, k).astype(model.dtype))
    result = np.zeros((*V.shape[:2], k))
    of_field = [np.flatnonzero(np.asarray(model.fields) == a) for a in range(model.n_fields)]
    for a in range(model.n_fields):
        result[of_field[a], a] = _best_factors(V[of_field[a], a], k)
        for b in range(a):
            left, right = _best_pair(V[of_field[a], b], V[of_field[b], a], k)
            result[of_field[a], b], result[of_field[b], a] = left, right
    return FFM(model.w0, model.w, result.astype(model.dtype), model.fields)


def _best_factors(V: _Array, k: int) -> _Array:
    """Of rank k, with products ``V V'`` that are closest: a rotation, whose last factors are left out."""
    _, _, axes = np.linalg.svd(np.linalg.qr(V, mode="r"), full_matrices=False)
    rotated = V @ axes.T
    result: _Array = np.zeros((len(V), k))
    result[:, : min(k, rotated.shape[1])] = rotated[:, :k]
    return result


def _best_pair(left: _Array, right: _Array, k: int) -> tuple[_Array, _Array]:
    """Of rank k, with products ``left right'`` that are closest."""
    Q, R = np.linalg.qr(left)
    P, S = np.linalg.qr(right)
    U, size, W = np.linalg.svd(R @ S.T, full_matrices=False)
    root = np.sqrt(size[:k])
    parts = Q @ (U[:, :k] * root), P @ (W[:k].T * root)
    widened = tuple(np.pad(part, ((0, 0), (0, k - part.shape[1]))) for part in parts)
    return widened[0], widened[1]
