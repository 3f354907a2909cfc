"""What a round is: an epoch in each shard and the mean of what was learned, or a step of L-BFGS."""

from collections.abc import Callable
from dataclasses import replace
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from fastfm_c._core import Parameters
from fastfm_c.distributed._engine import Engine
from fastfm_c.distributed._local import State, local_gradient, local_update
from fastfm_c.distributed._sums import Delta
from fastfm_c.losses import Loss
from fastfm_c.models import FFM, FM
from fastfm_c.models._flat import FlatParameters
from fastfm_c.solvers import AdaGrad
from fastfm_c.solvers._minimise import Lbfgs
from fastfm_c.training._lbfgs import LARGEST_TOL, LEAST_SLOPE, LbfgsSolver, first_weights
from fastfm_c.training._monitor import Monitor

__all__ = ["AveragedRounds", "ExactRounds"]

_PARAMETERS = "w0", "w", "V"


def _checked(name: str, create: Any, options: dict[str, Any]) -> Any:
    known = [option for option in create.option_names if option != "normalize"]
    if unknown := sorted(options.keys() - set(known)):
        raise ValueError(f"solver={name!r} takes {', '.join(known)}; got {', '.join(unknown)}")
    return options


def _sizes(measured: Delta, n_features: int) -> NDArray[np.float64]:
    """The root mean square of the values of each column, as `column_rms` gives it for all rows at once."""
    sizes = np.ones(n_features)
    with np.errstate(all="ignore"):
        rms = np.sqrt(measured.rows["squares"] / measured.rows["counts"])
    sizes[measured.features] = np.where((rms > 0) & np.isfinite(rms), rms, 1)
    return sizes


class AveragedRounds:
    """Each shard learns from its rows once; the changes of each parameter are averaged."""

    name: ClassVar[str] = "adagrad"
    default_max_iter: ClassVar[int] = AdaGrad.default_max_iter
    default_patience: ClassVar[int] = AdaGrad.default_patience

    def __init__(
        self, engine: Engine, model: FM | FFM, loss: Loss, num_threads: int | None, options: dict[str, Any]
    ) -> None:
        _checked(self.name, AdaGrad, options)
        self.solver = AdaGrad(model, loss, num_threads=num_threads, **options)
        self.engine, self.model, self.loss, self.seed, self._is_sent = engine, model, loss, 0, False

    @property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """What must be kept beside the model to go on."""
        return self.solver.state_arrays

    def takes(self, arrays: dict[str, NDArray[Any]]) -> bool:
        """Whether arrays of a file are such as a training of this model can have."""
        wanted = {n: a.shape for n, a in self.solver.state_arrays.items() if n != "scale"}
        found = {n: a.shape for n, a in arrays.items() if n != "scale"}
        scale = arrays.get("scale", np.ones(self.model.n_features))
        is_sound = all(np.isfinite(a).all() and (a > 0).all() for a in arrays.values())
        return found == wanted and scale.shape == (self.model.n_features,) and is_sound

    def restore(self, arrays: dict[str, NDArray[Any]], n_rounds: int) -> None:
        """Go on from such arrays."""
        self.solver._set_scale(arrays.get("scale"))
        for name, array in self.solver.state_arrays.items():
            array[...] = arrays[name]
        self.solver._n_epochs, self._is_sent = n_rounds, False

    def begin(self, measured: Delta, max_iter: int) -> None:
        """Take the units of steps from the sizes of columns, as `train` does."""
        self.max_iter, self.solver._run = max_iter, (0, max_iter)
        if measured.totals["other values"] > 0 and self.solver._has_scale():
            with np.errstate(over="ignore", under="ignore"):
                sizes = _sizes(measured, self.model.n_features).astype(self.model.dtype)
            self.solver._set_scale(np.where((sizes > 0) & np.isfinite(sizes), sizes, 1))

    def send(self) -> None:
        """Let the shards have the present parameters, unless they have them."""
        if not self._is_sent:
            solver, epoch = self.solver, self.solver._n_epochs
            solver._n_epochs = min(epoch, self.max_iter - 1)  # after the last epoch there is no rate
            options = solver._options() | {"learning_rate": solver._next_rate(), "schedule": None}
            solver._n_epochs = epoch
            state = State.of(self.model, self.loss)
            self.engine.send(replace(state, sums=solver._states[0], scale=solver._scale, options=options))
            self._is_sent = True

    def run(self, keeper: Any, monitor: Monitor) -> str:
        """Round after round until it is over; why it is."""
        while (done := self.solver._n_epochs) < self.max_iter:
            self.send()
            delta = self.engine.total(local_update, self.seed, done + 1)
            self._apply(delta)
            self.solver._n_epochs, self._is_sent = done + 1, False
            reason = monitor.after_epoch(float(delta.totals["loss"] / delta.totals["weight"]))
            keeper.after_round(done + 1, monitor)
            if reason is not None:
                return reason
        return "max_iter"

    def _apply(self, delta: Delta) -> None:
        """Change the parameters and accumulators by the means of what the shards have changed."""
        now, weight = self.model._snapshot(), float(delta.totals["weight"])
        counts = delta.rows["counts"]
        touched = counts > 0
        features, counts = delta.features[touched], counts[touched]
        for prefix, arrays in ("", (now.w0, now.w, now.V)), ("G.", self.solver._states[0]):
            for name, array in zip(_PARAMETERS, arrays, strict=True):
                if name == "w0":
                    array += (delta.totals[prefix + name] / weight).astype(array.dtype)
                else:
                    sums = delta.rows[prefix + name][touched]
                    sums /= counts.astype(sums.dtype).reshape(-1, *[1] * (sums.ndim - 1))
                    array[features] += sums


