"""What the library computes, in plain float64 NumPy: the specification, written to be read.

Nothing here is fast, and nothing here is shared with the compiled code. Each function is its
formula, one row at a time. Use it to check another implementation, or to look up a formula.

Notation: a row ``x`` has values ``x_j`` at some features ``j``. ``w0`` is the bias, ``w`` are the
linear weights, ``V`` are the factors.

- Factorization machine (FM), degree 2 [1]_: ``V`` has one vector ``v_j`` for each feature ::

      y(x) = w0 + sum_j w_j x_j + sum_{i<j} <v_i, v_j> x_i x_j

- Field-aware factorization machine (FFM) [2]_: each feature belongs to a field, and
  ``V[i, g]`` is the vector that feature i uses against the features of field g ::

      y(x) = w0 + sum_j w_j x_j + sum_{i<j} <V[i, field of j], V[j, field of i]> x_i x_j

  The model of the paper has no bias and no linear weights. This one has both.

A model with C outputs (one for each class) is C independent models of the same sizes. Each
parameter then has a leading axis of length C, and the scores of a row are a vector of length C.

References
----------
.. [1] S. Rendle. Factorization Machines. IEEE International Conference on Data Mining (ICDM),
   2010. Equation 1 is the model, lemma 3.1 its evaluation in linear time, equation 4 the
   gradient.
.. [2] Y. Juan, Y. Zhuang, W.-S. Chin, C.-J. Lin. Field-aware Factorization Machines for CTR
   Prediction. ACM Conference on Recommender Systems (RecSys), 2016. Equation 4 is the model.
"""

import functools
from collections.abc import Callable, Iterator
from typing import Any, ParamSpec, TypeAlias, TypeVar

import numpy as np
import scipy.sparse as sp
from numpy.typing import ArrayLike, NDArray

__all__ = [
    "adagrad",
    "adam",
    "als_sweep",
    "colours",
    "csr_rows",
    "ffm_als_sweep",
    "ffm_score",
    "ffm_score_gradient",
    "ffm_term_scale",
    "fm_score",
    "fm_score_gradient",
    "fm_term_scale",
    "ftrl",
    "gradient",
    "lbfgs_direction",
    "logistic_curvature",
    "logistic_loss",
    "normalized",
    "objective",
    "sgd",
    "softmax_loss",
    "solver_epoch",
    "squared_loss",
]


_Array: TypeAlias = NDArray[np.float64]
_State: TypeAlias = dict[str, _Array]  # of a solver's rule
_Loss: TypeAlias = Callable[[ArrayLike, ArrayLike], tuple[_Array, _Array]]
_Rule: TypeAlias = Callable[[_Array, _Array, _State, int], _Array]

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


# Parameters may hold inf or nan, and a squared loss may exceed the largest float64. The result is
# then inf or nan by the rules of IEEE arithmetic. That is no reason for a warning.
def _quiet(function: Callable[_Arguments, _Result]) -> Callable[_Arguments, _Result]:
    @functools.wraps(function)
    def call(*args: _Arguments.args, **kwargs: _Arguments.kwargs) -> _Result:
        with np.errstate(over="ignore", under="ignore", invalid="ignore"):
            return function(*args, **kwargs)

    return call


# ---------------------------------------------------------------------------------- rows


def csr_rows(X: Any) -> Iterator[tuple[NDArray[np.int64], _Array]]:
    """The rows of X as the models see them.

    Entries of a row with the same column are summed into one. Then entries that are zero are
    dropped. The order of the entries does not matter to the models. Here it is ascending.

    Parameters
    ----------
    X : sparse matrix or array, or array_like, of shape (n_rows, n_features)

    Yields
    ------
    indices : ndarray of shape (n_entries,), int64
        The features of the row's entries, ascending. Each occurs at most once.
    values : ndarray of shape (n_entries,), float64
        The values of the entries. None of them is zero.

    Examples
    --------
    >>> import scipy.sparse as sp
    >>> X = sp.csr_array(([1.0, 4.0, 2.0, 0.0], [2, 1, 2, 0], [0, 4, 4]), shape=(2, 3))
    >>> for indices, values in csr_rows(X):
    ...     print(indices, values)
    [1 2] [4. 3.]
    [] []
    """
    X = sp.csr_array(X)
    for start, stop in zip(X.indptr[:-1], X.indptr[1:], strict=True):
        indices, entry = np.unique(X.indices[start:stop], return_inverse=True)
        values = np.zeros(len(indices))
        np.add.at(values, entry, X.data[start:stop].astype(np.float64))
        yield indices[values != 0].astype(np.int64), values[values != 0]


@_quiet
def normalized(X: Any, power: int = 1) -> sp.csr_array:
    """The rows of X divided by a power of their length ``|x| = sqrt(sum_j x_j^2)``.

    A model with ``normalize="instance"`` scores ``normalized(X)``. This divides its pairs by
    ``|x|^2``, as in libffm (Juan et al. 2016, section 3.2). An FM with ``normalize="xlearn"`` takes
    ``normalized(X)`` in its linear part and ``normalized(X, 2)`` in its pairs.

    Parameters
    ----------
    X : sparse matrix or array, or array_like, of shape (n_rows, n_features)
    power : int

    Returns
    -------
    csr_array of shape (n_rows, n_features), float64
        A row of zeros stays as it is.

    Examples
    --------
    >>> normalized([[3.0, 4.0], [0.0, 0.0]]).toarray()
    array([[0.6, 0.8],
           [0. , 0. ]])
    """
    rows = []
    for j, x in csr_rows(X):
        row = np.zeros(np.shape(X)[1])
        if len(x):
            largest = np.max(np.abs(x))  # x / largest has squares that neither overflow nor vanish
            length = largest * np.sqrt(np.sum((x / largest) ** 2))
            row[j] = x / length**power
        rows.append(row)
    return sp.csr_array(np.reshape(rows, np.shape(X)))


# -------------------------------------------------------------------------------- scores


