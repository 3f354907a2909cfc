# Solvers: the part of _core.pyx that trains. Included there, because it works on the same structs.

from threading import RLock

from fastfm_c._errors import DivergenceError
from fastfm_c._validation import as_fraction, as_positive, column_scale


# How many numbers each rule keeps for a parameter.
cdef int[4] N_STATES = [0, 1, 2, 2]  # SGD, AdaGrad, Adam, FTRL


cdef class _TrainingRows:
    """X, y and sample_weight, found fit to train on."""
    cdef _Rows rows
    cdef _Targets targets
    cdef double largest

    @property
    def n_rows(self):
        return self.rows.csr.n_rows

    def total_weight(self, rows=None):
        """Sum of the weights of these rows, or of all."""
        if rows is None:
            return self.targets.weight_sum
        return float(len(rows) if self.targets.weight is None else self.targets.weight[rows].sum())


cdef class _Solver:
    """What the solvers share. They write to the parameters of the model while they learn."""
    cdef _Model trained
    cdef _Loss minimised
    cdef object rng, num_threads, clip_value
    cdef bint shuffle
    cdef fastfm_solver c
    cdef list states  # of (w0, w, V) arrays
    cdef list initial  # the value with which each of them starts
    cdef cnp.ndarray scale
    cdef int64_t passes
    cdef object growing  # a lock: state is made by one thread at a time

    def __cinit__(self):
        self.growing = RLock()

    def __init__(self, model, loss, *, learning_rate, l2_linear=0.0, l2_factors=0.0, batch_size,
                 shuffle=False, hogwild=False, clip_value=None, normalize=None, num_threads=None,
                 rng=None):
        if self.trained is not None:  # another thread may be learning
            raise TypeError(f"this {type(self).__name__} has its model already")
        if not isinstance(model, _Model):
            raise ValueError(f"model must be an FM or an FFM, got {type(model).__name__}")
        if not isinstance(loss, _Loss):
            raise ValueError("loss must be a SquaredLoss, LogisticLoss or SoftmaxLoss, got "
                             f"{type(loss).__name__}")
        cdef _Model trained = model
        trained.require_parameters()
        trained.check_loss(loss)
        for name in ("w", "V"):
            if not getattr(model, name).flags.writeable:
                raise ValueError(f"model.{name} is read-only: train a model.copy()")
        if normalize is not None and model.normalize not in (None, normalize):
            raise ValueError(f"normalize is {normalize!r}, but the model has {model.normalize!r}")
        threads_of(num_threads)
        self.c.learning_rate = as_positive(learning_rate, "learning_rate")
        self.c.l2_linear = as_not_negative(l2_linear, "l2_linear")
        self.c.l2_factors = as_not_negative(l2_factors, "l2_factors")
        self.c.clip = float("inf") if clip_value is None else as_positive(clip_value, "clip_value")
        self.c.batch_size = min(as_count(batch_size, "batch_size"), 1 << 62)
        self.c.hogwild = bool(hogwild)
        self.clip_value, self.num_threads = clip_value, num_threads
        self.shuffle = bool(shuffle)
        self.rng = np.random.default_rng(rng)
        self.states, self.initial = [], []
        if normalize is not None:
            model.normalize = normalize
        self.trained, self.minimised = model, loss

    cdef int add_state(self, double value) except -1:
        """One more number for each parameter."""
        self.states.append(None)
        self.initial.append(value)
        self.fit_state()
        return 0

    cdef int require_state(self) except -1:
        if self.trained is None or len(self.states) != N_STATES[<int>self.c.rule]:
            raise TypeError(f"this {type(self).__name__} was made without its state")
        return 0

    cdef list fresh_state(self, int s):
        """State s as it is before the first step."""
        arrays = [aligned_zeros(np.shape(p), self.trained.dtype) for p in self.trained.parameters()]
        for array in arrays:
            if self.initial[s]:
                array[...] = self.initial[s]
        return arrays

    cdef int fit_state(self) except -1:
        """Makes the state as large as the parameters."""
        with self.growing:
            for s, arrays in enumerate(self.states):
                if arrays is None or np.shape(arrays[2]) != np.shape(self.trained._V):
                    fresh = self.fresh_state(s)
                    for new, old in zip(fresh, arrays or ()):
                        put_first(new, old)
                    self.states[s] = tuple(fresh)
            if self.scale is not None and len(self.scale) != self.trained.c.n_features:
                scale = aligned_zeros((self.trained.c.n_features,), self.scale.dtype)
                scale[...] = 1
                self.scale = put_first(scale, self.scale)
            self.point()
        return 0

    cdef int point(self) except -1:
        """Sets the pointers of the C struct to the arrays that this object holds."""
        for s, (w0, w, V) in enumerate(self.states):
            self.c.state[s].w0 = cnp.PyArray_DATA(w0)
            self.c.state[s].w = cnp.PyArray_DATA(w)
            self.c.state[s].V = cnp.PyArray_DATA(V)
        self.c.scale = NULL if self.scale is None else cnp.PyArray_DATA(self.scale)
        return 0

    @property
    def model(self):
        """The model that is trained."""
        return self.trained

    @property
    def loss(self):
        """The loss that is minimised."""
        return self.minimised

    @property
    def n_passes(self):
        """Passes over rows so far: calls of `partial_fit`, epochs."""
        return self.passes

    @property
    def learning_rate(self):
        """Step size."""
        return self.c.learning_rate

    @property
    def l2_linear(self):
        """L2 penalty on `w`."""
        return self.c.l2_linear

    @property
    def l2_factors(self):
        """L2 penalty on `V`."""
        return self.c.l2_factors

    @property
    def batch_size(self):
        """Rows between two updates."""
        return self.c.batch_size

    @property
    def hogwild(self):
        """Whether threads update without waiting for each other."""
        return bool(self.c.hogwild)

    @property
    def n_steps(self):
        """Batches learned so far."""
        return self.c.n_steps

    @property
    def nbytes(self):
        """Bytes of the state, beside those of the model."""
        arrays = [array for state in self.states for array in state]
        if self.scale is not None:
            arrays.append(self.scale)
        return sum([array.nbytes for array in arrays])

    def partial_fit(self, X, y, sample_weight=None):
        """Learn from the rows once, in batches of `batch_size`, in order or shuffled.

        Two calls with the two halves of the rows leave the bits of one call with all of them, if the
        first half is a multiple of `batch_size` rows and nothing is shuffled.

        Parameters
        ----------
        X : scipy.sparse CSR matrix or array of shape (rows, n_features)
            As for `FM.predict`, but finite.
        y : array_like of shape (rows,)
            Targets that the loss takes.
        sample_weight : array_like of shape (rows,), optional
            Finite weights >= 0, which multiply the rows' losses. A row of weight zero is as if absent.

        Returns
        -------
        float
            The progressive loss: the weighted mean over the rows, each scored before it is learned from.

        Raises
        ------
        ValueError
            For rows or targets that are unfit, before anything is learned.
        DivergenceError
            When a loss or a parameter is not finite; the parameters in the model still are.
        """
        data = self._prepare(X, y, sample_weight)
        rows = self.rng.permutation((<_TrainingRows>data).rows.csr.n_rows) if self.shuffle else None
        return self._learn(data, rows)

    def resize(self, n_features, fields=None, *, init_stdev=0.01, rng=None):
        """Append features to the model, and state for them.

        A `partial_fit` after the model's own `resize` makes the state for them too.

        Parameters
        ----------
        n_features : int
            At least that of now.
        fields : array_like of int, shape (n_features,)
            Of an FFM, as for `FFM.resize`.
        init_stdev, rng
            As for `FM.resize`.
        """
        if fields is not None and type(self.trained) is FM:
            raise ValueError("fields is given, but an FM has none")
        fields = () if fields is None else (fields,)
        self.require_state()
        self.trained.resize(n_features, *fields, init_stdev=init_stdev, rng=rng)
        self.fit_state()

    def _prepare(self, X, y, sample_weight=None):
        """The rows, after all checks that a pass over them needs."""
        cdef _TrainingRows data = _TrainingRows.__new__(_TrainingRows)
        cdef int64_t bad_row = 0
        cdef int n_threads = threads_of(self.num_threads)
        cdef fastfm_status status
        self.require_state()
        data.rows = rows_of(X, self.trained.c.n_features)
        data.targets = _Targets(y, sample_weight, data.rows.csr.n_rows)
        with nogil:
            status = fastfm_check(&data.rows.csr, self.trained.c.n_features, &data.largest, n_threads,
                                  &bad_row)
        if status == FASTFM_REPEATED_COLUMN:  # whose sums may be larger than they are
            data.rows = data.rows.without_repeats()
            with nogil:
                status = fastfm_check(&data.rows.csr, self.trained.c.n_features, &data.largest, n_threads,
                                      &bad_row)
        if status != FASTFM_OK:
            data.rows.refuse(status, bad_row)
        if not data.largest < float("inf"):
            values = data.rows.data[data.rows.indptr[0]:data.rows.indptr[data.rows.csr.n_rows]]
            place = int(np.argmin(np.isfinite(values))) + data.rows.indptr[0]
            row = np.searchsorted(data.rows.indptr, place, side="right") - 1
            raise ValueError(f"row {row} of X holds {data.rows.data[place]}; training takes finite values")
        status = fastfm_check_labels(&self.minimised.c, &data.targets.targets, data.rows.csr.n_rows,
                                     self.trained.c.n_outputs, &bad_row)
        if status != FASTFM_OK:
            self.minimised.refuse(status, data.targets.y, bad_row, self.trained.c.n_outputs)
        return data

    def _measure_scale(self, _TrainingRows data not None):
        """Learn in units of the largest |x| that each column has here, before the first step."""
        self.require_state()
        if self.c.n_steps or not self.has_scale():
            return
        with self.growing:
            self.scale = column_scale(data.rows.indptr, data.rows.indices, data.rows.data,
                                      self.trained.c.n_features, self.trained.dtype, data.targets.weight)
            self.point()

    cdef bint has_scale(self):
        return self.c.rule != FASTFM_FTRL and self.trained.how == FASTFM_AS_IS

    cdef int note_scale(self, double largest) except -1:
        """Values beyond 1 ask for steps in units of each feature's own largest value."""
        if self.scale is None and largest > 1 and self.has_scale():
            self.scale = aligned_zeros((self.trained.c.n_features,), self.trained._V.dtype)
            self.scale[...] = 1
            self.point()
        return 0

    def _learn(self, _TrainingRows data not None, rows=None, progress=None):
        """One pass over `rows` of data (int64, in this order; None: all); calls
        ``progress(rows_done, n_rows, mean_loss_so_far)`` some times a second."""
        cdef cnp.ndarray order = None if rows is None else np.ascontiguousarray(rows, np.int64)
        cdef int64_t n_rows = data.rows.csr.n_rows if order is None else len(order)
        cdef int64_t step = self.trained.rows_per_call(data.rows) // 8 + 1
        cdef int64_t begin = 0, end, bad_row = 0
        cdef const int64_t *order_at
        cdef double total = 0, weight = 0
        cdef fastfm_status status
        cdef int n_threads = threads_of(self.num_threads)
        cdef const fastfm_targets *targets = &data.targets.targets
        cdef _Model model
        cdef fastfm_solver solver
        cdef int64_t batch_size = min(self.c.batch_size, max(n_rows, 1))
        step = (step + batch_size - 1) // batch_size * batch_size
        self.require_state()
        with self.growing:
            self.fit_state()
            self.c.normalize = self.trained.how
            self.note_scale(data.largest)
            # A resize by another thread now makes other arrays; these live on.
            self.point()
            model, solver, states, scale = self.trained.frozen(), self.c, list(self.states), self.scale
        if not fit_each_other(model, states, scale):
            raise ValueError("the model was resized while a solver started to learn")
        while begin < n_rows:
            end = min(begin + step, n_rows)
            piece = np.arange(begin, end, dtype=np.int64) if order is None else order[begin:end]
            order_at = <const int64_t *>cnp.PyArray_DATA(piece)
            with nogil:
                status = fastfm_train(&data.rows.csr, order_at, end - begin, &model.c,
                                      &self.minimised.c, targets, &solver, &total, n_threads, &bad_row)
            self.c.n_steps = solver.n_steps
            if status == FASTFM_DIVERGED:
                raise DivergenceError(
                    f"epoch {self.passes + 1} diverged at row {bad_row}: a loss or a parameter is not finite "
                    f"any more (learning_rate {self.c.learning_rate}, largest |x| {data.largest:.3g}); a "
                    "smaller learning_rate, clip_value, or values of order 1 help"
                )
            if status == FASTFM_BAD_LABEL:
                self.minimised.refuse(status, data.targets.y, bad_row, self.trained.c.n_outputs)
            if status == FASTFM_BAD_ROW:
                raise ValueError(f"rows holds {bad_row}, expected 0 <= row < {data.rows.csr.n_rows}")
            if status != FASTFM_OK:
                data.rows.refuse(status, bad_row)
            weight += data.total_weight(piece)
            begin = end
            if progress is not None:
                progress(int(end), int(n_rows), total / weight if weight else 0.0)
            PyErr_CheckSignals()
        self.passes += 1
        return total / weight if weight else 0.0

    def _options(self):
        """The arguments of __init__ but for model and loss."""
        return {
            "learning_rate": self.c.learning_rate, "l2_linear": self.c.l2_linear,
            "l2_factors": self.c.l2_factors, "batch_size": self.c.batch_size, "shuffle": self.shuffle,
            "hogwild": self.hogwild, "clip_value": self.clip_value, "num_threads": self.num_threads,
        }

    def _progress(self):
        """What the training has made, for copies and files: (n_steps, n_passes, rng, arrays, scale)."""
        self.require_state()
        self.fit_state()
        return self.c.n_steps, self.passes, self.rng, self.states, self.scale

    @classmethod
    def _restored(cls, model, loss, options, progress):
        """The solver that had these options and this progress."""
        return _restore_solver(cls, model, loss, options, progress)

    def __reduce__(self):
        return _restore_solver, (type(self), self.trained, self.minimised, self._options(), self._progress())

    def __repr__(self):
        options = ", ".join(f"{name}={value!r}" for name, value in self._options().items()
                            if value is not None and value is not False)
        return f"{type(self).__name__}({self.trained!r}, {self.minimised!r}, {options})"


