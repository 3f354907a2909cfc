"""Solvers: SGD, AdaGrad, Adam, FTRL and ALS, and the protocol that `fastfm_c.train` knows all solvers by."""

from fastfm_c.solvers._als import AlsSolver, require_columns
from fastfm_c.solvers._base import Observer, Solver, TrainingRows
from fastfm_c.solvers._restore import restore_solver
from fastfm_c.solvers._rules import FTRL, SGD, AdaGrad, Adam
from fastfm_c.solvers._stochastic import StochasticSolver

__all__ = [
    "FTRL",
    "SGD",
    "SOLVERS",
    "AdaGrad",
    "Adam",
    "AlsSolver",
    "Observer",
    "Solver",
    "StochasticSolver",
    "TrainingRows",
    "require_columns",
    "restore_solver",
]

# The stochastic solvers by the names that `train` and the estimators take.
SOLVERS: dict[str, type[SGD | AdaGrad | Adam | FTRL]] = {
    "sgd": SGD,
    "adagrad": AdaGrad,
    "adam": Adam,
    "ftrl": FTRL,
}
