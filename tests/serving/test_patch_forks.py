"""Patches and fork: a child finds nobody inside the model, and a patch whole or not at all."""

import os

import pytest
from helpers.subprocesses import output_of

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="no fork here")

START = """
import io, os, signal, threading
import numpy as np
import scipy.sparse as sp
from fastfm_c import FM
from fastfm_c.serving import apply, diff

n = 4000
old = FM(0.0, np.zeros(n, np.float32), np.zeros((n, 16), np.float32))
new = FM(0.0, np.ones(n, np.float32), np.ones((n, 16), np.float32))
X = sp.csr_array(np.ones((400, n), np.float32))
there, back = io.BytesIO(), io.BytesIO()
diff(old, new, there), diff(new, old, back)
stop = threading.Event()

def taken(model, patch):
    return apply(model, io.BytesIO(patch.getvalue()))

def in_children(check, times):
    codes = set()
    for _ in range(times):
        pid = os.fork()
        if pid == 0:
            signal.alarm(20)
            os._exit(0 if check() else 3)
        codes.add(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))
    stop.set()
    print(sorted(codes))
"""

READERS = (
    START
    + """
def read():
    while not stop.is_set():
        old.predict(X, num_threads=1)

threads = [threading.Thread(target=read) for _ in range(2)]
for thread in threads:
    thread.start()
in_children(lambda: taken(old, there) == new and old.predict_row([0], [1.0]) == 1, 4)
"""
)

WRITER = (
    START
    + """
def write():
    while not stop.is_set():
        taken(old, there)
        taken(old, back)

thread = threading.Thread(target=write)
thread.start()
zero = FM(0.0, np.zeros(n, np.float32), np.zeros((n, 16), np.float32))
def whole():
    model = zero if old == zero else new
    is_whole = old == model and old.predict_row([0], [1.0]) == model.w[0]
    return is_whole and taken(old, back if model is new else there)
in_children(whole, 8)
"""
)


@pytest.mark.parametrize("program", [READERS, WRITER], ids=["readers", "writer"])
def test_a_forked_child_takes_patches(program):
    assert output_of(program, options=("-W", "ignore")).split() == ["[0]"]
