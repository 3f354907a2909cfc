# FM and FFM: the memory of their parameters, and the calls that read it. Their words: fastfm_c/models/.

# Multiply-adds between two looks at pending signals: about a third of a second.
cdef double SIGNAL_WORK = 1e9

cdef dict NORMALIZATIONS = {None: FASTFM_AS_IS, "instance": FASTFM_INSTANCE, "xlearn": FASTFM_XLEARN}


cdef class Parameters:
    """Arrays of parameters, and the struct that points into them.

    An object of this class never gets other arrays, so a call that holds one is safe from a resize by
    another thread. In memory outputs follow features: what belongs to a feature shares cache lines.
    """
    cdef readonly cnp.ndarray w0  # (C,)
    cdef readonly cnp.ndarray w  # (n_features,), or (n_features, C) with an axis of outputs
    cdef readonly cnp.ndarray V  # as w, followed by (n_fields,) for an FFM, followed by (n_factors,)
    cdef readonly cnp.ndarray fields  # (n_features,) int32, or None for an FM
    cdef readonly bint has_outputs  # whether there is an axis of outputs
    cdef readonly object normalize
    cdef object known_fields  # of the X that was last compared with these fields: a read-only array
    cdef cnp.ndarray conflicts  # (n_features,) bool: which columns of that X are in another field; None: none
    cdef fastfm_model c

    def __cinit__(self, cnp.ndarray w0 not None, cnp.ndarray w not None, cnp.ndarray V not None,
                  cnp.ndarray fields, bint has_outputs, normalize, bint separates_repeats=False):
        cdef int64_t n_outputs = len(w0), n = len(w), n_fields = 1 if fields is None else V.shape[V.ndim - 2]
        for array, size in (w0, n_outputs), (w, n * n_outputs), (V, n * n_outputs * n_fields * V.shape[V.ndim - 1]):
            if not cnp.PyArray_ISCARRAY_RO(array) or array.dtype.num != V.dtype.num or array.size != size:
                raise ValueError("parameters must be plain arrays of one dtype whose shapes fit")
        if V.dtype not in (np.float32, np.float64):
            raise ValueError(f"V has dtype {V.dtype}, expected float32 or float64")
        if fields is not None and (not is_plain(fields) or type_of(fields) != FASTFM_I32 or len(fields) != n):
            raise ValueError("fields must be a plain int32 array with an entry for each feature")
        self.w0, self.w, self.V, self.fields = w0, w, V, fields
        self.has_outputs, self.normalize = has_outputs, normalize
        self.c.separates_repeats = separates_repeats
        self.c.n_features, self.c.n_outputs = n, n_outputs
        self.c.n_fields, self.c.n_factors = 0 if fields is None else n_fields, V.shape[V.ndim - 1]
        self.c.real = type_of(V)
        self.c.w0, self.c.w, self.c.V = cnp.PyArray_DATA(w0), cnp.PyArray_DATA(w), cnp.PyArray_DATA(V)
        self.c.fields = NULL if fields is None else <const int32_t *>cnp.PyArray_DATA(fields)
        self.c.normalization = NORMALIZATIONS[normalize]

    @property
    def n_fields(self):
        return self.c.n_fields

    @property
    def separates_repeats(self):
        return bool(self.c.separates_repeats)

    cdef Rows rows_of(self, X):
        """X as rows. For an FFM, no value of X may be in another field than its feature has here."""
        cdef Rows rows = as_rows(X, self.c.n_features)
        cdef cnp.ndarray conflicts
        cdef int64_t p
        fields = None if self.fields is None else fields_of(X)
        if fields is None:
            return rows
        with cython.critical_section(self):
            is_known, conflicts = fields is self.known_fields, self.conflicts
        if not is_known:
            conflicts = field_conflicts(self.fields, fields)
            if isinstance(fields, np.ndarray) and not fields.flags.writeable:
                with cython.critical_section(self):
                    self.known_fields, self.conflicts = fields, conflicts
        if conflicts is not None:
            p = first_marked(rows, <const uint8_t *>cnp.PyArray_DATA(conflicts))
            if p >= 0:
                column = rows.indices[p]
                row = np.searchsorted(rows.indptr, p, side="right") - 1
                raise ValueError(f"row {row} of X has a value in column {column}, "
                                 + field_conflict(self.fields, fields, column))
        return rows

    cdef int64_t rows_per_call(self, Rows rows) noexcept:
        """Rows between two looks at pending signals; X and the model's sizes alone decide."""
        cdef double per_value = self.c.n_factors * self.c.n_outputs * max(1, self.c.n_fields)
        cdef double per_row = (<double>rows.csr.nnz / max(1, rows.csr.n_rows) + 1) * per_value
        return FASTFM_ROW_BLOCK * (1 + <int64_t>(SIGNAL_WORK / per_row / FASTFM_ROW_BLOCK))

    cdef cnp.ndarray scores_array(self, out, int64_t n_rows):
        """`out` if it can take the scores of n_rows rows, or a new array if it is None."""
        cdef cnp.npy_intp shape[2]
        cdef int n_axes = 2 if self.has_outputs else 1
        shape[0], shape[1] = n_rows, self.c.n_outputs
        if out is None:
            return cnp.PyArray_EMPTY(n_axes, shape, cnp.PyArray_TYPE(self.V), 0)
        wanted = (n_rows, self.c.n_outputs)[:n_axes]
        if not (isinstance(out, np.ndarray) and out.shape == wanted and out.dtype == self.V.dtype
                and cnp.PyArray_ISCARRAY(out)):
            raise ValueError(f"out must be a writable array of shape {wanted} and dtype {self.V.dtype} in C "
                             f"order, got {type(out).__name__} of shape {np.shape(out)}")
        return out

    cdef int score(self, Rows rows, cnp.ndarray scores, int n_threads) except -1:
        cdef int64_t step = self.rows_per_call(rows), begin = 0, end, bad_row = 0
        cdef int64_t row_bytes = self.c.n_outputs * cnp.PyArray_ITEMSIZE(self.V)
        cdef char *at = <char *>cnp.PyArray_DATA(scores)
        cdef fastfm_csr piece
        cdef fastfm_status status
        while begin < rows.csr.n_rows:
            end = min(begin + step, rows.csr.n_rows)
            piece = rows.slice(begin, end)
            with nogil:
                status = fastfm_score(&piece, &self.c, at + begin * row_bytes, n_threads, &bad_row)
            if status != FASTFM_OK:
                rows.raise_for_status(status, begin + bad_row)
            begin = end
            if begin < rows.csr.n_rows:
                PyErr_CheckSignals()
        return 0

    def data_term(self, X, y, Loss loss not None, sample_weight, num_threads, gradient, bint is_stale):
        """The weighted mean loss; its gradient is written to `gradient`, None or a tuple (w0, w, V) of arrays
        like these, but w0 is float64 zeros. w and V are zeros without pages or, if `is_stale`, anything."""
        cdef Rows rows = self.rows_of(X)
        cdef Targets targets = Targets(y, sample_weight, rows.csr.n_rows)
        cdef int n_threads = resolve_num_threads(num_threads)
        cdef int64_t step = self.rows_per_call(rows), begin = 0, end, bad_row = 0
        cdef double total = 0
        cdef cnp.ndarray w0, w, V
        cdef bint wants_gradient = gradient is not None
        cdef fastfm_gradient_arrays arrays
        cdef fastfm_csr piece
        cdef fastfm_targets of_piece
        cdef fastfm_status status
        if self.c.separates_repeats:
            rows.check(n_threads)
            rows.refuse_repeats()
        if wants_gradient:
            w0, w, V = gradient
            if not (w0.dtype == np.float64 and w0.size == self.c.n_outputs and w.dtype == V.dtype == self.V.dtype
                    and w.size == self.w.size and V.size == self.V.size and cnp.PyArray_ISCARRAY(w0)
                    and cnp.PyArray_ISCARRAY(w) and cnp.PyArray_ISCARRAY(V)):
                raise ValueError("the arrays of the gradient are not like the parameters")
            arrays.w0 = <double *>cnp.PyArray_DATA(w0)
            arrays.w, arrays.V, arrays.content = cnp.PyArray_DATA(w), cnp.PyArray_DATA(V), FASTFM_FRESH
            if is_stale:
                require_apart(rows, targets, (w, V))
                arrays.content = FASTFM_STALE
        while begin < rows.csr.n_rows:
            end = min(begin + step, rows.csr.n_rows)
            piece, of_piece = rows.slice(begin, end), targets.slice(begin)
            with nogil:
                if wants_gradient:
                    status = fastfm_gradient(&piece, &self.c, &loss.c, &of_piece, targets.weight_sum, &total,
                                             &arrays, n_threads, &bad_row)
                else:
                    status = fastfm_objective(&piece, &self.c, &loss.c, &of_piece, &total, n_threads, &bad_row)
            if status == FASTFM_BAD_LABEL:
                loss.refuse(status, targets.y, begin + bad_row, self.c.n_outputs)
            if status != FASTFM_OK:
                rows.raise_for_status(status, begin + bad_row)
            begin, arrays.content = end, FASTFM_KEPT
            if begin < rows.csr.n_rows:
                PyErr_CheckSignals()
        return total / targets.weight_sum

    def sound_rows(self, X, num_threads):
        """The arrays (indptr, indices, data) of X, found sound, with repeated columns summed."""
        cdef Rows rows = self.rows_of(X)
        rows.check(resolve_num_threads(num_threads))
        if self.c.separates_repeats:
            rows.refuse_repeats()
        return rows.arrays()

    def penalty(self, cnp.ndarray parameter not None, double l2, cnp.ndarray gradient, num_threads):
        """l2 / 2 * |parameter|**2; its gradient is added to `gradient` unless it is None."""
        cdef double squares = 0
        cdef int n_threads = resolve_num_threads(num_threads)
        cdef void *at = NULL if gradient is None else cnp.PyArray_DATA(gradient)
        cdef fastfm_status status
        if gradient is not None and (gradient.size != parameter.size or gradient.dtype != parameter.dtype):
            raise ValueError("the gradient is not like its parameter")
        if l2 == 0:
            return 0.0
        with nogil:
            status = fastfm_l2(cnp.PyArray_DATA(parameter), self.c.real, cnp.PyArray_SIZE(parameter), l2, at,
                               n_threads, &squares)
        if status != FASTFM_OK:
            raise MemoryError(fastfm_status_message(status).decode())
        return l2 / 2 * squares


