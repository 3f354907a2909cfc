r"""
One model, many names
=====================

Models with names of their own are factorization machines of certain features (Rendle 2010, section 5). Four
of them are written here both ways: as rows of an FM, and by the formula of their paper. The scores are equal.

Words: u is a user, i an item, t a tag, L the items that a user has used before, k the number of factors.
"""

import matplotlib.pyplot as plt
import numpy as np
import scipy.sparse as sp

from fastfm_c import FM, SquaredLoss, train

rng = np.random.default_rng(0)
n_users, n_items, n_tags, k = 30, 20, 8, 4


def rows(*parts):
    """CSR rows from blocks of columns: (indices, values, width) of each, in order."""
    blocks = []
    for indices, values, width in parts:
        n, each = np.shape(indices)
        data = np.broadcast_to(np.asarray(values, float), (n, each)).ravel()
        blocks.append(
            sp.csr_array((data, np.ravel(indices), np.arange(0, n * each + 1, each)), shape=(n, width))
        )
    return sp.csr_array(sp.hstack(blocks))


def random_model(n_features):
    model = FM.random(n_features, k, init_stdev=0.5, dtype="float64", rng=rng)
    model.w0 = 0.3
    model.w[:] = rng.standard_normal(n_features)
    return model


def pair(a, b):
    return np.sum(a * b, axis=-1)


u, i, t = (rng.integers(n, size=200) for n in (n_users, n_items, n_tags))
L = np.array([rng.choice(n_items, 5, replace=False) for _ in u])
user = (u[:, None], 1, n_users)
item = (i[:, None], 1, n_items)

# %%
# Matrix factorization
# --------------------
# A row has its user and its item: :math:`w_0 + w_u + w_i + \langle v_u, v_i \rangle`.

X = rows(user, item)
model = random_model(X.shape[1])
w_u, w_i = model.w[:n_users], model.w[n_users:]
v_u, v_i = model.V[:n_users], model.V[n_users:]
formula = model.w0 + w_u[u] + w_i[i] + pair(v_u[u], v_i[i])
print("matrix factorization: largest difference", abs(model.predict(X) - formula).max())
assert np.allclose(model.predict(X), formula, rtol=0, atol=1e-10)

# %%
# SVD++
# -----
# A row has the items that the user has used before, too, each with the value :math:`1 / \sqrt{|L|}` (Koren
# 2008; Rendle 2010, equation 8). The first line is SVD++. The second line is what an FM adds to it: biases
# of those items, and their pairs with the user and with each other.

share = 1 / np.sqrt(L.shape[1])
X = rows(user, item, (L, share, n_items))
model = random_model(X.shape[1])
w_u, w_i, w_l = np.split(model.w, [n_users, n_users + n_items])
v_u, v_i, v_l = np.split(model.V, [n_users, n_users + n_items])
implicit = share * v_l[L].sum(axis=1)
svdpp = model.w0 + w_u[u] + w_i[i] + pair(v_i[i], v_u[u] + implicit)
among = 0.5 * (pair(implicit, implicit) - share**2 * np.sum(v_l[L] ** 2, axis=(1, 2)))
formula = svdpp + share * w_l[L].sum(axis=1) + pair(v_u[u], implicit) + among
print("SVD++: largest difference", abs(model.predict(X) - formula).max())
assert np.allclose(model.predict(X), formula, rtol=0, atol=1e-10)

# %%
# PITF: tags for a user and an item
# ---------------------------------
# A row has user, item and tag. Tags are ranked for one user and one item, so only what has the tag in it
# counts: :math:`w_t + \langle v_u, v_t \rangle + \langle v_i, v_t \rangle` (Rendle and Schmidt-Thieme
# 2010). The difference of the scores of two tags is that of PITF.

other = (t + 1) % n_tags
X, X_other = (rows(user, item, (tag[:, None], 1, n_tags)) for tag in (t, other))
model = random_model(X.shape[1])
w_t = model.w[n_users + n_items :]
v_u, v_i, v_t = np.split(model.V, [n_users, n_users + n_items])


def pitf(tag):
    return w_t[tag] + pair(v_u[u], v_t[tag]) + pair(v_i[i], v_t[tag])


formula = pitf(t) - pitf(other)
difference = model.predict(X) - model.predict(X_other)
print("PITF: largest difference", abs(difference - formula).max())
assert np.allclose(difference, formula, rtol=0, atol=1e-10)

# %%
# FPMC: the next item after a basket
# ----------------------------------
# A row has the user, the item, and the items of the last basket, each with the value :math:`1 / |L|` (Rendle,
# Freudenthaler and Schmidt-Thieme 2010). Again items are ranked for one user and one basket.

next_item = (i + 1) % n_items
basket = (L, 1 / L.shape[1], n_items)
X, X_next = (rows(user, (j[:, None], 1, n_items), basket) for j in (i, next_item))
model = random_model(X.shape[1])
w_i = model.w[n_users : n_users + n_items]
v_u, v_i, v_l = np.split(model.V, [n_users, n_users + n_items])


def fpmc(j):
    return w_i[j] + pair(v_u[u], v_i[j]) + np.mean(pair(v_i[j][:, None], v_l[L]), axis=1)


formula = fpmc(i) - fpmc(next_item)
difference = model.predict(X) - model.predict(X_next)
print("FPMC: largest difference", abs(difference - formula).max())
assert np.allclose(difference, formula, rtol=0, atol=1e-10)

# %%
# Which one pays depends on the data
# ----------------------------------
# Ratings are planted here with an effect of the items that a user has used before. So SVD++'s features
# help, and those of plain matrix factorization miss that effect.

n_users, n_items, n_rows = 300, 200, 12_000
u, i = rng.integers(n_users, size=n_rows), rng.integers(n_items, size=n_rows)
history = np.array([rng.choice(n_items, 8, replace=False) for _ in range(n_users)])
taste = rng.standard_normal((n_items, k)) / np.sqrt(k)
implied = rng.standard_normal((n_items, k)) / np.sqrt(k)
y = pair(taste[i], implied[history[u]].sum(axis=1) / np.sqrt(8)) + 0.5 * rng.standard_normal(n_rows)
user, item = (u[:, None], 1, n_users), (i[:, None], 1, n_items)
features = {
    "matrix factorization": rows(user, item),
    "SVD++": rows(user, item, (history[u], 1 / np.sqrt(8), n_items)),
}
learned, tested = slice(0, n_rows * 3 // 4), slice(n_rows * 3 // 4, None)
errors = {"the mean": np.std(y[tested])}
for name, X in features.items():
    model = FM.random(X.shape[1], 8, rng=0)
    train(model, X[learned], y[learned], SquaredLoss(), l2_factors=0.02, early_stopping=True, rng=0)
    errors[name] = np.sqrt(np.mean((model.predict(X[tested]) - y[tested]) ** 2))
errors["the noise"] = 0.5
for name, error in errors.items():
    print(f"{name:22} RMSE {error:.3f}")

figure, axes = plt.subplots(figsize=(6, 2.4), layout="constrained")
axes.barh(list(errors), list(errors.values()))
axes.invert_yaxis()
axes.set_xlabel("RMSE of rows that were not learned")
plt.show()
