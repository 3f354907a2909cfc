"""`compare_norms`: whether the factors of two models have grown or shrunk."""

from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastfm_c._field_table import as_fields
from fastfm_c.inspection._terms import as_model

__all__ = ["NormChange", "compare_norms"]


class NormChange(NamedTuple):
    """The lengths of the factors of a field's features in two models."""

    n_features: int
    old_median: float
    new_median: float
    old_largest: float
    new_largest: float
    moved: float  # mean distance of a feature's factors in both models, over the mean old length


def compare_norms(old: Any, new: Any, *, fields: ArrayLike | None = None) -> dict[int, NormChange]:
    """Compare the factors of two models, feature by feature, and sum up by field.

    Parameters
    ----------
    old, new
        Two models of one kind, each as for `explain`. The new one may have more features, which are left out.
    fields : array_like of int, shape (n_features,), optional
        Fields of the old model's features. Default: those of an FFM, else one field.

    Returns
    -------
    dict of int to NormChange
        By field; fields without features are left out.

    Raises
    ------
    ValueError
        For models whose factors have different shapes.

    Examples
    --------
    >>> from fastfm_c import FM
    >>> old, new = FM(0.0, [0.0], [[3.0, 4.0]]), FM(0.0, [0.0], [[6.0, 8.0]])
    >>> compare_norms(old, new)[0].new_median, compare_norms(old, new)[0].moved
    (10.0, 1.0)
    """
    old, new = as_model(old, "old"), as_model(new, "new")
    before, after = _factors(old), _factors(new)
    if before.shape[1] != after.shape[1] or len(after) < len(before):
        raise ValueError(f"V is {old.V.shape} in the old model and {new.V.shape} in the new one")
    n = len(before)
    if fields is None:
        fields = np.asarray(getattr(old, "fields", np.zeros(n, np.int32)))
    of_features = np.asarray(as_fields(fields, n, None))
    lengths, new_lengths = (np.linalg.norm(V[:n], axis=1) for V in (before, after))
    moved = np.linalg.norm(after[:n] - before, axis=1)
    found = {}
    for field in np.unique(of_features).tolist():
        of = of_features == field
        found[field] = NormChange(
            int(of.sum()),
            float(np.median(lengths[of])),
            float(np.median(new_lengths[of])),
            float(lengths[of].max()),
            float(new_lengths[of].max()),
            float(moved[of].mean() / lengths[of].mean()) if lengths[of].any() else float("nan"),
        )
    return found


def _factors(model: Any) -> NDArray[np.float64]:
    """The factors of each feature in one row, of all outputs and fields."""
    V = model._snapshot().V
    factors: NDArray[np.float64] = V.reshape(len(V), -1 if len(V) else int(np.prod(V.shape[1:])))
    return factors.astype(np.float64)
