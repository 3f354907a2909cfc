"""Limits of the system on threads and memory: calls use the threads that can be started, to the same bits."""

import sys

import pytest
from helpers.subprocesses import SETUP, output_of

import fastfm_c
from fastfm_c._threads import stack_size

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="limits of Linux")
HAS_OPENMP = fastfm_c.config()["openmp"]

CALLS = (
    SETUP
    + """
import resource, threading
from fastfm_c import AdaGrad
OTHER_USER = 54_321  # who has no other processes; limits on their number do not bind root
def learned(num_threads):
    solver = AdaGrad(model.copy(), LogisticLoss(), num_threads=num_threads)
    solver.partial_fit(X, y)
    return solver.model
def results(num_threads):
    return (model.predict(X, num_threads=num_threads).tobytes(),
            ffm.gradient(X, y, LogisticLoss(), num_threads=num_threads)[0], learned(num_threads))
def n_threads():
    return len(os.listdir("/proc/self/task"))
expected = results(1)
"""
)
ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "8"}  # BLAS starts threads of its own

OF_A_USER = (
    CALLS
    + """
is_root = os.getuid() == 0
if is_root:
    os.setuid(OTHER_USER)
for most in range(1, 9) if is_root else [1]:
    resource.setrlimit(resource.RLIMIT_NPROC, (most, resource.getrlimit(resource.RLIMIT_NPROC)[1]))
    assert all(results(n) == expected for n in (8, 2, 3, 8))
    print(n_threads())
"""
)


def test_a_limit_on_the_threads_of_a_user_leaves_fewer_threads():
    """Down to one; with a higher limit there are more of them."""
    numbers = [int(n) for n in output_of(OF_A_USER, **ENVIRONMENT).split()]
    assert all(n <= most for most, n in enumerate(numbers, 1))
    if len(numbers) > 1 and HAS_OPENMP:
        assert numbers[-1] > 1


OF_MEMORY = (
    CALLS
    + """
for megabytes in 1, 4, 6, 8, 10, 14, 18, 24, 32, 64:
    size = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (size + megabytes * 1_000_000, resource.RLIM_INFINITY))
    for n in 8, 2, 3, 8:
        try:
            assert results(n) == expected
            print(n_threads())
        except MemoryError:
            print(0)
"""
)


@pytest.mark.parametrize("stack", ["", "16M", "200k"])
def test_a_limit_on_memory_leaves_fewer_threads_or_is_a_memory_error(stack):
    """A stack takes 8 MB, unless OpenMP is told another size."""
    output = output_of(OF_MEMORY, **ENVIRONMENT, **({"OMP_STACKSIZE": stack} if stack else {}))
    numbers = [int(n) for n in output.split()]
    assert len(numbers) == 40
    if HAS_OPENMP:
        assert min(numbers[:4]) <= 1 < max(numbers[-4:])


OF_CALLERS = (
    CALLS
    + """
if os.getuid() == 0:
    os.setuid(OTHER_USER)
    resource.setrlimit(resource.RLIMIT_NPROC, (12, 12))
same, barrier = [], threading.Barrier(4)
def call():
    barrier.wait(60)  # a thread that Python starts meanwhile may take the last place
    for n in (3, 6, 4, 8) * 5:
        same.append(model.predict(X, num_threads=n).tobytes() == expected[0])
    barrier.wait(60)
callers = [threading.Thread(target=call) for _ in range(4)]
for caller in callers:
    caller.start()
for caller in callers:
    caller.join()
print(len(same), all(same))
"""
)


def test_callers_that_meet_a_limit_at_once_share_what_there_is():
    assert output_of(OF_CALLERS, **ENVIRONMENT).split() == ["80", "True"]


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("OMP_STACKSIZE", "200", 200 << 10),
        ("OMP_STACKSIZE", " 16 M ", 16 << 20),
        ("OMP_STACKSIZE", "4096b", 4096),
        ("GOMP_STACKSIZE", "1G", 1 << 30),
        ("OMP_STACKSIZE", "99999999999999t", 1 << 62),
        ("OMP_STACKSIZE", "large", 0),
        ("OMP_STACKSIZE", "-1", 0),
        ("OMP_NUM_THREADS", "3", 0),
    ],
)
def test_the_stack_size_is_that_of_the_environment(monkeypatch, name, value, expected):
    for other in "KMP_STACKSIZE", "OMP_STACKSIZE", "GOMP_STACKSIZE":
        monkeypatch.delenv(other, raising=False)
    monkeypatch.setenv(name, value)
    assert stack_size() == expected
