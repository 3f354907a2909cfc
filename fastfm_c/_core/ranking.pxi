# Learning to rank: interactions as the C library reads them, and an epoch over them.

cdef dict RANK_LOSSES = {"bpr": FASTFM_BPR, "warp": FASTFM_WARP, "logistic": FASTFM_SAMPLED_LOGISTIC}


cdef class RankingRows:
    """Interactions of contexts and items: references to the arrays, and the struct that points to them."""
    cdef list arrays
    cdef fastfm_ranking c
    cdef readonly int64_t n_entries, n_features
    cdef object dtype

    def __cinit__(self, tuple contexts, tuple items, context_of, item_of, weight, seen_indptr, seen, eligible,
                  pool, str loss, bint own_pairs, int64_t max_tries, uint64_t seed, int64_t n_features):
        self.arrays, self.n_features, self.dtype = [], n_features, contexts[2].dtype
        self.n_entries = len(context_of)
        self.take_rows(&self.c.contexts, contexts)
        self.take_rows(&self.c.items, items)
        n_contexts, n_items = self.c.contexts.n_rows, self.c.items.n_rows
        self.c.context_of = <const int32_t *>self.take(context_of, np.int32, self.n_entries, n_contexts)
        self.c.item_of = <const int32_t *>self.take(item_of, np.int32, self.n_entries, n_items)
        self.c.weight = NULL
        if weight is not None:
            self.c.weight = <const double *>self.take(weight, np.float64, self.n_entries, None)
        self.c.seen_indptr = <const int64_t *>self.take_indptr(seen_indptr, n_contexts, len(seen))
        self.c.seen = <const int32_t *>self.take(seen, np.int32, len(seen), n_items)
        self.c.eligible = <const int32_t *>self.take(eligible, np.int32, len(eligible), n_items)
        self.c.pool = <const int32_t *>self.take(pool, np.int32, len(pool), n_items)
        self.c.n_eligible, self.c.n_pool = len(eligible), len(pool)
        self.c.loss, self.c.has_own_pairs = RANK_LOSSES[loss], own_pairs
        self.c.max_tries, self.c.seed = max_tries, seed
        if not 1 <= len(eligible) or not 1 <= len(pool) < 1 << 32 or n_contexts + n_items >= 1 << 31:
            raise ValueError("too many interactions, users or items, or none")

    cdef const void *take(self, array, dtype, int64_t size, limit) except? NULL:
        """The memory of an array, which holds numbers in [0, limit) unless that is None."""
        array = np.require(array, dtype, ["C", "A"])
        if array.shape != (size,) or limit is not None and size and not (0 <= array.min() and array.max() < limit):
            raise ValueError(f"an array of the interactions holds numbers outside 0..{limit}")
        self.arrays.append(array)
        return cnp.PyArray_DATA(array)

    cdef const void *take_indptr(self, indptr, int64_t n_rows, int64_t nnz) except? NULL:
        indptr = np.require(indptr, np.int64, ["C", "A"])
        if len(indptr) != n_rows + 1 or indptr[0] != 0 or indptr[-1] != nnz or (np.diff(indptr) < 0).any():
            raise ValueError("an indptr of the interactions decreases or leaves the arrays")
        self.arrays.append(indptr)
        return cnp.PyArray_DATA(indptr)

    cdef int take_rows(self, fastfm_rank_rows *rows, tuple csr) except -1:
        indptr, indices, data = csr
        if data.dtype != self.dtype or self.dtype not in (np.float32, np.float64):
            raise ValueError(f"rows have dtype {data.dtype}, expected {self.dtype}")
        rows.n_rows = len(indptr) - 1
        rows.indptr = <const int64_t *>self.take_indptr(indptr, rows.n_rows, len(indices))
        rows.indices = <const int32_t *>self.take(indices, np.int32, len(indices), self.n_features)
        rows.data = self.take(data, self.dtype, len(indices), None)
        return 0


def rank_epoch(Solver solver not None, RankingRows data not None, int64_t epoch, order, progress, num_threads):
    """Learn once from the interactions `order`, int64; the mean of their losses.

    `epoch` decides with the seed of data what is drawn. Calls ``progress(done, n, mean_loss_so_far)`` some times
    a second.
    """
    cdef cnp.ndarray entries = np.require(order, np.int64, ["C", "A"])
    cdef const int64_t *at = <const int64_t *>cnp.PyArray_DATA(entries)
    cdef int64_t n = len(entries), begin = 0, end, step
    cdef int n_threads = resolve_num_threads(num_threads)
    cdef double total = 0
    cdef fastfm_solver now
    cdef Parameters model
    cdef fastfm_status status
    solver._require_state()
    with solver.state_lock:
        solver._fit_state()
        model, states = solver._model.snapshot(), solver.states
        now = solver.c
    if n and not (0 <= entries.min() and entries.max() < data.n_entries):
        raise ValueError(f"order holds numbers outside 0..{data.n_entries - 1}")
    if model.c.n_features != data.n_features or model.V.dtype != data.dtype or model.c.n_outputs != 1 \
            or model.fields is not None:
        raise ValueError("the interactions were prepared for another model")
    now.scale = NULL
    step = max(1, <int64_t>(1 << 18) // now.batch_size) * now.batch_size
    while begin < n:
        end = min(begin + step, n)
        with nogil:
            status = fastfm_rank(&data.c, &model.c, &now, epoch, at + begin, end - begin, &total, n_threads)
        solver.c.n_steps = now.n_steps
        if status == FASTFM_DIVERGED:
            raise solver._divergence(begin, 1.0)
        if status != FASTFM_OK:
            raise MemoryError(fastfm_status_message(status).decode())
        begin = end
        if progress is not None:
            progress(int(end), int(n), total / end)
        PyErr_CheckSignals()
    return total / n if n else float("nan")
