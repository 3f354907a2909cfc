"""Factorization machines (FM) and field-aware factorization machines (FFM) over SciPy CSR matrices."""

from importlib import import_module as _import_module
from typing import Any as _Any

try:
    from fastfm_c import _core as _core
except ModuleNotFoundError as error:
    if error.name != "fastfm_c._core.core":
        raise
    raise ImportError(
        "fastfm_c has no compiled extension here. In a source tree, build it in place with "
        "'pip install -e .'; to use an installed fastfm_c from there, start 'python -P'."
    ) from error

from fastfm_c._core import config, get_num_threads, set_num_threads, show_config
from fastfm_c._errors import DivergenceError
from fastfm_c._field_csr import FieldCSR, vstack
from fastfm_c._field_table import FieldTable
from fastfm_c._version import __version__
from fastfm_c.encoding import FieldEncoder
from fastfm_c.losses import LogisticLoss, SoftmaxLoss, SquaredLoss
from fastfm_c.models import FFM, FM, Gradient
from fastfm_c.persistence import load, save
from fastfm_c.solvers import FTRL, SGD, AdaGrad, Adam
from fastfm_c.text import dump_libffm, dump_libsvm, iter_libffm, iter_libsvm, load_libffm, load_libsvm
from fastfm_c.training import EpochInfo, History, train

__all__ = [
    "FFM",
    "FM",
    "FTRL",
    "SGD",
    "AdaGrad",
    "Adam",
    "DivergenceError",
    "EpochInfo",
    "FieldCSR",
    "FieldEncoder",
    "FieldTable",
    "Gradient",
    "History",
    "LogisticLoss",
    "SoftmaxLoss",
    "SquaredLoss",
    "__version__",
    "config",
    "dump_libffm",
    "dump_libsvm",
    "get_num_threads",
    "iter_libffm",
    "iter_libsvm",
    "load",
    "load_libffm",
    "load_libsvm",
    "save",
    "set_num_threads",
    "show_config",
    "train",
    "vstack",
]

_MODULES = (
    "bayes",
    "datasets",
    "distributed",
    "inspection",
    "interop",
    "recommend",
    "reference",
    "serving",
    "sklearn",
)  # imported when they are asked for


def __getattr__(name: str) -> _Any:
    if name in _MODULES:
        return _import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return [*globals(), *_MODULES]
