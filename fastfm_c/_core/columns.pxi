# Learning by columns: the memory of a plan, and the loop over a sweep. Its words are in fastfm_c/training.


cdef class ColumnRows:
    """What the two kinds of columns share: the rows that they learn from, and the parameters."""
    cdef Parameters parameters
    cdef Rows rows
    cdef Targets targets
    cdef cnp.ndarray chosen
    cdef const int64_t *chosen_rows
    cdef int64_t n_chosen
    cdef int n_threads

    cdef int take(self, Model model, TrainingRows data, rows, num_threads) except -1:
        """Borrow the rows and the parameters, and check their sizes."""
        cdef int64_t n_rows = data.rows.csr.n_rows
        self.parameters, self.targets = model.snapshot(), data.targets
        self.n_threads = resolve_num_threads(num_threads)
        self.rows = Rows.__new__(Rows)
        indptr, indices, values = data.rows.arrays()
        self.rows.try_borrow(indptr, indices, values, (n_rows, data.rows.n_columns))
        if data.rows.n_columns != self.parameters.c.n_features:
            raise ValueError("the model was resized after its rows were prepared")
        if max(n_rows, data.rows.n_columns) > MOST_COLUMNS:
            raise ValueError(f"learning by columns takes at most {MOST_COLUMNS} rows and columns")
        self.chosen_rows, self.n_chosen = NULL, n_rows
        if rows is not None:
            self.chosen = np.ascontiguousarray(rows, np.int64)
            self.chosen_rows, self.n_chosen = <const int64_t *>cnp.PyArray_DATA(self.chosen), len(self.chosen)
        return 0

    cdef int check_opened(self, fastfm_status status, int64_t bad_row) except -1:
        if status == FASTFM_BAD_ROW:
            raise ValueError(
                f"rows holds {self.chosen[bad_row]}, expected 0 <= row < {self.rows.csr.n_rows}")
        if status != FASTFM_OK:
            self.rows.raise_for_status(status, bad_row)
        return 0


