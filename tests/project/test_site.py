"""The site: its reference has every public name, and its pages are all that docs/ has."""

import importlib
import posixpath
import re
from pathlib import Path

import pytest

import fastfm_c

DOCS = Path(__file__).parents[2] / "docs"
pytestmark = pytest.mark.skipif(not (DOCS / "conf.py").is_file(), reason="no docs/ here")
PACKAGE = Path(fastfm_c.__file__).parent
MODULES = [path.stem for path in PACKAGE.glob("[a-z]*") if path.suffix in (".py", "")]


def in_reference():
    """Names of the reference, each with its module."""
    names = set()
    module = None
    for line in (DOCS / "reference.md").read_text(encoding="utf-8").splitlines():
        if found := re.match(r"\.\. (?:current)?module:: (\S+)", line):
            module = found[1]
        elif re.match(r"   \w+$", line):
            names.add(f"{module}.{line.strip()}")
    return names


def at_the_top(thing):
    return any(getattr(fastfm_c, name) is thing for name in fastfm_c.__all__)


def public_names():
    """Each public thing once: by its name at the top level if it has one."""
    yield from (f"fastfm_c.{name}" for name in fastfm_c.__all__ if name != "__version__")
    for name in MODULES:
        module = importlib.import_module(f"fastfm_c.{name}")
        for public in module.__all__:
            if not at_the_top(getattr(module, public)):
                yield f"fastfm_c.{name}.{public}"


def test_the_reference_has_every_public_name():
    pytest.importorskip("sklearn")
    pytest.importorskip("distributed")
    assert in_reference() == set(public_names())


def entries(page):
    """What the tables of contents of a page name, as paths from docs/ without a suffix."""
    text = (DOCS / f"{page}.md").read_text(encoding="utf-8")
    blocks = re.findall(r"```\{toctree\}\n(.*?)```", text, re.DOTALL)
    lines = [line for block in blocks for line in block.splitlines() if line and not line.startswith(":")]
    names = [re.sub(r".*<(.*)>", r"\1", line) for line in lines]  # a title may stand before
    return [posixpath.normpath(posixpath.join(posixpath.dirname(page), name)) for name in names]


def test_each_page_is_in_one_table_of_contents():
    """Of the first page, or of a section that it names."""
    found = []
    for entry in ("index", *entries("index")):
        found += entries(entry) if (DOCS / f"{entry}.md").is_file() else []
    pages = {p.relative_to(DOCS).with_suffix("").as_posix() for p in DOCS.rglob("*.md")}
    written = {p for p in pages if p != "index" and not re.match(r"(gallery|auto_gallery|generated)/", p)}
    assert sorted(found) == sorted({*written, "auto_gallery/index"})
