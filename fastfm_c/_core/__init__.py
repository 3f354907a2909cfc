"""The extension module: `core`, compiled from core.pyx and the .pxi files that it includes."""

from fastfm_c._core.core import (
    CurvaturePairs,
    Loss,
    Model,
    Parameters,
    Solver,
    TrainingRows,
    _text_of,
    _TextRows,
    _use_simd,
    config,
    dot,
    get_num_threads,
    require_fit,
    set_num_threads,
    show_config,
    step,
)

__all__ = [
    "CurvaturePairs",
    "Loss",
    "Model",
    "Parameters",
    "Solver",
    "TrainingRows",
    "_TextRows",
    "_text_of",
    "_use_simd",
    "config",
    "dot",
    "get_num_threads",
    "require_fit",
    "set_num_threads",
    "show_config",
    "step",
]
