"""docs/guide/frameworks.md: the recommender as a model of RecTools and of LensKit, where installed."""

import re
from pathlib import Path

import numpy as np
import pytest

PAGE = Path(__file__).parents[2] / "docs" / "guide" / "frameworks.md"
# What their imports warn of is theirs.
pytestmark = [
    pytest.mark.filterwarnings("ignore"),
    pytest.mark.skipif(not PAGE.is_file(), reason="no docs/ here"),
]


def example(package):
    """The names after the page's example for a package."""
    pytest.importorskip(package)
    names = {"__name__": "example"}
    blocks = re.findall(r"^```python\n(.*?)^```$", PAGE.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)
    (block,) = (block for block in blocks if f"from {package}" in block)
    exec(block, names)
    return names


def choices():
    """(user, item) of two groups with ids of their own; the group of an id is its remainder by 2."""
    user, item = np.divmod(np.arange(40 * 30), 30)
    chosen = (user % 2 == item % 2) & (np.random.default_rng(0).random(user.size) < 0.6)
    return user[chosen] + 1000, item[chosen] + 500


def test_rectools():
    model_of = example("rectools")["FMModel"]
    pd, data = pytest.importorskip("pandas"), pytest.importorskip("rectools.dataset")
    user, item = choices()
    table = pd.DataFrame({"user_id": user, "item_id": item, "weight": 1.0, "datetime": "2026-01-01"})
    features = pd.DataFrame({"id": np.unique(item), "feature": "group", "value": np.unique(item) % 2})
    for extra in {}, {"item_features_df": features, "cat_item_features": ["group"]}:
        dataset = data.Dataset.construct(table, **extra)
        model = model_of(n_factors=8, max_iter=20, random_state=0).fit(dataset)
        found = model.recommend(np.unique(user), dataset, k=3, filter_viewed=True)
        assert (found["item_id"] % 2 == found["user_id"] % 2).mean() > 0.9
        assert not set(zip(found["user_id"], found["item_id"], strict=True)) & set(
            zip(user, item, strict=True)
        )
        few = model.recommend([1000], dataset, k=5, filter_viewed=False, items_to_recommend=[501, 504])
        assert sorted(few["item_id"]) == [501, 504]
        similar = model.recommend_to_items([500, 501], dataset, k=4)
        assert similar["item_id"].tolist() != similar["target_item_id"].tolist()
        assert (similar["item_id"] % 2 == similar["target_item_id"] % 2).all()
        few = model.recommend_to_items([500], dataset, k=1, items_to_recommend=[501, 504])
        assert few["item_id"].tolist() == [504]


def test_lenskit():
    scorer_of = example("lenskit")["FMScorer"]
    import lenskit
    from lenskit.data import from_interactions_df
    from lenskit.pipeline import topn_pipeline

    pd = pytest.importorskip("pandas")
    user, item = choices()
    data = from_interactions_df(pd.DataFrame({"user_id": user, "item_id": item}))
    pipeline = topn_pipeline(scorer_of(n_factors=8, max_iter=20), n=3)
    pipeline.train(data)
    for asked in 1000, 1001:
        found = lenskit.recommend(pipeline, asked).ids()
        assert len(found) == 3
        assert (found % 2 == asked % 2).all()
        assert not set(found) & set(item[user == asked])
    assert len(lenskit.recommend(pipeline, 7)) == 0  # nobody
