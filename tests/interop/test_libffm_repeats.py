"""Models of libffm: features in two fields, and features that rows repeat."""

import numpy as np
import pytest
from helpers import foreign
from helpers.libffm_texts import read, table_of_first
from scipy.special import expit

from fastfm_c import FFM
from fastfm_c.interop import dump_libffm_model, load_libffm_model


def libffm_score(V, row, normalize):
    """What libffm computes of a row of (field, feature, value)."""
    score = 0.0
    for k, (f, i, x) in enumerate(row):
        for g, j, z in row[k + 1 :]:
            score += V[i, g] @ V[j, f] * x * z
    return score / sum(x * x for *_, x in row) if normalize else score


def test_a_model_of_libffm_is_read_with_the_columns_of_pairs(tmp_path):
    theirs = FFM.random([0, 1, 0], 4, init_stdev=1.0, rng=0)
    dump_libffm_model(theirs, tmp_path / "model")
    model = load_libffm_model(tmp_path / "model", table_of_first())
    np.testing.assert_array_equal(model.V, theirs.V[[0, 0, 1]])
    expected = libffm_score(theirs.V, [(1, 0, 1), (0, 0, 2), (0, 1, 3)], model.normalize)
    assert model.predict_row([0, 1, 2], [1.0, 2.0, 3.0]) == pytest.approx(expected, rel=1e-5)


def predicted(model, line):
    return model.predict(read(line, n_features=model.n_features, dtype="float64")[0])[0]


def test_a_row_that_repeats_a_feature_has_the_probability_that_libffm_printed(tmp_path):
    V = np.full((2, 2, 4), 0.25, np.float32)
    dump_libffm_model(FFM(0.0, [0.0, 0.0], V, [0, 1], normalize="instance"), tmp_path / "model")
    model = load_libffm_model(tmp_path / "model", [0, 1])
    assert expit(predicted(model, b"1 0:0:1 0:0:1 1:1:1")) == pytest.approx(0.562, abs=5e-4)


@pytest.mark.parametrize("name", [name for name in foreign.MODELS if name.startswith("libffm")])
def test_a_row_that_repeats_features_scores_as_in_libffm(name):
    model, rng = foreign.load(name), np.random.default_rng(0)
    for _ in range(20):
        features, values = rng.integers(60, size=6), rng.uniform(0.5, 2.0, 6)
        features[3:] = rng.choice(features[:3], 3)
        row = list(zip(foreign.FIELDS[features], features, values, strict=True))
        line = "1 " + " ".join(f"{f}:{j}:{x}" for f, j, x in row)
        expected = libffm_score(model.V.astype(float), row, model.normalize)
        expected = pytest.approx(expected, rel=1e-5, abs=1e-5)  # some digits of float32
        assert predicted(model, line.encode()) == expected
        assert model.predict_row(features, values) == expected
