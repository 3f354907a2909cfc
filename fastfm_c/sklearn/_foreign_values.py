"""Parameters and fitted attributes of scikit-learn's classes as JSON and tensors, and back.

A file holds data alone. What it cannot hold is refused: functions, above all, because a file must not
choose code to run. None, booleans, integers, finite floats, strings and lists are JSON. Every other value is
an object of one member, which says what it is.
"""

import math
import re
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from fastfm_c.persistence._objects import Reader, Writer
from fastfm_c.persistence._registry import KINDS

__all__ = ["ValueReader", "ValueWriter"]

_FLOATS = {"nan": math.nan, "inf": math.inf, "-inf": -math.inf}
_NUMBERS = "bool", *(f"{kind}{bits}" for kind in ("int", "uint") for bits in (8, 16, 32, 64))
_NUMBERS += "float16", "float32", "float64"
_TYPES: dict[str, Any] = {f"numpy.{name}": getattr(np, name) for name in _NUMBERS if name != "bool"}
_TYPES |= {"numpy.bool": np.bool_, "numpy.number": np.number, "numpy.integer": np.integer}
_TYPES |= {"numpy.floating": np.floating, "numpy.object": np.object_, "numpy.str": np.str_}
_TYPES |= {kind.__name__: kind for kind in (bool, int, float, str, object)}
_DTYPE = re.compile(rf"{'|'.join(_NUMBERS)}|object|<U\d{{1,6}}")
_MOST_ELEMENTS = 1 << 40  # an array of strings has as many in its file, or is refused


class ValueWriter:
    """Writes the values of one object; `what` names the value in an error."""

    def __init__(self, writer: Writer) -> None:
        self._writer = writer

    def encode(self, value: Any, where: str, what: str) -> Any:
        """The value as JSON. Arrays and objects in it are named by `where`, which no other value has."""
        if value is None or type(value) in (bool, int, str):
            return value
        if type(value) is float:
            return value if math.isfinite(value) else {"float": str(value)}
        if type(value) is list:
            return self._parts(value, where, what)
        for is_of, encode in self._KINDS:
            if is_of(value):
                return encode(self, value, where, what)
        if hasattr(value, "get_params") or type(value).__name__ in KINDS:
            return {"object": self._writer.state(value, where)}  # which may refuse it
        raise ValueError(f"{what} is {value!r:.200}, which a file cannot hold")

    def _parts(self, values: Any, where: str, what: str) -> list[Any]:
        return [self.encode(value, f"{where}-{i}", f"{what}[{i}]") for i, value in enumerate(values)]

    def _tuple(self, value: Any, where: str, what: str) -> Any:
        is_step = len(value) in (2, 3) and isinstance(value[0], str) and hasattr(value[1], "get_params")
        try:
            return {"tuple": self._parts(value, where, what)}
        except ValueError as error:
            if is_step:
                raise ValueError(f"step {value[0]!r}: {error}") from None
            raise

    def _dict(self, value: Any, where: str, what: str) -> Any:
        return {"dict": [self._parts(item, f"{where}-{i}", what) for i, item in enumerate(value.items())]}

    def _scalar(self, value: Any, where: str, what: str) -> Any:
        return {"scalar": [value.dtype.name, self.encode(value.item(), where, what)]}

    def _dtype(self, value: Any, where: str, what: str) -> Any:
        name = "object" if value.kind == "O" else value.str if value.kind == "U" else value.name
        if not _DTYPE.fullmatch(name):
            raise ValueError(f"{what} is {value!r:.200}, which a file cannot hold")
        return {"dtype": name}

    def _type(self, value: Any, where: str, what: str) -> Any:
        return {"type": next(name for name, known in _TYPES.items() if known is value)}

    def _array(self, value: NDArray[Any], where: str, what: str) -> Any:
        if value.dtype.kind in "biuf" and value.dtype.name in _NUMBERS:
            self._writer.tensor(where, value)
            return {"array": "numbers"}
        if value.dtype.kind not in "UO":
            raise ValueError(f"{what} has dtype {value.dtype}, which a file cannot hold")
        for element in value.flat:
            if element is not None and not isinstance(element, (bool, int, float, str, np.generic)):
                raise ValueError(f"{what} holds {element!r:.200}, which a file cannot hold")
        elements = self._parts(value.ravel().tolist(), where, what)
        self._writer.json_tensor(where, [list(value.shape), elements])
        return {"array": self._dtype(value.dtype, where, what)["dtype"]}

    _KINDS: ClassVar[tuple[tuple[Callable[[Any], bool], Callable[..., Any]], ...]] = (
        (lambda value: type(value) is tuple, _tuple),
        (lambda value: type(value) is dict, _dict),
        (
            lambda value: type(value) is slice,
            lambda self, value, where, what: {
                "slice": self._parts((value.start, value.stop, value.step), where, what)
            },
        ),
        (lambda value: isinstance(value, np.generic) and value.dtype.name in _NUMBERS, _scalar),
        (
            lambda value: isinstance(value, np.str_),
            lambda self, value, where, what: str(value),
        ),
        (lambda value: isinstance(value, np.dtype), _dtype),
        (lambda value: isinstance(value, type) and any(value is known for known in _TYPES.values()), _type),
        (lambda value: type(value) is np.ndarray, _array),
    )


