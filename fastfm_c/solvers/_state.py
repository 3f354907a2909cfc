"""Solvers in files: see `fastfm_c.persistence`.

A solver is asked for ``model``, ``loss``, ``_options()`` (the other arguments of its class) and
``_progress()``, what its training has made: ``(n_steps, n_epochs, rng, arrays, scale, rate)``. `arrays` has
a ``(w0, w, V)`` for each of its `state_names`; `scale` is the scale of each column or None; `rate` is the
learning rate of the last epoch. `restore_solver`
makes a solver of the same. A file says n_passes for n_epochs. It names the schedule and
the last rate only where there is one and where it is not the option learning_rate.
"""

from types import NoneType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastfm_c._validation import as_positive
from fastfm_c.persistence._generators import generator_state, restored_generator
from fastfm_c.persistence._json import as_scalar, json_member
from fastfm_c.persistence._objects import Reader, Writer
from fastfm_c.solvers._restore import restore_solver

__all__ = ["from_state", "to_state"]

_SUMS_OF_SQUARES = "G", "v", "n"
_PARAMETERS = "w0", "w", "V"


def to_state(solver: Any, writer: Writer) -> dict[str, Any]:
    """The state of a solver, with that of its model and its loss."""
    n_steps, n_passes, rng, _, _, rate = solver._progress()
    state = {"model": writer.state(solver.model, "model"), "loss": writer.state(solver.loss, "loss")}
    writer.add_member(solver.model, "trained", True)
    for name, array in solver.state_arrays.items():
        writer.tensor(name, array)
    options = {name: as_scalar(value, name) for name, value in solver._options().items()}
    state |= {
        "options": options,
        "n_steps": n_steps,
        "n_passes": n_passes,
        "rng": generator_state(rng),
    }
    if options["schedule"] is None:
        del options["schedule"]
    return state if rate == options["learning_rate"] else state | {"learning_rate": rate}


def from_state(create: Any, state: dict[str, Any], reader: Reader) -> Any:
    """The solver of a state, with its model and its loss."""
    model = reader.object(json_member(state, "model", dict), "model", "model")
    loss = reader.object(json_member(state, "loss", dict), "loss", "loss")
    arrays = [
        tuple(_array(reader, name, f"{name}.{parameter}") for parameter in _PARAMETERS)
        for name in create.state_names
    ]
    scale = _array(reader, "scale", "scale") if reader.has_tensor("scale") else None
    n_steps, n_passes = json_member(state, "n_steps", int), json_member(state, "n_passes", int)
    if not (0 <= n_steps < 2**62 and 0 <= n_passes < 2**62):
        raise ValueError(f"n_steps and n_passes are {n_steps} and {n_passes}, expected counts")
    rng = restored_generator(state.pop("rng", None))
    options = json_member(state, "options", dict)
    rate = json_member(state, "learning_rate", float, NoneType)
    rate = as_positive(options.get("learning_rate") if rate is None else rate, "learning_rate")
    return restore_solver(create, model, loss, options, (n_steps, n_passes, rng, arrays, scale, rate))


def _array(reader: Reader, name: str, tensor_name: str) -> NDArray[Any]:
    """An array of a solver, which takes roots of sums of squares and divides by the scale."""
    array = reader.tensor(tensor_name, "f", writable=True)
    sound = np.isfinite(array)
    if name in _SUMS_OF_SQUARES:
        sound &= array >= 0
    elif name == "scale":
        sound &= array > 0
    if not sound.all():
        raise ValueError(f"tensor {reader.path + tensor_name!r} holds numbers that no training makes")
    return array
