"""What `import fastfm_c` says where there is no extension, as in a source tree that nobody has built."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from helpers.subprocesses import TIME_LIMIT, environment

import fastfm_c

PACKAGE = Path(fastfm_c.__file__).parent


@pytest.fixture(scope="module")
def unbuilt(tmp_path_factory):
    """A copy of the package without its extension."""
    folder = tmp_path_factory.mktemp("tree")
    ignored = shutil.ignore_patterns("*.so", "*.pyd", "*.dylib", "__pycache__", "*.bz2")
    shutil.copytree(PACKAGE, folder / "fastfm_c", ignore=ignored)
    return folder


@pytest.mark.parametrize(
    "program",
    [
        "import fastfm_c",
        "from fastfm_c import FM",
        "import fastfm_c.sklearn",
        "from fastfm_c.text import load_libsvm",
        "import fastfm_c._core",
    ],
)
def test_an_import_without_the_extension_says_how_to_build_it(unbuilt, program):
    """In the folder, as a stranger starts it."""
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=unbuilt,
        env=environment(PYTHONPATH="", PYTHONSAFEPATH=""),
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT,
        check=False,
    )
    assert done.returncode == 1
    last = done.stderr.strip().splitlines()[-1]
    assert last.startswith("ImportError: fastfm_c has no compiled extension here.")
    assert "pip install -e ." in last
    assert "python -P" in last
    assert "circular" not in done.stderr


def test_another_module_that_is_missing_is_named(unbuilt, tmp_path):
    """The message is about the extension alone."""
    shutil.copytree(unbuilt / "fastfm_c", tmp_path / "fastfm_c")
    (tmp_path / "fastfm_c" / "_core" / "__init__.py").write_text("import no_such_module\n")
    done = subprocess.run(
        [sys.executable, "-c", "import fastfm_c"],
        cwd=tmp_path,
        env=environment(PYTHONPATH="", PYTHONSAFEPATH=""),
        capture_output=True,
        text=True,
        timeout=TIME_LIMIT,
        check=False,
    )
    assert done.stderr.strip().splitlines()[-1] == "ModuleNotFoundError: No module named 'no_such_module'"
