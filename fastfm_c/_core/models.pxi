# FM, FFM and their gradients.

cdef class Gradient:
    """Gradient of an objective: `w0`, `w` and `V`, shaped like the parameters."""
    cdef object _w0, _w, _V, _features

    @property
    def w0(self):
        """Derivative by the bias: float, or ndarray of shape (C,)."""
        return self._w0

    @property
    def w(self):
        """Derivatives by the linear weights, of the model's dtype."""
        return self._w

    @property
    def V(self):
        """Derivatives by the factors, of the model's dtype."""
        return self._V

    @property
    def features(self):
        """Which features `w` and `V` hold: None for all of them.

        From ``gradient(..., sparse=True)`` an ascending array of int64: the columns that occur in X.
        """
        return self._features

    def __repr__(self):
        kind = "" if self.features is None else f", features=({len(self.features)},)"
        return f"Gradient(w={self.w.shape}, V={self.V.shape}, dtype={self.V.dtype}{kind})"


cdef class _Model:
    cdef cnp.ndarray _w0, _w, _V, _fields
    cdef bint is_multiple  # parameters have a leading axis of outputs
    cdef fastfm_model c
    cdef object _normalize
    cdef fastfm_normalization how
    cdef object __weakref__

    cdef int hold(self, w0, w, V, fields, normalize, int n_axes) except -1:
        """Checks the parameters and takes (a reference to) them; n_axes: of V, for one output."""
        if self._V is not None:  # another thread may be reading them
            raise TypeError(f"this {type(self).__name__} has its parameters already")
        V = np.asarray(V)
        self.is_multiple = V.ndim == n_axes + 1
        if not self.is_multiple and V.ndim != n_axes:
            raise ValueError(f"V has {V.ndim} dimensions, {type(self).__name__} expects {n_axes}, or "
                             f"{n_axes + 1} for several outputs")
        dtype, outputs = V.dtype.newbyteorder("="), V.shape[:V.ndim - n_axes]
        if dtype not in (np.float32, np.float64):
            raise ValueError(f"V has dtype {V.dtype}, expected float32 or float64")
        features = V.shape[len(outputs)]
        if 0 in outputs or 0 in V.shape[len(outputs) + 1:]:
            raise ValueError(f"V has shape {V.shape}; only the number of features may be 0")
        if math.prod((*outputs, V.shape[V.ndim - 1])) >= 1 << 31:  # without features, V takes no memory
            raise ValueError(f"V has shape {V.shape}, expected less than 2**31 factors of all outputs")
        cdef cnp.ndarray own_V = as_parameter(V, dtype, V.shape, "V", self.is_multiple)
        self._w = as_parameter(w, dtype, (*outputs, features), "w", self.is_multiple)
        self._w0 = np.array(as_parameter(w0, dtype, outputs, "w0"), ndmin=1)
        self.c.n_features, self.c.n_factors = features, V.shape[V.ndim - 1]
        self.c.n_outputs = outputs[0] if outputs else 1
        self.c.real = type_of(own_V)
        self.c.w0, self.c.w = cnp.PyArray_DATA(self._w0), cnp.PyArray_DATA(self._w)
        self.c.V = cnp.PyArray_DATA(own_V)
        if n_axes == 3:
            self.c.n_fields = V.shape[V.ndim - 2]
            self._fields = as_fields(fields, features, self.c.n_fields)
            self.c.fields = <const int32_t *>cnp.PyArray_DATA(self._fields)
        self.normalize = normalize
        self._V = own_V  # last: a model that has it is complete
        return 0

    cdef int grow(self, n_features, fields, init_stdev, rng) except -1:
        """New arrays with the parameters of now at their beginning; new factors are random."""
        cdef int64_t before = self.c.n_features, fields_before = self.c.n_fields
        cdef cnp.ndarray V, w, own_fields = self._fields
        n, n_fields = as_count(n_features, "n_features", 0), fields_before
        self.require_parameters()
        require_stdev(init_stdev)
        if n < before:
            raise ValueError(f"n_features is {n}, expected at least {before}: a model does not shrink")
        if own_fields is not None:
            own_fields = as_fields(fields, n, None)
            if not np.array_equal(own_fields[:before], self._fields):
                raise ValueError(f"fields[:{before}] must be those of the model")
            n_fields = max(fields_before, int(own_fields.max(initial=-1)) + 1)
        outputs = (self.c.n_outputs,) if self.is_multiple else ()
        middle = () if own_fields is None else (n_fields,)
        rng = np.random.default_rng(rng)
        w = copy_into_corner(aligned_zeros((n, *outputs), self.dtype), self._w)
        V = copy_into_corner(aligned_zeros((n, *outputs, *middle, self.c.n_factors), self.dtype), self._V)
        fresh = [V[before:]]
        if n_fields > fields_before:
            fresh.append(V[:before, ..., fields_before:, :])
        for block in fresh:
            block[...] = rng.standard_normal(block.shape, self.dtype)
            block *= init_stdev
        self.c.n_features, self.c.n_fields = n, n_fields
        self.c.w, self.c.V = cnp.PyArray_DATA(w), cnp.PyArray_DATA(V)
        if own_fields is not None:
            self.c.fields = <const int32_t *>cnp.PyArray_DATA(own_fields)
        self._w, self._V, self._fields = w, V, own_fields
        return 0

    cdef tuple parameters(self):
        return self._w0, self._w, self._V

    cdef int require_parameters(self) except -1:
        if self._V is None:
            raise TypeError(f"this {type(self).__name__} was made without its parameters")
        return 0

    @property
    def w0(self):
        """Bias: float, or an array of shape (C,) that may be written to."""
        return self._w0.view() if self.is_multiple else self._w0.item()

    @w0.setter
    def w0(self, value):
        self.assign(self._w0 if self.is_multiple else self._w0.reshape(()), value, "w0")

    @property
    def w(self):
        """Linear weights: array of shape (n_features,) or (C, n_features); may be written to."""
        return self.as_seen(self._w)

    @w.setter
    def w(self, value):
        self.assign(self.w, value, "w")

    @property
    def V(self):
        """Factors; may be written to. For the shape see the class."""
        return self.as_seen(self._V)

    @V.setter
    def V(self, value):
        self.assign(self.V, value, "V")

    cdef object as_seen(self, array):
        """A view with the outputs first; kept are they after the features, for the sake of the cache."""
        return array.swapaxes(0, 1) if self.is_multiple else array.view()

    cdef int assign(self, array, value, name) except -1:
        new = np.asarray(value)
        # A plain number has no dtype of its own to be wrong.
        if new.shape != array.shape or (new.dtype != array.dtype and np.ndim(value) > 0):
            raise ValueError(f"{name} must have shape {array.shape} and dtype {array.dtype}, got "
                             f"{new.shape} and {new.dtype}")
        array[...] = new
        return 0

    @property
    def normalize(self):
        """What rows are divided by before they are scored and learned from; may be set.

        None: nothing. "instance": the row's length, as libffm does and xLearn for FFM. "xlearn", of an FM
        only: the length in the linear part, its square in the pairs, as xLearn's FM does. The bias stays
        as it is. Calls on many rows make a copy of their values, `predict` of about a million at a time.
        """
        return self._normalize

    @normalize.setter
    def normalize(self, value):
        if value not in _NORMALIZATIONS or (value == "xlearn" and type(self) is FFM):
            expected = "None or 'instance'" if type(self) is FFM else "None, 'instance' or 'xlearn'"
            raise ValueError(f"normalize must be {expected}, got {value!r}")
        self._normalize, self.how = value, _NORMALIZATIONS[value]

    @property
    def n_features(self):
        """Number of features: columns of X."""
        return self.c.n_features

    @property
    def n_factors(self):
        """Number of factors k."""
        return self.c.n_factors

    @property
    def n_outputs(self):
        """Number of outputs C."""
        return self.c.n_outputs

    @property
    def dtype(self):
        """Type of parameters and scores: float32 or float64."""
        return self._V.dtype

    @property
    def nbytes(self):
        """Bytes of all parameters."""
        return sum(a.nbytes for a in (self._w0, self._w, self._V, self._fields) if a is not None)

    def copy(self):
        """An equal model with parameters of its own."""
        create, parameters, normalize = self.__reduce__()
        return create(*(np.array(p) for p in parameters), normalize=normalize)

    def __setstate__(self, normalize):
        self.normalize = normalize

    def __eq__(self, other):
        if type(self) is not type(other):
            return NotImplemented
        mine, others = self.__reduce__()[1], other.__reduce__()[1]
        return (self.dtype == other.dtype and self.normalize == other.normalize
                and all(map(np.array_equal, mine, others)))

    __hash__ = None

    def __repr__(self):
        fields = f", n_fields={self.c.n_fields}" if self._fields is not None else ""
        outputs = f", n_outputs={self.c.n_outputs}" if self.is_multiple else ""
        normalize = f", normalize={self._normalize!r}" if self._normalize else ""
        return (f"{type(self).__name__}(n_features={self.c.n_features}{fields}, "
                f"n_factors={self.c.n_factors}{outputs}, dtype={self.dtype}{normalize})")

    def predict(self, X, *, out=None, num_threads=None):
        """Raw scores y(x) of the rows of X: no link function.

        Parameters
        ----------
        X : scipy.sparse CSR matrix or array of shape (rows, n_features)
            float32 or float64 data, int32 or int64 indices: read in place. Anything else, dense arrays
            too, is converted once; rows with repeated columns are summed in a copy. NaN and infinity pass
            through to the score of their row.
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
            For a matrix that is malformed or of the wrong width, naming the row; or an unfit `out`.
        """
        self.require_parameters()
        cdef _Rows rows = rows_of(X, self.c.n_features)
        cdef int n_threads = threads_of(num_threads)
        cdef cnp.ndarray scores = self.scores_array(out, rows.csr.n_rows)
        try:
            self.score(rows, scores, n_threads)
        except _RepeatedColumn:
            self.score(rows.without_repeats(), scores, n_threads)
        return scores

    cdef cnp.ndarray scores_array(self, out, int64_t n_rows):
        cdef cnp.npy_intp shape[2]
        cdef int n_axes = 2 if self.is_multiple else 1
        shape[0], shape[1] = n_rows, self.c.n_outputs
        if out is None:
            return cnp.PyArray_EMPTY(n_axes, shape, cnp.PyArray_TYPE(self._V), 0)
        wanted = (n_rows, self.c.n_outputs)[:n_axes]
        if not (isinstance(out, np.ndarray) and out.shape == wanted and out.dtype == self._V.dtype
                and cnp.PyArray_ISCARRAY(out)):
            raise ValueError(f"out must be a writable array of shape {wanted} and dtype {self.dtype} in C "
                             f"order, got {type(out).__name__} of shape {np.shape(out)}")
        return out

    cdef int64_t rows_per_call(self, _Rows rows) noexcept:
        """Rows between two looks at pending signals."""
        cdef double per_value = self.c.n_factors * self.c.n_outputs * max(1, self.c.n_fields)
        cdef double per_row = (<double>rows.csr.nnz / max(1, rows.csr.n_rows) + 1) * per_value
        return FASTFM_ROW_BLOCK * (1 + <int64_t>(SIGNAL_WORK / per_row / FASTFM_ROW_BLOCK))

    cdef int score(self, _Rows rows, cnp.ndarray scores, int n_threads) except -1:
        if self.how == FASTFM_AS_IS:
            return self.score_as_is(rows, scores, n_threads)
        cdef int64_t step = NORMALIZED_VALUES * rows.csr.n_rows // (rows.csr.nnz + 1) + 1
        self.check_rows(rows, n_threads)
        for begin in range(0, rows.csr.n_rows, step):
            end = min(begin + step, rows.csr.n_rows)
            piece = rows.between(begin, end).normalized(self.how, self.c.real, n_threads)
            self.score_as_is(piece, scores[begin:end], n_threads)
        return 0

    cdef int score_as_is(self, _Rows rows, cnp.ndarray scores, int n_threads) except -1:
        cdef int64_t step = self.rows_per_call(rows), begin = 0, end, bad_row = 0
        cdef int64_t row_bytes = self.c.n_outputs * cnp.PyArray_ITEMSIZE(self._V)
        cdef char *at = <char *>cnp.PyArray_DATA(scores)
        cdef fastfm_model model = self.c
        cdef cnp.ndarray w = self._w, V = self._V, fields = self._fields  # a resize leaves them alone
        cdef fastfm_csr piece
        cdef fastfm_status status
        while begin < rows.csr.n_rows:
            end = min(begin + step, rows.csr.n_rows)
            piece = rows.piece(begin, end)
            with nogil:
                status = fastfm_score(&piece, &model, at + begin * row_bytes, n_threads, &bad_row)
            if status != FASTFM_OK:
                rows.refuse(status, begin + bad_row)
            begin = end
            if begin < rows.csr.n_rows:
                PyErr_CheckSignals()
        return 0

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
        cdef cnp.npy_intp n_outputs = self.c.n_outputs
        cdef int64_t indptr64[2]
        cdef int32_t indptr32[2]
        cdef float score32 = 0
        cdef double score64 = 0
        cdef bint is_32
        cdef _Rows rows = _Rows.__new__(_Rows)
        cdef int64_t bad_row = 0
        cdef fastfm_status status
        cdef double linear_scale = 1
        cdef cnp.ndarray scores, normalized
        self.require_parameters()
        if not self.set_row(rows, indices, values):
            indices, values = as_row(indices, values)
            self.set_row(rows, indices, values)
        indptr32[0] = indptr64[0] = 0
        indptr32[1], indptr64[1] = <int32_t>rows.csr.nnz, rows.csr.nnz
        rows.csr.indptr = <void *>indptr32 if rows.csr.index_type == FASTFM_I32 else <void *>indptr64
        if self.how != FASTFM_AS_IS:
            # In the model's type, or wider.
            normalized = cnp.PyArray_EMPTY(1, cnp.PyArray_DIMS(rows.data), max(
                cnp.PyArray_TYPE(rows.data), cnp.PyArray_TYPE(self._V)), 0)
            fastfm_normalize(&rows.csr, self.how, cnp.PyArray_DATA(normalized), type_of(normalized),
                             &linear_scale, 1, &bad_row)
            rows.csr.data, rows.csr.data_type = cnp.PyArray_DATA(normalized), type_of(normalized)
            rows.csr.linear_scale = &linear_scale
        if not self.is_multiple:
            is_32 = self.c.real == FASTFM_F32
            status = fastfm_score(&rows.csr, &self.c, <void *>&score32 if is_32 else <void *>&score64, 1,
                                  &bad_row)
            if status == FASTFM_OK:
                return score32 if is_32 else score64
        else:
            scores = cnp.PyArray_EMPTY(1, &n_outputs, cnp.PyArray_TYPE(self._V), 0)
            status = fastfm_score(&rows.csr, &self.c, cnp.PyArray_DATA(scores), 1, &bad_row)
            if status == FASTFM_OK:
                return scores
        # Repeated columns, and errors: predict has the words for them.
        X = csr_array((rows.data, rows.indices, np.array([0, rows.csr.nnz], rows.indices.dtype)),
                      shape=(1, self.c.n_features))
        scores = self.predict(X, num_threads=1)
        return scores[0] if self.is_multiple else scores.item()

    cdef bint set_row(self, _Rows rows, indices, values) except -1:
        if not (is_plain(indices) and is_plain(values)
                and cnp.PyArray_DIM(indices, 0) == cnp.PyArray_DIM(values, 0)):
            return False
        cdef int index = cnp.PyArray_TYPE(indices), real = cnp.PyArray_TYPE(values)
        if not ((index == cnp.NPY_INT32 or index == cnp.NPY_INT64)
                and (real == cnp.NPY_FLOAT or real == cnp.NPY_DOUBLE)):
            return False
        rows.indices, rows.data = indices, values
        rows.csr.indices, rows.csr.data = cnp.PyArray_DATA(indices), cnp.PyArray_DATA(values)
        rows.csr.index_type, rows.csr.data_type = type_of(indices), type_of(values)
        rows.csr.n_rows, rows.csr.nnz = 1, cnp.PyArray_DIM(indices, 0)
        return True

    def objective(self, X, y, loss, *, sample_weight=None, l2_linear=0.0, l2_factors=0.0,
                  num_threads=None):
        """Weighted mean loss plus L2 penalties.

        ``sum(weight * loss) / sum(weight) + l2_linear / 2 * |w|**2 + l2_factors / 2 * |V|**2``

        Parameters
        ----------
        X
            As for `predict`.
        y : array_like of shape (rows,)
            Targets that `loss` takes; read in place for float32, float64, int32, int64 and bool.
        loss : SquaredLoss, LogisticLoss or SoftmaxLoss
        sample_weight : array_like of shape (rows,), optional
            Finite weights >= 0. A row of weight zero is as if absent.
        l2_linear, l2_factors : float
            Penalties >= 0 on `w` and `V`; `w0` is never penalised.
        num_threads : int, optional
            As for `predict`; the bits of the result do not depend on it.

        Returns
        -------
        float

        Raises
        ------
        ValueError
            As for `predict`; for a target that the loss does not take; for a total weight of zero.
        """
        return self.frozen().evaluate(X, y, loss, sample_weight, l2_linear, l2_factors, None, num_threads)

    def gradient(self, X, y, loss, *, sample_weight=None, l2_linear=0.0, l2_factors=0.0, sparse=False,
                 num_threads=None):
        """`objective` and its exact gradient.

        Parameters
        ----------
        X, y, loss, sample_weight, l2_linear, l2_factors, num_threads
            As for `objective`.
        sparse : bool, default False
            Return only the features that occur in X: memory then grows with the data, not with the model.
            This is the data term alone, so both penalties must be 0.

        Returns
        -------
        (float, Gradient)

        Raises
        ------
        ValueError
            As for `objective`, and for a penalty together with `sparse`.
        """
        if sparse and (l2_linear != 0 or l2_factors != 0):
            raise ValueError("a sparse gradient has no L2 term: l2_linear and l2_factors must be 0, got "
                             f"{l2_linear} and {l2_factors}")
        cdef Gradient gradient = Gradient.__new__(Gradient)
        gradient._features = () if sparse else None
        value = self.frozen().evaluate(X, y, loss, sample_weight, l2_linear, l2_factors, gradient,
                                       num_threads)
        return value, gradient

    cdef _Model frozen(self):
        """The same parameters, which a resize by another thread does not replace."""
        cdef _Model model = _Model.__new__(_Model)
        self.require_parameters()
        model._w0, model._w, model._V, model._fields = self._w0, self._w, self._V, self._fields
        model.is_multiple, model.c = self.is_multiple, self.c
        model._normalize, model.how = self._normalize, self.how
        return model

    cdef object evaluate(self, X, y, loss, sample_weight, l2_linear, l2_factors, Gradient gradient,
                         num_threads):
        if not isinstance(loss, Loss):
            raise ValueError("loss must be a SquaredLoss, LogisticLoss or SoftmaxLoss, got "
                             f"{type(loss).__name__}")
        l2_linear = as_not_negative(l2_linear, "l2_linear")
        l2_factors = as_not_negative(l2_factors, "l2_factors")
        self.check_loss(loss)
        cdef _Rows rows = rows_of(X, self.c.n_features)
        cdef _Targets targets = _Targets(y, sample_weight, rows.csr.n_rows)
        cdef int n_threads = threads_of(num_threads)
        cdef double value = 0
        try:
            self.data_term(self.as_scored(rows, n_threads), targets, loss, gradient, n_threads, &value)
        except _RepeatedColumn:
            value = 0
            rows = self.as_scored(rows.without_repeats(), n_threads)
            self.data_term(rows, targets, loss, gradient, n_threads, &value)
        value /= targets.weight_sum
        value += self.penalty(self._w, l2_linear, None if gradient is None else gradient._w, n_threads)
        value += self.penalty(self._V, l2_factors, None if gradient is None else gradient._V, n_threads)
        return value

    cdef _Rows as_scored(self, _Rows rows, int n_threads):
        return rows if self.how == FASTFM_AS_IS else rows.normalized(self.how, self.c.real, n_threads)

    cdef int check_loss(self, Loss loss) except -1:
        loss._check_model(self.c.n_outputs, self.is_multiple)
        return 0

    cdef int data_term(self, _Rows rows, _Targets targets, Loss loss, Gradient gradient, int n_threads,
                       double *value) except -1:
        """Sums weight * loss in *value, and makes the gradient of the weighted mean."""
        cdef fastfm_gradient arrays
        cdef cnp.ndarray grad_w0 = np.zeros(self.c.n_outputs), slots
        if gradient is None:
            return self.data_loss(rows, targets, loss, NULL, n_threads, value)
        arrays.n_slots, arrays.slots = self.c.n_features, NULL
        if gradient._features is not None:
            self.check_rows(rows, n_threads)
            gradient._features, slots = features_of(rows, self.c.n_features)
            arrays.n_slots, arrays.slots = len(gradient._features), cnp.PyArray_DATA(slots)
        outputs = (self.c.n_outputs,) if self.is_multiple else ()
        cdef cnp.ndarray grad_w = aligned_zeros((arrays.n_slots, *outputs), self.dtype)
        cdef cnp.ndarray grad_V = aligned_zeros((arrays.n_slots, *(<object>self._V).shape[1:]), self.dtype)
        gradient._w, gradient._V = self.as_seen(grad_w), self.as_seen(grad_V)
        arrays.w0 = <double *>cnp.PyArray_DATA(grad_w0)
        arrays.w, arrays.V = cnp.PyArray_DATA(grad_w), cnp.PyArray_DATA(grad_V)
        arrays.is_fresh = True
        self.data_loss(rows, targets, loss, &arrays, n_threads, value)
        gradient._w0 = grad_w0.astype(self.dtype) if self.is_multiple else float(grad_w0[0])
        return 0

    cdef int data_loss(self, _Rows rows, _Targets targets, Loss loss, fastfm_gradient *gradient,
                       int n_threads, double *value) except -1:
        cdef int64_t step = self.rows_per_call(rows), begin = 0, end, bad_row = 0
        cdef fastfm_csr piece
        cdef fastfm_targets of_piece
        cdef fastfm_status status
        while begin < rows.csr.n_rows:
            end = min(begin + step, rows.csr.n_rows)
            piece, of_piece = rows.piece(begin, end), targets.piece(begin)
            with nogil:
                status = fastfm_objective(&piece, &self.c, &loss.c, &of_piece, targets.weight_sum, value,
                                          gradient, n_threads, &bad_row)
            if status == FASTFM_BAD_LABEL:
                loss.refuse(status, targets.y, begin + bad_row, self.c.n_outputs)
            if status != FASTFM_OK:
                rows.refuse(status, begin + bad_row)
            begin = end
            if gradient != NULL:
                gradient.is_fresh = False
            if begin < rows.csr.n_rows:
                PyErr_CheckSignals()
        return 0

    cdef int check_rows(self, _Rows rows, int n_threads) except -1:
        """Raises unless indptr and indices are sound; the repeats are the kernels' business."""
        cdef int64_t bad_row = 0
        cdef fastfm_status status
        with nogil:
            status = fastfm_check(&rows.csr, self.c.n_features, NULL, n_threads, &bad_row)
        if status != FASTFM_OK and status != FASTFM_REPEATED_COLUMN:
            rows.refuse(status, bad_row)
        return 0

    cdef double penalty(self, cnp.ndarray parameter, double l2, grad, int n_threads) except? -1:
        """l2 / 2 * |parameter|**2; its gradient is added to grad."""
        cdef double squares = 0
        cdef void *grad_data = NULL if grad is None else cnp.PyArray_DATA(grad)
        cdef fastfm_status status
        if l2 == 0:
            return 0
        with nogil:
            status = fastfm_l2(cnp.PyArray_DATA(parameter), self.c.real, cnp.PyArray_SIZE(parameter), l2,
                               grad_data, n_threads, &squares)
        if status != FASTFM_OK:
            raise MemoryError(fastfm_status_message(status).decode())
        return l2 / 2 * squares


