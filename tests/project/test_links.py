"""What the pages point at is there: every relative link, and the heading behind its #."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
PARTS = "docs", "bench", "csrc", "fastfm_c", "tests"
PAGES = sorted([*ROOT.glob("*.md"), *(page for part in PARTS for page in (ROOT / part).rglob("*.md"))])
# The tests of a wheel and an sdist have some pages, and not all files that these point at.
needs_checkout = pytest.mark.skipif(
    not (ROOT / ".github").is_dir() or not (ROOT / "docs").is_dir(), reason="no checkout"
)


def without_code(text):
    return re.sub(r"^```.*?^```$|^    .*?$|`[^`\n]*`", "", text, flags=re.DOTALL | re.MULTILINE)


def links(page):
    """Targets of links to files, as they are written."""
    found = re.findall(r"\[[^\]]*\]\(([^)\s]+)\)", without_code(page.read_text(encoding="utf-8")))
    return [target for target in found if not re.match(r"[a-z]+:", target)]


def targets(page):
    """The files that a page points at."""
    return {(page.parent / link.partition("#")[0]).resolve() for link in links(page)}


def headings(page):
    """Their names in a link, as GitHub makes them."""
    text = re.sub(r"^```.*?^```$", "", page.read_text(encoding="utf-8"), flags=re.DOTALL | re.MULTILINE)
    titles = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@needs_checkout
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_links_lead_somewhere(page):
    for link in links(page):
        name, _, heading = link.partition("#")
        target = (page.parent / name).resolve() if name else page
        assert target.exists(), link
        if heading:
            assert heading in headings(target), link


@needs_checkout
def test_every_page_of_docs_is_in_an_index():
    """In that of its section, which the first page names, or on the first page."""
    first = ROOT / "docs" / "index.md"
    sections = [first, *(path for path in targets(first) if path.name == "index.md")]
    listed = {target for section in sections for target in targets(section)}
    built = [ROOT / "docs" / folder for folder in ("generated", "auto_gallery")]  # by `make site`
    pages = {p for p in (ROOT / "docs").rglob("*.md") if not set(built) & set(p.parents)} - {first}
    assert {page for page in pages if page.resolve() not in listed} == set()


@needs_checkout
@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.relative_to(ROOT).as_posix())
def test_files_that_are_named_are_there(page):
    """But for the lab notebook, which tells of what was."""
    text = page.read_text(encoding="utf-8") if page.name != "lab-notebook.md" else ""
    named = set(re.findall(r"`((?:\.ci|bench|csrc|docs|fastfm_c|tests|tools)/[\w./-]*)", text))
    named -= {"bench/data"}  # made by the benchmarks
    assert {name for name in named if not (ROOT / name).exists()} == set()


@needs_checkout
def test_there_are_links():
    assert sum(len(links(page)) for page in PAGES) > 80
