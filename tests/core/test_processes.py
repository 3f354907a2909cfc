"""What must work around the threads: forks, pools, joblib, KeyboardInterrupt."""

import multiprocessing
import os
import sys

import pytest
from helpers.subprocesses import SETUP, output_of, run

import fastfm_c

HAS_OPENMP = fastfm_c.config()["openmp"]
needs_fork = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")

# ----------------------------------------------------------------------------------- joblib


JOBLIB = (
    SETUP
    + """
from joblib import Parallel, delayed
from helpers.subprocesses import predict_and_count
if __name__ == "__main__":
    expected = model.predict(X, num_threads=2)
    results = Parallel(n_jobs=2, backend=sys.argv[1])(delayed(predict_and_count)(model, X) for _ in range(4))
    assert all((scores == expected).all() for scores, _ in results)
    print(*(n for _, n in results))
"""
)


@pytest.mark.parametrize("backend", ["loky", "threading", "multiprocessing"])
def test_joblib(tmp_path, usable_cpus, backend):
    pytest.importorskip("joblib")
    options = ("-W", "ignore")  # forks of processes with threads, leaked semaphores: theirs
    numbers = output_of(JOBLIB, backend, options=options, JOBLIB_TEMP_FOLDER=str(tmp_path)).split()
    assert len(numbers) == 4
    if backend == "loky":  # it tells its workers how many threads there are for each
        assert all(int(n) <= max(1, usable_cpus // 2) for n in numbers)


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


TRAIN = (
    SETUP
    + """
import signal
from fastfm_c import AdaGrad
def learned(num_threads):
    solver = AdaGrad(model.copy(), LogisticLoss(), num_threads=num_threads)
    solver.partial_fit(X, y)
    return solver.model
expected = learned(4)
pid = os.fork()
if pid == 0:
    signal.alarm(60)
    os._exit(0 if learned(4) == expected else 3)
print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
"""
)


@needs_fork
def test_a_forked_child_trains():
    assert output_of(TRAIN, options=("-W", "ignore")).split() == ["0"]


# A child imports the module of its task anew: the program is a file.
START = """
import multiprocessing, sys
import numpy as np
from helpers.make import make_csr, make_model
def work(model, X):
    return model.predict(X, num_threads=2)
if __name__ == "__main__":
    rng = np.random.default_rng(0)
    X = make_csr(rng, [20] * 5000, 500, "float32")
    models = [make_model(rng, (), 500, 16, "float32"),
              make_model(rng, (2,), 500, 4, "float64", 5, np.arange(500) % 5)]
    expected = [model.predict(X, num_threads=4) for model in models]
    with multiprocessing.get_context(sys.argv[1]).Pool(2) as pool:
        results = pool.starmap_async(work, [(model, X) for model in models]).get(90)
    print(all(map(np.array_equal, results, expected)))
"""


@pytest.mark.parametrize("method", ["spawn", "forkserver"])
def test_processes_that_start_anew(tmp_path, method):
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no {method} here")
    program = tmp_path / "program.py"
    program.write_text(START)
    run_it = "import runpy, sys; sys.argv[0] = sys.argv[2]; runpy.run_path(sys.argv[2], run_name='__main__')"
    assert output_of(run_it, method, program, options=("-W", "ignore")).split() == ["True"]


# ------------------------------------------------------------------------ KeyboardInterrupt

# Many seconds of work, in little memory: 64 outputs of 64 factors for each value. The
# other thread of Python can send the signal only because the interpreter lock is released.
INTERRUPT = """
import os, signal, sys, threading
import numpy as np
from helpers.make import csr_of, make_model
from fastfm_c import AdaGrad, SoftmaxLoss, train
rows, values = 100_000, np.ones(100, "float32")
indptr, indices = np.arange(0, 100 * rows + 1, 100), np.tile(np.arange(100), rows)
X = csr_of(indptr, indices, np.tile(values, rows), (rows, 100))
model = make_model(np.random.default_rng(0), (64,), 100, 64, "float32")
scores = np.full((rows, 64), np.nan, "float32")
y = np.zeros(rows)
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background jobs ignore it
for call in sys.argv[1:]:
    threading.Timer(0.3, os.kill, (os.getpid(), signal.SIGINT)).start()
    try:
        exec(call)
        print("not interrupted")
    except KeyboardInterrupt:
        print("interrupted", np.isnan(scores[-1]).all(), np.isfinite(model.predict(X[:10])).all())
"""
LONG_CALLS = [
    "model.predict(X, out=scores, num_threads=1)",
    "model.predict(X, out=scores)",
    "model.objective(X, y, SoftmaxLoss())",
    "model.gradient(X, y, SoftmaxLoss())",
    "AdaGrad(model, SoftmaxLoss()).partial_fit(X, y)",
    "train(model, X, y, SoftmaxLoss(), validation_fraction=0)",
]


@pytest.mark.skipif(sys.platform == "win32", reason="no SIGINT for one process")
def test_long_calls_can_be_interrupted():
    """Before their end, and what follows works."""
    done = run(INTERRUPT, *LONG_CALLS)
    outcomes = dict(zip(LONG_CALLS, done.stdout.splitlines(), strict=True))
    assert outcomes == dict.fromkeys(LONG_CALLS, "interrupted True True"), done.stderr
