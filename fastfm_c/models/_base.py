"""What FM and FFM share beside memory, scores and gradients: words, checks, pickling and growth."""

import math
from copy import copy
from typing import Any, ClassVar, Self, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from fastfm_c._core import Parameters
from fastfm_c._field_table import FieldTable, as_fields
from fastfm_c._validation import aligned_zeros, as_count, as_parameter, require_choice
from fastfm_c.models._arrays import assign, copy_into_corner, require_stdev, shown_fields
from fastfm_c.models._differentiable import DifferentiableModel
from fastfm_c.models._gradient import outputs_first

__all__ = ["FactorizationMachine"]

_Array: TypeAlias = NDArray[Any]
_Rng: TypeAlias = Any  # what numpy.random.default_rng takes


class FactorizationMachine(DifferentiableModel):
    """What FM and FFM share beside memory, scores and gradients: words, checks, pickling and growth."""

    __slots__ = ()

    _n_axes: ClassVar[int]  # of V, for one output
    _normalizations: ClassVar[tuple[str | None, ...]]

    def _take(self, w0: Any, w: Any, V: Any, fields: Any, normalize: str | None) -> None:
        """Check the parameters of a new model and take them, or a copy where they cannot be shared."""
        V = np.asarray(V)
        has_outputs = V.ndim == self._n_axes + 1
        if not has_outputs and V.ndim != self._n_axes:
            raise ValueError(
                f"V has {V.ndim} dimensions, {type(self).__name__} expects {self._n_axes}, or "
                f"{self._n_axes + 1} for several outputs"
            )
        dtype, outputs = V.dtype.newbyteorder("="), V.shape[: V.ndim - self._n_axes]
        if dtype not in (np.float32, np.float64):
            raise ValueError(f"V has dtype {V.dtype}, expected float32 or float64")
        n_features, sizes = V.shape[len(outputs)], V.shape[len(outputs) + 1 :]
        if 0 in outputs or 0 in sizes:
            raise ValueError(f"V has shape {V.shape}; only the number of features may be 0")
        if math.prod((*outputs, sizes[-1])) >= 1 << 31:  # without features, V takes no memory
            raise ValueError(f"V has shape {V.shape}, expected less than 2**31 factors of all outputs")
        V = as_parameter(V, dtype, V.shape, "V", has_outputs)
        w = as_parameter(w, dtype, (*outputs, n_features), "w", has_outputs)
        w0 = np.array(as_parameter(w0, dtype, outputs, "w0"), ndmin=1)
        if fields is not None or self._n_axes == 3:
            fields = as_fields(fields, n_features, sizes[0])
        self._require_normalization(normalize)
        self._set_parameters(Parameters(w0, w, V, fields, has_outputs, normalize), is_first=True)

    def _resize_to(self, n_features: Any, fields: Any, init_stdev: float, rng: _Rng) -> None:
        """New arrays that begin with the present parameters; new factors are random."""
        now = self._snapshot()
        before, n = len(now.w), as_count(n_features, "n_features", 0)
        require_stdev(init_stdev)
        if n < before:
            raise ValueError(f"n_features is {n}, expected at least {before}: a model does not shrink")
        outputs = now.w.shape[1:]
        n_fields: tuple[int, ...] = ()
        if now.fields is not None:
            fields = as_fields(fields, n, None)
            undecided = isinstance(now.fields, FieldTable) and ~now.fields.has_values
            if not ((fields[:before] == np.asarray(now.fields)) | undecided).all():
                raise ValueError(f"fields[:{before}] must be those of the model")
            n_fields = (max(now.n_fields, int(fields.max(initial=-1)) + 1),)
        rng = np.random.default_rng(rng)
        w = copy_into_corner(aligned_zeros((n, *outputs), self.dtype), now.w)
        V = copy_into_corner(aligned_zeros((n, *outputs, *n_fields, self.n_factors), self.dtype), now.V)
        new = [V[before:]]
        if n_fields and n_fields[0] > now.n_fields:
            new.append(V[:before, ..., now.n_fields :, :])
        for factors in new:
            factors[...] = rng.standard_normal(factors.shape, self.dtype)
            factors *= init_stdev
        self._replace(now, w=w, V=V, fields=fields)

    def _replace(self, now: Parameters, **changes: Any) -> None:
        """Take the parameters `now`, except for the changes."""
        names = ("w0", "w", "V", "fields", "has_outputs", "normalize", "separates_repeats")
        values = (changes[name] if name in changes else getattr(now, name) for name in names)
        self._set_parameters(Parameters(*values), is_first=False)

    def _require_normalization(self, normalize: Any) -> None:
        require_choice(normalize, "normalize", self._normalizations)

    @property
    def w0(self) -> float | _Array:
        """Bias: float, or an array of shape (C,) that may be written to."""
        now = self._snapshot()
        return now.w0.view() if now.has_outputs else now.w0.item()

    @w0.setter
    def w0(self, value: ArrayLike) -> None:
        now = self._snapshot()
        assign(now.w0 if now.has_outputs else now.w0.reshape(()), value, "w0")

    @property
    def w(self) -> _Array:
        """Linear weights: array of shape (n_features,) or (C, n_features); may be written to."""
        now = self._snapshot()
        return outputs_first(now.w, now.has_outputs)

    @w.setter
    def w(self, value: ArrayLike) -> None:
        assign(self.w, value, "w")

    @property
    def V(self) -> _Array:
        """Factors; may be written to. For the shape see the class."""
        now = self._snapshot()
        return outputs_first(now.V, now.has_outputs)

    @V.setter
    def V(self, value: ArrayLike) -> None:
        assign(self.V, value, "V")

    @property
    def normalize(self) -> str | None:
        """What rows are divided by before they are scored and learned from; may be set.

        None: nothing. "instance": the row's length, as libffm does and xLearn for FFM. "xlearn", of an FM
        only: the length in the linear part, its square in the pairs, as xLearn's FM does. The bias stays
        as it is. A block of rows is copied at a time.
        """
        return self._snapshot().normalize

    @normalize.setter
    def normalize(self, value: str | None) -> None:
        self._require_normalization(value)
        self._replace(self._snapshot(), normalize=value)

    @property
    def repeats(self) -> str:
        """What `predict` and `predict_row` do with a column that a row repeats; may be set.

        "sum", the default: the values count as one, their sum. "separate": each is a value of its own, which
        also forms a pair with the others, as libffm, libFM and xLearn have it. Models that were read from
        their files have that, and learn from rows without repeated columns only.
        """
        return "separate" if self._snapshot().separates_repeats else "sum"

    @repeats.setter
    def repeats(self, value: str) -> None:
        require_choice(value, "repeats", ("sum", "separate"))
        self._replace(self._snapshot(), separates_repeats=value == "separate")

    @property
    def n_features(self) -> int:
        """Number of features: columns of X."""
        return len(self._snapshot().w)

    @property
    def n_factors(self) -> int:
        """Number of factors k."""
        return int(self._snapshot().V.shape[-1])

    @property
    def n_outputs(self) -> int:
        """Number of outputs C."""
        return len(self._snapshot().w0)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of parameters and scores: float32 or float64."""
        return self._snapshot().V.dtype

    @property
    def nbytes(self) -> int:
        """Bytes of all parameters."""
        now = self._snapshot()
        return int(sum(a.nbytes for a in (now.w0, now.w, now.V, now.fields) if a is not None))

    def copy(self) -> Self:
        """An equal model with parameters of its own."""
        create, parameters, state = self.__reduce__()
        model: Self = create(*(copy(p) if isinstance(p, FieldTable) else np.array(p) for p in parameters))
        model.__setstate__(state)
        return model

    def __reduce__(self) -> Any:
        now = self._snapshot()
        fields = () if now.fields is None else (shown_fields(now.fields),)
        state: Any = (now.normalize, self.repeats) if now.separates_repeats else now.normalize
        if self.metadata:
            state = now.normalize, self.repeats, dict(self.metadata)
        return type(self), (self.w0, self.w, self.V, *fields), state

    def __setstate__(self, state: Any) -> None:
        self.normalize, self.repeats, *words = state if isinstance(state, tuple) else (state, "sum")
        if words:
            (self.metadata,) = words

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        mine, others = self.__reduce__()[1], other.__reduce__()[1]
        return (
            self.dtype == other.dtype
            and self.normalize == other.normalize
            and all(map(np.array_equal, mine, others))
        )

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        try:
            now = self._snapshot()
        except TypeError:  # debuggers show objects that are not yet made, too
            return f"<{type(self).__name__} without parameters>"
        sizes = f"n_features={self.n_features}"
        if now.fields is not None:
            sizes += f", n_fields={now.n_fields}"
        sizes += f", n_factors={self.n_factors}"
        if now.has_outputs:
            sizes += f", n_outputs={self.n_outputs}"
        normalize = f", normalize={now.normalize!r}" if now.normalize else ""
        return f"{type(self).__name__}({sizes}, dtype={self.dtype}{normalize})"
