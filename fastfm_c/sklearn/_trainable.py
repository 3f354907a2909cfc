"""A model as a solver needs it: of the solver's dtype, in memory that it may write to, in its units."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import DTypeLike, NDArray

from fastfm_c.solvers._base import Model

__all__ = [
    "Model",
    "as_dtype",
    "as_trainable",
    "in_solver_units",
    "into_solver_units",
    "out_of_solver_units",
    "scale_scores",
    "with_parameters",
]


@contextmanager
def in_solver_units(model: Model, unit: Callable[[], float]) -> Iterator[None]:
    """Divide the model's scores by the unit of the targets, in place, until the block ends.

    A solver learns from targets that are divided by this unit. Outside of the block the model scores in the
    units of y. This also holds after an exception, and if the unit is another in the end.
    """
    scale_scores(model, 1 / unit())
    try:
        yield
    finally:
        scale_scores(model, unit())


def into_solver_units(model: Model, unit: float, origin: float) -> None:
    """Let the model score the distance to an origin, in this unit, in place."""
    if origin != 0:
        model.w0 = np.asarray(np.asarray(model.w0, np.float64) - origin, model.dtype)
    scale_scores(model, 1 / unit)


def out_of_solver_units(model: Model, unit: float, origin: float) -> None:
    """Undo `into_solver_units`."""
    scale_scores(model, unit)
    if origin != 0:
        model.w0 = np.asarray(np.asarray(model.w0, np.float64) + origin, model.dtype)


def scale_scores(model: Model, factor: float) -> None:
    """Multiply all scores of a model by `factor`, in place. A power of 4 causes no rounding."""
    if factor != 1:
        w, V = model.w, model.V
        model.w0 = model.w0 * factor
        w *= factor
        V *= np.sqrt(factor)  # a pair multiplies two factors


def as_dtype(model: Model, dtype: DTypeLike) -> Model:
    """Return the model itself if it has this dtype, else a converted copy."""
    if model.dtype == np.dtype(dtype):
        return model
    return with_parameters(model, model.w.astype(dtype), model.V.astype(dtype))


def with_parameters(model: Model, w: NDArray[Any], V: NDArray[Any]) -> Model:
    """A model like this one, in all that pickling keeps, with other weights and factors."""
    create, (w0, _, _, *fields), state = model.__reduce__()
    other: Model = create(w0, w, V, *fields)
    other.__setstate__(state)
    return other


def as_trainable(model: Model, dtype: DTypeLike) -> Model:
    """Return a model of this dtype whose arrays can be written to; the model itself if it is one.

    `fastfm_c.load` and joblib may map a file into memory. Such arrays are read-only.
    """
    model = as_dtype(model, dtype)
    return model if model.w.flags.writeable and model.V.flags.writeable else model.copy()
