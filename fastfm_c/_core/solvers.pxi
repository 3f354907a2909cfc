# The memory of solvers, and the loop over the rows of an epoch. The rules, their options and their words
# are in fastfm_c/solvers.

from threading import RLock


def require_fit(Model model not None, Loss loss not None):
    """Raise unless the model has parameters, and outputs that the loss takes."""
    cdef Parameters now = model.snapshot()
    now.require_full_size()
    loss._check_model(now.c.n_outputs, now.has_outputs)


cdef class TrainingRows:
    """X, y and sample_weight with sound indices; the structs that point to them."""
    cdef Rows rows
    cdef Targets targets
    cdef readonly double _largest  # |x|; nan or infinite if any is

    def __cinit__(self, Model model not None, Loss loss not None, X, y, sample_weight=None,
                  num_threads=None):
        cdef int n_threads = resolve_num_threads(num_threads)
        require_fit(model, loss)
        cdef Parameters now = model.snapshot()
        self.rows = now.rows_of(X)
        self.targets = Targets(y, sample_weight, self.rows.csr.n_rows, True)
        self.rows.check(n_threads)
        if now.c.separates_repeats:
            self.rows.refuse_repeats()
        if now.fields is not None:
            model._decide_fields(fields_of(X), self.rows.columns())
        self._largest = self.rows.largest

    def _check_labels(self, Model model not None, Loss loss not None):
        """Raise for a target that the loss does not take."""
        cdef int64_t n_outputs = model.snapshot().c.n_outputs, bad_row = 0
        cdef fastfm_status status = fastfm_check_labels(&loss.c, &self.targets.targets, self.rows.csr.n_rows,
                                                        n_outputs, &bad_row)
        if status != FASTFM_OK:
            loss.refuse(status, self.targets.y, bad_row, n_outputs)

    @property
    def _arrays(self):
        return self.rows.arrays()

    @property
    def _shape(self):
        return self.rows.csr.n_rows, self.rows.n_columns

    @property
    def _y(self):
        return self.targets.y

    @property
    def _sample_weight(self):
        return self.targets.weight

    @property
    def _weight_sum(self):
        return self.targets.weight_sum

    cdef double weight_of(self, rows) except? -1:
        """Sum of the weights of these rows."""
        return len(rows) if self.targets.weight is None else self.targets.weight[rows].sum()


