"""Shards: some of the rows, with their columns numbered anew, so that only what they touch takes room."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, NamedTuple, Self

import numpy as np
import scipy.sparse as sp
from numpy.typing import NDArray

from fastfm_c._errors import DivergenceError
from fastfm_c.losses import Loss
from fastfm_c.models import FM
from fastfm_c.models._gradient import numbered_anew
from fastfm_c.solvers import TrainingRows

__all__ = ["Expected", "Shard", "Source", "naming"]


class Expected(NamedTuple):
    """What rows must be like, to be learned from by a model."""

    loss: Loss
    n_features: int
    n_outputs: int | None
    num_threads: int | None

    def checked(self, X: Any, y: Any, sample_weight: Any = None) -> TrainingRows:
        """The rows after all checks. No page of the zeros is touched."""
        outputs = () if self.n_outputs is None else (self.n_outputs,)
        w, V = np.zeros((*outputs, self.n_features)), np.zeros((*outputs, self.n_features, 1))
        blank = FM(np.zeros(outputs), w, V)
        return TrainingRows(blank, self.loss, X, y, sample_weight, self.num_threads)


@dataclass(eq=False)
class Shard:
    """Rows to learn from, checked. Column j of `X` is the feature ``features[j]`` of the model."""

    index: int
    features: NDArray[np.int64]
    X: sp.csr_array
    y: NDArray[Any]
    sample_weight: NDArray[np.float64] | None
    num_threads: int | None

    def __post_init__(self) -> None:
        """Count once: a float64 for each feature, the weight of the rows in which it occurs."""
        self.counts = self.sums(self.X.data != 0)

    def load(self) -> Self:
        """The shard itself, as a `Source` has it."""
        return self

    def sums(self, values: NDArray[Any]) -> NDArray[Any]:
        """The weighted sum of values, one for each value of X, by feature."""
        if self.sample_weight is not None:
            values = values * np.repeat(self.sample_weight, np.diff(self.X.indptr))
        return np.bincount(self.X.indices, values, len(self.features))

    @property
    def weight(self) -> float:
        """The total weight of the rows."""
        return float(len(self.y) if self.sample_weight is None else self.sample_weight.sum())


@dataclass(frozen=True)
class Source:
    """Where the rows of a shard are: a pair (X, y), a triple with weights, or a callable that reads one."""

    index: int
    rows: Any
    expected: Expected

    def load(self) -> Shard:
        """Read and check the rows."""
        with naming(self.index):
            rows = self.rows() if callable(self.rows) else self.rows
            if not isinstance(rows, tuple | list) or len(rows) not in (2, 3):
                raise ValueError(
                    f"a shard must be (X, y) or (X, y, sample_weight), got {type(rows).__name__}"
                )
            data = self.expected.checked(*rows)
            features, X = _numbered(data.X, self.expected.n_features)
            return Shard(self.index, features, X, data.y, data.sample_weight, self.expected.num_threads)


def _numbered(X: sp.csr_array, n_features: int) -> tuple[NDArray[np.int64], sp.csr_array]:
    """The columns that are stored, and X with their places for its columns, in the same order."""
    stored = slice(X.indptr[0], X.indptr[-1])
    columns = X.indices[stored]
    features, places = numbered_anew(columns, n_features)
    made = sp.csr_array((X.shape[0], len(features)), dtype=X.dtype)
    made.indptr, made.indices = X.indptr - X.indptr[0], places
    made.data = X.data[stored]
    return features.astype(np.int64), made


@contextmanager
def naming(index: int) -> Iterator[None]:
    """Let errors say which shard they are of; the messages name the row."""
    try:
        yield
    except Exception as error:
        if type(error) in (ValueError, DivergenceError):
            raise type(error)(f"shard {index}: {error}") from error
        error.add_note(f"in shard {index}")
        raise
