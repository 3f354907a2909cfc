"""The shards of Dask collections: arrays of CSR blocks, lists of delayed objects, DataFrames."""

from functools import partial
from typing import Any

import dask
import numpy as np
import scipy.sparse as sp

from fastfm_c.distributed import sources_of
from fastfm_c.distributed._shards import Expected, Shard, Source

__all__ = ["blocks_of", "shards_of"]


def shards_of(
    X: Any, y: Any, sample_weight: Any, encoder: Any, n_shards: int | None, expected: Expected
) -> list[Any]:
    """A task for each shard, which makes it of the blocks of the user's collection.

    The blocks are put together, or split, to `n_shards` shards: neighbours, as equal as whole blocks allow.
    """
    if isinstance(X, list | tuple) and X and all(map(_is_reader, X)):
        if y is not None or sample_weight is not None or n_shards not in (None, len(X)):
            raise ValueError(
                "X is a list of callables, each of a shard (X, y): y and sample_weight must be None"
            )
        return [dask.delayed(source, traverse=False, pure=False) for source in sources_of(X, expected)]
    label = y if isinstance(y, str) else None
    columns = [blocks_of(X, "X", encoder, label)]
    columns.append(blocks_of(y, "y") if label is None else [block[label] for block in X.to_delayed()])
    if sample_weight is not None:
        columns.append(blocks_of(sample_weight, "sample_weight"))
    for name, blocks in zip(("y", "sample_weight"), columns[1:], strict=False):
        if len(blocks) != len(columns[0]):
            raise ValueError(f"{name} has {len(blocks)} blocks of rows, X has {len(columns[0])}")
    rows = list(zip(*columns, strict=True))
    load = dask.delayed(partial(_load, expected), pure=False)
    pieces = _pieces(len(rows), len(rows) if n_shards is None else n_shards)
    return [load(index, [list(rows[b]) for b in blocks], part) for index, (blocks, part) in enumerate(pieces)]


def blocks_of(X: Any, name: str, encoder: Any = None, label: str | None = None) -> list[Any]:
    """A delayed object for each block of rows; those of a table are encoded, without the column `label`."""
    if (encoder is not None or label is not None) and not hasattr(X, "dtypes"):
        raise ValueError(
            "with an encoder, or the name of y's column, X must be a DataFrame of Dask, got "
            f"{type(X).__name__}"
        )
    if isinstance(X, list | tuple):
        return [dask.delayed(block, pure=False) for block in X]
    if not hasattr(X, "to_delayed"):
        raise ValueError(
            f"{name} must be a Dask collection or a list of delayed objects, got {type(X).__name__}"
        )
    blocks = np.asarray(X.to_delayed(), object)
    if blocks.size != len(blocks):
        raise ValueError(f"{name} has {blocks.shape} blocks, expected one for all columns: rechunk it")
    if encoder is None:
        return list(blocks.ravel())
    encode, encoder = dask.delayed(_encode), dask.delayed(encoder, pure=False)
    return [encode(encoder, block, label) for block in blocks.ravel()]


def _is_reader(shard: Any) -> bool:
    return callable(shard) and not dask.is_dask_collection(shard)  # which are callable, too


def _pieces(n_blocks: int, n_shards: int) -> list[tuple[list[int], list[int]]]:
    """For each shard its blocks, and which of how many equal parts of their rows it has."""
    if n_blocks == 0:
        raise ValueError("X has no blocks, expected at least one")
    if n_shards <= n_blocks:
        return [(list(map(int, part)), [0, 1]) for part in np.array_split(np.arange(n_blocks), n_shards)]
    return [
        ([block], [part, len(shards)])
        for block, shards in enumerate(np.array_split(np.arange(n_shards), n_blocks))
        for part in range(len(shards))
    ]


def _encode(encoder: Any, block: Any, label: str | None) -> Any:
    return encoder.transform(block if label is None else block.drop(columns=[label]))


def _load(expected: Expected, index: int, blocks: list[list[Any]], part: list[int]) -> Shard:
    """The shard of some blocks, each of X, y and perhaps weights; or a part of their rows."""
    of_X, *columns = zip(*blocks, strict=True)
    X = of_X[0] if len(of_X) == 1 else sp.vstack([sp.csr_array(block) for block in of_X], format="csr")
    others = [np.concatenate([np.asarray(block) for block in column]) for column in columns]
    begin, end = (X.shape[0] * i // part[1] for i in (part[0], part[0] + 1))
    if part[1] > 1:
        X, others = sp.csr_array(X)[begin:end], [column[begin:end] for column in others]
    return Source(index, (X, *others), expected).load()
