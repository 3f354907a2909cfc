"""L-BFGS on the exact objective: few parameters to choose, no randomness, no learning rate."""

from collections.abc import Callable
from typing import Any, ClassVar, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastfm_c._column_scale import column_rms
from fastfm_c._validation import as_weights
from fastfm_c.losses import Loss
from fastfm_c.models._flat import FlatParameters
from fastfm_c.solvers import Observer, TrainingRows
from fastfm_c.solvers._base import Model
from fastfm_c.solvers._exact import ExactSolver
from fastfm_c.solvers._minimise import Lbfgs

__all__ = ["LbfgsFit", "LbfgsSolver", "fit_lbfgs"]

# A gradient of a mean over many rows is small in every component long before the end: the decrease of the
# objective is what ends the search. This is the default of SciPy.
LARGEST_TOL = 2.220446049250313e-09
LEAST_SLOPE = 1e-9


class LbfgsSolver(ExactSolver):
    """L-BFGS as `train` knows solvers: an iteration counts as an epoch.

    Parameters
    ----------
    model : FM or FFM
    loss : SquaredLoss, LogisticLoss or SoftmaxLoss
    l2_linear, l2_factors : float
        Strength of the L2 term on w and on V.
    num_threads : int, optional
    """

    default_max_iter: ClassVar[int] = 100
    default_patience: ClassVar[int] = 10

    def run(
        self,
        data: TrainingRows,
        rows: NDArray[np.int64] | None,
        rng: np.random.Generator | None,
        max_iter: int,
        observer: Observer,
    ) -> str:
        """Iterate until it is over. Rows that are not among `rows` get no weight: X is not copied."""
        weight = data.sample_weight
        if rows is not None:
            kept = np.zeros(data.n_rows)
            kept[rows] = 1.0 if weight is None else weight[rows]
            weight = kept
        reason: str | None = None

        def callback(n_iter: int, objective: float) -> None:
            nonlocal reason
            if (reason := observer.after_epoch(objective)) is not None:
                raise StopIteration

        result = fit_lbfgs(
            self._model,
            data.X,
            data.y,
            self._loss,
            sample_weight=weight,
            l2_linear=self.l2_linear,
            l2_factors=self.l2_factors,
            max_iter=max_iter,
            num_threads=self.num_threads,
            callback=callback,
            tol=observer.tol,
        )
        return result.stop_reason if reason is None else reason


class LbfgsFit(NamedTuple):
    """What `fit_lbfgs` returns.

    Parameters
    ----------
    fun : float
        The objective reached.
    nit : int
        Iterations.
    nfev : int
        Evaluations of the objective and its gradient.
    stop_reason : str
        "converged", "max_iter" or "callback".
    """

    fun: float
    nit: int
    nfev: int
    stop_reason: str


