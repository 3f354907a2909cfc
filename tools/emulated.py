"""The fast Python tests on another platform, under an emulator: what windows.py and arm64.py share."""

from __future__ import annotations

import argparse
import importlib.util
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Callable, Iterable
from pathlib import Path

import wheels
from platforms import HEAD, ROOT, Failed, Lacking, make, print_table, run

TIME_LIMIT = 1200  # seconds, for each process that a test starts
PIP = [sys.executable, "-m", "pip", "--no-input", "-q"]


def complete(folder: Path, unpack: Callable[[Path], None]) -> Path:
    """The folder, unpacked if it was not, or not to the end."""
    if not (folder / "complete").exists():
        shutil.rmtree(folder, ignore_errors=True)
        unpack(folder)
        (folder / "complete").touch()
    return folder


def pip_install(site: Path, platform: list[str], *what: str) -> None:
    run([*PIP, "install", *platform, "--only-binary=:all:", "--no-compile", "--target", site, *what])


def test_packages() -> list[str]:
    return tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["test"]


def install_wheel(site: Path, folder: Path, **environment: str) -> Path:
    """Unpacks a wheel built with CC and so on, whatever its name says; returns the package."""
    if importlib.util.find_spec("build") is None:
        raise Lacking("no build: pip install build")
    try:
        wheel = wheels.build_wheel(wheels.build_sdist(folder / "sdist"), folder / "wheel", **environment)
    except subprocess.CalledProcessError as error:
        raise Failed(wheels.last_line(error)) from None
    for old in site.glob("fastfm_c*"):
        shutil.rmtree(old)
    zipfile.ZipFile(wheel).extractall(site)
    return site / "fastfm_c"


def test(
    python: list, deselected: Iterable[str], arguments: list[str], folder: Path, **environment: str
) -> str:
    """Runs the tests in `folder`, away from the source tree."""
    for name in wheels.TEST_FILES:
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, folder / name)
    output = run(
        [*python, "-P", "-m", "pytest", "-q", "-p", "no:cacheprovider"]
        + [f"--deselect={name}" for name in deselected]
        + arguments,
        cwd=folder,
        FASTFM_C_TIME_LIMIT=str(TIME_LIMIT),
        **environment,
    )
    print(output)
    return re.search(r"\d+ passed.*(?= in )", output)[0]


def main(name: str, what: str, check: Callable[[Path, list[str], Path], str], description: str) -> int:
    """`check` gets a folder for what may be kept, arguments for pytest, and a folder for the rest."""
    parser = argparse.ArgumentParser(
        description=description, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cache", type=Path, metavar="FOLDER", help="keeps Python and its packages there")
    parser.add_argument("--strict", action="store_true", help="what is skipped counts as failed")
    parser.add_argument("pytest", nargs="*", help="arguments for pytest")
    arguments = parser.parse_args()
    cache = arguments.cache and arguments.cache.resolve()
    if cache and (cache == ROOT or ROOT in cache.parents):
        parser.error(f"--cache {cache} is inside the source tree")
    if cache:
        cache.mkdir(parents=True, exist_ok=True)
    row = make(name, what, lambda folder: check(cache or folder, arguments.pytest, folder))
    print_table([*HEAD, row])
    return row[2] == "FAILED" or (arguments.strict and row[2].startswith("skipped"))
