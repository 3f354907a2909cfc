# The losses.

cdef class _Loss:
    cdef fastfm_loss c

    def loss(self, y, scores):
        """Loss of each row.

        Parameters
        ----------
        y : array_like of shape (rows,)
            Targets; see the class.
        scores : array_like of shape (rows,), or (rows, C) for softmax, float32 or float64
            Raw scores; other types become float64.

        Returns
        -------
        ndarray of shape (rows,), of the dtype of scores

        Raises
        ------
        ValueError
            For a target that the loss does not take, or shapes that do not fit.
        """
        return self._rows(y, scores, True, False)[0]

    def gradient(self, y, scores):
        """Derivative of each row's loss by its scores.

        Parameters and errors are those of `loss`.

        Returns
        -------
        ndarray, shape and dtype of scores
        """
        return self._rows(y, scores, False, True)[1]

    def loss_gradient(self, y, scores):
        """`loss` and `gradient` in one pass.

        Returns
        -------
        (ndarray, ndarray)
        """
        return self._rows(y, scores, True, True)

    def mean(self, y, scores, sample_weight=None):
        """Weighted mean of the losses: ``sum(weight * loss) / sum(weight)``.

        Parameters
        ----------
        y, scores
            As for `loss`.
        sample_weight : array_like of shape (rows,), optional
            Finite weights >= 0. A row of weight zero is as if absent.

        Returns
        -------
        float

        Raises
        ------
        ValueError
            As for `loss`, and when the total weight is zero.
        """
        losses = self._rows(y, scores, True, False)[0].astype(np.float64, copy=False)
        cdef _Targets targets = _Targets(y, sample_weight, len(losses))
        return fastfm_weighted_sum(targets.targets.weight, cnp.PyArray_DATA(losses), FASTFM_F64,
                                   len(losses)) / targets.weight_sum

    def _rows(self, y, scores, bint want_loss, bint want_gradient):
        cdef cnp.ndarray scores_ = self._scores(scores)
        cdef int64_t n_rows = cnp.PyArray_DIM(scores_, 0), bad_row = 0
        cdef int64_t n_outputs = cnp.PyArray_DIM(scores_, 1) if cnp.PyArray_NDIM(scores_) == 2 else 1
        cdef cnp.ndarray y_ = as_targets(y, n_rows)
        self.check_outputs(n_outputs)
        cdef cnp.ndarray losses = np.empty(n_rows, scores_.dtype) if want_loss else None
        cdef cnp.ndarray gradients = np.empty_like(scores_) if want_gradient else None
        cdef void *losses_data = cnp.PyArray_DATA(losses) if want_loss else NULL
        cdef void *gradients_data = cnp.PyArray_DATA(gradients) if want_gradient else NULL
        cdef fastfm_type y_type = type_of(y_), real = type_of(scores_)
        cdef fastfm_status status
        with nogil:
            status = fastfm_loss_rows(&self.c, cnp.PyArray_DATA(y_), y_type, cnp.PyArray_DATA(scores_),
                                      real, n_rows, n_outputs, losses_data, gradients_data, &bad_row)
        if status != FASTFM_OK:
            self.refuse(status, y_, bad_row, n_outputs)
        return losses, gradients

    def _proba(self, scores):
        cdef cnp.ndarray scores_ = self._scores(scores)
        cdef cnp.ndarray proba = np.empty_like(scores_)
        cdef int64_t n_rows = cnp.PyArray_DIM(scores_, 0)
        cdef int64_t n_outputs = cnp.PyArray_DIM(scores_, 1) if cnp.PyArray_NDIM(scores_) == 2 else 1
        cdef fastfm_type real = type_of(scores_)
        cdef fastfm_status status
        with nogil:
            status = fastfm_proba(&self.c, cnp.PyArray_DATA(scores_), real, n_rows, n_outputs,
                                  cnp.PyArray_DATA(proba))
        if status != FASTFM_OK:
            raise MemoryError(fastfm_status_message(status).decode())
        return proba

    def _scores(self, scores):
        scores = np.asarray(scores)
        wanted = 2 if self.c.kind == FASTFM_SOFTMAX else 1
        if scores.ndim != wanted or (wanted == 2 and scores.shape[1] < 1):
            shape = "(rows, C)" if wanted == 2 else "(rows,)"
            raise ValueError(f"scores has shape {scores.shape}, {type(self).__name__} expects {shape}")
        if scores.dtype.kind not in "fiub":
            raise ValueError(f"scores must hold real numbers, got {scores.dtype}")
        return np.require(scores, np.float32 if scores.dtype == np.float32 else np.float64, ["C", "A"])

    cdef int check_outputs(self, int64_t n_outputs) except -1:
        if self.c.kind != FASTFM_SOFTMAX and n_outputs != 1:
            raise ValueError(f"{type(self).__name__} takes one output, got {n_outputs}")
        if self.c.kind == FASTFM_SOFTMAX and n_outputs == 1 and self.c.label_smoothing > 0:
            raise ValueError("label smoothing needs at least 2 classes, got 1")
        return 0

    cdef object refuse(self, fastfm_status status, y, int64_t row, int64_t n_outputs):
        if status == FASTFM_NO_MEMORY:
            raise MemoryError(fastfm_status_message(status).decode())
        expected = {
            FASTFM_SQUARED: "a finite number",
            FASTFM_LOGISTIC: "0 or 1",
            FASTFM_SOFTMAX: f"an integer class in 0..{n_outputs - 1}",
        }[self.c.kind]
        raise ValueError(f"y[{row}] is {y[row]}, {type(self).__name__} expects {expected}")

    def __eq__(self, other):
        return (type(self) is type(other) and isinstance(other, _Loss)
                and self.c.label_smoothing == (<_Loss>other).c.label_smoothing)

    def __hash__(self):
        return hash((type(self), self.c.label_smoothing))


