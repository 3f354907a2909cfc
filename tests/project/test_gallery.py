"""The gallery: each page runs, and what it asserts holds."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

pytest.importorskip("sklearn")
pytest.importorskip("pandas")
pytest.importorskip("matplotlib")

GALLERY = Path(__file__).parents[2] / "docs" / "gallery"


@pytest.mark.slow
@pytest.mark.parametrize("page", sorted(GALLERY.glob("plot_*.py")), ids=lambda page: page.stem)
def test_a_page_runs(page, tmp_path):
    subprocess.run(
        [sys.executable, "-W", "error", page],
        check=True,
        cwd=tmp_path,
        env=os.environ | {"MPLBACKEND": "agg", "MPLCONFIGDIR": str(tmp_path)},
    )


@pytest.mark.skipif(not GALLERY.is_dir(), reason="no docs/ here")
def test_the_index_lists_each_page_with_its_seconds():
    listed = re.findall(
        r"^   \* - :doc:`(plot_\w+)`\n     - .+\n     - (\d+)$",
        (GALLERY / "GALLERY_HEADER.rst").read_text(encoding="utf-8"),
        re.MULTILINE,
    )
    assert sorted(name for name, _ in listed) == sorted(page.stem for page in GALLERY.glob("plot_*.py"))
    assert all(int(seconds) < 30 for _, seconds in listed)
