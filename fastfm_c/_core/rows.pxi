# The rows of X and their targets, as the C structs that point into them.


cdef inline fastfm_type type_of(cnp.ndarray array):
    cdef int number = cnp.PyArray_TYPE(array)
    if number == cnp.NPY_FLOAT:
        return FASTFM_F32
    if number == cnp.NPY_DOUBLE:
        return FASTFM_F64
    if number == cnp.NPY_INT32:
        return FASTFM_I32
    if number == cnp.NPY_INT64:
        return FASTFM_I64
    return FASTFM_U8  # bool: _validation admits nothing else


cdef inline bint is_plain(object array):
    """Whether the kernels can read the array in place: one dimension, contiguous, aligned, native."""
    return (cnp.PyArray_Check(array) and cnp.PyArray_NDIM(array) == 1
            and cnp.PyArray_ISCARRAY_RO(array))


cdef inline bint are_row_types(cnp.ndarray indices, cnp.ndarray data):
    """Whether the kernels have a variant for these types."""
    cdef int index = cnp.PyArray_TYPE(indices), real = cnp.PyArray_TYPE(data)
    return ((index == cnp.NPY_INT32 or index == cnp.NPY_INT64)
            and (real == cnp.NPY_FLOAT or real == cnp.NPY_DOUBLE))


cdef class Rows:
    """The rows of X: references to its arrays, and the struct that points into them."""
    cdef cnp.ndarray indptr, indices, data
    cdef int64_t n_columns
    cdef fastfm_csr csr
    cdef double largest  # as `check` has found it; repeated columns are summed
    cdef int has_repeats

    cdef bint try_borrow(self, indptr, indices, data, shape) except -1:
        """Borrow the arrays of a CSR matrix; False if the kernels cannot read them in place."""
        if not (is_plain(indptr) and is_plain(indices) and is_plain(data) and are_row_types(indices, data)
                and cnp.PyArray_TYPE(indices) == cnp.PyArray_TYPE(indptr)):
            return False
        self.csr.n_rows, self.n_columns = shape
        if cnp.PyArray_DIM(indptr, 0) != self.csr.n_rows + 1:
            return False
        self.indptr = indptr
        self.csr.indptr = cnp.PyArray_DATA(self.indptr)
        return self.try_borrow_values(indices, data)

    cdef bint try_borrow_row(self, indices, values) except -1:
        """Borrow the arrays of one row, whose indptr the caller sets; False as for `try_borrow`."""
        if not (is_plain(indices) and is_plain(values) and are_row_types(indices, values)):
            return False
        self.csr.n_rows = 1
        return self.try_borrow_values(indices, values)

    cdef bint try_borrow_values(self, cnp.ndarray indices, cnp.ndarray data):
        self.csr.nnz = cnp.PyArray_DIM(indices, 0)
        if cnp.PyArray_DIM(data, 0) != self.csr.nnz:
            return False
        self.indices, self.data = indices, data
        self.csr.indices, self.csr.data = cnp.PyArray_DATA(indices), cnp.PyArray_DATA(data)
        self.csr.index_type, self.csr.data_type = type_of(indices), type_of(data)
        return True

    cdef fastfm_csr slice(self, int64_t begin, int64_t end) noexcept:
        """Rows [begin, end)."""
        cdef fastfm_csr csr = self.csr
        csr.n_rows = end - begin
        csr.indptr = <const char *>csr.indptr + begin * cnp.PyArray_ITEMSIZE(self.indptr)
        return csr

    cdef int check(self, int n_threads) except -1:
        """Raise unless indptr and indices are sound; find the largest |x|, and whether columns repeat."""
        cdef int64_t bad_row = 0
        cdef fastfm_status status
        with nogil:
            status = fastfm_check(&self.csr, self.n_columns, &self.largest, &self.has_repeats, n_threads,
                                  &bad_row)
        if status != FASTFM_OK:
            self.raise_for_status(status, bad_row)
        return 0

    cdef cnp.ndarray columns(self):
        """The columns of the stored values; after `check`."""
        return self.indices[self.indptr[0]:self.indptr[self.csr.n_rows]]

    cdef int refuse_repeats(self) except -1:
        """Raise for a column that a row repeats, because the model has no gradient for it; after `check`."""
        if not self.has_repeats:
            return 0
        for row in range(self.csr.n_rows):
            columns, counts = np.unique(self.indices[self.indptr[row]:self.indptr[row + 1]], return_counts=True)
            if (counts > 1).any():
                raise ValueError(f"row {row} of X repeats column {columns[counts > 1][0]}, from which a model with "
                                 "repeats='separate' does not learn; model.repeats = 'sum' adds its values up")
        return 0

    cdef tuple arrays(self):
        """(indptr, indices, data) after `check`; in a copy where columns repeat, with their values summed."""
        cdef cnp.ndarray indices, data
        cdef fastfm_status status
        if not self.has_repeats:
            return self.indptr, self.indices, self.data
        indices, data = np.zeros_like(self.indices), np.zeros_like(self.data)
        with nogil:
            status = fastfm_sum_repeats(&self.csr, cnp.PyArray_DATA(indices), cnp.PyArray_DATA(data))
        if status != FASTFM_OK:
            self.raise_for_status(status, 0)
        return self.indptr, indices, data

    cdef object raise_for_status(self, fastfm_status status, int64_t row):
        """Raise the exception of a status that concerns X."""
        if status == FASTFM_NO_MEMORY:
            raise MemoryError(fastfm_status_message(status).decode())
        if status == FASTFM_BAD_INDPTR:
            raise ValueError(
                f"X.indptr is broken at row {row}: it goes from {self.indptr[row]} to "
                f"{self.indptr[row + 1]}, with {self.csr.nnz} stored values in X"
            )
        is_row = self.indptr is None  # of predict_row
        columns = self.indices if is_row else self.indices[self.indptr[row]:self.indptr[row + 1]]
        outside = columns[(columns < 0) | (columns >= self.n_columns)]
        column = outside[0] if len(outside) else "that changed during the call"
        place = "indices has column" if is_row else f"row {row} of X has column index"
        raise ValueError(f"{place} {column}, outside 0..{self.n_columns - 1}")