cdef bint fit_each_other(_Model model, list states, scale) except -1:
    return ((scale is None or len(scale) == model.c.n_features)
            and all([np.shape(state[2]) == np.shape(model._V) for state in states]))


def _restore_solver(create, _Model model not None, loss, options, progress):
    """A solver as it was. What lies in read-only memory, where joblib maps files, is copied: the solver
    writes to it. The model stays the same object, which others may have too."""
    kind, (w0, w, V, *fields), normalize = model.__reduce__()
    # Made for no features, so that no fresh state is filled to be thrown away.
    empty = [np.compress([], p, axis=w.ndim - 1) for p in (w, V)]
    cdef _Solver solver = create(kind(w0, *empty, *[f[:0] for f in fields], normalize=normalize), loss, **options)
    if not (w.flags.writeable and V.flags.writeable):
        model.grow(model.c.n_features, model._fields, 0, None)
    solver.trained = model
    solver.c.n_steps, solver.passes, solver.rng, states, scale = progress
    solver.states = []
    for arrays in states:
        own = [writable(as_parameter(a, model.dtype, np.shape(p), "state"))
               for a, p in zip(arrays, model.parameters(), strict=True)]
        solver.states.append(tuple(own))
    if scale is not None:
        scale = writable(as_parameter(scale, model.dtype, (model.n_features,), "scale"))
    solver.scale = scale
    solver.require_state()
    solver.point()
    return solver


