"""The README's examples run, and its commands are where .ci/run looks for them."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text()

EXAMPLES = re.findall(r"```python\n(.*?)```", README, re.DOTALL)


def run(examples):
    names = {}
    for example in examples:
        exec(example, names)
    return names


def test_from_a_table_to_a_served_model(tmp_path, monkeypatch):
    pytest.importorskip("pandas")
    pytest.importorskip("narwhals")
    monkeypatch.chdir(tmp_path)
    names = run(EXAMPLES[:2])
    assert max(names["history"].validation) > 0.99
    assert names["probability"] > 0.9
    row = {"user": "17", "drink": "tea", "price": 1.0}
    assert names["shop"]["model"].predict_row(*names["shop"]["encoder"].encode_row(row)) < 0


def test_prediction():
    names = run(EXAMPLES[2:3])
    assert names["scores"].shape == (1000,)
    assert names["one"] == names["fm"].predict_row(*_first_row(names["X"]))
    assert names["one"] == names["scores"][0]


def test_training():
    pytest.importorskip("sklearn")
    names = run(EXAMPLES[3:])
    assert names["accuracy"] == names["best"] == 1
    assert names["loss"] < 0.01


def test_the_page_about_data(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    names = run(re.findall(r"```python\n(.*?)```", (ROOT / "docs" / "data.md").read_text(), re.DOTALL))
    assert names["unknown"] == {"user": 0, "tags": 0, "price": 0, "ip": 0, "hour": 0}
    assert names["solver"].model.n_features == len(names["encoder"].fields_) > len(names["names"])
    X = names["encoder"].transform([names["row"]])
    assert names["score"] == names["solver"].model.predict(X)[0]


def test_there_are_two_commands():
    assert len(re.findall(r"```sh\n.+\n```", README)) == 2


def _first_row(X):
    return X.indices[: X.indptr[1]], X.data[: X.indptr[1]]
