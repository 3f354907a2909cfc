"""
Why factorization works
=======================

Three users gave seven ratings. What will Alice think of *Star Trek*? Nobody like her has rated it.

A model with a weight for each pair of features has nothing to say: the pair (Alice, Star Trek) is in no
row, so its weight stays 0. A factorization machine (Rendle 2010, section 3) gives each feature a vector, and
a pair the inner product of two vectors. So rows without Alice and rows without Star Trek tell of both.
"""

import matplotlib.pyplot as plt
import numpy as np
import scipy.sparse as sp

from fastfm_c import FM, SquaredLoss, train

users = ["Alice", "Bob", "Charlie"]
films = ["Titanic", "Notting Hill", "Star Wars", "Star Trek"]
ratings = [
    ("Alice", "Titanic", 5),
    ("Alice", "Notting Hill", 3),
    ("Alice", "Star Wars", 1),
    ("Bob", "Star Wars", 4),
    ("Bob", "Star Trek", 5),
    ("Charlie", "Titanic", 1),
    ("Charlie", "Star Wars", 5),
]

# %%
# A row has a 1 for its user and a 1 for its film.


def rows(pairs):
    columns = np.array([[users.index(user), len(users) + films.index(film)] for user, film in pairs])
    n = len(columns)
    return sp.csr_array(
        (np.ones(2 * n, np.float32), columns.ravel(), np.arange(0, 2 * n + 1, 2)),
        shape=(n, len(users) + len(films)),
    )


X = rows([(user, film) for user, film, _ in ratings])
y = np.array([rating for *_, rating in ratings], np.float32)

# %%
# The pairs of a polynomial model
# -------------------------------
# Ridge regression with a weight for each pair of a user and a film: the weight of a pair that no row has is
# 0, whatever the other ratings are.

pairs = {(user, film): column for column, (user, film) in enumerate((u, f) for u in users for f in films)}
design = np.zeros((len(ratings), len(pairs)))
for row, (user, film, _) in enumerate(ratings):
    design[row, pairs[user, film]] = 1
centred = y - y.mean()
weights = np.linalg.solve(design.T @ design + 0.1 * np.eye(len(pairs)), design.T @ centred)
print("polynomial model, pair (Alice, Star Trek):", weights[pairs["Alice", "Star Trek"]])

# %%
# The pairs of a factorization machine
# ------------------------------------
# The mean over 20 starts: with seven rows a single start tells little.


def fitted(seed):
    model = FM.random(X.shape[1], 2, init_stdev=0.3, dtype="float64", rng=seed)
    model.w0 = float(y.mean())
    train(model, X.astype(float), y, SquaredLoss(), solver="lbfgs", l2_linear=0.2, l2_factors=0.05)
    return model


models = [fitted(seed) for seed in range(20)]
pair = [model.V[users.index("Alice")] @ model.V[len(users) + films.index("Star Trek")] for model in models]
scores = np.mean([model.predict(rows([(u, f) for u in users for f in films])) for model in models], axis=0)
scores = scores.reshape(len(users), len(films))
print(f"factorization machine, pair (Alice, Star Trek): {np.mean(pair):.2f}")
print(f"Alice, Star Trek: {scores[users.index('Alice'), films.index('Star Trek')]:.1f}")

# %%
# Alice and Bob disagree on *Star Wars*, and Bob's vector is like that of *Star Trek*: so Alice and *Star
# Trek* do not go together. That is the indirect evidence.

figure, axes = plt.subplots(figsize=(6, 3.4), layout="constrained")
image = axes.imshow(scores, cmap="RdYlBu_r", vmin=1, vmax=5)
axes.set_xticks(range(len(films)), films)
axes.set_yticks(range(len(users)), users)
for i, user in enumerate(users):
    for j, film in enumerate(films):
        rated = [rating for u, f, rating in ratings if (u, f) == (user, film)]
        axes.text(
            j, i, f"{scores[i, j]:.1f}" + (f"\n(rated {rated[0]})" if rated else ""), ha="center", va="center"
        )
axes.set_title("Predicted ratings")
figure.colorbar(image, label="stars")
plt.show()
