"""Rows as text: the formats of LIBSVM and libffm."""

from fastfm_c.text._blocks import TextBlocks
from fastfm_c.text._dump import dump_libffm, dump_libsvm
from fastfm_c.text._iterate import iter_libffm, iter_libsvm
from fastfm_c.text._load import load_libffm, load_libsvm

__all__ = [
    "TextBlocks",
    "dump_libffm",
    "dump_libsvm",
    "iter_libffm",
    "iter_libsvm",
    "load_libffm",
    "load_libsvm",
]