@_quiet
def fm_score(X: Any, w0: ArrayLike, w: ArrayLike, V: ArrayLike) -> _Array:
    """Factorization machine scores, by the sum over pairs (Rendle 2010, equation 1).

    ``y(x) = w0 + sum_j w_j x_j + sum_{i<j} <v_i, v_j> x_i x_j``

    Parameters
    ----------
    X : sparse matrix or array, or array_like, of shape (n_rows, n_features)
    w0 : float, or ndarray of shape (n_outputs,)
    w : ndarray of shape (n_features,) or (n_outputs, n_features)
    V : ndarray of shape (n_features, n_factors) or (n_outputs, n_features, n_factors)

    Returns
    -------
    ndarray of shape (n_rows,) or (n_rows, n_outputs), float64

    Examples
    --------
    >>> X = [[1.0, 2.0, 0.0], [0.0, 0.0, 0.0]]
    >>> fm_score(X, 0.5, [1.0, 10.0, 0.0], [[1.0, 0.0], [3.0, 1.0], [0.0, 0.0]])
    array([27.5,  0.5])
    """
    w0, w, V = _float64(w0, w, V)
    if w.ndim == 2:
        return np.stack([fm_score(X, *output) for output in zip(w0, w, V, strict=True)], axis=-1)

    scores = []
    for j, x in csr_rows(X):
        vx = V[j] * x[:, None]
        pairs = np.triu(vx @ vx.T, 1)  # pairs[a, b] = <v_a, v_b> x_a x_b where a < b, else 0
        scores.append(w0 + np.sum(w[j] * x) + np.sum(pairs))
    return np.array(scores, dtype=np.float64)


@_quiet
def ffm_score(X: Any, w0: ArrayLike, w: ArrayLike, V: ArrayLike, fields: ArrayLike) -> _Array:
    """Field-aware factorization machine scores, by the sum over pairs (Juan et al. 2016).

    ``y(x) = w0 + sum_j w_j x_j + sum_{i<j} <V[i, fields[j]], V[j, fields[i]]> x_i x_j``

    The sum includes pairs of features of the same field.

    Parameters
    ----------
    X : sparse matrix or array, or array_like, of shape (n_rows, n_features)
    w0 : float, or ndarray of shape (n_outputs,)
    w : ndarray of shape (n_features,) or (n_outputs, n_features)
    V : ndarray of shape (n_features, n_fields, n_factors) or
        (n_outputs, n_features, n_fields, n_factors)
    fields : ndarray of shape (n_features,), integers in 0..n_fields-1

    Returns
    -------
    ndarray of shape (n_rows,) or (n_rows, n_outputs), float64

    Examples
    --------
    >>> V = [[[9.0], [2.0]], [[3.0], [9.0]]]  # 2 features in fields 0 and 1, one factor
    >>> ffm_score([[1.0, 10.0]], 0.5, [0.0, 0.0], V, [0, 1])
    array([60.5])
    """
    w0, w, V = _float64(w0, w, V)
    if w.ndim == 2:
        outputs = zip(w0, w, V, strict=True)
        return np.stack([ffm_score(X, *output, fields) for output in outputs], axis=-1)

    fields = np.asarray(fields)
    scores = []
    for j, x in csr_rows(X):
        vx = _against(j, x, V, fields)
        pairs = np.triu(np.sum(vx * vx.swapaxes(0, 1), axis=-1), 1)
        scores.append(w0 + np.sum(w[j] * x) + np.sum(pairs))
    return np.array(scores, dtype=np.float64)


def _against(indices: NDArray[np.int64], values: _Array, V: _Array, fields: NDArray[Any]) -> _Array:
    """``U[a, b] = V[feature a, field of feature b] x_a`` of a row: the vector that a uses against b."""
    used: _Array = V[indices[:, None], fields[indices][None, :]] * values[:, None, None]
    return used


# ------------------------------------------------------------- the size of a score's terms


@_quiet
def fm_term_scale(X: Any, w0: ArrayLike, w: ArrayLike, V: ArrayLike) -> _Array:
    """Sum of the absolute values of the terms of each factorization machine score.

    The terms are those of the evaluation in linear time (Rendle 2010, lemma 3.1) ::

        |w0| + sum_j |w_j x_j| + 1/2 sum_f [ (sum_j |v_jf x_j|)^2 + sum_j (v_jf x_j)^2 ]

    Rounding errors are judged against this number. A score may be close to zero only because
    large terms cancel. No arithmetic of the same precision can then compute it exactly.

    Parameters
    ----------
    X, w0, w, V
        As for `fm_score`.

    Returns
    -------
    ndarray of shape (n_rows,) or (n_rows, n_outputs), float64

    Examples
    --------
    >>> fm_term_scale([[1.0, 2.0]], -0.5, [1.0, -10.0], [[1.0], [-3.0]])
    array([64.5])
    """
    w0, w, V = _float64(w0, w, V)
    if w.ndim == 2:
        outputs = zip(w0, w, V, strict=True)
        return np.stack([fm_term_scale(X, *output) for output in outputs], axis=-1)

    scales = []
    for j, x in csr_rows(X):
        vx = np.abs(V[j] * x[:, None])
        pairs = 0.5 * np.sum(np.sum(vx, axis=0) ** 2 + np.sum(vx**2, axis=0))
        scales.append(np.abs(w0) + np.sum(np.abs(w[j] * x)) + pairs)
    return np.array(scales, dtype=np.float64)


