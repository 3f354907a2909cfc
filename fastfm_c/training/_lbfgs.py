"""L-BFGS on the exact objective: few parameters to choose, no randomness, no learning rate."""

from contextlib import nullcontext

import numpy as np

from fastfm_c._column_scale import column_rms
from fastfm_c._validation import as_csr, as_weights

__all__ = ["fit_lbfgs"]


def fit_lbfgs(
    model,
    X,
    y,
    loss,
    *,
    sample_weight=None,
    l2_linear=0.0,
    l2_factors=0.0,
    max_iter=100,
    num_threads=None,
    callback=None,
):
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

    options = {
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

    def value_and_gradient(theta):
        _write(model, theta / scale)
        objective, gradient = model.gradient(X, y, loss, **options)
        return objective, _flatten(gradient) / scale

    # Inside an iteration the line search may try worse points. The end points of iterations
    # never get worse, and so the last of them is what the model keeps, however the fit ends.
    best = _flatten(model) * scale
    n_iter = 0

    def after_iteration(intermediate_result):  # SciPy wants this very name
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
                options={"maxiter": max_iter, "maxfun": 20 * max_iter + 20, "gtol": 1e-9},
            )
    finally:
        _write(model, best / scale)
    result.x, result.jac = result.x / scale, result.jac * scale
    result.pop("hess_inv", None)  # that of the scaled problem
    return result


def _one_blas_thread():
    """Keeps BLAS threads, which go on spinning after each of SciPy's short vectors, off our cores.

    Where threadpoolctl is installed; on two cores the fit then takes a quarter of the time.
    """
    try:
        from threadpoolctl import threadpool_limits
    except ImportError:
        return nullcontext()
    return threadpool_limits(1, user_api="blas")


def _flat_scale(model, X, sample_weight):
    """For each component of the vector of `_flatten` the size of its column; 1 for w0."""
    indptr, indices, data, (n_rows, n_features) = as_csr(X)
    size = column_rms(indptr, indices, data, n_features, as_weights(sample_weight, n_rows))
    per_row_of_V = size.reshape(-1, *[1] * (model.V.ndim - model.w.ndim))
    parts = (model.w0, model.w, model.V), (1.0, size, per_row_of_V)
    return np.concatenate([np.broadcast_to(s, np.shape(p)).ravel() for p, s in zip(*parts, strict=True)])


def _flatten(parameters):
    """One new float64 vector: w0, then w, then V, of a model or of a Gradient."""
    parts = (parameters.w0, parameters.w, parameters.V)
    return np.concatenate([np.ravel(part) for part in parts]).astype(np.float64, copy=False)


def _write(model, theta):
    """Undo `_flatten`: set the parameters of the model to those of the vector theta."""
    n_bias, n_linear = np.size(model.w0), np.size(model.w)
    w0, w, V = np.split(theta, [n_bias, n_bias + n_linear])
    model.w0 = w0.astype(model.dtype) if np.ndim(model.w0) else float(w0[0])
    model.w[...] = w.reshape(model.w.shape)
    model.V[...] = V.reshape(model.V.shape)
