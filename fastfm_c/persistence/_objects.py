"""Objects as JSON and tensors, and back.

The state of an object is a JSON object. Its member ``kind`` names the class. The object's arrays are tensors,
whose names say where they belong: ``V`` of a model, ``model.V`` of the model of a solver. The part of a name
before the last dot is the path of an object; here a path ends with that dot, and that of the whole is "".
"""

import json
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastfm_c._validation import aligned_zeros
from fastfm_c.persistence._json import json_member, parse_json, require_no_more
from fastfm_c.persistence._registry import KINDS, SHARED, kind_of
from fastfm_c.persistence._safetensors import Tensors

__all__ = ["Reader", "Writer", "object_of", "state_of"]


def state_of(obj: Any) -> tuple[dict[str, Any], Tensors]:
    """The state and the tensors of an object, or of a dict of objects."""
    file = _FileWriter()
    if isinstance(obj, dict):
        items = {name: file.state(item, _path_of(name)) for name, item in obj.items()}
        return {"kind": "dict", "items": items}, file.tensors
    return file.state(obj, ""), file.tensors


def object_of(state: Any, tensors: Tensors) -> Any:
    """The object that `state_of` was given.

    Raises
    ------
    ValueError
        For a state that no object has, and for members or tensors that belong to nothing.
    """
    file = _FileReader(dict(tensors))
    if isinstance(state, dict) and state.get("kind") == "dict":
        items = json_member(state, "items", dict)
        if len(state) > 1:
            raise ValueError(f"the dict has unknown members {sorted(state)!r:.200}")
        obj: Any = {name: file.object(item, name + ".", [*KINDS]) for name, item in items.items()}
    else:
        obj = file.object(state, "", [*KINDS])
    if file.tensors:
        raise ValueError(f"tensors {sorted(file.tensors)!r:.200} belong to nothing")
    return obj


def _path_of(name: Any) -> str:
    if not (isinstance(name, str) and name.isidentifier()) or name.startswith("__"):
        raise ValueError(f"obj has the key {name!r}, expected a string that can name a variable")
    return name + "."


class _FileWriter:
    """What the writers of all objects of a file share."""

    def __init__(self) -> None:
        self.tensors: Tensors = {}
        self.shared: dict[int, tuple[str, dict[str, Any]]] = {}  # path and state of each shared object, by id

    def state(self, obj: Any, path: str) -> dict[str, Any]:
        name, kind = kind_of(obj)
        if id(obj) in self.shared:
            return {"same_as": self.shared[id(obj)][0]}
        state: dict[str, Any] = {"kind": name}
        if kind.group in SHARED:
            self.shared[id(obj)] = path, state
        state |= kind.state_module().to_state(obj, Writer(self, path))
        return state


class Writer:
    """Takes the arrays and the parts of one object."""

    def __init__(self, file: _FileWriter, path: str) -> None:
        self._file, self._path = file, path

    def tensor(self, name: str, array: NDArray[Any]) -> None:
        """Write an array."""
        self._file.tensors[self._path + name] = array

    def json_tensor(self, name: str, value: Any) -> None:
        """Write a JSON value as a tensor of bytes, because a header cannot hold very long ones."""
        self.tensor(name, np.frombuffer(json.dumps(value).encode(), np.uint8))

    def state(self, part: Any, name: str) -> dict[str, Any]:
        """The state of an object that is a part of this one."""
        return self._file.state(part, f"{self._path}{name}.")

    def add_member(self, part: Any, name: str, value: Any) -> None:
        """Add a member to the state of a shared object, wherever in the file that state is."""
        self._file.shared[id(part)][1][name] = value


class _FileReader:
    """What the readers of all objects of a file share."""

    def __init__(self, tensors: Tensors) -> None:
        self.tensors = tensors  # those that are not used yet
        self.shared: dict[str, Any] = {}  # each shared object by its path

    def object(self, state: Any, path: str, names: list[str]) -> Any:
        if not isinstance(state, dict):
            raise ValueError(f"the state of {path!r} is {state!r:.200}, expected an object")
        if "same_as" in state:
            obj = self.shared.get(same_as := json_member(state, "same_as", str))
            if state or type(obj).__name__ not in names:
                raise ValueError(f"there is no model {same_as!r:.200} before {path!r}")
            return obj
        name = json_member(state, "kind", str)
        if name not in names:
            raise ValueError(f"kind {name!r:.200} is unknown here, expected one of {', '.join(names)}")
        kind = KINDS[name]
        obj = kind.state_module().from_state(kind.class_named(name), state, Reader(self, path))
        if kind.group in SHARED:
            self.shared[path] = obj
        require_no_more(state, f"the {name} {path!r}")
        return obj


class Reader:
    """Gives the arrays and the parts of one object, each once."""

    def __init__(self, file: _FileReader, path: str) -> None:
        self._file, self.path = file, path

    def has_tensor(self, name: str) -> bool:
        """Whether there is such an array."""
        return self.path + name in self._file.tensors

    def tensor(
        self, name: str, dtype_kinds: str, n_axes: int | None = None, *, writable: bool = False
    ) -> NDArray[Any]:
        """The array of this name, which must have one of these kinds of dtype, such as "iu".

        It may be a read-only part of a mapped file. With ``writable=True`` such a part is copied.
        """
        path = self.path + name
        tensor = self._file.tensors.pop(path, None)
        if tensor is None or tensor.dtype.kind not in dtype_kinds:
            found = "absent" if tensor is None else f"of dtype {tensor.dtype}"
            raise ValueError(f"tensor {path!r} is {found}")
        if n_axes not in (None, tensor.ndim):
            raise ValueError(f"tensor {path!r} has shape {tensor.shape}, expected {n_axes} dimensions")
        if writable and not tensor.flags.writeable:
            copied: NDArray[Any] = aligned_zeros(tensor.shape, tensor.dtype)
            copied[...] = tensor
            return copied
        return tensor

    def json_tensor(self, name: str, *, finite: bool = True) -> Any:
        """The JSON value that `Writer.json_tensor` was given; `finite` as in `parse_json`."""
        return parse_json(self.tensor(name, "u").tobytes(), f"tensor {self.path + name!r}", finite=finite)

    def object(self, state: Any, name: str, *groups: str) -> Any:
        """The object of the state of a part, which must be of one of these groups of `KINDS`."""
        names = [kind for kind, line in KINDS.items() if line.group in groups]
        return self._file.object(state, f"{self.path}{name}.", names)
