"""bench history: what it reads of a profile, and what it calls slower."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(not (ROOT / "bench").is_dir(), reason="no bench/ here")

PROFILE = """\
fn=caller
12 30
cfn=fastfm_score
calls=1 7
13 500
cfn=fastfm_score
calls=2 7
14 700
cfn=other
calls=1 9
15 40
"""


@pytest.fixture
def history(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT))
    from bench import history

    yield history
    for name in [name for name in sys.modules if name == "bench" or name.startswith("bench.")]:
        del sys.modules[name]


def test_counts_include_what_is_called(history):
    assert history.inclusive_counts(PROFILE) == {"fastfm_score": 1200}


def test_more_instructions_of_the_same_compiler_are_slower(history):
    def release(number, compiler="gcc 12.2.0"):
        return {"compiler": compiler, "instructions": {"top 10": number}}

    assert history.slower(release(1000), release(1030)) == ["top 10"]
    assert history.slower(release(1000), release(1010)) == []
    assert history.slower(release(1000), release(9000, "clang 19")) == []
    assert history.slower(None, release(9000)) == []


def test_a_release_has_each_kernel(history):
    assert history.last_release()["instructions"].keys() == history.KERNELS.keys()
