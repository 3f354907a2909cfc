"""`Posterior`: what a Gibbs sampler has found."""

import hashlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastfm_c._validation import as_csr
from fastfm_c.bayes._moments import FactorMean, ScoreMoments
from fastfm_c.losses import LogisticLoss, SquaredLoss
from fastfm_c.models import FM

__all__ = ["Posterior", "digest_of"]

_Array = NDArray[np.float64]
START_PRECISION = 10.0  # of factors, for the first iteration: a standard deviation of .3
HYPER = "lambda_w", "mu_w", "lambda_V", "mu_V"


def digest_of(X: Any) -> str:
    """What tells these rows from others: a hash of their values."""
    indptr, indices, data, shape = as_csr(X)
    hashed = hashlib.blake2b(repr(tuple(shape)).encode(), digest_size=16)
    for array, dtype in (indptr, np.int64), (indices, np.int64), (data, np.float64):
        hashed.update(np.ascontiguousarray(array, dtype).data)
    return hashed.hexdigest()


class Posterior:
    """The distribution of the parameters of an FM, given rows: means, spreads, and samples of it.

    `fastfm_c.bayes.sample` makes it.

    Attributes
    ----------
    loss : SquaredLoss or LogisticLoss
        Of the rows: a regression, or a probit model of binary targets.
    n_iter, burn_in : int
        Iterations so far; how many of them are not counted.
    trace : dict of ndarrays
        By iteration: ``alpha``, the precision of the noise, and ``w0``, of shape (n_iter,); ``lambda_w``
        and ``mu_w``, precision and mean of the w of each group, (n_iter, n_groups); ``lambda_V`` and
        ``mu_V``, (n_iter, n_groups, n_factors).
    samples : tuple of FM
        As many of the counted iterations as were asked for, evenly spaced.
    groups : ndarray of int32, shape (n_features,), or None
    """

    def __init__(
        self, start: FM, loss: SquaredLoss | LogisticLoss, groups: NDArray[np.int32] | None, burn_in: int
    ) -> None:
        self.loss, self.groups, self.burn_in = loss, groups, burn_in
        self.n_iter, self.n_kept = 0, 0
        self.samples: tuple[FM, ...] = ()
        self._now = start.copy()
        n_groups = 1 if groups is None or len(groups) == 0 else int(groups.max()) + 1
        shape = n_groups, start.n_factors
        self._alpha = 1.0
        lambda_V = np.full(shape, START_PRECISION)
        self._hyper = [np.ones(n_groups), np.zeros(n_groups), lambda_V, np.zeros(shape)]
        self._traces: dict[str, list[Any]] = {name: [] for name in ("alpha", "w0", *HYPER)}
        self._w0, self._w = 0.0, np.zeros(start.n_features)
        self._factors = FactorMean(start.n_features, start.n_factors)
        self._seed = 0
        self._X_test: Any = None
        self._digest = ""  # of the values of X_test, which a file does not hold
        self._scores: ScoreMoments | None = None

    @property
    def is_probit(self) -> bool:
        """Whether the targets are binary."""
        return isinstance(self.loss, LogisticLoss)

    @property
    def trace(self) -> dict[str, _Array]:
        """The hyperparameters by iteration."""
        return {name: np.array(values) for name, values in self._traces.items()}

    @property
    def model(self) -> FM:
        """One plain FM: the means of w0 and w, and the leading part of the mean of ``V @ V.T``.

        Its scores are near `mean`, at the cost of one model. Of a probit model they are no log-odds: the
        probability at a score s is the normal distribution function of s, and `LogisticLoss.proba` is wrong.
        `metadata` of the model say so: ``{"link": "probit"}``.
        """
        self._require_kept()
        dtype = self._now.dtype
        V = self._factors.factors(self._now.n_factors)
        model = FM(self._w0, self._w.astype(dtype), V.astype(dtype))
        if self.is_probit:
            model.metadata = {"link": "probit"}
        return model

    def mean(self, X: Any = None) -> _Array:
        """Mean of the scores of rows.

        Parameters
        ----------
        X : matrix of shape (rows, n_features), optional
            The X_test of the sampling, or rows of the same values, which is also the default: of all counted
            iterations. Others: of `samples`.

        Returns
        -------
        ndarray of shape (rows,), float64

        Raises
        ------
        ValueError
            For other rows than X_test if no samples were kept.
        """
        return self._moments(X).mean.copy()

    def std(self, X: Any = None) -> _Array:
        """Standard deviation of the scores of rows, without noise; parameters and errors as of `mean`."""
        return self._moments(X).std()

    def proba(self, X: Any = None) -> _Array:
        """Mean probability of a 1; parameters and errors as of `mean`. Only of a probit model."""
        moments = self._moments(X)
        if moments.proba is None:
            raise ValueError("proba is of a probit model; this posterior is of a regression")
        return moments.proba.copy()

    def __repr__(self) -> str:
        return (
            f"Posterior({self._now!r}, {self.loss!r}, n_iter={self.n_iter}, burn_in={self.burn_in}, "
            f"samples={len(self.samples)})"
        )

    def _moments(self, X: Any) -> ScoreMoments:
        """Of these rows, over all counted iterations or over the samples."""
        self._require_kept()
        if self._scores is not None and (X is None or X is self._X_test or digest_of(X) == self._digest):
            return self._scores
        if X is None:
            raise ValueError("X is missing: the sampling had no X_test")
        if not self.samples:
            raise ValueError("X is not the X_test of the sampling, and no samples were kept (keep=0)")
        scores = [model.predict(X) for model in self.samples]
        moments = ScoreMoments(len(scores[0]), self.is_probit)
        for one in scores:
            moments.add(one)
        return moments

    def _require_kept(self) -> None:
        if self.n_kept == 0:
            raise ValueError(f"no iteration is counted yet: {self.n_iter} of burn_in={self.burn_in} are over")

    def _note(self, alpha: float, is_sample: bool, num_threads: int | None) -> None:
        """Take in the present iteration; `is_sample`: whether to keep its model, if it is counted."""
        self._alpha = alpha
        self.n_iter += 1
        hyper = [array.copy() for array in self._hyper]
        for name, value in zip(self._traces, (alpha, float(self._now.w0), *hyper), strict=True):
            self._traces[name].append(value)
        if self.n_iter <= self.burn_in:
            return
        self.n_kept += 1
        self._w0 += (float(self._now.w0) - self._w0) / self.n_kept
        self._w += (self._now.w - self._w) / self.n_kept
        self._factors.add(self._now.V)
        if self._scores is not None:
            self._scores.add(self._now.predict(self._X_test, num_threads=num_threads))
        if is_sample:
            self.samples += (self._now.copy(),)
