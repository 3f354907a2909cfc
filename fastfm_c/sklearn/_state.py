"""Estimators in files: see `fastfm_c.persistence`.

An estimator is a dataclass: the type of each field says what the parameter may be. What a fit left are
attributes whose names end in an underscore.
"""

from copy import copy
from dataclasses import fields
from types import NoneType
from typing import Any, Literal, get_args, get_origin

import numpy as np
from numpy.typing import NDArray

from fastfm_c._field_table import as_fields, read_table, write_table
from fastfm_c._validation import as_positive
from fastfm_c.persistence._generators import random_state, restored_random_state
from fastfm_c.persistence._json import as_scalar, json_member
from fastfm_c.persistence._objects import Reader, Writer
from fastfm_c.sklearn._history_state import history_from_state, history_to_state
from fastfm_c.sklearn._mcmc import require_posterior
from fastfm_c.sklearn._stream import stream_after_unknown_rows
from fastfm_c.sklearn._stream_state import stream_from_state, stream_to_state

__all__ = ["from_state", "to_state"]

CHOSEN = "learning_rate_", "l2_linear_", "l2_factors_"  # an older file has none


def to_state(estimator: Any, writer: Writer) -> dict[str, Any]:
    """The state of an estimator: its parameters, and what a fit left."""
    names_and_values = estimator.get_params(deep=False).items()
    state: dict[str, Any] = {
        "params": {name: _param_to_json(estimator, name, value, writer) for name, value in names_and_values}
    }
    if not hasattr(estimator, "model_"):
        return state
    for name in ("model_", "solver_", "posterior_"):
        if hasattr(estimator, name):
            state[name] = writer.state(getattr(estimator, name), name)
    if hasattr(estimator, "target_scale_"):
        state["target_scale_"] = as_scalar(estimator.target_scale_, "target_scale_")
    if hasattr(estimator, "y_range_"):
        state["y_range_"] = [as_scalar(end, "y_range_") for end in estimator.y_range_]
    if hasattr(estimator, "_stream"):
        state["stream"] = stream_to_state(estimator._stream, writer)
    for name in ("classes_", "feature_names_in_"):
        if hasattr(estimator, name):
            state[name] = _write_labels(getattr(estimator, name), name, writer)
    if hasattr(estimator, "history_"):  # a fit that failed early leaves none
        state["n_iter_"] = as_scalar(estimator.n_iter_, "n_iter_")
        state["history_"] = history_to_state(estimator.history_, writer)
    for name in CHOSEN:
        if hasattr(estimator, name):
            state[name] = as_scalar(getattr(estimator, name), name)
    return state


def from_state(create: Any, state: dict[str, Any], reader: Reader) -> Any:
    """The estimator of a state."""
    estimator = create()
    for name, value in json_member(state, "params", dict).items():
        if name not in create._get_param_names():
            raise ValueError(f"{create.__name__} has no parameter {name!r:.200}")
        setattr(estimator, name, _param_from_json(estimator, name, value, reader))
    if "model_" in state:
        _read_fit(estimator, state, reader)
    return estimator


def _read_fit(estimator: Any, state: dict[str, Any], reader: Reader) -> None:
    """Set what a fit left, after a check that the pieces belong together."""
    name = type(estimator).__name__
    estimator.model_ = model = reader.object(json_member(state, "model_", dict), "model_", "model")
    estimator.n_features_in_ = model.n_features
    outputs: tuple[int, ...] = ()
    if hasattr(estimator, "predict_proba"):
        estimator.classes_ = classes = _read_labels(state, "classes_", reader)
        if len(classes) < 1 or not (classes[:-1] < classes[1:]).all():
            raise ValueError(f"classes_ is {classes!r:.200}, expected ascending labels")
        outputs = (len(classes),) if len(classes) > 2 else ()
    else:
        estimator.target_scale_ = as_positive(json_member(state, "target_scale_", float), "target_scale_")
        if "y_range_" in state:
            estimator.y_range_ = _range_from(json_member(state, "y_range_", list))
    if np.shape(model.w0) != outputs:
        raise ValueError(f"model_.w0 has shape {np.shape(model.w0)}, {name} expects {outputs}")
    if hasattr(model, "fields") != hasattr(estimator, "fields"):
        raise ValueError(f"model_ is an {type(model).__name__}, unfit for {name}")
    if "feature_names_in_" in state:
        estimator.feature_names_in_ = names = _read_labels(state, "feature_names_in_", reader)
        if names.dtype != object or len(names) != model.n_features:
            raise ValueError(f"feature_names_in_ has {len(names)} names, expected {model.n_features}")
    if "history_" in state or "solver_" in state:
        estimator.n_iter_ = json_member(state, "n_iter_", int)
        estimator.history_ = history_from_state(json_member(state, "history_", dict), reader)
    for name in CHOSEN:
        if name in state:
            setattr(estimator, name, json_member(state, name, int, float, str, NoneType))
    if "stream" in state:
        estimator._stream = stream_from_state(json_member(state, "stream", dict), model, reader)
    else:
        estimator._stream = stream_after_unknown_rows(estimator)
    if "posterior_" in state:
        estimator.posterior_ = posterior = reader.object(
            json_member(state, "posterior_", dict), "posterior_", "posterior"
        )
        require_posterior(posterior, model, is_probit=hasattr(estimator, "predict_proba"))
    if "solver_" in state:
        estimator.solver_ = reader.object(json_member(state, "solver_", dict), "solver_", "solver")
        if estimator.solver_.model is not model:
            raise ValueError("solver_ trains another model than model_")


