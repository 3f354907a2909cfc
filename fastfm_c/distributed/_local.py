"""What is done with one shard: pure functions of a state, a shard and numbers, wherever they run."""

from dataclasses import dataclass
from typing import Any, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastfm_c.distributed._shards import Shard, Source, naming, opened
from fastfm_c.distributed._sums import Delta
from fastfm_c.losses import Loss
from fastfm_c.models import FFM, FM
from fastfm_c.models._gradient import outputs_first
from fastfm_c.solvers import AdaGrad, TrainingRows, restore_solver

__all__ = ["State", "local_gradient", "local_measure", "local_scores", "local_targets", "local_update"]

_Array: TypeAlias = NDArray[Any]
_Parts: TypeAlias = tuple[_Array, _Array, _Array]  # of w0, w, V, as they lie in memory: features first


@dataclass(frozen=True)
class State:
    """The parameters of a model, and the state of its solver: what is sent to all shards for a round.

    Parameters
    ----------
    kind : type
        FM or FFM.
    parameters : tuple of ndarray
        w0, w and V as they lie in memory: with the outputs, if there are several, after the features.
    fields : ndarray of int32, or None
    has_outputs : bool
    normalize : str or None
    loss : SquaredLoss, LogisticLoss or SoftmaxLoss
    sums : tuple of ndarray, optional
        The accumulators G of `AdaGrad`, like the parameters.
    scale : ndarray of shape (n_features,), optional
        The units in which steps are made.
    options : dict, optional
        Of `AdaGrad`.
    """

    kind: type[FM] | type[FFM]
    parameters: _Parts
    fields: NDArray[np.int32] | None
    has_outputs: bool
    normalize: str | None
    loss: Loss
    sums: _Parts | None = None
    scale: _Array | None = None
    options: dict[str, Any] | None = None

    @classmethod
    def of(cls, model: FM | FFM, loss: Loss, parameters: _Parts | None = None) -> Self:
        """The state of a model, or of other parameters in its place; the arrays are shared."""
        now = model._snapshot()
        if parameters is None:
            parameters = now.w0, now.w, now.V
        fields = None if now.fields is None else np.asarray(now.fields)
        return cls(type(model), parameters, fields, now.has_outputs, now.normalize, loss)

    @property
    def nbytes(self) -> int:
        """Bytes of all arrays: what is sent."""
        arrays = (*self.parameters, *(self.sums or ()), self.fields, self.scale)
        return sum(array.nbytes for array in arrays if array is not None)

    def model(self, features: NDArray[np.int64]) -> FM | FFM:
        """A model of some of the features, with parameters of its own."""
        w0, w, V = _taken(self.parameters, features)
        w, V = (outputs_first(part, self.has_outputs) for part in (w, V))
        fields = () if self.fields is None else (self.fields[features],)
        model = self.kind(w0 if self.has_outputs else w0[0], w, V, *fields)
        model.normalize = self.normalize
        return model

    def solver(self, features: NDArray[np.int64]) -> AdaGrad:
        """A solver of some of the features, with a state of its own."""
        assert self.options is not None
        assert self.sums is not None
        scale = None if self.scale is None else self.scale[features]
        progress = 0, 0, np.random.default_rng(0), [_taken(self.sums, features)], scale
        solver = restore_solver(AdaGrad, self.model(features), self.loss, self.options, progress)
        solver._hold_scale(scale is not None)
        return solver


def _taken(parts: _Parts, features: NDArray[np.int64]) -> _Parts:
    w0, w, V = parts
    return w0.copy(), w.take(features, 0), V.take(features, 0)


