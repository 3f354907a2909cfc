"""Objects as JSON and tensors, and back.

The state of an object is a dictionary with its ``kind``; its arrays are tensors, named by the path that leads
to them: ``V`` of a model, ``model.V`` of the model of a solver. A file chooses among the kinds listed here.
"""

from importlib import import_module
from types import NoneType
from typing import Any

import numpy as np

from fastfm_c._validation import aligned_zeros
from fastfm_c.persistence._estimators import read_estimator, write_estimator
from fastfm_c.persistence._generators import generator_state, restored_generator
from fastfm_c.persistence._json import as_scalar, take
from fastfm_c.persistence._safetensors import Tensors
from fastfm_c.solvers import restore_solver

__all__ = ["Reader", "Writer"]

_MODELS = "FM", "FFM"
_LOSSES = "SquaredLoss", "LogisticLoss", "SoftmaxLoss"
# What each parameter has in a solver's state, by the names of the papers.
_SOLVERS: dict[str, tuple[str, ...]] = {"SGD": (), "AdaGrad": ("G",), "Adam": ("m", "v"), "FTRL": ("z", "n")}
_SUMS_OF_SQUARES = "G", "v", "n"
_ESTIMATORS = "FMClassifier", "FMRegressor", "FFMClassifier", "FFMRegressor"
_ENCODERS = ("FieldEncoder",)  # with _to_state() and _from_state(meta, tensors)
_HOMES = {
    **dict.fromkeys(_MODELS, "fastfm_c.models"),
    **dict.fromkeys(_SOLVERS, "fastfm_c.solvers"),
    **dict.fromkeys(_LOSSES, "fastfm_c.losses"),
    **dict.fromkeys(_ESTIMATORS, "fastfm_c.sklearn"),
    **dict.fromkeys(_ENCODERS, "fastfm_c.encoding"),
}


def _as_kept(kind, w, V):
    """Several outputs come after the features, as models keep them, so that a file can be used as it is."""
    has_outputs = w.ndim > 1 and V.ndim > (3 if kind == "FFM" else 2)
    return (w.swapaxes(0, 1), V.swapaxes(0, 1)) if has_outputs else (w, V)


def _class_of(kind):
    return getattr(import_module(_HOMES[kind]), kind)


class Writer:
    """Makes states of objects, and collects their tensors."""

    def __init__(self) -> None:
        self.tensors: Tensors = {}
        self._models: dict[int, tuple[str, dict[str, Any]]] = {}  # path and state of each, by id

    def state(self, obj: Any, path: str = "") -> dict[str, Any]:
        """The state of an object, whose tensors' names begin with `path`."""
        kind = type(obj).__name__
        if isinstance(obj, dict) and not path:
            return {"kind": "dict", "items": {name: self._item(name, item) for name, item in obj.items()}}
        if kind not in _HOMES or type(obj) is not _class_of(kind):
            hint = ""
            if kind == "Pipeline":
                hint = "; save its steps: save({'encoder': pipe[0], 'model': pipe[-1]}, path)"
            raise ValueError(f"obj is a {type(obj).__module__}.{kind}; can save {', '.join(_HOMES)}{hint}")
        if id(obj) in self._models:
            return {"same_as": self._models[id(obj)][0]}
        state: dict[str, Any] = {"kind": kind}
        if kind in _MODELS:
            self._models[id(obj)] = path, state
            self._model(obj, state, path)
        elif kind in _LOSSES:
            state["label_smoothing"] = getattr(obj, "label_smoothing", None)
        elif kind in _SOLVERS:
            self._solver(obj, state, path)
        elif kind in _ESTIMATORS:
            write_estimator(self, obj, state, path)
        else:
            state["meta"], tensors = obj._to_state()
            self.tensors |= {path + name: tensor for name, tensor in tensors.items()}
        return state

    def _item(self, name, item):
        if not (isinstance(name, str) and name.isidentifier()) or name.startswith("__"):
            raise ValueError(f"obj has the key {name!r}, expected a string that can name a variable")
        return self.state(item, name + ".")

    def _model(self, model, state, path):
        if model.normalize is not None:
            state["normalize"] = model.normalize
        w, V = _as_kept(state["kind"], model.w, model.V)
        self.tensors |= {path + "V": V, path + "w": w}
        if hasattr(model, "fields"):
            self.tensors[path + "fields"] = model.fields
        self.tensors[path + "w0"] = np.asarray(model.w0, model.dtype)

    def _solver(self, solver, state, path):
        _, (_, model, loss, options, progress) = solver.__reduce__()
        n_steps, n_passes, rng, sums, scale = progress
        state["model"], state["loss"] = self.state(model, path + "model."), self.state(loss)
        self._models[id(model)][1]["trained"] = True
        state["options"] = {name: as_scalar(value, name) for name, value in options.items()}
        state |= {"n_steps": n_steps, "n_passes": n_passes, "rng": generator_state(rng)}
        for name, arrays in zip(_SOLVERS[state["kind"]], sums, strict=True):
            for parameter, array in zip(("w0", "w", "V"), arrays, strict=True):
                self.tensors[f"{path}{name}.{parameter}"] = array
        if scale is not None:
            self.tensors[path + "scale"] = scale


