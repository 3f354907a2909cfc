r"""
Routing between two language models
===================================

A weak model answers 68 % of these prompts rightly, and a strong one 81 %, at many times the price. A router
decides for each prompt which one to ask. The data are 15,361 prompts of MMLU and GSM8K with the answers of
Mixtral-8x7B and GPT-4 (RouteLLM, Apache-2.0), reduced to the subject, the length, the digits and hashed rare
words of a prompt.
"""

import csv
import lzma
import time
from pathlib import Path

import matplotlib.pyplot as plt
import numpy as np
import scipy.sparse as sp
from sklearn.neighbors import KNeighborsRegressor

from fastfm_c import FM, AdaGrad, FieldEncoder, LogisticLoss, train
from fastfm_c.encoding import Categorical, MultiCategorical

try:
    here = Path(__file__).parent
except NameError:  # sphinx-gallery runs a page in its own folder
    here = Path.cwd()
with lzma.open(here / "data" / "routellm.csv.xz", "rt", encoding="utf-8") as file:
    prompts = list(csv.DictReader(file))
right = np.array([[int(prompt["weak"]), int(prompt["strong"])] for prompt in prompts])
rng = np.random.default_rng(0)
order = rng.permutation(len(prompts))
learned, tested = order[:9000], order[9000:]

# %%
# Rows: a model beside a prompt
# -----------------------------
# Each prompt gives two rows, one for each model. What a prompt has in common with a model are pairs of
# features, and those are what an FM learns.