cdef object writable(array):
    """The array, or a copy of one that is read-only: shared memory of joblib, a buffer of pickle."""
    return array if array.flags.writeable else put_first(aligned_zeros(array.shape, array.dtype), array)


cdef class SGD(_Solver):
    """Stochastic gradient descent: ``p -= learning_rate * g``.

    The gradients of a batch are summed, not averaged, so that the learning rate means the same whatever
    the batch size. Values of X beyond 1 are learned from in units of the largest |x| of their column so
    far; `train` measures every column first, and so uses units for small values too.

    Parameters
    ----------
    model : FM or FFM
        Its parameters are changed in place.
    loss : SquaredLoss, LogisticLoss or SoftmaxLoss
    learning_rate : float
    l2_linear, l2_factors : float, default 0
        Each row adds ``l2_linear / 2 * w_j**2`` and ``l2_factors / 2 * |v_j|**2`` of the parameters that it
        touches to its loss. (The objective of `FM.objective` has the penalty of all parameters once.)
    batch_size : int
        Rows that are scored with the same parameters; each parameter is updated once for all of them. 1
        updates after every row.
    shuffle : bool, default False
        Whether `partial_fit` takes the rows in a random order.
    hogwild : bool, default False
        Threads learn from batches of their own without waiting for each other (Niu et al. 2011): faster,
        but the result differs from run to run. Otherwise its bits do not depend on the number of threads.
    clip_value : float, optional
        Largest absolute gradient of a parameter in a batch.
    normalize : None, "instance" or, for an FM, "xlearn"
        If not None, sets `model.normalize`, so that rows are divided by their length here and wherever the
        model scores them.
    num_threads : int, optional
        Default: `fastfm_c.get_num_threads`.
    rng : anything that `numpy.random.default_rng` takes
        For `shuffle`.

    Raises
    ------
    ValueError
        For an option outside its range, a loss that does not fit the model, or a read-only model.
    """

    def __init__(self, model, loss, *, learning_rate=0.01, batch_size=32, **options):
        _Solver.__init__(self, model, loss, learning_rate=learning_rate, batch_size=batch_size, **options)
        self.c.rule = FASTFM_SGD


