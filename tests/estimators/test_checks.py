"""scikit-learn's own checks of the four estimators."""

import functools

import pytest

pytest.importorskip("sklearn")

from helpers.estimators import ALL
from sklearn.utils.estimator_checks import estimator_checks_generator

# A stochastic solver takes rows in a random order and in batches: to it a row of weight 2 is not two rows.
ORDER = "steps depend on the order of the rows, as those of scikit-learn's SGDClassifier do"
WEIGHTED = "check_sample_weight_equivalence_on_dense_data", "check_sample_weight_equivalence_on_sparse_data"


def checks(expected_failed_checks, **options):
    for estimator in ALL:
        yield from estimator_checks_generator(
            estimator(**options), expected_failed_checks=expected_failed_checks, mark="xfail"
        )


def name_of(thing):
    return thing.func.__name__ if isinstance(thing, functools.partial) else repr(thing)


@pytest.mark.parametrize(("estimator", "check"), list(checks({}, solver="lbfgs")), ids=name_of)
def test_lbfgs(estimator, check):
    check(estimator)


@pytest.mark.parametrize(("estimator", "check"), list(checks(dict.fromkeys(WEIGHTED, ORDER))), ids=name_of)
def test_the_default_solver(estimator, check):
    check(estimator)