class ValueReader:
    """Reads what `ValueWriter` wrote. Every value is checked; nothing is called that a file names."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader

    def decode(self, value: Any, where: str) -> Any:
        """The value that was encoded under `where`.

        Raises
        ------
        ValueError
            For JSON that no value has.
        """
        if value is None or isinstance(value, (bool, int, float, str)):
            return value
        if isinstance(value, list):
            return self._parts(value, where)
        if isinstance(value, dict) and len(value) == 1:
            [(name, content)] = value.items()
            if name in self._KINDS:
                return self._KINDS[name](self, content, where)
        raise ValueError(f"{where} is {value!r:.200}, which is no value of a file")

    def _parts(self, values: Any, where: str, n: int | None = None) -> list[Any]:
        if not isinstance(values, list) or n not in (None, len(values)):
            raise ValueError(f"{where} is {values!r:.200}, expected a list{f' of {n}' if n else ''}")
        return [self.decode(value, f"{where}-{i}") for i, value in enumerate(values)]

    def _float(self, content: Any, where: str) -> Any:
        return _known(_FLOATS, content, where)

    def _tuple(self, content: Any, where: str) -> Any:
        return tuple(self._parts(content, where))

    def _slice(self, content: Any, where: str) -> Any:
        parts = self._parts(content, where, 3)
        if not all(part is None or type(part) is int for part in parts):
            raise ValueError(f"{where} is {content!r:.200}, expected a slice of integers")
        return slice(*parts)

    def _dict(self, content: Any, where: str) -> Any:
        if not isinstance(content, list):
            raise ValueError(f"{where} is {content!r:.200}, expected a list of pairs")
        return dict(self._parts(pair, f"{where}-{i}", 2) for i, pair in enumerate(content))

    def _scalar(self, content: Any, where: str) -> Any:
        name, value = self._parts(content, where, 2)
        if name not in _NUMBERS or type(value) not in (bool, int, float):
            raise ValueError(f"{where} is {content!r:.200}, expected the dtype and the value of a number")
        return np.dtype(name).type(value)

    def _dtype(self, content: Any, where: str) -> Any:
        if not isinstance(content, str) or not _DTYPE.fullmatch(content):
            raise ValueError(f"{where} is {content!r:.200}, expected a dtype")
        return np.dtype(content)

    def _type(self, content: Any, where: str) -> Any:
        return _known(_TYPES, content, where)

    def _array(self, content: Any, where: str) -> Any:
        if content == "numbers":
            return self._reader.tensor(where, "biuf").copy()
        dtype = self._dtype(content, where)
        shape, elements = self._parts(self._reader.json_tensor(where), where, 2)
        if dtype.kind not in "UO" or not isinstance(shape, list) or not isinstance(elements, list):
            raise ValueError(f"{where} has dtype {dtype}, expected strings or objects with a shape")
        if not all(type(n) is int and 0 <= n < _MOST_ELEMENTS for n in shape):
            raise ValueError(f"{where} has shape {shape!r:.200}, expected sizes")
        if math.prod(shape) != len(elements) or len(shape) > 2:
            raise ValueError(f"{where} has shape {shape!r:.200} and {len(elements)} elements")
        if dtype.kind == "U" and not all(isinstance(element, str) for element in elements):
            raise ValueError(f"{where} has elements other than strings")
        array = np.empty(len(elements), object)
        array[:] = elements
        return array.astype(
            f"<U{max(map(len, elements), default=1)}" if dtype.kind == "U" else object
        ).reshape(shape)

    def _object(self, content: Any, where: str) -> Any:
        return self._reader.object(content, where, *{kind.group for kind in KINDS.values()})

    _KINDS: ClassVar[dict[str, Callable[..., Any]]] = {
        "float": _float,
        "tuple": _tuple,
        "slice": _slice,
        "dict": _dict,
        "scalar": _scalar,
        "dtype": _dtype,
        "type": _type,
        "array": _array,
        "object": _object,
    }


def _known(values: dict[str, Any], name: Any, where: str) -> Any:
    if not isinstance(name, str) or name not in values:
        raise ValueError(f"{where} is {name!r:.200}, expected one of {', '.join(values)}")
    return values[name]