@_quiet
def ffm_term_scale(X: Any, w0: ArrayLike, w: ArrayLike, V: ArrayLike, fields: ArrayLike) -> _Array:
    """Sum of the absolute values of the terms of each field-aware score.

    The terms are those of the score grouped by field. With
    ``A[a, b] = sum_{j in field a} |V[j, b] x_j|``, a vector of n_factors numbers, they sum to ::

        |w0| + sum_j |w_j x_j| + sum_{a<b} <A[a, b], A[b, a]>
             + 1/2 sum_a [ |A[a, a]|^2 + sum_{j in field a} |V[j, a] x_j|^2 ]

    This includes the absolute terms of the sum over pairs. It therefore serves both forms.

    Parameters
    ----------
    X, w0, w, V, fields
        As for `ffm_score`.

    Returns
    -------
    ndarray of shape (n_rows,) or (n_rows, n_outputs), float64

    Examples
    --------
    >>> V = [[[9.0], [-2.0]], [[3.0], [9.0]]]
    >>> ffm_term_scale([[1.0, 10.0]], -0.5, [0.0, 1.0], V, [0, 1])
    array([8251.5])
    """
    w0, w, V = _float64(w0, w, V)
    if w.ndim == 2:
        outputs = zip(w0, w, V, strict=True)
        return np.stack([ffm_term_scale(X, *output, fields) for output in outputs], axis=-1)

    fields = np.asarray(fields)
    scales = []
    for j, x in csr_rows(X):
        vx = np.abs(_against(j, x, V, fields))
        terms = np.sum(vx * vx.swapaxes(0, 1), axis=-1)
        # The pairs i < j, and the squares that the grouped form adds and subtracts.
        pairs = np.sum(np.triu(terms, 1)) + np.sum(np.diagonal(terms))
        scales.append(np.abs(w0) + np.sum(np.abs(w[j] * x)) + pairs)
    return np.array(scales, dtype=np.float64)


# ------------------------------------------------------------------ gradients of the score


@_quiet
def fm_score_gradient(indices: ArrayLike, values: ArrayLike, V: ArrayLike) -> tuple[_Array, _Array]:
    """Gradient of one factorization machine score (Rendle 2010, equation 4).

    With ``s_f = sum_j v_jf x_j``, a sum over the entries of the row ::

        d y / d w0   = 1
        d y / d w_j  = x_j
        d y / d v_jf = x_j s_f - v_jf x_j^2 = x_j sum_{i != j} v_if x_i

    Parameters
    ----------
    indices, values : ndarrays of shape (n_entries,)
        A row as `csr_rows` yields it.
    V : ndarray of shape (n_features, n_factors)

    Returns
    -------
    grad_w : ndarray of shape (n_entries,)
    grad_V : ndarray of shape (n_entries, n_factors)
        With respect to the parameters of the row's features. All others are zero.

    Examples
    --------
    >>> import numpy as np
    >>> grad_w, grad_V = fm_score_gradient([0, 1], [1.0, 2.0], [[1.0, 5.0], [3.0, 1.0]])
    >>> print(grad_w, grad_V.tolist())
    [1. 2.] [[6.0, 2.0], [2.0, 10.0]]
    """
    x, V = _float64(values, V)
    vx = V[np.asarray(indices)] * x[:, None]
    s = np.sum(vx, axis=0)
    return x, x[:, None] * (s - vx)


@_quiet
def ffm_score_gradient(
    indices: ArrayLike, values: ArrayLike, V: ArrayLike, fields: ArrayLike
) -> tuple[_Array, _Array]:
    """Gradient of one field-aware factorization machine score (Juan et al. 2016, section 3.1).

    For each field b, with sums over the entries i of the row except j itself ::

        d y / d w0      = 1
        d y / d w_j     = x_j
        d y / d V[j, b] = x_j sum_{i in field b, i != j} V[i, fields[j]] x_i

    Parameters
    ----------
    indices, values : ndarrays of shape (n_entries,)
        A row as `csr_rows` yields it.
    V : ndarray of shape (n_features, n_fields, n_factors)
    fields : ndarray of shape (n_features,), integers in 0..n_fields-1

    Returns
    -------
    grad_w : ndarray of shape (n_entries,)
    grad_V : ndarray of shape (n_entries, n_fields, n_factors)
        With respect to the parameters of the row's features. All others are zero.

    Examples
    --------
    >>> V = [[[9.0], [2.0]], [[3.0], [9.0]]]
    >>> grad_w, grad_V = ffm_score_gradient([0, 1], [1.0, 10.0], V, [0, 1])
    >>> print(grad_w, grad_V.tolist())
    [ 1. 10.] [[[0.0], [30.0]], [[20.0], [0.0]]]
    """
    x, V = _float64(values, V)
    indices, fields = np.asarray(indices), np.asarray(fields)
    vx = _against(indices, x, V, fields)
    grad_V = np.zeros((len(x), *V.shape[1:]))
    for j in range(len(x)):
        i = np.flatnonzero(np.arange(len(x)) != j)
        np.add.at(grad_V[j], fields[indices[i]], x[j] * vx[i, j])
    return x, grad_V


# -------------------------------------------------------------------------------- losses


@_quiet
def squared_loss(y: ArrayLike, scores: ArrayLike) -> tuple[_Array, _Array]:
    """Squared loss of each row, and its derivative by the score.

    ``loss = 1/2 (s - y)^2`` and ``d loss / d s = s - y``.

    Parameters
    ----------
    y, scores : ndarrays of shape (n_rows,)

    Returns
    -------
    loss, grad_scores : ndarrays of shape (n_rows,)

    Examples
    --------
    >>> squared_loss([1.0], [3.0])
    (array([2.]), array([2.]))
    """
    y, s = _float64(y, scores)
    return 0.5 * (s - y) ** 2, s - y


