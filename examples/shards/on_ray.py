"""Training over shards on Ray: the engine of `fastfm_c.distributed` in forty lines, to the same bits.

    ray.init()
    history = train(model, [ray.remote(read).remote(path) for path in paths], LogisticLoss(), max_iter=5)

A shard is the reference of a task that gives (X, y): Ray makes it again where it is lost.
"""

from functools import partial

import ray

from fastfm_c.distributed import add, expected_of, fold, sources_of, train_on


class RayEngine:
    """The engine whose work is done by tasks of Ray."""

    def __init__(self, shards, validation):
        self._shards, self._validation, self._state = shards, validation, None

    def send(self, state):
        """One object in the store, which each node fetches once."""
        self._state = ray.put(state)

    def total(self, function, *arguments):
        return ray.get(
            fold(self._tasks(function, self._shards, *arguments), ray.remote(max_retries=5)(add).remote)
        )

    def each(self, function):
        return ray.get(self._tasks(function, self._validation))

    def _tasks(self, function, shards, *arguments):
        task = ray.remote(max_retries=5)(function)
        return [task.remote(self._state, shard, *arguments) for shard in shards]


@ray.remote(max_retries=5)
def load(expected, index, rows):
    """The rows of a shard, checked, with its columns numbered anew."""
    return sources_of([rows], expected, first=index)[0].load()


def train(model, shards, loss, *, eval_set=(), num_threads=1, **options):
    """`fastfm_c.distributed.train` with shards that are references of Ray."""
    task = partial(load.remote, ray.put(expected_of(model, loss, num_threads)))
    loaded, validation = ([task(i, rows) for i, rows in enumerate(part)] for part in (shards, eval_set))
    return train_on(RayEngine(loaded, validation), model, loss, bool(validation), num_threads, **options)
