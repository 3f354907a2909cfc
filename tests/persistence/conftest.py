"""What the tests of files share."""

import pytest


@pytest.fixture
def path(tmp_path):
    """Where a test may write a file."""
    return tmp_path / "file"
