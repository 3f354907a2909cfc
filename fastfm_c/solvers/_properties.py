"""What a stochastic solver tells about itself: its options, what it has learned so far, its state."""

from collections.abc import Callable
from typing import Any, ClassVar, cast

import numpy as np
from numpy.typing import NDArray

from fastfm_c import _core
from fastfm_c.losses import Loss
from fastfm_c.solvers._base import Model
from fastfm_c.solvers._schedule import LearningRate, as_learning_rate, rate_of_epoch

__all__ = ["SolverProperties"]

_PARAMETERS = "w0", "w", "V"  # a state has an array for each


class SolverProperties(_core.Solver):
    """The properties of `StochasticSolver`, which sets what they read."""

    __slots__ = ("_n_epochs", "_rng", "_run", "_values")
    _model: Model
    _n_epochs: int
    _rng: np.random.Generator
    _run: tuple[int, int] | None  # epochs before the present run, and the most that it may take
    _values: dict[str, Any]  # of the options
    state_names: ClassVar[tuple[str, ...]] = ()
    default_learning_rate: ClassVar[float]

    @property
    def model(self) -> Model:
        """The model that is trained."""
        return self._model

    @property
    def loss(self) -> Loss:
        """The loss that is minimised."""
        return cast(Loss, self._loss)

    @property
    def n_epochs(self) -> int:
        """Epochs so far; a call of `partial_fit` is one, except without rows of positive weight."""
        return self._n_epochs

    @property
    def n_steps(self) -> int:
        """Batches learned so far."""
        return self._n_steps

    @property
    def learning_rate(self) -> float | Callable[[int], float]:
        """Step size, before the schedule; or the function that gives that of each epoch.

        It can be set, to all that the argument of the same name may be. The next epoch is the first that
        learns at it. A number leaves the schedule as it is.
        """
        rate: float | Callable[[int], float] = self._values["learning_rate"]
        return rate

    @learning_rate.setter
    def learning_rate(self, value: LearningRate) -> None:
        self._require_state()
        schedule = None if isinstance(value, str) or callable(value) else self.schedule
        rate, schedule = as_learning_rate(value, schedule, self.default_learning_rate)
        self._values |= {"learning_rate": rate, "schedule": schedule}

    @property
    def schedule(self) -> str | None:
        """ "inverse_sqrt" or "cosine"; None where `learning_rate` is constant, or a function."""
        name: str | None = self._values["schedule"]
        return name

    @property
    def current_learning_rate(self) -> float:
        """Step size of the last epoch; before the first, that of the first."""
        return self._rate

    @property
    def l2_linear(self) -> float:
        """L2 penalty on `w`."""
        return float(self._values["l2_linear"])

    @property
    def l2_factors(self) -> float:
        """L2 penalty on `V`."""
        return float(self._values["l2_factors"])

    @property
    def batch_size(self) -> int:
        """Rows between two updates."""
        return int(self._values["batch_size"])

    @property
    def state_arrays(self) -> dict[str, NDArray[Any]]:
        """The state by name: "G.w0", "G.w", "G.V" of `AdaGrad`; "scale" where steps are in units of columns.

        They are the arrays themselves, in the order in memory: several outputs come after the features.
        """
        self._require_state()
        arrays = {
            f"{name}.{parameter}": array
            for name, state in zip(self.state_names, self._states, strict=True)
            for parameter, array in zip(_PARAMETERS, state, strict=True)
        }
        return arrays if self._scale is None else arrays | {"scale": self._scale}

    @property
    def nbytes(self) -> int:
        """Bytes of the state, beside those of the model."""
        return sum(array.nbytes for array in self.state_arrays.values())

    def _next_rate(self) -> float:
        """The learning rate of the epoch that comes next."""
        values = self._values
        return rate_of_epoch(values["learning_rate"], values["schedule"], self._n_epochs + 1, self._run)