@_quiet
def logistic_loss(y: ArrayLike, scores: ArrayLike, label_smoothing: float = 0.0) -> tuple[_Array, _Array]:
    """Logistic loss of each row, and its derivative by the score.

    With the smoothed target ``t = y (1 - eps) + eps / 2`` ::

        loss         = max(s, 0) - s t + log1p(exp(-|s|))
        d loss / d s = sigmoid(s) - t

    Both are evaluated without a difference of nearly equal numbers. They keep their relative
    accuracy when they are close to zero. Because ``t + (1 - t) = 1``, the first two terms are
    ``|s|`` times the target of the class that the score speaks against, which is ``1 - t`` if s > 0
    and t if s < 0. The derivative is ``(1 - t) sigmoid(s) - t sigmoid(-s)``.

    Parameters
    ----------
    y : ndarray of shape (n_rows,), values 0 and 1
    scores : ndarray of shape (n_rows,)
    label_smoothing : float, 0 <= eps < 1

    Returns
    -------
    loss, grad_scores : ndarrays of shape (n_rows,)

    Examples
    --------
    >>> logistic_loss([1.0, 0.0], [0.0, 1e300])
    (array([6.93147181e-001, 1.00000000e+300]), array([-0.5,  1. ]))
    """
    y, s = _float64(y, scores)
    target_1 = y * (1 - label_smoothing) + label_smoothing / 2
    target_0 = (1 - y) * (1 - label_smoothing) + label_smoothing / 2

    small = np.exp(-np.abs(s))  # at most 1: it cannot overflow
    loss = np.abs(s) * np.where(s > 0, target_0, target_1) + np.log1p(small)

    sigmoid_plus = np.where(s > 0, 1, small) / (1 + small)  # sigmoid(s)
    sigmoid_minus = np.where(s > 0, small, 1) / (1 + small)  # sigmoid(-s)
    return loss, target_0 * sigmoid_plus - target_1 * sigmoid_minus


@_quiet
def softmax_loss(y: ArrayLike, scores: ArrayLike, label_smoothing: float = 0.0) -> tuple[_Array, _Array]:
    """Softmax (multinomial logistic) loss of each row, and its derivative by the scores.

    With the smoothed target ``t_c = 1 - eps`` for the true class and ``eps / (n_outputs - 1)``
    for each of the others ::

        loss           = logsumexp(s) - sum_c t_c s_c = sum_c t_c (logsumexp(s) - s_c)
        d loss / d s_c = softmax(s)_c - t_c

    Both are evaluated without a difference of nearly equal numbers. Let m be the class of the
    largest score. Then ``logsumexp(s) - s_c`` is the sum of two terms that are never negative,
    ``(s_m - s_c) + log1p(sum_{i != m} exp(s_i - s_m))``. Both t and p = softmax(s) have the sum 1.
    The derivative is therefore ``p_c sum_{i != c} t_i - t_c sum_{i != c} p_i``.

    Parameters
    ----------
    y : ndarray of shape (n_rows,), integers in 0..n_outputs-1
    scores : ndarray of shape (n_rows, n_outputs), at least two outputs
    label_smoothing : float, 0 <= eps < 1

    Returns
    -------
    loss : ndarray of shape (n_rows,)
    grad_scores : ndarray of shape (n_rows, n_outputs)

    Examples
    --------
    >>> loss, grad_scores = softmax_loss([1], [[0.0, 0.0, -1e300]])
    >>> print(loss, grad_scores)
    [0.69314718] [[ 0.5 -0.5  0. ]]
    """
    s = np.asarray(scores, dtype=np.float64)
    n_rows, n_outputs = s.shape
    true_class = np.arange(n_outputs) == np.asarray(y)[:, None]
    target = np.where(true_class, 1 - label_smoothing, label_smoothing / (n_outputs - 1))

    m = np.argmax(s, axis=1)
    below = s[np.arange(n_rows), m][:, None] - s  # how far each score is below the largest
    exps = np.exp(-below)
    other_exps = np.where(np.arange(n_outputs) == m[:, None], 0, exps)
    loss = np.sum(target * (below + np.log1p(np.sum(other_exps, axis=1))[:, None]), axis=1)

    p = exps / np.sum(exps, axis=1)[:, None]
    others = 1 - np.eye(n_outputs)  # t @ others: for each class, the sum of t over the other classes
    return loss, p * (target @ others) - target * (p @ others)


# ------------------------------------------------------------ the objective and its gradient


@_quiet
def objective(
    X: Any,
    y: ArrayLike,
    loss: _Loss,
    w0: ArrayLike,
    w: ArrayLike,
    V: ArrayLike,
    fields: ArrayLike | None = None,
    *,
    sample_weight: ArrayLike | None = None,
    l2_linear: float = 0.0,
    l2_factors: float = 0.0,
) -> float:
    """Weighted mean loss of a model plus its L2 terms.

    ``sum_r weight_r loss_r / sum_r weight_r + 1/2 l2_linear |w|^2 + 1/2 l2_factors |V|^2``

    The bias w0 has no penalty. A row of weight zero counts as absent.

    Parameters
    ----------
    X : sparse matrix or array, or array_like, of shape (n_rows, n_features)
    y : ndarray of shape (n_rows,)
    loss : callable
        ``loss(y, scores)`` returns the loss of each row and its derivative by the scores, as
        `squared_loss`, `logistic_loss` and `softmax_loss` do. ``functools.partial`` can set their
        label smoothing.
    w0, w, V
        As for `fm_score`, or for `ffm_score` if fields are given.
    fields : ndarray of shape (n_features,), integers in 0..n_fields-1, optional
        None: the model is a factorization machine. Otherwise it is a field-aware one.
    sample_weight : ndarray of shape (n_rows,), optional
        None: each row has weight 1.
    l2_linear, l2_factors : float

    Returns
    -------
    float

    Raises
    ------
    ValueError
        If the weights sum to zero.

    Examples
    --------
    >>> X, y = [[1.0], [1.0]], [0.0, 3.0]
    >>> objective(X, y, squared_loss, 1.0, [0.0], [[0.0]], sample_weight=[3.0, 1.0])
    0.875
    """
    row_losses, _, share = _losses(X, y, loss, w0, w, V, fields, sample_weight)
    w, V = _float64(w, V)
    penalty = 0.5 * l2_linear * np.sum(w**2) + 0.5 * l2_factors * np.sum(V**2)
    present = share > 0
    return float(np.sum(share[present] * row_losses[present]) + penalty)


