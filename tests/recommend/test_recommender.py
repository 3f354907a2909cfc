"""FMRecommender: what it recommends, how it grows, and what it refuses."""

import pickle

import numpy as np
import pytest
import scipy.sparse as sp

from fastfm_c import load, save
from fastfm_c.recommend import (
    Candidates,
    FMRecommender,
    evaluate,
    from_frame,
    split_by_user,
)


def groups(rng, n_users=60, n_items=40, n_groups=4, share=0.5):
    """Users who like the items of their own group, some of them; with the groups as features."""
    user, item = rng.integers(0, n_groups, n_users), rng.integers(0, n_groups, n_items)
    liked = (user[:, None] == item) & (rng.random((n_users, n_items)) < share)
    features = [sp.csr_array(np.eye(n_groups)[group]) for group in (user, item)]
    return sp.csr_array(liked.astype(float)), features, user, item


def small(**options):
    defaults = dict(n_factors=8, max_iter=20, random_state=0)
    return FMRecommender(**defaults | options)


@pytest.mark.parametrize("loss", ["warp", "bpr", "logistic"])
@pytest.mark.parametrize("solver", ["adagrad", "adam"])
@pytest.mark.parametrize("own_pairs", [False, True])
def test_finds_the_groups(loss, solver, own_pairs):
    """Items of a user's own group come first, by chance a quarter of them would; 8 seeds gave .9 and more."""
    liked, features, user, item = groups(np.random.default_rng(0), 120, 80)
    rate = {"adagrad": 0.2, "adam": 0.02}[solver]
    for some in [], features:
        recommender = small(
            loss=loss, solver=solver, own_pairs=own_pairs, learning_rate=rate, max_iter=30, init_stdev=0.1
        )
        ids, scores = recommender.fit(liked, *some).recommend(np.arange(120), N=3)
        assert (item[ids] == user[:, None]).mean() > 0.8
        assert (np.diff(scores, axis=1) <= 0).all()


@pytest.mark.parametrize("own_pairs", [False, True])
def test_scores_are_those_of_the_model(own_pairs):
    liked, features, *_ = groups(np.random.default_rng(0))
    recommender = small(own_pairs=own_pairs, dtype="float64", max_iter=3).fit(liked, *features)
    users = recommender.user_rows()
    scores = recommender.item_candidates_.scores(users)
    items = recommender._items.rows(recommender.model_.n_features, "float64")
    m, n = scores.shape
    rows = sp.csr_array(users[np.repeat(np.arange(m), n)] + items[np.tile(np.arange(n), m)])
    if own_pairs:
        expected = recommender.model_.predict(rows)
    else:
        sums = [side @ recommender.model_.V for side in (users, items)]
        expected = recommender.model_.w0 + rows @ recommender.model_.w + (sums[0] @ sums[1].T).ravel()
    np.testing.assert_allclose(scores.ravel(), expected, rtol=1e-10, atol=1e-12)


def test_same_bits_for_threads_and_runs():
    liked, features, *_ = groups(np.random.default_rng(0), 300, 200)
    models = [
        small(n_jobs=n_jobs, n_factors=40, max_iter=3, batch_size=4096).fit(liked, *features).model_
        for n_jobs in (1, 1, 2, 3, 7)
    ]
    assert all(model == models[0] for model in models)
    assert small(random_state=1, max_iter=3).fit(liked).model_ != small(max_iter=3).fit(liked).model_


def test_seen_items_are_left_out():
    liked, *_ = groups(np.random.default_rng(0))
    recommender = small(max_iter=5).fit(liked)
    ids, _ = recommender.recommend(np.arange(60), N=40)
    for user, found in enumerate(ids):
        found = found[found >= 0]
        assert not liked[[user], found].any()
        assert len(found) == 40 - liked[[user]].nnz
    everything, _ = recommender.recommend(3, N=40, filter_already_liked_items=False)
    np.testing.assert_array_equal(np.sort(everything), np.arange(40))
    other = sp.csr_array(([1.0], ([0], [everything[0]])), shape=(1, 40))
    ids, _ = recommender.recommend(3, other, N=2)
    np.testing.assert_array_equal(ids, everything[1:3])


def test_some_items_alone():
    liked, *_ = groups(np.random.default_rng(0))
    recommender = small(max_iter=5).fit(liked)
    full, scores = recommender.recommend(7, N=40, filter_already_liked_items=False)
    ids, of_some = recommender.recommend(7, N=4, items=[5, 30, 2], filter_already_liked_items=False)
    mask = np.isin(full, [5, 30, 2])
    np.testing.assert_array_equal(ids, [*full[mask], -1])
    np.testing.assert_array_equal(of_some[:3], scores[mask])


