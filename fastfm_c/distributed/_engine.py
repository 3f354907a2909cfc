"""Where the work on shards is done: what `train` asks of it, and this process."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Protocol

from fastfm_c.distributed._local import State
from fastfm_c.distributed._shards import Expected, Shard, Source
from fastfm_c.distributed._sums import Delta, merge

__all__ = ["Engine", "ThisProcess", "sources_of"]


class Engine(Protocol):
    """What `train_on` asks of what does the work: Dask, Ray or this process.

    An engine decides where and when a function of a shard runs, and never what it gives. So it does not
    decide about a bit.
    """

    def send(self, state: State) -> None:
        """Make this the state that functions are called with; the last one is not needed any more."""

    def total(self, function: Callable[..., Delta], *arguments: Any) -> Delta:
        """The `merge` of ``function(state, shard, *arguments)`` of all shards, in their order."""

    def each(self, function: Callable[..., Any]) -> Iterable[Any]:
        """``function(state, shard)`` of each validation shard, in their order."""


def sources_of(shards: Iterable[Any], expected: Expected, first: int = 0) -> list[Source]:
    """The shards that a user gave, with their numbers, from `first` on."""
    return [Source(index, rows, expected) for index, rows in enumerate(shards, first)]


class ThisProcess:
    """The engine that needs no other: one shard after the other. Its results are the definition of the bits.

    Parameters
    ----------
    shards, validation : list of Source or Shard
        Those that are callables are called anew whenever their rows are needed, and so may be larger
        together than the memory. The others are kept, with their columns numbered anew.
    """

    def __init__(self, shards: Sequence[Shard | Source], validation: Sequence[Shard | Source]) -> None:
        self._shards, self._validation = (
            [s if isinstance(s, Source) and callable(s.rows) else s.load() for s in part]
            for part in (shards, validation)
        )
        self._state: State | None = None

    def send(self, state: State) -> None:
        self._state = state

    def total(self, function: Callable[..., Delta], *arguments: Any) -> Delta:
        return merge(function(self._state, shard, *arguments) for shard in self._shards)

    def each(self, function: Callable[..., Any]) -> Iterable[Any]:
        return (function(self._state, shard) for shard in self._validation)
