"""What the figures were measured on."""

from __future__ import annotations

import os
import platform
import shlex
import subprocess
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

PACKAGES = ("numpy", "scipy", "numba", "torch", "modern-fm")


def describe() -> dict:
    import fastfm_c

    return {
        "cpu": _cpu_model(),
        "cores": cores(),
        "load_average": os.getloadavg()[0],
        "system": platform.platform(),
        "python": platform.python_version(),
        "compiler": _compiler(),
        "packages": {name: _version(name) for name in PACKAGES},
        "fastfm_c": fastfm_c.config(),
    }


class ForeignLoad:
    """CPU time that other processes use from now on, in units of one core."""

    def __init__(self):
        self._start = time.perf_counter(), _busy_seconds() - time.process_time()

    def cores(self) -> float:
        start, foreign = self._start
        elapsed = time.perf_counter() - start
        return max(0.0, _busy_seconds() - time.process_time() - foreign) / elapsed


def _busy_seconds() -> float:
    """CPU time of all processes, or this one's where /proc/stat does not tell."""
    try:
        fields = Path("/proc/stat").read_text().splitlines()[0].split()[1:]
    except OSError:
        return time.process_time()
    user, nice, system, _idle, _iowait, irq, softirq, steal = map(int, fields[:8])
    return (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")


def cores() -> int:
    """Those this process may use, where the system tells."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _cpu_model() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":")[1].strip() for line in lines if "model name" in line), "unknown")


def c_compiler() -> list[str]:
    """Its command, which may be several words, as in CC="ccache gcc"."""
    return shlex.split(os.environ.get("CC", "cc"))


def _compiler() -> str:
    command = [*c_compiler(), "--version"]
    return subprocess.run(command, capture_output=True, text=True).stdout.partition("\n")[0]


def _version(name: str) -> str | None:
    try:
        return version(name)
    except PackageNotFoundError:
        return None
