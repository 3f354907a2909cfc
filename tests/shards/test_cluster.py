"""The bits on clusters of processes, some of which are killed on the way."""

import os
import signal
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from helpers.shards import bits, ffm, fm, rows, split

from fastfm_c import LogisticLoss, SoftmaxLoss
from fastfm_c.distributed import train

dask = pytest.importorskip("dask")
distributed = pytest.importorskip("distributed")

from fastfm_c import dask as fastfm_dask  # noqa: E402

pytestmark = pytest.mark.slow
LOSS = LogisticLoss()
ADAGRAD = {"max_iter": 2, "learning_rate": 0.3}
LBFGS = {"solver": "lbfgs", "max_iter": 2, "l2_factors": 1e-3}
CASES = {
    "FM": (fm, LOSS, ADAGRAD, {}),
    "FFM": (ffm, LOSS, ADAGRAD, {}),
    "softmax": (lambda: fm(3), SoftmaxLoss(), ADAGRAD, {"n_classes": 3}),
    "int64": (fm, LOSS, ADAGRAD, {"index_dtype": np.int64, "values": "gamma"}),
    "L-BFGS": (lambda: fm(dtype="float64"), LOSS, LBFGS, {"values": "gamma"}),
}
MOST = "FM", "L-BFGS"  # with each number of workers
MEMORY = 700_000_000  # of a worker that runs out of it; one with all imports takes some 200 MB


@pytest.fixture(autouse=True)
def limit():
    """A test that hangs is one that fails."""

    def fail(*_):
        raise TimeoutError("a test of the cluster took 150 seconds")

    signal.signal(signal.SIGALRM, fail)
    signal.alarm(150)
    yield
    signal.alarm(0)


@pytest.fixture(scope="module")
def scaled():
    """A client of so many workers; one cluster for all tests, because it takes seconds to start."""
    options = {"n_workers": 1, "threads_per_worker": 1, "memory_limit": MEMORY}
    sys.path.append(str(Path(__file__).parents[2]))  # which workers get: they import this file by its name
    cluster = distributed.LocalCluster(dashboard_address=":0", silence_logs=50, **options)
    with distributed.Client(cluster) as client:

        def scaled(n_workers):
            cluster.scale(n_workers)
            while len(client.nthreads()) != n_workers:
                time.sleep(0.05)
            return client

        yield scaled
    with suppress(KeyError):  # LocalCluster looks for the names of workers that were killed
        cluster.close()


def shards_of(kind):
    X, y = rows(**kind)
    return split(X, y, 0, 1, 90, 140, 220)


def test_one_hash_with_1_2_and_4_workers_and_without_any(scaled):
    found = {name: set() for name in CASES}
    for name, (make, loss, options, kind) in CASES.items():
        model = make()
        train(model, shards_of(kind), loss, **options)
        found[name].add(bits(model))
    for n_workers in (1, 2, 4):
        scaled(n_workers)
        for name, (make, loss, options, kind) in CASES.items():
            if n_workers != 2 and name not in MOST:
                continue
            model = make()
            X, y = ([dask.delayed(part) for part in parts] for parts in zip(*shards_of(kind), strict=True))
            history = fastfm_dask.train(model, X, y, loss, eval_set=(X, y), **options)
            assert len(history.validation) == len(history) > 1
            found[name].add(bits(model))
    scores = fastfm_dask.predict(model, X).compute()
    np.testing.assert_array_equal(scores, model.predict(rows(values="gamma")[0]))
    bad = [dask.delayed(X[2] * np.nan)]
    with pytest.raises(ValueError, match="shard 6: row 0"):
        fastfm_dask.train(model, X + bad, [*y, y[2]], LOSS)
    assert {name: len(hashes) for name, hashes in found.items()} == dict.fromkeys(CASES, 1)


class Trouble:
    """Rows, which are read in every round. In the second of them something happens to the worker, once."""

    def __init__(self, part, folder, index, happens):
        self.part, self.folder, self.index, self.happens = part, folder, index, happens

    def __call__(self):
        n_calls = len([name for name in os.listdir(self.folder) if name.startswith(f"{self.index}-")])
        open(os.path.join(self.folder, f"{self.index}-{n_calls}"), "x").close()
        if n_calls == 2:  # the first call counts rows
            self.happens()
        return self.part


def dies():
    os.kill(os.getpid(), signal.SIGKILL)


def takes_all_memory():
    blocks = []
    for _ in range(200):
        blocks.append(np.ones(2**22))  # 32 MB
        time.sleep(0.02)
    raise AssertionError("nobody ended this worker")


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
@pytest.mark.parametrize(
    ("n_workers", "troubled", "happens"),
    [
        (4, [3], dies),
        (4, [1, 3], dies),
        (2, [3], takes_all_memory),
        (1, [3], dies),  # with it the only copy of the state is lost
    ],
)
def test_a_worker_that_is_killed_changes_no_bit(scaled, tmp_path, n_workers, troubled, happens):
    shards = shards_of({})
    alone, model = fm(), fm()
    train(alone, shards, LOSS, **ADAGRAD)
    readers = [
        Trouble(part, tmp_path, i, happens if i in troubled else bool) for i, part in enumerate(shards)
    ]
    history = fastfm_dask.train(model, readers, None, LOSS, client=scaled(n_workers), **ADAGRAD)
    assert bits(model) == bits(alone)
    assert history.n_iter == 2
    again = [sum(name.startswith(f"{i}-") for name in os.listdir(tmp_path)) for i in troubled]
    assert min(again) >= 4  # once more than there are rounds, and once to count the rows


@pytest.mark.skipif(os.name == "nt", reason="SIGKILL")
def test_shards_that_are_lost_are_made_again(scaled):
    """All workers but one are killed between two rounds, with the rows that they held."""
    shards = shards_of({})
    alone, model = fm(), fm()
    train(alone, shards, LOSS, **ADAGRAD)
    X, y = ([dask.delayed(part) for part in parts] for parts in zip(*shards, strict=True))
    client = scaled(4)
    pids = list(client.run(os.getpid).values())

    def kill(info):
        if info.epoch == 1:
            for pid in pids[1:]:
                os.kill(pid, signal.SIGKILL)

    fastfm_dask.train(model, X, y, LOSS, callbacks=kill, **ADAGRAD)
    assert bits(model) == bits(alone)
