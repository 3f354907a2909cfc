"""
A stream that drifts, with new users
====================================

Clicks come in all day. New users come with them, and tastes change. A model that goes on learning follows;
one that was trained once falls behind. Each hour here is scored first and learned afterwards.
"""

import copy

import matplotlib.pyplot as plt
import numpy as np

from fastfm_c import FM, AdaGrad, FieldEncoder, LogisticLoss, train

rng = np.random.default_rng(0)
n_hours, n_rows, n_items, k = 48, 4000, 100, 4
item_factors = rng.standard_normal((n_items, k)) / 1.5
user_factors = rng.standard_normal((200 + 10 * n_hours, k)) / 1.5


def hour(t):
    """Rows of hour t, and whether they were clicked. Each hour has ten users more; tastes change at 24."""
    user = rng.integers(200 + 10 * t, size=n_rows)
    item = rng.integers(n_items, size=n_rows)
    tastes = user_factors if t < 24 else -user_factors
    logits = -1 + 2 * np.sum(tastes[user] * item_factors[item], axis=1)
    rows = [{"user": f"u{u}", "item": f"i{i}"} for u, i in zip(user, item, strict=True)]
    return rows, rng.random(n_rows) < 1 / (1 + np.exp(-logits))


# %%
# Four hours to begin with. The first row of a field in the encoder stands for values that are not known yet.

rows, clicked = map(np.concatenate, zip(*(hour(t) for t in range(4)), strict=True))
encoder = FieldEncoder()
X = encoder.fit_transform(list(rows))
loss = LogisticLoss()
once = FM.random(X.shape[1], 8, init_stdev=0.05, rng=0)
train(once, X, clicked, loss, max_iter=8, rng=0)
going_on = once.copy()
solver = AdaGrad(going_on, loss, learning_rate=0.2, l2_factors=1e-3, rng=0)
frozen_encoder = copy.deepcopy(encoder)

losses = {"trained once": [], "goes on": []}
unknown = []
for t in range(4, n_hours):
    rows, clicked = hour(t)
    losses["trained once"].append(loss.mean(clicked, once.predict(frozen_encoder.transform(rows))))
    before = encoder.unknown_counts_["user"]
    losses["goes on"].append(loss.mean(clicked, going_on.predict(encoder.transform(rows))))
    unknown.append((encoder.unknown_counts_["user"] - before) / n_rows)
    encoder.partial_fit(rows)
    solver.resize(len(encoder.fields_))
    for _ in range(3):
        solver.partial_fit(encoder.transform(rows), clicked)

for name, values in losses.items():
    for begin in (4, 16, 24, 40):
        mean = np.mean(values[begin - 4 : begin + 4])
        print(f"{name:13} log-loss of hours {begin} to {begin + 7}: {mean:.3f}")
print(f"the model has {going_on.n_features} features, {once.n_features} at the beginning")

figure, (above, below) = plt.subplots(2, figsize=(6, 4.6), sharex=True, layout="constrained")
for name, values in losses.items():
    above.plot(range(4, n_hours), values, label=name)
above.axvline(24, linestyle=":", color="gray")
above.set_ylabel("log-loss of the hour")
above.legend()
below.plot(range(4, n_hours), unknown, color="tab:red")
below.set_ylabel("share of rows\nwith a new user")
below.set_xlabel("hour; tastes change at 24")
plt.show()
