"""Training and scoring over Dask collections, in this process."""

import numpy as np
import pytest
import scipy.sparse as sp
from helpers.shards import N_FEATURES, bits, fm, rows, split

from fastfm_c import FM, FieldEncoder, LogisticLoss
from fastfm_c.distributed import train

dask = pytest.importorskip("dask")
pytest.importorskip("distributed")
da = pytest.importorskip("dask.array")

from fastfm_c import dask as fastfm_dask  # noqa: E402

LOSS = LogisticLoss()
OPTIONS = {"max_iter": 2, "learning_rate": 0.3}


def delayed(shards):
    """Lists of delayed objects: of X, of y, and perhaps of weights."""
    return [[dask.delayed(part, pure=False) for part in column] for column in zip(*shards, strict=True)]


def array_of(blocks):
    """A dask array of CSR blocks whose numbers of rows it knows."""
    empty = sp.csr_array((0, N_FEATURES))
    return da.concatenate(
        [da.from_delayed(dask.delayed(b), b.shape, b.dtype, meta=empty) for b in blocks], axis=0
    )


def trained(*arguments, **options):
    model = fm()
    fastfm_dask.train(model, *arguments, LOSS, **OPTIONS, **options)
    return bits(model)


def expected(shards, **options):
    model = fm()
    train(model, shards, LOSS, **OPTIONS, **options)
    return bits(model)


def test_lists_and_arrays_and_readers_are_the_shards_that_they_hold():
    X, y = rows()
    weight = np.random.default_rng(0).gamma(1.0, size=len(y))
    shards, weighted = split(X, y, 0, 100, 101), split(X, y, 0, 100, 101, weight=weight)
    wanted = expected(shards)
    assert trained(*delayed(shards)) == wanted
    assert trained([lambda part=part: part for part in shards], None) == wanted
    shards = shards[1:]  # dask arrays lose blocks without rows
    wanted, sizes = expected(shards), tuple(len(part) for _, part in shards)
    assert trained(array_of([part for part, _ in shards]), da.from_array(y, chunks=(sizes,))) == wanted
    dense = da.from_array(X.toarray(), chunks=((100, 200), N_FEATURES))
    assert trained(dense, da.from_array(y, chunks=((100, 200),))) == expected(split(X, y, 100))
    X_parts, y_parts, weights = delayed(weighted)
    found = trained(X_parts, y_parts, sample_weight=weights, eval_set=(X_parts, y_parts, weights))
    assert found == expected(weighted) != wanted


@pytest.mark.parametrize(("n_shards", "ends"), [(1, ()), (2, (200,)), (6, (50, 100, 150, 200, 250))])
def test_blocks_are_put_together_or_split(n_shards, ends):
    X, y = rows()
    found = trained(*delayed(split(X, y, 100, 200)), n_shards=n_shards)
    assert found == expected(split(X, y, *ends))


def test_tables_become_rows():
    pd, dd = pytest.importorskip("pandas"), pytest.importorskip("dask.dataframe")
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"a": rng.integers(0, 9, 200).astype(str), "b": rng.integers(0, 4, 200)})
    table["bought"] = (table["a"].astype(int) + table["b"]) % 2
    parts = dd.from_pandas(table, npartitions=3)
    columns = {"a": "categorical", "b": "categorical"}
    encoder, alone = FieldEncoder(columns, min_count=2), FieldEncoder(columns, min_count=2)
    assert fastfm_dask.fit_encoder(encoder, parts) is encoder
    for part in parts.partitions:
        alone.partial_fit(part.compute())
    assert encoder.get_feature_names_out().tolist() == alone.get_feature_names_out().tolist()

    models = [FM.random(len(encoder.fields_), 2, rng=0) for _ in range(2)]
    fastfm_dask.train(models[0], parts, "bought", LOSS, encoder=encoder, **OPTIONS)
    pieces = [part.compute() for part in parts.partitions]
    train(models[1], [(encoder.transform(p), p["bought"].to_numpy()) for p in pieces], LOSS, **OPTIONS)
    assert bits(models[0]) == bits(models[1])
    scores = fastfm_dask.predict(models[0], parts, encoder=encoder)
    np.testing.assert_array_equal(scores.compute(), models[0].predict(encoder.transform(table)))


@pytest.mark.parametrize("n_outputs", [1, 3])
def test_predict_is_lazy_and_scores_block_by_block(n_outputs):
    X, y = rows()
    model = fm(n_outputs)
    scores = fastfm_dask.predict(model, array_of([X[:0], X[:100], X[100:]]))
    wanted = model.predict(X)
    assert scores.shape == wanted.shape
    assert scores.dtype == wanted.dtype
    np.testing.assert_array_equal(scores.compute(scheduler="synchronous"), wanted)
    parts, _ = delayed(split(X, y, 10))
    np.testing.assert_array_equal(fastfm_dask.predict(model, parts).compute(scheduler="synchronous"), wanted)


@pytest.mark.parametrize(
    ("change", "match"),
    [
        (lambda X, y: (X[:1], y), "y has 2 blocks of rows, X has 1"),
        (lambda X, y: ([], []), "X has no blocks"),
        (lambda X, y: (np.ones((2, 2)), y), "X must be a Dask collection"),
        (lambda X, y: (X, "y"), "must be a DataFrame of Dask"),
        (lambda X, y: (da.ones((4, 40), chunks=(2, 20)), y), "one for all columns"),
        (lambda X, y: ([lambda: None], y), "y and sample_weight must be None"),
        (
            lambda X, y: ([*X, dask.delayed(rows(3)[0] * np.nan)], [*y, dask.delayed(rows(3)[1])]),
            "shard 2: row 0",
        ),
    ],
)
def test_what_cannot_be_is_refused(change, match):
    parts = delayed(split(*rows(), 100))
    with pytest.raises(ValueError, match=match):
        fastfm_dask.train(fm(), *change(*parts), LOSS)
