"""Types of the extension module."""

from collections.abc import Callable, Iterator
from typing import Any, Self, TypeAlias, TypedDict, Unpack

import numpy as np
from numpy.typing import ArrayLike, DTypeLike, NDArray

_Array: TypeAlias = NDArray[Any]
_Rng: TypeAlias = int | np.random.Generator | np.random.SeedSequence | np.random.BitGenerator | None

def config() -> dict[str, Any]: ...
def _use_simd(name: str) -> None: ...
def show_config() -> None: ...
def get_num_threads() -> int: ...
def set_num_threads(n: int | None) -> None: ...

class _Loss:
    def loss(self, y: ArrayLike, scores: ArrayLike) -> _Array: ...
    def gradient(self, y: ArrayLike, scores: ArrayLike) -> _Array: ...
    def loss_gradient(self, y: ArrayLike, scores: ArrayLike) -> tuple[_Array, _Array]: ...
    def mean(self, y: ArrayLike, scores: ArrayLike, sample_weight: ArrayLike | None = None) -> float: ...
    def __eq__(self, other: object) -> bool: ...
    def __hash__(self) -> int: ...

class SquaredLoss(_Loss): ...

class _ClassLoss(_Loss):
    def __init__(self, label_smoothing: float = 0.0) -> None: ...
    @property
    def label_smoothing(self) -> float: ...

class LogisticLoss(_ClassLoss):
    def proba(self, scores: ArrayLike) -> _Array: ...

class SoftmaxLoss(_ClassLoss):
    def proba(self, scores: ArrayLike) -> _Array: ...

class Gradient:
    @property
    def w0(self) -> float | _Array: ...
    @property
    def w(self) -> _Array: ...
    @property
    def V(self) -> _Array: ...
    @property
    def features(self) -> NDArray[np.int64] | None: ...

class _Model:
    @property
    def w0(self) -> float | _Array: ...
    @w0.setter
    def w0(self, value: ArrayLike) -> None: ...
    @property
    def w(self) -> _Array: ...
    @w.setter
    def w(self, value: ArrayLike) -> None: ...
    @property
    def V(self) -> _Array: ...
    @V.setter
    def V(self, value: ArrayLike) -> None: ...
    @property
    def normalize(self) -> str | None: ...
    @normalize.setter
    def normalize(self, value: str | None) -> None: ...
    @property
    def n_features(self) -> int: ...
    @property
    def n_factors(self) -> int: ...
    @property
    def n_outputs(self) -> int: ...
    @property
    def dtype(self) -> np.dtype[Any]: ...
    @property
    def nbytes(self) -> int: ...
    def copy(self) -> Self: ...
    def __eq__(self, other: object) -> bool: ...
    def predict(self, X: Any, *, out: _Array | None = None, num_threads: int | None = None) -> _Array: ...
    def predict_row(self, indices: ArrayLike, values: ArrayLike) -> float | _Array: ...
    def objective(
        self,
        X: Any,
        y: ArrayLike,
        loss: _Loss,
        *,
        sample_weight: ArrayLike | None = None,
        l2_linear: float = 0.0,
        l2_factors: float = 0.0,
        num_threads: int | None = None,
    ) -> float: ...
    def gradient(
        self,
        X: Any,
        y: ArrayLike,
        loss: _Loss,
        *,
        sample_weight: ArrayLike | None = None,
        l2_linear: float = 0.0,
        l2_factors: float = 0.0,
        sparse: bool = False,
        num_threads: int | None = None,
    ) -> tuple[float, Gradient]: ...

class FM(_Model):
    def __init__(
        self, w0: ArrayLike, w: ArrayLike, V: ArrayLike, *, normalize: str | None = None
    ) -> None: ...
    def resize(self, n_features: int, *, init_stdev: float = 0.01, rng: _Rng = None) -> None: ...
    @staticmethod
    def random(
        n_features: int,
        n_factors: int,
        *,
        n_outputs: int = 1,
        init_stdev: float = 0.01,
        dtype: DTypeLike = "float32",
        rng: _Rng = None,
    ) -> FM: ...

class FFM(_Model):
    def __init__(
        self,
        w0: ArrayLike,
        w: ArrayLike,
        V: ArrayLike,
        fields: ArrayLike,
        *,
        normalize: str | None = None,
    ) -> None: ...
    def resize(
        self, n_features: int, fields: ArrayLike | None = None, *, init_stdev: float = 0.01, rng: _Rng = None
    ) -> None: ...
    @staticmethod
    def random(
        fields: ArrayLike,
        n_factors: int,
        *,
        n_outputs: int = 1,
        init_stdev: float = 0.01,
        dtype: DTypeLike = "float32",
        rng: _Rng = None,
    ) -> FFM: ...
    @property
    def fields(self) -> NDArray[np.int32]: ...
    @property
    def n_fields(self) -> int: ...

