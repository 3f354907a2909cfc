"""How many threads are used: what was asked for, what there is, and what pays."""

import os

import numpy as np
import pytest
from subprocesses import SETUP, output_of

import fastfm_c
from fastfm_c import _threads

HAS_OPENMP = fastfm_c.config()["openmp"]
needs_openmp = pytest.mark.skipif(not HAS_OPENMP, reason="built without OpenMP")
needs_affinity = pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity here")
needs_proc = pytest.mark.skipif(not os.path.isdir("/proc/self/task"), reason="no /proc here")

GET = "import fastfm_c; print(fastfm_c.get_num_threads(), fastfm_c.config()['num_threads'])"


def test_set_and_get(num_threads):
    default = fastfm_c.get_num_threads()
    assert default >= 1
    for n in (1, 3, np.int64(2)):
        fastfm_c.set_num_threads(n)
        assert fastfm_c.get_num_threads() == n
        assert fastfm_c.config()["num_threads"] == n
    fastfm_c.set_num_threads(None)
    assert fastfm_c.get_num_threads() == default


@pytest.mark.parametrize("bad", [0, -1, 1.0, "2", True, [1]])
def test_set_refuses(num_threads, bad):
    fastfm_c.set_num_threads(2)
    with pytest.raises(ValueError, match="n must be a positive integer"):
        fastfm_c.set_num_threads(bad)
    assert fastfm_c.get_num_threads() == 2


def test_the_environment_decides():
    for n in (1, 3):
        assert output_of(GET, OMP_NUM_THREADS=str(n)).split() == [str(n if HAS_OPENMP else 1)] * 2


@needs_affinity
def test_affinity_is_respected():
    one = "import os; os.sched_setaffinity(0, {min(os.sched_getaffinity(0))});"
    assert output_of(one + GET).split() == ["1", "1"]


def test_the_default_is_all_usable_cpus():
    usable = _threads._usable_cpus()
    assert output_of(GET).split() == [str(usable if HAS_OPENMP else 1)] * 2


# --------------------------------------------------------------------------- container quotas


V2, QUOTA, PERIOD = (
    "/sys/fs/cgroup/cpu.max",
    "/sys/fs/cgroup/cpu/cpu.cfs_quota_us",
    "/sys/fs/cgroup/cpu/cpu.cfs_period_us",
)


@pytest.mark.parametrize(
    ("files", "cpus"),
    [
        ({V2: "200000 100000\n"}, 2),
        ({V2: "150000 100000\n"}, 2),
        ({V2: "100001 100000\n"}, 2),
        ({V2: "50000 100000\n"}, 1),
        ({V2: "1000 100000\n"}, 1),
        ({V2: "max 100000\n"}, None),
        ({V2: "max\n"}, None),
        ({V2: "nonsense"}, None),
        ({V2: "100000 0\n"}, None),
        ({QUOTA: "300000\n", PERIOD: "100000\n"}, 3),
        ({QUOTA: "-1\n", PERIOD: "100000\n"}, None),
        ({QUOTA: "300000\n"}, None),
        ({V2: "100000 100000\n", QUOTA: "900000\n", PERIOD: "100000\n"}, 1),
        ({}, None),
    ],
)
def test_container_quota(monkeypatch, tmp_path, files, cpus):
    def open_fake(path, *args, **kwargs):
        copy = tmp_path / path.replace("/", "_")
        if path in files:
            copy.write_text(files[path])
        return open(copy, *args, **kwargs)

    monkeypatch.setattr(_threads, "open", open_fake, raising=False)
    monkeypatch.setattr(_threads.os, "sched_getaffinity", lambda pid: set(range(16)), raising=False)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    assert _threads._cgroup_cpus() == cpus
    assert _threads.default_limit() == (cpus or 16)
    monkeypatch.setattr(_threads.os, "sched_getaffinity", lambda pid: {5}, raising=False)
    assert _threads.default_limit() == 1
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    assert _threads.default_limit() is None


def test_without_affinity_all_cpus_count(monkeypatch):
    monkeypatch.delattr(_threads.os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(_threads, "_cgroup_cpus", lambda: None)
    monkeypatch.setattr(_threads.os, "cpu_count", lambda: 5)
    assert _threads._usable_cpus() == 5
    monkeypatch.setattr(_threads.os, "cpu_count", lambda: None)
    assert _threads._usable_cpus() == 1


# ------------------------------------------------------------------ when threads are started

COUNT = """
def n_threads():
    return len(os.listdir("/proc/self/task"))
before = n_threads()
model.predict(X[:900], num_threads=8)              # less than 300,000 multiply-adds
model.predict_row(X.indices[:20], X.data[:20])
model.gradient(X, y, LogisticLoss(), num_threads=1)
ffm.predict(X, num_threads=1)
print(n_threads() - before)
{call}
print(n_threads() - before)
"""


@needs_proc
@pytest.mark.parametrize(
    "call",
    [
        "model.predict(X, num_threads=3)",
        "ffm.predict(X, num_threads=3)",
        "model.objective(X, y, LogisticLoss(), num_threads=3)",
        "ffm.gradient(X, y, LogisticLoss(), num_threads=3)",
        "model.predict(X)",
    ],
)
def test_large_work_starts_threads_and_small_work_does_not(call):
    output = output_of(SETUP + COUNT.format(call=call), OMP_NUM_THREADS="3").split()
    assert output == ["0", "2" if HAS_OPENMP else "0"]


def test_absurd_numbers_of_threads():
    """The runtime would end the process when it cannot start that many."""
    program = SETUP + "a, b = (model.predict(X, num_threads=n) for n in (1, 10**9)); print((a == b).all())"
    assert output_of(program).split() == ["True"]


@needs_openmp
def test_threadpoolctl_limits():
    threadpoolctl = pytest.importorskip("threadpoolctl")
    program = """
import fastfm_c, threadpoolctl
def show():
    print(fastfm_c.get_num_threads())
show()
with threadpoolctl.threadpool_limits(2):
    show()
    fastfm_c.set_num_threads(3)
    show()
fastfm_c.set_num_threads(3)
with threadpoolctl.threadpool_limits(1, user_api="openmp"):
    show()
show()
"""
    assert output_of(program, OMP_NUM_THREADS="4").split() == ["4", "2", "2", "1", "3"]
    info = threadpoolctl.threadpool_info()
    assert any(library["user_api"] == "openmp" for library in info)