@_quiet
def gradient(
    X: Any,
    y: ArrayLike,
    loss: _Loss,
    w0: ArrayLike,
    w: ArrayLike,
    V: ArrayLike,
    fields: ArrayLike | None = None,
    *,
    sample_weight: ArrayLike | None = None,
    l2_linear: float = 0.0,
    l2_factors: float = 0.0,
) -> tuple[_Array, _Array, _Array]:
    """Exact gradient of `objective`.

    The chain rule gives the derivative of a row: that of the loss by the score, times that of the
    score by the parameter. The rows are summed, each times its share of the total weight. The
    gradients of the L2 terms, ``l2_linear w`` and ``l2_factors V``, are added.

    Parameters
    ----------
    X, y, loss, w0, w, V, fields, sample_weight, l2_linear, l2_factors
        As for `objective`.

    Returns
    -------
    grad_w0, grad_w, grad_V : ndarrays of the shapes of w0, w and V, float64

    Examples
    --------
    >>> X, y = [[1.0], [2.0]], [0.0, 3.0]
    >>> grad_w0, grad_w, grad_V = gradient(X, y, squared_loss, 1.0, [0.0], [[0.0]], l2_linear=1.0)
    >>> print(grad_w0, grad_w, grad_V)
    -0.5 [-1.5] [[0.]]
    """
    _, grad_scores, share = _losses(X, y, loss, w0, w, V, fields, sample_weight)
    w0, w, V = _float64(w0, w, V)
    grad_w0, grad_w, grad_V = np.zeros_like(w0), l2_linear * w, l2_factors * V

    for (j, x), row_grad_scores, row_share in zip(csr_rows(X), grad_scores, share, strict=True):
        if row_share == 0:
            continue
        for c in np.ndindex(w0.shape):  # the outputs; a single output has the index ()
            if fields is None:
                score_grad_w, score_grad_V = fm_score_gradient(j, x, V[c])
            else:
                score_grad_w, score_grad_V = ffm_score_gradient(j, x, V[c], fields)
            chain = row_share * row_grad_scores[c]
            grad_w0[c] += chain
            grad_w[c][j] += chain * score_grad_w
            grad_V[c][j] += chain * score_grad_V
    return grad_w0, grad_w, grad_V


def sgd(p: _Array, g: _Array, state: _State, step: int, learning_rate: float) -> _Array:
    """Stochastic gradient descent.

    ``p - learning_rate g``

    Parameters
    ----------
    p, g : ndarrays of equal shape
        Parameters and the gradient of a batch, which includes the L2 terms.
    state : dict of str to ndarray
        What the rule keeps from batch to batch, in arrays of the shape of p. The dict is empty before
        the first batch. The rule changes it in place. This rule keeps nothing.
    step : int
        Index of the batch, counted from 1.
    learning_rate : float

    Returns
    -------
    ndarray
        The new values of p.

    Examples
    --------
    >>> sgd(np.array([1.0, 2.0]), np.array([4.0, -4.0]), {}, 1, learning_rate=0.25)
    array([0., 3.])
    """
    return p - learning_rate * g


def adagrad(
    p: _Array,
    g: _Array,
    state: _State,
    step: int,
    learning_rate: float,
    initial_accumulator: float = 1.0,
) -> _Array:
    """AdaGrad (Duchi et al. 2011).

    ``G += g^2`` and ``p - learning_rate g / sqrt(G)``, with G in ``state["squares"]``.

    Parameters
    ----------
    p, g, state, step, learning_rate
        As for `sgd`.
    initial_accumulator : float
        The value of each G before the first batch.

    Returns
    -------
    ndarray
        The new values of p.

    Examples
    --------
    >>> adagrad(np.array([1.0]), np.array([4.0]), {}, 1, learning_rate=0.5, initial_accumulator=9.0)
    array([0.6])
    """
    squares = state.setdefault("squares", np.full_like(p, initial_accumulator))
    squares += g**2
    return p - learning_rate * g / np.sqrt(squares)


def adam(
    p: _Array,
    g: _Array,
    state: _State,
    step: int,
    learning_rate: float,
    beta1: float = 0.9,
    beta2: float = 0.999,
    epsilon: float = 1e-8,
) -> _Array:
    """Adam (Kingma and Ba 2015), with the order of operations of the end of section 2.

    ``m += (1 - beta1) (g - m)``, ``v += (1 - beta2) (g^2 - v)`` and
    ``p - rate m / (sqrt(v) + epsilon)`` with
    ``rate = learning_rate sqrt(1 - beta2^step) / (1 - beta1^step)``. m is ``state["mean"]``, v is
    ``state["square"]``.

    Parameters
    ----------
    p, g, state, step, learning_rate
        As for `sgd`.
    beta1, beta2 : float, in [0, 1)
    epsilon : float

    Returns
    -------
    ndarray
        The new values of p.

    Examples
    --------
    >>> adam(np.array([1.0]), np.array([4.0]), {}, 1, learning_rate=0.25, beta1=0.5, beta2=0.75)
    array([0.75])
    """
    mean = state.setdefault("mean", np.zeros_like(p))
    square = state.setdefault("square", np.zeros_like(p))
    mean += (1 - beta1) * (g - mean)
    square += (1 - beta2) * (g**2 - square)
    rate = learning_rate * float(np.sqrt(1 - beta2**step)) / (1 - beta1**step)
    return p - rate * mean / (np.sqrt(square) + epsilon)


