"""What estimators do to whole models."""

import numpy as np
from numpy.typing import DTypeLike

from fastfm_c.models import FFM, FM

__all__ = ["in_dtype", "multiply_scores", "to_train"]


def multiply_scores(model: FM | FFM, factor: float) -> None:
    """Makes a model's scores so many times as large, without rounding if factor is a power of 4."""
    if factor != 1:
        w, V = model.w, model.V
        model.w0 = model.w0 * factor
        w *= factor
        V *= np.sqrt(factor)


def in_dtype(model: FM | FFM, dtype: DTypeLike) -> FM | FFM:
    """The model, or a copy in another dtype."""
    if model.dtype == np.dtype(dtype):
        return model
    fields = (model.fields,) if isinstance(model, FFM) else ()
    w, V = model.w.astype(dtype), model.V.astype(dtype)
    return type(model)(model.w0, w, V, *fields, normalize=model.normalize)


def to_train(model: FM | FFM, dtype: DTypeLike) -> FM | FFM:
    """The model or a copy that can be written to: not a mapped file, which load and joblib give."""
    model = in_dtype(model, dtype)
    return model if model.w.flags.writeable and model.V.flags.writeable else model.copy()
