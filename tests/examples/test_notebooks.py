"""The notebooks of examples/ have the code of their pages of the gallery, and hold no output."""

import ast
import json
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
NOTEBOOKS = sorted((ROOT / "examples").glob("*.ipynb"))
pytestmark = pytest.mark.skipif(not NOTEBOOKS, reason="no examples/ here")


def code_of(source):
    """Without comments, and without the docstring of a page."""
    body = ast.parse(source).body
    if isinstance(body[0], ast.Expr) and isinstance(body[0].value, ast.Constant):
        body = body[1:]
    return [ast.dump(statement) for statement in body]


def cells(path, kind):
    content = json.loads(path.read_text(encoding="utf-8"))
    assert content["nbformat"] == 4
    return [cell for cell in content["cells"] if cell["cell_type"] == kind]


def test_there_are_three():
    assert len(NOTEBOOKS) == 3


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_has_the_code_of_its_page(path):
    page = ROOT / "docs" / "gallery" / f"plot_{path.stem}.py"
    source = "\n".join("".join(cell["source"]) for cell in cells(path, "code"))
    assert code_of(source) == code_of(page.read_text(encoding="utf-8"))
    assert len(cells(path, "code")) >= 2


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_begins_with_its_title_and_has_no_output(path):
    assert "".join(cells(path, "markdown")[0]["source"]).startswith("# ")
    assert all(cell["outputs"] == [] and cell["execution_count"] is None for cell in cells(path, "code"))
