"""Estimators as JSON and tensors, and back: parameters, and what a fit left."""

import json
from dataclasses import fields
from types import NoneType
from typing import get_args

import numpy as np

from fastfm_c.models import FFM
from fastfm_c._validation import as_fields, as_positive
from fastfm_c.persistence._generators import random_state, restored_random_state
from fastfm_c.persistence._json import as_scalar, take
from fastfm_c.persistence._safetensors import parse_json
from fastfm_c.training._history import History

__all__ = ["read_estimator", "write_estimator"]

_FIGURES = "loss", "validation", "seconds"  # of a History, one for each epoch


def write_estimator(writer, estimator, state, path):
    """Fill in the state of an estimator; its tensors go to the writer."""
    state["params"] = params = {}
    for name, value in estimator.get_params(deep=False).items():
        what = f"{type(estimator).__name__}.{name}"
        if name == "fields" and value is not None:
            params[name] = "tensor"
            writer.tensors[path + "fields"] = as_fields(value, None, None)
        elif name == "dtype":
            params[name] = _checked(estimator, name, np.dtype(value).name)
        elif isinstance(value, np.random.RandomState):
            params[name] = random_state(value)
        elif isinstance(value, dict):  # of labels; JSON's keys are strings alone
            params[name] = [[as_scalar(part, what) for part in item] for item in value.items()]
        else:
            params[name] = _checked(estimator, name, as_scalar(value, what))
    if not hasattr(estimator, "model_"):
        return
    for name in ("model_", "solver_"):
        if hasattr(estimator, name):
            state[name] = writer.state(getattr(estimator, name), f"{path}{name}.")
    if hasattr(estimator, "target_scale_"):
        state["target_scale_"] = as_scalar(estimator.target_scale_, "target_scale_")
    for name in ("classes_", "feature_names_in_"):
        if hasattr(estimator, name):
            state[name], writer.tensors[path + name] = _labels_to_tensor(getattr(estimator, name), name)
    if hasattr(estimator, "history_"):  # a fit that failed early leaves none
        state["n_iter_"] = as_scalar(estimator.n_iter_, "n_iter_")
        facts = dict(vars(estimator.history_))
        for name in _FIGURES:
            writer.tensors[f"{path}history_.{name}"] = np.array(facts.pop(name), np.float64)
        state["history_"] = {name: as_scalar(value, f"history_.{name}") for name, value in facts.items()}


def read_estimator(reader, create, state, path):
    """The estimator of a state and of the reader's tensors."""
    estimator = create()
    for name, value in take(state, "params", dict).items():
        if name not in create._get_param_names():
            raise ValueError(f"{create.__name__} has no parameter {name!r:.200}")
        setattr(estimator, name, _param(reader, estimator, name, value, path))
    if "model_" in state:
        _read_fit(reader, estimator, state, path)
    return estimator


def _read_fit(reader, estimator, state, path):
    """What a fit left, found to fit together."""
    name = type(estimator).__name__
    estimator.model_ = model = reader.model(take(state, "model_", dict), path + "model_.")
    estimator.n_features_in_ = model.n_features
    if hasattr(estimator, "predict_proba"):
        estimator.classes_ = classes = _labels(reader, state, "classes_", path)
        if len(classes) < 1 or not (classes[:-1] < classes[1:]).all():
            raise ValueError(f"classes_ is {classes!r:.200}, expected ascending labels")
        outputs = (len(classes),) if len(classes) > 2 else ()
    else:
        estimator.target_scale_ = as_positive(take(state, "target_scale_", float), "target_scale_")
        outputs = ()
    if np.shape(model.w0) != outputs:
        raise ValueError(f"model_.w0 has shape {np.shape(model.w0)}, {name} expects {outputs}")
    if isinstance(model, FFM) != hasattr(estimator, "fields"):
        raise ValueError(f"model_ is an {type(model).__name__}, unfit for {name}")
    if "feature_names_in_" in state:
        estimator.feature_names_in_ = names = _labels(reader, state, "feature_names_in_", path)
        if names.dtype != object or len(names) != model.n_features:
            raise ValueError(f"feature_names_in_ has {len(names)} names, expected {model.n_features}")
    if "history_" in state or "solver_" in state:
        estimator.n_iter_ = take(state, "n_iter_", int)
        estimator.history_ = _history(reader, take(state, "history_", dict), path + "history_.")
    if "solver_" in state:
        estimator.solver_ = reader.solver(take(state, "solver_", dict), path + "solver_.")
        if estimator.solver_.model is not model:
            raise ValueError("solver_ trains another model than model_")


def _param(reader, estimator, name, value, path):
    if name == "fields" and value == "tensor":
        return reader.tensor(path + "fields", "i", 1).copy()
    if name == "random_state" and isinstance(value, dict):
        return restored_random_state(value)
    if name == "class_weight" and isinstance(value, list):
        weights = dict(value)
        if not all(type(weight) in (int, float) for weight in weights.values()):
            raise ValueError(f"class_weight is {value!r:.200}, expected numbers as weights")
        return weights
    return _checked(estimator, name, value)


def _checked(estimator, name, value):
    """A parameter, if it is of a type that the estimator declares."""
    if name == "dtype":
        allowed, sound = "float32 or float64", value in ("float32", "float64")
    elif name == "random_state":
        allowed, sound = "int, RandomState or None", value is None or type(value) is int
    else:
        allowed = next(field.type for field in fields(estimator) if field.name == name)
        types = get_args(allowed) or (allowed,)
        sound = type(value) in types or (type(value) is int and float in types)
    if not sound:
        raise ValueError(f"{type(estimator).__name__}.{name} is {value!r:.200}, expected {allowed}")
    return value


def _labels_to_tensor(labels, name):
    """Numbers as they are; strings as a JSON list in bytes, since there may be more than a header holds."""
    kind = {"U": "str", "O": "object"}.get(labels.dtype.kind, "number")
    if kind == "number":
        return kind, labels
    if not all(isinstance(label, str) for label in labels):
        raise ValueError(f"{name} is {labels!r:.200}; a file holds numbers or strings alone")
    return kind, np.frombuffer(json.dumps(labels.tolist()).encode(), np.uint8)


def _labels(reader, state, name, path):
    kind = take(state, name, str)
    if kind == "number":
        return reader.tensor(path + name, "biuf", 1).copy()
    labels = parse_json(reader.tensor(path + name, "u").tobytes(), name)
    if not isinstance(labels, list) or not all(isinstance(label, str) for label in labels):
        raise ValueError(f"{name} is no list of strings")
    if kind not in ("str", "object"):
        raise ValueError(f"{name} holds {kind!r:.200}, expected number, str or object")
    return np.array(labels, kind)


def _history(reader, facts, path):
    figures = {name: reader.tensor(path + name, "f", 1).tolist() for name in _FIGURES}
    history = History(
        take(facts, "rows", int),
        **{name: take(facts, name, str, NoneType) for name in ("metric", "stop_reason")},
        best_epoch=take(facts, "best_epoch", int, NoneType),
        **figures,
    )
    if facts:
        raise ValueError(f"history_ has unknown members {sorted(facts)}")
    return history