cdef class SquaredLoss(_Loss):
    """Squared loss of a raw score s and a finite target y: ``(s - y)**2 / 2``.

    Examples
    --------
    >>> from fastfm_c import SquaredLoss
    >>> SquaredLoss().loss([1.0, 2.0], [3.0, 2.0])
    array([2., 0.])
    """

    def __init__(self):
        self.c.kind = FASTFM_SQUARED

    def __reduce__(self):
        return SquaredLoss, ()

    def __repr__(self):
        return "SquaredLoss()"


cdef class _ClassLoss(_Loss):
    def __init__(self, label_smoothing=0.0):
        if not 0 <= label_smoothing < 1:
            raise ValueError(f"label_smoothing must be in [0, 1), got {label_smoothing}")
        self.c.label_smoothing = label_smoothing

    @property
    def label_smoothing(self):
        """The part of the target that is spread over the classes, in [0, 1)."""
        return self.c.label_smoothing

    def __reduce__(self):
        return type(self), (self.c.label_smoothing,)

    def __repr__(self):
        eps = self.c.label_smoothing
        return f"{type(self).__name__}({f'label_smoothing={eps}' if eps else ''})"


cdef class LogisticLoss(_ClassLoss):
    """Logistic loss of a raw score s and a target y in {0, 1}.

    ``max(s, 0) - s t + log1p(exp(-abs(s)))`` with ``t = y (1 - eps) + eps / 2``, where eps is the label
    smoothing. No score overflows, and a loss near zero keeps its relative accuracy.

    Parameters
    ----------
    label_smoothing : float, default 0
        In [0, 1).

    Examples
    --------
    >>> from fastfm_c import LogisticLoss
    >>> LogisticLoss().loss([1, 0], [1000.0, 1000.0])
    array([   0., 1000.])
    """

    def __init__(self, label_smoothing=0.0):
        _ClassLoss.__init__(self, label_smoothing)
        self.c.kind = FASTFM_LOGISTIC

    def proba(self, scores):
        """Probability of class 1: the sigmoid of each score.

        Parameters
        ----------
        scores : array_like of shape (rows,)

        Returns
        -------
        ndarray of shape (rows,), float32 for float32 scores, else float64
        """
        return self._proba(scores)


cdef class SoftmaxLoss(_ClassLoss):
    """Softmax loss of C raw scores s and an integer class y in 0..C-1.

    ``logsumexp(s) - sum_c t_c s_c``; ``t_c`` is ``1 - eps`` for the true class and ``eps / (C - 1)`` for
    the others, where eps is the label smoothing. No score overflows, and a loss near zero keeps its
    relative accuracy. With two classes it equals the logistic loss with twice the label smoothing.

    Parameters
    ----------
    label_smoothing : float, default 0
        In [0, 1).

    Examples
    --------
    >>> from fastfm_c import SoftmaxLoss
    >>> SoftmaxLoss().proba([[0.0, 0.0, 1000.0]])
    array([[0., 0., 1.]])
    """

    def __init__(self, label_smoothing=0.0):
        _ClassLoss.__init__(self, label_smoothing)
        self.c.kind = FASTFM_SOFTMAX

    def proba(self, scores):
        """Probabilities of the classes: the softmax of each row.

        Parameters
        ----------
        scores : array_like of shape (rows, C)

        Returns
        -------
        ndarray of shape (rows, C), float32 for float32 scores, else float64
        """
        return self._proba(scores)