def _range_from(ends: list[Any]) -> tuple[float, float]:
    if [type(end) for end in ends] != [float, float] or not -np.inf < ends[0] <= ends[1] < np.inf:
        raise ValueError(f"y_range_ is {ends!r:.200}, expected the least and the largest y")
    return ends[0], ends[1]


def _param_to_json(estimator: Any, name: str, value: Any, writer: Writer) -> Any:
    what = f"{type(estimator).__name__}.{name}"
    if name == "fields" and value is not None and not isinstance(value, str):
        if hasattr(value, "transform"):
            raise ValueError(f"{what} is a transformer, which a file does not hold; set it to model_.fields")
        write_table(as_fields(value, None, None), writer)
        return "tensor"
    if name == "dtype":
        return _checked(estimator, name, np.dtype(value).name)
    if isinstance(value, np.random.RandomState):
        return random_state(value)
    if isinstance(value, dict):  # of labels; the keys of a JSON object are strings only
        return [[as_scalar(part, what) for part in item] for item in value.items()]
    return _checked(estimator, name, as_scalar(value, what))


def _param_from_json(estimator: Any, name: str, value: Any, reader: Reader) -> Any:
    if name == "fields" and value == "tensor":
        return copy(read_table(reader))
    if name == "random_state" and isinstance(value, dict):
        return restored_random_state(value)
    if name == "class_weight" and isinstance(value, list):
        weights = dict(value)
        if not all(type(weight) in (int, float) for weight in weights.values()):
            raise ValueError(f"class_weight is {value!r:.200}, expected numbers as weights")
        return weights
    return _checked(estimator, name, value)


def _checked(estimator: Any, name: str, value: Any) -> Any:
    """The value of a parameter, which must have a type that the estimator declares."""
    if name == "dtype":
        allowed, is_sound = "float32 or float64", value in ("float32", "float64")
    elif name == "random_state":
        allowed, is_sound = "int, RandomState or None", value is None or type(value) is int
    else:
        declared: Any = next(field.type for field in fields(estimator) if field.name == name)
        types, words = _types_and_words(declared)
        allowed = declared
        is_sound = value in words or type(value) in types or (type(value) is int and float in types)
    if not is_sound:
        raise ValueError(f"{type(estimator).__name__}.{name} is {value!r:.200}, expected {allowed}")
    return value


def _types_and_words(declared: Any) -> tuple[list[Any], list[str]]:
    """The types that a declared type allows, and the words that its Literals do."""
    if get_origin(declared) is Literal:
        return [], list(get_args(declared))
    types: list[Any] = []
    words: list[str] = []
    for part in get_args(declared) or (declared,):
        if get_origin(part) is Literal:
            words += get_args(part)
        else:
            types.append(part)
    return types, words


def _write_labels(labels: NDArray[Any], name: str, writer: Writer) -> str:
    """Write numbers as they are and strings as JSON; return which of the two the tensor holds."""
    holds = {"U": "str", "O": "object"}.get(labels.dtype.kind, "number")
    if holds == "number":
        writer.tensor(name, labels)
    elif all(isinstance(label, str) for label in labels):
        writer.json_tensor(name, labels.tolist())
    else:
        raise ValueError(f"{name} is {labels!r:.200}; a file holds numbers or strings alone")
    return holds


def _read_labels(state: dict[str, Any], name: str, reader: Reader) -> NDArray[Any]:
    holds = json_member(state, name, str)
    if holds == "number":
        return reader.tensor(name, "biuf", 1).copy()
    labels = reader.json_tensor(name)
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        raise ValueError(f"{name} is no list of strings")
    if holds not in ("str", "object"):
        raise ValueError(f"{name} holds {holds!r:.200}, expected number, str or object")
    return np.array(labels, holds)
