"""Fits and predictions of solver="mcmc": Gibbs sampling.

The sampler sees targets in the units of a solver. What a fit leaves, `model_` and `posterior_`, is in those
of y.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import log_ndtr, ndtri_exp

from fastfm_c._validation import as_count
from fastfm_c.bayes import Posterior, SampleInfo, sample
from fastfm_c.bayes._moments import ScoreMoments
from fastfm_c.bayes._units import express
from fastfm_c.losses import SquaredLoss
from fastfm_c.sklearn._fit_rows import FitRows, with_mean_one
from fastfm_c.sklearn._mcmc_units import column_units, express_in_columns, in_units
from fastfm_c.sklearn._overflow import scores_without_nan
from fastfm_c.sklearn._parameters import OF_STEPS
from fastfm_c.sklearn._trainable import Model, as_dtype, into_solver_units
from fastfm_c.sklearn._validation_rows import ValidationRows
from fastfm_c.solvers._callbacks import any_ends, as_callbacks
from fastfm_c.training import EpochInfo

if TYPE_CHECKING:
    from fastfm_c.sklearn._base import Estimator

__all__ = ["fit_by_sampling", "mean_and_std", "require_posterior", "scores_of_posterior"]

_Array = NDArray[np.float64]

N_ITER, BURN_IN, N_KEPT = 200, 20, 32
MOST_BURNT = 1 / 5  # of the iterations, where they are few


def fit_by_sampling(
    estimator: "Estimator",
    X: Any,
    y: ArrayLike,
    sample_weight: ArrayLike | None,
    given: ValidationRows | None,
    callbacks: Any,
) -> None:
    """Fit an estimator of one score: `fit` of solver="mcmc".

    An exception leaves it fitted by the iterations that are over, if there is one and its numbers are finite.
    Otherwise it leaves it without a model.
    """
    _require_parameters(estimator)
    rng = estimator._rng()
    rows, groups = estimator._checked_rows(X, y, sample_weight, is_new=True)
    if (n_classes := estimator._n_outputs()) != 1:
        raise ValueError(
            f'Only binary classification is supported by solver="mcmc", y has {n_classes} classes'
        )
    if rows.weight is not None:
        rows.weight = with_mean_one(rows.weight)
    estimator._centre(rows)
    estimator._fit_targets(rows)
    estimator._see_targets(rows)
    estimator._begin_history(rows.n_rows)
    eval_set = None if given is None else estimator._checked_validation_rows(given, rows)
    # Factors that rows hardly determine grow beyond what float32 can take.
    estimator.model_ = as_dtype(estimator._new_model(rows, None, rng), "float64")
    units = column_units(estimator, rows)
    rows.X = in_units(rows.X, units)
    if eval_set is not None:
        eval_set = in_units(eval_set[0], units), *eval_set[1:]
    follower = _Follower(estimator, rows, units, eval_set, callbacks)
    try:
        _sample(estimator, rows, _groups(groups, rows.X.shape[1]), follower, rng)
    finally:
        follower.finish()


def _sample(
    estimator: "Estimator",
    rows: FitRows,
    groups: NDArray[np.int32] | None,
    follower: "_Follower",
    rng: np.random.Generator,
) -> None:
    """Sample from the model of the estimator on, in the units of the solver."""
    start: Any = estimator.model_
    loss: Any = estimator._loss()
    threads = estimator._num_threads()
    targets = rows.for_solver(estimator._target_scale)
    into_solver_units(start, estimator._target_scale, rows.origin)
    sample(
        start,
        rows.X,
        targets,
        loss,
        groups=groups,
        n_iter=follower.n_iter,
        burn_in=follower.burn_in,
        keep=min(N_KEPT, follower.n_iter - follower.burn_in),
        sample_weight=rows.weight,
        rng=rng,
        callbacks=follower,
        verbose=estimator.verbose,
        num_threads=threads,
    )


def _require_parameters(estimator: "Estimator") -> None:
    """Refuse what a sampler does not take."""
    if hasattr(estimator, "fields"):
        raise ValueError(
            f'solver="mcmc" samples an FM: expected another solver for {type(estimator).__name__}'
        )
    estimator._require_none(*OF_STEPS, "l2_linear", "l2_factors")
    if estimator.early_stopping not in (None, False):
        raise ValueError(
            f'early_stopping is {estimator.early_stopping!r}, but solver="mcmc" does not stop early: its '
            "predictions are means over all iterations"
        )
    if estimator.warm_start:
        raise ValueError(
            'warm_start is True, but a fit of solver="mcmc" begins anew: `fastfm_c.bayes.sample` goes on '
            "from a posterior"
        )


def _groups(given: ArrayLike | None, n_features: int) -> NDArray[np.int32] | None:
    """The fields of X as groups of columns, counted from 0 without gaps; None if X has none."""
    if given is None:
        return None
    names = np.asarray(given)
    if names.shape != (n_features,):
        raise ValueError(
            f"X.fields has shape {names.shape}, expected a field for each of {n_features} columns"
        )
    return np.unique(names, return_inverse=True)[1].astype(np.int32)


class _Follower:
    """What follows a sampling, iteration by iteration: history, validation rows, callbacks of the user.

    Parameters
    ----------
    estimator : Estimator
    rows : FitRows
    units : ndarray of float, shape (n_features,), or None
        What the values of each column of these rows, and of those to validate with, were divided by.
    eval_set : (X, y, sample_weight), optional
        In the units of the solver.
    callbacks : callable, sequence of callables, or None
    """

    def __init__(
        self,
        estimator: "Estimator",
        rows: FitRows,
        units: _Array | None,
        eval_set: tuple[Any, ...] | None,
        callbacks: Callable[[EpochInfo], Any] | Sequence[Callable[[EpochInfo], Any]] | None,
    ) -> None:
        self.estimator = estimator
        self.callbacks = as_callbacks(() if callbacks is None else callbacks)
        given = estimator.max_iter
        self.n_iter = N_ITER if given is None else as_count(given, "max_iter")
        self.burn_in = min(BURN_IN, int(self.n_iter * MOST_BURNT))
        self.units, self.centring = units, rows.centring
        self.origin, targets = rows.origin, rows.for_solver(estimator._target_scale)
        self.is_probit = estimator._n_shares() is not None
        self.learned, self.eval_set = (rows.X, targets, rows.weight), eval_set
        self.threads = estimator._num_threads()
        self.posterior: Posterior | None = None
        self.moments = ScoreMoments(0, False)
        history = estimator.history_
        history.loss_name = "probit loss" if self.is_probit else history.loss_name
        history.metric = None if eval_set is None else "loss"

    def __call__(self, info: SampleInfo) -> bool:
        self.posterior, history = info.posterior, self.estimator.history_
        moments = ScoreMoments(len(self.learned[1]), self.is_probit)
        history.loss.append(self._loss_with(moments, info.model, *self.learned))
        history.seconds.append(info.seconds)
        validation = None
        if self.eval_set is not None:
            if info.iteration <= self.burn_in + 1:  # this iteration alone until one counts
                self.moments = ScoreMoments(len(self.eval_set[1]), self.is_probit)
            validation = self._loss_with(self.moments, info.model, *self.eval_set)
            history.validation.append(validation)
            history.best_epoch = int(np.argmin(history.validation)) + 1
        self.estimator.n_iter_ = info.iteration
        epoch = EpochInfo(info.iteration, history.loss[-1], validation, info.seconds, info.model, history)
        is_over = any_ends(self.callbacks, epoch)
        history.stop_reason = "callback" if is_over else None
        return is_over

    def _loss_with(
        self, moments: ScoreMoments, model: Model, X: Any, y: NDArray[Any], weight: _Array | None
    ) -> float:
        """Loss of the mean prediction of rows, with this sample."""
        scores = model.predict(X, num_threads=self.threads)
        moments.add(np.where(y > 0, scores, -scores) if self.is_probit else scores)
        if moments.proba is None:
            return float(SquaredLoss().mean(y, moments.mean, weight))
        proba = np.maximum(moments.proba, np.finfo(np.float64).tiny)  # those of the targets
        return float(np.average(-np.log(proba), weights=weight))

    def finish(self) -> None:
        """Give the estimator what was sampled, in the units of y; take its model if there is nothing."""
        estimator, posterior = self.estimator, self.posterior
        history = estimator.history_
        if posterior is None or not _is_finite(posterior):
            del estimator.model_
            return
        if not posterior.samples:  # it was ended before there was one: its last iteration counts
            _take_last(posterior)
        if history.stop_reason is None and history.n_iter == self.n_iter:
            history.stop_reason = "max_iter"
        express_in_columns(posterior, self.units, self.centring)
        # Far from zero the terms of a score are much larger than their sum.
        dtype = estimator.dtype if self.centring is None else "float64"
        express(posterior, estimator._target_scale, self.origin, dtype)
        estimator._unscale_history(history)
        estimator.posterior_, estimator.model_ = posterior, as_dtype(posterior.model, estimator.dtype)


def _is_finite(posterior: Posterior) -> bool:
    now = posterior._now
    return all(np.isfinite(array).all() for array in (now.w0, now.w, now.V, *posterior._hyper))


def _take_last(posterior: Posterior) -> None:
    """Let the last iteration be a sample, and count, although it is one of the burn-in."""
    if posterior.n_kept == 0:
        posterior.burn_in = posterior.n_iter - 1
        posterior.n_kept, posterior._w0 = 1, float(posterior._now.w0)
        posterior._w += posterior._now.w
        posterior._factors.add(posterior._now.V)
    posterior.samples = (posterior._now.copy(),)


def require_posterior(posterior: Posterior, model: Model, is_probit: bool) -> None:
    """Refuse a posterior that is not of this model and these targets, or has no samples."""
    shape = posterior._now.V.shape
    if shape != model.V.shape or posterior.is_probit != is_probit or not posterior.samples:
        raise ValueError(f"posterior_ is {posterior!r:.200}, unfit for a model of shape {model.V.shape}")
    if not 0 < posterior.n_iter - posterior.burn_in == posterior.n_kept:
        raise ValueError(
            f"posterior_ has n_kept={posterior.n_kept}, expected n_iter - burn_in of {posterior!r:.200}"
        )


# ----------------------------------------------------------------------------------------- predictions


def scores_of_posterior(
    posterior: Posterior, model: Model, X: Any, num_threads: int | None
) -> NDArray[np.floating]:
    """The mean score of a regression; the probit of the mean probability of a probit model.

    The probit is the number whose normal distribution function is the probability.
    """
    if not posterior.is_probit:
        return mean_and_std(posterior, model, X, num_threads)[0]
    zero, one = np.full(X.shape[0], -np.inf), np.full(X.shape[0], -np.inf)
    for drawn in posterior.samples:
        scores = scores_without_nan(drawn, X, num_threads).astype(np.float64)
        zero, one = np.logaddexp(zero, log_ndtr(-scores)), np.logaddexp(one, log_ndtr(scores))
    n = np.log(len(posterior.samples))
    # The smaller of both probabilities has all digits.
    probits = np.where(one < zero, ndtri_exp(one - n), -ndtri_exp(np.minimum(zero, one) - n))
    return np.asarray(np.where(one == zero, 0.0, probits))


def mean_and_std(
    posterior: Posterior, model: Model, X: Any, num_threads: int | None
) -> tuple[NDArray[np.floating], NDArray[np.floating]]:
    """Mean predictions of a regression, and their standard deviations, that of the noise included."""
    moments = ScoreMoments(X.shape[0], False)
    with np.errstate(over="ignore", invalid="ignore"):
        for drawn in posterior.samples:
            moments.add(scores_without_nan(drawn, X, num_threads))
        noise = np.mean(1 / np.array(posterior._traces["alpha"][posterior.burn_in :]))
        std = np.sqrt(moments.std() ** 2 + noise)
        if not np.isfinite(moments.mean).all():  # scores that are too large for the dtype
            plain = scores_without_nan(model, X, num_threads)
            moments.mean, std = (
                np.where(np.isfinite(moments.mean), moments.mean, plain),
                np.where(np.isfinite(moments.mean), std, np.inf),
            )
        return moments.mean.astype(model.dtype), std.astype(model.dtype)