def local_update(state: State, shard: Shard | Source, seed: int, round: int) -> Delta:
    """Learn from a shard once, as `AdaGrad` does, and say what has changed.

    A pure function: the same arguments give the same bits, in any process, with any number of threads.

    Parameters
    ----------
    state : State
        It stays as it is.
    shard : Shard or Source
        Its rows are learned from in an order that `seed`, `round` and the number of the shard decide.
    seed, round : int
        `round` is counted from 1.

    Returns
    -------
    Delta
        Of the features that occur: the changes of w, V and their accumulators, times `counts`, the
        occurrences of the feature; and those of w0, times the `weight` of the rows. Nothing else is sent.

    Raises
    ------
    ValueError, DivergenceError
        The message begins with the number of the shard, and names the row.
    """
    shard = opened(shard)
    if not shard.weight > 0:
        return Delta()
    with naming(shard.index):
        solver = state.solver(shard.features)
        solver._n_epochs = round - 1  # that an error names
        rng = np.random.default_rng([seed, round, shard.index])
        data = TrainingRows(
            solver.model, state.loss, shard.X, shard.y, shard.sample_weight, shard.num_threads
        )
        loss = solver.epoch(data, rng.permutation(data.n_rows))
    now = solver.model._snapshot()
    new = {"": (now.w0, now.w, now.V), "G.": solver._states[0]}
    assert state.sums is not None
    old = {"": state.parameters, "G.": state.sums}
    counts, weight = shard.counts, shard.weight
    rows, totals = {"counts": counts}, {"weight": np.array(weight), "loss": np.array(loss * weight)}
    for name in ("", "G."):
        w0, *parts = (
            array - before for array, before in zip(new[name], _taken(old[name], shard.features), strict=True)
        )
        totals[name + "w0"] = w0.astype(np.float64) * weight
        for letter, part in zip("wV", parts, strict=True):
            part *= counts.astype(part.dtype).reshape(-1, *[1] * (part.ndim - 1))
            rows[f"{name}{letter}"] = part
    return Delta(shard.features, rows, totals)


def local_gradient(state: State, shard: Shard | Source) -> Delta:
    """The sum of the losses of a shard's rows, and its gradient by the parameters that they touch.

    A pure function, as `local_update`.

    Parameters
    ----------
    state : State
    shard : Shard or Source

    Returns
    -------
    Delta
        Of the features that occur: the gradient by w and V; and that by w0, the `loss` and the `weight`.
    """
    shard = opened(shard)
    weight = shard.weight
    if not weight > 0:
        return Delta()
    with naming(shard.index):
        loss, gradient = state.model(shard.features).gradient(
            shard.X, shard.y, state.loss, sample_weight=shard.sample_weight, num_threads=shard.num_threads
        )
    w, V = (outputs_first(part, state.has_outputs) for part in (gradient.w, gradient.V))
    for part in (w, V):
        part *= part.dtype.type(weight)
    w0 = np.array(gradient.w0, np.float64, ndmin=1) * weight
    totals = {"weight": np.array(weight), "loss": np.array(loss * weight), "w0": w0}
    return Delta(shard.features, {"w": w, "V": V}, totals)


def local_measure(state: State | None, shard: Shard | Source) -> Delta:
    """How many rows a shard has, and where values are not all 1, the sums that the size of columns needs."""
    shard = opened(shard)
    totals = {"rows": len(shard.y), "weight": shard.weight, "other values": not shard.has_ones_only}
    with np.errstate(over="ignore"):
        squares = shard.counts if shard.has_ones_only else shard.sums(shard.X.data.astype(np.float64) ** 2)
    rows = {"counts": shard.counts, "squares": squares}
    return Delta(shard.features, rows, {name: np.array(float(n)) for name, n in totals.items()})


def local_targets(state: State | None, shard: Shard | Source) -> tuple[_Array, _Array | None]:
    """The targets of a shard's rows, and their weights."""
    shard = opened(shard)
    return shard.y, shard.sample_weight


def local_scores(state: State, shard: Shard | Source) -> _Array:
    """The scores of a shard's rows."""
    shard = opened(shard)
    return state.model(shard.features).predict(shard.X, num_threads=shard.num_threads)
