"""What OpenMP does not tell: how many CPUs a container may use, and how large its threads' stacks are."""

import os
import re

__all__ = ["default_limit", "stack_size"]

# In the order in which the runtimes of LLVM and GNU prefer them; and the powers of two of their units.
_STACK_SIZES = "KMP_STACKSIZE", "OMP_STACKSIZE", "GOMP_STACKSIZE"
_UNITS = {"B": 0, "": 10, "K": 10, "M": 20, "G": 30, "T": 40}


def _read(path: str) -> list[str]:
    try:
        with open(path) as file:
            return file.read().split()
    except OSError:
        return []


def _cgroup_cpus() -> int | None:
    """CPUs that a container's quota amounts to, rounded up, or None."""
    numbers = _read("/sys/fs/cgroup/cpu.max")  # version 2: "max 100000" or "150000 100000"
    if not numbers:  # version 1
        numbers = _read("/sys/fs/cgroup/cpu/cpu.cfs_quota_us") + _read("/sys/fs/cgroup/cpu/cpu.cfs_period_us")
    try:
        quota, period = map(int, numbers)
    except ValueError:
        return None
    return max(1, -(-quota // period)) if quota > 0 and period > 0 else None


def _usable_cpus() -> int:
    """CPUs that this process may use: affinity and container quota."""
    try:
        cpus = len(os.sched_getaffinity(0))
    except AttributeError:  # not on macOS and Windows
        cpus = os.cpu_count() or 1
    return min(cpus, _cgroup_cpus() or cpus)


def default_limit() -> int | None:
    """The most threads to use by default, or None when ``OMP_NUM_THREADS`` decides."""
    return None if "OMP_NUM_THREADS" in os.environ else _usable_cpus()


def stack_size() -> int:
    """Bytes of the stacks of OpenMP's threads, if environment variables say them, or 0."""
    for name in _STACK_SIZES:
        found = re.fullmatch(r"\s*(\d{1,15})\s*([BKMGT]?)\s*", os.environ.get(name, ""), re.IGNORECASE)
        if found:
            return min(int(found[1]) << _UNITS[found[2].upper()], 1 << 62)
    return 0