def described(prompt, model):
    return {
        "model": model,
        "subject": prompt["subject"] or prompt["task"],
        "length": f"2^{int(np.log2(int(prompt['length'])))}",
        "digits": str(min(int(prompt["digits"]), 40) // 4),
        "words": prompt["words"].split(),
    }


columns = {name: Categorical() for name in ("model", "subject", "length", "digits")}
encoder = FieldEncoder({**columns, "words": MultiCategorical(min_count=3)})
table = [described(prompts[i], model) for i in learned for model in ("weak", "strong")]
X = encoder.fit_transform(table)
y = right[learned].ravel()
held_out = np.arange(len(y)) >= 15_000  # the last 1500 prompts, to choose the strength of the L2 term


def fitted(rows, l2_factors):
    model = FM.random(X.shape[1], 8, init_stdev=0.1, rng=0)
    options = {"l2_linear": l2_factors / 4, "l2_factors": l2_factors, "max_iter": 60}
    train(model, X[rows], y[rows], LogisticLoss(), solver="lbfgs", **options)
    return model


losses = {
    l2: LogisticLoss().mean(y[held_out], fitted(~held_out, l2).predict(X[held_out]))
    for l2 in (0.001, 0.002, 0.004, 0.008)
}
l2 = min(losses, key=losses.get)
model = fitted(np.ones(len(y), bool), l2)
print(f"{X.shape[0]} rows of {X.shape[1]} features, l2_factors {l2}")

# %%
# The router of RouteLLM is a factorization machine
# -------------------------------------------------
# Its matrix factorization router scores model m and prompt q by :math:`w^T (v_m \circ W x_q)`: a Hadamard
# product and a readout. Take :math:`w \circ v_m` as the vector of the model and the rows of W as those of
# the prompt's features. Then the pairs of an FM between model and prompt are that score, to the last
# digits.

v_m, W, w = rng.standard_normal((2, 8)), rng.standard_normal((50, 8)), rng.standard_normal(8)
x_q = np.where(rng.random((100, 50)) < 0.1, rng.random((100, 50)), 0)
formula = ((W.T @ x_q.T).T[:, None] * v_m) @ w  # (prompt, model)
as_fm = FM(0.0, np.zeros(52), np.vstack([v_m * w, W]))
without_model = as_fm.predict(np.hstack([np.zeros((100, 2)), x_q]))  # pairs inside the prompt
for m in range(2):
    one_hot = np.zeros((100, 2))
    one_hot[:, m] = 1
    scores = as_fm.predict(np.hstack([one_hot, x_q])) - without_model
    assert np.allclose(scores, formula[:, m], rtol=0, atol=1e-10)
print("the router of RouteLLM as an FM: equal to 1e-10")

# %%
# What the strong model is worth for a prompt
# -------------------------------------------
# The difference of the two scores is the log odds ratio. The gain in probability decides.

rows = {m: encoder.transform([described(prompts[i], m) for i in tested]) for m in ("weak", "strong")}
p = {m: LogisticLoss().proba(model.predict(rows[m])) for m in rows}
gain = p["strong"] - p["weak"]


def curve(worth):
    """Share of right answers when the prompts of highest worth go to the strong model, for none to all."""
    by_worth = np.argsort(-worth, kind="stable")
    weak, strong = right[tested][by_worth].T
    return (np.concatenate([[0], np.cumsum(strong - weak)]) + weak.sum()) / len(tested)


# A nearest-neighbour router on the same features, and one that knows the subject alone.
prompt_columns = np.flatnonzero(encoder.fields_ != 0)
neighbours = KNeighborsRegressor(50, metric="cosine", algorithm="brute")
plain = sp.csr_array(X)[::2][:, prompt_columns]
neighbours.fit(plain, right[learned][:, 1] - right[learned][:, 0])
nearest = neighbours.predict(sp.csr_array(rows["weak"])[:, prompt_columns])
difference = {}
for i in learned:
    subject = prompts[i]["subject"] or prompts[i]["task"]
    difference.setdefault(subject, []).append(right[i, 1] - right[i, 0])
by_subject = np.array([np.mean(difference[prompts[i]["subject"] or prompts[i]["task"]]) for i in tested])

routers = {
    "FM": gain,
    "50 nearest prompts": nearest,
    "subject alone": by_subject + 1e-9 * rng.random(len(tested)),
    "random": rng.random(len(tested)),
}
share = np.arange(len(tested) + 1) / len(tested)
print(f"always weak {curve(gain)[0]:.3f}, always strong {curve(gain)[-1]:.3f}")
for name, worth in routers.items():
    at = {s: curve(worth)[round(s * len(tested))] for s in (0.25, 0.5, 0.75)}
    area = np.mean(curve(worth)) - (curve(worth)[0] + curve(worth)[-1]) / 2
    figures = ", ".join(f"{s:.0%} strong: {value:.3f}" for s, value in at.items())
    print(f"{name:20} {figures}; above random on average by {area:.4f}")

figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
for name, worth in routers.items():
    axes.plot(share, curve(worth), label=name)
axes.set_xlabel("share of prompts that the strong model answers (cost)")
axes.set_ylabel("share of right answers")
axes.legend()
plt.show()

# %%
# What can be told of a prompt here is its subject: the FM and the nearest prompts are no better than a
# table of subjects. None of them comes near a router that knows the answers. Routers of published boards
# lie in a narrow band, too. What the FM has beside the table: it takes any number of features, explains
# itself, is served in microseconds, and learns a new model from few answers.

knowing = curve((right[tested][:, 1] - right[tested][:, 0]).astype(float))
print(f"a router that knows: {knowing.max():.3f} with {share[knowing.argmax()]:.0%} strong calls")

# %%
# A threshold for a budget
# ------------------------
# With 30 % of the calls for the strong model, the threshold is a quantile of the gain on prompts that were
# not learned.

threshold = np.quantile(gain, 0.7)
strong = gain > threshold
answers = np.where(strong, right[tested][:, 1], right[tested][:, 0])
print(f"threshold {threshold:.3f}: {strong.mean():.0%} strong calls, {answers.mean():.3f} right")

# %%
# One decision, explained and timed
# ---------------------------------
# Only features that meet the model make a difference between the two: its own weight and its pairs.

prompt = prompts[tested[np.argmax(gain)]]
indices, values = encoder.encode_row(described(prompt, "weak"))
weak_column = int(indices[0])
strong_column = int(encoder.encode_row(described(prompt, "strong"))[0][0])
names = encoder.get_feature_names_out()
towards = (model.V[strong_column] - model.V[weak_column]) @ model.V[indices[1:]].T * values[1:]
print(f"own weight: {model.w[strong_column] - model.w[weak_column]:+.3f}")
for j in np.argsort(-abs(towards))[:4]:
    print(f"{names[indices[1:][j]]:28} {towards[j]:+.3f}")

begin = time.perf_counter()
for _ in range(2000):
    for m in ("weak", "strong"):
        model.predict_row(*encoder.encode_row(described(prompt, m)))
print(f"{(time.perf_counter() - begin) / 2000 * 1e6:.0f} us a decision, encoding included")

# %%
# A new model
# -----------
# A third model comes with 200 answers. `encoder.partial_fit` gives it a column, the FM grows, and
# `partial_fit` of a solver learns it. Here it is the strong model under another name, so that one sees what
# is found.

few = learned[:200]
new_rows = [described(prompts[i], "new") for i in few]
encoder.partial_fit(new_rows)
solver = AdaGrad(model, LogisticLoss(), learning_rate=0.05, l2_linear=0.02, l2_factors=0.05, rng=0)
solver.resize(len(encoder.fields_))
for _ in range(5):
    solver.partial_fit(encoder.transform(new_rows), right[few, 1])
p_new = LogisticLoss().proba(model.predict(encoder.transform([described(prompts[i], "new") for i in tested])))
found = np.corrcoef(p_new, p["strong"])[0, 1]
print(f"new model: mean probability {p_new.mean():.3f}; it is right on {right[tested][:, 1].mean():.3f}")
print(f"correlation with what is known of the strong model: {found:.2f}")
