"""Files of pipelines that encode some columns."""

import numpy as np
import pytest

pytest.importorskip("sklearn")

from sklearn.compose import ColumnTransformer
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from fastfm_c import FieldEncoder, load, save
from fastfm_c.sklearn import FFMClassifier, FieldColumnTransformer


@pytest.mark.parametrize("fitted", [True, False])
@pytest.mark.parametrize("create", [ColumnTransformer, FieldColumnTransformer])
def test_an_encoder_in_a_column_transformer_comes_back(tmp_path, create, fitted):
    """The transformer keeps the encoder as it was given, which is not fitted, beside the fitted one."""
    X = np.array([[f"a{i % 9}", f"b{i % 7}", float(i)] for i in range(90)], object)
    y = np.arange(90) % 2
    columns = create([("f", FieldEncoder(), [0, 1]), ("n", StandardScaler(), [2])])
    fields = None if create is FieldColumnTransformer else "one-hot"
    pipe = make_pipeline(columns, FFMClassifier(fields=fields, max_iter=2, random_state=0))
    if fitted:
        pipe.fit(X, y)
    save(pipe, tmp_path / "pipe")
    other = load(tmp_path / "pipe")
    assert type(other[0]) is create
    assert repr(other) == repr(pipe)
    if fitted:
        np.testing.assert_array_equal(other.predict_proba(X), pipe.predict_proba(X))
        assert other[-1].model_ == pipe[-1].model_
        assert vars(other[0]).keys() == vars(pipe[0]).keys()
    np.testing.assert_array_equal(other.fit(X, y).predict_proba(X), pipe.fit(X, y).predict_proba(X))