def test_similar():
    liked, _, user, item = groups(np.random.default_rng(0))
    recommender = small(max_iter=40).fit(liked)
    ids, scores = recommender.similar_items(np.arange(40), N=3)
    assert (ids != np.arange(40)[:, None]).all()
    assert (item[ids] == item[:, None]).mean() > 0.9
    rows = recommender._items.rows(recommender.model_.n_features, "float64") @ recommender.model_.V
    unit = rows / np.linalg.norm(rows, axis=1)[:, None]
    np.testing.assert_allclose(scores[4], (unit @ unit[4])[ids[4]], rtol=1e-5)
    ids, _ = recommender.similar_users(5, N=4)
    assert ids.shape == (4,)
    assert 5 not in ids
    assert (user[ids] == user[5]).mean() >= 0.75


def test_unknown_users_and_items_by_features():
    liked, (of_users, of_items), *_ = groups(np.random.default_rng(0))
    cold = liked.toarray()
    cold[:, 30:] = 0  # nobody has seen these items
    recommender = small(max_iter=60).fit(sp.csr_array(cold), of_users, of_items)
    ids, _ = recommender.recommend(None, user_features=np.eye(4), items=np.arange(30, 40), N=2)
    group_of = of_items.toarray().argmax(axis=1)
    assert (group_of[ids] == np.arange(4)[:, None]).mean() >= 0.75


def test_growing_keeps_the_scores_of_before():
    liked, features, *_ = groups(np.random.default_rng(0))
    for with_features in False, True:
        recommender = small(max_iter=3).fit(liked, *(features if with_features else ()))
        before = recommender.item_candidates_.scores(recommender.user_rows())
        more = [sp.csr_array(sp.vstack([X, X[:5]])) for X in features] if with_features else []
        recommender.partial_fit(sp.csr_array((65, 45)), *more)
        after = recommender.item_candidates_.scores(recommender.user_rows())
        assert after.shape == (65, 45)
        np.testing.assert_array_equal(after[:60, :40], before)
        recommender.partial_fit(sp.csr_array((np.ones(3), ([64] * 3, [44, 1, 2])), shape=(65, 45)))
        assert (recommender.user_rows() != 0).shape[0] == 65
        ids, _ = recommender.recommend(64, N=45)
        assert not {44, 1, 2} & set(ids.tolist())


def test_partial_fit_from_the_start_is_fit():
    liked, features, *_ = groups(np.random.default_rng(0))
    assert small().partial_fit(liked, *features).model_ == small(max_iter=1).fit(liked, *features).model_


def test_stops_early_and_keeps_the_best():
    liked, *_ = groups(np.random.default_rng(0), 200, 60, share=0.6)
    train, held_out = split_by_user(liked, 0.3, rng=0)
    for measure in "ndcg", "precision":
        recommender = small(max_iter=100, early_stopping=measure, eval_k=5, n_iter_no_change=3)
        recommender.fit(train, X_val=held_out)
        history = recommender.history_
        assert history.metric == f"{measure}@5"
        assert history.stop_reason == "early_stopping"
        found = evaluate(recommender, train, held_out, K=5)
        np.testing.assert_allclose(found[measure], max(history.validation), rtol=1e-12)


def test_callbacks_and_interruption():
    liked, *_ = groups(np.random.default_rng(0))
    seen = []
    recommender = small().fit(liked, callbacks=lambda info: seen.append(info.epoch) or info.epoch == 4)
    assert seen == [1, 2, 3, 4]
    assert recommender.history_.stop_reason == "callback"

    def interrupt(info):
        raise KeyboardInterrupt

    recommender = small()
    with pytest.raises(KeyboardInterrupt):
        recommender.fit(liked, callbacks=interrupt)
    assert recommender.recommend(0)[0].shape == (10,)


def test_weights_are_products():
    liked, *_ = groups(np.random.default_rng(0))
    weighted = liked.copy()
    weighted.data = np.random.default_rng(1).random(liked.nnz) + 0.5
    twice = small(max_iter=2).fit(liked, sample_weight=weighted).model_
    assert twice == small(max_iter=2).fit(weighted).model_
    assert twice != small(max_iter=2).fit(liked).model_


