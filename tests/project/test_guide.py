"""The guide, docs/data.md and ten-minutes.md: the examples of a page run in order, to what they say."""

import re
from pathlib import Path

import numpy as np
import pytest

DOCS = Path(__file__).parents[2] / "docs"


def examples(page):
    return re.findall(r"^```python\n(.*?)^```$", page.read_text(encoding="utf-8"), re.DOTALL | re.MULTILINE)


def models(names):
    assert names["scores"].shape == (1000,)
    assert names["one"] == names["scores"][0]
    assert names["score"] == 4 * 2
    np.testing.assert_allclose(names["classes"].sum(axis=1), 1, rtol=1e-6)
    np.testing.assert_array_equal(names["fm"].V[:500], names["before"])
    assert names["fm"].n_features == 600
    assert not names["fm"].w[500:].any()


def training(names):
    assert names["loss"] < 0.01
    assert names["best"] == 1


def estimators(names):
    assert names["accuracy"] == names["share"] == 1


def defaults(names):
    assert names["error"] < 0.6
    assert len(names["model"].history_.candidates) > 1


def files(names):
    assert names["same"] is True
    assert not names["served"].V.flags.writeable
    assert names["mine"].V.flags.writeable
    assert names["mine"] == names["served"]
    np.testing.assert_array_equal(names["scores"], names["solver"].model.predict(names["X"]))


def threads(names):
    assert names["two"] <= 2
    assert names["default"] == names["fastfm_c"].get_num_threads() >= 1
    assert names["level"] in names["fastfm_c"].config()["simd_available"]


def recommend(names):
    assert names["ids"].shape == (3, 10)
    assert names["measures"]["auc"] > 0.8
    assert set(names["names"]) <= {"jam", "rye", None}
    assert (names["genre"][names["new_ids"]] == 0).mean() >= 0.8
    assert names["recommender"].n_users_ == 301
    assert names["genre"][names["similar"]].tolist().count(names["genre"][7]) >= 4
    np.testing.assert_allclose(names["products"], names["exact"], rtol=1e-4, atol=1e-6)
    np.testing.assert_array_equal(names["best"], np.argsort(-names["exact"], kind="stable")[:, :10])


def speed(names):
    assert names == {}


def data(names):
    assert names["unknown"] == {"user": 0, "tags": 0, "price": 0, "ip": 0, "hour": 0}
    assert names["solver"].model.n_features == len(names["encoder"].fields_) > len(names["names"])
    X = names["encoder"].transform([names["row"]])
    assert names["score"] == names["solver"].model.predict(X)[0]


def columns(names):
    assert names["error"] < 0.35
    assert abs(names["noise"] - 0.3) < 0.03
    assert names["expected"].shape == names["doubt"].shape == names["others"].shape == (100,)
    off = names["plain"].predict(names["X"]) - names["stars"]
    assert np.sqrt(np.mean(off**2)) < 0.35


def explaining(names):
    scores = names["fitted"].decision_function(names["X"])
    np.testing.assert_allclose(names["total"], scores, rtol=1e-5, atol=1e-5)
    assert names["table"].columns.tolist() == ["base", "color", "size"]
    assert names["importance"].shape == names["interactions"].shape == (2, 2)
    assert len(names["said"]) == 3


def watching(names):
    assert names["quiet"].alarms == []
    assert names["alarms"] == ["size", "color"]
    assert names["report"].alarms == []
    assert names["table"].index.tolist() == ["color", "size", "scores"]
    assert abs(names["moved"] - 0.5) < 1e-6


def serving(names):
    assert names["error"] < 0.01
    assert names["share"] < 0.35
    assert isinstance(names["score"], float)
    assert names["smaller"].n_factors == 8
    assert abs(names["cost"]) < 0.5
    assert names["changed"] == 20
    assert names["same"] is True


def operations(names):
    assert "color" in names["drifted"]
    assert names["cold"] == 1
    assert names["stale"].missing > 0.9 or names["stale"].unknown > 0.9
    assert names["offline"] == names["online"]
    assert names["threads"] >= 1
    assert names["small"] < 0.55
    assert "learning rate" in names["why"] or "learning_rate" in names["why"]
    assert names["best"] < names["last"]
    assert abs(names["moved"] - 1) < 1e-6
    assert "broken.safetensors" in names["refused"]
    assert names["learns"] > 0


def shards(names):
    assert names["history"].validation[-1] < 0.6
    assert (names["model"].predict(names["X"]) > 0).mean() == pytest.approx(0.5, abs=0.1)
    assert names["same"].predict(names["X"]).shape == (4000,)


PAGES = (
    models,
    training,
    columns,
    estimators,
    recommend,
    defaults,
    files,
    threads,
    speed,
    explaining,
    watching,
    serving,
    operations,
    shards,
)
CHECKS = {check.__name__: check for check in PAGES}


def run(page):
    names = {}
    for example in examples(page):
        exec(example, names)
    return names


@pytest.mark.skipif(not DOCS.is_dir(), reason="no docs/ here")
def test_each_page_is_checked():
    elsewhere = {"index", "frameworks"}  # frameworks: recommend/test_frameworks.py
    assert {path.stem for path in (DOCS / "guide").glob("*.md")} - elsewhere == CHECKS.keys()


@pytest.mark.parametrize("page", CHECKS)
def test_the_guide(page, tmp_path, monkeypatch):
    if page in ("columns", "defaults", "estimators", "explaining"):
        pytest.importorskip("sklearn")
    if page in ("explaining", "files", "watching"):
        pytest.importorskip("pandas")
    monkeypatch.chdir(tmp_path)
    CHECKS[page](run(DOCS / "guide" / f"{page}.md"))


def test_the_page_about_data(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    data(run(DOCS / "data.md"))


def test_ten_minutes(tmp_path, monkeypatch):
    pytest.importorskip("sklearn")
    monkeypatch.chdir(tmp_path)
    names = run(DOCS / "start" / "ten-minutes.md")
    assert names["fm_loss"] < names["linear_loss"] - 0.05
    total = names["shares"].base + names["shares"].values.sum(axis=1)
    np.testing.assert_allclose(total, names["model"].decision_function(names["X_new"][:1]), rtol=1e-5)
    assert isinstance(names["score"], float)
