"""Estimators of classes: FMClassifier and FFMClassifier."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray
from sklearn.base import ClassifierMixin
from sklearn.utils.class_weight import compute_class_weight
from sklearn.utils.multiclass import check_classification_targets, unique_labels

from fastfm_c.bayes._moments import probit
from fastfm_c.losses import LogisticLoss, SoftmaxLoss
from fastfm_c.sklearn._base import Estimator
from fastfm_c.sklearn._docs import CLASSIFIER, FFM, FM, shared_parameters
from fastfm_c.sklearn._ffm import FieldAware
from fastfm_c.sklearn._fit_rows import Weights
from fastfm_c.sklearn._parameters import if_by_parts
from fastfm_c.sklearn._running import RunningTargets
from fastfm_c.training._metrics import predicted_class

__all__ = ["FFMClassifier", "FMClassifier"]


@dataclass(kw_only=True, eq=False, repr=False)
class Classifier(ClassifierMixin, Estimator):
    """An estimator of classes.

    Two classes have one score: the log odds of the second. C > 2 classes have C scores.
    """

    label_smoothing: float = 0.0
    class_weight: dict[Any, float] | str | None = None

    _targets_are_numbers = False

    def __sklearn_tags__(self) -> Any:
        tags = super().__sklearn_tags__()
        tags.classifier_tags.multi_class = self.solver != "mcmc"
        return tags

    @if_by_parts
    def partial_fit(
        self,
        X: Any,
        y: ArrayLike,
        classes: ArrayLike | None = None,
        sample_weight: ArrayLike | None = None,
    ) -> Self:
        """Learn from more rows, once and in their order.

        A stream has the same bits in chunks of any size that is a multiple of `batch_size`, if the learning
        rate is a constant: a schedule counts calls. The first rows of a stream
        decide nothing for good: the bias follows the shares of the classes, in which later rows count more.
        A call without rows, or without rows of positive weight, changes nothing.

        Parameters
        ----------
        X : {array_like, sparse matrix, DataFrame} of shape (n_rows, n_features)
            As for `fit`.
        y : array_like of shape (n_rows,)
            Labels that are among the classes.
        classes : array_like of shape (C,), optional
            All labels that will ever occur. Required at the first call.
        sample_weight : array_like of shape (n_rows,), optional
            Finite weights >= 0, which multiply the steps.

        Returns
        -------
        estimator
            This estimator. ``history_.loss[-1]`` is the mean loss of the rows. Each row was scored before
            the solver learned from it, but the bias already knows the shares of the classes in its batch.

        Raises
        ------
        ValueError
            For malformed data, unknown labels, and missing or changed classes.
        DivergenceError
            As for `fit`.
        """
        known = hasattr(self, "model_")
        if classes is None and not known:
            raise ValueError("classes must be given at the first call of partial_fit")
        if classes is not None and known and not np.array_equal(self.classes_, unique_labels(classes)):
            raise ValueError(f"classes is {classes}, but it was {self.classes_} before")
        if self.class_weight == "balanced":
            raise ValueError("class_weight='balanced' needs all rows: for partial_fit, give a dict")
        return self._partial_fit(X, y, classes, sample_weight)

    def decision_function(self, X: Any) -> NDArray[Any]:
        """Raw scores of rows.

        Parameters
        ----------
        X : {array_like, sparse matrix, DataFrame} of shape (n_rows, n_features)

        Returns
        -------
        ndarray of shape (n_rows,) or (n_rows, C), of the dtype of the model
            With two classes, the log odds of the second. With more, a score for each class. With "mcmc", the
            probit of the second, in float64: the number whose normal distribution function is its
            probability.
        """
        return self._scores(X)

    def predict(self, X: Any) -> NDArray[Any]:
        """Labels of rows.

        Parameters
        ----------
        X : {array_like, sparse matrix, DataFrame} of shape (n_rows, n_features)

        Returns
        -------
        ndarray of shape (n_rows,)
            The label with the highest score. Of labels with equal scores it is the largest.
        """
        index = predicted_class(self._scores(X))
        labels: NDArray[Any] = self.classes_[np.minimum(index, len(self.classes_) - 1)]
        return labels

    def predict_proba(self, X: Any) -> NDArray[np.float64]:
        """Probabilities of the classes.

        Parameters
        ----------
        X : {array_like, sparse matrix, DataFrame} of shape (n_rows, n_features)

        Returns
        -------
        ndarray of shape (n_rows, C), float64
            The columns are in the order of `classes_`. With "mcmc" they are means over the samples.
        """
        scores = np.nan_to_num(self._scores(X).astype(np.float64, copy=False), nan=0.0)  # inf: the largest
        if len(self.classes_) == 1:
            return np.ones((len(scores), 1))
        if len(self.classes_) == 2:  # not 1 - p, which would lose the digits of small probabilities
            proba = probit if hasattr(self, "posterior_") else LogisticLoss().proba
            return np.column_stack([proba(-scores), proba(scores)])
        return SoftmaxLoss().proba(scores)

    def _n_outputs(self) -> int:
        return len(self.classes_) if len(self.classes_) > 2 else 1

    def _n_shares(self) -> int:
        return max(len(self.classes_), 2)

    def _loss(self) -> LogisticLoss | SoftmaxLoss:
        return (SoftmaxLoss if self._n_outputs() > 1 else LogisticLoss)(self.label_smoothing)

    def _fit_classes(self, y: NDArray[Any], classes: ArrayLike | None) -> None:
        if len(y):
            check_classification_targets(y)
        self.classes_: NDArray[Any] = unique_labels(y if classes is None else classes)

    def _targets(self, y: NDArray[Any]) -> NDArray[Any]:
        """0..C-1. If there is one class alone its target is 1, so that the model becomes sure of it."""
        index = np.searchsorted(self.classes_, y)
        index[index == len(self.classes_)] = 0
        if len(unknown := np.unique(y[self.classes_[index] != y])):
            raise ValueError(f"y holds {unknown[:5].tolist()}, expected labels of {self.classes_}")
        return index if len(self.classes_) > 1 else index + 1

    def _class_factors(
        self, y: NDArray[Any], targets: NDArray[Any], weight: Weights | None
    ) -> NDArray[np.float64] | None:
        """The weight of each target."""
        if self.class_weight is None or len(y) == 0:
            return None
        factors = np.ones(self._n_shares())
        if isinstance(self.class_weight, str) and self.class_weight == "balanced":
            found = np.unique(targets)
            totals = np.bincount(targets, weight)[found]
            factors[found] = totals.sum() / (len(found) * np.where(totals > 0, totals, 1))
        else:
            of_labels = compute_class_weight(self.class_weight, classes=self.classes_, y=y)
            factors[self._n_shares() - len(of_labels) :] = of_labels  # one class alone is target 1
        return factors

    def _best_constant(self, targets: NDArray[Any], weight: Weights | None) -> Any:
        shares = np.bincount(targets, weight, self._n_shares())
        return self._constant_of(shares / shares.sum(), len(targets))

    def _constant(self, targets: RunningTargets) -> Any:
        return self._constant_of(targets.mean, targets.n_rows)

    def _constant_of(self, shares: NDArray[np.float64], n_rows: int) -> Any:
        """The best constant scores for classes of these shares."""
        n_classes = self._n_shares()
        # A class without rows gets the share of half a row: its score has to be finite.
        shares = np.clip(shares, 0.5 / n_rows, 1 - 0.5 / n_rows)
        smoothing = self._loss().label_smoothing / (n_classes - 1 if n_classes > 2 else 2)
        scores = np.log(smoothing + shares * (1 - n_classes * smoothing))
        return scores if n_classes > 2 else scores[1] - scores[0]


@shared_parameters(CLASSIFIER, FM)
@dataclass(kw_only=True, eq=False, repr=False)
class FMClassifier(Classifier):
    """Factorization machine for two or more classes, with logistic or softmax loss.

    Parameters
    ----------
    <parameters>

    Examples
    --------
    >>> import numpy as np
    >>> from fastfm_c.sklearn import FMClassifier
    >>> X = np.tile([[0.0, 1.0], [1.0, 0.0], [1.0, 1.0], [0.0, 0.0]], (50, 1))
    >>> y = np.tile(["differ", "differ", "equal", "equal"], 50)  # no linear model fits this
    >>> model = FMClassifier(n_factors=2, solver="lbfgs", random_state=0).fit(X, y)
    >>> model.predict([[1.0, 0.0], [0.0, 0.0]])
    array(['differ', 'equal'], dtype='<U6')
    """


@shared_parameters(CLASSIFIER, FFM)
@dataclass(kw_only=True, eq=False, repr=False)
class FFMClassifier(FieldAware, Classifier):
    """Field-aware factorization machine for two or more classes, with logistic or softmax loss.

    Parameters
    ----------
    <parameters>

    Examples
    --------
    >>> import numpy as np
    >>> from fastfm_c.sklearn import FFMClassifier
    >>> X = np.eye(4)[[0, 0, 1, 1]] + np.eye(4)[[2, 3, 2, 3]]  # two columns of two values, one-hot
    >>> y = [1, 0, 0, 1]
    >>> model = FFMClassifier(n_factors=2, solver="lbfgs", fields=[0, 0, 1, 1], random_state=0).fit(X, y)
    >>> model.predict(X)
    array([1, 0, 0, 1])
    """