cdef tuple features_of(_Rows rows, int64_t n_features):
    """The columns that occur in rows (explicit zeros do not), and the place among them of each value."""
    stored = slice(rows.indptr[0], rows.indptr[rows.csr.n_rows])
    columns = rows.indices[stored]
    occurring = columns[rows.data[stored] != 0]
    slots = np.zeros_like(rows.indices)
    if n_features <= len(columns):  # a table is no larger than the data, and 10 times faster than sorting
        occurs = np.zeros(n_features, bool)
        occurs[occurring] = True
        features = np.flatnonzero(occurs)
        places = (np.cumsum(occurs) - 1).astype(slots.dtype)[columns]
    else:
        features = np.unique(occurring)
        places = np.searchsorted(features, columns)
    # An explicit zero gets any place: nothing is added there.
    slots[stored] = np.clip(places, 0, max(len(features) - 1, 0))
    return features.astype(np.int64), slots


cdef class FM(_Model):
    """Factorization machine of degree 2 (Rendle 2010, "Factorization Machines", eq. 1).

    ``y(x) = w0 + sum_i w_i x_i + sum_{i<j} <v_i, v_j> x_i x_j``

    Parameters
    ----------
    w0 : float, or array_like of shape (C,)
        Bias.
    w : array_like of shape (n_features,) or (C, n_features)
        Linear weights.
    V : array_like of shape (n_features, n_factors) or (C, n_features, n_factors), float32 or float64
        Factors. Their dtype decides the dtype of the model and its scores. An array in C order whose memory
        starts at a multiple of 64 bytes is shared; any other is copied once, so that a row of V touches as
        few cache lines as it can. With several outputs the order in memory is that of
        ``V.swapaxes(0, 1)``: what belongs to a feature lies together. Predictions from several threads at
        once are safe.
    normalize : None (default), "instance" or "xlearn"
        What each row is divided by first; see the attribute.

    Raises
    ------
    ValueError
        When shapes or dtypes do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.sparse import csr_array
    >>> from fastfm_c import FM
    >>> fm = FM(0.25, [0.5, -1.0], np.array([[1.0, 0.0], [1.0, 1.0]]))
    >>> fm.predict(csr_array([[2.0, 3.0], [0.0, 0.0]]))
    array([4.25, 0.25])
    """

    def __init__(self, w0, w, V, *, normalize=None):
        self.hold(w0, w, V, None, normalize, 2)

    @staticmethod
    def random(n_features, n_factors, *, n_outputs=1, init_stdev=0.01, dtype="float32", rng=None):
        """A model with ``w0 = 0``, ``w = 0`` and normally distributed `V`.

        Parameters
        ----------
        n_features, n_factors : int
        n_outputs : int, default 1
            More than 1 makes a model with several outputs.
        init_stdev : float, default 0.01
            Standard deviation of `V`.
        dtype : "float32" (default) or "float64"
        rng : anything that `numpy.random.default_rng` takes

        Returns
        -------
        FM
        """
        n = as_count(n_features, "n_features", 0)
        shape = (n, as_count(n_factors, "n_factors"))
        return FM(*_random_parameters((n,), shape, n_outputs, init_stdev, dtype, rng))

    def __reduce__(self):
        return FM, (self.w0, self.w, self.V), self.normalize

    def resize(self, n_features, *, init_stdev=0.01, rng=None):
        """Append features: their `w` is 0, their `V` normally distributed. All others stay as they are.

        Takes the time and the memory of a copy of the model. `w` and `V` are new arrays afterwards.

        Parameters
        ----------
        n_features : int
            At least that of now.
        init_stdev : float, default 0.01
            Standard deviation of the new factors.
        rng : anything that `numpy.random.default_rng` takes

        Raises
        ------
        ValueError
            For fewer features than now.
        """
        self.grow(n_features, None, init_stdev, rng)


