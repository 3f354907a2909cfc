# Candidates beside contexts: the memory of their sums, and the calls that read it. Their words are in
# fastfm_c/recommend/.

# Multiply-adds between two looks at pending signals: some tenths of a second, because these are fast ones.
cdef double CANDIDATE_WORK = 1.6e10


cdef Rows sound_rows(Parameters parameters, X, int n_threads):
    """X as rows that are checked and repeat no column, unless the model takes repeats as they are."""
    cdef Rows rows = parameters.rows_of(X), summed
    rows.check(n_threads)
    if not rows.has_repeats or parameters.c.separates_repeats:
        return rows
    summed = Rows.__new__(Rows)
    indptr, indices, data = rows.arrays()
    if not summed.try_borrow(indptr, indices, data, (rows.csr.n_rows, rows.n_columns)):
        raise AssertionError("sums of repeats are not plain arrays")
    return summed


cdef object values_of(Rows rows):
    """(columns, values) that are stored in checked rows."""
    begin, end = rows.indptr[0], rows.indptr[rows.csr.n_rows]
    return rows.indices[begin:end], rows.data[begin:end]


cdef class CandidateRows:
    """Rows reduced to sums, in panels of 16, and the struct that points to them.

    `of(...)` reduces rows; `taken(...)` makes one of some of its rows. `context_pairs`: whether the pairs
    of a context's own row are part of a score.
    """
    cdef Parameters parameters
    cdef readonly cnp.ndarray panels  # (P, T, 16)
    cdef readonly cnp.ndarray constants  # (P * 16,)
    cdef cnp.ndarray slots, fields, is_used
    cdef readonly bint context_pairs
    cdef fastfm_candidates c

    @property
    def n_candidates(self):
        return self.c.n_candidates

    @property
    def n_features(self):
        return self.parameters.c.n_features

    @property
    def dtype(self):
        return self.parameters.scores_dtype()

    cdef int point(self, int64_t n_candidates) except -1:
        """Set the struct; make panels if there are none."""
        cdef int64_t n_panels = (n_candidates + FASTFM_PANEL - 1) // FASTFM_PANEL
        self.c.model, self.c.n_candidates = &self.parameters.c, n_candidates
        self.c.n_slots = 1 if self.fields is None else len(self.fields)
        if self.fields is not None:
            self.c.slots = <const int32_t *>cnp.PyArray_DATA(self.slots)
            self.c.fields = <const int32_t *>cnp.PyArray_DATA(self.fields)
        n_terms = self.parameters.c.n_factors * max(1, self.parameters.c.n_fields) * self.c.n_slots
        self.panels = aligned_zeros((n_panels, n_terms, FASTFM_PANEL), self.parameters.scores_dtype())
        self.constants = np.full(n_panels * FASTFM_PANEL, -np.inf, self.parameters.scores_dtype())
        self.c.panels, self.c.constants = cnp.PyArray_DATA(self.panels), cnp.PyArray_DATA(self.constants)
        return 0

    @staticmethod
    def of(Parameters parameters not None, X, bint own_pairs, bint context_pairs, num_threads):
        """The rows of X, reduced; without `own_pairs` the pairs inside a row are left out."""
        cdef CandidateRows self = CandidateRows.__new__(CandidateRows)
        cdef int n_threads = resolve_num_threads(num_threads)
        cdef Rows rows = sound_rows(parameters, X, n_threads)
        cdef fastfm_model alone = parameters.c
        cdef double zero = 0
        cdef int64_t bad_row = 0
        cdef fastfm_status status
        cdef void *linear
        columns, values = values_of(rows)
        self.parameters, self.context_pairs = parameters, context_pairs
        self.is_used = np.zeros(max(1, parameters.c.n_features), np.uint8)
        self.is_used[columns[values != 0]] = 1
        if parameters.fields is not None:
            present = np.flatnonzero(self.is_used[:parameters.c.n_features])
            self.fields = np.unique(np.asarray(parameters.fields)[present]).astype(np.int32)
            self.slots = np.full(parameters.c.n_fields, -1, np.int32)
            self.slots[self.fields] = np.arange(len(self.fields), dtype=np.int32)
        self.point(rows.csr.n_rows)
        alone.w0 = &zero  # both float and double
        linear = cnp.PyArray_DATA(self.constants)
        with nogil:
            fastfm_read_begin(&parameters.gate)
            status = fastfm_reduce(&rows.csr, &self.c, 0, cnp.PyArray_DATA(self.panels), linear, n_threads)
            if status == FASTFM_OK and own_pairs:
                status = fastfm_score(&rows.csr, &alone, linear, n_threads, &bad_row)
            fastfm_read_end(&parameters.gate)
        if status != FASTFM_OK:
            rows.raise_for_status(status, bad_row)
        return self

    def taken(self, cnp.ndarray index not None):
        """These rows, in this order."""
        cdef CandidateRows other = CandidateRows.__new__(CandidateRows)
        other.parameters, other.context_pairs, other.is_used = self.parameters, self.context_pairs, self.is_used
        other.slots, other.fields = self.slots, self.fields
        other.point(len(index))
        at = np.arange(len(index))
        other.panels[at // 16, :, at % 16] = self.panels[index // 16, :, index % 16]
        other.constants[:len(index)] = self.constants[index]
        return other

    cdef Rows contexts_of(self, X, int n_threads):
        """X as rows; a column of the candidates may not occur in them."""
        cdef Rows rows = sound_rows(self.parameters, X, n_threads)
        columns, values = values_of(rows)
        common = (self.is_used[columns] != 0) & (values != 0)
        if common.any():
            p = int(np.argmax(common))
            row = np.searchsorted(rows.indptr, p + rows.indptr[0], side="right") - 1
            raise ValueError(f"row {row} of X_context has a value in column {columns[p]}, which a candidate has, "
                             "too: a context and a candidate have no common columns")
        return rows

    cdef cnp.ndarray own_scores(self, Rows rows, int n_threads):
        """The scores of the contexts alone, or None if their pairs do not count."""
        if not self.context_pairs:
            return None
        scores = np.empty(rows.csr.n_rows, self.parameters.scores_dtype())
        self.parameters.score(rows, scores, n_threads)
        return scores

    cdef int64_t rows_per_call(self) noexcept:
        """Contexts between two looks at pending signals."""
        cdef double work = 1 + <double>self.c.n_candidates * (1 + fastfm_n_terms(&self.c))
        return 64 * (1 + <int64_t>(CANDIDATE_WORK / work / 64))

    def query_vectors(self, X, num_threads):
        """(sums, constants) of contexts."""
        cdef int n_threads = resolve_num_threads(num_threads)
        cdef Rows rows = self.contexts_of(X, n_threads)
        cdef cnp.ndarray own = self.own_scores(rows, n_threads)
        cdef cnp.ndarray sums = np.zeros((rows.csr.n_rows, self.panels.shape[1]), self.parameters.scores_dtype())
        cdef cnp.ndarray linear = np.empty(rows.csr.n_rows, self.parameters.scores_dtype())
        cdef fastfm_status status
        with nogil:
            fastfm_read_begin(&self.parameters.gate)
            status = fastfm_reduce(&rows.csr, &self.c, 1, cnp.PyArray_DATA(sums), cnp.PyArray_DATA(linear),
                                   n_threads)
            fastfm_read_end(&self.parameters.gate)
        if status != FASTFM_OK:
            rows.raise_for_status(status, 0)
        return sums, linear if own is None else own

    def scores(self, X, out, num_threads):
        """(n_context, n_candidates) scores."""
        cdef int n_threads = resolve_num_threads(num_threads)
        cdef Rows rows = self.contexts_of(X, n_threads)
        cdef cnp.ndarray own = self.own_scores(rows, n_threads), scores
        cdef int64_t size = cnp.PyArray_ITEMSIZE(self.panels), begin = 0, end, step = self.rows_per_call()
        cdef const char *own_at = NULL if own is None else <const char *>cnp.PyArray_DATA(own)
        cdef fastfm_csr piece
        cdef fastfm_status status
        cdef char *at
        shape = (rows.csr.n_rows, self.c.n_candidates)
        dtype = self.parameters.scores_dtype()
        if out is None:
            out = np.empty(shape, dtype)
        elif not (isinstance(out, np.ndarray) and out.shape == shape and out.dtype == dtype
                  and cnp.PyArray_ISCARRAY(out)):
            raise ValueError(f"out must be a writable array of shape {shape} and dtype {dtype} in C order, got "
                             f"{type(out).__name__} of shape {np.shape(out)}")
        scores = out
        at = <char *>cnp.PyArray_DATA(scores)
        while begin < rows.csr.n_rows:
            end = min(begin + step, rows.csr.n_rows)
            piece = rows.slice(begin, end)
            with nogil:
                fastfm_read_begin(&self.parameters.gate)
                status = fastfm_candidate_scores(&piece, &self.c, NULL if own_at == NULL else own_at + begin * size,
                                                 at + begin * self.c.n_candidates * size, n_threads)
                fastfm_read_end(&self.parameters.gate)
            if status != FASTFM_OK:
                rows.raise_for_status(status, begin)
            begin = end
            PyErr_CheckSignals()
        return out

    def top_k(self, X, int64_t k, excluded, num_threads):
        """(indices, scores), both (n_context, k); `excluded`: None, or (indptr, indices) whose rows ascend."""
        cdef int n_threads = resolve_num_threads(num_threads)
        cdef Rows rows = self.contexts_of(X, n_threads)
        cdef cnp.ndarray own = self.own_scores(rows, n_threads)
        cdef int64_t size = cnp.PyArray_ITEMSIZE(self.panels), begin = 0, end, step = self.rows_per_call()
        cdef const char *own_at = NULL if own is None else <const char *>cnp.PyArray_DATA(own)
        cdef cnp.ndarray indices = np.empty((rows.csr.n_rows, k), np.int64)
        cdef cnp.ndarray scores = np.empty((rows.csr.n_rows, k), self.parameters.scores_dtype())
        cdef int64_t *indices_at = <int64_t *>cnp.PyArray_DATA(indices)
        cdef char *scores_at = <char *>cnp.PyArray_DATA(scores)
        cdef Rows out_rows = Rows.__new__(Rows)
        cdef fastfm_csr piece, of_piece
        cdef bint has_excluded = excluded is not None
        cdef fastfm_status status
        if has_excluded:
            indptr, columns = excluded
            if not out_rows.try_borrow(indptr, columns, np.empty(len(columns), np.float32),
                                       (rows.csr.n_rows, self.c.n_candidates)):
                raise ValueError(f"exclude has {len(indptr) - 1} rows, X_context has {rows.csr.n_rows}")
        while begin < rows.csr.n_rows:
            end = min(begin + step, rows.csr.n_rows)
            piece = rows.slice(begin, end)
            if has_excluded:
                of_piece = out_rows.slice(begin, end)
            with nogil:
                fastfm_read_begin(&self.parameters.gate)
                status = fastfm_top_k(&piece, &self.c, NULL if own_at == NULL else own_at + begin * size, k,
                                      &of_piece if has_excluded else NULL, indices_at + begin * k,
                                      scores_at + begin * k * size, n_threads)
                fastfm_read_end(&self.parameters.gate)
            if status != FASTFM_OK:
                rows.raise_for_status(status, begin)
            begin = end
            PyErr_CheckSignals()
        return indices, scores
