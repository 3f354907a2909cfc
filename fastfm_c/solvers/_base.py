"""The solver protocol: what `train` and the estimators use of any solver; the rows that it learns from."""

import math
from collections.abc import Callable
from typing import Any, ClassVar, Protocol, TypeAlias, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray
from scipy.sparse import csr_array

from fastfm_c import _core
from fastfm_c._column_scale import are_ones, column_max_abs, column_rms
from fastfm_c.losses import Loss
from fastfm_c.models import FFM, FM

__all__ = ["Model", "Observer", "Report", "Solver", "TrainingRows", "require_trainable", "run_epochs"]

Model: TypeAlias = FM | FFM
# progress(rows_done, n_rows, mean_loss_so_far), some times a second within an epoch
Report: TypeAlias = Callable[[int, int, float], object]


class Observer(Protocol):
    """Who watches a solver run: `train` writes its history and decides when it is over.

    Attributes
    ----------
    tol : float
        Smallest change that counts as an improvement.
    """

    tol: float

    def within(self, epoch: int) -> Report | None:
        """What the solver is to call in the middle of this epoch, counted from 1."""

    def after_epoch(self, loss: float) -> str | None:
        """Take note of a complete epoch and its training loss; why it is the last one, or None."""


class TrainingRows(_core.TrainingRows):
    """X, y and sample_weight, found fit to train a model with a loss on.

    The arrays of X are those that were given where the kernels can read them. Repeated columns of a row
    are summed. There may be no rows, or none of positive weight: `has_weight` tells.

    Parameters
    ----------
    model : FM or FFM
    loss : SquaredLoss, LogisticLoss or SoftmaxLoss
    X : scipy.sparse CSR matrix or array of shape (rows, n_features)
        Finite. Anything else, dense arrays too, is converted.
    y : array_like of shape (rows,)
    sample_weight : array_like of shape (rows,), optional
    num_threads : int, optional

    Raises
    ------
    ValueError
        For malformed or non-finite X, and targets that the loss does not take.
    """

    __slots__ = ("_columns",)
    _columns: dict[tuple[str, np.dtype[Any]], NDArray[Any] | None]

    def __init__(
        self,
        model: Model,
        loss: Loss,
        X: Any,
        y: ArrayLike,
        sample_weight: ArrayLike | None = None,
        num_threads: int | None = None,
    ) -> None:
        super().__init__()  # __new__ has taken the arguments
        self._columns = {}
        if not self._largest < math.inf:
            self._refuse_values()
        self._check_labels(model, loss)

    def _refuse_values(self) -> None:
        indptr, _, data = self._arrays
        place = int(np.argmin(np.isfinite(data[indptr[0] : indptr[-1]]))) + indptr[0]
        row = np.searchsorted(indptr, place, side="right") - 1
        raise ValueError(f"row {row} of X holds {data[place]}; training takes finite values")

    @property
    def n_rows(self) -> int:
        """Number of rows."""
        return self._shape[0]

    @property
    def X(self) -> csr_array:
        """The rows as a matrix, which shares their arrays."""
        indptr, indices, data = self._arrays  # where columns repeat, this sums them
        X = csr_array(self._shape, dtype=data.dtype)
        X.indptr, X.indices, X.data = indptr, indices, data
        return X

    @property
    def y(self) -> NDArray[Any]:
        """The targets."""
        return self._y

    @property
    def sample_weight(self) -> NDArray[np.float64] | None:
        """The weights of the rows; None: 1 each."""
        return self._sample_weight

    @property
    def has_weight(self) -> bool:
        """Whether there is a row of positive weight."""
        return self._weight_sum > 0

    def require_weight(self) -> None:
        """Refuse rows of which none has a positive weight."""
        if not self.has_weight:
            raise ValueError(
                f"X has {self.n_rows} rows of total weight 0.0, expected at least one row of positive weight"
            )

    def column_max_abs(self, dtype: DTypeLike) -> NDArray[Any] | None:
        """The largest ``|x|`` of each column, measured once; 1 for a column without. None: all values are 1.

        Parameters
        ----------
        dtype : "float32" or "float64"

        Returns
        -------
        read-only ndarray of shape (n_features,), or None
        """
        return self._measured("max_abs", np.dtype(dtype))

    def column_rms(self, dtype: DTypeLike) -> NDArray[Any] | None:
        """The root mean square of the non-zeros of each column, as `column_max_abs` gives the largest.

        A size that the dtype does not hold is 1.
        """
        return self._measured("rms", np.dtype(dtype))

    def _measured(self, what: str, dtype: np.dtype[Any]) -> NDArray[Any] | None:
        if (what, dtype) not in self._columns:
            self._columns[what, dtype] = sizes = self._measure(what, dtype)
            if sizes is not None:
                sizes.flags.writeable = False
        return self._columns[what, dtype]

    def _measure(self, what: str, dtype: np.dtype[Any]) -> NDArray[Any] | None:
        indptr, _, values = self._arrays
        if are_ones(indptr, values):
            return None
        with np.errstate(over="ignore", under="ignore"):  # float64 values that float32 does not hold
            if what == "max_abs":
                return column_max_abs(*self._arrays, self._shape[1], dtype, self.sample_weight)
            rms = column_rms(*self._arrays, self._shape[1], self.sample_weight).astype(dtype)
        sizes: NDArray[Any] = np.where((rms > 0) & np.isfinite(rms), rms, dtype.type(1))
        return sizes


