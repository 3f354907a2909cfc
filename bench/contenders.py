"""Everybody who predicts: fastfm_c and its peers, each written as a competent user would.

What a user can prepare once for many predictions (norms of the factors, tensors that share the
arrays, squared values) is prepared before the clock starts. All work in float32 on the same arrays.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib.util import find_spec

import numpy as np

from .field_sums import scipy_ffm, torch_ffm
from .probe import LimitProbe
from .problem import Problem, make_model

LIBRARY = "fastfm_c"
LIMIT = "limit"


@dataclass(frozen=True)
class Contender:
    """``predict(num_threads)`` returns the scores of a problem, or None if it is not a prediction.

    ``set_threads`` is called before, outside the measured time. A contender that is not
    ``parallel`` is measured with one thread only.
    """

    name: str
    predict: Callable[[int], np.ndarray | None]
    set_threads: Callable[[int], None] = lambda num_threads: None
    parallel: bool = True


def contenders(problem: Problem, threads: list[int], peers: list[str]) -> list[Contender]:
    """fastfm_c first, then those of the peers that are installed and apply, then the limit."""
    model = make_model(problem)
    scores = np.empty(problem.X.shape[0], np.float32)
    probe = LimitProbe(problem.X, model.w, model.V, threads)
    found = [Contender(LIBRARY, lambda n: model.predict(problem.X, out=scores, num_threads=n))]
    for name in peers:
        contender = PEERS[name](problem) if find_spec(MODULES[name]) else None
        if contender:
            found.append(contender)
    return [*found, Contender(LIMIT, probe.run)]


def training_steps(problem: Problem) -> list[Contender]:
    """The objective and its dense gradient: no predictions, but timed beside them."""
    import fastfm_c

    model, loss = make_model(problem), fastfm_c.LogisticLoss()

    def objective(num_threads: int) -> None:
        model.objective(problem.X, problem.y, loss, num_threads=num_threads)

    def gradient(num_threads: int) -> None:
        model.gradient(problem.X, problem.y, loss, num_threads=num_threads)

    return [Contender("objective", objective), Contender("gradient", gradient)]


def modern_fm(problem: Problem) -> Contender:
    import modern_fm

    if problem.model == "FM":
        model = modern_fm.FMClassifier(n_factors=problem.n_factors, dtype="float32")
    else:
        model = modern_fm.FFMClassifier(n_factors=problem.n_factors, dtype="float32")
        model.field_ids_ = problem.fields.astype(np.int64)
        model.n_fields_ = problem.n_fields
    model.w0_, model.w_, model.V_ = problem.w0, problem.w, problem.V
    model.classes_ = np.array([0, 1])
    model.n_features_in_ = problem.X.shape[1]
    return Contender("modern-fm", lambda n: model.decision_function(problem.X), parallel=False)


def scipy(problem: Problem) -> Contender:
    X, w0, w, V = problem.X, np.float32(problem.w0), problem.w, problem.V
    X_squared, squared_norms = X.multiply(X).tocsr(), problem.squared_norms()

    def fm_scores(num_threads: int) -> np.ndarray:
        S = X @ V
        pairs = np.einsum("if,if->i", S, S) - X_squared @ squared_norms
        return w0 + X @ w + np.float32(0.5) * pairs

    predict = fm_scores if problem.model == "FM" else scipy_ffm(problem)
    return Contender("scipy", predict, parallel=False)


def numba(problem: Problem) -> Contender:
    from numba import set_num_threads

    from .numba_kernels import ffm_scores, fm_scores

    X, fields = problem.X, problem.fields
    parameters = problem.w0, problem.w, problem.V
    scores = np.empty(X.shape[0], np.float32)
    if problem.model == "FM":
        arguments = X.indptr, X.indices, X.data, *parameters, problem.squared_norms(), scores
    else:
        arguments = X.indptr, X.indices, X.data, fields, *parameters, scores

    def predict(num_threads: int) -> np.ndarray:
        fm_scores(*arguments) if problem.model == "FM" else ffm_scores(*arguments)
        return scores

    return Contender("numba", predict, set_num_threads)


def torch(problem: Problem) -> Contender:
    """Two bags: of [V, w] weighted by x, and of |v|^2 weighted by x^2."""
    import torch

    if problem.model == "FFM":
        return Contender("torch", torch_ffm(problem), torch.set_num_threads)
    k = problem.n_factors
    bag = _torch_bag(problem)
    table = torch.from_numpy(np.column_stack([problem.V, problem.w]))
    norms = torch.from_numpy(problem.squared_norms()).view(-1, 1)
    x = torch.from_numpy(problem.X.data)
    x_squared = x * x

    @torch.inference_mode()
    def predict(num_threads: int) -> np.ndarray:
        sums = bag(table, x)
        S, linear = sums[:, :k], sums[:, k]
        pairs = (S * S).sum(1) - bag(norms, x_squared)[:, 0]
        return (problem.w0 + linear + 0.5 * pairs).numpy()

    return Contender("torch", predict, torch.set_num_threads)


def torch_one_hot(problem: Problem) -> Contender | None:
    """One bag of [V, w, |v|^2], which is the model only if every value is 1."""
    if problem.model == "FFM" or (problem.X.data != 1).any():
        return None
    import torch

    k = problem.n_factors
    bag = _torch_bag(problem)
    columns = problem.V, problem.w, problem.squared_norms()
    table = torch.from_numpy(np.column_stack(columns))

    @torch.inference_mode()
    def predict(num_threads: int) -> np.ndarray:
        sums = bag(table, None)
        S, linear, norms = sums[:, :k], sums[:, k], sums[:, k + 1]
        return (problem.w0 + linear + 0.5 * ((S * S).sum(1) - norms)).numpy()

    return Contender("torch-onehot", predict, torch.set_num_threads)


def _torch_bag(problem: Problem) -> Callable:
    """EmbeddingBag over the rows of X: (table, values or None) -> sums of table rows."""
    import torch

    indices = torch.from_numpy(problem.X.indices)
    offsets = torch.from_numpy(problem.X.indptr[:-1])
    bag = torch.nn.functional.embedding_bag
    return lambda table, x: bag(indices, table, offsets, mode="sum", per_sample_weights=x)


PEERS = {
    "modern-fm": modern_fm,
    "scipy": scipy,
    "numba": numba,
    "torch": torch,
    "torch-onehot": torch_one_hot,
}
MODULES = {
    "modern-fm": "modern_fm",
    "scipy": "scipy",
    "numba": "numba",
    "torch": "torch",
    "torch-onehot": "torch",
}
