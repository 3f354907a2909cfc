"""The gallery: each page runs, and what it asserts holds."""

import os
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