cdef class AdaGrad(_Solver):
    """AdaGrad (Duchi et al. 2011): ``G += g**2; p -= learning_rate * g / sqrt(G)``.

    Parameters
    ----------
    model, loss, learning_rate, l2_linear, l2_factors, batch_size, shuffle, hogwild, clip_value, \
normalize, num_threads, rng
        As for `SGD`.
    initial_accumulator : float, default 1
        What every G starts with.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.sparse import csr_array
    >>> from fastfm_c import FM, AdaGrad, LogisticLoss
    >>> X, y = csr_array(np.eye(4)), np.array([0, 1, 0, 1])
    >>> solver = AdaGrad(FM.random(4, 2, rng=0), LogisticLoss(), learning_rate=0.5)
    >>> losses = [solver.partial_fit(X, y) for _ in range(3)]
    >>> losses[0] > losses[1] > losses[2]
    True
    """
    def __init__(self, model, loss, *, learning_rate=0.05, batch_size=256, initial_accumulator=1.0,
                 **options):
        _Solver.__init__(self, model, loss, learning_rate=learning_rate, batch_size=batch_size, **options)
        self.c.rule = FASTFM_ADAGRAD
        self.c.initial = as_positive(initial_accumulator, "initial_accumulator")
        if not 0 < self.trained.dtype.type(self.c.initial) < float("inf"):
            raise ValueError(f"initial_accumulator {initial_accumulator} is no {self.trained.dtype} > 0")
        self.add_state(self.c.initial)

    def _options(self):
        return _Solver._options(self) | {"initial_accumulator": self.c.initial}


