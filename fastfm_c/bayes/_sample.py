"""`sample`: Gibbs sampling of a factorization machine."""

import copy
import math
import sys
import time
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastfm_c import _core
from fastfm_c._errors import DivergenceError
from fastfm_c._validation import as_count, as_csr
from fastfm_c.bayes._moments import ScoreMoments
from fastfm_c.bayes._posterior import Posterior, digest_of
from fastfm_c.losses import LogisticLoss, SquaredLoss
from fastfm_c.models import FM
from fastfm_c.solvers import TrainingRows, require_columns
from fastfm_c.solvers._callbacks import any_ends, as_callbacks

__all__ = ["SampleInfo", "sample"]

PAUSE = 5.0  # seconds between two lines of progress


class SampleInfo(NamedTuple):
    """What a callback is told after an iteration."""

    iteration: int  # counted from 1, over all calls
    alpha: float  # the precision of the noise
    seconds: float
    model: FM  # the sample itself, which the next iteration overwrites
    posterior: Posterior  # all so far; `resume` goes on from a copy of it


_Callback = Callable[[SampleInfo], Any]


def sample(
    model: FM,
    X: Any,
    y: ArrayLike,
    loss: SquaredLoss | LogisticLoss,
    *,
    groups: ArrayLike | None = None,
    n_iter: int = 200,
    burn_in: int = 20,
    X_test: Any = None,
    keep: int = 0,
    sample_weight: ArrayLike | None = None,
    resume: Posterior | None = None,
    rng: Any = None,
    callbacks: _Callback | Sequence[_Callback] = (),
    verbose: bool | int = False,
    num_threads: int | None = None,
) -> Posterior:
    """Draw the parameters of an FM from their distribution given rows, again and again.

    There is nothing to tune: the strength of the penalties is drawn too, for each group of columns and each
    factor. Predictions are means over the iterations.

    Parameters
    ----------
    model : FM
        With one output and without `normalize`. The start, which is left as it is; factors of a standard
        deviation of 0.1 to 0.3 save iterations.
    X : scipy.sparse.csr_array of shape (n_rows, n_features), float32 or float64
        Finite. Other sparse formats and dense arrays are converted once.
    y : array_like of shape (n_rows,)
    loss : SquaredLoss or LogisticLoss
        A regression with normal noise, or a probit model of targets 0 and 1.
    groups : array_like of int, shape (n_features,), optional
        Groups of columns that have hyperparameters of their own, such as users and items. Default:
        ``X.fields``, else one group.
    n_iter : int
        Iterations of this call; those of `burn_in` are among them.
    burn_in : int
        First iterations, which are not counted. With `resume`, that of the earlier call stays.
    X_test : matrix of shape (rows, n_features), optional
        Rows whose mean scores are wanted: they are summed up on the way.
    keep : int
        How many samples to keep, evenly spaced among the counted iterations of this call.
    sample_weight : array_like of shape (n_rows,), optional
        Multiplies the precision of a row.
    resume : Posterior, optional
        Go on from its end, with its random numbers; it is left as it is. Rows and groups must be the same,
        and the result has the bits of one longer call. X_test stays; after `load` it must be given again.
    rng : int or numpy.random.Generator, optional
        Anything that `numpy.random.default_rng` takes.
    callbacks : callable or sequence of callables
        Each is called with a `SampleInfo` after each iteration; one that returns True ends the sampling.
    verbose : bool or int
        Show the progress on stderr.
    num_threads : int, optional
        By default all that the process may use. The bits of the samples do not depend on it.

    Returns
    -------
    Posterior

    Raises
    ------
    ValueError
        For malformed or non-finite data, and a model, a loss or groups that do not fit.
    DivergenceError
        If a parameter is no longer finite.
    KeyboardInterrupt
        Passed on. A callback that has kept ``info.posterior`` can resume from the last iteration.

    Examples
    --------
    >>> import numpy as np, scipy.sparse as sp
    >>> from fastfm_c import FM, SquaredLoss
    >>> X = sp.csr_array(np.tile([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [0.0, 0.0]], (100, 1)))
    >>> y = np.tile([1.0, 1.0, 0.0, 0.0], 100) + np.random.default_rng(0).normal(scale=0.1, size=400)
    >>> start = FM.random(2, 2, init_stdev=0.3, rng=0)
    >>> posterior = sample(start, X, y, SquaredLoss(), X_test=X[:4], rng=0)
    >>> posterior.mean().round(1) + 0.0
    array([1., 1., 0., 0.])
    """
    n_iter, keep = as_count(n_iter, "n_iter"), as_count(keep, "keep", 0)
    callbacks = as_callbacks(callbacks)
    if resume is None:
        posterior = _start(model, X, loss, groups, as_count(burn_in, "burn_in", 0), X_test, rng)
    else:
        posterior = _go_on(resume, model, loss, X_test)
    first, last = max(posterior.burn_in, posterior.n_iter), posterior.n_iter + n_iter
    n_counted = max(last - first, 0)
    if resume is None and n_counted == 0:
        raise ValueError(f"n_iter={n_iter} leaves nothing after burn_in={burn_in}")
    if keep > n_counted:
        raise ValueError(f"keep={keep} is more than the {n_counted} iterations that count")
    columns = _columns_of(posterior, X, y, sample_weight, num_threads)
    shown = time.monotonic()
    while posterior.n_iter < last:
        begin = time.perf_counter()
        # The first iteration begins with the columns: w = 0 of a start says nothing about a penalty, but
        # would make it so large that factors take the place of w, and are not free for what they are for.
        is_first = posterior.n_iter == 0
        alpha = columns.sample(posterior._seed, posterior.n_iter, posterior._alpha, is_first)
        columns.write()
        if not (math.isfinite(alpha) and all(np.isfinite(part).all() for part in posterior._hyper)):
            raise DivergenceError(
                f"iteration {posterior.n_iter + 1} diverged: a parameter is not finite any more; values and "
                "targets of order 1, or a float64 model, help"
            )
        counted = posterior.n_iter + 1 - first  # iterations of this call that count, with this one
        is_sample = counted > 0 and counted * keep // n_counted > (counted - 1) * keep // n_counted
        posterior._note(alpha, is_sample, num_threads)
        info = SampleInfo(posterior.n_iter, alpha, time.perf_counter() - begin, posterior._now, posterior)
        if verbose and (time.monotonic() - shown > PAUSE or posterior.n_iter == last):
            shown = time.monotonic()
            print(f"iteration {info.iteration}/{last}  alpha {alpha:.5g}", file=sys.stderr, flush=True)
        if any_ends(callbacks, info):
            break
    return posterior


