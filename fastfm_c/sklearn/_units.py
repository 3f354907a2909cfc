"""The units of a stream: what the solver's targets, the factors and the solver's state are measured in.

A solver learns well if targets and values are of order 1. In a stream one learns only on the way how large
they are. When a unit changes, everything that was learned is expressed in the new one, and scores as before.
What the factors were at the start is no part of that: they are random numbers, which are of the size that
`init_stdev` says in any unit. They are made again from their seed when a unit changes.
"""

import math
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastfm_c.models import FFM, FM
from fastfm_c.sklearn._trainable import Model
from fastfm_c.solvers import StochasticSolver

__all__ = [
    "change_column_units",
    "change_target_unit",
    "follows_columns",
    "initial_factors",
    "per_feature",
    "renew_proximal_state",
    "unit_for",
    "updated_unit",
]

# How the state of a solver grows with the gradients that it is made of. z follows from the parameters.
_DEGREES = {"G": 2, "m": 1, "v": 2, "n": 2}
_MOST_OFF = 1.5  # a unit changes when its log2 is further than this from that of the deviation


def unit_for(size: float) -> float:
    """The power of 4 that is nearest to a size, within limits; 1 if the size is 0."""
    if not size > 0:
        return 1.0
    return float(4.0 ** np.clip(np.round(np.log2(size) / 2), -30, 30))


def updated_unit(unit: float, size: float) -> float:
    """The unit, or another if the size is far from it."""
    if not size > 0 or abs(math.log2(size) - math.log2(unit)) <= _MOST_OFF:
        return unit
    return unit_for(size)


def per_feature(model: Model, sizes: ArrayLike) -> NDArray[Any]:
    """A number for each feature, in a shape that multiplies V."""
    numbers: NDArray[Any] = np.asarray(sizes, model.dtype)
    return numbers.reshape(-1, *[1] * (model.V.ndim - model.w.ndim))


def initial_factors(model: Model, seed: int, init_stdev: float) -> NDArray[Any]:
    """The random factors that a model with these sizes started with, for columns of size 1."""
    options: dict[str, Any] = {"n_outputs": model.n_outputs, "init_stdev": init_stdev, "dtype": model.dtype}
    options["rng"] = np.random.default_rng(seed)
    if isinstance(model, FFM):
        return FFM.random(model.fields, model.n_factors, **options).V
    return FM.random(model.n_features, model.n_factors, **options).V


def change_target_unit(
    model: Model, solver: StochasticSolver, factor: float, start: NDArray[Any] | None
) -> None:
    """Express the model and the state of its solver in a unit that is `factor` times as large.

    Parameters
    ----------
    model : FM or FFM
        In the solver's unit.
    solver : SGD, AdaGrad, Adam or FTRL
    factor : float
        A power of 4.
    start : ndarray, optional
        The factors at the start, which are the same in any unit.
    """
    model.w0 = np.asarray(model.w0 / factor, model.dtype)
    w, V = model.w, model.V
    w /= factor
    root = math.sqrt(factor)
    if start is None:
        V /= root
    else:
        V -= start
        V /= root
        V += start
    initial = solver._options().get("initial_accumulator", 0.0)
    state = solver.state_arrays
    for name, degree in _DEGREES.items():
        if f"{name}.w" in state:
            # A gradient of V has a factor of another feature: it is measured in unit**1.5.
            for parameter, power in (("w0", degree), ("w", degree), ("V", 1.5 * degree)):
                array, first = state[f"{name}.{parameter}"], initial if name == "G" else 0.0
                array -= first
                array /= factor**power
                array += first
    renew_proximal_state(solver)


def follows_columns(create: type[StochasticSolver] | StochasticSolver) -> bool:
    """Whether a stream says in which units such a solver learns, as `fit` does: AdaGrad and Adam."""
    return create._column_measure == "column_rms"


def change_column_units(
    model: Model, solver: StochasticSolver, columns: NDArray[Any], units: NDArray[Any]
) -> None:
    """Learn from these columns in these units from now on.

    Parameters
    ----------
    model : FM or FFM
        Its parameters stay: a solver has units for its steps.
    solver : AdaGrad or Adam
    columns : ndarray of int
    units : ndarray of float
        Of each of these columns.
    """
    before = np.float64(1) if solver._scale is None else solver._scale[columns].astype(np.float64)
    if np.all(before == units):
        return
    ratio = before / units
    initial = solver._options().get("initial_accumulator", 0.0)
    most = float(np.finfo(model.dtype).max)
    for name, array in solver.state_arrays.items():  # what belongs to a feature lies together
        kind, _, parameter = name.partition(".")
        if parameter in ("w", "V"):
            first, factor = initial if kind == "G" else 0.0, ratio ** _DEGREES[kind]
            factor = factor.reshape(-1, *[1] * (array.ndim - 1))
            with np.errstate(over="ignore"):
                array[columns] = np.clip(first + (array[columns] - first) * factor, -most, most)
    if solver._scale is None:
        solver._set_scale(np.ones(model.n_features, model.dtype))
    solver.state_arrays["scale"][columns] = units


def renew_proximal_state(solver: StochasticSolver, only_bias: bool = False) -> None:
    """Make z of FTRL what the parameters follow from, after they were changed from outside."""
    state = solver.state_arrays
    if "z.w0" not in state:
        return
    options, now = solver._options(), solver.model._snapshot()
    penalties = {"w0": 0.0, "w": options["l2_linear"], "V": options["l2_factors"]}
    for name in ("w0",) if only_bias else ("w0", "w", "V"):
        z, n, parameter = state[f"z.{name}"], state[f"n.{name}"], getattr(now, name)
        weight = (options["beta"] + np.sqrt(n)) / solver.current_learning_rate + penalties[name]
        np.multiply(parameter, -weight, out=z)
