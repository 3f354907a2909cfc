"""`train` over shards: rounds of epochs in each shard and a merge, or of exact L-BFGS."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from fastfm_c._validation import as_count, require_choice
from fastfm_c.distributed._checkpoint import Keeper
from fastfm_c.distributed._engine import Engine, ThisProcess, sources_of
from fastfm_c.distributed._local import local_scores, local_targets
from fastfm_c.distributed._rounds import AveragedRounds, ExactRounds, ShardRows
from fastfm_c.distributed._shards import Expected
from fastfm_c.losses import Loss
from fastfm_c.models import FFM, FM
from fastfm_c.solvers._base import require_trainable
from fastfm_c.training import EpochInfo, History
from fastfm_c.training._monitor import Validation
from fastfm_c.training._train import create_solver
from fastfm_c.training._train import train_on as train_on_rows

__all__ = ["expected_of", "train", "train_on"]

_Callback = Callable[[EpochInfo], Any]
_ROUNDS: dict[str, type[AveragedRounds | ExactRounds]] = {"adagrad": AveragedRounds, "lbfgs": ExactRounds}


def train(
    model: FM | FFM,
    shards: Iterable[Any],
    loss: Loss,
    *,
    solver: str = "adagrad",
    max_iter: int | None = None,
    rng: Any = 0,
    eval_set: Iterable[Any] = (),
    callbacks: _Callback | Sequence[_Callback] = (),
    num_threads: int | None = None,
    **options: Any,
) -> History:
    """Train a model in place from shards of rows, in this process.

    The result depends on the shards and their order, and on nothing else: `fastfm_c.dask.train` gives the
    same bits, with any number of workers.

    Parameters
    ----------
    model : FM or FFM
        Its parameters are those that the training begins with.
    shards : iterable of (X, y), (X, y, sample_weight) or callable
        A callable returns such a tuple. It is called in every round, and its rows are forgotten, so that the
        shards may be larger than the memory. Shards may have no rows.
    loss : SquaredLoss, LogisticLoss or SoftmaxLoss
    solver : {"adagrad", "lbfgs"}
        ``"adagrad"``: in each round every shard is learned from once, beginning with the same parameters. The
        changes of a feature are averaged, weighted by its occurrences in each shard; so are accumulators.
        ``"lbfgs"`` minimises the exact objective of all rows; a gradient takes a look at every shard.
    max_iter : int, optional
        Most rounds: 10 by default, 100 with ``"lbfgs"``.
    rng : int or numpy.random.Generator
        Decides about the order of rows in each shard and round.
    eval_set : iterable of shards
        Validation rows, in as many shards as you like.
    callbacks : callable or sequence of callables
        As for `fastfm_c.train`; an epoch is a round.
    num_threads : int, optional
    **options
        ``early_stopping``, ``n_iter_no_change``, ``tol``, ``verbose`` as for `fastfm_c.train`.
        ``checkpoint``, a path: the file holds the training after each ``checkpoint_every`` rounds, 1 by
        default. With ``resume=True`` the training goes on from this file, if it is there, to the bits that
        it has without an interruption. With ``"lbfgs"`` the search begins anew at each checkpoint, with the
        parameters that it has: take 20 rounds or more.
        All others are options of the solver: ``learning_rate``, ``schedule``, ``batch_size``, ``l2_linear``,
        ``l2_factors``, ``clip_value``, ``normalize``, ``initial_accumulator`` of `AdaGrad`; the two of L2 for
        ``"lbfgs"``.

    Returns
    -------
    History
        The loss of a round is the progressive loss of all shards, or with ``"lbfgs"`` the objective.

    Raises
    ------
    ValueError
        For what `fastfm_c.train` refuses. The message names the shard and the row.
    DivergenceError
        Likewise. The model has the parameters of the last complete round.

    Examples
    --------
    >>> import numpy as np
    >>> from scipy.sparse import csr_array
    >>> from fastfm_c import FM, LogisticLoss
    >>> X, y = csr_array(np.tile(np.eye(4), (50, 1))), np.tile([0, 1, 0, 1], 50)
    >>> shards = [(X[:120], y[:120]), (X[120:], y[120:])]
    >>> model = FM.random(4, 2, rng=0)
    >>> history = train(model, shards, LogisticLoss(), max_iter=5, learning_rate=0.5)
    >>> history.loss[-1] < history.loss[0]
    True
    """
    expected, eval_set = expected_of(model, loss, num_threads), list(eval_set)
    engine = ThisProcess(sources_of(shards, expected), sources_of(eval_set, expected))
    options |= {"solver": solver, "max_iter": max_iter, "rng": rng, "callbacks": callbacks}
    return train_on(engine, model, loss, bool(eval_set), num_threads, **options)


def expected_of(model: FM | FFM, loss: Loss, num_threads: int | None) -> Expected:
    """What shards must be like for this model, which must be fit to be trained."""
    require_trainable(model, loss)
    if model.repeats != "sum":
        raise ValueError('model.repeats is "separate", expected "sum"')
    n_outputs = model.n_outputs if model._snapshot().has_outputs else None
    return Expected(loss, model.n_features, n_outputs, num_threads)


def train_on(
    engine: Engine,
    model: FM | FFM,
    loss: Loss,
    has_validation: bool,
    num_threads: int | None = None,
    *,
    solver: str = "adagrad",
    max_iter: int | None = None,
    rng: Any = 0,
    early_stopping: Any = None,
    n_iter_no_change: int | None = None,
    tol: float = 1e-4,
    callbacks: Any = (),
    verbose: bool | int = False,
    checkpoint: Any = None,
    checkpoint_every: int = 1,
    resume: bool = False,
    **solver_options: Any,
) -> History:
    """`train` with the shards of an engine. This is all that the engines have in common."""
    require_choice(solver, "solver", tuple(_ROUNDS))
    if early_stopping not in (None, False) and not has_validation:
        raise ValueError("early_stopping needs validation rows: pass shards of them as eval_set")
    rounds: Any = create_solver(solver, _ROUNDS, model, loss, num_threads, solver_options)
    rounds.keeper = Keeper(checkpoint, as_count(checkpoint_every, "checkpoint_every"), resume, solver)
    data: Any = ShardRows(engine, model.n_features)
    return train_on_rows(
        data,
        rounds,
        max_iter=rounds.default_max_iter if max_iter is None else max_iter,
        eval_set=ShardValidation(engine) if has_validation else None,
        validation_fraction=0.0,
        early_stopping=early_stopping,
        n_iter_no_change=n_iter_no_change,
        tol=tol,
        shuffle=True,
        callbacks=callbacks,
        verbose=verbose,
        rng=rng,
        num_threads=num_threads,
    )


class ShardValidation(Validation):
    """A metric of all validation rows: their scores come to this process, one number a row."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        targets, weights = zip(*engine.each(local_targets), strict=True)
        self.y, self.weight = np.concatenate(targets), {}
        if not len(self.y):
            raise ValueError("eval_set has no rows")
        if any(weight is not None for weight in weights):
            full = (np.ones(len(y)) if w is None else w for y, w in zip(targets, weights, strict=True))
            self.weight = {"sample_weight": np.concatenate(list(full))}

    def bound(self, metric: Callable[..., float], num_threads: int | None) -> Self:
        """These rows, with a metric."""
        self.metric, self.greater_is_better = metric, bool(getattr(metric, "greater_is_better", False))
        return self

    def scores(self) -> NDArray[np.float64]:
        scores = np.concatenate([*self._engine.each(local_scores)])
        return scores.astype(np.float64, copy=False)