class ExactRounds:
    """L-BFGS on the objective of all rows, whose sums are made in the order of shards."""

    name: ClassVar[str] = "lbfgs"
    default_max_iter: ClassVar[int] = LbfgsSolver.default_max_iter
    default_patience: ClassVar[int] = LbfgsSolver.default_patience

    def __init__(
        self, engine: Engine, model: FM | FFM, loss: Loss, num_threads: int | None, options: dict[str, Any]
    ) -> None:
        _checked(self.name, LbfgsSolver, options)
        self.solver = LbfgsSolver(model, loss, num_threads=num_threads, **options)
        self.engine, self.model, self.loss, self.seed, self._done = engine, model, loss, 0, 0
        self._parameters: dict[int, Parameters] = {}

    @property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """Nothing: a search begins with the parameters alone."""
        return {}

    def takes(self, arrays: dict[str, NDArray[Any]]) -> bool:
        """Whether there are no arrays."""
        return not arrays

    def restore(self, arrays: dict[str, NDArray[Any]], n_rounds: int) -> None:
        """Go on after so many rounds."""
        self._done = n_rounds

    def begin(self, measured: Delta, max_iter: int) -> None:
        """Take the sizes of columns, as the solver of one machine does."""
        self.max_iter, self._sizes = max_iter, None
        if measured.totals["other values"] > 0:
            self._sizes = _sizes(measured, self.model.n_features)

    def send(self) -> None:
        """Let the shards have the parameters of the model."""
        self.engine.send(State.of(self.model, self.loss))

    def run(self, keeper: Any, monitor: Monitor) -> str:
        """Iterate until it is over; a search ends where the keeper writes the model."""
        flat, tol = FlatParameters(self.model), monitor.tol
        weights = None if self._sizes is None else first_weights(flat, self._sizes)
        reason, threads = "max_iter", self.solver.num_threads

        def after_iteration(n_iter: int, objective: float) -> None:
            nonlocal reason
            flat.write(search.x)
            self._done += 1
            ended = monitor.after_epoch(objective)
            keeper.after_round(self._done, monitor)
            if ended is not None:
                reason = ended
                raise StopIteration

        while reason == "max_iter" and self._done < self.max_iter:
            search = Lbfgs(self._function(flat), flat.read(), weights=weights, num_threads=threads)
            most = min(self.max_iter - self._done, keeper.rounds_left(self._done))
            try:
                reason = search.run(most, min(tol, LARGEST_TOL), min(tol, LEAST_SLOPE), after_iteration)
            except StopIteration:
                pass
            finally:
                flat.write(search.x)
        return reason

    def _function(self, flat: FlatParameters) -> Callable[[NDArray[Any], NDArray[Any]], float]:
        now = self.model._snapshot()

        def value_and_gradient(vector: NDArray[Any], out: NDArray[Any]) -> float:
            w0, w, V = flat.parts(vector)
            self.engine.send(State.of(self.model, self.loss, (w0, w, V)))
            sums = self.engine.total(local_gradient)
            weight = float(sums.totals["weight"])
            out[:] = 0
            grad_w0, grad_w, grad_V = flat.parts(out)
            grad_w0[...] = sums.totals["w0"] / weight
            value = float(sums.totals["loss"]) / weight
            parameters = Parameters(w0, w, V, now.fields, now.has_outputs, now.normalize)
            penalties = (grad_w, w, "w", self.solver.l2_linear), (grad_V, V, "V", self.solver.l2_factors)
            for gradient, parameter, name, l2 in penalties:
                gradient[sums.features] = sums.rows[name] / sums.rows[name].dtype.type(weight)
                value += parameters.penalty(parameter, l2, gradient, self.solver.num_threads)
            return value

        return value_and_gradient
