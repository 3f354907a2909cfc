"""Without memory: MemoryError, everything as it was, and the process goes on. And nothing leaks."""

import sys

import pytest
from helpers.subprocesses import output_of

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="needs Linux's RLIMIT_AS, /proc")

# A call is made with less and less room to spare, until there is enough: so each of its larger allocations
# fails at some time. Threads are there before, because the runtime ends the process if it cannot start one.
PROGRAM = """
import pickle, resource, sys
import numpy as np
from helpers.make import make_csr, make_model
import fastfm_c
from fastfm_c import Adam, FM, FieldEncoder, LogisticLoss, dump_libsvm, load, load_libsvm, save, train
from fastfm_c.recommend import Candidates, FMRecommender
from scipy.sparse import csr_array
rng = np.random.default_rng(0)
n_rows, n = 15_000, 100_000
X = make_csr(rng, [20] * n_rows, n, "float32", repeats={repeats})
y = np.arange(n_rows) % 2
model = make_model(rng, (), n, 8, "float32")
ffm = make_model(rng, (), n, 2, "float32", 4, np.arange(n) % 4)
many = make_model(rng, (16,), n, 1, "float32")
file, text = sys.argv[1] + "/model", sys.argv[1] + "/text"
save(model, file)
dump_libsvm(X[:5000], y[:5000], text) if not {repeats} else None
rows = [dict(site=str(i % 5000), size=str(i % 77)) for i in range(10_000)]

def rows_between(first, n_columns, n_rows):
    rows = make_csr(rng, [20] * n_rows, n_columns, "float32")
    return csr_array((rows.data, rows.indices + first, rows.indptr), shape=(n_rows, n))

contexts, candidates = rows_between(0, 1000, 3000), Candidates(model, rows_between(1000, 1000, 2000))
seen = make_csr(rng, [20] * 5000, 2000, "float32")
seen.data[:] = 1

def ranked():
    return FMRecommender(n_factors=8, max_iter=1, random_state=0, n_jobs=2).fit(seen).model_

def solver_after():
    solver = Adam(model.copy(), LogisticLoss(), num_threads=2)
    solver.partial_fit(X, y)
    return solver.model

def resized():
    larger = model.copy()
    try:
        larger.resize(2 * n, init_stdev=0)
    except MemoryError:
        assert larger == model
        raise
    return larger

def call():
    return {call}

def with_room(n_bytes):
    with open("/proc/self/statm") as statm:
        used = int(statm.read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + n_bytes, resource.RLIM_INFINITY))
    try:
        return call()
    finally:
        resource.setrlimit(resource.RLIMIT_AS, (resource.RLIM_INFINITY,) * 2)

def same(a, b):
    if isinstance(a, tuple):
        return all(map(same, a, b))
    if hasattr(a, "indptr"):
        return same((a.indptr, a.indices, a.data), (b.indptr, b.indices, b.data))
    if hasattr(a, "features"):
        return same((a.w0, a.w, a.V), (b.w0, b.w, b.V))
    return np.array_equal(a, b) if isinstance(a, np.ndarray) else a == b

expected = call()
n_failed = 0
for room in [0, *(int(1.3**i * 50_000) for i in range(36))]:
    try:
        result = with_room(room)
    except MemoryError:
        n_failed += 1
        continue
    assert same(result, expected), room
    del result
assert same(call(), expected)
print(n_failed)
"""
# Memory that is freed goes back to the system at once, and is not there for the next call. Nor is there an
# arena of another thread, which glibc reserves 64 MiB for, and from which it takes what the system refuses.
ALLOCATOR = {
    "MALLOC_MMAP_THRESHOLD_": "32768",
    "MALLOC_TRIM_THRESHOLD_": "32768",
    "MALLOC_ARENA_MAX": "1",
    "OMP_NUM_THREADS": "2",
}
CALLS = {
    "predict": "many.predict(X, num_threads=2)",
    "gradient": "model.gradient(X, y, LogisticLoss(), l2_factors=0.1, num_threads=2)",
    "gradient, FFM": "ffm.gradient(X, y, LogisticLoss(), num_threads=2)",
    "sparse gradient": "model.gradient(X, y, LogisticLoss(), sparse=True, num_threads=2)",
    "copy": "model.copy()",
    "random": "FM.random(n, 8, rng=0)",
    "resize": "resized()",
    "pickle": "pickle.loads(pickle.dumps(model))",
    "partial_fit": "solver_after()",
    "train": "train(model.copy(), X, y, LogisticLoss(), max_iter=2, num_threads=2).n_iter",
    "load": "load(file, mmap=False)",
    "save": "save(model, file)",
    "top_k": "candidates.top_k(contexts, 200, num_threads=2)",
    "rank": "ranked()",
    "load_libsvm": "load_libsvm(text, n_features=n, zero_based=False)",
    "encode": "FieldEncoder().fit(rows).transform(rows)",
}


