"""tools/fuzz_simd.py: random work has the same bits at every SIMD level."""

import subprocess
import sys
from pathlib import Path

import pytest

TOOL = Path(__file__).parents[2] / "tools" / "fuzz_simd.py"


@pytest.mark.slow
@pytest.mark.skipif(not TOOL.is_file(), reason="no tools/ here")
def test_random_work_has_the_same_bits_at_every_level():
    done = subprocess.run(
        [sys.executable, TOOL, "--count", "150"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    assert "150 cases" in done.stdout
