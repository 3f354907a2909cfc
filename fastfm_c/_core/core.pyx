"""Extension types over the C kernels: they hold arrays, fill structs, release the GIL and call C."""
import math
import os

import numpy as np
from scipy.sparse import csr_array, csr_matrix

from fastfm_c._threads import default_limit
from fastfm_c._validation import (
    aligned_zeros, as_count, as_csr, as_fields, as_not_negative, as_parameter, as_real_dtype, as_row,
    as_targets, as_weights,
)
from fastfm_c._version import __version__

cimport numpy as cnp
from cpython.exc cimport PyErr_CheckSignals
from libc.stdint cimport int32_t, int64_t

cnp.import_array()

# Multiply-adds between two looks at pending signals: about a third of a second.
cdef double SIGNAL_WORK = 1e9
# Values whose normalised copy is made at a time.
cdef int64_t NORMALIZED_VALUES = 1 << 20
# What larger numbers of threads become; what is started depends on the machine.
cdef int MOST_THREADS = 1 << 20

include "threads.pxi"
include "rows.pxi"
include "losses.pxi"
include "models.pxi"
include "solvers.pxi"
include "text.pxi"
