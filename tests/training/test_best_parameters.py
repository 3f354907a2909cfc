"""Where early stopping keeps the parameters of the best epoch: in memory, all of them from the beginning."""

import tempfile

import numpy as np
import pytest
from helpers.make import make_csr
from helpers.subprocesses import output_of

from fastfm_c import FFM, FM, LogisticLoss, SoftmaxLoss, train
from fastfm_c.training import _monitor

X = make_csr(np.random.default_rng(0), [4] * 60, 12)
Y = np.arange(60) % 2
FIELDS = np.arange(12) % 3


def rising():
    """A metric whose best value is that of the second epoch."""
    values = iter([0.0, 0.5, 0.1, 0.2, 0.3, 0.4])
    return lambda y, scores: next(values)


@pytest.mark.parametrize("n_outputs", [1, 2])
@pytest.mark.parametrize("create", [
    lambda **options: FM.random(12, 2, rng=0, **options),
    lambda **options: FFM.random(FIELDS, 2, rng=0, **options),
])  # fmt: skip
def test_the_best_parameters_come_back(create, n_outputs):
    model, states = create(n_outputs=n_outputs), []
    loss = LogisticLoss() if n_outputs == 1 else SoftmaxLoss()
    train(model, X, Y, loss, early_stopping=rising(), max_iter=5,
          callbacks=lambda info: states.append(model.copy()))  # fmt: skip
    assert model == states[1]
    assert states[1] != states[4]


def test_no_file_is_made_whatever_the_size(monkeypatch):
    """Beyond 64 MB, too, where a temporary file was needed once."""

    def refuse(*args, **kwargs):
        raise FileNotFoundError("no writable folder")

    for name in ("TemporaryFile", "NamedTemporaryFile", "SpooledTemporaryFile", "mkstemp", "gettempdir"):
        monkeypatch.setattr(tempfile, name, refuse)
    model = FM(0.0, np.zeros(12, np.float32), np.zeros((12, 2**21), np.float32))
    assert model.nbytes > 2**26
    assert train(model, X, Y, LogisticLoss(), early_stopping=rising(), max_iter=2).best_epoch == 2


def test_too_little_memory_is_told_before_anything_is_learned(monkeypatch):
    def refuse(array):
        raise MemoryError("Unable to allocate 9 TiB")

    model = FM.random(12, 2, rng=0)
    before, nbytes = model.copy(), model.nbytes
    monkeypatch.setattr(_monitor.np, "empty_like", refuse)
    with pytest.raises(MemoryError, match=f"early stopping keeps the parameters.*: {nbytes:,} bytes more"):
        train(model, X, Y, LogisticLoss(), early_stopping=True, eval_set=(X, Y))
    assert model == before
    train(model, X, Y, LogisticLoss(), max_iter=1)  # which keeps none


LIMITED = """
import resource, sys
import numpy as np
from fastfm_c import FM, LogisticLoss, SGD, train
model = FM.random(1_000_000, 16, rng=0)  # 68 MB
used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
X, y = np.eye(1, 1_000_000), np.ones(1)
resource.setrlimit(resource.RLIMIT_AS, (used + 60 * 2**20, -1))
before = model.w.copy()
try:
    train(model, X, y, LogisticLoss(), solver="sgd", early_stopping=True, eval_set=(X, y), num_threads=1)
except MemoryError as error:
    print(str(error)[:51])
assert (model.w == before).all()
"""


@pytest.mark.skipif(not __import__("sys").platform.startswith("linux"), reason="RLIMIT_AS, /proc")
def test_a_limit_of_memory_is_a_memory_error():
    assert output_of(LIMITED).strip() == "early stopping keeps the parameters of the best epo"
