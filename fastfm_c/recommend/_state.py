"""Recommenders and ids in files: see `fastfm_c.persistence`. What is read is checked."""

from types import NoneType
from typing import Any

import numpy as np
import scipy.sparse as sp

from fastfm_c.models import FM
from fastfm_c.persistence._generators import generator_state, restored_generator
from fastfm_c.persistence._json import as_scalar, json_member
from fastfm_c.persistence._objects import Reader, Writer
from fastfm_c.recommend._ids import Ids
from fastfm_c.recommend._side import Side

__all__ = ["from_state", "to_state"]

_SIDES = "users", "items"


def to_state(obj: Any, writer: Writer) -> dict[str, Any]:
    """The state of a recommender that is fitted, or of ids."""
    if isinstance(obj, Ids):
        writer.json_tensor("keys", [_plain_key(key) for key in obj.keys(None)])
        return {}
    obj._fitted("_users")
    params = obj.get_params()
    if not isinstance(params["random_state"], int | NoneType):
        params["random_state"] = None  # the generator that was made of it is saved
    params["dtype"] = np.dtype(params["dtype"]).name
    for name in _SIDES:
        side = getattr(obj, f"_{name}")
        writer.tensor(f"{name}_identity", side.identity)
        writer.tensor(f"{name}_columns", side.columns)
        if side.features is not None:
            _write_csr(writer, f"{name}_features", side.features)
    _write_csr(writer, "seen", obj._seen)
    state = {
        "params": {name: as_scalar(value, name) for name, value in params.items()},
        "model": writer.state(obj.model_, "model"),
        "sizes": [obj._users.n, obj._items.n],
        "seed": str(obj._seed),
        "n_epochs": obj._n_epochs,
        "rng": generator_state(obj._rng),
    }
    if obj._solver is not None:
        state["solver"] = writer.state(obj._solver, "solver")
    if obj.user_ids_ is not None:
        state |= {
            f"{name}_ids": writer.state(getattr(obj, f"{name}_ids_"), f"{name}_ids")
            for name in ("user", "item")
        }
    return state


def from_state(create: Any, state: dict[str, Any], reader: Reader) -> Any:
    """The recommender or the ids of a state."""
    if create is Ids:
        return _ids(reader.json_tensor("keys"))
    params = json_member(state, "params", dict)
    try:
        obj = create(**params)
    except TypeError as error:
        raise ValueError(f"params: {error}") from None
    obj._check()
    obj.model_ = reader.object(json_member(state, "model", dict), "model", "model")
    if type(obj.model_) is not FM or obj.model_.n_outputs != 1 or np.ndim(obj.model_.w0):
        raise ValueError("the model of a recommender is an FM of one output")
    sizes = json_member(state, "sizes", list)
    if len(sizes) != 2 or not all(type(n) is int and 0 <= n < 2**31 for n in sizes):
        raise ValueError(f"sizes are {sizes!r:.200}, expected two counts")
    for name, n in zip(_SIDES, sizes, strict=True):
        setattr(obj, f"_{name}", _side(reader, name, n, obj.model_))
    obj._seen = _read_csr(reader, "seen", tuple(sizes))
    seed = json_member(state, "seed", str)
    if not (seed.isdecimal() and seed.isascii() and len(seed) < 20 and int(seed) < 2**63):
        raise ValueError(f"seed is {seed!r:.200}, expected a number below 2**63")
    obj._seed, obj._n_epochs = int(seed), json_member(state, "n_epochs", int)
    if not 0 <= obj._n_epochs < 2**31:
        raise ValueError(f"n_epochs is {obj._n_epochs}, expected a count")
    obj._rng, obj._solver = restored_generator(state.pop("rng", None)), None
    if "solver" in state:
        obj._solver = reader.object(json_member(state, "solver", dict), "solver", "solver")
        if obj._solver.model is not obj.model_:
            raise ValueError("the solver is that of another model")
    obj.user_ids_ = obj.item_ids_ = None
    if "user_ids" in state:
        for name, n in zip(("user", "item"), sizes, strict=True):
            ids = reader.object(json_member(state, f"{name}_ids", dict), f"{name}_ids", "ids")
            if len(ids) != n:
                raise ValueError(f"there are {len(ids)} ids of {n} {name}s")
            setattr(obj, f"{name}_ids_", ids)
    return obj


def _side(reader: Reader, name: str, n: int, model: FM) -> Side:
    identity, columns = (reader.tensor(f"{name}_{part}", "i", 1) for part in ("identity", "columns"))
    for array in identity, columns:
        if not ((array >= 0) & (array < model.n_features)).all():
            raise ValueError(f"the {name} have columns outside the {model.n_features} of the model")
    if len(identity) not in (0, n) or (len(identity) == 0 and len(columns) == 0 and n):
        raise ValueError(f"there are {len(identity)} own columns of {n} {name}")
    features = None
    if reader.has_tensor(f"{name}_features_indptr"):
        features = _read_csr(reader, f"{name}_features", (n, len(columns)))
        features.data = features.data.astype(model.dtype)
    elif len(columns):
        raise ValueError(f"the {name} have columns of features, but no features")
    return Side(identity.astype(np.int64), columns.astype(np.int64), features, n)


def _write_csr(writer: Writer, name: str, X: Any) -> None:
    writer.tensor(f"{name}_indptr", np.asarray(X.indptr))
    writer.tensor(f"{name}_indices", np.asarray(X.indices))
    writer.tensor(f"{name}_data", np.asarray(X.data))


def _read_csr(reader: Reader, name: str, shape: Any) -> Any:
    indptr, indices = (reader.tensor(f"{name}_{part}", "i", 1) for part in ("indptr", "indices"))
    data = reader.tensor(f"{name}_data", "f", 1)
    try:
        X = sp.csr_array((data, indices, indptr), shape=shape)
        X.check_format(full_check=True)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from None
    if not X.has_canonical_format or not np.isfinite(X.data).all():
        raise ValueError(f"{name}: columns must ascend in each row, and values be finite")
    return X


def _plain_key(key: Any) -> Any:
    """A key as JSON: strings, integers, floats, and lists for tuples of them."""
    if isinstance(key, tuple):
        return [_plain_key(part) for part in key]
    if isinstance(key, bool) or not isinstance(key, str | int | float):
        raise ValueError(f"an id is {key!r:.200}; files take ids of strings, integers, floats and tuples")
    return key


def _ids(keys: Any) -> Ids:
    if not isinstance(keys, list):
        raise ValueError(f"keys are {keys!r:.200}, expected a list")
    ids = Ids(_tuples(key) for key in keys)
    if len(ids) != len(keys):
        raise ValueError("an id occurs twice")
    return ids


def _tuples(key: Any) -> Any:
    if isinstance(key, list):
        return tuple(_tuples(part) for part in key)
    if isinstance(key, dict):
        raise ValueError(f"an id is {key!r:.200}")
    return key
