"""The extension module: `core`, compiled from core.pyx and the .pxi files that it includes."""

from fastfm_c._core.core import (
    FTRL,
    SGD,
    AdaGrad,
    Adam,
    Loss,
    Model,
    Parameters,
    _restore_solver,
    _text_of,
    _TextRows,
    _use_simd,
    config,
    get_num_threads,
    set_num_threads,
    show_config,
)

__all__ = [
    "FTRL",
    "SGD",
    "AdaGrad",
    "Adam",
    "Loss",
    "Model",
    "Parameters",
    "_TextRows",
    "_restore_solver",
    "_text_of",
    "_use_simd",
    "config",
    "get_num_threads",
    "set_num_threads",
    "show_config",
]
