"""The extension module: `core`, compiled from core.pyx and the .pxi files that it includes."""

from fastfm_c._core.core import (
    CandidateRows,
    Loss,
    Model,
    Parameters,
    RankingRows,
    Solver,
    TrainingRows,
    _text_of,
    _TextRows,
    _use_simd,
    config,
    get_num_threads,
    rank_epoch,
    require_fit,
    set_num_threads,
    show_config,
)

__all__ = [
    "CandidateRows",
    "Loss",
    "Model",
    "Parameters",
    "RankingRows",
    "Solver",
    "TrainingRows",
    "_TextRows",
    "_text_of",
    "_use_simd",
    "config",
    "get_num_threads",
    "rank_epoch",
    "require_fit",
    "set_num_threads",
    "show_config",
]
