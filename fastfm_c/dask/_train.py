"""`train` and `predict` over Dask collections."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeVar

import dask
import dask.array as da
import numpy as np
from distributed import Client, default_client

from fastfm_c.dask._collections import blocks_of, shards_of
from fastfm_c.dask._engine import Cluster
from fastfm_c.distributed import Engine, ThisProcess, expected_of, train_on
from fastfm_c.distributed import fit_encoder as _fit_encoder
from fastfm_c.encoding import FieldEncoder
from fastfm_c.losses import Loss
from fastfm_c.models import FFM, FM
from fastfm_c.training import EpochInfo, History

__all__ = ["fit_encoder", "predict", "train"]

_Callback = Callable[[EpochInfo], Any]
_Encoder = TypeVar("_Encoder", bound=FieldEncoder)


def train(
    model: FM | FFM,
    X: Any,
    y: Any,
    loss: Loss,
    *,
    client: Any = None,
    solver: str = "adagrad",
    max_iter: int | None = None,
    rng: Any = 0,
    n_shards: int | None = None,
    encoder: Any = None,
    callbacks: _Callback | Sequence[_Callback] = (),
    sample_weight: Any = None,
    eval_set: tuple[Any, ...] | None = None,
    num_threads: int | None = 1,
    **options: Any,
) -> History:
    """Train a model in place from rows that are spread over the workers of a Dask cluster.

    The bits are those of `fastfm_c.distributed.train` with the same shards: for any number of workers, with
    workers that are lost on the way, and without a cluster.

    Parameters
    ----------
    model : FM or FFM
    X : dask array, list of delayed, list of callables or dask DataFrame
        An array has CSR or dense blocks, each with all columns. A DataFrame needs an `encoder`. A callable
        returns (X, y) or (X, y, sample_weight) of a shard, and is called in every round: its rows do not stay
        in memory, and `y` is None.
    y : dask array, list of delayed or str
        In the blocks of X; or the name of a column of the DataFrame, which is then no part of X.
    loss : SquaredLoss, LogisticLoss or SoftmaxLoss
    client : distributed.Client, optional
        Default: the client that is there, else this process works.
    solver, max_iter, rng, callbacks
        As for `fastfm_c.distributed.train`. Callbacks run in this process.
    n_shards : int, optional
        Shards, on which the bits depend. Default: as many as blocks.
    encoder : FieldEncoder, optional
        Fitted; see `fit_encoder`.
    sample_weight : dask array or list of delayed, optional
    eval_set : (X, y) or (X, y, sample_weight), optional
        Validation rows, in collections of the same kinds.
    num_threads : int, optional
        Threads of one task. Workers run as many tasks at a time as they have threads.
    **options
        ``early_stopping``, ``n_iter_no_change``, ``tol``, ``verbose``, ``checkpoint``, ``checkpoint_every``,
        ``resume`` and options of the solver, as for `fastfm_c.distributed.train`.

    Returns
    -------
    History

    Raises
    ------
    ValueError
        For what `fastfm_c.train` refuses; the message names the shard and the row.
    DivergenceError
        Likewise.
    """
    expected = expected_of(model, loss, num_threads)
    shards = shards_of(X, y, sample_weight, encoder, n_shards, expected)
    validation: list[Any] = []
    if eval_set is not None:
        if not isinstance(eval_set, tuple) or len(eval_set) not in (2, 3):
            raise ValueError("eval_set must be a tuple (X, y) or (X, y, sample_weight)")
        X_val, y_val, weight = (*eval_set, None)[:3]
        validation = shards_of(X_val, y_val, weight, encoder, None, expected)
    options |= {"solver": solver, "max_iter": max_iter, "rng": rng, "callbacks": callbacks}
    scheduler = _scheduler(client)
    if isinstance(scheduler, Client):
        engine: Engine = Cluster(scheduler, shards, validation)
    else:
        engine = ThisProcess(*(dask.compute(*tasks, scheduler=scheduler) for tasks in (shards, validation)))
    return train_on(engine, model, loss, bool(validation), num_threads, **options)


def _scheduler(client: Any) -> Any:
    """Who does the work: the client that is given or there, else this process."""
    if client is not None:
        return client
    try:
        return default_client()
    except ValueError:
        return "synchronous"


def predict(model: FM | FFM, X: Any, *, encoder: Any = None) -> da.Array:
    """Raw scores of the rows of a Dask collection, block by block, when they are computed.

    Parameters
    ----------
    model : FM, FFM or a quantised model
    X : dask array, list of delayed or dask DataFrame
        As for `train`.
    encoder : FieldEncoder, optional
        For a DataFrame.

    Returns
    -------
    dask array of shape (n_rows,) or (n_rows, C)
    """
    outputs = (model.n_outputs,) if np.ndim(model.w0) else ()
    score, model_task = dask.delayed(_scores), dask.delayed(model, pure=False)
    blocks = blocks_of(X, "X", encoder)
    known = X.chunks[0] if isinstance(X, da.Array) else [np.nan] * len(blocks)
    return da.concatenate(
        [
            da.from_delayed(score(model_task, block), (n, *outputs), model.dtype)
            for block, n in zip(blocks, known, strict=True)
        ],
        allow_unknown_chunksizes=True,
    )


def _scores(model: Any, X: Any) -> Any:
    return model.predict(X, num_threads=1)


def fit_encoder(encoder: _Encoder, X: Any, *, client: Any = None) -> _Encoder:
    """Fit a FieldEncoder to a dask DataFrame: partitions are read where they are.

    Parameters
    ----------
    encoder : FieldEncoder
    X : dask DataFrame
    client : distributed.Client, optional
        As for `train`.

    Returns
    -------
    FieldEncoder
        The encoder, as `fastfm_c.distributed.fit_encoder` fits it to the partitions in their order.
    """
    scheduler = _scheduler(client)

    def each(function: Callable[[Any], Any], tables: Iterable[Any]) -> Iterable[Any]:
        done: Iterable[Any] = dask.compute(
            *map(dask.delayed(function, pure=False), tables), scheduler=scheduler
        )
        return done

    return _fit_encoder(encoder, X.to_delayed(), map=each)
