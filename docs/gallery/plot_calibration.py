"""
Are the probabilities right?
============================

A bid, a budget or a threshold needs probabilities that come true. Of all rows to which a model gives about
30 %, about 30 % should be positive. `class_weight` breaks that, and a division repairs it.
"""

import matplotlib.pyplot as plt
import numpy as np
from sklearn.calibration import calibration_curve

from fastfm_c.datasets import load_adult
from fastfm_c.sklearn import FMClassifier

adult = load_adult()
models = {
    "as it is": FMClassifier(random_state=0),
    'class_weight="balanced"': FMClassifier(class_weight="balanced", random_state=0),
}
p = {
    name: model.fit(adult.X_train, adult.y_train).predict_proba(adult.X_test)[:, 1]
    for name, model in models.items()
}

# %%
# Weights multiply the odds. So the odds that a weighted model gives, divided by the ratio of the weights,
# are those of the data.

share = adult.y_train.mean()
ratio = (1 - share) / share  # of the weights that "balanced" gives
odds = p['class_weight="balanced"'] / (1 - p['class_weight="balanced"'])
p["balanced, odds divided by the weights"] = odds / (ratio + odds)


def calibration_error(p, n_bins=15):
    """Mean distance between what was said and what came true, over equal bins (Naeini et al. 2015)."""
    bins = np.minimum((p * n_bins).astype(int), n_bins - 1)
    in_bin = [bins == b for b in range(n_bins) if np.any(bins == b)]
    return sum(abs(p[rows].mean() - adult.y_test[rows].mean()) * rows.mean() for rows in in_bin)


figure, axes = plt.subplots(figsize=(5, 4.4), layout="constrained")
axes.plot([0, 1], [0, 1], ":", color="gray")
for name, probabilities in p.items():
    print(f"{name:40} expected calibration error {calibration_error(probabilities):.3f}")
    came_true, said = calibration_curve(adult.y_test, probabilities, n_bins=15)
    axes.plot(said, came_true, "o-", label=name)
axes.set_xlabel("what the model says")
axes.set_ylabel("share of positives")
axes.legend()
plt.show()
