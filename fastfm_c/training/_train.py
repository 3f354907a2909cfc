"""`train`: epochs of a solver over the rows, with validation, early stopping and progress."""

from collections.abc import Callable, Sequence
from typing import Any, TypeAlias

import numpy as np

from fastfm_c import _core
from fastfm_c._validation import as_count, as_not_negative, as_weights
from fastfm_c.losses import Loss
from fastfm_c.solvers import SGD, SOLVERS
from fastfm_c.solvers._base import Solver
from fastfm_c.training._history import EpochInfo, History
from fastfm_c.training._lbfgs import fit_lbfgs
from fastfm_c.training._metrics import metric_of
from fastfm_c.training._monitor import Monitor, Validation, as_matrix
from fastfm_c.training._progress import reporter

__all__ = ["train"]

_Model: TypeAlias = _core.FM | _core.FFM


def train(
    model: _Model,
    X: Any,
    y: Any,
    loss: Loss,
    *,
    solver: Any = "adagrad",
    max_iter: int | None = None,
    sample_weight: Any = None,
    eval_set: tuple[Any, ...] | None = None,
    validation_fraction: float = 0.1,
    early_stopping: bool | str | Callable[..., float] | None = None,
    n_iter_no_change: int | None = None,
    tol: float = 1e-4,
    shuffle: bool = True,
    callbacks: Callable[[EpochInfo], Any] | Sequence[Callable[[EpochInfo], Any]] = (),
    verbose: bool | int = False,
    rng: Any = None,
    num_threads: int | None = None,
    **solver_options: Any,
) -> History:
    """Train a model in place, from the parameters that it has.

    Parameters
    ----------
    model : FM or FFM
        Its factors must not all be zero, or they stay zero; see `FM.random`.
    X : scipy.sparse.csr_array of shape (n_rows, n_features), float32 or float64
        Finite. Other sparse formats and dense arrays are converted once.
    y : array_like of shape (n_rows,)
    loss : SquaredLoss, LogisticLoss or SoftmaxLoss
    solver : {"adagrad", "sgd", "adam", "ftrl", "lbfgs"} or a solver object
        ``"lbfgs"`` minimises the exact objective; its iterations count as epochs here. An object
        is one made for this model and this loss; it keeps its state for further training, of the
        last epoch even where the parameters become those of the best.
    max_iter : int, optional
        Most epochs. By default 10, or 100 with early stopping or ``"lbfgs"``.
    sample_weight : array_like of shape (n_rows,), optional
    eval_set : (X, y) or (X, y, sample_weight), optional
        Validation rows. Their figure enters the history after each epoch; it decides about the
        end of the training only with `early_stopping`.
    validation_fraction : float
        With `early_stopping` and no `eval_set`: the share of the rows, chosen by `rng`, that is
        held out for validation. The rows to learn from are not copied.
    early_stopping : bool, {"log_loss", "auc", "rmse"} or callable, optional
        Stop when the validation figure no longer gets better, and restore the parameters of the
        epoch where it was best, also after an interruption. True: the mean of `loss`.
        ``"log_loss"`` is that of `LogisticLoss` or `SoftmaxLoss` without label smoothing. A
        callable is called as ``metric(y, scores)``, with ``sample_weight=`` if validation rows
        have weights, on float64 raw scores (no probabilities), and smaller is better unless it
        has a true attribute ``greater_is_better``. It is called before the first epoch as well,
        so that its errors come early. A figure that is nan is never the best.
    n_iter_no_change : int, optional
        Stop after so many epochs without an improvement of more than `tol`. By default 5, and 10
        with ``"lbfgs"``. Where single columns tell nothing and only pairs do, the factors may need
        more epochs before anything gets better.
    tol : float
        Smallest change of the figure that counts as an improvement.
    shuffle : bool
        Learn from the rows in a new random order in each epoch; not with ``"lbfgs"``.
    callbacks : callable or sequence of callables
        Each is called with an `EpochInfo` after each epoch; one that returns True ends the training.
    verbose : bool or int
        Show the progress on stderr: a bar if tqdm is installed, else lines.
    rng : int or numpy.random.Generator, optional
        Decides about held-out rows and orders; anything that `numpy.random.default_rng` takes.
    num_threads : int, optional
        By default all that the process may use. A solver object keeps its own number.
    **solver_options
        Arguments of the solver, such as ``learning_rate``, ``l2_linear``, ``l2_factors`` and
        ``batch_size``; ``"lbfgs"`` takes the two of L2. None with a solver object.

    Returns
    -------
    History

    Raises
    ------
    ValueError
        For unknown names, malformed or non-finite data, and too few rows to hold some out.
    DivergenceError
        If a loss or a parameter is no longer finite; it names the epoch, the learning rate and
        the largest ``|x|``.
    KeyboardInterrupt
        Passed on. After this, or any other exception, the model is usable: it has the parameters
        of the best epoch with early stopping, if there was one, else the last finite ones.

    Examples
    --------
    >>> import numpy as np, scipy.sparse as sp
    >>> from fastfm_c import FM, LogisticLoss
    >>> X = sp.csr_array(np.tile([[1.0, 0.0], [0.0, 1.0], [1.0, 1.0], [0.0, 0.0]], (100, 1)))
    >>> y = np.tile([1.0, 1.0, 0.0, 0.0], 100)  # exclusive or: no linear model fits it
    >>> model = FM.random(2, 2, init_stdev=0.5, rng=0)
    >>> history = train(model, X, y, LogisticLoss(), max_iter=30, learning_rate=0.3, rng=0)
    >>> model.predict(X[:4]) > 0
    array([ True,  True, False, False])
    >>> history.n_iter, history.stop_reason
    (30, 'max_iter')
    """
    stopping = early_stopping not in (None, False)
    lbfgs = isinstance(solver, str) and solver == "lbfgs"
    learner = (_Minimiser if lbfgs else _Epochs)(solver, model, loss, num_threads, solver_options)
    metric_name, metric = metric_of(early_stopping, loss)
    if max_iter is None:
        max_iter = 100 if lbfgs or stopping else 10
    if n_iter_no_change is None:
        n_iter_no_change = 10 if lbfgs else 5
    max_iter, patience = as_count(max_iter, "max_iter"), as_count(n_iter_no_change, "n_iter_no_change")
    tol, rng = as_not_negative(tol, "tol"), np.random.default_rng(rng)
    callbacks = (callbacks,) if callable(callbacks) else tuple(callbacks)

    X = as_matrix(X)
    learner.prepare(X, y, sample_weight)  # refuses malformed rows, which SciPy must not slice
    rows = None
    if stopping and eval_set is None:
        rows, eval_set = _hold_out(X, y, sample_weight, validation_fraction, rng)
    history, validation = History(X.shape[0] if rows is None else len(rows)), None
    if eval_set is not None:
        history.metric = metric_name
        validation = Validation(model, eval_set, metric, num_threads)
    report = reporter(verbose, max_iter, history.rows)
    with Monitor(
        model, history, validation, patience if stopping else None, tol, callbacks, report
    ) as monitor:
        learner.learn(monitor, rows, max_iter, rng if shuffle else None)
    return history


