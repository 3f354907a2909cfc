"""Ids of users and items, and splits of interactions."""

import numpy as np
import pytest
import scipy.sparse as sp

from fastfm_c import FM
from fastfm_c.recommend import Candidates, Ids, from_frame, leave_last_out, split_by_user


def test_ids():
    ids = Ids(np.array([7, 3, 7]))
    assert ids.keys() == [7, 3]
    assert len(ids) == 2
    assert 3 in ids
    assert ids.keys([-1, 0]) == [None, 7]
    assert ids == Ids([7, 3])


def test_leave_last_out():
    when = sp.csr_array([[3.0, 1.0, 2.0], [0, 5.0, 0], [2.0, 2.0, 0]])
    liked = sp.csr_array((when.toarray() > 0).astype(float))
    train, test = leave_last_out(liked, when)
    np.testing.assert_array_equal(test.toarray(), [[1, 0, 0], [0, 0, 0], [0, 1, 0]])
    np.testing.assert_array_equal((train + test).toarray(), liked.toarray())


def test_split_by_user():
    liked = sp.csr_array(sp.random(50, 40, 0.5, "csr", random_state=0))
    train, test = split_by_user(liked, 0.3, rng=1)
    np.testing.assert_array_equal((train + test).toarray(), liked.toarray())
    np.testing.assert_array_equal(np.diff(test.indptr), np.floor(np.diff(liked.indptr) * 0.3))


def test_from_frame_sums_the_weights_of_pairs():
    frame = {"u": ["a", "b", "a"], "i": [1, 2, 1], "w": [1.0, 2.0, 3.0]}
    seen = from_frame(frame, "u", "i", "w")
    np.testing.assert_array_equal(seen.matrix.toarray(), [[4, 0], [0, 2]])
    pd = pytest.importorskip("pandas")
    other = from_frame(pd.DataFrame(frame), user="u", item="i", weight="w")
    np.testing.assert_array_equal(other.matrix.toarray(), seen.matrix.toarray())
    assert other.items.keys() == [1, 2]


def test_refuses():
    with pytest.raises(ValueError, match="column 'u' has 1 values, column 'i' has 2"):
        from_frame({"u": ["a"], "i": [1, 2]}, "u", "i")
    with pytest.raises(ValueError, match="times must have an entry"):
        leave_last_out(sp.csr_array(np.eye(2)), sp.csr_array((2, 2)))


def test_a_library_of_nearest_neighbours_finds_the_best():
    """hnswlib is approximate: with a wide search it finds nearly all."""
    hnswlib = pytest.importorskip("hnswlib")
    rng = np.random.default_rng(0)
    model = FM.random(600, 8, init_stdev=0.5, rng=0)
    candidates = Candidates(model, sp.csr_array(sp.eye(500, 600, k=100)))
    contexts = sp.csr_array((np.ones(20), rng.integers(0, 100, 20), np.arange(21)), shape=(20, 600))
    vectors, queries = candidates.vectors(), candidates.query_vectors(contexts)
    index = hnswlib.Index(space="ip", dim=vectors.shape[1])
    index.init_index(max_elements=len(vectors), ef_construction=400, M=32, random_seed=1)
    index.add_items(vectors, num_threads=1)
    index.set_ef(300)
    found, _ = index.knn_query(queries, k=10, num_threads=1)
    exact, _ = candidates.top_k(contexts, 10)
    recall = np.mean([len(set(a) & set(b)) / 10 for a, b in zip(found.tolist(), exact.tolist(), strict=True)])
    assert recall >= 0.95
