"""`QuantizedFM` and `QuantizedFFM`: models of small parameters, which predict and do nothing else."""

from copy import copy
from typing import Any, Self, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastfm_c._core import Model, Parameters
from fastfm_c._field_table import FieldTable
from fastfm_c.models import FFM, FM
from fastfm_c.models._arrays import shown_fields
from fastfm_c.models._gradient import outputs_first

__all__ = ["QuantizedFFM", "QuantizedFM"]

_Array: TypeAlias = NDArray[Any]


class _Quantized(Model):
    """What both share. The arrays are as the kernels read them: outputs follow features."""

    __slots__ = ()

    def __init__(
        self,
        w0: _Array,
        w: _Array,
        V: _Array,
        scale: NDArray[np.float32] | None,
        scale_of: NDArray[np.uint16] | None,
        fields: NDArray[np.int32] | None,
        has_outputs: bool,
        normalize: str | None,
        repeats: str = "sum",
    ) -> None:
        is_separate = repeats == "separate"
        parameters = Parameters(w0, w, V, fields, has_outputs, normalize, is_separate, scale, scale_of)
        self._set_parameters(parameters, is_first=True)

    @property
    def w0(self) -> float | _Array:
        """Bias, float32."""
        now = self._snapshot()
        return _read_only(now.w0) if now.has_outputs else float(now.w0[0])

    @property
    def w(self) -> _Array:
        """Linear weights: float16, or float32 beside an int8 V; read-only."""
        now = self._snapshot()
        return outputs_first(_read_only(now.w), now.has_outputs)

    @property
    def V(self) -> _Array:
        """Factors as they are stored, float16 or int8; read-only. int8 ones stand for ``scale * V``."""
        now = self._snapshot()
        return outputs_first(_read_only(now.V), now.has_outputs)

    @property
    def scale(self) -> NDArray[np.float32] | None:
        """What int8 factors are multiplied by: one number, or one for each feature or group; else None."""
        scale = self._snapshot().scale
        return None if scale is None else _read_only(scale)

    @property
    def scale_of(self) -> NDArray[np.uint16] | None:
        """The group of each feature whose scale it has, where there are groups; else None."""
        scale_of = self._snapshot().scale_of
        return None if scale_of is None else _read_only(scale_of)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Type of the scores: float32."""
        return np.dtype(np.float32)

    @property
    def normalize(self) -> str | None:
        """As of the model that was quantised."""
        return self._snapshot().normalize

    @property
    def repeats(self) -> str:
        """As of the model that was quantised."""
        return "separate" if self._snapshot().separates_repeats else "sum"

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
    def nbytes(self) -> int:
        """Bytes of all parameters."""
        return sum(array.nbytes for array in self._arrays() if array is not None)

    def copy(self) -> Self:
        """An equal model with parameters of its own, in memory that may be written to."""
        create, arguments, words = self.__reduce__()
        own = [copy(a) if isinstance(a, FieldTable) else np.array(a) for a in arguments[:6] if a is not None]
        given = iter(own)
        arrays = [None if a is None else next(given) for a in arguments[:6]]
        model: Self = create(*arrays, *arguments[6:])
        model.metadata = words
        return model

    def full(self) -> Any:
        """The float32 model with the numbers that the parameters stand for; its scores have the same bits.

        Returns
        -------
        FM or FFM
        """
        now = self._snapshot()
        V = now.V.astype(np.float32)
        if now.scale is not None:
            scale = now.scale if now.scale_of is None else now.scale[now.scale_of]
            V *= scale.reshape(-1, *(1,) * (V.ndim - 1))
        w = outputs_first(now.w.astype(np.float32), now.has_outputs)
        fields = () if now.fields is None else (shown_fields(now.fields),)
        w0 = now.w0 if now.has_outputs else now.w0[0]
        create: Any = FM if now.fields is None else FFM
        model = create(w0, w, outputs_first(V, now.has_outputs), *fields, normalize=now.normalize)
        model.repeats, model.metadata = self.repeats, dict(self.metadata)
        return model

    def _arrays(self) -> tuple[Any, ...]:
        now = self._snapshot()
        return now.w0, now.w, now.V, now.scale, now.scale_of, now.fields

    def __reduce__(self) -> Any:
        now = self._snapshot()
        arguments = *self._arrays(), now.has_outputs, now.normalize, self.repeats
        return type(self), arguments, dict(self.metadata)

    def __setstate__(self, words: dict[str, str]) -> None:
        self.metadata = words

    def __eq__(self, other: object) -> bool:
        if type(self) is not type(other):
            return NotImplemented
        mine, theirs = self.__reduce__()[1], other.__reduce__()[1]
        same = all(
            (a is None) == (b is None) and np.array_equal(a, b)
            for a, b in zip(mine[:6], theirs[:6], strict=True)
        )
        return same and mine[6:] == theirs[6:] and self.V.dtype == other.V.dtype

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        now = self._snapshot()
        fields = "" if now.fields is None else f", n_fields={now.n_fields}"
        outputs = f", n_outputs={self.n_outputs}" if now.has_outputs else ""
        sizes = f"n_features={self.n_features}{fields}, n_factors={self.n_factors}{outputs}"
        return f"{type(self).__name__}({sizes}, {now.V.dtype})"


class QuantizedFM(_Quantized):
    """An FM of float16 or int8 parameters, which `quantize` makes. It predicts, and cannot be trained."""

    __slots__ = ()


class QuantizedFFM(_Quantized):
    """An FFM of float16 or int8 parameters, which `quantize` makes. It predicts, and cannot be trained."""

    __slots__ = ()

    @property
    def fields(self) -> NDArray[np.int32]:
        """Field of each feature: read-only int32 array of shape (n_features,)."""
        return shown_fields(self._snapshot().fields)

    @property
    def n_fields(self) -> int:
        """Number of fields F."""
        return self._snapshot().n_fields


def _read_only(array: _Array) -> _Array:
    view = array.view()
    view.flags.writeable = False
    return view
