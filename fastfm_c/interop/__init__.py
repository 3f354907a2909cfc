"""Models of libffm, libFM and xLearn: read from files of these programs, and written for them.

A model that was read gives the scores that its program computes. For classes the programs print
probabilities, and libFM clips predictions of regression to the targets of its training; `predict` returns the
scores before that. A file that is truncated, altered or made to do harm raises a `ValueError` that says
where. Memory is taken for what a file holds, not for what it promises.
"""

from fastfm_c.interop._libffm import dump_libffm_model, load_libffm_model
from fastfm_c.interop._libfm import dump_libfm_model, load_libfm_model
from fastfm_c.interop._onnx import dump_onnx
from fastfm_c.interop._xlearn import dump_xlearn_model, load_xlearn_model

__all__ = [
    "dump_libffm_model",
    "dump_libfm_model",
    "dump_onnx",
    "dump_xlearn_model",
    "load_libffm_model",
    "load_libfm_model",
    "load_xlearn_model",
]
