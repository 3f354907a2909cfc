"""Factorization machines (FM) and field-aware factorization machines (FFM) over SciPy CSR matrices."""

from fastfm_c._core import (
    FFM,
    FM,
    Gradient,
    LogisticLoss,
    SoftmaxLoss,
    SquaredLoss,
    config,
    get_num_threads,
    set_num_threads,
    show_config,
)
from fastfm_c._version import __version__

__all__ = [
    "FFM",
    "FM",
    "Gradient",
    "LogisticLoss",
    "SoftmaxLoss",
    "SquaredLoss",
    "__version__",
    "config",
    "get_num_threads",
    "set_num_threads",
    "show_config",
]
