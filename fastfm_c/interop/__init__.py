"""Models of libffm, libFM and xLearn: read from their files to the same scores, and written for them.

What the programs print are probabilities for classes, and libFM clips those of regression to the targets of
its training; what `predict` returns are the scores before that. A file that is truncated, altered or made to
do harm is a `ValueError` that says where; memory is taken for what a file holds, not for what it promises.
"""

from fastfm_c.interop._libffm import dump_libffm_model, load_libffm_model
from fastfm_c.interop._libfm import dump_libfm_model, load_libfm_model
from fastfm_c.interop._xlearn import dump_xlearn_model, load_xlearn_model

__all__ = [
    "dump_libffm_model",
    "dump_libfm_model",
    "dump_xlearn_model",
    "load_libffm_model",
    "load_libfm_model",
    "load_xlearn_model",
]
