"""How many threads are used, and what must work with them: forks, pools, signals, other threads."""

import os
import sys
import threading

import numpy as np
import pytest
from conftest import LEVELS
from strategies import make_csr, make_model
from subprocesses import output_of, run

import fastfm_c
from fastfm_c import _threads

HAS_OPENMP = fastfm_c.config()["openmp"]
needs_openmp = pytest.mark.skipif(not HAS_OPENMP, reason="built without OpenMP")
needs_affinity = pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity here")
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")
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

SETUP = """
import os, sys
import numpy as np
from strategies import make_csr, make_model
from fastfm_c import LogisticLoss
rng = np.random.default_rng(0)
X = make_csr(rng, [20] * 5000, 500, "float32")  # 100,000 values, times k = 1.6 million
model = make_model(rng, (), 500, 16, "float32")
ffm = make_model(rng, (), 500, 4, "float32", 5, np.arange(500) % 5)
y = np.arange(5000) % 2
"""
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


# -------------------------------------------------------------------------- threadpoolctl, joblib


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


JOBLIB = SETUP + """
from joblib import Parallel, delayed
import fastfm_c
def work(model, X):
    return model.predict(X), fastfm_c.get_num_threads()
if __name__ == "__main__":
    expected = model.predict(X, num_threads=2)
    results = Parallel(n_jobs=2, backend=sys.argv[1])(delayed(work)(model, X) for _ in range(4))
    assert all((scores == expected).all() for scores, _ in results)
    print(*(n for _, n in results))
"""


@pytest.mark.parametrize("backend", ["loky", "threading", "multiprocessing"])
def test_joblib(tmp_path, backend):
    pytest.importorskip("joblib")
    options = ("-W", "ignore")  # forks of processes with threads, leaked semaphores: theirs
    numbers = output_of(JOBLIB, backend, options=options, JOBLIB_TEMP_FOLDER=str(tmp_path)).split()
    assert len(numbers) == 4
    if backend == "loky":  # it tells its workers how many threads there are for each
        cpus = _threads._usable_cpus()
        assert all(int(n) <= max(1, cpus // 2) for n in numbers)


# ------------------------------------------------------------------------------------ forks

FORK = SETUP + """
import signal, time
import fastfm_c
{before}
pid = os.fork()
if pid == 0:
    same = (model.predict(X, num_threads=4) == expected).all()
    same &= model.gradient(X, y, LogisticLoss(), num_threads=4)[0] == value
    same &= (ffm.predict(X) == of_ffm).all()
    os._exit(0 if same and fastfm_c.get_num_threads() == 1 else 3)
deadline = time.monotonic() + 60
while time.monotonic() < deadline:
    done, status = os.waitpid(pid, os.WNOHANG)
    if done:
        print("child ended with", os.waitstatus_to_exitcode(status))
        break
    time.sleep(0.01)
else:
    os.kill(pid, signal.SIGKILL)
    print("child hung")
print("parent", (model.predict(X, num_threads=4) == expected).all(), fastfm_c.get_num_threads())
"""
SERIAL = """
expected = model.predict(X, num_threads=1)
value = model.gradient(X, y, LogisticLoss(), num_threads=1)[0]
of_ffm = ffm.predict(X, num_threads=1)
"""
# With OpenMP there is a pool of threads now, which the child does not have.
PARALLEL = SERIAL + "model.predict(X, num_threads=4); ffm.gradient(X, y, LogisticLoss(), num_threads=3)"


@needs_fork
@pytest.mark.parametrize("before", [SERIAL, PARALLEL], ids=["serial", "parallel"])
def test_a_forked_child_works(before):
    output = output_of(FORK.format(before=before), options=("-W", "ignore"), OMP_NUM_THREADS="4")
    assert output.splitlines() == ["child ended with 0", f"parent True {4 if HAS_OPENMP else 1}"]


POOL = SETUP + """
import multiprocessing
expected = model.predict(X, num_threads=4)
def work(i):
    return (model.predict(X, num_threads=2) == expected).all()
with multiprocessing.get_context("fork").Pool(3) as pool:
    print(pool.map_async(work, range(9)).get(60))
"""


@needs_fork
def test_a_pool_of_forked_processes():
    assert output_of(POOL, options=("-W", "ignore")).strip() == str([True] * 9)


# ------------------------------------------------------------------------ threads of Python


@pytest.mark.parametrize("num_threads", [1, 2])
def test_fifty_threads_predict_with_one_model(num_threads):
    rng = np.random.default_rng(0)
    X = make_csr(rng, [20] * 1500, 400, "float32")
    models = [
        make_model(rng, (), 400, 16, "float32"),
        make_model(rng, (), 400, 4, "float32", 5, np.arange(400) % 5),
    ]
    expected = [model.predict(X) for model in models]
    start, wrong = threading.Barrier(50), []

    def work(t):
        start.wait()
        for model, scores in zip(models, expected, strict=True):
            if not np.array_equal(model.predict(X, num_threads=num_threads), scores):
                wrong.append(t)
            row = slice(20 * t, 20 * t + 20)
            if model.predict_row(X.indices[row], X.data[row]) != scores[t]:
                wrong.append(t)

    threads = [threading.Thread(target=work, args=(t,)) for t in range(50)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert LEVELS[0] == "baseline"


# ------------------------------------------------------------------------ KeyboardInterrupt

# Minutes of work for one thread, in little memory: 64 outputs of 64 factors for each value. The
# other thread of Python can send the signal only because the interpreter lock is released.
INTERRUPT = """
import os, signal, threading
import numpy as np
from strategies import make_csr, make_model
from fastfm_c import SoftmaxLoss
rng = np.random.default_rng(0)
X = make_csr(rng, [100] * 100_000, 200, "float32")
model = make_model(rng, (64,), 200, 64, "float32")
scores = np.full((100_000, 64), np.nan, "float32")
y = np.zeros(100_000)
threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
try:
    {call}
except KeyboardInterrupt:
    print("interrupted", np.isnan(scores[-1]).all())
print("alive", np.isfinite(model.predict(X[:10])).all())
"""


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT for one process")
@pytest.mark.parametrize(
    "call",
    [
        "model.predict(X, out=scores, num_threads=1)",
        "model.predict(X, out=scores)",
        "model.objective(X, y, SoftmaxLoss())",
        "model.gradient(X, y, SoftmaxLoss())",
    ],
)
def test_a_long_call_can_be_interrupted(call):
    done = run(INTERRUPT.format(call=call))
    assert done.stdout.splitlines() == ["interrupted True", "alive True"], done.stderr
