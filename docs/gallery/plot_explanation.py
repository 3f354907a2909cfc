"""
Why this score?
===============

A factorization machine can be taken apart exactly: a score is a sum over features and pairs of features.
`explain` gives each field its share (Shapley values), and `pair_importance` says which two fields tell
something together. The data are the UCI Adult set: who earns more than 50,000 dollars a year?
"""

import matplotlib.pyplot as plt
import numpy as np

from fastfm_c.datasets import load_adult
from fastfm_c.inspection import explain, pair_importance, top_pairs
from fastfm_c.sklearn import FFMClassifier

adult = load_adult()
classifier = FFMClassifier(fields=adult.fields, random_state=0).fit(adult.X_train, adult.y_train)
model = classifier.model_
print(f"accuracy {classifier.score(adult.X_test, adult.y_test):.3f}")

# %%
# One person
# ----------
# The shares of the fields say how far each moves the log odds from those of an average person, here of a
# thousand in the background. Together with the base they are the score, to rounding.

background = adult.X_train[:1000]
person = int(np.argmax(classifier.decision_function(adult.X_test[:500])))
explanation = explain(
    model, adult.X_test[[person]], by="field", fields=adult.fields, background=background, pairs=True
)
names = adult.field_names
shares = explanation.values[0]
for field in np.argsort(-np.abs(shares))[:6]:
    print(f"{names[field]:16} {shares[field]:+.2f}")
score = classifier.decision_function(adult.X_test[[person]])[0]
print(f"base {explanation.base:+.2f}, sum {explanation.base + shares.sum():+.3f}, score {score:+.3f}")
assert np.isclose(explanation.base + shares.sum(), score, atol=1e-4)

# %%
# Which fields speak together
# ---------------------------
# The mean absolute Shapley interaction of each two fields over 300 people. The diagonal is empty: a field
# has no pair with itself.

importance = pair_importance(model, adult.X_test[:300], fields=adult.fields, background=background)
largest = np.dstack(np.unravel_index(np.argsort(-np.triu(importance, 1), axis=None)[:5], importance.shape))[0]
for a, b in largest:
    print(f"{names[a]} and {names[b]}: {importance[a, b]:.3f}")

order = np.argsort(-importance.sum(axis=1))
figure, axes = plt.subplots(figsize=(6.4, 5.4), layout="constrained")
image = axes.imshow(importance[np.ix_(order, order)], cmap="viridis")
axes.set_xticks(range(len(order)), [names[f] for f in order], rotation=60, ha="right")
axes.set_yticks(range(len(order)), [names[f] for f in order])
axes.set_title("Mean absolute interaction of two fields, in log odds")
figure.colorbar(image)
plt.show()

# %%
# Which values speak together
# ---------------------------
# The largest products of two vectors. A large product need not matter much: few people may have both values.

for a, b, product in top_pairs(model, 4):
    print(f"{adult.feature_names[a]} and {adult.feature_names[b]}: {product:+.2f}")
