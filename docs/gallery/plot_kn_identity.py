r"""
Pairs in linear time
====================

A factorization machine adds a term for each pair of features: for n features that is n (n - 1) / 2 inner
products of k numbers. The same sum is a difference of squares (Rendle 2010, lemma 3.1), which takes n k
steps:

.. math:: \sum_{i < j} \langle v_i, v_j \rangle x_i x_j = \frac12 \sum_{f=1}^{k}
   \left[ \Big( \sum_i v_{if} x_i \Big)^2 - \sum_i v_{if}^2 x_i^2 \right]
"""

import time

import matplotlib.pyplot as plt
import numpy as np
import scipy.sparse as sp

from fastfm_c import FM

# %%
# A worked example
# ----------------
# Two features of value 1 and two factors. The linear part is 3.5 + .3 + .5 = 4.3, the pair (.8)(.9) +
# (1.2)(1.0) = 1.92, and the score 6.22.

V = np.array([[0.8, 1.2], [0.9, 1.0]])
model = FM(3.5, np.array([0.3, 0.5]), V)
x = np.ones(2)
by_pairs = V[0] @ V[1]
by_squares = 0.5 * np.sum((V.T @ x) ** 2 - (V.T**2) @ x**2)
print(f"pair by pair {by_pairs:.2f}, by squares {by_squares:.2f}, score {model.predict(x[None])[0]:.2f}")
assert np.isclose(by_pairs, by_squares)
assert np.isclose(model.predict(x[None])[0], 6.22)

# %%
# Time against the number of features in a row
# --------------------------------------------
# The time of a row grows with n and not with n squared. The dashed lines are what growth by n and by n
# squared would be.

sizes = 2 ** np.arange(5, 13)
rng = np.random.default_rng(0)
k = 16
model = FM.random(2**16, k, rng=0)


def microseconds(n):
    n_rows = max(1, 2**17 // n)
    columns = np.sort(
        np.array([rng.choice(2**16, n, replace=False) for _ in range(n_rows)], np.int32), axis=1
    )
    X = sp.csr_array(
        (np.ones(columns.size, np.float32), columns.ravel(), np.arange(0, columns.size + 1, n)),
        shape=(n_rows, 2**16),
    )
    best = np.inf
    for _ in range(5):
        begin = time.perf_counter()
        model.predict(X, num_threads=1)
        best = min(best, time.perf_counter() - begin)
    return 1e6 * best / n_rows


times = np.array([microseconds(n) for n in sizes])
for n, t in zip(sizes, times, strict=True):
    print(f"{n:5d} features: {t:8.2f} us a row, {1000 * t / n:5.2f} ns a feature")

figure, axes = plt.subplots(figsize=(6, 3.6), layout="constrained")
axes.loglog(sizes, times, "o-", label="measured")
axes.loglog(sizes, times[-1] * sizes / sizes[-1], "--", label="growth by n")
axes.loglog(sizes, times[0] * (sizes / sizes[0]) ** 2, ":", label="growth by n squared")
axes.set_xlabel("features in a row")
axes.set_ylabel("microseconds a row")
axes.legend()
plt.show()
