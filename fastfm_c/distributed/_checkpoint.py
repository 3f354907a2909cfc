"""Checkpoints: a training over shards in a file, from which it goes on to the same bits."""

import os
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastfm_c.models import FFM, FM
from fastfm_c.persistence import load, save
from fastfm_c.persistence._json import json_member
from fastfm_c.persistence._objects import Reader, Writer
from fastfm_c.training._monitor import Monitor, copy_parameters

__all__ = ["Checkpoint", "Keeper", "from_state", "to_state"]

_ARRAYS = "G.w0", "G.w", "G.V", "scale"
_NUMBERS = "best", "threshold", "threshold_epoch", "n_growing"  # of a Monitor


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
    figures : dict
        Lists of a `History`; numbers of early stopping.
    """

    solver: str
    seed: int
    model: FM | FFM
    arrays: dict[str, NDArray[Any]]
    best: FM | FFM | None
    figures: dict[str, Any]


class Keeper:
    """Writes the checkpoints of a training, and lets it go on from one; it knows the seed.

    Parameters
    ----------
    path : path or None
    every : int
        Rounds between two checkpoints.
    rounds : AveragedRounds or ExactRounds
    rng : int or numpy.random.Generator
    """

    def __init__(self, path: Any, every: int, rounds: Any, rng: Any) -> None:
        self._path, self._every, self._rounds = path, every, rounds
        rounds.seed = int(np.random.default_rng(rng).integers(2**63))

    def rounds_left(self, done: int) -> int:
        """Rounds from now to the next checkpoint."""
        return 2**62 if self._path is None else self._every - done % self._every

    def after_round(self, done: int, monitor: Monitor) -> None:
        """Write a checkpoint if it is time to."""
        if self._path is None or done % self._every:
            return
        history, best, rounds = monitor.history, None, self._rounds
        if monitor.checkpoint is not None and monitor.checkpoint.is_whole:
            best = rounds.model.copy()
            copy_parameters(monitor.checkpoint, best)
        figures = {name: getattr(history, name) for name in ("loss", "validation", "seconds", "best_epoch")}
        figures |= {name: getattr(monitor, name) for name in _NUMBERS}
        save(Checkpoint(rounds.name, rounds.seed, rounds.model, rounds.arrays, best, figures), self._path)

    def resume(self, monitor: Monitor) -> None:
        """Take what the checkpoint has, if there is one."""
        if self._path is None:
            raise ValueError("resume=True needs the path of a checkpoint")
        if not os.path.exists(self._path):
            return
        found, rounds = load(self._path, mmap=False), self._rounds
        if not isinstance(found, Checkpoint) or found.solver != rounds.name:
            raise ValueError(f"{self._path} holds no checkpoint of solver={rounds.name!r}")
        if not _is_alike(found.model, rounds.model) or not rounds.takes(found.arrays):
            raise ValueError(f"{self._path} is of {found.model!r}, the model is {rounds.model!r}")
        copy_parameters(found.model, rounds.model)
        history, figures = monitor.history, dict(found.figures)
        for name in ("loss", "validation", "seconds", "best_epoch"):
            setattr(history, name, figures.pop(name))
        for name, value in figures.items():
            setattr(monitor, name, value)
        if monitor.checkpoint is not None and found.best is not None:
            copy_parameters(found.best, monitor.checkpoint)
            monitor.checkpoint.is_whole = True
        if monitor.growth is not None:
            monitor.growth = type(monitor.growth)(rounds.model)
        rounds.seed = found.seed
        rounds.restore(found.arrays, history.n_iter)


def _is_alike(a: FM | FFM, b: FM | FFM) -> bool:
    """Whether two models differ by the numbers in their parameters alone."""
    return (
        type(a) is type(b)
        and (a.dtype, a.V.shape, a.normalize) == (b.dtype, b.V.shape, b.normalize)
        and np.array_equal(a._snapshot().fields, b._snapshot().fields)  # type: ignore[arg-type]
    )


def to_state(checkpoint: Checkpoint, writer: Writer) -> dict[str, Any]:
    """The state of a checkpoint in a file."""
    for name, array in checkpoint.arrays.items():
        writer.tensor(name, array)
    writer.json_tensor("figures", checkpoint.figures)
    state = {"solver": checkpoint.solver, "seed": checkpoint.seed}
    state["model"] = writer.state(checkpoint.model, "model")
    return state if checkpoint.best is None else state | {"best": writer.state(checkpoint.best, "best")}


def from_state(create: Any, state: dict[str, Any], reader: Reader) -> Checkpoint:
    """The checkpoint of a state."""
    model = reader.object(json_member(state, "model", dict), "model", "model")
    best = None
    if "best" in state:
        best = reader.object(json_member(state, "best", dict), "best", "model")
    arrays = {name: reader.tensor(name, "f") for name in _ARRAYS if reader.has_tensor(name)}
    solver, seed = json_member(state, "solver", str), json_member(state, "seed", int)
    figures = reader.json_tensor("figures", finite=False)
    found: Checkpoint = create(solver, seed, model, arrays, best, _sound(figures))
    return found


def _sound(figures: Any) -> dict[str, Any]:
    """The figures, if a training can have them."""
    lists, names = (
        ("loss", "validation", "seconds"),
        {"loss", "validation", "seconds", "best_epoch", *_NUMBERS},
    )
    if not isinstance(figures, dict) or figures.keys() != names:
        raise ValueError(f"figures has members {figures!r:.200}, expected {sorted(names)}")
    for name in lists:
        if not isinstance(figures[name], list) or not all(type(x) in (int, float) for x in figures[name]):
            raise ValueError(f"figures has {name} {figures[name]!r:.100}, expected numbers")
    if not all(type(figures[name]) in (int, float) for name in _NUMBERS):
        raise ValueError("the figures of early stopping must be numbers")
    if type(figures["best_epoch"]) not in (int, type(None)):
        raise ValueError(f"best_epoch is {figures['best_epoch']!r:.100}, expected an integer or null")
    return figures
