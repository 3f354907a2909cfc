"""What solvers of the exact objective share: they need all rows at once, and have no learning rate."""

from typing import Any, ClassVar

from numpy.typing import ArrayLike, NDArray

from fastfm_c._validation import as_count, as_not_negative
from fastfm_c.losses import Loss
from fastfm_c.solvers._base import Model, TrainingRows, require_trainable

__all__ = ["ExactSolver"]


class ExactSolver:
    """A solver of the exact objective, without its `run`. A search begins anew in each `run`.

    Parameters
    ----------
    model : FM or FFM
    loss : SquaredLoss, LogisticLoss or SoftmaxLoss
    l2_linear, l2_factors : float
        Strength of the L2 term on w and on V, as in `FM.objective`.
    num_threads : int, optional
    """

    option_names: ClassVar[tuple[str, ...]] = ("l2_linear", "l2_factors")

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
        self._require_kind(model, loss)
        if num_threads is not None:
            as_count(num_threads, "num_threads")
        self.l2_linear = as_not_negative(l2_linear, "l2_linear")
        self.l2_factors = as_not_negative(l2_factors, "l2_factors")
        self._model, self._loss, self.num_threads = model, loss, num_threads

    def _require_kind(self, model: Model, loss: Loss) -> None:
        """Refuse a model or a loss of a kind that the solver does not take."""

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
        """None: nothing is kept from epoch to epoch beside the model."""
        return {}

    def prepare(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None) -> TrainingRows:
        """The rows, after all checks that learning from them needs."""
        return TrainingRows(self._model, self._loss, X, y, sample_weight, self.num_threads)
