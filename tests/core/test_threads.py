"""How many threads are used: what was asked for, what there is, and what pays."""

import os
import sys

import numpy as np
import pytest
from helpers.make import csr_of, make_csr, make_model
from helpers.subprocesses import SETUP, output_of
from helpers.threads import in_each_of

import fastfm_c
from fastfm_c import Adam, LogisticLoss
from fastfm_c._threads import default_limit

HAS_OPENMP = fastfm_c.config()["openmp"]
needs_openmp = pytest.mark.skipif(not HAS_OPENMP, reason="built without OpenMP")
needs_affinity = pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="no affinity here")
needs_proc = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs Linux's /proc")

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


def test_the_default_is_all_usable_cpus(usable_cpus):
    assert output_of(GET).split() == [str(usable_cpus if HAS_OPENMP else 1)] * 2


# --------------------------------------------------------------------------- container quotas


V2, QUOTA, PERIOD = (
    "/sys/fs/cgroup/cpu.max",
    "/sys/fs/cgroup/cpu/cpu.cfs_quota_us",
    "/sys/fs/cgroup/cpu/cpu.cfs_period_us",
)


@pytest.fixture
def control_groups(monkeypatch, tmp_path):
    """A dict of the files that the system has about control groups, by their paths."""
    files, open_really = {}, open

    def open_fake(path, *args, **kwargs):
        if not str(path).startswith("/sys/fs/cgroup"):
            return open_really(path, *args, **kwargs)
        copy = tmp_path / path.replace("/", "_")
        if path in files:
            copy.write_text(files[path])
        return open_really(copy, *args, **kwargs)

    monkeypatch.setattr("builtins.open", open_fake)
    monkeypatch.delenv("OMP_NUM_THREADS", raising=False)
    return files


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
def test_container_quota(monkeypatch, control_groups, files, cpus):
    control_groups.update(files)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: set(range(16)), raising=False)
    assert default_limit() == (cpus or 16)
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {5}, raising=False)
    assert default_limit() == 1
    monkeypatch.setenv("OMP_NUM_THREADS", "7")
    assert default_limit() is None


def test_without_affinity_all_cpus_count(monkeypatch, control_groups):
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    monkeypatch.setattr(os, "cpu_count", lambda: 5)
    assert default_limit() == 5
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert default_limit() == 1


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


# ------------------------------------------------- threads of Python that share a model or a solver


@pytest.mark.parametrize("num_threads", [1, 2])
def test_two_hundred_threads_use_one_model(num_threads):
    rng = np.random.default_rng(0)
    X, y = make_csr(rng, [20] * 400, 200, "float32"), np.arange(400) % 2
    for fields in ((), (5, np.arange(200) % 5)):
        model = make_model(rng, (), 200, 8, "float32", *fields)
        scores = model.predict(X, num_threads=1)
        value, gradient = model.gradient(X, y, LogisticLoss(), num_threads=1)

        def work(t, model=model, scores=scores, value=value, gradient=gradient):
            np.testing.assert_array_equal(model.predict(X, num_threads=num_threads), scores)
            row = slice(20 * t, 20 * t + 20)
            assert model.predict_row(X.indices[row], X.data[row]) == scores[t]
            if t % 4 == 0:
                mine, other = model.gradient(X, y, LogisticLoss(), num_threads=num_threads)
                assert mine == value
                np.testing.assert_array_equal(other.V, gradient.V)

        in_each_of(200, work)


RESIZES = 30


@pytest.mark.parametrize("kind", ["FM", "FFM"])
def test_a_model_is_resized_while_others_use_it(kind):
    """Old features score as before; a call sees the model before a resize or after it, not half of both."""
    rng = np.random.default_rng(0)
    X, y = make_csr(rng, [10] * 300, 100, "float32"), np.arange(300) % 2
    fields = np.arange(100 + 100 * RESIZES) % 5
    fields[100:] = np.arange(100 * RESIZES) // 100 + 5  # new fields with every resize
    before = () if kind == "FM" else (5, fields[:100])
    model = make_model(rng, (), 100, 4, "float32", *before)
    scores = model.predict(X)

    def work(t):
        if t == 0:
            for n in range(200, 100 + 100 * RESIZES + 1, 100):
                model.resize(n, *(() if kind == "FM" else (fields[:n],)))
            return
        for i in range(60):
            wide = csr_of(X.indptr, X.indices, X.data, (300, model.n_features))
            try:
                row = slice(10 * i, 10 * i + 10)
                assert model.predict_row(X.indices[row], X.data[row]) == scores[i]
                if (t + i) % 2:
                    np.testing.assert_array_equal(model.predict(wide), scores)
                else:
                    gradient = model.gradient(wide, y, LogisticLoss(), l2_factors=0.1)[1]
                    assert gradient.V.shape[0] == wide.shape[1]
                    assert np.isfinite(gradient.V).all()
            except ValueError as error:
                if "columns, the model has" not in str(error):
                    raise

    in_each_of(6, work)


def test_a_solver_learns_while_its_model_is_resized():
    rng = np.random.default_rng(0)
    X, y = make_csr(rng, [10] * 300, 100, "float32"), np.arange(300) % 2
    solver = Adam(make_model(rng, (), 100, 4, "float32"), LogisticLoss())

    def work(t):
        if t == 0:
            for n in range(200, 2100, 100):
                solver.resize(n)
        for _ in range(10):
            wide = csr_of(X.indptr, X.indices, X.data, (300, solver.model.n_features))
            try:
                solver.partial_fit(wide, y)
            except ValueError as error:
                if "columns, the model has" not in str(error) and "was resized" not in str(error):
                    raise

    in_each_of(4, work)
    assert np.isfinite(solver.model.V).all()
    assert np.isfinite(solver.partial_fit(csr_of(X.indptr, X.indices, X.data, (300, 2000)), y))


def test_absurd_settings_of_threads(num_threads):
    fastfm_c.set_num_threads(10**30)
    assert fastfm_c.get_num_threads() >= 2**20 or not HAS_OPENMP