def test_ids_of_any_type(tmp_path):
    rng = np.random.default_rng(0)
    liked, *_ = groups(rng)
    rows, columns = liked.nonzero()
    order = rng.permutation(len(rows))
    frame = {"who": [f"u{i}" for i in rows[order]], "what": [(int(i), "x") for i in columns[order]]}
    seen = from_frame(frame, user="who", item="what")
    recommender = small().fit(seen)
    ids, scores = recommender.recommend("u3", N=3)
    assert ids.shape == (3,)
    assert all(isinstance(i, tuple) for i in ids)
    save(recommender, tmp_path / "r.safetensors")
    again = load(tmp_path / "r.safetensors")
    np.testing.assert_array_equal(again.recommend("u3", N=3)[1], scores)
    assert list(again.recommend("u3", N=3)[0]) == list(ids)
    more = from_frame(
        {"who": ["new"], "what": [(99, "x")]}, user="who", item="what", users=seen.users, items=seen.items
    )
    again.partial_fit(more)
    assert (99, "x") not in again.recommend("new", N=100)[0].tolist()
    assert "new" not in seen.users
    with pytest.raises(ValueError, match="user 'nobody' is not known"):
        again.recommend("nobody")


def test_saved_and_pickled_it_goes_on_the_same(tmp_path):
    liked, features, *_ = groups(np.random.default_rng(0))
    recommender = small(max_iter=3, solver="adam").fit(liked, *features)
    save(recommender, tmp_path / "r.safetensors")
    copies = [load(tmp_path / "r.safetensors"), pickle.loads(pickle.dumps(recommender))]
    assert copies[0].get_params() == recommender.get_params()
    for again in copies:
        assert repr(again) == repr(recommender)
        again.partial_fit(liked)
    recommender.partial_fit(liked)
    for again in copies:
        assert again.model_ == recommender.model_
        np.testing.assert_array_equal(again.recommend(4)[0], recommender.recommend(4)[0])


def test_parameters():
    recommender = FMRecommender(loss="bpr", n_factors=3)
    assert repr(recommender) == "FMRecommender(n_factors=3, loss='bpr')"
    assert recommender.set_params(l2_factors=0.5).get_params()["l2_factors"] == 0.5
    with pytest.raises(ValueError, match="'factors' is no parameter"):
        recommender.set_params(factors=3)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (dict(loss="hinge"), "loss must be one of 'warp', 'bpr', 'logistic', got 'hinge'"),
        (dict(n_factors=0), "n_factors must be a positive integer"),
        (dict(max_sampled=0), "max_sampled must be a positive integer"),
        (dict(learning_rate=-1), "learning_rate must be a finite number > 0"),
        (dict(dtype="int8"), "dtype must be float32 or float64"),
        (dict(identity=False), "identity=False needs user_features"),
    ],
)
def test_refuses_options(options, message):
    with pytest.raises(ValueError, match=message):
        FMRecommender(**options).fit(sp.csr_array(np.eye(3)))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((np.eye(3),), "user_items must be a sparse matrix, got ndarray"),
        ((sp.csr_array(-np.eye(3)),), "row 0 of user_items holds -1.0"),
        ((sp.csr_array(np.eye(3)), np.ones((2, 1))), "user_features has 2 rows, expected 3"),
        ((sp.csr_array(np.eye(3)), None, np.full((3, 1), np.nan)), "row 0 of item_features holds a value"),
        ((sp.csr_array(np.eye(3)), None, None, sp.csr_array((3, 3))), "sample_weight has no entry in row 0"),
    ],
)
def test_refuses_data(arguments, message):
    with pytest.raises(ValueError, match=message):
        FMRecommender().fit(*arguments)


def test_refuses_questions():
    recommender = small(max_iter=1)
    with pytest.raises(Exception, match="not fitted"):
        recommender.recommend(0)
    recommender.fit(sp.csr_array(np.eye(3)))
    for call, message in (
        (lambda: recommender.recommend(3), "user 3 is outside 0..2"),
        (lambda: recommender.recommend(-1), "user -1 is outside 0..2"),
        (lambda: recommender.recommend(0.5), "user must be an integer"),
        (lambda: recommender.recommend(0, items=[7]), "item 7 is outside 0..2"),
        (lambda: recommender.recommend(0, N=0), "N must be a positive integer"),
        (lambda: recommender.recommend(0, sp.csr_array((2, 3))), r"user_items has shape \(2, 3\)"),
        (lambda: recommender.recommend(None, user_features=np.eye(3)), "no user features were learned"),
        (lambda: recommender.similar_items(9), "item 9 is outside 0..2"),
        (lambda: recommender.partial_fit(sp.csr_array((2, 3))), "user_items has 2 users"),
    ):
        with pytest.raises(ValueError, match=message):
            call()


def test_candidates_of_a_recommender_are_candidates():
    recommender = small(max_iter=1).fit(sp.csr_array(np.eye(3)))
    assert isinstance(recommender.item_candidates_, Candidates)
    assert recommender.item_candidates_.n_candidates == 3