@pytest.mark.slow
@pytest.mark.parametrize("name", CALLS)
def test_memory_error_and_on_with_it(tmp_path, name):
    program = PROGRAM.format(call=CALLS[name], repeats=False)
    n_failed = int(output_of(program, tmp_path, **ALLOCATOR))
    assert n_failed > 0 or name == "save"  # which writes the arrays from where they are


def test_memory_error_where_repeats_are_summed(tmp_path):
    program = PROGRAM.format(call=CALLS["predict"], repeats=True)
    assert int(output_of(program, tmp_path, **ALLOCATOR)) > 0


LEAK = """
import pickle, sys
import numpy as np
from helpers.make import make_csr, make_model
from fastfm_c import Adam, FieldEncoder, LogisticLoss, dump_libsvm, load, load_libsvm, save
from fastfm_c.recommend import Candidates, FMRecommender
from scipy.sparse import csr_array
rng = np.random.default_rng(0)
X, y = make_csr(rng, [10] * 200, 500, "float32"), np.arange(200) % 2
again = make_csr(rng, [10] * 200, 500, "float32", repeats=True)
bad = X.copy()
bad.indices[7] = 500
models = [make_model(rng, (), 500, 8, "float32"),
          make_model(rng, (2,), 500, 2, "float64", 4, np.arange(500) % 4)]
plain = models[0].copy()
for model in models:
    model.normalize = "instance"
solver = Adam(models[0], LogisticLoss(), learning_rate=1e-6)
rows = [dict(site=str(i % 50), size=str(i % 7)) for i in range(100)]
file, text = sys.argv[1] + "/model", sys.argv[1] + "/text"
encoder = FieldEncoder().fit(rows)
candidates = Candidates(plain, X, own_pairs=False)
context, liked = csr_array((5, 500), dtype="float32"), csr_array(np.eye(40))
recommender = FMRecommender(n_factors=4, max_iter=1, random_state=0).fit(liked)

def everything(i):
    for model in models:
        model.predict(X)
        model.predict(again)
        model.predict_row(X.indices[:10], X.data[:10])
        try:
            model.predict(bad)
            raise AssertionError
        except ValueError:
            pass
    models[0].gradient(X, y, LogisticLoss(), l2_factors=0.1)
    models[0].gradient(again, y, LogisticLoss(), sparse=True)
    solver.partial_fit(X, y)
    solver.partial_fit(again, y)
    encoder.transform(rows)
    encoder.encode_row(rows[0])
    candidates.top_k(context, 10)
    candidates.scores(context)
    if i % 10 == 0:
        Candidates(plain, X, own_pairs=False)
        recommender.partial_fit(liked)
        recommender.recommend(3)
        models[0].copy().resize(600)
        pickle.loads(pickle.dumps(solver))
        save(solver, file)
        load(file)
        load(file, mmap=False)
        dump_libsvm(X, y, text)
        load_libsvm(text)
        FieldEncoder().fit(rows)

def held():
    with open("/proc/self/statm") as statm:
        return int(statm.read().split()[1]) * 4096

for i in range(300):
    everything(i)
before = held()
for i in range(3000):
    everything(i)
print(held() - before)
"""


@pytest.mark.slow
def test_thousands_of_calls_leave_nothing_behind(tmp_path):
    """An array of 500 numbers lost by each round would be 6 MB."""
    assert int(output_of(LEAK, tmp_path)) < 2 << 20
