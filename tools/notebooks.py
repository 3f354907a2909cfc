"""Notebooks of some pages of the gallery, in examples/: the same text and the same code.

    python tools/notebooks.py           # write them
    python tools/notebooks.py --check   # exit code 1 if one is not what its page says

It needs sphinx-gallery (extra `docs`), which splits a page into text and code.
"""

from __future__ import annotations

import argparse
import json
import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
GALLERY, EXAMPLES = ROOT / "docs" / "gallery", ROOT / "examples"
PAGES = "clicks", "explanation", "indirect_evidence"
INSTALL = 'In a fresh environment: `pip install "fastfm-c[sklearn,dataframe]" pandas matplotlib`.'
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}


def notebook(page: Path) -> str:
    """The notebook of a page, as it is written."""
    from sphinx_gallery.py_source_parser import split_code_and_text_blocks

    cells = []
    for kind, content, _ in split_code_and_text_blocks(str(page))[1]:
        content = content.strip("\n")
        if kind == "text":
            content = markdown(content) + (f"\n\n{INSTALL}" if not cells else "")
        if content:
            cells.append(cell(len(cells), kind, content))
    content = {"cells": cells, "metadata": {"kernelspec": KERNEL}, "nbformat": 4, "nbformat_minor": 5}
    return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def markdown(text: str) -> str:
    """Of the little reStructuredText that the gallery uses: headings, and code between backquotes."""
    text = re.sub(r"^(\S.*)\n={3,}$", r"# \1", text, flags=re.MULTILINE)
    return re.sub(r"^(\S.*)\n-{3,}$", r"## \1", text, flags=re.MULTILINE)


def cell(number: int, kind: str, content: str) -> dict:
    code = {"execution_count": None, "outputs": []} if kind == "code" else {}
    return {
        "cell_type": "code" if kind == "code" else "markdown",
        **code,
        "id": f"cell-{number}",
        "metadata": {},
        "source": content.splitlines(keepends=True),
    }


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="write nothing")
    check = parser.parse_args().check
    different = []
    for name in PAGES:
        text, file = notebook(GALLERY / f"plot_{name}.py"), EXAMPLES / f"{name}.ipynb"
        if not check:
            file.write_text(text, encoding="utf-8")
        elif not file.is_file() or file.read_text(encoding="utf-8") != text:
            different.append(file.relative_to(ROOT).as_posix())
    if different:
        print(f"not what the gallery says: {', '.join(different)}. Run python tools/notebooks.py")
    return bool(different)


if __name__ == "__main__":
    sys.exit(main())
