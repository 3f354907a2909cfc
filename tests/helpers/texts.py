"""A text and what is read of it; files that are read in small chunks."""

import io

import numpy as np

from fastfm_c import load_libffm, load_libsvm
from fastfm_c.text import _streams

PLAIN = b"1 0:1 3:0.5\n\n-1 2:-2e1 2:4 # 9:9\r\n# none\n  +1.5\t1:.5  0:0 \n0"


def load(text, **options):
    return load_libsvm(io.BytesIO(text), **options)


def load_ffm(text, **options):
    return load_libffm(io.BytesIO(text), **options)


def same_rows(A, B):
    names = ("indptr", "indices", "data")
    return A.shape == B.shape and all(same_array(getattr(A, n), getattr(B, n)) for n in names)


def same_array(a, b):
    return a.dtype == b.dtype and a.tobytes() == b.tobytes()


def read_in_chunks(patch, n_bytes, longest_line=None):
    """From here on, files are read so many bytes at a time, and longer lines are refused."""
    patch.setattr(_streams, "CHUNK_BYTES", n_bytes)
    if longest_line is not None:
        patch.setattr(_streams, "LONGEST_LINE", longest_line)


FFM_ROWS = b"1 0:0:1 1:2:0.5\n0 0:1:1\n1 1:2:2 0:0:3\n"
SVM_ROWS = b"1 1:1 3:0.5\n-1 2:1\n"


def same(found, expected):
    """Whether two results of a reader have the same bits."""
    arrays = zip(found[1:], expected[1:], strict=True)
    return same_rows(found[0], expected[0]) and all(
        same_array(np.asarray(a), np.asarray(b)) for a, b in arrays
    )