def _columns_of(
    posterior: Posterior, X: Any, y: ArrayLike, sample_weight: ArrayLike | None, num_threads: int | None
) -> _core.Columns:
    """The rows by columns, and the present parameters, ready for sampling."""
    now, loss = posterior._now, posterior.loss
    data = TrainingRows(now, loss, X, y, sample_weight, num_threads)
    data.require_weight()
    columns = _core.Columns(now, loss, data, None, num_threads)
    columns.set_groups(posterior.groups, posterior._hyper)
    return columns


def _start(
    model: FM,
    X: Any,
    loss: SquaredLoss | LogisticLoss,
    groups: ArrayLike | None,
    burn_in: int,
    X_test: Any,
    rng: Any,
) -> Posterior:
    """A posterior without iterations."""
    require_columns(model, loss, "sample")
    if isinstance(loss, LogisticLoss) and loss.label_smoothing != 0:
        raise ValueError(f"sample takes a LogisticLoss without label_smoothing, got {loss.label_smoothing}")
    posterior = Posterior(model, loss, _as_groups(groups, X, model.n_features), burn_in)
    posterior._seed = int(np.random.default_rng(rng).integers(2**63))
    if X_test is not None:
        rows = len(model.predict(X_test))
        if not np.isfinite(as_csr(X_test)[2]).all():
            raise ValueError("X_test holds nan or inf")
        posterior._X_test, posterior._digest = X_test, digest_of(X_test)
        posterior._scores = ScoreMoments(rows, posterior.is_probit)
    return posterior


def _go_on(resume: Posterior, model: FM, loss: SquaredLoss | LogisticLoss, X_test: Any) -> Posterior:
    """A copy of a posterior, to go on from."""
    if not isinstance(resume, Posterior):
        raise ValueError(f"resume must be a Posterior, got {type(resume).__name__}")
    if model.V.shape != resume._now.V.shape or model.dtype != resume._now.dtype or loss != resume.loss:
        raise ValueError("resume is of another model, or another loss, than those given")
    without = copy.copy(resume)
    without._X_test = None  # which is not copied
    posterior = copy.deepcopy(without)
    posterior._X_test = resume._X_test if X_test is None else X_test
    if posterior._X_test is None and posterior._digest:
        raise ValueError("X_test is missing: the earlier sampling had one, which its file does not hold")
    if X_test is not None and digest_of(X_test) != posterior._digest:
        raise ValueError("X_test is not that of the earlier sampling")
    return posterior


def _as_groups(groups: ArrayLike | None, X: Any, n_features: int) -> NDArray[np.int32] | None:
    """A group for each feature, or None for one group."""
    given = getattr(X, "fields", None) if groups is None and hasattr(X, "indptr") else groups
    if given is None:
        return None
    found = np.asarray(given)
    if found.shape != (n_features,) or found.dtype.kind not in "iu":
        raise ValueError(
            f"groups must be {n_features} integers, one for each feature, got shape {found.shape} "
            f"and dtype {found.dtype}"
        )
    if len(found) and not 0 <= found.min() <= found.max() < max(n_features, 1):
        raise ValueError(f"groups holds {found.min()}..{found.max()}, expected 0..{n_features - 1}")
    return np.ascontiguousarray(found, np.int32)
