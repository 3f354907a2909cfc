"""Peak memory of a call beyond its inputs and output, as Linux counts it."""

import functools
import sys
from pathlib import Path

import pytest
from helpers.subprocesses import output_of

CLEAR = Path("/proc/self/clear_refs")
MB, KB = 1 << 20, 1 << 10
THREADS = 2
LIMIT = MB + 64 * KB * THREADS  # bytes: what the library promises for predict

# The peak is set back to what is held now, and read after the call. A small call first maps the
# code of the kernel; it is too small to leave a large block behind in the allocator.
PROGRAM = """
import sys
import numpy as np
from helpers.make import csr_of, make_model
from fastfm_c import LogisticLoss

def peak():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmHWM")) << 10

def held():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * 4096

rng = np.random.default_rng(0)
n_rows, z, n = 300_000, 30, 3000
lanes = np.arange(z, dtype="int32") * (n // z)
indices = (lanes + rng.integers(0, n // z, (n_rows, z), "int32")).ravel()
indptr, data = np.arange(0, n_rows * z + 1, z, dtype="int32"), np.ones(n_rows * z, "float32")
X = csr_of(indptr, indices, data, (n_rows, n))
small = csr_of(X.indptr[:1001].copy(), X.indices[:30000].copy(), X.data[:30000].copy(), (1000, n))
fm = make_model(rng, (), n, 16, "float32")
ffm = make_model(rng, (), n, 4, "float32", 30, np.arange(n) // 100)
y, out = np.ones(n_rows), np.ones(n_rows, "float32")  # ones: zeros would be mapped when written
for model in (fm, ffm):
    model.predict(small, num_threads=2)
fm.objective(small, y[:1000], LogisticLoss(), num_threads=2)
for call in sys.argv[1:]:
    with open("/proc/self/clear_refs", "w") as clear:
        clear.write("5")
    before = held()
    exec(call)
    print(peak() - before)
"""
# In one process, in this order: what the last one frees may stay with the allocator.
CALLS = [
    "fm.predict(X, out=out, num_threads=1)",
    "fm.predict(X, out=out, num_threads=2)",
    "ffm.predict(X, out=out, num_threads=2)",
    "np.ones(3_000_000)",
    "fm.objective(X, y, LogisticLoss(), num_threads=2)",
]

pytestmark = pytest.mark.skipif(not (sys.platform.startswith("linux") and CLEAR.exists()), reason="not Linux")


@functools.cache
def extra():
    """Of each call, the bytes that it took at a time."""
    return dict(zip(CALLS, map(int, output_of(PROGRAM, *CALLS).split()), strict=True))


@pytest.mark.parametrize("call", CALLS[:3])
def test_predict_needs_no_memory_of_its_own(call):
    assert extra()[call] < LIMIT


def test_an_array_is_counted():
    """The measurement sees 24 MB: a check of the check."""
    assert extra()["np.ones(3_000_000)"] > 23 * MB * 0.95


def test_the_objective_keeps_what_a_chunk_needs():
    """Kept for the rows of a chunk: 32 MB at most, whatever the number of rows."""
    assert extra()[CALLS[-1]] < 34 * MB


# Arrays of more than 2^31 numbers, which the system hands out when they are written to.
HUGE = """
import numpy as np
from helpers.make import aligned_zeros, csr_of
from fastfm_c import FFM, FM, SquaredLoss
try:
    w, V = aligned_zeros({n}, "float32"), aligned_zeros({shape}, "float32")
except MemoryError:
    print("no memory")
    raise SystemExit
fields = np.zeros({n}, "int32")
fields[-1] = {shape}[1] - 1
model = {model}
n = model.n_features
w[[0, -1]] = 1, 10
V[0, ..., -1], V[-1, ..., -1], V[-1, ..., 0] = 2, 3, 5
X = csr_of(np.array([0, 2]), np.array([0, n - 1], {index!r}), np.ones(2), (1, n))
print(model.predict(X).tolist(), model.predict_row(X.indices, X.data))
value, gradient = model.gradient(X, [0.0], SquaredLoss(), sparse=True)
print(gradient.features.tolist() == [0, n - 1], gradient.w.tolist(), np.count_nonzero(gradient.V))
"""
HUGE_CASES = {
    "FM, many features": (2**31 + 3, (2**31 + 3, 1), "FM(0.0, w, V)", "int64", 2),
    "FM, many factors": (5000, (5000, 500_000), "FM(0.0, w, V)", "int32", 3),
    "FFM": (5000, (5000, 1000, 500), "FFM(0.0, w, V, fields)", "int32", 3),
}


@pytest.mark.parametrize("case", HUGE_CASES)
def test_sizes_beyond_32_bits(case):
    """By hand: the last factors of the two features meet, and with one factor they are the first."""
    n, shape, model, index, non_zero = HUGE_CASES[case]
    output = output_of(HUGE.format(n=n, shape=shape, model=model, index=index))
    if output.startswith("no memory"):
        pytest.skip("less memory than the arrays could take")
    score = 11.0 + (2 * 5 if shape[-1] == 1 else 2 * 3)
    lines = [f"[{score}] {score}", f"True {[score, score]} {non_zero}"]
    assert output.splitlines() == lines
