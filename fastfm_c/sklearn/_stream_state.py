"""What `partial_fit` keeps from call to call, in files."""

from types import NoneType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastfm_c.persistence._json import as_scalar, json_member, require_no_more
from fastfm_c.persistence._objects import Reader, Writer
from fastfm_c.sklearn._column_units import ColumnFigures
from fastfm_c.sklearn._running import RunningTargets
from fastfm_c.sklearn._stream import Stream
from fastfm_c.sklearn._trainable import Model

__all__ = ["stream_from_state", "stream_to_state"]


def stream_to_state(stream: Stream, writer: Writer) -> dict[str, Any]:
    """The state of a stream: numbers as JSON, arrays as tensors."""
    seen = stream.targets
    state: dict[str, Any] = {
        "n_rows": seen.n_rows,
        "weight": as_scalar(seen.weight, "stream.weight"),
        "deviation": as_scalar(seen.deviation, "stream.deviation"),
        "seed": stream.seed,
        "init_stdev": as_scalar(stream.init_stdev, "stream.init_stdev"),
    }
    for name, value in (("mean", seen.mean), ("constant", stream.constant), ("sizes", stream.sizes)):
        if value is not None:
            writer.tensor(f"stream.{name}", np.asarray(value))
    if stream.n_learned is not None:
        state["n_learned"] = stream.n_learned
    if (columns := stream.columns) is not None:
        writer.tensor("stream.counts", columns.counts)
        if columns.weights.any():  # else all values were 1
            writer.tensor("stream.weights", columns.weights)
            writer.tensor("stream.squares", columns.squares)
    return state


def stream_from_state(state: dict[str, Any], model: Model, reader: Reader) -> Stream:
    """The stream of a state, after a check that it belongs to the model."""
    seed = json_member(state, "seed", int, type(None))
    seen = RunningTargets(
        json_member(state, "n_rows", int),
        json_member(state, "weight", float),
        _number_or_array(reader, "mean"),
        json_member(state, "deviation", float),
    )
    init_stdev = json_member(state, "init_stdev", float)
    n_learned = json_member(state, "n_learned", int, NoneType)
    require_no_more(state, "stream")
    numbers = seen.weight, seen.deviation, init_stdev
    if not (seen.n_rows >= 0 and all(0 <= number < np.inf for number in numbers)):
        raise ValueError(f"stream has n_rows {seen.n_rows} and {numbers}, expected finite numbers >= 0")
    if n_learned is not None and not 0 <= n_learned < 2**62:
        raise ValueError(f"stream.n_learned is {n_learned}, expected a number of rows")
    if seed is not None and not 0 <= seed < 2**31:
        raise ValueError(f"stream.seed is {seed}, expected a number in [0, 2**31)")
    constant = _number_or_array(reader, "constant")
    if constant is not None and np.shape(constant) != np.shape(model.w0):
        raise ValueError(f"stream.constant has shape {np.shape(constant)}, model_ has {np.shape(model.w0)}")
    sizes = _sizes(reader, model)
    columns = _columns(reader, model, sizes is not None)
    return Stream(seen, constant, seed, init_stdev, sizes, columns, n_learned)


def _number_or_array(reader: Reader, name: str) -> Any:
    """A float, an array of one dimension, or None if the file has no such tensor."""
    if not reader.has_tensor(f"stream.{name}"):
        return None
    array = reader.tensor(f"stream.{name}", "f", writable=True)
    if array.ndim > 1 or not np.isfinite(array).all():
        raise ValueError(f"stream.{name} holds {array!r:.200}, expected finite numbers")
    return float(array) if array.ndim == 0 else array.copy()


def _sizes(reader: Reader, model: Model, name: str = "sizes") -> NDArray[Any] | None:
    """A number for each column, or None if the file has none."""
    if not reader.has_tensor(f"stream.{name}"):
        return None
    sizes = reader.tensor(f"stream.{name}", "f", writable=True).copy()
    if sizes.shape != (model.n_features,) or not (np.isfinite(sizes) & (sizes >= 0)).all():
        raise ValueError(f"stream.{name} has shape {sizes.shape}, expected {model.n_features} finite {name}")
    return sizes


def _columns(reader: Reader, model: Model, is_followed: bool) -> ColumnFigures | None:
    """What the units of columns follow from. Without weights and squares all values were 1."""
    names = [name for name in ("counts", "weights", "squares") if reader.has_tensor(f"stream.{name}")]
    if not names:
        return None
    if not is_followed or len(names) == 2 or names[0] != "counts":
        raise ValueError(f"stream has {' and '.join(names)} of columns, but not all that belongs to them")
    columns = ColumnFigures.none(model.n_features)
    for name in names:
        getattr(columns, name)[:] = _sizes(reader, model, name)
    if ((columns.weights > 0) != (columns.squares > 0)).any():
        raise ValueError("stream.weights and stream.squares are of different columns")
    return columns
