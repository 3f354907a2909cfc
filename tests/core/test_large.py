"""Matrices and models of more than 2^31 numbers, in little memory: the same pages stand at many addresses."""

import sys

import pytest
from helpers.subprocesses import output_of

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs memfd_create and mmap of Linux"),
]

# `repeated` maps a file of one pattern again and again, side by side: 26 GB of addresses, some MB of memory.
SETUP = """
import ctypes, mmap, os
import numpy as np
from helpers.make import aligned_zeros, csr_of, make_csr, make_model
from fastfm_c import FM, FFM, LogisticLoss
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, *[ctypes.c_int] * 3, ctypes.c_long]

def mapped(address, n_bytes, flags, file):
    at = libc.mmap(address, n_bytes, mmap.PROT_READ, flags, file, 0)
    if at == ctypes.c_void_p(-1).value:
        print("cannot map")
        raise SystemExit
    return at

def repeated(pattern, times):
    file = os.memfd_create("pattern")
    os.write(file, pattern.tobytes())
    n = pattern.nbytes
    assert n % mmap.PAGESIZE == 0
    start = mapped(None, n * times, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | 0x4000, -1)  # MAP_NORESERVE
    for i in range(times):
        mapped(start + i * n, n, mmap.MAP_SHARED | 0x10, file)  # MAP_FIXED
    memory = (ctypes.c_char * (n * times)).from_address(start)
    return np.frombuffer(memory, pattern.dtype)

def anonymous():
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("RssAnon")) >> 10
"""

MATRIX = """
Z, ROWS, TIMES = 2048, 1024, 1025  # 2^31 + 2^21 values
small = make_csr(np.random.default_rng(0), [Z] * ROWS, 4096, "float32", "int64")
small.indices.shape = ROWS, Z
small.indices.sort(axis=1)
small.indices.shape = -1
small.data[:] /= 64
n_rows = ROWS * TIMES
X = csr_of(np.arange(0, Z * n_rows + 1, Z), repeated(small.indices, TIMES), repeated(small.data, TIMES),
           (n_rows, 4096))
assert len(X.data) == len(X.indices) == X.indptr[-1] > 2**31
model = {model}
expected = model.predict(small)
scores = model.predict(X).reshape(TIMES, ROWS)
print((scores == expected).all())
y = np.arange(ROWS) % 2
value, gradient = model.gradient(X, np.tile(y, TIMES), LogisticLoss())
one, of_one = model.gradient(small, y, LogisticLoss())
print(np.isclose(value, one, rtol=1e-6), np.allclose(gradient.V, of_one.V, rtol=1e-3, atol=1e-6))
# One bad column, beyond 2^31 values: only the last row is wrong.
last = X.indptr.copy()
last[-1] += 1
try:
    model.predict(csr_of(last, X.indices, X.data, X.shape))
except ValueError as error:
    print(error)
print(anonymous() < 2000)
"""


def test_more_values_than_31_bits_count():
    output = output_of(
        SETUP + MATRIX.format(model='make_model(np.random.default_rng(1), (), 4096, 1, "float32")')
    )
    if output.startswith("cannot map"):
        pytest.skip("the system does not map so much")
    first, second, error, memory = output.splitlines()
    assert (first, second, memory) == ("True", "True True", "True")
    assert error == (
        "X.indptr is broken at row 1049599: it goes from 2149578752 to 2149580801, with 2149580800 stored "
        "values in X"
    )


# By hand: two features, the last and the one before, with 1 and 2 in their last factor.
MODEL = """
try:
    w, V = aligned_zeros({n}, "float32"), aligned_zeros({shape}, "float32")
except MemoryError:
    print("cannot map")
    raise SystemExit
w[-2:], V[-2, ..., -1], V[-1, ..., -1] = 0.5, 1, 2
model = {model}
indices, values = np.array([{n} - 2, {n} - 1]), np.array([3.0, 1.0])
print(model.predict_row(indices, values))
print(*model.predict(csr_of(np.array([0, 2, 3]), np.array([{n} - 2, {n} - 1, {n} - 1]),
                            np.array([3.0, 1.0, 1.0]), (2, {n}))))
print(V.size > 2**31, anonymous() < 2000)
"""


@pytest.mark.parametrize(
    ("n", "shape", "model"),
    [
        (2**27, (2**27, 32), "FM(0.25, w, V)"),
        (2**24, (2**24, 16, 16), "FFM(0.25, w, V, np.arange(2**24) % 16)"),
    ],
    ids=["FM", "FFM"],
)
def test_more_parameters_than_31_bits_count(n, shape, model):
    output = output_of(SETUP + MODEL.format(n=n, shape=shape, model=model))
    if output.startswith("cannot map"):
        pytest.skip("less memory than the arrays could take")
    score = 0.25 + 0.5 * 3 + 0.5 * 1 + 1 * 2 * 3
    assert output.splitlines() == [f"{score}", f"{score} 0.75", "True True"]
