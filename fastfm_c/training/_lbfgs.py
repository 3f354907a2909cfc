"""L-BFGS on the exact objective: few parameters to choose, no randomness, no learning rate."""

from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from typing import Any, ClassVar

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastfm_c._column_scale import column_rms
from fastfm_c._validation import as_count, as_csr, as_not_negative, as_weights
from fastfm_c.losses import Loss
from fastfm_c.models import Gradient
from fastfm_c.solvers import Observer, TrainingRows
from fastfm_c.solvers._base import Model, require_trainable

__all__ = ["LbfgsSolver", "fit_lbfgs"]

_Vector = NDArray[np.float64]
SCIPY_TOL = 2.220446049250313e-09  # SciPy's own ftol, to the bit
LEAST_SLOPE = 1e-9
LINE_SEARCH_FAILED = 2  # SciPy's status


class LbfgsSolver:
    """L-BFGS as `train` knows solvers: an iteration counts as an epoch.

    Parameters
    ----------
    model : FM or FFM
    loss : SquaredLoss, LogisticLoss or SoftmaxLoss
    l2_linear, l2_factors : float
        Strength of the L2 term on w and on V.
    num_threads : int, optional
    """

    option_names: ClassVar[tuple[str, ...]] = ("l2_linear", "l2_factors")
    default_max_iter: ClassVar[int] = 100
    default_patience: ClassVar[int] = 10

    def __init__(
        self,
        model: Model,
        loss: Loss,
        *,
        l2_linear: float = 0.0,
        l2_factors: float = 0.0,
        num_threads: int | None = None,
    ) -> None:
        require_trainable(model, loss)
        if num_threads is not None:
            as_count(num_threads, "num_threads")
        self.l2_linear = as_not_negative(l2_linear, "l2_linear")
        self.l2_factors = as_not_negative(l2_factors, "l2_factors")
        self._model, self._loss, self.num_threads = model, loss, num_threads

    @property
    def model(self) -> Model:
        """The model that is trained."""
        return self._model

    @property
    def loss(self) -> Loss:
        """The loss that is minimised."""
        return self._loss

    @property
    def state_arrays(self) -> dict[str, NDArray[Any]]:
        """None: a search begins anew."""
        return {}

    def prepare(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None) -> TrainingRows:
        """The rows, after all checks that learning from them needs."""
        return TrainingRows(self._model, self._loss, X, y, sample_weight, self.num_threads)

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
        if reason is not None:
            return reason
        # Where tol lets it go on, the search goes on until no step is found that rounding does not hide.
        if result.success or (result.status == LINE_SEARCH_FAILED and observer.tol < SCIPY_TOL):
            return "converged"
        return "max_iter" if result.nit >= max_iter else str(result.message)


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
    tol: float = SCIPY_TOL,
) -> Any:
    """Minimise the weighted mean loss plus L2 over the parameters of a model, in place.

    The fit starts at the parameters that the model has: a model with ``V = 0`` stays linear,
    because the gradient of V is zero there. Use a float64 model where the last digits matter;
    with float32 parameters the search ends when their rounding hides further progress.

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
        The fit ends when an iteration makes the objective smaller by a share of less than this, or
        than SciPy's 2.2e-9 if this is larger. With 0 it ends when rounding hides all progress.

    Returns
    -------
    scipy.optimize.OptimizeResult
        ``fun`` is the objective reached, ``nit`` the number of iterations, ``message`` why
        it ended.

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
    from scipy.optimize import minimize  # imported when used: it takes longer than all the rest

    options: dict[str, Any] = {
        "sample_weight": sample_weight,
        "l2_linear": l2_linear,
        "l2_factors": l2_factors,
        "num_threads": num_threads,
    }
    if not np.isfinite(start := model.objective(X, y, loss, **options)):
        raise ValueError(f"the objective is {start} at the start: X, y or the model are not finite, or huge")
    # The search runs in parameters times the size of their columns: the same objective, but as
    # steep in a column of thousandths as in a column of thousands.
    scale = _flat_scale(model, X, sample_weight)

    def value_and_gradient(theta: _Vector) -> tuple[float, _Vector]:
        _write(model, theta / scale)
        objective, gradient = model.gradient(X, y, loss, **options)
        return objective, _flatten(gradient) / scale

    # Inside an iteration the line search may try worse points. The end points of iterations
    # never get worse, and so the last of them is what the model keeps, however the fit ends.
    best = _flatten(model) * scale
    n_iter = 0

    def after_iteration(intermediate_result: Any) -> None:  # SciPy wants this very name
        nonlocal best, n_iter
        best = intermediate_result.x.copy()
        n_iter += 1
        if callback is not None:
            callback(n_iter, float(intermediate_result.fun))

    try:
        with _one_blas_thread():
            result = minimize(
                value_and_gradient,
                best,
                method="L-BFGS-B",
                jac=True,
                callback=after_iteration,
                # The gradient of a mean over many rows is small in every component long before the
                # end: the decrease of the objective (ftol, SciPy's default) is what stops the fit.
                options={
                    "maxiter": max_iter,
                    "maxfun": 20 * max_iter + 20,
                    "ftol": min(tol, SCIPY_TOL),
                    "gtol": min(tol, LEAST_SLOPE),
                },
            )
    finally:
        _write(model, best / scale)
    result.x, result.jac = result.x / scale, result.jac * scale
    result.pop("hess_inv", None)  # that of the scaled problem
    return result


def _one_blas_thread() -> AbstractContextManager[Any]:
    """Keeps BLAS threads, which go on spinning after each of SciPy's short vectors, off our cores.

    Where threadpoolctl is installed; on two cores the fit then takes a quarter of the time.
    """
    try:
        from threadpoolctl import threadpool_limits
    except ImportError:
        return nullcontext()
    limits: AbstractContextManager[Any] = threadpool_limits(1, user_api="blas")
    return limits


def _flat_scale(model: Model, X: Any, sample_weight: ArrayLike | None) -> _Vector:
    """For each component of the vector of `_flatten` the size of its column; 1 for w0."""
    indptr, indices, data, (n_rows, n_features) = as_csr(X)
    size = column_rms(indptr, indices, data, n_features, as_weights(sample_weight, n_rows))
    per_row_of_V = size.reshape(-1, *[1] * (model.V.ndim - model.w.ndim))
    parts: list[tuple[Any, ArrayLike]] = [(model.w0, 1.0), (model.w, size), (model.V, per_row_of_V)]
    return np.concatenate([np.broadcast_to(s, np.shape(p)).ravel() for p, s in parts])


def _flatten(parameters: Model | Gradient) -> _Vector:
    """One new float64 vector: w0, then w, then V, of a model or of a Gradient."""
    parts = (parameters.w0, parameters.w, parameters.V)
    return np.concatenate([np.ravel(part) for part in parts]).astype(np.float64, copy=False)


def _write(model: Model, theta: _Vector) -> None:
    """Undo `_flatten`: set the parameters of the model to those of the vector theta."""
    n_bias, n_linear = np.size(model.w0), np.size(model.w)
    w0, w, V = np.split(theta, [n_bias, n_bias + n_linear])
    model.w0 = w0.astype(model.dtype) if np.ndim(model.w0) else float(w0[0])
    model.w[...] = w.reshape(model.w.shape)
    model.V[...] = V.reshape(model.V.shape)