cdef class Model:
    """What FM and FFM share: parameters, and the two calls that serve."""
    cdef Parameters parameters
    cdef object __weakref__

    cdef Parameters snapshot(self):
        """The parameters as they are now: a later resize makes others and leaves these alone."""
        cdef Parameters parameters
        with cython.critical_section(self):  # without a GIL two threads must not take turns in here
            parameters = self.parameters
        if parameters is None:
            raise TypeError(f"this {type(self).__name__} was made without its parameters")
        return parameters

    def _snapshot(self):
        return self.snapshot()

    def _set_parameters(self, Parameters parameters not None, bint is_first):
        """Take parameters; `is_first`: refuse where there are some, because another thread may read them."""
        cdef Parameters old  # let go of after the section: to free arrays may run code and let others in
        with cython.critical_section(self):
            old = self.parameters
            if old is None or not is_first:
                self.parameters = parameters
        if is_first and old is not None:
            raise TypeError(f"this {type(self).__name__} has its parameters already")

    def _require_rows(self, X):
        """Raise for rows that this model cannot read."""
        self.snapshot().rows_of(X)

    def _decide_fields(self, fields, columns):
        """Take the fields of columns that have values for the first time; an FM has none."""

    def predict(self, X, *, out=None, num_threads=None):
        """Raw scores y(x) of the rows of X: no link function.

        Parameters
        ----------
        X : scipy.sparse CSR matrix or array of shape (rows, n_features)
            float32 or float64 data, int32 or int64 indices: read in place. Anything else, dense arrays
            too, is converted once. A column that is repeated in a row counts once, with the sum of its
            values. NaN and infinity pass through to the score of their row.
        out : ndarray, optional
            Where to write the scores: shape of the result, the model's dtype, C order.
        num_threads : int, optional
            Default: `fastfm_c.get_num_threads`. The bits of the result do not depend on it.

        Returns
        -------
        ndarray of shape (rows,), or (rows, C) with several outputs, of the model's dtype

        Raises
        ------
        ValueError
            For a matrix that is malformed or of the wrong width, naming the row; or an unfit `out`; or, of an
            FFM, if X has `fields` and a value in another field than its feature has in the model.
        """
        cdef Parameters parameters = self.snapshot()
        cdef Rows rows = parameters.rows_of(X)
        cdef int n_threads = resolve_num_threads(num_threads)
        cdef cnp.ndarray scores = parameters.scores_array(out, rows.csr.n_rows)
        parameters.score(rows, scores, n_threads)
        return scores

    def predict_row(self, indices, values):
        """Raw score of one row, without a SciPy object and without threads: the serving path.

        Parameters
        ----------
        indices : array_like of int, shape (nonzeros,)
            Columns, in any order; int32 or int64 arrays are read in place.
        values : array_like, shape (nonzeros,)
            float32 or float64 arrays are read in place.

        Returns
        -------
        float, or ndarray of shape (C,) with several outputs
            The bits that `predict` gives for this row.

        Raises
        ------
        ValueError
            For a column outside 0..n_features-1, or arrays of unequal length.
        """
        cdef Parameters parameters = self.snapshot()
        cdef cnp.npy_intp n_outputs = parameters.c.n_outputs
        cdef int64_t indptr64[2]
        cdef int32_t indptr32[2]
        cdef float score32 = 0
        cdef double score64 = 0
        cdef bint is_32 = parameters.c.real == FASTFM_F32
        cdef Rows rows = Rows.__new__(Rows)
        cdef int64_t bad_row = 0
        cdef fastfm_status status
        cdef cnp.ndarray scores
        if not rows.try_borrow_row(indices, values):
            indices, values = as_row(indices, values)
            rows.try_borrow_row(indices, values)
        indptr32[0] = indptr64[0] = 0
        indptr32[1], indptr64[1] = <int32_t>rows.csr.nnz, rows.csr.nnz
        rows.csr.indptr = <void *>indptr32 if rows.csr.index_type == FASTFM_I32 else <void *>indptr64
        if not parameters.has_outputs:
            status = fastfm_score(&rows.csr, &parameters.c, <void *>&score32 if is_32 else <void *>&score64,
                                  1, &bad_row)
            if status == FASTFM_OK:
                return score32 if is_32 else score64
        else:
            scores = cnp.PyArray_EMPTY(1, &n_outputs, cnp.PyArray_TYPE(parameters.V), 0)
            status = fastfm_score(&rows.csr, &parameters.c, cnp.PyArray_DATA(scores), 1, &bad_row)
            if status == FASTFM_OK:
                return scores
        rows.n_columns = parameters.c.n_features
        rows.raise_for_status(status, 0)
