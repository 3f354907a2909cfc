"""Checkpoints: a training over shards in a file, from which it goes on to the same bits."""

import os
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastfm_c.models import FFM, FM
from fastfm_c.persistence import load, save
from fastfm_c.persistence._json import json_member
from fastfm_c.persistence._objects import Reader, Writer
from fastfm_c.training._growth import FactorGrowth
from fastfm_c.training._monitor import Monitor, copy_parameters

__all__ = ["Checkpoint", "Keeper", "from_state", "to_state"]

_ARRAYS = "G.w0", "G.w", "G.V", "scale"
_LISTS = "loss", "validation", "seconds"  # of a History
_N_NUMBERS = 5  # that a Monitor knows, the best epoch last, or 0


@dataclass(eq=False)
class Checkpoint:
    """What a training has come to: its model and solver, its history, and what early stopping knows.

    Parameters
    ----------
    solver : str
    seed : int
    model : FM or FFM
    arrays : dict of str to ndarray
        What the solver keeps beside the model.
    best : FM or FFM, optional
        The model of the best round.
    figures : dict of str to list of float
        Lists of a `History`, and as "monitor" the numbers of early stopping.
    """

    solver: str
    seed: int
    model: FM | FFM
    arrays: dict[str, NDArray[Any]]
    best: FM | FFM | None
    figures: dict[str, list[float]]


class Keeper:
    """Watches the rounds of a training beside its monitor: writes checkpoints, and goes on from one.

    Parameters
    ----------
    path : path or None
    every : int
        Rounds between two checkpoints.
    resumes : bool
    solver : str
        Its name.
    """

    def __init__(self, path: Any, every: int, resumes: bool, solver: str) -> None:
        if resumes and path is None:
            raise ValueError("resume=True needs the path of a checkpoint")
        self._path, self._every, self._resumes, self._solver = path, every, resumes, solver

    def watch(self, rounds: Any, monitor: Monitor, rng: np.random.Generator) -> None:
        """Begin: choose the seed, or take what the checkpoint has, if there is one."""
        self._rounds, self._monitor, self.tol = rounds, monitor, monitor.tol
        self.seed = int(rng.integers(2**63))
        if self._resumes and os.path.exists(self._path):
            self._take(load(self._path, mmap=False))

    @property
    def n_rounds(self) -> int:
        """Rounds that are complete."""
        return self._monitor.history.n_iter

    @property
    def rounds_left(self) -> int:
        """Rounds from now to the next checkpoint."""
        return sys.maxsize if self._path is None else self._every - self.n_rounds % self._every

    def within(self, epoch: int) -> None:
        """Nothing is to be called in the middle of a round."""

    def after_epoch(self, loss: float) -> str | None:
        """Complete a round; why it is the last one, or None."""
        reason = self._monitor.after_epoch(loss)
        if self._path is not None and self.n_rounds % self._every == 0:
            self._write()
        return reason

    def _write(self) -> None:
        rounds, monitor, best = self._rounds, self._monitor, None
        if monitor.checkpoint is not None and monitor.checkpoint.is_whole:
            best = rounds.model.copy()
            copy_parameters(monitor.checkpoint, best)
        figures = {name: getattr(monitor.history, name) for name in _LISTS}
        epochs = monitor.threshold_epoch, monitor.n_growing, monitor.history.best_epoch or 0
        figures["monitor"] = [monitor.best, monitor.threshold, *epochs]
        found = Checkpoint(self._solver, self.seed, rounds.model, rounds.state_arrays, best, figures)
        save(found, self._path)

    def _take(self, found: Any) -> None:
        rounds, monitor = self._rounds, self._monitor
        if not isinstance(found, Checkpoint) or found.solver != self._solver:
            raise ValueError(f"{self._path} holds no checkpoint of solver={self._solver!r}")
        shapes, wanted = map(_shapes, (found.arrays, rounds.state_arrays))
        if not _is_alike(found.model, rounds.model) or shapes != wanted:
            raise ValueError(f"{self._path} is of {found.model!r}, the model is {rounds.model!r}")
        copy_parameters(found.model, rounds.model)
        for name, array in rounds.state_arrays.items():
            array[...] = found.arrays[name]
        for name in _LISTS:
            setattr(monitor.history, name, found.figures[name])
        monitor.best, monitor.threshold, *epochs = found.figures["monitor"]
        monitor.threshold_epoch, monitor.n_growing, best_epoch = map(int, epochs)
        monitor.history.best_epoch = best_epoch or None
        if monitor.checkpoint is not None and found.best is not None:
            copy_parameters(found.best, monitor.checkpoint)
            monitor.checkpoint.is_whole = True
        if monitor.growth is not None:
            monitor.growth = FactorGrowth(rounds.model)
        self.seed = found.seed


def _is_alike(a: FM | FFM, b: FM | FFM) -> bool:
    """Whether two models differ by the numbers in their parameters alone."""
    of_a, of_b = (np.asarray(model._snapshot().fields) for model in (a, b))
    return repr(a) == repr(b) and np.array_equal(of_a, of_b)


def _shapes(arrays: dict[str, NDArray[Any]]) -> dict[str, tuple[int, ...]]:
    return {name: array.shape for name, array in arrays.items()}


def to_state(checkpoint: Checkpoint, writer: Writer) -> dict[str, Any]:
    """The state of a checkpoint in a file."""
    for name, array in checkpoint.arrays.items():
        writer.tensor(name, array)
    for name, numbers in checkpoint.figures.items():
        writer.tensor(name, np.array(numbers, np.float64))
    state = {"solver": checkpoint.solver, "seed": checkpoint.seed}
    state["model"] = writer.state(checkpoint.model, "model")
    return state if checkpoint.best is None else state | {"best": writer.state(checkpoint.best, "best")}


def from_state(create: Any, state: dict[str, Any], reader: Reader) -> Checkpoint:
    """The checkpoint of a state."""
    model = reader.object(json_member(state, "model", dict), "model", "model")
    best = None
    if "best" in state:
        best = reader.object(json_member(state, "best", dict), "best", "model")
        if not _is_alike(best, model):
            raise ValueError(f"the best model of the checkpoint is {best!r}, the last is {model!r}")
    arrays = {name: reader.tensor(name, "f") for name in _ARRAYS if reader.has_tensor(name)}
    if not all(np.isfinite(array).all() and (array > 0).all() for array in arrays.values()):
        raise ValueError("the accumulators or the scale of a checkpoint are not all finite and above 0")
    solver, seed = json_member(state, "solver", str), json_member(state, "seed", int)
    figures = {name: reader.tensor(name, "f", 1).tolist() for name in (*_LISTS, "monitor")}
    if len(figures["monitor"]) != _N_NUMBERS or not np.isfinite(figures["monitor"][2:]).all():
        raise ValueError(f"tensor 'monitor' is {figures['monitor']!r:.200}, expected {_N_NUMBERS} numbers")
    found: Checkpoint = create(solver, seed, model, arrays, best, figures)
    return found
