# The memory and the loops of losses. Their words and checks are in fastfm_c/losses.py.


cdef class Loss:
    """A loss of the C library, chosen by `_function` of the Python class that extends this one.

    The class also has the words: `_check_model(n_outputs, is_multiple)` raises for a model that the loss
    does not fit, `_refuse_target(y, row, n_outputs)` for a target that it does not take.
    """
    cdef fastfm_loss c

    def __cinit__(self, *args, **kwargs):
        cdef int kind = fastfm_find_loss(str(getattr(self, "_function", "")).encode())
        if kind < 0:
            raise TypeError(f"{type(self).__name__} is no loss by itself")
        self.c.kind = <fastfm_loss_kind>kind

    @property
    def _expects(self):
        """The targets that it takes, in words; {last} stands for the last class."""
        return fastfm_loss_expects(self.c.kind).decode()

    @property
    def _smoothing(self):
        return self.c.label_smoothing

    @_smoothing.setter
    def _smoothing(self, double value):
        self.c.label_smoothing = value

    def _loss_rows(self, cnp.ndarray y not None, cnp.ndarray scores not None, bint want_loss,
                   bint want_gradient):
        """(losses, gradients), None where one is not wanted, of arrays in C order and native types."""
        cdef int64_t n_rows = len(scores), n_outputs = outputs_of(scores), bad_row = 0
        if not (is_plain(y) and len(y) == n_rows and cnp.PyArray_ISCARRAY_RO(scores)):
            raise ValueError(f"y has shape {np.shape(y)}, scores has shape {np.shape(scores)}")
        cdef cnp.ndarray losses = np.empty(n_rows, scores.dtype) if want_loss else None
        cdef cnp.ndarray gradients = np.empty_like(scores) if want_gradient else None
        cdef void *losses_data = cnp.PyArray_DATA(losses) if want_loss else NULL
        cdef void *gradients_data = cnp.PyArray_DATA(gradients) if want_gradient else NULL
        cdef fastfm_type y_type = type_of(y), real = type_of(scores)
        cdef fastfm_status status
        with nogil:
            status = fastfm_loss_rows(&self.c, cnp.PyArray_DATA(y), y_type, cnp.PyArray_DATA(scores),
                                      real, n_rows, n_outputs, losses_data, gradients_data, &bad_row)
        if status != FASTFM_OK:
            self.refuse(status, y, bad_row, n_outputs)
        return losses, gradients

    def _proba_rows(self, cnp.ndarray scores not None):
        """Probabilities of scores in C order."""
        cdef int64_t n_rows = len(scores), n_outputs = outputs_of(scores)
        if not cnp.PyArray_ISCARRAY_RO(scores):
            raise ValueError("scores must be an array in C order")
        cdef cnp.ndarray proba = np.empty_like(scores)
        cdef fastfm_type real = type_of(scores)
        cdef fastfm_status status
        with nogil:
            status = fastfm_proba(&self.c, cnp.PyArray_DATA(scores), real, n_rows, n_outputs,
                                  cnp.PyArray_DATA(proba))
        if status != FASTFM_OK:
            raise MemoryError(fastfm_status_message(status).decode())
        return proba

    def _weighted_mean(self, cnp.ndarray losses not None, y, sample_weight):
        """Mean of losses, float64, with the weights of their rows."""
        cdef Targets targets = Targets(y, sample_weight, len(losses))
        if not (is_plain(losses) and type_of(losses) == FASTFM_F64):
            raise ValueError("losses must be a plain array of float64")
        return fastfm_weighted_sum(targets.targets.weight, cnp.PyArray_DATA(losses), FASTFM_F64,
                                   len(losses)) / targets.weight_sum

    cdef object refuse(self, fastfm_status status, y, int64_t row, int64_t n_outputs):
        """Raise the exception of a status that concerns the targets."""
        if status == FASTFM_NO_MEMORY:
            raise MemoryError(fastfm_status_message(status).decode())
        self._refuse_target(y, row, n_outputs)


cdef int64_t outputs_of(cnp.ndarray scores) except -1:
    """Number of scores of a row; raises for what is no array of rows of scores."""
    cdef int kind = cnp.PyArray_TYPE(scores), n_axes = cnp.PyArray_NDIM(scores)
    if not ((kind == cnp.NPY_FLOAT or kind == cnp.NPY_DOUBLE) and 1 <= n_axes <= 2):
        raise ValueError(f"scores has {n_axes} dimensions and dtype {scores.dtype}")
    return cnp.PyArray_DIM(scores, 1) if n_axes == 2 else 1
