"""
Ten items for a user, new ones too
==================================

A shop wants the ten best items for each user. `FMRecommender` learns from who took what. Features of users
and items let it say something of those that nobody has seen yet: the cold start.
"""

import matplotlib.pyplot as plt
import numpy as np
import scipy.sparse as sp

from fastfm_c.recommend import FMRecommender, evaluate, split_by_user

rng = np.random.default_rng(0)
n_users, n_items, n_tastes, n_genres = 1500, 600, 6, 12
taste = rng.dirichlet(np.full(n_tastes, 0.2), n_users)
genre = rng.integers(n_genres, size=n_items)
fit = rng.gamma(0.1, size=(n_tastes, n_genres))  # of a genre to a taste
popularity = 1 / (1 + rng.permutation(n_items)) ** 0.4
chance = (taste @ fit)[:, genre] * popularity
took = rng.random((n_users, n_items)) < 20 * chance / chance.sum(axis=1, keepdims=True)

# %%
# What is known: the genre of an item, and of a user what he ticked when he came (his strongest taste, or in
# one of five cases another one).

ticked = np.where(rng.random(n_users) < 0.8, taste.argmax(axis=1), rng.integers(n_tastes, size=n_users))
of_users, of_items = sp.csr_array(np.eye(n_tastes)[ticked]), sp.csr_array(np.eye(n_genres)[genre])
seen, new = slice(0, 1200), slice(1200, None)
rest, test = split_by_user(sp.csr_array(took[seen].astype(np.float32)), 0.25, rng=0)
train, validation = split_by_user(rest, 0.1, rng=1)  # which says when to stop

# %%
# Users who are known
# -------------------

models = {
    "ids alone": FMRecommender(n_factors=8, random_state=0).fit(train, X_val=validation),
    "ids and features": FMRecommender(n_factors=8, random_state=0).fit(
        train, of_users[seen], of_items, X_val=validation
    ),
}
most_taken = np.asarray(rest.sum(axis=0)).ravel()


def share_found(ids, wanted):
    """Recall at 10: mean share of what a user took that is among his ten."""
    hits = [
        np.isin(list_of_ten, np.flatnonzero(row)).sum() for list_of_ten, row in zip(ids, wanted, strict=True)
    ]
    n = wanted.sum(axis=1)
    return np.mean(np.array(hits)[n > 0] / np.minimum(n[n > 0], 10))


def tens(worth):
    """The ten items of the highest worth for each user."""
    return np.argsort(-worth, axis=1)[:, :10]


known_before, held_out = rest.toarray() > 0, test.toarray() > 0
known = {"most taken": share_found(tens(np.where(known_before, -1, most_taken)), held_out)}
for name, model in models.items():
    ids, _ = model.recommend(np.arange(rest.shape[0]), rest, N=10)
    known[name] = share_found(ids, held_out)
    measures = evaluate(model, rest, test, K=10)
    print(name, {measure: round(float(value), 3) for measure, value in measures.items()})
known["who knows the chances"] = share_found(tens(np.where(known_before, -1, chance[seen])), held_out)
for name, value in known.items():
    print(f"known users, {name}: {value:.3f} of what they took is among the ten")

# %%
# Users who are new
# -----------------
# They took nothing yet. Without features there is only what most people take. With features there are the
# vectors of what a new user ticked.

wanted = took[new]
cold = {"most taken": share_found(tens(np.tile(most_taken, (len(wanted), 1))), wanted)}
ids, _ = models["ids and features"].recommend(None, user_features=of_users[new], N=10)
cold["features"] = share_found(ids, wanted)
cold["who knows the chances"] = share_found(tens(chance[new]), wanted)
for name, value in cold.items():
    print(f"new users, {name}: {value:.3f} of what they took is among the ten")
assert cold["features"] > 1.1 * cold["most taken"]

figure, axes = plt.subplots(figsize=(6, 3), layout="constrained")
axes.barh([f"known: {name}" for name in known], list(known.values()))
axes.barh([f"new: {name}" for name in cold], list(cold.values()), color="tab:orange")
axes.invert_yaxis()
axes.set_xlabel("share of what a user took that is among his ten")
plt.show()
