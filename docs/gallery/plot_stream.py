"""
A stream that drifts, with new users
====================================

Clicks come in all day. New users come with them, and tastes change. A model that goes on learning follows;
one that was trained once falls behind. Each hour here is scored first and learned afterwards. A watch says
what has changed, and when.
"""

import copy

import matplotlib.pyplot as plt
import numpy as np

from fastfm_c import FM, AdaGrad, FieldEncoder, LogisticLoss, train
from fastfm_c.inspection import Drift

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
# Four hours to begin with. The encoder has a feature in each field for values that it does not know yet.

rows, clicked = map(np.concatenate, zip(*(hour(t) for t in range(4)), strict=True))
encoder = FieldEncoder()
X = encoder.fit_transform(list(rows))
loss = LogisticLoss()
once = FM.random(X.shape[1], 8, init_stdev=0.05, rng=0)
train(once, X, clicked, loss, max_iter=8, rng=0)
going_on = once.copy()
solver = AdaGrad(going_on, loss, learning_rate=0.2, l2_factors=1e-3, rng=0)
frozen_encoder = copy.deepcopy(encoder)

# %%
# Two watches. The first compares each hour with hour 4, the first one that was not learned: its users, its
# items, and the scores of the model that was trained once. The second compares the losses of the rows, under
# the model that goes on, with those of the hour before. `Drift` takes any number of a row for its score.
#
# Rows are watched as the first encoder sees them. To it all new users are one value, the unknown one.

names = "trained once", "goes on"
hours, mean_losses = range(4, n_hours), {name: [] for name in names}
first_hour = hour_before = None
reports, loss_reports = {}, {}
for t in hours:
    rows, clicked = hour(t)
    watched = frozen_encoder.transform(rows)
    scores = once.predict(watched), going_on.predict(encoder.transform(rows))
    losses = [loss.loss(clicked, each) for each in scores]
    for name, each in zip(names, losses, strict=True):
        mean_losses[name].append(each.mean())
    if first_hour is None:
        first_hour = Drift(encoder=frozen_encoder).fit(watched, scores[0])
    else:
        reports[t] = first_hour.compare(watched, scores[0])
        loss_reports[t] = hour_before.compare(watched, losses[1])
    hour_before = Drift(encoder=frozen_encoder).fit(watched, losses[1])
    encoder.partial_fit(rows)
    solver.resize(len(encoder.fields_))
    for _ in range(3):
        solver.partial_fit(encoder.transform(rows), clicked)

for name, means in mean_losses.items():
    for begin in (4, 16, 24, 40):
        mean = np.mean(means[begin - 4 : begin + 4])
        print(f"{name:13} log-loss of hours {begin} to {begin + 7}: {mean:.3f}")
print(f"the model has {going_on.n_features} features, {once.n_features} at the beginning")

# %%
# The watch tells in the first hour whose population stability index is above the threshold.
#
# New users come slowly; the first watch tells after three hours. The scores of the old model follow,
# because it knows less and less about whom it scores. The change of tastes shows in none of these: the same
# users see the same items. It shows in the losses, which are known once the clicks are. The second watch
# tells in that very hour, and falls silent again, because the model follows. It also told in hour 5: there
# the rows were as before, but the model had just begun to learn each hour.


def alarms(drift_of):
    """Hours in which a line of the reports is an alarm."""
    return [t for t in reports if drift_of(t).is_alarm]


lines = {
    "users": lambda t: reports[t]["user"],
    "items": lambda t: reports[t]["item"],
    "scores": lambda t: reports[t].scores,
    "losses": lambda t: loss_reports[t].scores,
}
told = {name: alarms(line) for name, line in lines.items()}
for name, found in told.items():
    print(f"{name:6} {len(found):2} alarms, the first in hours {found[:4]}")
assert told["users"][0] < told["scores"][0] < 24
assert told["losses"][:2] == [5, 24]
assert not told["items"]

figure, axes = plt.subplots(3, figsize=(6, 7), sharex=True, layout="constrained")
for name, means in mean_losses.items():
    axes[0].plot(hours, means, label=name)
axes[0].set_ylabel("log-loss of the hour")
axes[1].set_ylabel("PSI, beside hour 4")
axes[2].set_ylabel("PSI, beside the hour before")
colors = dict(zip(lines, ("tab:red", "tab:green", "tab:purple", "tab:brown"), strict=True))
for name, line in lines.items():
    ax = axes[2] if name == "losses" else axes[1]
    ax.plot(list(reports), [line(t).psi for t in reports], color=colors[name], label=name)
    if told[name]:
        first = max(told[name][0], 24) if name == "losses" else told[name][0]
        ax.plot(first, line(first).psi, "o", color=colors[name], label=f"alarm in hour {first}")
for ax in axes[1:]:
    ax.axhline(lines["losses"](24).threshold, linestyle="--", color="gray", label="threshold")
for ax in axes:
    ax.axvline(24, linestyle=":", color="gray")
    ax.legend()
axes[-1].set_xlabel("hour; tastes change at 24")
plt.show()
