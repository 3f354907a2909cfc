"""The rules by which a solver changes a parameter: what each keeps, and what its options are."""

from typing import Any, ClassVar, Unpack

import numpy as np
from numpy.typing import NDArray

from fastfm_c._validation import as_fraction, as_not_negative, as_positive
from fastfm_c.losses import Loss
from fastfm_c.solvers._base import Model
from fastfm_c.solvers._options import OptionChecks, SolverOptions, option_names
from fastfm_c.solvers._schedule import LearningRate
from fastfm_c.solvers._stochastic import StochasticSolver

__all__ = ["FTRL", "SGD", "AdaGrad", "Adam"]

ROOM = 2**18  # parameters that are converted at a time


class SGD(StochasticSolver):
    """Stochastic gradient descent: ``p -= learning_rate * g``.

    The gradients of a batch are summed, not averaged, so that the learning rate means the same whatever
    the batch size. Values of X beyond 1 are learned from in units of the largest ``|x|`` of their column so
    far; `train` measures every column first, and so uses units for small values too. With AdaGrad and Adam,
    these are the root mean squares of the non-zeros of columns, which one large value does not decide.

    Parameters
    ----------
    model : FM or FFM
        Its parameters are changed in place.
    loss : SquaredLoss, LogisticLoss or SoftmaxLoss
    learning_rate : float, str or callable
        The step size. A callable gives that of each epoch: ``learning_rate(1)`` is for the first. The name of
        a schedule is this schedule with the default step size.
    schedule : {"constant", "inverse_sqrt", "cosine"}, optional
        What multiplies a `learning_rate` that is a number in epoch e = 1, 2, ...: 1 by default,
        ``1 / sqrt(e)``, or ``(1 + cos(pi * (e - 1) / max_iter)) / 2``, which falls to nearly 0 at the last of
        `max_iter` epochs of `fastfm_c.train`. Epochs are those of the solver's life, of which a call of
        `partial_fit` is one; those of "cosine" are counted from the beginning of the `train`, and
        `partial_fit` does not take it.
    l2_linear, l2_factors : float, default 0
        Each row adds ``l2_linear / 2 * w_j**2`` and ``l2_factors / 2 * |v_j|**2`` of the parameters that it
        touches to its loss. (The objective of `FM.objective` has the penalty of all parameters once.)
    batch_size : int
        Rows that are scored with the same parameters; each parameter is updated once for all of them. 1
        updates after every row. The bits of the result do not depend on the number of threads.
    shuffle : bool, default False
        Whether `partial_fit` takes the rows in a random order.
    clip_value : float, optional
        Largest absolute gradient of a parameter in a batch.
    normalize : None, "instance" or, for an FM, "xlearn"
        If not None, sets `model.normalize`, so that rows are divided by their length here and wherever the
        model scores them.
    num_threads : int, optional
        Default: `fastfm_c.get_num_threads`.
    rng : anything that `numpy.random.default_rng` takes
        For `shuffle`.

    Raises
    ------
    ValueError
        For an option outside its range, a loss that does not fit the model, or a read-only model.
    """

    __slots__ = ()
    _rule = "sgd"
    _column_measure = "column_max_abs"  # steps that nothing divides would be too long for larger values
    default_learning_rate = 0.01

    def __init__(
        self,
        model: Model,
        loss: Loss,
        *,
        learning_rate: LearningRate = default_learning_rate,
        batch_size: int = 32,
        **options: Unpack[SolverOptions],
    ) -> None:
        super().__init__(
            model, loss, learning_rate=learning_rate, batch_size=batch_size, _own_options={}, **options
        )


class AdaGrad(StochasticSolver):
    """AdaGrad (Duchi et al. 2011): ``G += g**2; p -= learning_rate * g / sqrt(G)``.

    Parameters
    ----------
    model, loss, learning_rate, schedule, l2_linear, l2_factors, batch_size, shuffle, clip_value, \
normalize, num_threads, rng
        As for `SGD`.
    initial_accumulator : float, default 1
        What every G starts with.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.sparse import csr_array
    >>> from fastfm_c import FM, AdaGrad, LogisticLoss
    >>> X, y = csr_array(np.eye(4)), np.array([0, 1, 0, 1])
    >>> solver = AdaGrad(FM.random(4, 2, rng=0), LogisticLoss(), learning_rate=0.5)
    >>> losses = [solver.partial_fit(X, y) for _ in range(3)]
    >>> losses[0] > losses[1] > losses[2]
    True
    """

    __slots__ = ()
    _rule = "adagrad"
    default_learning_rate = 0.05
    state_names = ("G",)
    _option_checks: ClassVar[OptionChecks] = {"initial_accumulator": as_positive}
    option_names = option_names(_option_checks)

    def __init__(
        self,
        model: Model,
        loss: Loss,
        *,
        learning_rate: LearningRate = default_learning_rate,
        batch_size: int = 256,
        initial_accumulator: float = 1.0,
        **options: Unpack[SolverOptions],
    ) -> None:
        own = {"initial_accumulator": initial_accumulator}
        super().__init__(
            model, loss, learning_rate=learning_rate, batch_size=batch_size, _own_options=own, **options
        )

    def _start_state(
        self, s: int, arrays: tuple[NDArray[Any], ...], parameters: tuple[NDArray[Any], ...]
    ) -> None:
        initial = self._values["initial_accumulator"]
        for array in arrays:
            if not 0 < array.dtype.type(initial) < np.inf:
                raise ValueError(f"initial_accumulator {initial} is no {array.dtype} > 0")
            array[...] = initial


