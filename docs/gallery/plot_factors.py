"""
How many factors?
=================

More factors can say more, and learn more noise. Ratings are planted here with four factors, so that one
knows what can be found. Without a penalty more factors than needed do harm. With a penalty they do less, and
with a Bayesian prior, whose strength Gibbs sampling draws from the data, next to none: then a model of
ratings can have 128 factors and lose little. On a table of categories that is not so.
"""

import matplotlib.pyplot as plt
import numpy as np
import scipy.sparse as sp
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.preprocessing import PolynomialFeatures

from fastfm_c import FM, LogisticLoss, SquaredLoss, train
from fastfm_c.bayes import sample
from fastfm_c.datasets import load_adult

rng = np.random.default_rng(0)
n_users, n_items, n_rows, noise = 500, 300, 20_000, 0.5
u, i = rng.integers(n_users, size=n_rows), rng.integers(n_items, size=n_rows)
left, right = rng.standard_normal((n_users, 4)) / 2, rng.standard_normal((n_items, 4))
y = np.sum(left[u] * right[i], axis=1) + noise * rng.standard_normal(n_rows)
columns = np.stack([u, n_users + i], axis=1).ravel()
X = sp.csr_array(
    (np.ones(2 * n_rows), columns, np.arange(0, 2 * n_rows + 1, 2)), shape=(n_rows, n_users + n_items)
)
learned, tested = slice(0, 15_000), slice(15_000, None)

factors = [2, 4, 8, 16, 32, 64, 128]
penalties = {"no penalty": 0.0, "l2_factors = 0.0002": 2e-4}
errors = {name: [] for name in (*penalties, "Bayesian prior")}


def rmse(predicted):
    return np.sqrt(np.mean((predicted - y[tested]) ** 2))


for k in factors:
    for name, l2 in penalties.items():
        model = FM.random(X.shape[1], k, init_stdev=0.1, rng=0)
        train(model, X[learned], y[learned], SquaredLoss(), solver="als", l2_factors=l2, max_iter=15)
        errors[name].append(rmse(model.predict(X[tested])))
    start = FM.random(X.shape[1], k, init_stdev=0.1, rng=0)
    groups = np.repeat([0, 1], [n_users, n_items])
    posterior = sample(
        start, X[learned], y[learned], SquaredLoss(), groups=groups, X_test=X[tested], n_iter=100, rng=0
    )
    errors["Bayesian prior"].append(rmse(posterior.mean()))


def show(values):
    print(f"{'k':>22}", *(f"{k:6}" for k in factors))
    for name, figures in values.items():
        print(f"{name:>22}", *(f"{figure:6.3f}" for figure in figures))


print("RMSE of rows that were not learned; the noise is", noise)
show(errors)
assert errors["Bayesian prior"][-1] < 1.1 * min(errors["Bayesian prior"])
assert errors["no penalty"][-1] > 2 * min(errors["no penalty"])

# %%
# A polynomial model of degree 2 has a weight for each pair of a user and an item. With 150,000 pairs and
# 15,000 rows most pairs are never seen, so it learns what a linear model learns, and noise.

pairs = sp.csr_array(
    (np.ones(n_rows), u * n_items + i, np.arange(n_rows + 1)), shape=(n_rows, n_users * n_items)
)
polynomial = sp.csr_array(sp.hstack([X, pairs]))
ridge = Ridge(alpha=3.0).fit(polynomial[learned], y[learned])
polynomial_error = rmse(ridge.predict(polynomial[tested]))
print(f"polynomial model {polynomial_error:.3f}, the mean {np.std(y[tested]):.3f}")

# %%
# Real data
# ---------
# The same on 3000 rows of the Adult data, by log-loss. Here the picture is another one. A few pairs tell
# most, and each column is in hundreds of rows, so a polynomial model learns its pairs well, and two factors
# are enough. The prior holds up to 8 factors and not to 128: it is drawn from the columns, and 128 factors of
# some 200 columns are more than 3000 labels can hold down. What is said of FM and many factors is said of
# ratings, where a user and an item meet seldom.

adult = load_adult()
rows = np.random.default_rng(1).choice(len(adult.y_train), 3000, replace=False)
X_adult, y_adult = adult.X_train[rows], adult.y_train[rows]
X_judged, y_judged = adult.X_test[:5000], adult.y_test[:5000]
losses = {name: [] for name in ("no penalty", "l2_factors = 0.003", "Bayesian prior")}
for k in factors:
    for name, l2 in ("no penalty", 0.0), ("l2_factors = 0.003", 3e-3):
        model = FM.random(X_adult.shape[1], k, init_stdev=0.1, rng=0)
        train(model, X_adult, y_adult, LogisticLoss(), solver="lbfgs", l2_factors=l2, max_iter=40)
        losses[name].append(LogisticLoss().mean(y_judged, model.predict(X_judged)))
    start = FM.random(X_adult.shape[1], k, init_stdev=0.02, rng=0)
    one_group = np.zeros(X_adult.shape[1], int)  # most fields have too few columns for a prior of their own
    options = {"groups": one_group, "X_test": X_judged, "n_iter": 100, "rng": 0}
    p = np.clip(sample(start, X_adult, y_adult, LogisticLoss(), **options).proba(), 1e-7, 1 - 1e-7)
    losses["Bayesian prior"].append(LogisticLoss().mean(y_judged, np.log(p / (1 - p))))
print("log-loss of the Adult test rows")
show(losses)

expand = PolynomialFeatures(2, interaction_only=True, include_bias=False)
logistic = LogisticRegression(C=0.03, max_iter=50).fit(expand.fit_transform(X_adult), y_adult)
scores = logistic.decision_function(expand.transform(X_judged))
polynomial_loss = LogisticLoss().mean(y_judged, scores)
print(f"polynomial model {polynomial_loss:.3f}")

figure, (above, below) = plt.subplots(1, 2, figsize=(9.5, 3.6), layout="constrained")
for axes, values, line, what in (
    (above, errors, polynomial_error, "RMSE, planted ratings"),
    (below, losses, polynomial_loss, "log-loss, Adult"),
):
    for name, figures in values.items():
        axes.semilogx(factors, figures, "o-", base=2, label=name)
    axes.axhline(line, linestyle="--", color="gray", label="polynomial model")
    axes.set_xlabel("factors k")
    axes.set_ylabel(what)
    axes.legend()
plt.show()
