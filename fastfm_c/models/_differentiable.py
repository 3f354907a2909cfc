"""The objective of a model and its gradient: what FM and FFM share beside memory and scores."""

from typing import Any

from numpy.typing import ArrayLike

from fastfm_c._core import Model
from fastfm_c.losses import Loss
from fastfm_c.models._gradient import Gradient, gradient_of, objective_of

__all__ = ["DifferentiableModel"]


class DifferentiableModel(Model):
    """A model with an objective and its gradient."""

    __slots__ = ()

    def objective(
        self,
        X: Any,
        y: ArrayLike,
        loss: Loss,
        *,
        sample_weight: ArrayLike | None = None,
        l2_linear: float = 0.0,
        l2_factors: float = 0.0,
        num_threads: int | None = None,
    ) -> float:
        """Weighted mean loss plus L2 penalties.

        ``sum(weight * loss) / sum(weight) + l2_linear / 2 * |w|**2 + l2_factors / 2 * |V|**2``

        Parameters
        ----------
        X
            As for `predict`.
        y : array_like of shape (rows,)
            Targets that `loss` takes; read in place for float32, float64, int32, int64 and bool.
        loss : SquaredLoss, LogisticLoss or SoftmaxLoss
        sample_weight : array_like of shape (rows,), optional
            Finite weights >= 0. A row of weight zero is as if absent.
        l2_linear, l2_factors : float
            Penalties >= 0 on `w` and `V`; `w0` is never penalised.
        num_threads : int, optional
            As for `predict`; the bits of the result do not depend on it.

        Returns
        -------
        float

        Raises
        ------
        ValueError
            As for `predict`; for a target that the loss does not take; for a total weight of zero.
        """
        return objective_of(self._snapshot(), X, y, loss, sample_weight, l2_linear, l2_factors, num_threads)

    def gradient(
        self,
        X: Any,
        y: ArrayLike,
        loss: Loss,
        *,
        sample_weight: ArrayLike | None = None,
        l2_linear: float = 0.0,
        l2_factors: float = 0.0,
        sparse: bool = False,
        out: Gradient | None = None,
        num_threads: int | None = None,
    ) -> tuple[float, Gradient]:
        """`objective` and its exact gradient.

        Parameters
        ----------
        X, y, loss, sample_weight, l2_linear, l2_factors, num_threads
            As for `objective`.
        sparse : bool, default False
            Hold only the features that occur in X, in ascending order, in `Gradient.features`. Memory then
            grows with X and not with the model. It is the gradient of the loss alone: penalties must be 0.
        out : Gradient, optional
            A gradient of an earlier call, which is overwritten and returned. Its arrays `w` and `V` are
            used again, so a loop asks the system for no memory. It must have the shapes and the dtype of
            the new one, and share no memory with the model, X, y or `sample_weight`. After an exception
            its values mean nothing.

        Returns
        -------
        (float, Gradient)
            The gradient is `out` if that is given.

        Raises
        ------
        ValueError
            As for `objective`; for a penalty together with `sparse`; for an unfit `out`.
        """
        return gradient_of(
            self._snapshot(), X, y, loss, sample_weight, l2_linear, l2_factors, sparse, out, num_threads
        )