class _SolverOptions(TypedDict, total=False):
    l2_linear: float
    l2_factors: float
    shuffle: bool
    hogwild: bool
    clip_value: float | None
    normalize: str | None
    num_threads: int | None
    rng: _Rng

class _Solver:
    @property
    def model(self) -> FM | FFM: ...
    @property
    def loss(self) -> _Loss: ...
    @property
    def n_passes(self) -> int: ...
    @property
    def learning_rate(self) -> float: ...
    @property
    def l2_linear(self) -> float: ...
    @property
    def l2_factors(self) -> float: ...
    @property
    def batch_size(self) -> int: ...
    @property
    def hogwild(self) -> bool: ...
    @property
    def n_steps(self) -> int: ...
    @property
    def nbytes(self) -> int: ...
    def resize(
        self,
        n_features: int,
        fields: ArrayLike | None = None,
        *,
        init_stdev: float = 0.01,
        rng: _Rng = None,
    ) -> None: ...
    def partial_fit(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None) -> float: ...
    def _prepare(self, X: Any, y: ArrayLike, sample_weight: ArrayLike | None = None) -> _TrainingRows: ...
    def _learn(
        self,
        data: _TrainingRows,
        rows: NDArray[np.int64] | None = None,
        progress: Callable[[int, int, float], object] | None = None,
    ) -> float: ...
    def _measure_scale(self, data: _TrainingRows) -> None: ...
    def _options(self) -> dict[str, Any]: ...
    def _progress(self) -> tuple[Any, ...]: ...
    @classmethod
    def _restored(
        cls, model: FM | FFM, loss: _Loss, options: dict[str, Any], progress: tuple[Any, ...]
    ) -> _Solver: ...

class _TrainingRows:
    @property
    def n_rows(self) -> int: ...
    def total_weight(self, rows: NDArray[np.int64] | None = None) -> float: ...

class SGD(_Solver):
    def __init__(
        self,
        model: FM | FFM,
        loss: _Loss,
        *,
        learning_rate: float = 0.01,
        batch_size: int = 32,
        **options: Unpack[_SolverOptions],
    ) -> None: ...

class AdaGrad(_Solver):
    def __init__(
        self,
        model: FM | FFM,
        loss: _Loss,
        *,
        learning_rate: float = 0.05,
        batch_size: int = 256,
        initial_accumulator: float = 1.0,
        **options: Unpack[_SolverOptions],
    ) -> None: ...

class Adam(_Solver):
    def __init__(
        self,
        model: FM | FFM,
        loss: _Loss,
        *,
        learning_rate: float = 0.001,
        batch_size: int = 256,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        **options: Unpack[_SolverOptions],
    ) -> None: ...

class FTRL(_Solver):
    def __init__(
        self,
        model: FM | FFM,
        loss: _Loss,
        *,
        learning_rate: float = 0.1,
        batch_size: int = 256,
        beta: float = 1.0,
        l1_linear: float = 0.0,
        l1_factors: float = 0.0,
        **options: Unpack[_SolverOptions],
    ) -> None: ...

def _restore_solver(
    create: type[_Solver], model: FM | FFM, loss: _Loss, options: dict[str, Any], progress: tuple[Any, ...]
) -> _Solver: ...

class _TextRows:
    @property
    def n_rows(self) -> int: ...
    @property
    def nnz(self) -> int: ...
    @property
    def least(self) -> int: ...
    @property
    def largest(self) -> int: ...
    def __new__(
        cls,
        has_fields: bool,
        dtype: DTypeLike,
        first_index: int,
        n_features: int,
        num_threads: int | None,
    ) -> Self: ...
    def parse(self, buffer: NDArray[np.uint8], n_bytes: int) -> int | tuple[int, str]: ...
    def conflict(
        self, first_line: int, field_of: NDArray[np.int32], line_of: NDArray[np.int64]
    ) -> tuple[int, int, int, int] | None: ...
    def last(self) -> tuple[NDArray[Any], NDArray[np.int32]]: ...
    def take(self, n_rows: int) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[np.float64]]: ...
    def forget(self) -> None: ...
    def arrays(self) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[np.float64]]: ...

def _text_of(
    X: tuple[Any, ...], y: NDArray[np.float64], fields: NDArray[np.int32] | None, first_index: int
) -> Iterator[bytes]: ...
