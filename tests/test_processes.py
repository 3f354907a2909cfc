"""What must work around the threads: forks, pools, joblib, threads of Python, KeyboardInterrupt."""

import os
import sys
import threading

import numpy as np
import pytest
from strategies import make_csr, make_model
from subprocesses import SETUP, output_of, run

import fastfm_c
from fastfm_c import _threads

HAS_OPENMP = fastfm_c.config()["openmp"]
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")

# ----------------------------------------------------------------------------------- joblib


JOBLIB = (
    SETUP
    + """
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
)


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

FORK = (
    SETUP
    + """
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
)
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


POOL = (
    SETUP
    + """
import multiprocessing
expected = model.predict(X, num_threads=4)
def work(i):
    return (model.predict(X, num_threads=2) == expected).all()
with multiprocessing.get_context("fork").Pool(3) as pool:
    print(all(pool.map_async(work, range(9)).get(60)))
"""
)


@needs_fork
def test_a_pool_of_forked_processes():
    assert output_of(POOL, options=("-W", "ignore")).split() == ["True"]


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


# ------------------------------------------------------------------------ KeyboardInterrupt

# Many seconds of work, in little memory: 64 outputs of 64 factors for each value. The
# other thread of Python can send the signal only because the interpreter lock is released.
INTERRUPT = """
import os, signal, threading
import numpy as np
from strategies import csr_of, make_model
from fastfm_c import SoftmaxLoss
rows, values = 100_000, np.ones(100, "float32")
indptr, indices = np.arange(0, 100 * rows + 1, 100), np.tile(np.arange(100), rows)
X = csr_of(indptr, indices, np.tile(values, rows), (rows, 100))
model = make_model(np.random.default_rng(0), (64,), 100, 64, "float32")
scores = np.full((rows, 64), np.nan, "float32")
y = np.zeros(rows)
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
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
