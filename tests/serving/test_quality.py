"""What small parameters cost on real data: almost nothing of the AUC, and a half or a third of the file."""

import io

import numpy as np
import pytest

from fastfm_c import FM, LogisticLoss, save, train
from fastfm_c.datasets import load_adult
from fastfm_c.serving import quantize
from fastfm_c.training._metrics import auc


@pytest.mark.slow
def test_auc_of_adult():
    """The bounds are those of docs/guide/serving.md; differences were 3e-7 and 3e-5."""
    data = load_adult()
    model = FM.random(data.X_train.shape[1], 16, rng=0)
    train(model, data.X_train, data.y_train, LogisticLoss(), max_iter=3, rng=0)
    wanted = auc(data.y_test, model.predict(data.X_test))
    assert wanted > 0.9
    for dtype, bound in ("float16", 1e-5), ("int8", 1e-4):
        small = quantize(model, dtype, fields=data.fields if dtype == "int8" else None)
        assert abs(auc(data.y_test, small.predict(data.X_test)) - wanted) < bound


@pytest.mark.parametrize(
    ("k", "dtype", "share"), [(16, "float16", 0.5), (16, "int8", 0.35), (32, "int8", 0.3)]
)
def test_sizes_of_files(k, dtype, share):
    """Of a model that is large beside the header of its file."""
    model = FM.random(20_000, k, rng=0)
    fields = np.arange(20_000) % 39 if dtype == "int8" else None
    assert _bytes(quantize(model, dtype, fields=fields)) <= share * _bytes(model) + 500  # the header


def _bytes(obj):
    file = io.BytesIO()
    save(obj, file)
    return file.tell()
