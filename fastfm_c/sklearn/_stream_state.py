"""What `partial_fit` keeps from call to call, in files."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastfm_c.persistence._json import as_scalar, json_member, require_no_more
from fastfm_c.persistence._objects import Reader, Writer
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
    require_no_more(state, "stream")
    numbers = seen.weight, seen.deviation, init_stdev
    if not (seen.n_rows >= 0 and all(0 <= number < np.inf for number in numbers)):
        raise ValueError(f"stream has n_rows {seen.n_rows} and {numbers}, expected finite numbers >= 0")
    if seed is not None and not 0 <= seed < 2**31:
        raise ValueError(f"stream.seed is {seed}, expected a number in [0, 2**31)")
    constant = _number_or_array(reader, "constant")
    if constant is not None and np.shape(constant) != np.shape(model.w0):
        raise ValueError(f"stream.constant has shape {np.shape(constant)}, model_ has {np.shape(model.w0)}")
    return Stream(seen, constant, seed, init_stdev, _sizes(reader, model))


def _number_or_array(reader: Reader, name: str) -> Any:
    """A float, an array of one dimension, or None if the file has no such tensor."""
    if not reader.has_tensor(f"stream.{name}"):
        return None
    array = reader.tensor(f"stream.{name}", "f", writable=True)
    if array.ndim > 1 or not np.isfinite(array).all():
        raise ValueError(f"stream.{name} holds {array!r:.200}, expected finite numbers")
    return float(array) if array.ndim == 0 else array.copy()


def _sizes(reader: Reader, model: Model) -> NDArray[Any] | None:
    if not reader.has_tensor("stream.sizes"):
        return None
    sizes = reader.tensor("stream.sizes", "f", writable=True).copy()
    if sizes.shape != (model.n_features,) or not (np.isfinite(sizes) & (sizes >= 0)).all():
        raise ValueError(f"stream.sizes has shape {sizes.shape}, expected {model.n_features} finite sizes")
    return sizes
