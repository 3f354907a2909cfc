# The vectors of L-BFGS: pairs of an iteration's step and change of gradient, and what is computed from them.


cdef int require_vector(cnp.ndarray vector, cnp.npy_intp n, int type_number, bint is_written) except -1:
    """Raise unless this is a plain vector of this length and type."""
    if not (cnp.PyArray_NDIM(vector) == 1 and cnp.PyArray_DIM(vector, 0) == n
            and cnp.PyArray_TYPE(vector) == type_number
            and (cnp.PyArray_ISCARRAY(vector) if is_written else cnp.PyArray_ISCARRAY_RO(vector))):
        raise ValueError(f"expected a plain vector of {n} numbers of dtype "
                         f"{cnp.PyArray_DescrFromType(type_number)}, got shape {np.shape(vector)} and dtype "
                         f"{vector.dtype}")
    return 0


cdef int require_real(cnp.ndarray vector) except -1:
    if vector.dtype not in (np.float32, np.float64):
        raise ValueError(f"a vector has dtype {vector.dtype}, expected float32 or float64")
    return 0


cdef class CurvaturePairs:
    """The last pairs of a search: the step s of an iteration, and the change y of the gradient.

    They take 2 * `room` vectors of n numbers. `weights` is the diagonal of the first guess of the inverse
    Hessian, but for a factor; None: 1 each.
    """
    cdef cnp.ndarray vectors, weights, order, products
    cdef int n_threads, type_number
    cdef fastfm_pairs c

    def __cinit__(self, n, dtype, room, cnp.ndarray weights, num_threads=None):
        cdef cnp.npy_intp size = as_count(n, "n", 0), n_most = as_count(room, "room")
        cdef double *products
        self.n_threads = resolve_num_threads(num_threads)
        self.vectors = np.empty((2, n_most, size), dtype)
        require_real(self.vectors)
        self.type_number = cnp.PyArray_TYPE(self.vectors)
        if weights is not None:
            require_vector(weights, size, self.type_number, False)
        self.weights = weights
        self.order, self.products = np.arange(n_most, dtype=np.int64), np.zeros(2 * n_most * (n_most + 1))
        products = <double *>cnp.PyArray_DATA(self.products)
        self.c.n, self.c.room, self.c.real = size, n_most, type_of(self.vectors)
        self.c.weights = NULL if weights is None else cnp.PyArray_DATA(weights)
        self.c.s = cnp.PyArray_DATA(self.vectors)
        self.c.y = <char *>self.c.s + n_most * size * cnp.PyArray_ITEMSIZE(self.vectors)
        self.c.order = <int64_t *>cnp.PyArray_DATA(self.order)
        self.c.sy, self.c.yy = products, products + n_most * n_most
        self.c.sg = self.c.yy + n_most * n_most
        self.c.yg = self.c.sg + n_most

    def __len__(self):
        return self.c.n_pairs

    @property
    def g_squares(self):
        """g.(weights g) of the last gradient."""
        return self.c.g_squares

    @property
    def gamma(self):
        """s.y / y.(weights y) of the newest pair: what the inverse Hessian begins with. 1 without pairs."""
        cdef int64_t newest = self.c.order[max(self.c.n_pairs - 1, 0)] * (self.c.room + 1)
        return self.c.sy[newest] / self.c.yy[newest] if self.c.n_pairs else 1.0

    def forget(self):
        """Forget all pairs, but not the last gradient."""
        self.c.n_pairs = 0

    def begin(self, cnp.ndarray g not None):
        """Take a gradient without a pair."""
        cdef fastfm_status status
        require_vector(g, self.c.n, self.type_number, False)
        with nogil:
            status = fastfm_pairs_add(&self.c, NULL, NULL, NULL, cnp.PyArray_DATA(g), self.n_threads)
        require_memory(status)

    def add(self, cnp.ndarray x not None, cnp.ndarray x_new not None, cnp.ndarray g not None,
            cnp.ndarray g_new not None):
        """Take the end of an iteration. A pair of no positive curvature is left out."""
        cdef fastfm_status status
        for vector in (x, x_new, g, g_new):
            require_vector(vector, self.c.n, self.type_number, False)
        with nogil:
            status = fastfm_pairs_add(&self.c, cnp.PyArray_DATA(x), cnp.PyArray_DATA(x_new),
                                      cnp.PyArray_DATA(g), cnp.PyArray_DATA(g_new), self.n_threads)
        require_memory(status)

    def direction(self, cnp.ndarray g not None, cnp.ndarray d not None):
        """Write -H g to d, where g is the last gradient taken; return g.d."""
        cdef double slope = 0
        cdef fastfm_status status
        require_vector(g, self.c.n, self.type_number, False)
        require_vector(d, self.c.n, self.type_number, True)
        with nogil:
            status = fastfm_pairs_direction(&self.c, cnp.PyArray_DATA(g), cnp.PyArray_DATA(d), self.n_threads,
                                            &slope)
        require_memory(status)
        return slope


cdef int require_memory(fastfm_status status) except -1:
    if status != FASTFM_OK:
        raise MemoryError(fastfm_status_message(status).decode())
    return 0


def dot(cnp.ndarray a not None, cnp.ndarray b not None, num_threads=None):
    """The sum of a_i b_i of two vectors, made in double."""
    cdef double product = 0
    cdef fastfm_type real
    cdef int n_threads = resolve_num_threads(num_threads)
    cdef fastfm_status status
    require_real(a)
    for vector in (a, b):
        require_vector(vector, a.size, cnp.PyArray_TYPE(a), False)
    real = type_of(a)
    with nogil:
        status = fastfm_dot(cnp.PyArray_DATA(a), cnp.PyArray_DATA(b), real, cnp.PyArray_SIZE(a), n_threads,
                            &product)
    require_memory(status)
    return product


def step(cnp.ndarray x not None, double length, cnp.ndarray d not None, cnp.ndarray out not None,
         num_threads=None):
    """Write x + length * d to out."""
    cdef fastfm_type real
    cdef int n_threads = resolve_num_threads(num_threads)
    require_real(x)
    for vector in (x, d):
        require_vector(vector, x.size, cnp.PyArray_TYPE(x), False)
    require_vector(out, x.size, cnp.PyArray_TYPE(x), True)
    real = type_of(x)
    with nogil:
        fastfm_step(cnp.PyArray_DATA(x), length, cnp.PyArray_DATA(d), real, cnp.PyArray_SIZE(x), n_threads,
                    cnp.PyArray_DATA(out))
