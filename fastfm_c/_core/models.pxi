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
    cdef readonly cnp.ndarray scale  # of an int8 V: (1,) or (n_features,) or (number of groups,) float32; or None
    cdef readonly cnp.ndarray scale_of  # the group of each feature: (n_features,) uint16, or None
    cdef object known_fields  # of the X that was last compared with these fields: a read-only array
    cdef cnp.ndarray conflicts  # (n_features,) bool: which columns of that X are in another field; None: none
    cdef fastfm_model c
    cdef int64_t gate  # readers and writers of the arrays take turns here: fastfm_read_begin

    def __cinit__(self, cnp.ndarray w0 not None, cnp.ndarray w not None, cnp.ndarray V not None,
                  cnp.ndarray fields, bint has_outputs, normalize, bint separates_repeats=False,
                  cnp.ndarray scale=None, cnp.ndarray scale_of=None):
        cdef int64_t n_outputs = len(w0), n = len(w), n_fields = 1 if fields is None else V.shape[V.ndim - 2]
        if V.dtype not in (np.float32, np.float64, np.float16, np.int8):
            raise ValueError(f"V has dtype {V.dtype}, expected float32, float64, float16 or int8")
        self.c.real = FASTFM_F64 if V.dtype == np.float64 else FASTFM_F32
        real, of_w = self.scores_dtype(), V.dtype if V.dtype == np.float16 else self.scores_dtype()
        for array, size, dtype in ((w0, n_outputs, real), (w, n * n_outputs, of_w),
                                   (V, n * n_outputs * n_fields * V.shape[V.ndim - 1], V.dtype)):
            if not cnp.PyArray_ISCARRAY_RO(array) or array.dtype.num != dtype.num or array.size != size:
                raise ValueError("parameters must be plain arrays of one dtype whose shapes fit")
        if fields is not None and (not is_plain(fields) or type_of(fields) != FASTFM_I32 or len(fields) != n):
            raise ValueError("fields must be a plain int32 array with an entry for each feature")
        self.w0, self.w, self.V, self.fields = w0, w, V, fields
        self.has_outputs, self.normalize = has_outputs, normalize
        self.c.separates_repeats = separates_repeats
        self.c.n_features, self.c.n_outputs = n, n_outputs
        self.c.n_fields, self.c.n_factors = 0 if fields is None else n_fields, V.shape[V.ndim - 1]
        self.c.small.storage = {"f": FASTFM_AS_REAL, "i": FASTFM_BYTE}[V.dtype.kind]
        if V.dtype == np.float16:
            self.c.small.storage = FASTFM_HALF
        self.take_scale(scale, scale_of)
        self.c.w0, self.c.w, self.c.V = cnp.PyArray_DATA(w0), cnp.PyArray_DATA(w), cnp.PyArray_DATA(V)
        self.c.fields = NULL if fields is None else <const int32_t *>cnp.PyArray_DATA(fields)
        self.c.normalization = NORMALIZATIONS[normalize]

    cdef int scores_type(self) noexcept:
        return cnp.NPY_DOUBLE if self.c.real == FASTFM_F64 else cnp.NPY_FLOAT

    cdef object scores_dtype(self):
        return np.dtype(np.float64 if self.c.real == FASTFM_F64 else np.float32)

    cdef int require_full_size(self) except -1:
        if self.c.small.storage != FASTFM_AS_REAL:
            raise ValueError(f"a model with V of {self.V.dtype} predicts, and does nothing else")
        return 0

    cdef int take_scale(self, cnp.ndarray scale, cnp.ndarray scale_of) except -1:
        """What an int8 V is multiplied by."""
        if (scale is None) == (self.c.small.storage == FASTFM_BYTE):
            raise ValueError("an int8 V needs a scale, and no other has one")
        if scale is None:
            return 0
        if not is_plain(scale) or scale.dtype != np.float32:
            raise ValueError("scale must be a plain float32 array")
        if scale_of is not None:
            if not is_plain(scale_of) or scale_of.dtype != np.uint16 or len(scale_of) != self.c.n_features:
                raise ValueError("scale_of must be a plain uint16 array with an entry for each feature")
            if len(scale_of) and int(scale_of.max()) >= len(scale):
                raise ValueError(f"scale_of has {scale_of.max()}, with {len(scale)} scales")
            self.c.small.scale_of = <const uint16_t *>cnp.PyArray_DATA(scale_of)
        elif len(scale) not in (1, self.c.n_features):
            raise ValueError(f"there are {len(scale)} scales, expected 1 or {self.c.n_features}")
        self.scale, self.scale_of = scale, scale_of
        self.c.small.scale, self.c.small.scale_step = <const float *>cnp.PyArray_DATA(scale), len(scale) > 1
        return 0

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
            return cnp.PyArray_EMPTY(n_axes, shape, self.scores_type(), 0)
        wanted = (n_rows, self.c.n_outputs)[:n_axes]
        if not (isinstance(out, np.ndarray) and out.shape == wanted and out.dtype == self.scores_dtype()
                and cnp.PyArray_ISCARRAY(out)):
            raise ValueError(f"out must be a writable array of shape {wanted} and dtype {self.scores_dtype()} in C "
                             f"order, got {type(out).__name__} of shape {np.shape(out)}")
        return out

    cdef int score(self, Rows rows, cnp.ndarray scores, int n_threads) except -1:
        cdef int64_t step = self.rows_per_call(rows), begin = 0, end, bad_row = 0
        cdef int64_t row_bytes = self.c.n_outputs * (8 if self.c.real == FASTFM_F64 else 4)
        cdef char *at = <char *>cnp.PyArray_DATA(scores)
        cdef fastfm_csr piece
        cdef fastfm_status status
        while begin < rows.csr.n_rows:
            end = min(begin + step, rows.csr.n_rows)
            piece = rows.slice(begin, end)
            with nogil:
                fastfm_read_begin(&self.gate)
                status = fastfm_score(&piece, &self.c, at + begin * row_bytes, n_threads, &bad_row)
                fastfm_read_end(&self.gate)
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
        self.require_full_size()
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

    def replace_rows(self, cnp.ndarray features not None, cnp.ndarray w0 not None, cnp.ndarray w not None,
                     cnp.ndarray V not None, cnp.ndarray scale):
        """Write the parameters of some features, while others predict: they see each feature old or new."""
        cdef fastfm_rows rows
        cdef int64_t n = len(features)
        cdef bint has_scale = self.scale is not None and self.c.small.scale_step != 0
        if not (is_plain(features) and type_of(features) == FASTFM_I64):
            raise ValueError("features must be a plain int64 array")
        if n and not 0 <= features.min() <= features.max() < self.c.n_features:
            raise ValueError(f"features are {features.min()}..{features.max()}, the model has {self.c.n_features}")
        if has_scale != (scale is not None):
            raise ValueError("the model has one scale for each feature" if has_scale else "the scales do not change")
        for array, own, length in (w0, self.w0, len(self.w0)), (w, self.w, n), (V, self.V, n), (scale, self.scale, n):
            if array is None:
                continue
            if not (cnp.PyArray_ISCARRAY_RO(array) and array.dtype == own.dtype
                    and array.shape == (length, *own.shape[1:])):
                raise ValueError(f"a parameter has shape {array.shape}, expected {(length, *own.shape[1:])}")
            if not own.flags.writeable:
                raise ValueError("the model is read-only, as one of a mapped file is: take a copy")
        rows.n_rows, rows.features = n, <const int64_t *>cnp.PyArray_DATA(features)
        rows.w0, rows.w, rows.V = cnp.PyArray_DATA(w0), cnp.PyArray_DATA(w), cnp.PyArray_DATA(V)
        rows.scale = <const float *>cnp.PyArray_DATA(scale) if has_scale else NULL
        with nogil:
            fastfm_replace_rows(&self.c, &self.gate, &rows)

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
        self.require_full_size()
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
