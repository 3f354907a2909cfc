"""What the estimators do with rows and models, and what the kind of their targets decides."""

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, DTypeLike, NDArray
from sklearn.utils.validation import check_is_fitted, validate_data

from fastfm_c.losses import Loss
from fastfm_c.models import FM
from fastfm_c.sklearn._explain import explained_conversion
from fastfm_c.sklearn._fit_rows import FitRows, Weights, checked_weights, require_valid_weights, weighted
from fastfm_c.sklearn._mcmc import scores_of_posterior
from fastfm_c.sklearn._overflow import scores_without_nan
from fastfm_c.sklearn._parameters import Parameters
from fastfm_c.sklearn._running import RunningTargets
from fastfm_c.sklearn._trainable import Model, scale_scores
from fastfm_c.sklearn._units import per_feature
from fastfm_c.training import History

__all__ = ["RowsAndModels"]

_ACCEPTED = {"accept_sparse": "csr", "dtype": (np.float64, np.float32)}  # by validate_data, of X


@dataclass(kw_only=True, eq=False, repr=False)
class RowsAndModels(Parameters):
    """Checked rows, new models, scores. Subclasses say what the targets are."""

    _targets_are_numbers: ClassVar[bool]

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.input_tags.sparse = True
        return tags

    def _checked_rows(
        self,
        X: Any,
        y: ArrayLike,
        sample_weight: ArrayLike | None,
        is_new: bool,
        classes: ArrayLike | None = None,
        least_rows: int = 1,
    ) -> tuple[FitRows, ArrayLike | None]:
        """Checked rows, targets and weights, and the fields of X. `is_new`: not for the model of now."""
        fields = getattr(X, "fields", None) if sp.issparse(X) else None  # a DataFrame may have such a column
        X, y = self._rows(X, y, is_new, least_rows)
        if not is_new:
            self._require_fields(X)
        weight = None
        if sample_weight is not None:
            weight = checked_weights(sample_weight, X, may_be_zero=least_rows == 0)
        if is_new:
            self._fit_classes(y, classes)
        targets = self._targets(y)
        factors = self._class_factors(y, targets, weight)
        rows = FitRows(X, targets, weighted(targets, weight, factors), factors)
        if factors is not None and rows.weight is not None:
            require_valid_weights(rows.weight, may_be_zero=least_rows == 0)
        if not is_new and self.model_.n_factors != self.n_factors:
            was = self.model_.n_factors
            raise ValueError(f"n_factors is {self.n_factors}, but the model to go on with has {was}")
        return rows, fields

    def _new_model(self, rows: FitRows, fields: ArrayLike | None, rng: np.random.Generator) -> Model:
        """Make a model of random factors and the best constant score, in the units of y."""
        model = self._model_without_bias(rows, fields, rng)
        best = self._best_constant(rows.in_unit(self._target_scale), rows.weight)
        model.w0 = np.asarray(best, model.dtype)
        scale_scores(model, self._target_scale)
        return model

    def _model_without_bias(self, rows: FitRows, fields: ArrayLike | None, rng: np.random.Generator) -> Model:
        """Make a model of random factors, which divides rows as `normalize` says."""
        options = {"init_stdev": self._init_stdev(), "dtype": self.dtype, "rng": rng}
        model = self._random_model(rows.X.shape[1], fields, n_outputs=self._n_outputs(), **options)
        model.normalize = self.normalize
        return model

    def _scale_factors(self, column_size: Callable[[DTypeLike], NDArray[Any] | None]) -> None:
        """Make a pair as large as if each column were in units of its size."""
        if self.normalize is not None:  # the sizes of columns then say little
            return
        if (size := column_size(self.model_.dtype)) is not None:
            V = self.model_.V
            V /= per_feature(self.model_, size)

    def _random_model(self, n_features: int, fields: ArrayLike | None, **options: Any) -> Model:
        return FM.random(n_features, self.n_factors, **options)

    def _require_fields(self, X: Any) -> None:
        """Refuse an X whose fields are not those of the model."""

    def _rows_for_model(self, X: Any, given: Any) -> Any:
        """Checked rows as the model takes them; `given` is what they were before the check."""
        return X

    def _rows(self, X: Any, y: Any, reset: bool = False, least_rows: int = 1) -> tuple[Any, NDArray[Any]]:
        """X as CSR, and y, both checked."""
        options = {"y_numeric": self._targets_are_numbers, "ensure_min_samples": least_rows, **_ACCEPTED}
        given = X
        with explained_conversion(X, self):
            X, y = validate_data(self, X, y, reset=reset, **options)
        return self._rows_for_model(X if sp.issparse(X) else sp.csr_array(X), given), y

    def _new_rows(self, X: Any) -> Any:
        """Rows that are not yet checked, as the fitted model takes them."""
        check_is_fitted(self, "model_")
        given = X
        with explained_conversion(X, self):
            X = validate_data(self, X, reset=False, **_ACCEPTED)
        return self._rows_for_model(X, given)

    def _scores(self, X: Any) -> NDArray[Any]:
        """Raw scores of rows that are not yet checked."""
        X = self._new_rows(X)
        if (posterior := getattr(self, "posterior_", None)) is not None:
            return scores_of_posterior(posterior, self.model_, X, self._num_threads())
        return scores_without_nan(self.model_, X, self._num_threads())

    # ---------------------------------------------------------------------- what the targets decide

    @property
    def _target_scale(self) -> float:
        """The unit of the solver's targets, in the units of y."""
        return 1.0

    def _origin(self, targets: RunningTargets) -> float:
        """What a solver of all rows subtracts from the targets."""
        return 0.0

    def _set_target_scale(self, unit: float) -> None:
        """Take another unit, of a stream."""

    def _fit_classes(self, y: NDArray[Any], classes: ArrayLike | None) -> None:
        """Learn from y, or from what the user says, which classes there are."""

    def _fit_targets(self, rows: FitRows) -> None:
        """Learn the unit of the targets from all rows of a new fit."""

    def _go_on_with(self, rows: FitRows) -> None:
        """Prepare the model of the fit before for the targets of a warm start."""

    @abstractmethod
    def _targets(self, y: NDArray[Any]) -> NDArray[Any]:
        """The targets that the loss takes, but in the units of y."""

    def _class_factors(
        self, y: NDArray[Any], targets: NDArray[Any], weight: Weights | None
    ) -> NDArray[np.float64] | None:
        """What the weights of rows are multiplied by, for each target 0, 1 ...; None: nothing."""
        return None

    @abstractmethod
    def _n_outputs(self) -> int:
        """Number of scores of a row."""

    def _n_shares(self) -> int | None:
        """Number of targets 0, 1 ...; None if targets are numbers."""
        return None

    @abstractmethod
    def _loss(self) -> Loss:
        """The loss that a fit minimises."""

    @abstractmethod
    def _best_constant(self, targets: NDArray[Any], weight: Weights | None) -> Any:
        """The scores that a model without features would learn, in the units of the solver."""

    def _unit(self, targets: RunningTargets, is_first: bool) -> float:
        """The unit that suits the targets so far of a stream."""
        return 1.0

    @abstractmethod
    def _constant(self, targets: RunningTargets) -> Any:
        """The best constant score of the targets so far, in the units of y."""

    def _unscale_history(self, history: History) -> None:
        """Convert the figures of a history from the units of the solver to those of y."""