cdef class Adam(_Solver):
    """Adam (Kingma and Ba 2015), lazy: means decay only when their parameter is touched.

    Parameters
    ----------
    model, loss, learning_rate, l2_linear, l2_factors, batch_size, shuffle, hogwild, clip_value, \
normalize, num_threads, rng
        As for `SGD`.
    beta1, beta2 : float, default 0.9 and 0.999
        Decay of the means of gradients and of their squares, in [0, 1).
    epsilon : float, default 1e-8
    """

    def __init__(self, model, loss, *, learning_rate=0.001, batch_size=256, beta1=0.9, beta2=0.999,
                 epsilon=1e-8, **options):
        _Solver.__init__(self, model, loss, learning_rate=learning_rate, batch_size=batch_size, **options)
        self.c.rule = FASTFM_ADAM
        self.c.beta1, self.c.beta2 = as_fraction(beta1, "beta1"), as_fraction(beta2, "beta2")
        self.c.epsilon = as_positive(epsilon, "epsilon")
        self.add_state(0)
        self.add_state(0)

    def _options(self):
        return _Solver._options(self) | {"beta1": self.c.beta1, "beta2": self.c.beta2,
                                         "epsilon": self.c.epsilon}


cdef class FTRL(_Solver):
    """FTRL-Proximal (McMahan et al. 2013, algorithm 1): L1 that makes exact zeros.

    Here all penalties are on the whole parameter, as in the paper, and not on each row's. Values of X
    should be of order 1. The bias is not penalised.

    Parameters
    ----------
    model, loss, learning_rate, l2_linear, l2_factors, batch_size, shuffle, hogwild, clip_value, \
normalize, num_threads, rng
        As for `SGD`; learning_rate is the paper's alpha.
    beta : float, default 1
        Added to each root of summed squares.
    l1_linear, l1_factors : float, default 0
        L1 penalties on `w` and `V`.
    """

    def __init__(self, model, loss, *, learning_rate=0.1, batch_size=256, beta=1.0, l1_linear=0.0,
                 l1_factors=0.0, **options):
        _Solver.__init__(self, model, loss, learning_rate=learning_rate, batch_size=batch_size, **options)
        self.c.rule = FASTFM_FTRL
        self.c.beta1 = as_positive(beta, "beta")
        self.c.l1_linear = as_not_negative(l1_linear, "l1_linear")
        self.c.l1_factors = as_not_negative(l1_factors, "l1_factors")
        self.add_state(0)
        self.add_state(0)

    cdef list fresh_state(self, int s):
        """z is what the present parameters follow from without L1: as if the proximal term of weight
        beta drew towards them, and not towards 0."""
        arrays = _Solver.fresh_state(self, s)
        if s == 0:
            for z, p, l2 in zip(arrays, self.trained.parameters(),
                                (0, self.c.l2_linear, self.c.l2_factors)):
                np.multiply(p, -(self.c.beta1 / self.c.learning_rate + l2), out=z)
        return arrays

    def _options(self):
        return _Solver._options(self) | {"beta": self.c.beta1, "l1_linear": self.c.l1_linear,
                                         "l1_factors": self.c.l1_factors}
