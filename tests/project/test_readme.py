"""The README's examples run, and its commands are where .ci/run looks for them."""

import re
from pathlib import Path

import pytest

README = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"^```{language}\n(.*?)^```$", README, re.DOTALL | re.MULTILINE)


def test_from_a_table_to_a_served_model(tmp_path, monkeypatch):
    pytest.importorskip("pandas")
    pytest.importorskip("narwhals")
    monkeypatch.chdir(tmp_path)
    learn, serve = blocks("python")  # there are no others
    names = {}
    exec(learn, names)
    exec(serve, names)
    assert max(names["history"].validation) > 0.99
    assert names["probability"] > 0.9
    row = {"user": "17", "drink": "tea", "price": 1.0}
    assert names["shop"]["model"].predict_row(*names["shop"]["encoder"].encode_row(row)) < 0


def test_there_are_two_commands():
    """Of one line each; `.ci/run` executes them in a clean copy."""
    install, test = blocks("sh")
    assert install == "python3 -m venv .venv && .venv/bin/pip install . && .venv/bin/fastfm-c\n"
    assert test == '.venv/bin/pip install ".[test]" && .venv/bin/pytest -q -m ""\n'
