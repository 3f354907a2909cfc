"""The pages of docs/migrate: their examples run, on files of the real programs, and their claims hold."""

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from helpers import foreign

import fastfm_c

FOLDER = Path(__file__).parents[2] / "docs" / "migrate"
PAGES = sorted(path.name for path in FOLDER.glob("from-*.md"))


def run(page):
    """Names after the examples of a page, one after the other."""
    names = {}
    for example in re.findall(r"```python\n(.*?)```", (FOLDER / page).read_text(), re.DOTALL):
        exec(example, names)
    return names


@pytest.fixture
def in_folder_of(tmp_path, monkeypatch):
    """A folder with the model and the rows that an example reads."""

    def prepare(name):
        shutil.copy(foreign.path_of(name), tmp_path / f"model{foreign.path_of(name).suffix}")
        shutil.copy(foreign.FOLDER / "test.ffm", tmp_path / "rows.ffm")
        monkeypatch.chdir(tmp_path)

    return prepare


def test_there_are_six_pages():
    names = "fastfm", "implicit", "libffm", "lightfm", "modern-fm", "xlearn"
    assert [f"from-{name}.md" for name in names] == PAGES


@pytest.mark.parametrize(
    ("page", "model"), [("from-libffm.md", "libffm_sse_k4"), ("from-xlearn.md", "xlearn_ffm_k3")]
)
def test_pages_with_model_files(page, model, in_folder_of, tmp_path):
    in_folder_of(model)
    names = run(page)
    np.testing.assert_allclose(names["probabilities"], foreign.printed(model), rtol=0, atol=2e-6)
    if model.startswith("libffm"):
        assert foreign.load(model, tmp_path / "back.bin") == foreign.load(model)


def test_from_fastfm():
    pytest.importorskip("sklearn")
    names = run("from-fastfm.md")
    np.testing.assert_allclose(names["scores"], [0.5 + 1 - 2 + 0.5, 0.5 - 4 + 2 * 0.5 * 2])
    assert names["r2"] > 0.99


def test_from_lightfm():
    names = run("from-lightfm.md")
    liked = names["likes"][7, names["genre"]]
    assert 10 <= liked.sum() < 60
    assert liked[names["best"]].mean() >= 0.9
    assert names["measures"]["auc"] > 0.8


def test_from_implicit():
    names = run("from-implicit.md")
    assert names["kind"][names["similar"]].tolist().count(names["kind"][3]) >= 4
    assert names["measures"]["auc"] > 0.8
    assert not names["train"][[7], names["ids"]].any()


def test_from_modern_fm():
    pytest.importorskip("sklearn")
    names = run("from-modern-fm.md")
    np.testing.assert_allclose(names["scores"], [0.5 + 1 - 2 + 0.5])
    assert names["ffm"].n_factors == 4
    assert names["accuracy"] == 1


@pytest.mark.parametrize("kind", ["FM", "FFM"])
@pytest.mark.parametrize("n_classes", [2, 3])
def test_models_of_modern_fm(kind, n_classes):
    modern_fm = pytest.importorskip("modern_fm")
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((60, 6)), np.arange(60) % n_classes
    loss = "softmax" if n_classes > 2 else "logistic"
    theirs = getattr(modern_fm, f"{kind}Classifier")(dtype="float64", max_iter=3, loss=loss, init_scale=0.5)
    fields = [0, 0, 1, 1, 2, 2]
    theirs.fit(X, y, **({"field_ids": np.array(fields)} if kind == "FFM" else {}))
    parameters = theirs.w0_, theirs.w_, theirs.V_
    ours = fastfm_c.FM(*parameters) if kind == "FM" else fastfm_c.FFM(*parameters, theirs.field_ids_)
    np.testing.assert_allclose(ours.predict(X), theirs.decision_function(X), rtol=1e-12, atol=1e-12)
