"""
How many factors?
=================

More factors can say more, and learn more noise. Ratings are planted here with four factors, so that one
knows what can be found. Without a penalty more factors than needed do harm. With one they do little.
"""

import matplotlib.pyplot as plt
import numpy as np
import scipy.sparse as sp
from sklearn.linear_model import Ridge

from fastfm_c import FM, SquaredLoss, train

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

factors = [2, 4, 8, 16, 32, 128]
penalties = {"no penalty": 0.0, "l2_factors = 0.0001": 1e-4, "l2_factors = 0.0003": 3e-4}
errors = {name: [] for name in penalties}
for k in factors:
    for name, l2 in penalties.items():
        model = FM.random(X.shape[1], k, init_stdev=0.1, rng=0)
        train(model, X[learned], y[learned], SquaredLoss(), solver="lbfgs", l2_factors=l2, max_iter=60)
        errors[name].append(np.sqrt(np.mean((model.predict(X[tested]) - y[tested]) ** 2)))
print("RMSE of rows that were not learned; the noise is", noise)
print(f"{'k':>22}", *(f"{k:6}" for k in factors))
for name, values in errors.items():
    print(f"{name:>22}", *(f"{value:6.3f}" for value in values))

# %%
# A polynomial model of degree 2 has a weight for each pair of a user and an item. With 150,000 pairs and
# 15,000 rows most pairs are never seen, so it learns what a linear model learns, and noise.

pairs = sp.csr_array(
    (np.ones(n_rows), u * n_items + i, np.arange(n_rows + 1)), shape=(n_rows, n_users * n_items)
)
polynomial = sp.csr_array(sp.hstack([X, pairs]))
ridge = Ridge(alpha=3.0).fit(polynomial[learned], y[learned])
rmse = np.sqrt(np.mean((ridge.predict(polynomial[tested]) - y[tested]) ** 2))
print(f"polynomial model {rmse:.3f}, the mean {np.std(y[tested]):.3f}")

figure, axes = plt.subplots(figsize=(6, 3.6), layout="constrained")
for name, values in errors.items():
    axes.semilogx(factors, values, "o-", base=2, label=name)
axes.axhline(rmse, linestyle="--", color="gray", label="polynomial model")
axes.axhline(noise, linestyle=":", color="gray", label="noise")
axes.set_xlabel("factors k")
axes.set_ylabel("RMSE")
axes.legend()
plt.show()
