"""scikit-learn's own checks of the four estimators."""

import pytest

pytest.importorskip("sklearn")

from sklearn.utils.estimator_checks import parametrize_with_checks

from fastfm_c.sklearn import FFMClassifier, FFMRegressor, FMClassifier, FMRegressor

ESTIMATORS = FMClassifier, FMRegressor, FFMClassifier, FFMRegressor
# A stochastic solver takes rows in random order in batches: a row of weight 2 is not two rows to it.
ORDER = "steps depend on the order of the rows, as those of scikit-learn's SGDClassifier do"
WEIGHTED = "check_sample_weight_equivalence_on_dense_data", "check_sample_weight_equivalence_on_sparse_data"


@parametrize_with_checks([estimator(solver="lbfgs") for estimator in ESTIMATORS])
def test_lbfgs(estimator, check):
    check(estimator)


@parametrize_with_checks(
    [estimator() for estimator in ESTIMATORS],
    expected_failed_checks=lambda estimator: dict.fromkeys(WEIGHTED, ORDER),
)
def test_the_default_solver(estimator, check):
    check(estimator)
