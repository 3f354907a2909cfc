"""The engine of `fastfm_c.distributed` that is a Dask cluster."""

from collections.abc import Callable
from functools import partial
from typing import Any, TypeVar
from uuid import uuid4

from distributed import CancelledError, Client
from distributed.comm import CommClosedError

from fastfm_c.distributed import Delta, State, add, fold

__all__ = ["Cluster"]

_Result = TypeVar("_Result")
# What a client may raise when a state was lost with the workers that had it. Tasks that are lost are made
# again by Dask itself.
LOST = CancelledError, CommClosedError, TimeoutError
MOST_TRIES = 5
PATIENCE = 60  # seconds until there must be a worker again


class Cluster:
    """The workers of a client. Every call is a pure task, which Dask makes again where a worker is lost.

    Parameters
    ----------
    client : distributed.Client
    shards, validation : list of dask.delayed
        Each gives a shard, from the user's own collection. Their results stay with the workers; where they
        are lost, they are made again.
    """

    def __init__(self, client: Client, shards: list[Any], validation: list[Any]) -> None:
        self._client = client
        self._state: State | None = None
        self._shards, self._validation = (client.compute(list(part)) for part in (shards, validation))
        self._sent: Any = None  # the future of the state

    def send(self, state: State) -> None:
        """Let all workers have the state: one future for all tasks.

        One worker gets it, and the others take it from those that have it. (To broadcast it may never end
        where workers have just been lost.)
        """
        self._state, self._sent = state, None

    def total(self, function: Callable[..., Delta], *arguments: Any) -> Delta:
        def call() -> Delta:
            parts = self._futures(function, self._shards, *arguments)
            merged: Any = fold(parts, partial(self._client.submit, add, pure=False))
            delta: Delta = merged.result()
            return delta

        return self._repeated(call)

    def each(self, function: Callable[..., Any]) -> list[Any]:
        return self._repeated(lambda: self._client.gather(self._futures(function, self._validation)))

    def _futures(self, function: Callable[..., Any], shards: list[Any], *arguments: Any) -> list[Any]:
        if self._sent is None and self._state is not None:
            try:
                self._sent = self._client.scatter(self._state, hash=False)
            except Exception as error:  # KeyError, too, where a worker has just been lost
                raise CommClosedError(str(error)) from error
        name, call = f"{function.__name__}-{uuid4().hex}-shard", partial(self._client.submit, function)
        return [
            call(self._sent, shard, *arguments, key=f"{name}-{index}") for index, shard in enumerate(shards)
        ]

    def _repeated(self, call: Callable[[], _Result], tries: int = MOST_TRIES) -> _Result:
        try:
            return call()
        except LOST:
            if tries == 1:
                raise
        self._client.wait_for_workers(1, timeout=PATIENCE)
        self._sent = None  # the state is here: it is sent again, and the round is done again
        return self._repeated(call, tries - 1)
