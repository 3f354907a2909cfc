"""Posteriors in files: see `fastfm_c.persistence`.

The rows of X_test are not in the file, what is known of their scores is.
"""

from types import NoneType
from typing import Any

import numpy as np
from numpy.typing import NDArray

from fastfm_c.bayes._moments import ScoreMoments
from fastfm_c.bayes._ordered import OrderedProbit, thresholds_in
from fastfm_c.bayes._posterior import HYPER, Posterior
from fastfm_c.persistence._json import json_member
from fastfm_c.persistence._objects import Reader, Writer

__all__ = ["from_state", "to_state"]

_COUNTS = "n_iter", "n_kept", "burn_in"


def to_state(posterior: Posterior, writer: Writer) -> dict[str, Any]:
    """The state of a posterior, with those of its models and its loss."""
    for name, array in zip(HYPER, posterior._hyper, strict=True):
        writer.tensor(f"now.{name}", array)
    for name, array in posterior.trace.items():
        writer.tensor(f"trace.{name}", array)
    writer.tensor("mean_w", posterior._w)
    writer.tensor("root", posterior._factors.root)
    if posterior.groups is not None:
        writer.tensor("groups", posterior.groups)
    if posterior._thresholds is not None:  # they say what the loss is
        writer.tensor("thresholds", posterior._thresholds)
    state = {
        "loss": None if posterior.n_grades is not None else writer.state(posterior.loss, "loss"),
        "model": writer.state(posterior._now, "model"),
        "samples": [writer.state(model, f"sample_{i}") for i, model in enumerate(posterior.samples)],
        "seed": posterior._seed,
        "alpha": float(posterior._alpha),
        "mean_w0": float(posterior._w0),
        **{name: getattr(posterior, name) for name in _COUNTS},
    }
    scores = posterior._scores
    if scores is None:
        return state
    writer.tensor("scores.mean", scores.mean)
    writer.tensor("scores.squares", scores.squares)
    if scores.proba is not None:
        writer.tensor("scores.proba", scores.proba)
    return state | {"n_scores": scores.n_samples, "X_test": posterior._digest}


def from_state(create: Any, state: dict[str, Any], reader: Reader) -> Any:
    """The posterior of a state."""
    loss, thresholds = _loss(state, reader)
    now = reader.object(json_member(state, "model", dict), "model", "model")
    models = json_member(state, "samples", list)
    if type(now).__name__ != "FM" or np.ndim(now.w0) or type(loss).__name__ == "SoftmaxLoss":
        raise ValueError("the posterior is not of an FM of one output with a loss of one")
    groups = reader.tensor("groups", "i", 1).astype(np.int32) if reader.has_tensor("groups") else None
    counts = {name: json_member(state, name, int) for name in _COUNTS}
    if not (min(counts.values()) >= 0 and max(counts.values()) < 2**31):
        raise ValueError(f"n_iter, n_kept and burn_in are {list(counts.values())}, expected counts")
    if groups is not None and (
        len(groups) != now.n_features or (len(groups) and not 0 <= groups.min() <= groups.max() < len(groups))
    ):
        raise ValueError("groups has no group for each feature")
    posterior: Posterior = create(now, loss, groups, counts["burn_in"])
    posterior.n_iter, posterior.n_kept = counts["n_iter"], counts["n_kept"]
    posterior.samples = tuple(reader.object(model, f"sample_{i}", "model") for i, model in enumerate(models))
    if any(type(m) is not type(now) or m.V.shape != now.V.shape for m in posterior.samples):
        raise ValueError("a sample is not like the model")
    if thresholds is not None:
        posterior._thresholds = thresholds
        for model in posterior.samples:
            thresholds_in(model, len(thresholds) + 1)
    posterior._seed = json_member(state, "seed", int)
    if not 0 <= posterior._seed < 2**63:
        raise ValueError(f"seed is {posterior._seed}, expected 0 <= seed < 2**63")
    posterior._alpha, posterior._w0 = json_member(state, "alpha", float), json_member(state, "mean_w0", float)
    for name, array in zip(HYPER, posterior._hyper, strict=True):
        array[...] = _numbers(reader, f"now.{name}", array.shape)
    for name, values in posterior._traces.items():
        shape = posterior._hyper[HYPER.index(name)].shape if name in HYPER else ()
        if name == "thresholds" and thresholds is not None:
            shape = thresholds.shape
        values.extend(_numbers(reader, f"trace.{name}", (posterior.n_iter, *shape)))
    posterior._w = _numbers(reader, "mean_w", (now.n_features,))
    posterior._factors.root = _numbers(reader, "root", (now.n_features, None))
    posterior._factors.n_samples = posterior.n_kept
    n_scores = json_member(state, "n_scores", int, NoneType)
    if n_scores is not None:
        posterior._digest = json_member(state, "X_test", str)
        posterior._scores = _scores(reader, n_scores, posterior)
    return posterior


def _loss(state: dict[str, Any], reader: Reader) -> tuple[Any, NDArray[np.float64] | None]:
    """The loss, and the thresholds of one of grades."""
    loss = json_member(state, "loss", dict, NoneType)
    if loss is not None:
        return reader.object(loss, "loss", "loss"), None
    thresholds = _numbers(reader, "thresholds", (None,))
    if not (len(thresholds) > 0 and thresholds[0] == 0 and (np.diff(thresholds) > 0).all()):
        raise ValueError(f"the thresholds are {thresholds!r:.100}, expected numbers from 0 upwards")
    return OrderedProbit(len(thresholds) + 1), thresholds


def _scores(reader: Reader, n_samples: int, posterior: Posterior) -> ScoreMoments:
    mean = _numbers(reader, "scores.mean", (None,))
    scores = posterior._no_moments(len(mean))
    scores.n_samples, scores.mean = n_samples, mean
    scores.squares = _numbers(reader, "scores.squares", mean.shape)
    if scores.proba is not None:
        scores.proba = _numbers(reader, "scores.proba", scores.proba.shape)
    if n_samples != posterior.n_kept:
        raise ValueError(f"n_scores is {n_samples}, expected n_kept, {posterior.n_kept}")
    return scores


def _numbers(reader: Reader, name: str, shape: tuple[int | None, ...]) -> NDArray[np.float64]:
    """A tensor of float64 of this shape, where None is any length; all finite."""
    array = reader.tensor(name, "f", len(shape), writable=True)
    if any(wanted not in (None, n) for wanted, n in zip(shape, array.shape, strict=True)):
        raise ValueError(f"tensor {reader.path + name!r} has shape {array.shape}, expected {shape}")
    if array.dtype != np.float64 or not np.isfinite(array).all():
        raise ValueError(f"tensor {reader.path + name!r} holds other numbers than finite float64")
    return array