def ftrl(
    p: _Array,
    g: _Array,
    state: _State,
    step: int,
    learning_rate: float,
    beta: float = 1.0,
    l1: float = 0.0,
    l2: float = 0.0,
) -> _Array:
    """FTRL-Proximal (McMahan et al. 2013, algorithm 1).

    ``z += g - (sqrt(n + g^2) - sqrt(n)) / learning_rate p`` and ``n += g^2``. The new p is 0 if
    ``|z| <= l1``, else ``-(z - sign(z) l1) / ((beta + sqrt(n)) / learning_rate + l2)``. z is
    ``state["z"]``, n is ``state["squares"]``. The first z is such that this formula gives p if l1 = 0.

    Parameters
    ----------
    p, g, state, step, learning_rate
        As for `sgd`. The learning rate is alpha in the paper.
    beta, l1, l2 : float

    Returns
    -------
    ndarray
        The new values of p.

    Examples
    --------
    >>> ftrl(np.array([0.0, 0.0]), np.array([3.0, -0.5]), {}, 1, learning_rate=2.0, l1=1.0)
    array([-1.,  0.])
    """
    squares = state.setdefault("squares", np.zeros_like(p))
    z = state.setdefault("z", np.asarray(-p * (beta / learning_rate + l2)))
    z += g - (np.sqrt(squares + g**2) - np.sqrt(squares)) / learning_rate * p
    squares += g**2
    shrunk = np.sign(z) * np.maximum(np.abs(z) - l1, 0)
    new: _Array = -shrunk / ((beta + np.sqrt(squares)) / learning_rate + l2)
    return new


def solver_epoch(
    X: Any,
    y: ArrayLike,
    loss: _Loss,
    w0: ArrayLike,
    w: ArrayLike,
    V: ArrayLike,
    fields: ArrayLike | None = None,
    *,
    rule: _Rule,
    batch_size: int,
    sample_weight: ArrayLike | None = None,
    l2_linear: float = 0.0,
    l2_factors: float = 0.0,
) -> tuple[_Array, _Array, _Array, float]:
    """One epoch of a stochastic solver over the rows in order.

    All rows of a batch are scored with the same parameters. Then each parameter that at least one
    of the rows touches is updated once, by the sum of the gradients of the rows. A row with a value
    at j touches ``w_j``. In an FM it also touches ``V[j]``. In an FFM it also touches ``V[j, g]``, if
    it has a value in field g. Each row adds L2 terms for the parameters that it touches.

    Parameters
    ----------
    X, y, loss, w0, w, V, fields, sample_weight
        As for `objective`.
    rule : callable
        ``rule(p, g, state, step)`` returns the new values of the parameters p, as `sgd`, `adagrad`,
        `adam` and `ftrl` do. ``state`` is a dict that is kept for the epoch.
    batch_size : int
    l2_linear, l2_factors : float

    Returns
    -------
    w0, w, V : ndarrays, float64
        The parameters after the epoch.
    mean_loss : float
        The weighted mean of the losses of the rows, each computed before the update by its batch.

    Examples
    --------
    >>> rule = functools.partial(sgd, learning_rate=0.5)
    >>> w0, w, V, mean_loss = solver_epoch([[1.0]], [1.0], squared_loss, 0.0, [0.0], [[0.0]],
    ...                                    rule=rule, batch_size=1)
    >>> print(w0, w, V, mean_loss)
    0.5 [0.5] [[0.]] 0.5
    """
    X, (w0, w, V) = sp.csr_array(X), _float64(w0, w, V)
    w0, w, V = w0.copy(), w.copy(), V.copy()
    states: tuple[_State, _State, _State] = ({}, {}, {})
    weight = np.ones(X.shape[0]) if sample_weight is None else np.asarray(sample_weight, np.float64)
    y, total_loss = np.asarray(y), 0.0
    for step, start in enumerate(range(0, X.shape[0], batch_size), 1):
        rows = [i for i in range(start, min(start + batch_size, X.shape[0])) if weight[i] > 0]
        if not rows:
            continue
        total = weight[rows].sum()
        batch = X[rows], y[rows], loss, w0, w, V, fields
        total_loss += total * objective(*batch, sample_weight=weight[rows])
        grad_w0, grad_w, grad_V = (total * g for g in gradient(*batch, sample_weight=weight[rows]))
        rows_w, rows_V = np.zeros_like(w), np.zeros_like(V)
        for j, _ in csr_rows(X[rows]):
            rows_w[..., j] += 1
            if fields is None:
                rows_V[..., j, :] += 1
            else:
                rows_V[..., j[:, None], np.unique(np.asarray(fields)[j]), :] += 1
        w0 = rule(w0, grad_w0, states[0], step)
        w = _updated(rule, w, grad_w + rows_w * l2_linear * w, states[1], step, rows_w > 0)
        V = _updated(rule, V, grad_V + rows_V * l2_factors * V, states[2], step, rows_V > 0)
    return w0, w, V, total_loss / weight.sum()


def lbfgs_direction(
    g: ArrayLike, steps: ArrayLike, changes: ArrayLike, weights: ArrayLike | None = None
) -> _Array:
    """The direction of L-BFGS, ``-H g``, by the two-loop recursion.

    ``H`` is what the BFGS formula makes of ``gamma diag(weights)``, an inverse Hessian, by the pairs;
    ``gamma`` is ``s.y / y.(weights y)`` of the newest pair, and 1 without pairs [1]_.

    Parameters
    ----------
    g : array_like of shape (n,)
        The gradient.
    steps, changes : array_like of shape (n_pairs, n)
        The step ``s`` of each iteration, the oldest first, and the change ``y`` of the gradient in it;
        ``s.y`` is positive.
    weights : array_like of shape (n,), optional
        Positive; 1 each by default.

    Returns
    -------
    ndarray of shape (n,)

    References
    ----------
    .. [1] J. Nocedal, S. J. Wright. Numerical Optimization, 2006. Algorithm 7.4 and equation 7.20.

    Examples
    --------
    The pairs of a quadratic with second derivatives 1 and 4 tell where its minimum is, which is at 0:

    >>> lbfgs_direction([3.0, 8.0], [[1.0, 0.0], [0.0, 1.0]], [[1.0, 0.0], [0.0, 4.0]])
    array([-3., -2.])
    """
    q, s, y = _float64(g, steps, changes)
    h = np.ones(len(q)) if weights is None else np.asarray(weights, np.float64)
    n_pairs = len(s)
    alpha = np.zeros(n_pairs)
    q = q.copy()
    for i in reversed(range(n_pairs)):
        alpha[i] = s[i] @ q / (s[i] @ y[i])
        q -= alpha[i] * y[i]
    gamma = s[-1] @ y[-1] / (y[-1] @ (h * y[-1])) if n_pairs else 1.0
    r = gamma * h * q
    for i in range(n_pairs):
        beta = y[i] @ r / (s[i] @ y[i])
        r += (alpha[i] - beta) * s[i]
    return -r