class Adam(StochasticSolver):
    """Adam (Kingma and Ba 2015), lazy: means decay only when their parameter is touched.

    Parameters
    ----------
    model, loss, learning_rate, schedule, l2_linear, l2_factors, batch_size, shuffle, clip_value, \
normalize, num_threads, rng
        As for `SGD`.
    beta1, beta2 : float, default 0.9 and 0.999
        Decay of the means of gradients and of their squares, in [0, 1).
    epsilon : float, default 1e-8
    """

    __slots__ = ()
    _rule = "adam"
    default_learning_rate = 0.001
    state_names = ("m", "v")
    _option_checks: ClassVar[OptionChecks] = {
        "beta1": as_fraction,
        "beta2": as_fraction,
        "epsilon": as_positive,
    }
    option_names = option_names(_option_checks)

    def __init__(
        self,
        model: Model,
        loss: Loss,
        *,
        learning_rate: LearningRate = default_learning_rate,
        batch_size: int = 256,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        **options: Unpack[SolverOptions],
    ) -> None:
        own = {"beta1": beta1, "beta2": beta2, "epsilon": epsilon}
        super().__init__(
            model, loss, learning_rate=learning_rate, batch_size=batch_size, _own_options=own, **options
        )


class FTRL(StochasticSolver):
    """FTRL-Proximal (McMahan et al. 2013, algorithm 1): L1 that makes exact zeros.

    Here all penalties are on the whole parameter, as in the paper, and not on each row's. The bias is not
    penalised. Values of X up to 1 are learned from as they are, also by `train`; larger ones in units of the
    largest ``|x|`` of their column so far, as by the other solvers.

    Parameters
    ----------
    model, loss, learning_rate, schedule, l2_linear, l2_factors, batch_size, shuffle, clip_value, \
normalize, num_threads, rng
        As for `SGD`; learning_rate is the paper's alpha.
    beta : float, default 1
        Added to each root of summed squares.
    l1_linear, l1_factors : float, default 0
        L1 penalties on `w` and `V`.
    """

    __slots__ = ()
    _rule = "ftrl"
    default_learning_rate = 0.1
    _column_measure = None  # values up to 1 stay in their own units, for which its penalties are chosen
    state_names = ("z", "n")
    _option_checks: ClassVar[OptionChecks] = {
        "beta": as_positive,
        "l1_linear": as_not_negative,
        "l1_factors": as_not_negative,
    }
    option_names = option_names(_option_checks)

    def __init__(
        self,
        model: Model,
        loss: Loss,
        *,
        learning_rate: LearningRate = default_learning_rate,
        batch_size: int = 256,
        beta: float = 1.0,
        l1_linear: float = 0.0,
        l1_factors: float = 0.0,
        **options: Unpack[SolverOptions],
    ) -> None:
        own = {"beta": beta, "l1_linear": l1_linear, "l1_factors": l1_factors}
        super().__init__(
            model, loss, learning_rate=learning_rate, batch_size=batch_size, _own_options=own, **options
        )

    def _start_state(
        self, s: int, arrays: tuple[NDArray[Any], ...], parameters: tuple[NDArray[Any], ...]
    ) -> None:
        """z is what the present parameters follow from without L1: as if the proximal term of weight
        beta drew towards them, and not towards 0."""
        if self.state_names[s] != "z":
            return
        weight = self._values["beta"] / self._rate
        for z, parameter, l2 in zip(arrays, parameters, (0, self.l2_linear, self.l2_factors), strict=True):
            np.multiply(parameter, -(weight + l2), out=z)

    def _change_rate(
        self,
        states: list[tuple[NDArray[Any], ...]],
        parameters: tuple[NDArray[Any], ...],
        scale: NDArray[Any] | None,
        rate: float,
    ) -> None:
        """z holds proximal terms of weight (beta + sqrt(n)) / learning_rate. The weight that they gain
        draws towards the present parameters, so that these stay what follows from z."""
        gain = 1 / rate - 1 / self._rate
        for s, (z, n, parameter) in enumerate(zip(*states, parameters, strict=True)):
            unit: Any = 1 if s == 0 or scale is None else scale.reshape(-1, *[1] * (z.ndim - 1))
            for at in _blocks(z, s == 0):
                weight = (self._values["beta"] + np.sqrt(n[at], dtype=np.float64)) * gain
                z[at] -= weight * parameter[at] * (unit if np.ndim(unit) == 0 else unit[at])


def _blocks(array: NDArray[Any], is_bias: bool) -> list[Any]:
    """Some rows of an array at a time, for work that would take much memory on all of it."""
    if is_bias or array.size == 0:
        return [...]
    n_rows = max(1, ROOM * len(array) // array.size)
    return [slice(begin, begin + n_rows) for begin in range(0, len(array), n_rows)]
