"""A model of another dtype is the same in all that is no number."""

import numpy as np
import pytest

pytest.importorskip("sklearn")

from helpers.estimators import planted

from fastfm_c import FFM, FM, FieldTable
from fastfm_c.sklearn import FFMClassifier, FMClassifier
from fastfm_c.sklearn._trainable import as_dtype, with_parameters

TABLE = FieldTable([0, 1, 1, 0], features=[0, 0, 1, -1], has_values=[True, True, True, False])


class Mine(FM):
    """A model of a user."""


def models():
    for n_outputs in (1, 3):
        options = {"n_outputs": n_outputs, "rng": 0}
        for model in (
            FM.random(4, 2, **options),
            Mine.random(4, 2, **options),
            FFM.random(TABLE, 2, **options),
        ):
            for normalize in (None, "instance"):
                for repeats in ("sum", "separate"):
                    model = model.copy()
                    model.normalize, model.repeats = normalize, repeats
                    yield model


@pytest.mark.parametrize(
    "model", list(models()), ids=lambda model: f"{model!r}-{model.normalize}-{model.repeats}"
)
def test_another_dtype_keeps_what_pickling_keeps(model):
    other = as_dtype(model, "float64")
    assert other.dtype == np.float64
    assert as_dtype(model, "float32") is model
    assert as_dtype(other, "float32") == model
    for one in (other, with_parameters(model, model.w, model.V)):
        assert type(one) is type(model)
        assert (one.normalize, one.repeats) == (model.normalize, model.repeats)
        assert one.__reduce__()[2] == model.__reduce__()[2]
        if isinstance(model, FFM):
            assert one.fields.features.tolist() == TABLE.features.tolist()
            assert one.fields.has_values.tolist() == TABLE.has_values.tolist()


@pytest.mark.parametrize("estimator", [FMClassifier, FFMClassifier])
def test_a_fit_goes_on_from_a_model_of_another_program(estimator):
    """L-BFGS computes in float64. The model in float32 counted repeated features in another way then."""
    X, y = planted(200)
    model = estimator(solver="lbfgs", warm_start=True, random_state=0).fit(X, y > 0)
    model.model_.repeats, model.model_.normalize = "separate", "instance"
    model.fit(X, y > 0)
    assert (model.model_.repeats, model.model_.normalize) == ("separate", "instance")