def _hold_out(X, y, sample_weight, fraction, rng):
    """The rows to learn from, and the others as an eval_set; X is sound."""
    n_rows = X.shape[0]
    if not 0 < fraction < 1:
        raise ValueError(f"validation_fraction must be in (0, 1), got {fraction!r}")
    n_held_out = round(fraction * n_rows)
    if not 0 < n_held_out < n_rows:
        raise ValueError(
            f"validation_fraction={fraction} holds out {n_held_out} of {n_rows} rows: "
            "at least one must be left on either side"
        )
    order = rng.permutation(n_rows).astype(np.int64, copy=False)
    held_out, rows = np.sort(order[:n_held_out]), np.sort(order[n_held_out:])
    y, weight = np.asarray(y)[held_out], None
    if sample_weight is not None:
        weight = np.asarray(sample_weight)
        if not np.any(weight[rows]):
            raise ValueError("all rows of positive sample_weight were held out: pass an eval_set")
        weight = weight[held_out]
    return rows, (X[held_out], y, weight)


class _Epochs:
    """A stochastic solver: epochs over the rows."""

    def __init__(self, solver, model, loss, num_threads, options):
        if not isinstance(solver, str):
            self.solver = _of_this_model(solver, model, loss, options)
            return
        if solver not in SOLVERS:
            raise ValueError(f"solver must be one of {', '.join([*SOLVERS, 'lbfgs'])}, got {solver!r}")
        kind = SOLVERS[solver]
        _require_known(options, kind.option_names, solver)
        self.solver = kind(model, loss, num_threads=num_threads, **options)

    def prepare(self, X, y, sample_weight):
        self.data = self.solver.prepare(X, y, sample_weight)

    def learn(self, monitor, rows, max_iter, rng):
        reason = self.solver.run(self.data, rows, rng, max_iter, monitor)
        monitor.history.stop_reason = reason


class _Minimiser:
    """L-BFGS: an iteration counts as an epoch."""

    def __init__(self, solver, model, loss, num_threads, options):
        _require_known(options, ["l2_linear", "l2_factors"], solver)
        self.model, self.loss, self.options = model, loss, options | {"num_threads": num_threads}
        self.checks = SGD(model, loss, **self.options)

    def prepare(self, X, y, sample_weight):
        self.checks.prepare(X, y, sample_weight)
        self.X, self.y, self.weight = X, y, as_weights(sample_weight, X.shape[0])

    def learn(self, monitor, rows, max_iter, rng):
        """Iterate until it is over. Rows that are held out get no weight: X is not copied."""
        weight = self.weight
        if rows is not None:
            weight = np.zeros(self.X.shape[0])
            weight[rows] = 1.0 if self.weight is None else self.weight[rows]
        reason = None

        def callback(n_iter, objective):
            nonlocal reason
            if (reason := monitor.after_epoch(objective)) is not None:
                raise StopIteration

        options = self.options | {"sample_weight": weight, "max_iter": max_iter, "callback": callback}
        result = fit_lbfgs(self.model, self.X, self.y, self.loss, **options)
        if result.success:
            reason = reason or "converged"
        monitor.history.stop_reason = reason or ("max_iter" if result.nit >= max_iter else result.message)


def _of_this_model(solver, model, loss, options):
    """The solver object, if it fits."""
    if not isinstance(solver, Solver):
        choices = ", ".join([*SOLVERS, "lbfgs"])
        raise ValueError(f"solver must be one of {choices} or a solver object, got {solver!r}")
    if solver.model is not model or solver.loss != loss:
        raise ValueError("the solver was made for another model or another loss than those given")
    if options:
        raise ValueError(f"a solver object has its options already, got {', '.join(options)}")
    return solver


def _require_known(options, known, solver):
    if unknown := sorted(options.keys() - set(known)):
        raise ValueError(f"solver={solver!r} takes {', '.join(known)}; got {', '.join(unknown)}")
