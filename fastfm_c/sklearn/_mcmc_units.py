"""Units and origins of the columns for solver="mcmc", and its posterior in the columns as they were."""

from typing import TYPE_CHECKING, Any, TypeAlias

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from fastfm_c.bayes import Posterior
from fastfm_c.models import FM
from fastfm_c.sklearn._centring import Centring
from fastfm_c.sklearn._fit_rows import FitRows
from fastfm_c.solvers import TrainingRows

if TYPE_CHECKING:
    from fastfm_c.sklearn._base import Estimator

__all__ = ["column_units", "express_in_columns", "in_units"]

_Array: TypeAlias = NDArray[np.float64]


def column_units(estimator: "Estimator", rows: FitRows) -> _Array | None:
    """The root mean square of the values of each column, as the other solvers have it; None: all are 1.

    The columns of a group have one distribution of parameters, which has to fit to the values of each.
    """
    if estimator.normalize is not None:  # the sizes of columns then say little
        return None
    model, loss = estimator.model_, estimator._loss()
    data = TrainingRows(model, loss, rows.X, rows.in_unit(1.0), rows.weight, estimator._num_threads())
    return data.column_rms(np.float64)


def in_units(X: Any, units: _Array | None) -> Any:
    """The rows with their values in these units."""
    if units is None:
        return X
    return sp.csr_array(((X.data / units[X.indices]).astype(X.dtype), X.indices, X.indptr), shape=X.shape)


def express_in_columns(posterior: Posterior, units: _Array | None, centring: Centring | None) -> None:
    """Let the models score columns as they were, in place; the trace stays that of the sampling."""
    factors, models = posterior._factors, [posterior._now, *posterior.samples]
    if units is not None:
        for model in models:
            model.w[...] /= units
            model.V[...] /= units[:, None]
        posterior._w /= units
        factors.root /= units[:, None]
    if centring is not None:
        mean = FM(posterior._w0, posterior._w, factors.root / np.sqrt(factors.n_samples))
        for model in (mean, *models):
            centring.expressed(model, -1)
        posterior._w0, posterior._w = float(mean.w0), mean.w.copy()
