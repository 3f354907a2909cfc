"""Training over shards of rows, on one machine or many, to the same bits: see `fastfm_c.dask`."""

from fastfm_c.distributed._engine import Engine, ThisProcess, sources_of
from fastfm_c.distributed._local import State, local_gradient, local_update
from fastfm_c.distributed._sums import Delta, add, fold, merge
from fastfm_c.distributed._train import expected_of, train, train_on
from fastfm_c.encoding._merge import fit_encoder

__all__ = [
    "Delta",
    "Engine",
    "State",
    "ThisProcess",
    "add",
    "expected_of",
    "fit_encoder",
    "fold",
    "local_gradient",
    "local_update",
    "merge",
    "sources_of",
    "train",
    "train_on",
]