cdef class FFM(_Model):
    """Field-aware factorization machine (Juan et al. 2016, eq. 4), with bias and linear weights.

    ``y(x) = w0 + sum_i w_i x_i + sum_{i<j} <V[i, fields[j]], V[j, fields[i]]> x_i x_j``

    Parameters
    ----------
    w0 : float, or array_like of shape (C,)
        Bias.
    w : array_like of shape (n_features,) or (C, n_features)
        Linear weights.
    V : array_like of shape (n_features, n_fields, n_factors) or (C, n_features, n_fields, n_factors)
        Factors, float32 or float64: ``V[i, g]`` is what feature i uses against a feature of field g. Shared
        or copied as in `FM`.
    fields : array_like of int, shape (n_features,)
        Field of each feature, in 0..n_fields-1.
    normalize : None (default) or "instance"
        What each row is divided by first; see the attribute.

    Raises
    ------
    ValueError
        When shapes, dtypes or fields do not fit.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.sparse import csr_array
    >>> from fastfm_c import FFM
    >>> V = np.array([[[1.0], [2.0]], [[3.0], [4.0]]])
    >>> FFM(0.0, [0.0, 0.0], V, fields=[0, 1]).predict(csr_array([[1.0, 1.0]]))
    array([6.])
    """

    def __init__(self, w0, w, V, fields, *, normalize=None):
        self.hold(w0, w, V, fields, normalize, 3)

    @staticmethod
    def random(fields, n_factors, *, n_outputs=1, init_stdev=0.01, dtype="float32", rng=None):
        """A model with ``w0 = 0``, ``w = 0`` and normally distributed `V`.

        Parameters
        ----------
        fields : array_like of int, shape (n_features,)
            Field of each feature; the model has ``max(fields) + 1`` fields.
        n_factors : int
        n_outputs, init_stdev, dtype, rng
            As for `FM.random`.

        Returns
        -------
        FFM
        """
        fields = as_fields(fields, None, None)
        n, n_fields = len(fields), int(fields.max(initial=0)) + 1
        shape = (n, n_fields, as_count(n_factors, "n_factors"))
        return FFM(*_random_parameters((n,), shape, n_outputs, init_stdev, dtype, rng), fields)

    @property
    def fields(self):
        """Field of each feature: read-only int32 array of shape (n_features,)."""
        return self._fields.view()

    @property
    def n_fields(self):
        """Number of fields F."""
        return self.c.n_fields

    def __reduce__(self):
        return FFM, (self.w0, self.w, self.V, self.fields), self.normalize

    def resize(self, n_features, fields=None, *, init_stdev=0.01, rng=None):
        """Append features, and new fields if there are any, as `FM.resize` does.

        Parameters
        ----------
        n_features, init_stdev, rng
            As for `FM.resize`.
        fields : array_like of int, shape (n_features,)
            Field of each feature, for those of now as before. `FieldEncoder.fields_` is one.

        Raises
        ------
        ValueError
            For fewer features than now, or other fields.
        """
        if fields is None:
            raise ValueError("fields is None, expected the field of each of the n_features features")
        self.grow(n_features, fields, init_stdev, rng)


cdef int require_stdev(init_stdev) except -1:
    if not 0 <= init_stdev < float("inf"):
        raise ValueError(f"init_stdev must be finite and >= 0, got {init_stdev}")
    return 0


cdef object copy_into_corner(larger, array):
    """Writes the array to the beginning of a larger one, along every axis."""
    larger[tuple([slice(n) for n in array.shape])] = array
    return larger


def _random_parameters(w_shape, V_shape, n_outputs, init_stdev, dtype, rng):
    require_stdev(init_stdev)
    dtype = as_real_dtype(dtype)
    outputs = (n_outputs,) if as_count(n_outputs, "n_outputs") > 1 else ()
    w = aligned_zeros((*w_shape, *outputs), dtype)
    V = aligned_zeros((*w_shape, *outputs, *V_shape[1:]), dtype)
    np.random.default_rng(rng).standard_normal(dtype=dtype, out=V)
    V *= init_stdev
    if outputs:  # a model takes the outputs first, and keeps them after the features
        w, V = w.swapaxes(0, 1), V.swapaxes(0, 1)
    return np.zeros(outputs), w, V
