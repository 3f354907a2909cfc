"""An FFM, its solvers and `train` look at the fields of X."""

import pytest

from fastfm_c import FFM, AdaGrad, FieldCSR, LogisticLoss, train

LABELS = [0.0, 1.0]
READERS = {
    "predict": lambda model, X: model.predict(X),
    "objective": lambda model, X: model.objective(X, LABELS, LogisticLoss()),
    "gradient": lambda model, X: model.gradient(X, LABELS, LogisticLoss()),
    "partial_fit": lambda model, X: AdaGrad(model, LogisticLoss()).partial_fit(X, LABELS),
    "train": lambda model, X: train(model, X, LABELS, LogisticLoss(), max_iter=1),
}


@pytest.mark.parametrize("reader", READERS)
def test_an_ffm_refuses_values_in_other_fields_as_estimators_do(reader):
    """And takes columns without values, whatever their fields."""
    model = FFM.random([0, 1, 2, 1], 2, rng=0)
    rows = [[1.0, 1.0, 2.0, 0.0], [0.0, 1.0, 0.0, 0.0]]
    READERS[reader](model, FieldCSR(rows, fields=[0, 1, 2, 0]))
    with pytest.raises(ValueError, match="field"):
        READERS[reader](model, FieldCSR(rows, fields=[2, 0, 1, 1]))
