# Learning by columns: the memory of a plan, and the loop over a sweep. Its words are in fastfm_c/training.


cdef class Columns:
    """The rows of `data` by columns, for sweeps of alternating least squares; see fastfm_columns.h.

    rows: int64 numbers of the rows to learn from, all different; None: all. It works on a copy of the
    parameters, which `write` copies back.
    """
    cdef Parameters parameters
    cdef Rows rows
    cdef Targets targets
    cdef cnp.ndarray chosen
    cdef fastfm_columns *c
    cdef int n_threads

    def __cinit__(self, Model model not None, Loss loss not None, TrainingRows data not None, rows=None,
                  num_threads=None):
        cdef int64_t bad_row = 0, n_rows = data.rows.csr.n_rows
        cdef const int64_t *chosen = NULL
        cdef fastfm_status status
        self.parameters, self.targets = model.snapshot(), data.targets
        self.n_threads = resolve_num_threads(num_threads)
        self.rows = Rows.__new__(Rows)
        indptr, indices, values = data.rows.arrays()
        self.rows.try_borrow(indptr, indices, values, (n_rows, data.rows.n_columns))
        if self.parameters.c.fields != NULL or self.parameters.c.n_outputs != 1:
            raise ValueError("learning by columns takes an FM of one output")
        if data.rows.n_columns != self.parameters.c.n_features:
            raise ValueError("the model was resized after its rows were prepared")
        if max(n_rows, data.rows.n_columns) > MOST_COLUMNS:
            raise ValueError(f"learning by columns takes at most {MOST_COLUMNS} rows and columns")
        if rows is not None:
            self.chosen = np.ascontiguousarray(rows, np.int64)
            chosen, n_rows = <const int64_t *>cnp.PyArray_DATA(self.chosen), len(self.chosen)
        with nogil:
            status = fastfm_columns_open(&self.rows.csr, chosen, n_rows, &self.parameters.c, &loss.c,
                                         &self.targets.targets, &self.c, self.n_threads, &bad_row)
        if status == FASTFM_BAD_ROW:
            raise ValueError(f"rows holds {rows[bad_row]}, expected 0 <= row < {self.rows.csr.n_rows}")
        if status != FASTFM_OK:
            self.rows.raise_for_status(status, bad_row)

    def __dealloc__(self):
        fastfm_columns_close(self.c)

    def sweep(self, double l2_linear, double l2_factors, bint has_sweep=True):
        """Go over all parameters once, or only over the rows; the objective of the parameters then.

        Raises KeyboardInterrupt where there is one; the sweep then cannot be ended.
        """
        cdef int is_done = 0
        cdef int64_t bad_row = 0
        cdef double objective
        cdef fastfm_status status
        fastfm_columns_begin(self.c, l2_linear, l2_factors, has_sweep)
        while not is_done:
            with nogil:
                status = fastfm_columns_go_on(self.c, self.n_threads, &is_done, &bad_row)
            if status != FASTFM_OK:
                self.rows.raise_for_status(status, bad_row)
            PyErr_CheckSignals()
        with nogil:
            objective = fastfm_columns_objective(self.c, self.n_threads)
        return objective

    def write(self):
        """Copy the parameters to the model that they came from."""
        with nogil:
            fastfm_columns_read(self.c, &self.parameters.c)

    def plan(self):
        """What the plan is like, by name."""
        return fastfm_columns_plan(self.c)