cdef class Columns(ColumnRows):
    """The rows of `data` by columns, for sweeps of alternating least squares; see fastfm_columns.h.

    rows: int64 numbers of the rows to learn from, all different; None: all. It works on a copy of the
    parameters, which `write` copies back.
    """
    cdef cnp.ndarray groups
    cdef fastfm_sampler sampler
    cdef list hyper  # the arrays that the sampler points to
    cdef fastfm_columns *c

    def __cinit__(self, Model model not None, Loss loss not None, TrainingRows data not None, rows=None,
                  num_threads=None):
        cdef int64_t bad_row = 0
        cdef fastfm_status status
        self.take(model, data, rows, num_threads)
        if self.parameters.c.fields != NULL or self.parameters.c.n_outputs != 1:
            raise ValueError("learning by columns takes an FM of one output")
        with nogil:
            status = fastfm_columns_open(&self.rows.csr, self.chosen_rows, self.n_chosen, &self.parameters.c,
                                         &loss.c, &self.targets.targets, &self.c, self.n_threads, &bad_row)
        self.check_opened(status, bad_row)

    def __dealloc__(self):
        fastfm_columns_close(self.c)

    def sweep(self, double l2_linear, double l2_factors, bint has_sweep=True):
        """Go over all parameters once, or only over the rows; the objective of the parameters then.

        Raises KeyboardInterrupt where there is one; the sweep then cannot be ended.
        """
        cdef double objective = 0
        cdef fastfm_status status
        fastfm_columns_begin(self.c, l2_linear, l2_factors, has_sweep)
        self.go_on()
        with nogil:
            status = fastfm_columns_objective(self.c, &objective, self.n_threads)
        if status != FASTFM_OK:
            raise MemoryError(fastfm_status_message(status).decode())
        return objective

    cdef int go_on(self) except -1:
        """To the end of what was begun, with looks at signals."""
        cdef int is_done = 0
        cdef int64_t bad_row = 0
        cdef fastfm_status status
        while not is_done:
            with nogil:
                status = fastfm_columns_go_on(self.c, self.n_threads, &is_done, &bad_row)
            if status != FASTFM_OK:
                self.rows.raise_for_status(status, bad_row)
            PyErr_CheckSignals()
        return 0

    def set_groups(self, cnp.ndarray groups, arrays):
        """Make ready for `sample`, once.

        groups: int32 (n_features,), or None for one group; arrays: (lambda_w, mu_w, lambda_V, mu_V),
        float64, (n_groups,) and (n_groups, n_factors), which `sample` changes.
        """
        cdef int64_t n_groups = len(arrays[0])
        cdef cnp.ndarray lambda_w, mu_w, lambda_V, mu_V
        cdef fastfm_status status
        lambda_w, mu_w, lambda_V, mu_V = arrays
        for array, shape in zip(arrays, [(n_groups,)] * 2 + [(n_groups, self.parameters.c.n_factors)] * 2):
            if not (array.shape == shape and array.dtype == np.float64 and cnp.PyArray_ISCARRAY(array)):
                raise ValueError("the arrays of hyperparameters are not those of the groups")
        if groups is not None:
            if not (is_plain(groups) and type_of(groups) == FASTFM_I32
                    and len(groups) == self.parameters.c.n_features
                    and (len(groups) == 0 or 0 <= groups.min() <= groups.max() < n_groups)):
                raise ValueError("groups must be a plain int32 array with a group for each feature")
            groups = groups.copy()
        self.groups, self.hyper = groups, None
        self.sampler.lambda_w = <double *>cnp.PyArray_DATA(lambda_w)
        self.sampler.mu_w = <double *>cnp.PyArray_DATA(mu_w)
        self.sampler.lambda_V = <double *>cnp.PyArray_DATA(lambda_V)
        self.sampler.mu_V = <double *>cnp.PyArray_DATA(mu_V)
        status = fastfm_columns_set_groups(
            self.c, NULL if groups is None else <const int32_t *>cnp.PyArray_DATA(groups), n_groups)
        if status != FASTFM_OK:
            raise MemoryError(fastfm_status_message(status).decode())
        self.hyper = list(arrays)

    def sample(self, uint64_t seed, int64_t iteration, double alpha, bint holds_penalties=False):
        """One iteration of the Gibbs sampler; the new alpha. The arrays of `set_groups` are changed, except
        where the penalties are held.
        """
        if self.hyper is None:
            raise ValueError("set_groups must be called first")
        self.sampler.seed, self.sampler.iteration, self.sampler.alpha = seed, iteration, alpha
        self.sampler.holds_penalties = holds_penalties
        fastfm_columns_begin_sample(self.c, &self.sampler)
        self.go_on()
        fastfm_columns_read_sample(self.c, &self.sampler)
        return self.sampler.alpha

    def write(self):
        """Copy the parameters to the model that they came from."""
        with nogil:
            fastfm_columns_read(self.c, &self.parameters.c)

    def plan(self):
        """What the plan is like, by name."""
        return fastfm_columns_plan(self.c)


cdef class FieldColumns(ColumnRows):
    """The same for an FFM of one output: rows by the kinds of their groups of values. It does not sample."""
    cdef fastfm_field_columns *c

    def __cinit__(self, Model model not None, Loss loss not None, TrainingRows data not None, rows=None,
                  num_threads=None):
        cdef int64_t bad_row = 0
        cdef fastfm_status status
        self.take(model, data, rows, num_threads)
        if self.parameters.c.fields == NULL or self.parameters.c.n_outputs != 1:
            raise ValueError("learning by field columns takes an FFM of one output")
        with nogil:
            status = fastfm_field_columns_open(
                &self.rows.csr, self.chosen_rows, self.n_chosen, &self.parameters.c, &loss.c,
                &self.targets.targets, &self.c, self.n_threads, &bad_row)
        self.check_opened(status, bad_row)

    def __dealloc__(self):
        fastfm_field_columns_close(self.c)

    def sweep(self, double l2_linear, double l2_factors, bint has_sweep=True):
        """As that of `Columns`."""
        cdef double objective = 0
        cdef int is_done = 0
        cdef int64_t bad_row = 0
        cdef fastfm_status status
        fastfm_field_columns_begin(self.c, l2_linear, l2_factors, has_sweep)
        while not is_done:
            with nogil:
                status = fastfm_field_columns_go_on(self.c, self.n_threads, &is_done, &bad_row)
            if status != FASTFM_OK:
                self.rows.raise_for_status(status, bad_row)
            PyErr_CheckSignals()
        with nogil:
            status = fastfm_field_columns_objective(self.c, &objective, self.n_threads)
        if status != FASTFM_OK:
            raise MemoryError(fastfm_status_message(status).decode())
        return objective

    def write(self):
        """Copy the parameters to the model that they came from."""
        with nogil:
            fastfm_field_columns_read(self.c, &self.parameters.c)

    def plan(self):
        """What the plan is like, by name."""
        return fastfm_field_columns_plan(self.c)
