"""What is done with one shard: pure functions of a state, a shard and numbers, wherever they run."""

from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastfm_c._column_scale import are_ones
from fastfm_c.distributed._shards import Shard, Source, naming
from fastfm_c.distributed._sums import Delta
from fastfm_c.losses import Loss
from fastfm_c.models import FFM, FM
from fastfm_c.models._gradient import outputs_first, rows_of
from fastfm_c.solvers import AdaGrad, restore_solver

__all__ = ["State", "local_gradient", "local_measure", "local_scores", "local_targets", "local_update"]

_Array: TypeAlias = NDArray[Any]
_NAMES = "w0", "w", "V", "G.w0", "G.w", "G.V"


@dataclass(frozen=True)
class State:
    """A model, and the state of its solver: what is sent to all shards for a round.

    Parameters
    ----------
    model : FM or FFM
    loss : SquaredLoss, LogisticLoss or SoftmaxLoss
    sums : tuple of ndarray
        The accumulators G of `AdaGrad`: for w0, w and V, as these lie in memory.
    scale : ndarray of shape (n_features,), optional
        The units in which steps are made.
    options : dict, optional
        Of `AdaGrad`.
    """

    model: FM | FFM
    loss: Loss
    sums: tuple[_Array, ...] = ()
    scale: _Array | None = None
    options: dict[str, Any] | None = None

    @property
    def arrays(self) -> dict[str, _Array]:
        """Parameters and accumulators as they lie in memory: features before outputs."""
        now = self.model._snapshot()
        return dict(zip(_NAMES, (now.w0, now.w, now.V, *self.sums), strict=False))

    def part(self, features: NDArray[np.int64]) -> "State":
        """The same of some of the features, in arrays of its own."""
        now, create = self.model._snapshot(), type(self.model)
        w, V = (outputs_first(rows_of(array, features), now.has_outputs) for array in (now.w, now.V))
        fields = () if now.fields is None else (np.asarray(now.fields)[features],)
        sums = tuple(rows_of(array, features) if i else array.copy() for i, array in enumerate(self.sums))
        scale = None if self.scale is None else self.scale[features]
        model = create(self.model.w0, w, V, *fields, normalize=now.normalize)
        return State(model, self.loss, sums, scale, self.options)


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
    shard = shard.load()
    if not shard.weight > 0:
        return Delta()
    with naming(shard.index):
        own, rng = state.part(shard.features), np.random.default_rng([seed, round, shard.index])
        progress = 0, round - 1, rng, [own.sums], own.scale
        solver = restore_solver(AdaGrad, own.model, own.loss, own.options or {}, progress)
        solver._hold_scale(own.scale is not None)
        data = solver.prepare(shard.X, shard.y, shard.sample_weight)
        loss = solver.epoch(data, rng.permutation(data.n_rows))
    counts, weight = shard.counts, shard.weight
    rows, totals = {"counts": counts}, {"weight": np.array(weight), "loss": np.array(loss * weight)}
    before = state.arrays
    for name, array in State(own.model, own.loss, solver._states[0]).arrays.items():
        if name.endswith("w0"):
            totals[name] = (array - before[name]).astype(np.float64) * weight
        else:
            rows[name] = array - before[name].take(shard.features, 0)
            rows[name] *= by_feature(counts, array)
    return Delta(shard.features, rows, totals)


def by_feature(numbers: NDArray[np.float64], array: _Array) -> _Array:
    """A number of each feature, in the dtype of an array of parameters and with as many axes."""
    return numbers.astype(array.dtype).reshape(-1, *[1] * (array.ndim - 1))


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
    shard = shard.load()
    weight = shard.weight
    if not weight > 0:
        return Delta()
    model, threads = state.part(shard.features).model, shard.num_threads
    with naming(shard.index):
        loss, gradient = model.gradient(
            shard.X, shard.y, state.loss, sample_weight=shard.sample_weight, num_threads=threads
        )
    has_outputs = np.ndim(gradient.w0) > 0
    rows = {name: outputs_first(getattr(gradient, name), has_outputs) for name in ("w", "V")}
    for part in rows.values():
        part *= part.dtype.type(weight)
    w0 = np.array(gradient.w0, np.float64, ndmin=1) * weight
    return Delta(
        shard.features, rows, {"weight": np.array(weight), "loss": np.array(loss * weight), "w0": w0}
    )


def local_measure(state: State | None, shard: Shard | Source) -> Delta:
    """How many rows a shard has, and where values are not all 1, the sums that the size of columns needs."""
    shard = shard.load()
    has_others = not are_ones(shard.X.indptr, shard.X.data)
    totals = {"rows": len(shard.y), "weight": shard.weight, "other values": has_others}
    with np.errstate(over="ignore"):
        rows = {"counts": shard.counts, "squares": shard.sums(shard.X.data.astype(np.float64) ** 2)}
    return Delta(shard.features, rows, {name: np.array(float(n)) for name, n in totals.items()})


def local_targets(state: State | None, shard: Shard | Source) -> tuple[_Array, _Array | None]:
    """The targets of a shard's rows, and their weights."""
    shard = shard.load()
    return shard.y, shard.sample_weight


def local_scores(state: State, shard: Shard | Source) -> _Array:
    """The scores of a shard's rows."""
    shard = shard.load()
    return state.part(shard.features).model.predict(shard.X, num_threads=shard.num_threads)
