"""Faults that users met and that are not mended yet: wrong results without a word."""

import pytest


def fault(reason, number, raises=AssertionError):
    """A test that says what is right, and fails in this way until the fault of this number is mended."""
    return pytest.mark.xfail(strict=True, raises=raises, reason=f"fault {number}: {reason}")