@runtime_checkable
class Solver(Protocol):
    """What `train` asks of a solver: of SGD, AdaGrad, Adam and FTRL, of L-BFGS and of ALS.

    A solver is made as ``Solver(model, loss, num_threads=None, **options)`` and trains this model in place.
    `train` calls `prepare` once, which refuses what is unfit before anything is learned, and then `run`.

    Attributes
    ----------
    option_names : tuple of str
        The options that `train` hands on to the solver.
    default_max_iter : int
        Most epochs where the caller says nothing, and nothing stops the training early.
    default_patience : int
        Epochs without improvement after which early stopping ends a training, if the caller says nothing.
    """

    option_names: ClassVar[tuple[str, ...]]
    default_max_iter: ClassVar[int]
    default_patience: ClassVar[int]

    @property
    def model(self) -> Model:
        """The model that is trained."""

    @property
    def loss(self) -> Loss:
        """The loss that is minimised."""

    @property
    def state_arrays(self) -> dict[str, NDArray[Any]]:
        """What the solver keeps from epoch to epoch beside the model, by name: what `save` writes."""

    def prepare(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None) -> TrainingRows:
        """The rows, after all checks that learning from them needs."""

    def run(
        self,
        data: TrainingRows,
        rows: NDArray[np.int64] | None,
        rng: np.random.Generator | None,
        max_iter: int,
        observer: Observer,
    ) -> str:
        """Go through `rows` of data (None: all) until it is over, and say why it is.

        There is at least one row of positive weight. A solver that takes rows one after the other shuffles
        them in each epoch where there is an `rng`.
        The answer is that of the observer, "max_iter", "converged" or a message.
        """


def require_trainable(model: object, loss: object) -> None:
    """Raise unless this is a model that can be changed in place, and a loss that fits it."""
    if not isinstance(model, FM | FFM):
        raise ValueError(f"model must be an FM or an FFM, got {type(model).__name__}")
    if not isinstance(loss, Loss):
        raise ValueError(
            f"loss must be a SquaredLoss, LogisticLoss or SoftmaxLoss, got {type(loss).__name__}"
        )
    _core.require_fit(model, loss)
    for name in ("w", "V"):
        if not getattr(model, name).flags.writeable:
            raise ValueError(f"model.{name} is read-only: train a model.copy()")


def run_epochs(
    epoch: Callable[[NDArray[np.int64] | None, Report | None], float],
    rows: NDArray[np.int64] | None,
    rng: np.random.Generator | None,
    max_iter: int,
    observer: Observer,
) -> str:
    """The `run` of a solver that learns epoch by epoch: ``epoch(rows, progress)`` is the training loss."""
    for number in range(1, max_iter + 1):
        if rng is not None and rows is not None:
            rng.shuffle(rows)
        reason = observer.after_epoch(epoch(rows, observer.within(number)))
        if reason is not None:
            return reason
    return "max_iter"
