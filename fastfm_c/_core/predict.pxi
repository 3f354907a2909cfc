# What FM and FFM share in this module: parameters, and the two calls that serve. Their words are in
# fastfm_c/models.


cdef class Model:
    """What FM and FFM share: parameters, and the two calls that serve."""
    cdef Parameters parameters
    cdef dict words  # metadata; None: not asked for yet
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

    @property
    def metadata(self):
        """Words about the model, a dict of str to str, which copies, pickles and files keep; may be changed.

        ``{"link": "probit"}`` is that of a classifier of ``solver="mcmc"``: its scores are no log-odds.
        """
        with cython.critical_section(self):
            if self.words is None:
                self.words = {}
            return self.words

    @metadata.setter
    def metadata(self, words):
        words = dict(words)
        for word in (*words, *words.values()):
            if not isinstance(word, str):
                raise ValueError(f"metadata holds {word!r:.50}, expected str to str")
        with cython.critical_section(self):
            self.words = words

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
            fastfm_read_begin(&parameters.gate)
            status = fastfm_score(&rows.csr, &parameters.c, <void *>&score32 if is_32 else <void *>&score64,
                                  1, &bad_row)
            fastfm_read_end(&parameters.gate)
            if status == FASTFM_OK:
                return score32 if is_32 else score64
        else:
            scores = cnp.PyArray_EMPTY(1, &n_outputs, parameters.scores_type(), 0)
            fastfm_read_begin(&parameters.gate)
            status = fastfm_score(&rows.csr, &parameters.c, cnp.PyArray_DATA(scores), 1, &bad_row)
            fastfm_read_end(&parameters.gate)
            if status == FASTFM_OK:
                return scores
        rows.n_columns = parameters.c.n_features
        rows.raise_for_status(status, 0)
