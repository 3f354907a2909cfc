"""The Python package on Linux on ARM: built by a cross compiler, tested by Debian's CPython under qemu.

    python tools/arm64.py                     # the fast tests; what is needed goes to a temporary folder
    python tools/arm64.py --cache FOLDER      # and stays in FOLDER (800 MB) for the next time
    python tools/arm64.py -- -x tests/text    # arguments for pytest

Runs on Linux, for any user. Python is unpacked from Debian's packages, of which nothing is run, with the
packages that the tests need and with the wheel, which is built as tools/wheels.py does. The tests run next to
them, away from the source tree. A row of the table in docs/platforms.md is printed.
"""

from __future__ import annotations

import sys
from pathlib import Path

import emulated
from platforms import CPUS, aarch64_gcc, program, qemu, run

WHAT = "gcc, OpenMP, NEON, CPython 3.11, under qemu: the fast Python tests"
DEBIAN = "python3.11,libpython3.11-dev,libgomp1,libstdc++6"
FOR_ARM64 = ["--platform=manylinux_2_28_aarch64", "--platform=manylinux2014_aarch64", "--python-version=3.11"]
PACKAGES = ["numpy", "scipy", "pytest-xdist"]
SITE = "usr/local/lib/python3.11/dist-packages"
# Called by this script's name (-0), Python takes it for itself: sys.executable, which tests start again.
PYTHON = """#!/bin/sh
exec {qemu} -0 "$0" -L {root} {root}/usr/bin/python3.11 "$@"
"""
# Tests that fail for what qemu is.
DESELECTED = {
    # qemu obeys no RLIMIT_AS.
    "tests/core/test_no_memory.py::test_memory_error_where_repeats_are_summed",
    # What /proc/self/smaps_rollup counts is qemu's, with the code it has translated.
    "tests/persistence/test_files.py::test_processes_share_a_mapped_file",
}


def unpack(root: Path) -> None:
    """Python with the packages of the tests."""
    debootstrap = program(["mmdebstrap"], "mmdebstrap debian-archive-keyring")
    only_unpack = ["--mode=chrootless", "--variant=extract", "--architectures=arm64"]
    run([debootstrap, *only_unpack, f"--include={DEBIAN}", "bookworm", root])
    emulated.pip_install(root / SITE, FOR_ARM64, *PACKAGES, *emulated.test_packages())


def check(kept: Path, arguments: list[str], folder: Path) -> str:
    [emulator], gcc = qemu("aarch64"), aarch64_gcc()[0]
    root = emulated.complete(kept / "root", unpack)
    include = f"-I{root / 'usr/include/python3.11'} -I{root / SITE / 'numpy/_core/include'}"
    emulated.install_wheel(
        root / SITE,
        folder,
        CC=f"{gcc} {include} -idirafter {root / 'usr/include'}",
        LDSHARED=f"{gcc} -shared -s",
        LDFLAGS="",
    )
    python = root / "usr/bin/python"
    python.write_text(PYTHON.format(qemu=emulator, root=root))
    python.chmod(0o755)
    return emulated.test([python], DESELECTED, ["-n", str(CPUS), *arguments], folder)


if __name__ == "__main__":
    sys.exit(emulated.main("aarch64-python", WHAT, check, __doc__))