cdef Rows as_rows(X, int64_t n_features):
    """X as rows; not copied when it is CSR with plain arrays."""
    cdef Rows rows = Rows.__new__(Rows)
    if not (isinstance(X, (csr_array, csr_matrix)) and len(X.shape) == 2
            and rows.try_borrow(X.indptr, X.indices, X.data, X.shape)):
        indptr, indices, data, shape = as_csr(X)
        if not rows.try_borrow(indptr, indices, data, shape):
            raise AssertionError("as_csr returned arrays that the kernels cannot read")
    if rows.n_columns != n_features:
        raise ValueError(f"X has {rows.n_columns} columns, the model has {n_features} features")
    return rows


cdef object fields_of(X):
    """`X.fields` of a sparse X, or None; a table may have a column of that name."""
    return getattr(X, "fields", None) if isinstance(X, (csr_array, csr_matrix)) or issparse(X) else None


cdef int64_t first_marked(Rows rows, const uint8_t *is_marked) noexcept:
    """The first stored value whose column is marked, or -1. Columns outside of X are left to the driver."""
    cdef const int32_t *indices32 = <const int32_t *>rows.csr.indices
    cdef const int64_t *indices64 = <const int64_t *>rows.csr.indices
    cdef bint is_32 = rows.csr.index_type == FASTFM_I32
    cdef int64_t p, j, begin = rows.indptr[0], end = rows.indptr[rows.csr.n_rows], n = rows.n_columns
    begin, end = max(begin, 0), min(end, rows.csr.nnz)
    with nogil:
        for p in range(begin, end):
            j = indices32[p] if is_32 else indices64[p]
            if 0 <= j < n and is_marked[j]:
                return p
    return -1


cdef class Targets:
    """y and the sample weights of the rows of X, and the struct that points into them."""
    cdef cnp.ndarray y, weight
    cdef double weight_sum
    cdef fastfm_targets targets

    def __cinit__(self, y, sample_weight, int64_t n_rows, bint may_be_empty=False):
        self.y = as_targets(y, n_rows)
        self.targets.y = cnp.PyArray_DATA(self.y)
        self.targets.y_type = type_of(self.y)
        self.targets.weight = NULL
        self.weight_sum = <double>n_rows
        weight = as_weights(sample_weight, n_rows)
        if weight is not None:
            self.weight = weight
            self.targets.weight = <const double *>cnp.PyArray_DATA(self.weight)
            self.weight_sum = fastfm_weighted_sum(NULL, self.targets.weight, FASTFM_F64, n_rows)
        if not 0 < self.weight_sum < float("inf") and not (may_be_empty and self.weight_sum == 0):
            raise ValueError(
                f"the total weight of the rows is {self.weight_sum}, expected a positive finite number"
            )

    cdef fastfm_targets slice(self, int64_t begin) noexcept:
        """The targets from row `begin` on."""
        cdef fastfm_targets targets = self.targets
        targets.y = <const char *>targets.y + begin * cnp.PyArray_ITEMSIZE(self.y)
        if targets.weight != NULL:
            targets.weight += begin
        return targets


cdef int require_apart(Rows rows, Targets targets, tuple arrays) except -1:
    """Raise unless arrays that are written to share no memory with the rows that are read meanwhile."""
    for read in rows.indptr, rows.indices, rows.data, targets.y, targets.weight:
        if read is not None and any([np.may_share_memory(read, array) for array in arrays]):
            raise ValueError("out shares memory with X, y or sample_weight")
    return 0
