"""
Ratings, and how sure they are
==============================

Gibbs sampling draws the parameters of a factorization machine again and again, from their distribution given
the ratings (Freudenthaler, Schmidt-Thieme and Rendle 2011). A prediction is the mean over the samples, and
their spread says how little is known. There is no penalty and no learning rate to choose.
"""

import itertools

import matplotlib.pyplot as plt
import numpy as np
import scipy.sparse as sp

from fastfm_c import FM, SquaredLoss, train
from fastfm_c.bayes import sample

rng = np.random.default_rng(0)
n_users, n_items, n_rows, noise = 800, 300, 24_000, 0.7
activity = rng.zipf(1.4, n_users).clip(max=60).astype(float)  # most users rate little
user = rng.choice(n_users, n_rows, p=activity / activity.sum())
item = rng.integers(n_items, size=n_rows)
likes, kinds = rng.standard_normal((n_users, 3)), rng.standard_normal((n_items, 3)) / 2
stars = 3.5 + np.sum(likes[user] * kinds[item], axis=1) + noise * rng.standard_normal(n_rows)
columns = np.stack([user, n_users + item], axis=1).ravel()
X = sp.csr_array(
    (np.ones(2 * n_rows), columns, np.arange(0, 2 * n_rows + 1, 2)), shape=(n_rows, n_users + n_items)
)
learned, tested = slice(0, 16_000), slice(16_000, None)

# %%
# Users and items are two groups of columns: each has penalties of its own, which are drawn too.

groups = np.repeat([0, 1], [n_users, n_items])
start = FM.random(X.shape[1], 8, init_stdev=0.3, rng=0)
posterior = sample(
    start, X[learned], stars[learned], SquaredLoss(), groups=groups, X_test=X[tested], keep=32, rng=0
)
expected, doubt = posterior.mean(), posterior.std()
alpha = np.mean(posterior.trace["alpha"][20:])
print(f"noise found {alpha**-0.5:.2f}, planted {noise}")


def rmse(predicted):
    return np.sqrt(np.mean((predicted - stars[tested]) ** 2))


print(f"RMSE {rmse(expected):.3f}; {noise} would be perfect")
penalised = {}
for l2 in (1e-4, 3e-4, 1e-3, 3e-3):
    model = FM.random(X.shape[1], 8, init_stdev=0.1, rng=0)
    train(model, X[learned], stars[learned], SquaredLoss(), solver="als", l2_linear=l2 / 4, l2_factors=l2)
    penalised[l2] = rmse(model.predict(X[tested]))
print("ALS, by its penalty:", ", ".join(f"{l2:g}: {error:.3f}" for l2, error in penalised.items()))

# %%
# Is the doubt right?
# -------------------
# A new rating differs from its prediction by the doubt about the score and by the noise. If both are right,
# 90 % of the ratings lie within 1.64 standard deviations, for users with few ratings as for others. A model
# that knows only the noise is too sure of those that it hardly knows.

total = np.sqrt(doubt**2 + 1 / alpha)
n_ratings = np.bincount(user[learned], minlength=n_users)[user[tested]]
bounds = [0, 3, 10, 30, 10_000]
middle, within, by_noise, mean_doubt = [], [], [], []
for low, high in itertools.pairwise(bounds):
    rows = (n_ratings >= low) & (n_ratings < high)
    off = np.abs(expected - stars[tested])[rows]
    middle.append(f"{low} to {high - 1}" if high < bounds[-1] else f"{low} and more")
    within.append(np.mean(off < 1.645 * total[rows]))
    by_noise.append(np.mean(off < 1.645 * alpha**-0.5))
    mean_doubt.append(doubt[rows].mean())
    print(
        f"{middle[-1]:>12} ratings of the user: doubt {mean_doubt[-1]:.2f}, "
        f"{within[-1]:.0%} within the interval, {by_noise[-1]:.0%} with noise alone"
    )
assert abs(np.mean(np.abs(expected - stars[tested]) < 1.645 * total) - 0.9) < 0.02

figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.4), layout="constrained")
left.bar(middle, mean_doubt)
left.set_xlabel("ratings of the user")
left.set_ylabel("doubt, in stars")
left.tick_params(axis="x", labelrotation=25)
right.plot(middle, within, "o-", label="doubt and noise")
right.plot(middle, by_noise, "s--", label="noise alone")
right.axhline(0.9, linestyle=":", color="gray")
right.set_xlabel("ratings of the user")
right.set_ylabel("share within the 90 % interval")
right.tick_params(axis="x", labelrotation=25)
right.legend()
plt.show()
