"""What newcomers give: refused with the place named, or understood."""

import numpy as np
import pytest
import scipy.sparse as sp

from fastfm_c import load, save
from fastfm_c.recommend import FMRecommender, Ids, Interactions, from_frame


def small():
    return FMRecommender(n_factors=3, max_iter=2, random_state=0)


@pytest.fixture
def liked():
    return sp.csr_array(sp.random(20, 15, 0.4, "csr", random_state=np.random.default_rng(0)))


@pytest.mark.parametrize("shape", [(0, 0), (3, 0), (0, 3), (3, 4)])
def test_matrices_without_interactions(shape, tmp_path):
    recommender = small().fit(sp.csr_array(shape))
    ids, scores = recommender.recommend(np.arange(shape[0]), N=5)
    assert ids.shape == scores.shape == (shape[0], 5)
    assert ((ids >= 0).sum(axis=1) == min(shape[1], 5)).all()
    save(recommender, tmp_path / "r.safetensors")
    assert load(tmp_path / "r.safetensors").n_items_ == shape[1]


def test_users_who_have_seen_everything():
    ids, scores = small().fit(sp.csr_array(np.ones((3, 4)))).recommend([0, 2], N=9)
    assert (ids == -1).all()
    assert np.isneginf(scores).all()


def test_other_formats_and_types_are_the_same(liked):
    liked.data[:] = 1
    wide, shuffled = liked.copy(), liked.copy()
    wide.indices, wide.indptr = wide.indices.astype(np.int64), wide.indptr.astype(np.int64)
    for begin, end in zip(liked.indptr[:-1], liked.indptr[1:], strict=True):
        shuffled.indices[begin:end] = shuffled.indices[begin:end][::-1]
    shuffled.has_sorted_indices = False
    others = wide, shuffled, liked.tocsc(), liked.tocoo(), liked > 0, liked.astype(np.int8)
    expected = small().fit(liked).model_
    assert all(small().fit(other).model_ == expected for other in others)


@pytest.mark.parametrize(
    ("name", "place", "value", "message"),
    [
        ("indices", 3, 99, r"user_items: row 0 has column index 99, outside 0\.\.14"),
        ("indices", -1, -1, r"user_items: row 19 has column index -1, outside 0\.\.14"),
        ("indptr", 4, 10**6, "user_items: indptr is broken at row 3"),
        ("indptr", 4, 0, "user_items: indptr is broken at row 3"),
        ("indptr", 0, 1, "user_items: indptr is broken at row 0"),
        ("data", -1, np.nan, "row 19 of user_items holds nan"),
    ],
)
def test_a_malformed_matrix_is_refused_with_the_row(liked, name, place, value, message):
    assert np.diff(liked.indptr).min() > 0
    getattr(liked, name)[place] = value
    with pytest.raises(ValueError, match=message):
        small().fit(liked)


def test_a_fit_that_is_refused_leaves_what_was_fitted(liked):
    recommender = small().fit(liked)
    expected = recommender.recommend(0)
    for bad in (-liked,), (liked, np.ones((3, 3))):
        with pytest.raises(ValueError, match="expected"):
            recommender.fit(*bad)
        np.testing.assert_array_equal(recommender.recommend(0), expected)
    fresh = small()
    with pytest.raises(ValueError, match="expected"):
        fresh.partial_fit(-liked)
    with pytest.raises(Exception, match="not fitted"):
        fresh.recommend(0)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"u": [1, None, 2]}, "column 'u': an id is missing: number 1 is None"),
        ({"i": [1.0, 2.0, np.nan]}, "column 'i': an id is missing: number 2 is nan"),
        (
            {"i": np.array(["2026-01-01", "NaT", "2026-01-02"], "M8[s]")},
            "column 'i': an id is missing: number 1",
        ),
        ({"u": [[1], [2], [3]]}, r"column 'u': an id is \[1\], which has no hash"),
        ({"w": [1, -2, 2]}, "row 1 of column 'w' holds -2.0, expected finite weights >= 0"),
        ({"w": [1, 2, np.nan]}, "row 2 of column 'w' holds nan"),
        ({"w": ["a", "b", "c"]}, "column 'w': could not convert"),
        ({"w": [1, 2]}, r"column 'w' has shape \(2,\), expected \(3,\)"),
    ],
)
def test_refuses_frames(changes, message):
    frame = {"u": [1, 1, 2], "i": [1, 1, 2], "w": [1.0, 1.0, 1.0]} | changes
    with pytest.raises(ValueError, match=message):
        from_frame(frame, "u", "i", "w")


def test_refuses_frames_without_the_column():
    with pytest.raises(ValueError, match="the frame has no column 'x'"):
        from_frame({"u": [1], "i": [1]}, "u", "x")
    pd = pytest.importorskip("pandas")
    with pytest.raises(ValueError, match="the frame has no column 'x'"):
        from_frame(pd.DataFrame({"u": [1]}), "x", "u")
    with pytest.raises(ValueError, match="column 'u': an id is missing: number 1"):
        from_frame(pd.DataFrame({"u": pd.array(["a", None], dtype="string"), "i": [1, 2]}), "u", "i")


def test_an_id_may_be_a_tuple_and_one_may_be_asked_for():
    seen = from_frame({"u": [(1, ("x", 2)), (2, ("y", 2)), "z"], "i": [1, "1", (1, 2)]}, "u", "i")
    recommender = small().fit(seen)
    one, _ = recommender.recommend((1, ("x", 2)), N=2)
    many, _ = recommender.recommend([(1, ("x", 2)), "z"], N=2)
    assert one.shape == (2,)
    assert list(many[0]) == list(one)
    assert recommender.similar_items((1, 2), N=2)[0].shape == (2,)
    with pytest.raises(ValueError, match="which has no hash"):
        recommender.recommend([["z"]])


def test_ids_stay_with_their_rows():
    seen = from_frame({"u": ["a", "b", "c", "a"], "i": [10, 20, 30, 20]}, "u", "i")
    recommender = small().fit(seen)
    recommender.partial_fit(seen.matrix)  # a matrix of the same users and items
    assert recommender.recommend("a", N=1)[0].tolist() == [30]
    more = sp.csr_array((4, 3))
    other = from_frame({"u": ["x", "y", "z"], "i": [10, 20, 30]}, "u", "i")
    for given, message in (
        (more, "user_items has 4 users, but there are ids of 3"),
        (other, "users must begin with those of before"),
        (Interactions(more, seen.users, seen.items), "user_items has 4 users, but there are ids of 3"),
        (Interactions(seen.matrix, seen.users, ["p", "q", "r"]), "items must be Ids, got list"),
    ):
        with pytest.raises(ValueError, match=message):
            recommender.partial_fit(given)
    assert recommender.user_ids_ == Ids(["a", "b", "c"])
    grown = from_frame({"u": ["d"], "i": [40]}, "u", "i", users=seen.users, items=seen.items)
    assert recommender.partial_fit(grown).user_ids_.keys() == ["a", "b", "c", "d"]
