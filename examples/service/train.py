"""Train a model of Adult and write the bundle that the service loads: python train.py model.safetensors"""

import sys

import numpy as np

from fastfm_c import FieldEncoder, LogisticLoss, save
from fastfm_c.inspection import Drift
from fastfm_c.serving import quantize
from fastfm_c.sklearn import FMClassifier


def make_bundle(rows, y, **options):
    """Encoder, small model and reference of dict rows and their classes."""
    encoder = FieldEncoder(min_count=2)
    X = encoder.fit_transform(rows)
    fitted = FMClassifier(n_factors=8, random_state=0, **options).fit(X, y)
    model = quantize(fitted.model_, "float16")
    drift = Drift(encoder=encoder).fit(X, model.predict(X))
    return {"encoder": encoder, "model": model, "drift": drift}


def adult_rows():
    """The training rows of Adult as dicts, and whether each person earns more than 50,000 dollars."""
    from fastfm_c.datasets import load_adult

    data = load_adult()
    n_fields = len(data.field_names)
    field_of = np.array(data.field_names, object)[data.fields]
    values = [
        name.removeprefix(field).lstrip("=") for name, field in zip(data.feature_names, field_of, strict=True)
    ]
    columns = data.X_train.indices.reshape(-1, n_fields)
    return [{field_of[j]: values[j] for j in row} for row in columns.tolist()], data.y_train


if __name__ == "__main__":
    rows, y = adult_rows()
    bundle = make_bundle(rows, y)
    X = bundle["encoder"].transform(rows)
    print(f"{bundle['model']}: training log-loss {LogisticLoss().mean(y, bundle['model'].predict(X)):.4f}")
    save(bundle, sys.argv[1])