# ------------------------------------------------------------------- learning by columns


def colours(X: Any) -> NDArray[np.int64]:
    """A number for each column; no two columns of one number have a value in the same row.

    A column gets the smallest number that it may have. Columns are taken in their order.

    Parameters
    ----------
    X : scipy.sparse matrix or array_like of shape (n_rows, n_features)
        A value of zero counts as none.

    Returns
    -------
    ndarray of shape (n_features,), int64
        -1 for a column without values.

    Examples
    --------
    >>> colours([[1, 0, 1, 0], [0, 1, 1, 0], [0, 1, 0, 1]])  # columns 0 and 1 share no row, nor do 2 and 3
    array([0, 0, 1, 1])
    """
    rows_of = [np.flatnonzero(column) for column in sp.csr_array(X).toarray().T]
    taken: list[set[int]] = []  # the rows of the columns of each colour
    found = np.full(len(rows_of), -1)
    for j, rows in enumerate(rows_of):
        if len(rows) == 0:
            continue
        free = (c for c, those in enumerate(taken) if those.isdisjoint(rows.tolist()))
        found[j] = next(free, len(taken))
        if found[j] == len(taken):
            taken.append(set())
        taken[found[j]].update(rows.tolist())
    return found


@_quiet
def als_sweep(
    X: Any,
    y: ArrayLike,
    loss: _Loss,
    w0: ArrayLike,
    w: ArrayLike,
    V: ArrayLike,
    *,
    curvature: float = 1.0,
    sample_weight: ArrayLike | None = None,
    l2_linear: float = 0.0,
    l2_factors: float = 0.0,
) -> tuple[_Array, _Array, _Array]:
    """One sweep of alternating least squares over the parameters of an FM with one output.

    The score is linear in w0; in w_j and v_j too, if the other parameters are held ::

        y(x) = const + w_j x_j + <v_j, h>,     h = x_j (sum_i v_i x_i - v_j x_j)

    So each of them in turn goes to the minimum of a quadratic: of the objective itself for the squared
    loss; else of the quadratic that has the loss and the derivative of the present scores, and a
    curvature that the loss nowhere exceeds (1/4 for the logistic loss). It lies above the loss. So no
    step makes the objective larger.

    The order: w0; then for the factors 0..15, 16..31, ... the columns, by their `colours` and then by
    number. A visit of column j changes w_j (in the first round only), and then these factors of v_j
    together, both of one quadratic. Where the minimum is not unique, the nearest is taken. At last
    the parameters of columns without values go to their minimum, which is 0 if there is a penalty.

    Parameters
    ----------
    X, y, loss, w0, w, V, sample_weight, l2_linear, l2_factors
        As for `objective`.
    curvature : float
        The largest second derivative of the loss by the score.

    Returns
    -------
    w0, w, V : ndarrays, float64
        The parameters after the sweep.

    Examples
    --------
    >>> w0, w, V = als_sweep([[1.0], [0.0]], [3.0, 1.0], squared_loss, 0.0, [0.0], [[0.0]])
    >>> print(w0, w, V)  # w0 goes to the mean, w_0 to what is left of the first row
    2.0 [1.] [[0.]]
    """
    X, (w0, w, V) = sp.csr_array(X), _float64(w0, w, V)
    w0, w, V, y = w0.copy(), w.copy(), V.copy(), np.asarray(y)
    weight = np.ones(X.shape[0]) if sample_weight is None else np.asarray(sample_weight, np.float64)
    X, y, weight = X[weight > 0], y[weight > 0], weight[weight > 0] / weight.sum()
    dense, colour_of = X.toarray(), colours(X)

    def slope() -> _Array:
        return loss(y, fm_score(X, w0, w, V))[1] / curvature

    w0 -= np.sum(weight * slope())
    order = np.lexsort((np.arange(len(w)), colour_of))
    for first in range(0, V.shape[1], 16):
        block = slice(first, first + 16)
        for j in order[np.sort(colour_of) >= 0]:
            x, c, e = dense[:, j], weight * curvature, slope()
            h = x[:, None] * (dense @ V[:, block] - np.outer(x, V[j, block]))
            if first == 0:
                step = -(np.sum(c * x * e) + l2_linear * w[j]) / (np.sum(c * x**2) + l2_linear)
                w[j] += step
                e = e + x * step
            gram = h.T @ (c[:, None] * h) + l2_factors * np.eye(h.shape[1])
            right = h.T @ (c * e) + l2_factors * V[j, block]
            V[j, block] -= np.linalg.lstsq(gram, right, rcond=None)[0]
    if l2_linear > 0:
        w[colour_of < 0] = 0
    if l2_factors > 0:
        V[colour_of < 0] = 0
    return w0, w, V


