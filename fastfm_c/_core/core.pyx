"""Extension types over the C kernels: they hold arrays, fill structs, release the GIL and call C."""
import math
import os

import numpy as np
from scipy.sparse import csr_array, csr_matrix, issparse

from fastfm_c._field_table import field_conflict, field_conflicts
from fastfm_c._threads import default_limit, stack_size
from fastfm_c._validation import (
    aligned_zeros, as_count, as_csr, as_not_negative, as_parameter, as_row, as_targets, as_weights,
)
from fastfm_c._version import __version__

cimport cython
cimport numpy as cnp
from cpython.exc cimport PyErr_CheckSignals
from libc.stdint cimport int32_t, int64_t, uint8_t, uint16_t, uint64_t

cnp.import_array()

# What larger numbers of threads become; what is started depends on the machine.
cdef int MOST_THREADS = 1 << 20

# Rows and columns of X by columns: their numbers are int32.
cdef int64_t MOST_COLUMNS = 2147483647

include "threads.pxi"
include "rows.pxi"
include "losses.pxi"
include "models.pxi"
include "predict.pxi"
include "candidates.pxi"
include "solvers.pxi"
include "ranking.pxi"
include "lbfgs.pxi"
include "columns.pxi"
include "text.pxi"
