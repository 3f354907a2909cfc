"""Solvers as they were: what pickles and files of them are made of."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias, TypeVar

import numpy as np
from numpy.typing import NDArray

from fastfm_c.losses import Loss
from fastfm_c.models import FFM, FM
from fastfm_c.solvers._base import Model

if TYPE_CHECKING:
    from fastfm_c.solvers._stochastic import StochasticSolver

_Solver = TypeVar("_Solver", bound="StochasticSolver")

__all__ = ["Progress", "restore_solver"]

# n_steps, n_epochs, the random numbers, arrays for (w0, w, V) of each state, the scale, and the learning
# rate of the last epoch, which pickles of the first version lack
Progress: TypeAlias = (
    tuple[int, int, np.random.Generator, list[Any], NDArray[Any] | None, float]
    | tuple[int, int, np.random.Generator, list[Any], NDArray[Any] | None]
)


def restore_solver(
    create: type[_Solver],
    model: Model,
    loss: Loss,
    options: Mapping[str, Any],
    progress: Progress,
) -> _Solver:
    """A solver as it was; `progress` is that of its `__reduce__`.

    What lies in read-only memory, where joblib maps files, is copied: the solver writes to it. The model
    stays the same object, which others may have too.
    """
    # "hogwild" is what files of the first version have; it is no option any more.
    options = {name: value for name, value in options.items() if name != "hogwild"}
    # Made for no features, so that no fresh state is filled to be thrown away.
    solver = create(_without_features(model), loss, **options)
    if not (model.w.flags.writeable and model.V.flags.writeable):
        if isinstance(model, FFM):
            model.resize(model.n_features, model.fields)
        else:
            model.resize(model.n_features)
    solver._go_on(model, progress)
    return solver


def _without_features(model: Model) -> Model:
    w, V = (np.compress([], parameter, axis=np.ndim(model.w0)) for parameter in (model.w, model.V))
    if isinstance(model, FFM):
        return FFM(model.w0, w, V, model.fields[:0], normalize=model.normalize)
    return FM(model.w0, w, V, normalize=model.normalize)
