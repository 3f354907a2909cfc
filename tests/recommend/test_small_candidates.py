"""Candidates of models with small parameters."""

import numpy as np
import pytest
import scipy.sparse as sp
from helpers.candidates import BOUND, N_FEATURES, joined, problem, without_signs
from helpers.levels import at_all_levels
from helpers.make import make_csr, make_model

from fastfm_c import FFM, FM, load, save
from fastfm_c.recommend import Candidates
from fastfm_c.serving import quantize


@pytest.mark.parametrize("kind", [FM, FFM])
@pytest.mark.parametrize("dtype", ["float16", "int8"])
@pytest.mark.parametrize("k", [1, 3, 16, 70])
def test_small_parameters_have_the_bits_of_the_float32_model(kind, dtype, k, tmp_path):
    """k = 70 is more than is widened at a time."""
    rng = np.random.default_rng(k)
    model, contexts, candidates = problem(rng, kind, k, "float32", lengths=20)
    fields = rng.integers(0, 3, N_FEATURES) if kind is FM and dtype == "int8" else None
    small = quantize(model, dtype, fields=fields)
    save(small, tmp_path / "small")
    for own_pairs in True, False:
        wanted = Candidates(small.full(), candidates, own_pairs=own_pairs)
        for given in small, load(tmp_path / "small"):
            items = Candidates(given, candidates, own_pairs=own_pairs)
            assert items.dtype == np.float32
            for index in "int32", "int64":
                contexts.indptr, contexts.indices = (
                    a.astype(index) for a in (contexts.indptr, contexts.indices)
                )
                for n in 1, 3:
                    found = at_all_levels(
                        lambda items=items, n=n: [
                            items.scores(contexts, num_threads=n),
                            *items.top_k(contexts, 5, num_threads=n),
                            items.vectors(),
                            items.query_vectors(contexts),
                        ]
                    )
                    expected = [wanted.scores(contexts), *wanted.top_k(contexts, 5)]
                    expected += [wanted.vectors(), wanted.query_vectors(contexts)]
                    for mine, theirs in zip(found, expected, strict=True):
                        np.testing.assert_array_equal(mine, theirs)
    rows = joined(contexts, candidates)
    terms = without_signs(small.full()).predict(abs(rows)).reshape(wanted.scores(contexts).shape)
    scores = Candidates(small, candidates).scores(contexts)
    assert (abs(scores - small.predict(rows).reshape(scores.shape)) <= BOUND["float32"] * terms).all()


def test_long_rows_of_small_parameters():
    """More values than a run has."""
    rng = np.random.default_rng(0)
    model = make_model(rng, (), 200, 5, "float32")
    X = make_csr(rng, [0, 100, 33], 100, "float64", "int64")
    candidates = sp.csr_array((X.data, X.indices + 100, X.indptr), shape=(3, 200))
    X.resize(3, 200)
    for dtype in "float16", "int8":
        small = quantize(model, dtype)
        wanted = Candidates(small.full(), candidates).scores(X)
        np.testing.assert_array_equal(Candidates(small, candidates).scores(X), wanted)


def test_refuses_small_models_of_several_outputs():
    small = quantize(FM.random(4, 2, n_outputs=3, rng=0))
    with pytest.raises(ValueError, match="model has 3 outputs"):
        Candidates(small, sp.csr_array([[0, 0, 1.0, 0]]))