def fit_lbfgs(
    model: Model,
    X: Any,
    y: ArrayLike,
    loss: Loss,
    *,
    sample_weight: ArrayLike | None = None,
    l2_linear: float = 0.0,
    l2_factors: float = 0.0,
    max_iter: int = 100,
    num_threads: int | None = None,
    callback: Callable[[int, float], object] | None = None,
    tol: float = LARGEST_TOL,
) -> LbfgsFit:
    """Minimise the weighted mean loss plus L2 over the parameters of a model, in place.

    The fit starts at the parameters that the model has: a model with ``V = 0`` stays linear,
    because the gradient of V is zero there. Use a float64 model where the last digits matter;
    with float32 parameters the search ends when their rounding hides further progress.

    It needs 25 times the memory of the parameters, beside the model: ten pairs of an iteration's step and
    change of gradient, and five vectors. It is 26 times where the columns of X are not all of one size.

    Parameters
    ----------
    model : FM or FFM
        Its ``w0``, ``w`` and ``V`` are overwritten.
    X : scipy.sparse.csr_array of shape (n_rows, n_features), float32 or float64
    y : ndarray of shape (n_rows,)
    loss : SquaredLoss, LogisticLoss or SoftmaxLoss
    sample_weight : ndarray of shape (n_rows,), optional
    l2_linear, l2_factors : float
        Strength of the L2 term on w and on V. The bias w0 is never penalised.
    max_iter : int
        Largest number of L-BFGS iterations.
    num_threads : int, optional
        Threads of each evaluation of the gradient.
    callback : callable, optional
        ``callback(n_iter, objective)`` after each iteration; the model then holds the
        parameters of that iteration. It may raise StopIteration to end the fit.
    tol : float
        The fit ends when an iteration makes the objective smaller by no more than this share of it, or
        2.2e-9 if this is larger; of 1, where the objective is smaller than that. With 0 it ends when
        rounding hides all progress.

    Returns
    -------
    LbfgsFit

    Raises
    ------
    ValueError
        For what `FM.gradient` refuses, and where the objective is not finite at the start.
    KeyboardInterrupt
        Passed on. After this, or any other exception, the model holds the parameters of the
        last complete iteration, which are the best so far.

    Examples
    --------
    >>> import numpy as np, scipy.sparse as sp
    >>> from fastfm_c import FM, LogisticLoss
    >>> X = sp.csr_array(np.array([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [0.0, 0.0]]))
    >>> y = np.array([1.0, 1.0, 0.0, 0.0])  # exclusive or: no linear model fits it
    >>> model = FM.random(2, 1, init_stdev=1.0, dtype="float64", rng=0)
    >>> result = fit_lbfgs(model, X, y, LogisticLoss(), l2_factors=1e-3)
    >>> model.predict(X) > 0
    array([ True,  True, False, False])
    """
    flat = FlatParameters(model)
    options = (X, y, loss, sample_weight, l2_linear, l2_factors, num_threads)
    return minimise(
        flat,
        lambda vector, out: flat.value_and_gradient(vector, out, *options),
        _first_curvature(flat, X, sample_weight, num_threads),
        max_iter=max_iter,
        num_threads=num_threads,
        callback=callback,
        tol=tol,
    )


def minimise(
    flat: FlatParameters,
    value_and_gradient: Callable[[NDArray[Any], NDArray[Any]], float],
    weights: NDArray[Any] | None,
    *,
    max_iter: int,
    num_threads: int | None,
    callback: Callable[[int, float], object] | None,
    tol: float,
) -> LbfgsFit:
    """`fit_lbfgs` of any function of the parameters; `weights` are those of `Lbfgs`."""
    search = Lbfgs(value_and_gradient, flat.read(), weights=weights, num_threads=num_threads)

    def after_iteration(n_iter: int, objective: float) -> None:
        if callback is not None:
            flat.write(search.x)
            callback(n_iter, objective)

    try:
        reason = search.run(max_iter, min(tol, LARGEST_TOL), min(tol, LEAST_SLOPE), after_iteration)
    except StopIteration:
        reason = "callback"
    finally:
        flat.write(search.x)
    return LbfgsFit(search.value, search.n_iter, search.n_evaluations, reason)


def _first_curvature(
    flat: FlatParameters, X: Any, sample_weight: ArrayLike | None, num_threads: int | None
) -> NDArray[Any] | None:
    indptr, indices, data = flat.sound_rows(X, num_threads)
    weight = as_weights(sample_weight, len(indptr) - 1)
    return first_weights(flat, column_rms(indptr, indices, data, flat.n_features, weight))


def first_weights(flat: FlatParameters, size: NDArray[np.float64]) -> NDArray[Any] | None:
    """How far each parameter may move at first: 1 over the square of the size of its column; None: all alike.

    So the search is one in parameters times the size of their columns. The objective is the same, but as
    steep in a column of thousandths as in a column of thousands.
    """
    if (size == 1).all():
        return None
    largest = float(np.finfo(flat.dtype).max) ** 0.25  # its products with squares must not overflow
    return flat.by_feature(np.clip(size, 1 / largest, largest) ** -2.0)