cdef class Solver:
    """State and scale of a solver, the struct that points to them, a lock, and the loop of an epoch.

    The Python class that extends this one chooses the rule by `_rule`, and has the words:
    `_start_state(s, arrays, parameters)` fills the s-th state as it is before the first step,
    `_divergence(row, largest)` makes the exception for a training that ran away.
    """
    cdef readonly Model _model
    cdef readonly Loss _loss
    cdef readonly cnp.ndarray _scale  # None, or the unit of each feature
    cdef fastfm_solver c
    cdef list states  # of (w0, w, V) arrays; replaced and not changed
    cdef int n_states
    cdef object state_lock  # state is made by one thread at a time

    def __cinit__(self, *args, **kwargs):
        cdef int rule = fastfm_find_rule(str(getattr(self, "_rule", "")).encode())
        if rule < 0:
            raise TypeError(f"{type(self).__name__} is no solver by itself")
        self.c.rule = <fastfm_rule>rule
        self.n_states = fastfm_rule_n_states(self.c.rule)
        self.states = []
        self.state_lock = RLock()

    def _bind(self, Model model not None, Loss loss not None, dict options not None):
        """Take the model, the loss and the numbers of the rule, once."""
        require_fit(model, loss)
        with self.state_lock:
            if self._model is not None:  # another thread may be learning
                raise TypeError(f"this {type(self).__name__} has its model already")
            clip = options["clip_value"]
            self.c.learning_rate, self.c.clip = options["learning_rate"], float("inf") if clip is None else clip
            self.c.l2_linear, self.c.l2_factors = options["l2_linear"], options["l2_factors"]
            self.c.l1_linear, self.c.l1_factors = options.get("l1_linear", 0), options.get("l1_factors", 0)
            self.c.batch_size = max(1, options["batch_size"])
            self.c.beta1 = options.get("beta", options.get("beta1", 0))  # FTRL's, or Adam's
            self.c.beta2, self.c.epsilon = options.get("beta2", 0), options.get("epsilon", 0)
            self.c.initial_accumulator = options.get("initial_accumulator", 0)
            self._model, self._loss = model, loss

    def _require_state(self):
        """Raise for an object that was not initialised, or whose initialisation failed."""
        if self._model is None or len(self.states) != self.n_states:
            raise TypeError(f"this {type(self).__name__} was made without its state")

    def _fit_state(self):
        """Make the state as large as the parameters."""
        cdef list states = []
        cdef Parameters now
        with self.state_lock:
            now = self._model.snapshot()
            for s in range(self.n_states):
                old = self.states[s] if s < len(self.states) else ()
                if not old or np.shape(old[2]) != np.shape(now.V):
                    fresh = self.fresh_state(s, now)
                    for larger, array in zip(fresh, old):
                        copy_into_corner(larger, array)
                    old = fresh
                states.append(old)
            if self._scale is not None and len(self._scale) != now.c.n_features:
                self._scale = copy_into_corner(unit_scale(now), self._scale)
            self.states = states
            self.bind_pointers()

    cdef tuple fresh_state(self, int s, Parameters now):
        """State s as it is before the first step."""
        arrays = tuple([aligned_zeros(np.shape(p), p.dtype) for p in (now.w0, now.w, now.V)])
        self._start_state(s, arrays, (now.w0, now.w, now.V))
        return arrays

    cdef int bind_pointers(self) except -1:
        """Set the pointers of the C struct to the arrays that this object holds."""
        for s, (w0, w, V) in enumerate(self.states):
            self.c.state[s].w0 = cnp.PyArray_DATA(w0)
            self.c.state[s].w = cnp.PyArray_DATA(w)
            self.c.state[s].V = cnp.PyArray_DATA(V)
        self.c.scale = NULL if self._scale is None else cnp.PyArray_DATA(self._scale)
        return 0

    @property
    def _n_steps(self):
        return self.c.n_steps

    @property
    def _states(self):
        return tuple(self.states)

    @property
    def _rate(self):
        """The learning rate of the last epoch; before the first, the one that the state was made for."""
        return self.c.learning_rate

    def _set_rate(self, double rate):
        """Learn at this rate from now on. `_change_rate(states, parameters, scale, rate)` converts the state."""
        cdef Parameters now
        with self.state_lock:
            if rate != self.c.learning_rate:
                self._fit_state()
                now = self._model.snapshot()
                self._change_rate(self.states, (now.w0, now.w, now.V), self._scale, rate)
                self.c.learning_rate = rate

    def _has_scale(self):
        """Whether steps may be in units of each feature."""
        return self._model.snapshot().c.normalization == FASTFM_AS_IS

    def _hold_scale(self, bint is_fixed):
        """Learn in the units of now for as long as they are fixed, however large values are."""
        with self.state_lock:
            self.c.scale_is_fixed = is_fixed

    def _penalise_in_scale(self):
        """Charge L2 of parameters times the scale from now on: of those of columns in their units."""
        with self.state_lock:
            self.c.l2_in_scale = True

    def _set_scale(self, scale):
        """Learn in these units from now on: a copy of them, or None for 1 each."""
        with self.state_lock:
            self._scale = None if scale is None else copy_into_corner(unit_scale(self._model.snapshot()), scale)
            self.bind_pointers()

    def _set_state(self, Model model not None, int64_t n_steps, states, scale, double rate):
        """Go on with the state of another solver; read-only arrays of it are copied."""
        cdef Parameters now = model.snapshot()
        restored = []
        require_fit(model, self._loss)
        for arrays in states:
            own = [as_writable(as_parameter(a, p.dtype, np.shape(p), "state"))
                   for a, p in zip(arrays, (now.w0, now.w, now.V), strict=True)]
            restored.append(tuple(own))
        if scale is not None:
            scale = as_writable(as_parameter(scale, now.V.dtype, (now.c.n_features,), "scale"))
        if len(restored) != self.n_states:
            raise TypeError(f"this {type(self).__name__} was made without its state")
        with self.state_lock:
            self._model, self.c.n_steps, self.states, self._scale = model, n_steps, restored, scale
            self.c.learning_rate = rate
            self.bind_pointers()

    def _learn(self, TrainingRows data not None, rows, progress, num_threads):
        """Learn once from `rows` of data, int64 in this order, or from all; the mean of their losses.

        Calls ``progress(rows_done, n_rows, mean_loss_so_far)`` some times a second.
        """
        cdef cnp.ndarray order = None if rows is None else np.ascontiguousarray(rows, np.int64)
        cdef int64_t n_rows = data.rows.csr.n_rows if order is None else len(order)
        cdef int64_t begin = 0, end, step = self.rows_per_call(data, n_rows)
        cdef int n_threads = resolve_num_threads(num_threads)
        cdef double total = 0, weight = 0
        cdef fastfm_solver solver
        cdef list arrays = []  # that the struct points to
        cdef Parameters model = self.begin_epoch(data, &solver, arrays)
        while begin < n_rows:
            end = min(begin + step, n_rows)
            piece = np.arange(begin, end, dtype=np.int64) if order is None else order[begin:end]
            self.learn_rows(data, piece, model, &solver, &total, n_threads)
            weight += data.weight_of(piece)
            begin = end
            if progress is not None:
                progress(int(end), int(n_rows), total / weight if weight else 0.0)
            PyErr_CheckSignals()
        return total / weight if weight else float("nan")

    cdef int64_t rows_per_call(self, TrainingRows data, int64_t n_rows) except -1:
        """Whole batches, between two looks at pending signals."""
        self._require_state()
        cdef int64_t batch_size = min(self.c.batch_size, max(n_rows, 1))
        cdef int64_t step = self._model.snapshot().rows_per_call(data.rows) // 8 + 1
        return (step + batch_size - 1) // batch_size * batch_size

    cdef Parameters begin_epoch(self, TrainingRows data, fastfm_solver *solver, list arrays):
        """The model and the struct as they are now; a resize by another thread makes other arrays."""
        cdef Parameters now
        with self.state_lock:
            self._fit_state()
            # Values beyond 1 ask for steps in units of each feature's own largest value.
            if self._scale is None and data._largest > 1 and self._has_scale():
                self._scale = unit_scale(self._model.snapshot())
            self.bind_pointers()
            now, solver[0], states, scale = self._model.snapshot(), self.c, self.states, self._scale
        arrays += [states, scale]
        if not ((scale is None or len(scale) == now.c.n_features)
                and all([np.shape(state[2]) == np.shape(now.V) for state in states])):
            raise ValueError("the model was resized while a solver started to learn")
        if data.rows.n_columns > now.c.n_features:
            raise ValueError(f"data has {data.rows.n_columns} columns, the model has {now.c.n_features} features")
        return now

    cdef int learn_rows(self, TrainingRows data, cnp.ndarray rows, Parameters model, fastfm_solver *solver,
                        double *total, int n_threads) except -1:
        cdef const int64_t *order = <const int64_t *>cnp.PyArray_DATA(rows)
        cdef const fastfm_targets *targets = &data.targets.targets
        cdef int64_t n_rows = len(rows), bad_row = 0
        cdef fastfm_status status
        with nogil:
            status = fastfm_train(&data.rows.csr, order, n_rows, &model.c, &self._loss.c, targets, solver,
                                  total, n_threads, &bad_row)
        self.c.n_steps = solver.n_steps
        if status == FASTFM_DIVERGED:
            raise self._divergence(bad_row, data._largest)
        if status == FASTFM_BAD_LABEL:
            self._loss.refuse(status, data.targets.y, bad_row, model.c.n_outputs)
        if status == FASTFM_BAD_ROW:
            raise ValueError(f"rows holds {bad_row}, expected 0 <= row < {data.rows.csr.n_rows}")
        if status != FASTFM_OK:
            data.rows.raise_for_status(status, bad_row)
        return 0


cdef object as_writable(array):
    """The array, or a copy of one that is read-only: shared memory of joblib, a buffer of pickle."""
    return array if array.flags.writeable else copy_into_corner(aligned_zeros(array.shape, array.dtype), array)


cdef object unit_scale(Parameters now):
    """A scale of 1 for each feature."""
    scale = aligned_zeros((now.c.n_features,), now.V.dtype)
    scale[...] = 1
    return scale


cdef object copy_into_corner(larger, array):
    """Write the array to the beginning of a larger one, along every axis, and return the larger one."""
    larger[tuple([slice(n) for n in array.shape])] = array
    return larger
