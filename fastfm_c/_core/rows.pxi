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
    return FASTFM_U8  # bool; _validation admits nothing else


cdef inline bint is_plain(object array):
    """Whether the kernels can read it as it is: one dimension, contiguous, aligned, native."""
    return (cnp.PyArray_Check(array) and cnp.PyArray_NDIM(array) == 1
            and cnp.PyArray_ISCARRAY_RO(array))


class _RepeatedColumn(Exception):
    """A row has a column twice; the caller goes on with `_Rows.without_repeats`."""


cdef dict _NORMALIZATIONS = {None: FASTFM_AS_IS, "instance": FASTFM_INSTANCE, "xlearn": FASTFM_XLEARN}


cdef class _Rows:
    """The rows of X: references to its arrays, and the struct that points into them."""
    cdef cnp.ndarray indptr, indices, data, linear_scale
    cdef int64_t n_columns
    cdef fastfm_csr csr

    cdef bint set(self, indptr, indices, data, shape) except -1:
        """False when the kernels cannot read these arrays as they are."""
        if not (is_plain(indptr) and is_plain(indices) and is_plain(data)):
            return False
        cdef int index = cnp.PyArray_TYPE(indices), real = cnp.PyArray_TYPE(data)
        if not (index == cnp.PyArray_TYPE(indptr)
                and (index == cnp.NPY_INT32 or index == cnp.NPY_INT64)
                and (real == cnp.NPY_FLOAT or real == cnp.NPY_DOUBLE)):
            return False
        self.csr.n_rows, self.n_columns = shape
        self.csr.nnz = cnp.PyArray_DIM(indices, 0)
        if cnp.PyArray_DIM(data, 0) != self.csr.nnz:
            return False
        if cnp.PyArray_DIM(indptr, 0) != self.csr.n_rows + 1:
            return False
        self.indptr, self.indices, self.data = indptr, indices, data
        self.csr.indptr = cnp.PyArray_DATA(self.indptr)
        self.csr.indices = cnp.PyArray_DATA(self.indices)
        self.csr.data = cnp.PyArray_DATA(self.data)
        self.csr.index_type, self.csr.data_type = type_of(self.indices), type_of(self.data)
        return True

    cdef fastfm_csr piece(self, int64_t begin, int64_t end) noexcept:
        cdef fastfm_csr csr = self.csr
        csr.n_rows = end - begin
        csr.indptr = <const char *>csr.indptr + begin * cnp.PyArray_ITEMSIZE(self.indptr)
        if csr.linear_scale != NULL:
            csr.linear_scale += begin
        return csr

    cdef _Rows between(self, int64_t begin, int64_t end):
        """Rows [begin, end) of sound rows, with an indptr that starts at 0."""
        cdef _Rows rows = _Rows.__new__(_Rows)
        stored = slice(self.indptr[begin], self.indptr[end])
        rows.set(self.indptr[begin:end + 1] - self.indptr[begin], self.indices[stored], self.data[stored],
                 (end - begin, self.n_columns))
        return rows

    cdef _Rows normalized(self, fastfm_normalization how, fastfm_type real, int n_threads):
        """These rows with a copy of the values, divided as a model of type `real` wants them."""
        cdef _Rows rows = _Rows.__new__(_Rows)
        cdef int64_t bad_row = 0
        cdef fastfm_status status
        dtype = np.float64 if real == FASTFM_F64 else self.data.dtype
        rows.set(self.indptr, self.indices, np.empty(self.csr.nnz, dtype), (self.csr.n_rows, self.n_columns))
        if how == FASTFM_XLEARN:
            rows.linear_scale = np.empty(self.csr.n_rows)
            rows.csr.linear_scale = <const double *>cnp.PyArray_DATA(rows.linear_scale)
        with nogil:
            status = fastfm_normalize(&self.csr, how, <void *>rows.csr.data, rows.csr.data_type,
                                      <double *>rows.csr.linear_scale, n_threads, &bad_row)
        if status != FASTFM_OK:
            self.refuse(status, bad_row)
        return rows

    cdef _Rows without_repeats(self):
        """A copy with the repeated columns of each row summed."""
        cdef _Rows rows = _Rows.__new__(_Rows)
        indptr, indices, data = (np.empty_like(a) for a in (self.indptr, self.indices, self.data))
        rows.set(indptr, indices, data, (self.csr.n_rows, self.n_columns))
        cdef fastfm_status status
        with nogil:
            status = fastfm_sum_repeats(&self.csr, <void *>rows.csr.indptr, <void *>rows.csr.indices,
                                        <void *>rows.csr.data)
        if status != FASTFM_OK:
            raise MemoryError(fastfm_status_message(status).decode())
        return rows

    cdef object refuse(self, fastfm_status status, int64_t row):
        """Raise the exception of a status that concerns X."""
        if status == FASTFM_NO_MEMORY:
            raise MemoryError(fastfm_status_message(status).decode())
        if status == FASTFM_REPEATED_COLUMN:
            raise _RepeatedColumn
        if status == FASTFM_BAD_INDPTR:
            raise ValueError(
                f"X.indptr is broken at row {row}: it goes from {self.indptr[row]} to "
                f"{self.indptr[row + 1]}, with {self.csr.nnz} stored values in X"
            )
        columns = self.indices[self.indptr[row]:self.indptr[row + 1]]
        column = columns[(columns < 0) | (columns >= self.n_columns)][0]
        raise ValueError(f"row {row} of X has column index {column}, outside 0..{self.n_columns - 1}")


cdef _Rows rows_of(X, int64_t n_features):
    """X as rows; not copied when it is CSR with plain arrays."""
    cdef _Rows rows = _Rows.__new__(_Rows)
    if not (isinstance(X, (csr_array, csr_matrix)) and len(X.shape) == 2
            and rows.set(X.indptr, X.indices, X.data, X.shape)):
        indptr, indices, data, shape = as_csr(X)
        if not rows.set(indptr, indices, data, shape):
            raise AssertionError("as_csr returned arrays that the kernels cannot read")
    if rows.n_columns != n_features:
        raise ValueError(f"X has {rows.n_columns} columns, the model has {n_features} features")
    return rows


cdef class _Targets:
    """y and the sample weights of the rows of X, and the struct that points into them."""
    cdef cnp.ndarray y, weight
    cdef double weight_sum
    cdef fastfm_targets targets

    def __cinit__(self, y, sample_weight, int64_t n_rows):
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
        if not 0 < self.weight_sum < float("inf"):
            raise ValueError(
                f"the total weight of the rows is {self.weight_sum}, expected a positive finite number"
            )

    cdef fastfm_targets piece(self, int64_t begin) noexcept:
        cdef fastfm_targets targets = self.targets
        targets.y = <const char *>targets.y + begin * cnp.PyArray_ITEMSIZE(self.y)
        if targets.weight != NULL:
            targets.weight += begin
        return targets
