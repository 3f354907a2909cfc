"""What a round is: an epoch in each shard and the mean of what was learned, or a step of L-BFGS."""

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastfm_c.distributed._checkpoint import Keeper
from fastfm_c.distributed._engine import Engine
from fastfm_c.distributed._local import State, by_feature, local_gradient, local_measure, local_update
from fastfm_c.models._flat import FlatParameters
from fastfm_c.solvers import AdaGrad
from fastfm_c.solvers._base import run_epochs
from fastfm_c.training._lbfgs import LbfgsSolver, first_weights, minimise

__all__ = ["AveragedRounds", "ExactRounds", "ShardRows"]


class ShardRows:
    """The rows of all shards, as far as solvers ask about them: what `TrainingRows` are for one machine."""

    def __init__(self, engine: Engine, n_features: int) -> None:
        self.engine, self._n_features, self._measured = engine, n_features, engine.total(local_measure)
        self.n_rows = int(self._measured.totals["rows"])

    def require_weight(self) -> None:
        """Refuse rows of which none has a positive weight."""
        if not self._measured.totals["weight"] > 0:
            raise ValueError("the shards have no row of positive weight, expected at least one")

    def column_rms(self, dtype: Any) -> NDArray[Any] | None:
        """The root mean square of the non-zeros of each column, 1 for a column without; None: all are 1."""
        if not self._measured.totals["other values"] > 0:
            return None
        sizes, rows = np.ones(self._n_features, dtype), self._measured.rows
        with np.errstate(all="ignore"):  # float64 values that float32 does not hold
            rms = np.sqrt(rows["squares"] / rows["counts"]).astype(dtype)
        sizes[self._measured.features] = np.where((rms > 0) & np.isfinite(rms), rms, 1)
        return sizes


class AveragedRounds(AdaGrad):
    """`AdaGrad`, whose epoch is one of each shard; the changes of each parameter are averaged."""

    keeper: Keeper

    def run(self, data: Any, rows: Any, rng: Any, max_iter: int, observer: Any) -> str:
        """Round after round until it is over; why it is."""
        with self._running(data, max_iter):
            self.keeper.watch(self, observer, rng)
            self._n_epochs = self.keeper.n_rounds
            self._send(data.engine)
            epoch = partial(self._round, data.engine)
            return run_epochs(epoch, None, None, max_iter - self._n_epochs, self.keeper)

    def _send(self, engine: Engine) -> None:
        """Let the shards have the present parameters, and the learning rate of the next round."""
        state = State(self.model, self.loss, self._states[0], self._scale)
        if self._run is not None and self._n_epochs < self._run[1]:
            rate = {"learning_rate": self._next_rate(), "schedule": None}
            state = replace(state, options=self._options() | rate)
        engine.send(state)

    def _round(self, engine: Engine, rows: Any, progress: Any) -> float:
        """Change the parameters and accumulators by the means of what the shards have changed."""
        delta = engine.total(local_update, self.keeper.seed, self._n_epochs + 1)
        counts, weight = delta.rows["counts"], float(delta.totals["weight"])
        counts = np.where(counts > 0, counts, 1)  # there is no change where a feature has zeros only
        for name, array in State(self.model, self.loss, self._states[0]).arrays.items():
            if name in delta.totals:
                array += (delta.totals[name] / weight).astype(array.dtype)
            else:
                array[delta.features] += delta.rows[name] / by_feature(counts, array)
        self._n_epochs += 1
        self._send(engine)
        return float(delta.totals["loss"]) / weight


class ExactRounds(LbfgsSolver):
    """L-BFGS on the objective of all rows, whose sums are made in the order of shards."""

    keeper: Keeper

    def run(self, data: Any, rows: Any, rng: Any, max_iter: int, observer: Any) -> str:
        """Iterate until it is over; a search ends where the keeper writes the model."""
        self.keeper.watch(self, observer, rng)
        flat, sizes, reason = FlatParameters(self.model), data.column_rms(np.float64), "max_iter"
        weights = None if sizes is None else first_weights(flat, sizes)

        def after_iteration(n_iter: int, objective: float) -> None:
            nonlocal reason
            data.engine.send(State(self.model, self.loss))
            if (ended := self.keeper.after_epoch(objective)) is not None:
                reason = ended
                raise StopIteration

        function = partial(self._value_and_gradient, data.engine, flat)
        options: dict[str, Any] = {
            "num_threads": self.num_threads,
            "callback": after_iteration,
            "tol": observer.tol,
        }
        while reason == "max_iter" and self.keeper.n_rounds < max_iter:
            most = min(max_iter - self.keeper.n_rounds, self.keeper.rounds_left)
            found = minimise(flat, function, weights, max_iter=most, **options)
            reason = found.stop_reason if reason == "max_iter" else reason
        return reason

    def _value_and_gradient(
        self, engine: Engine, flat: FlatParameters, vector: NDArray[Any], out: NDArray[Any]
    ) -> float:
        flat.write(vector)
        engine.send(State(self.model, self.loss))
        sums, now = engine.total(local_gradient), self.model._snapshot()
        weight = float(sums.totals["weight"])
        value, out[:] = float(sums.totals["loss"]) / weight, 0
        grad_w0, grad_w, grad_V = flat.parts(out)
        grad_w0[...] = sums.totals["w0"] / weight
        terms = (grad_w, now.w, "w", self.l2_linear), (grad_V, now.V, "V", self.l2_factors)
        for gradient, parameter, name, l2 in terms:
            gradient[sums.features] = sums.rows[name] / sums.rows[name].dtype.type(weight)
            value += now.penalty(parameter, l2, gradient, self.num_threads)
        return value
