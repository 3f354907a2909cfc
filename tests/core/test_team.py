"""The team of threads that all calls of a process share: its size and settings, forks, how a process ends."""

import os
import platform
import sys

import pytest
from helpers.subprocesses import SETUP, output_of, run

import fastfm_c

pytestmark = pytest.mark.skipif(not fastfm_c.config()["openmp"], reason="built without OpenMP")
needs_linux = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs Linux's /proc")

# BLAS starts threads of its own.
ENVIRONMENT = {"OPENBLAS_NUM_THREADS": "1", "OMP_NUM_THREADS": "3"}

TASKS = (
    SETUP
    + '''
import threading, time
expected = model.predict(X, num_threads=1)
def tasks():
    return set(os.listdir("/proc/self/task"))
def status(task, name):
    for line in open(f"/proc/self/task/{task}/status"):
        if line.startswith(name + ":"):
            return line.split()[1]
before = tasks()
def helpers():
    """Those that have been started, when they sleep: they have chosen their settings by then."""
    deadline = time.monotonic() + 60
    while any(status(task, "State") != "S" for task in tasks() - before) and time.monotonic() < deadline:
        time.sleep(0.01)
    return sorted(tasks() - before, key=int)
'''
)

SIZES = (
    TASKS
    + """
for n in (2, 5, 3, 5, 1):
    assert (model.predict(X, num_threads=n) == expected).all()
    print(len(tasks() - before))
"""
)


@needs_linux
def test_the_team_grows_to_the_largest_call_and_keeps_its_threads():
    assert output_of(SIZES, **ENVIRONMENT).split() == ["1", "4", "4", "4", "4"]


MANY = (
    TASKS
    + """
N = 200
start, most, good = threading.Barrier(N + 1), 0, []
def call():
    start.wait()
    for _ in range(3):
        good.append((model.predict(X, num_threads=4) == expected).all())
callers = [threading.Thread(target=call) for _ in range(N)]
for caller in callers:
    caller.start()
start.wait()
while any(caller.is_alive() for caller in callers):
    most = max(most, len(tasks() - before))
print(len(good), all(good), most <= N + 3, len(tasks() - before))
"""
)


@needs_linux
def test_two_hundred_callers_share_one_team():
    assert output_of(MANY, **ENVIRONMENT).split() == ["600", "True", "True", "3"]


SIGNALS = (
    TASKS
    + """
import signal
model.predict(X)
for task in helpers():
    blocked = int(status(task, "SigBlk"), 16)
    print(*(bool(blocked >> (number - 1) & 1) for number in (signal.SIGINT, signal.SIGALRM, signal.SIGSEGV)))
print(int(status(os.getpid(), "SigBlk"), 16))
"""
)


@needs_linux
def test_signals_go_to_the_threads_of_python():
    """A fault, which comes to the thread that makes it, reaches the handler of faulthandler."""
    helper = ["True", "True", "False"]
    assert output_of(SIGNALS, **ENVIRONMENT).split() == [*helper, *helper, "0"]


PLACES = (
    TASKS
    + """
model.predict(X, num_threads=2)
model.predict(X, num_threads=4)
own = status(os.getpid(), "Cpus_allowed_list")
print(own, *(status(task, "Cpus_allowed_list") for task in helpers()))
"""
)


@needs_linux
def test_threads_are_bound_where_the_user_has_asked_openmp_for_it(usable_cpus):
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) < 2:
        pytest.skip("one CPU")
    places = {"OMP_PROC_BIND": "true", "OMP_PLACES": f"{{{cpus[0]}}},{{{cpus[1]}}}"}
    first, second = map(str, cpus[:2])
    assert output_of(PLACES, **ENVIRONMENT, **places).split() == [first, second, first, second]
    free = output_of(PLACES, **ENVIRONMENT).split()
    assert set(free[1:]) == {free[0]}


FLUSH = (
    SETUP
    + """
import ctypes
libm = ctypes.CDLL("libm.so.6")
tiny = make_model(rng, (), 500, 16, "float32")
tiny.V[:] *= np.float32(1e-21)  # products of two factors are below the smallest normal number
tiny.w[:], tiny.w0 = 0, 0
def scores(num_threads):
    return tiny.predict(X, num_threads=num_threads)
many = scores(4)  # starts the team, with the usual settings
environment = (ctypes.c_uint32 * 8)()  # 28 bytes of the x87 unit, then MXCSR
libm.fegetenv(environment)
usual = environment[7]
environment[7] |= 0x8040  # subnormal numbers are 0
libm.fesetenv(environment)
flushed = [scores(n) for n in (1, 2, 4)] + [scores(4) for _ in range(20)]
environment[7] = usual
libm.fesetenv(environment)
print((many == scores(1)).all(), (many == flushed[0]).all(), all((f == flushed[0]).all() for f in flushed))
"""
)


@pytest.mark.skipif(
    (platform.machine(), platform.libc_ver()[0]) != ("x86_64", "glibc"),
    reason="knows glibc's fenv_t of x86-64",
)
def test_threads_flush_subnormal_numbers_if_the_caller_does():
    assert output_of(FLUSH, **ENVIRONMENT).split() == ["True", "False", "True"]


# ------------------------------------------------------------- forks, and the end of a process

DURING = (
    SETUP
    + """
import signal, threading
expected = model.predict(X, num_threads=1)
end = threading.Event()
def call():
    while not end.is_set():
        assert (model.predict(X, num_threads=3) == expected).all()
callers = [threading.Thread(target=call) for _ in range(3)]
for caller in callers:
    caller.start()
codes = []
for _ in range(20):
    pid = os.fork()
    if pid == 0:
        signal.alarm(60)
        same = all((model.predict(X, num_threads=n) == expected).all() for n in (1, 3, 8))
        os._exit(0 if same and len(os.listdir("/proc/self/task")) == 1 else 3)
    codes.append(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
end.set()
for caller in callers:
    caller.join()
print(set(codes), (model.predict(X, num_threads=3) == expected).all())
"""
)


@needs_linux
def test_forks_while_other_threads_are_inside_calls():
    assert output_of(DURING, options=("-W", "ignore"), **ENVIRONMENT).split() == ["{0}", "True"]


EXIT = (
    SETUP
    + """
import threading, time
from fastfm_c import AdaGrad
def call(f):
    while True:
        f()
solver = AdaGrad(ffm, LogisticLoss(), num_threads=3)
work = [lambda: model.predict(X, num_threads=3), lambda: model.gradient(X, y, LogisticLoss(), num_threads=3),
        lambda: solver.partial_fit(X, y)]
for f in work:
    threading.Thread(target=call, args=(f,), daemon=True).start()
time.sleep(float(sys.argv[1]))
print("end")
"""
)


@pytest.mark.parametrize("seconds", [0, 0.01, 0.05, 0.2])
def test_a_process_ends_while_daemon_threads_are_inside_calls(seconds):
    done = run(EXIT, seconds, **ENVIRONMENT)
    assert (done.returncode, done.stdout) == (0, "end\n"), done.stderr


def test_a_process_ends_while_the_team_sleeps():
    program = SETUP + "import time; model.predict(X, num_threads=3); time.sleep(0.05); print('end')"
    assert output_of(program, **ENVIRONMENT).split() == ["end"]