@_quiet
def ffm_als_sweep(
    X: Any,
    y: ArrayLike,
    loss: _Loss,
    w0: ArrayLike,
    w: ArrayLike,
    V: ArrayLike,
    fields: ArrayLike,
    *,
    curvature: Callable[[_Array], _Array],
    sample_weight: ArrayLike | None = None,
    l2_linear: float = 0.0,
    l2_factors: float = 0.0,
) -> tuple[_Array, _Array, _Array]:
    """One sweep of alternating least squares over the parameters of an FFM with one output.

    The parameters come in units: w0; for each field alone its w, and V[j, a] of its columns j, if two of them
    meet in a row; for each pair of fields a < b V[j, b] and then V[l, a] of their columns j and l. For a
    unit the loss of each row is replaced by the quadratic with the loss, the derivative and the
    curvature of the scores before the unit. It must lie above the loss. So no unit makes the
    objective larger. In a unit the columns are visited in ascending order: the score is linear in the
    parameter vector of one column ::

        y(x) = const + <V[j, b], h>,     h = x_j (sum of x_l V[l, a] over the columns l of field b, l != j)

    The factors 0..15, 16..31, ... of a vector go to the minimum together. Where that is not unique,
    the nearest is taken. At last the parameters that no row reaches go to their minimum, which is 0 if
    there is a penalty.

    Parameters
    ----------
    X, y, loss, w0, w, V, fields, sample_weight, l2_linear, l2_factors
        As for `objective`.
    curvature : callable
        Takes scores and returns the curvatures: ones for the squared loss, `logistic_curvature` for the
        logistic loss.

    Returns
    -------
    w0, w, V : ndarrays, float64
        The parameters after the sweep.

    Examples
    --------
    >>> X, y = [[1.0, 1.0], [0.0, 1.0]], [3.0, 1.0]
    >>> w0, w, V = ffm_als_sweep(
    ...     X, y, squared_loss, 0.0, [0.0, 0.0], np.zeros((2, 2, 1)), [0, 1], curvature=np.ones_like
    ... )
    >>> print(w0, w)  # w0: the mean; w_0: what is left of row 0; then w_1: the mean of what is left
    2.0 [ 1.  -0.5]
    """
    (w0, w, V), fields, y = _float64(w0, w, V), np.asarray(fields), np.asarray(y)
    w0, w, V, dense = w0.copy(), w.copy(), V.copy(), sp.csr_array(X).toarray()
    weight = np.ones(len(dense)) if sample_weight is None else np.asarray(sample_weight, np.float64)
    dense, y, weight = dense[weight > 0], y[weight > 0], weight[weight > 0] / weight.sum()
    held = (dense != 0).any(axis=0)
    n_in = np.array([(dense[:, fields == b] != 0).sum(axis=1).max(initial=0) for b in range(V.shape[1])])

    def quadratic() -> tuple[_Array, _Array]:
        scores = ffm_score(dense, w0, w, V, fields)
        return weight * loss(y, scores)[1], weight * curvature(scores)

    def visit(j: int, p: _Array, h: _Array, slopes: _Array, c: _Array, l2: float) -> None:
        """Moves p, and the slopes of the rows with it."""
        for first in range(0, len(p), 16):
            block = slice(first, first + 16)
            H = dense[:, [j]] * h[:, block]
            gram = H.T @ (c[:, None] * H) + l2 * np.eye(H.shape[1])
            step = -np.linalg.lstsq(gram, H.T @ slopes + l2 * p[block], rcond=None)[0]
            p[block] += step
            slopes += c * (H @ step)

    def field_sum(b: int, a: int) -> _Array:
        found: _Array = dense[:, fields == b] @ V[fields == b, a]
        return found

    slopes, c = quadratic()
    w0 -= np.sum(slopes) / np.sum(c)
    columns = [np.flatnonzero(held & (fields == a)).tolist() for a in range(V.shape[1])]
    for a, members in enumerate(columns):
        slopes, c = quadratic()
        for j in members:
            visit(j, w[j : j + 1], np.ones((len(dense), 1)), slopes, c, l2_linear)
        for j in members if n_in[a] > 1 else ():
            for first in range(0, V.shape[2], 16):
                p = V[j, a, first : first + 16]
                h = field_sum(a, a)[:, first : first + 16] - dense[:, [j]] * p
                visit(j, p, h, slopes, c, l2_factors)
    for a in range(V.shape[1]):
        for b in range(a + 1, V.shape[1]):
            if columns[a] and columns[b]:
                slopes, c = quadratic()
                for mine, other in (a, b), (b, a):
                    h = field_sum(other, mine)
                    for j in columns[mine]:
                        visit(j, V[j, other], h, slopes, c, l2_factors)
    if l2_linear > 0:
        w[~held] = 0
    if l2_factors > 0:
        V[~held] = 0
        V[:, n_in == 0] = 0
        V[np.arange(len(w)), fields] *= (n_in > 1)[fields][:, None]
    return w0, w, V


def logistic_curvature(scores: _Array) -> _Array:
    """The least curvature of a quadratic that touches the logistic loss at a score, and lies above it.

    It is ``tanh(s / 2) / (2 s)``: 1/4 at 0, and less elsewhere.

    Parameters
    ----------
    scores : ndarray

    Returns
    -------
    curvatures : ndarray

    Examples
    --------
    >>> print(logistic_curvature(np.array([0.0, 4.0])).round(4))
    [0.25   0.1205]
    """
    half = np.where(scores == 0, 1.0, scores) / 2
    return np.where(scores == 0, 0.25, np.tanh(half) / (4 * half))


def _updated(
    rule: _Rule, p: _Array, g: _Array, state: _State, step: int, touched: NDArray[np.bool_]
) -> _Array:
    """The new values of p. Parameters that no row touches stay, and so does their state."""
    if not state:
        rule(p, np.zeros_like(p), state, step)  # makes the first state, which a gradient of 0 does not change
    before = {name: array.copy() for name, array in state.items()}
    new = rule(p, g, state, step)
    for name, array in state.items():
        array[~touched] = before[name][~touched]
    return np.where(touched, new, p)


def _losses(
    X: Any,
    y: ArrayLike,
    loss: _Loss,
    w0: ArrayLike,
    w: ArrayLike,
    V: ArrayLike,
    fields: ArrayLike | None,
    sample_weight: ArrayLike | None,
) -> tuple[_Array, _Array, _Array]:
    """Losses of the rows, their derivatives by the scores, and the rows' shares of the total weight."""
    scores = fm_score(X, w0, w, V) if fields is None else ffm_score(X, w0, w, V, fields)
    row_losses, grad_scores = loss(y, scores)
    weight = np.ones(len(scores)) if sample_weight is None else _float64(sample_weight)[0]
    if not np.sum(weight) > 0:
        raise ValueError("the weights of the rows sum to zero")
    return row_losses, grad_scores, weight / np.sum(weight)


def _float64(*arrays: ArrayLike) -> list[_Array]:
    return [np.asarray(array, dtype=np.float64) for array in arrays]
