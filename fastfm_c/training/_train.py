"""`train`: epochs of a solver over the rows, with validation, early stopping and progress."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastfm_c._validation import as_count, as_not_negative
from fastfm_c.losses import Loss, SquaredLoss
from fastfm_c.solvers import SOLVERS, AlsSolver, Solver, TrainingRows
from fastfm_c.solvers._base import Model
from fastfm_c.solvers._callbacks import as_callbacks
from fastfm_c.solvers._exact import ExactSolver
from fastfm_c.training._history import EpochInfo, History
from fastfm_c.training._holdout import hold_out
from fastfm_c.training._lbfgs import LbfgsSolver
from fastfm_c.training._metrics import loss_name, metric_of
from fastfm_c.training._monitor import Monitor, Unmetered, validation_of
from fastfm_c.training._progress import reporter

__all__ = ["create_solver", "solver_of", "train", "train_on"]

_Callback = Callable[[EpochInfo], Any]
_Metric = bool | str | Callable[..., float] | None
_MAX_ITER_WITH_STOPPING = 100
_SOLVERS: dict[str, type[Solver]] = {**SOLVERS, "lbfgs": LbfgsSolver, "als": AlsSolver}


def train(
    model: Model,
    X: Any,
    y: Any,
    loss: Loss,
    *,
    solver: str | Solver = "adagrad",
    max_iter: int | None = None,
    sample_weight: Any = None,
    eval_set: tuple[Any, ...] | None = None,
    validation_fraction: float = 0.1,
    early_stopping: _Metric = None,
    n_iter_no_change: int | None = None,
    tol: float = 1e-4,
    shuffle: bool = True,
    callbacks: _Callback | Sequence[_Callback] = (),
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
    solver : {"adagrad", "sgd", "adam", "ftrl", "lbfgs", "als"} or a solver object
        ``"lbfgs"`` and ``"als"`` minimise the exact objective; their iterations, and sweeps over the
        columns, count as epochs here. ``"als"`` is for models of one output with `SquaredLoss` or
        `LogisticLoss`. An object is one made for this model and this loss; it keeps its state for
        further training, of the last epoch even where the parameters become those of the best.
    max_iter : int, optional
        Most epochs. By default 10, 20 with ``"als"``, or 100 with early stopping or ``"lbfgs"``.
    sample_weight : array_like of shape (n_rows,), optional
    eval_set : (X, y) or (X, y, sample_weight), optional
        Validation rows. Their metric value enters the history after each epoch; it decides about the
        end of the training only with `early_stopping`.
    validation_fraction : float
        With `early_stopping` and no `eval_set`: the share of the rows, chosen by `rng`, that is
        held out for validation, with the same share of each class. The rows to learn from are not copied.
    early_stopping : bool, {"log_loss", "auc", "accuracy", "rmse"} or callable, optional
        Stop when the validation metric no longer gets better, and restore the parameters of the
        epoch where it was best, also after an interruption. These are kept in memory, as many bytes
        as ``model.nbytes``. True: the mean of `loss`.
        ``"log_loss"`` is that of `LogisticLoss` or `SoftmaxLoss` without label smoothing. A
        callable is called as ``metric(y, scores)``, with ``sample_weight=`` if validation rows
        have weights, on float64 raw scores (no probabilities), and smaller is better unless it
        has a true attribute ``greater_is_better``. It is called before the first epoch as well,
        so that its errors come early. A value that is nan is never the best.
    n_iter_no_change : int, optional
        Stop after so many epochs without an improvement of more than `tol`. By default 5, and 10
        with ``"lbfgs"``. Where single columns tell nothing and only pairs do, the factors may need
        more epochs before anything gets better.
    tol : float
        Smallest change of the metric that counts as an improvement. ``"lbfgs"`` also ends where an iteration
        makes the objective smaller by a share of less than 2e-9, or less than `tol` if that is smaller;
        ``"als"`` where a sweep makes it smaller by less than `tol`. With 0 both go on until rounding hides
        all progress.
    shuffle : bool
        Learn from the rows in a new random order in each epoch; not with ``"lbfgs"`` and ``"als"``.
    callbacks : callable or sequence of callables
        Each is called with an `EpochInfo` after each epoch; one that returns True ends the training.
    verbose : bool or int
        Show the progress on stderr: a bar if tqdm is installed, else lines.
    rng : int or numpy.random.Generator, optional
        Decides about held-out rows and orders; anything that `numpy.random.default_rng` takes.
    num_threads : int, optional
        By default all that the process may use. A solver object keeps its own number.
    **solver_options
        Arguments of the solver, such as ``learning_rate``, ``schedule``, ``l2_linear``, ``l2_factors``
        and ``batch_size``; see `SGD`. ``"lbfgs"`` and ``"als"`` take the two of L2. None with an object.

    Returns
    -------
    History

    Raises
    ------
    ValueError
        For unknown names, malformed or non-finite data, no rows of positive weight, and too few rows to
        hold some out.
    MemoryError
        If there is no room for the parameters of the best epoch, before anything is learned.
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
    learner = solver_of(solver, model, loss, num_threads, solver_options)
    data = learner.prepare(X, y, sample_weight)
    return train_on(
        data,
        learner,
        max_iter=max_iter,
        eval_set=eval_set,
        validation_fraction=validation_fraction,
        early_stopping=early_stopping,
        n_iter_no_change=n_iter_no_change,
        tol=tol,
        shuffle=shuffle,
        callbacks=callbacks,
        verbose=verbose,
        rng=rng,
        num_threads=num_threads,
    )


def train_on(
    data: TrainingRows,
    solver: Solver,
    *,
    max_iter: int | None,
    eval_set: tuple[Any, ...] | Unmetered | None,
    validation_fraction: float,
    early_stopping: _Metric,
    n_iter_no_change: int | None,
    tol: float,
    shuffle: bool,
    callbacks: _Callback | Sequence[_Callback],
    verbose: bool | int,
    rng: Any,
    num_threads: int | None,
    rows: NDArray[np.int64] | None = None,
) -> History:
    """`train` with a solver that has prepared the rows: for those who need what is known of them before.

    The parameters are those of `train`; `data` is what ``solver.prepare`` returned. `rows` are those to learn
    from, where the caller has chosen the validation rows; None: all, or those that are not held out.
    """
    stopping = early_stopping not in (None, False)
    metric_name, metric = metric_of(early_stopping, solver.loss)
    if max_iter is None:
        max_iter = max(solver.default_max_iter, _MAX_ITER_WITH_STOPPING if stopping else 0)
    if n_iter_no_change is None:
        n_iter_no_change = solver.default_patience
    max_iter, patience = as_count(max_iter, "max_iter"), as_count(n_iter_no_change, "n_iter_no_change")
    tol, rng = as_not_negative(tol, "tol"), np.random.default_rng(rng)
    callbacks = as_callbacks(callbacks)
    data.require_weight()

    if stopping and eval_set is None:
        rows, eval_set = _hold_out(data, solver.loss, validation_fraction, rng)
    history, validation = History(data.n_rows if rows is None else len(rows)), None
    history.loss_name = loss_name(solver.loss) + " + L2" * isinstance(solver, ExactSolver)
    if eval_set is not None:
        history.metric = metric_name
        validation = validation_of(eval_set, solver.model, metric, num_threads)
    report = reporter(verbose, max_iter, history.rows)
    watched = Monitor(
        solver.model, history, validation, patience if stopping else None, tol, callbacks, report
    )
    with watched as monitor:
        history.stop_reason = solver.run(data, rows, rng if shuffle else None, max_iter, monitor)
    return history


def _hold_out(
    data: TrainingRows, loss: Loss, fraction: float, rng: np.random.Generator
) -> tuple[NDArray[np.int64], tuple[Any, ...]]:
    """The rows to learn from, and the others as an eval_set."""
    is_classes = not isinstance(loss, SquaredLoss)
    rows, held_out = hold_out(data.n_rows, fraction, rng, classes=data.y.astype(int) if is_classes else None)
    weight = data.sample_weight
    if weight is not None:
        if not np.any(weight[rows]):
            raise ValueError("all rows of positive sample_weight were held out: pass an eval_set")
        weight = weight[held_out]
    return rows, (data.X[held_out], data.y[held_out], weight)


def solver_of(
    solver: object, model: Model, loss: Loss, num_threads: int | None, options: dict[str, Any]
) -> Solver:
    """A new solver of this name, or the solver object if it fits."""
    if isinstance(solver, str):
        return create_solver(solver, _SOLVERS, model, loss, num_threads, options)
    if not isinstance(solver, Solver):
        raise ValueError(f"solver must be one of {', '.join(_SOLVERS)} or a solver object, got {solver!r}")
    if solver.model is not model or solver.loss != loss:
        raise ValueError("the solver was made for another model or another loss than those given")
    if options:
        raise ValueError(f"a solver object has its options already, got {', '.join(options)}")
    return solver


def create_solver(
    name: str,
    solvers: Mapping[str, type[Solver]],
    model: Model,
    loss: Loss,
    num_threads: int | None,
    options: dict[str, Any],
) -> Solver:
    """A new solver of the class of this name."""
    if name not in solvers:
        raise ValueError(f"solver must be one of {', '.join(solvers)}, got {name!r}")
    create: Any = solvers[name]  # a class, whose constructor no protocol describes
    known: tuple[str, ...] = create.option_names
    if unknown := sorted(options.keys() - set(known)):
        raise ValueError(f"solver={name!r} takes {', '.join(known)}; got {', '.join(unknown)}")
    made: Solver = create(model, loss, num_threads=num_threads, **options)
    return made