class Reader:
    """Makes objects of states and tensors, each of which is used once."""

    def __init__(self, tensors: Tensors) -> None:
        self.tensors = tensors
        self._models: dict[str, Any] = {}

    def whole(self, state: Any) -> Any:
        """The object of the state of a whole file, in which nothing may be left over."""
        if isinstance(state, dict) and state.get("kind") == "dict":
            items = take(state, "items", dict)
            if len(state) > 1:
                raise ValueError(f"the dict has unknown members {sorted(state)!r:.200}")
            obj = {name: self._object(item, name + ".") for name, item in items.items()}
        else:
            obj = self._object(state, "")
        if self.tensors:
            raise ValueError(f"tensors {sorted(self.tensors)!r:.200} belong to nothing")
        return obj

    def tensor(self, name: str, kinds: str, n_axes: int | None = None, *, writable: bool = False) -> Any:
        """A tensor of one of these kinds of dtype; a copy where it must be writable and is not."""
        tensor = self.tensors.pop(name, None)
        if tensor is None or tensor.dtype.kind not in kinds:
            found = "absent" if tensor is None else f"of dtype {tensor.dtype}"
            raise ValueError(f"tensor {name!r} is {found}")
        if n_axes not in (None, tensor.ndim):
            raise ValueError(f"tensor {name!r} has shape {tensor.shape}, expected {n_axes} dimensions")
        if writable and not tensor.flags.writeable:
            own = aligned_zeros(tensor.shape, tensor.dtype)
            own[...] = tensor
            return own
        return tensor

    def model(self, state: dict[str, Any], path: str) -> Any:
        """The model of a state."""
        return self._object(state, path, _MODELS)

    def solver(self, state: dict[str, Any], path: str) -> Any:
        """The solver of a state."""
        return self._object(state, path, (*_SOLVERS,))

    def _object(self, state, path, kinds=(*_HOMES,)):
        if not isinstance(state, dict):
            raise ValueError(f"the state of {path!r} is {state!r:.200}, expected an object")
        if "same_as" in state:
            model = self._models.get(same_as := take(state, "same_as", str))
            if state or type(model).__name__ not in kinds:
                raise ValueError(f"there is no model {same_as!r:.200} before {path!r}")
            return model
        kind = take(state, "kind", str)
        if kind not in kinds:
            raise ValueError(f"kind {kind!r:.200} is unknown here, expected one of {', '.join(kinds)}")
        create = _class_of(kind)
        if kind in _MODELS:
            obj = self._models[path] = self._model(create, state, path)
        elif kind in _LOSSES:
            smoothing = take(state, "label_smoothing", float, NoneType)
            obj = create() if smoothing is None else create(smoothing)
        elif kind in _SOLVERS:
            obj = self._solver(kind, create, state, path)
        elif kind in _ESTIMATORS:
            obj = read_estimator(self, create, state, path)
        else:
            names = [name for name in self.tensors if name.startswith(path)]
            tensors = {name.removeprefix(path): self.tensors.pop(name) for name in names}
            obj = create._from_state(take(state, "meta", dict), tensors)
        if state:
            raise ValueError(f"the {kind} {path!r} has unknown members {sorted(state)!r:.200}")
        return obj

    def _model(self, create, state, path):
        writable = take(state, "trained", bool, NoneType) is True
        V, w = (self.tensor(path + name, "f", writable=writable) for name in ("V", "w"))
        w0 = self.tensor(path + "w0", "f")
        if not V.dtype == w.dtype == w0.dtype:
            raise ValueError(f"V, w and w0 have dtypes {V.dtype}, {w.dtype} and {w0.dtype}, expected one")
        fields = [self.tensor(path + "fields", "i")] if create.__name__ == "FFM" else []
        normalize = take(state, "normalize", str, NoneType)
        return create(w0, *_as_kept(create.__name__, w, V), *fields, normalize=normalize)

    def _solver(self, kind, create, state, path):
        model = self.model(take(state, "model", dict), path + "model.")
        loss = self._object(take(state, "loss", dict), path + "loss.", _LOSSES)
        sums = [
            tuple(self._sums(f"{path}{name}.{parameter}", name) for parameter in ("w0", "w", "V"))
            for name in _SOLVERS[kind]
        ]
        scale = None
        if path + "scale" in self.tensors:
            scale = self._sums(path + "scale", "scale")
        n_steps, n_passes = take(state, "n_steps", int), take(state, "n_passes", int)
        if not (0 <= n_steps < 2**62 and 0 <= n_passes < 2**62):
            raise ValueError(f"n_steps and n_passes are {n_steps} and {n_passes}, expected counts")
        progress = n_steps, n_passes, restored_generator(state.pop("rng", None)), sums, scale
        return restore_solver(create, model, loss, take(state, "options", dict), progress)

    def _sums(self, path, name):
        """A tensor of a solver's state, which takes roots of sums of squares and divides by the scale."""
        sums = self.tensor(path, "f", writable=True)
        sound = np.isfinite(sums)
        if name in _SUMS_OF_SQUARES:
            sound &= sums >= 0
        elif name == "scale":
            sound &= sums > 0
        if not sound.all():
            raise ValueError(f"tensor {path!r} holds numbers that no training makes")
        return sums
