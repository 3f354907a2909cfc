"""
Clicks with an FFM, from a DataFrame
====================================

A field-aware factorization machine has a vector of a feature for each field that it meets (Juan et al.
2016). On clicks, whose rows are a few categories each, that is what won: here a user's taste for one kind
of advertisement says nothing of when he reads.
"""

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss, roc_auc_score
from sklearn.pipeline import make_pipeline

from fastfm_c.sklearn import FFMClassifier, FieldEncoder, FMClassifier

rng = np.random.default_rng(0)
n_rows = 40_000
sizes = {"user": 400, "site": 60, "advertiser": 80, "hour": 24, "device": 5}
codes = {name: (rng.zipf(1.3, n_rows) - 1) % size for name, size in sizes.items()}
table = pd.DataFrame({name: [f"{name} {c}" for c in column] for name, column in codes.items()})
table["bid"] = rng.gamma(2.0, size=n_rows)

# %%
# Each pair of columns has vectors of its own here, which is the world that an FFM assumes.

names = list(sizes)
logits = -1.5 + 0.3 * (table["bid"].to_numpy() - 2)
for a in range(len(names)):
    for b in range(a):
        left, right = (rng.standard_normal((sizes[names[c]], 3)) * 0.6 for c in (a, b))
        logits += np.sum(left[codes[names[a]]] * right[codes[names[b]]], axis=1)
clicked = rng.random(n_rows) < 1 / (1 + np.exp(-logits))
learned, tested = slice(0, 30_000), slice(30_000, None)

models = {
    "logistic regression": LogisticRegression(max_iter=200),
    "FM": FMClassifier(n_factors=8, random_state=0),
    "FFM": FFMClassifier(n_factors=4, random_state=0),
}
results = {}
for name, model in models.items():
    pipeline = make_pipeline(FieldEncoder(), model).fit(table[learned], clicked[learned])
    p = pipeline.predict_proba(table[tested])[:, 1]
    results[name] = log_loss(clicked[tested], p)
    print(f"{name:20} log-loss {results[name]:.4f}, AUC {roc_auc_score(clicked[tested], p):.4f}")
p = 1 / (1 + np.exp(-logits[tested]))
results["who knows the odds"] = log_loss(clicked[tested], p)
print(f"who knows the odds   log-loss {results['who knows the odds']:.4f}")

figure, axes = plt.subplots(figsize=(6, 2.4), layout="constrained")
axes.barh(list(results), list(results.values()))
axes.set_xlim(0.9 * min(results.values()))
axes.invert_yaxis()
axes.set_xlabel("log-loss of rows that were not learned")
plt.show()
