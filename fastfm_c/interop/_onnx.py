"""`dump_onnx`: a model as an ONNX graph.

A graph has an axis of outputs throughout, which is taken away at the end of a model without one. The pairs of
an FFM are those of its field sums ``S[a, b]``: half of ``sum <S[a, b], S[b, a]>`` over all fields, less what
each value has with itself.
"""

import importlib
import os
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from fastfm_c._validation import require_choice
from fastfm_c.interop._onnx_graph import Graph
from fastfm_c.losses import LogisticLoss, Loss, SoftmaxLoss, SquaredLoss
from fastfm_c.models import FFM, FM

__all__ = ["dump_onnx", "graph_of"]

_Array: TypeAlias = NDArray[Any]

_PROTOBUF_LIMIT = (1 << 31) - (1 << 20)  # bytes of a message; the nodes take some of them


def dump_onnx(
    model: Any,
    path: Any,
    *,
    input: str = "sparse",
    loss: Loss | None = None,
    external_data: bool = False,
) -> None:
    """Write a model as an ONNX graph (opset 17) that computes its scores in float32.

    Parameters
    ----------
    model : FM, FFM, or a quantised model
    path : str, bytes or PathLike
    input : "sparse" (default) or "dense"
        sparse: ``indices`` (rows, m) int64 and ``values`` (rows, m) float32; rows that are shorter are filled
        up with index 0 and value 0. A column must not come twice in a row with values that are not 0. dense:
        ``X`` (rows, n_features) float32.
    loss : LogisticLoss, SoftmaxLoss or SquaredLoss, optional
        Adds an output ``probabilities``: of the second class, (rows,), or of each class. `SquaredLoss` adds
        none.
    external_data : bool, default False
        Write the parameters to a second file beside this one, whose name ends with ".data". Needed beyond 2
        GB.

    Raises
    ------
    ImportError
        Without the package onnx.
    ValueError
        For a model beyond 2 GB without `external_data`; for a loss that does not fit the model.

    Notes
    -----
    The graph's output is ``scores``, (rows,) or (rows, outputs). A score is that of `predict` up to 1e-5 of
    the sum of the absolute values of its terms.

    Examples
    --------
    >>> from fastfm_c import FM
    >>> model = FM.random(1000, 8, rng=0)
    >>> dump_onnx(model, "model.onnx", loss=LogisticLoss())  # doctest: +SKIP
    """
    require_choice(input, "input", ("sparse", "dense"))
    try:
        onnx = importlib.import_module("onnx")
    except ImportError:
        raise ImportError("dump_onnx writes with the package onnx: pip install 'fastfm-c[onnx]'") from None
    if hasattr(model, "full"):
        model = model.full()
    if not isinstance(model, FM | FFM):
        raise ValueError(f"model is a {type(model).__name__}, expected an FM or FFM")
    function = _link(model, loss)
    now = model._snapshot()
    if not external_data and 4 * (now.V.size + now.w.size) > _PROTOBUF_LIMIT:
        raise ValueError(
            f"the parameters take {4 * (now.V.size + now.w.size):,} bytes as float32, and an ONNX file holds "
            "less than 2 GB: give external_data=True"
        )
    proto = graph_of(onnx, model, input, function).model("fastfm_c")
    target = os.fsdecode(path)
    location = os.path.basename(target) + ".data"
    options = (
        {"save_as_external_data": True, "location": location, "size_threshold": 128} if external_data else {}
    )
    onnx.save_model(proto, target, **options)


def graph_of(onnx: Any, model: Any, input: str, function: str | None) -> Graph:
    """The graph of an FM or FFM, with inputs as `dump_onnx` says; `function` makes probabilities."""
    graph, now = Graph(onnx), model._snapshot()
    linear, pairs = (_sparse if input == "sparse" else _dense)(graph, model, now)
    _finish(graph, model, now, linear, pairs, function)
    return graph


def _link(model: Any, loss: Any) -> str | None:
    """The operator that makes probabilities of scores."""
    if loss is None or isinstance(loss, SquaredLoss):
        return None
    if model.metadata.get("link") == "probit":
        raise ValueError(
            f"the model has the probit link, so its scores are none for {loss!r}: loss must be None"
        )
    is_multiple = isinstance(loss, SoftmaxLoss)
    if not isinstance(loss, SoftmaxLoss | LogisticLoss) or is_multiple != bool(model._snapshot().has_outputs):
        raise ValueError(f"loss is {loss!r}, which does not fit a model of {model.n_outputs} outputs")
    return "Softmax" if is_multiple else "Sigmoid"


def _normalised(graph: Graph, x: str, how: str | None, axis: int) -> tuple[str, str]:
    """The values for the linear part and for the pairs, divided as the model says."""
    if how is None:
        return x, x
    squares = graph.sum(graph.node("Mul", x, x), axis)
    is_empty = graph.node("Equal", squares, graph.number(0.0))
    length = graph.node("Sqrt", graph.node("Where", is_empty, graph.number(1.0), squares))
    by_length = graph.node("Div", x, length)
    return by_length, graph.node("Div", by_length, length) if how == "xlearn" else by_length


def _sparse(graph: Graph, model: Any, now: Any) -> tuple[str, str]:
    """Names of the linear part and of twice the pairs, both (rows, C)."""
    n, C, k = len(now.w), model.n_outputs, model.n_factors
    F = now.n_fields if now.fields is not None else 1
    indices, values = (
        graph.input("indices", "int64", ["rows", "m"]),
        graph.input("values", "float", ["rows", "m"]),
    )
    linear_x, x = _normalised(graph, values, model.normalize, 1)
    w = graph.node("Gather", graph.constant("w", now.w.reshape(n, C)), indices, axis=0)
    linear = graph.sum(graph.node("Mul", w, graph.with_axes(linear_x, 2)), 1, keep=False)
    V = graph.node("Gather", graph.constant("V", now.V.reshape(n, C * F * k)), indices, axis=0)
    terms = graph.node("Mul", V, graph.with_axes(x, 2))  # (rows, m, C F k)
    if now.fields is None:
        sums = graph.shaped(graph.sum(terms, 1, keep=False), [-1, C, k])
        own = graph.shaped(graph.sum(graph.node("Mul", terms, terms), 1, keep=False), [-1, C, k])
        pairs = graph.node("Sub", graph.node("Mul", sums, sums), own)
        return linear, graph.sum(pairs, 2, keep=False)
    field = graph.node("Gather", graph.constant("fields", now.fields.astype(np.int64)), indices, axis=0)
    one_hot = graph.node(
        "OneHot", field, graph.integer(F), graph.constant("off_on", np.array([0, 1])), axis=-1
    )
    by_field = graph.node("Transpose", one_hot, perm=[0, 2, 1])  # (rows, F, m)
    sums = graph.shaped(graph.node("MatMul", by_field, terms), [-1, F, C, F, k])
    masked = graph.node("Mul", graph.shaped(terms, [0, 0, C, F, k]), graph.with_axes(one_hot, 2, 4))
    own = graph.sum(graph.sum(graph.node("Mul", masked, masked), 1, keep=False), 2, 3, keep=False)
    return linear, graph.node("Sub", _between_fields(graph, sums), own)


def _between_fields(graph: Graph, sums: str) -> str:
    """``sum <S[a, b], S[b, a]>`` of sums (rows, F, C, F, k): (rows, C)."""
    swapped = graph.node("Transpose", sums, perm=[0, 3, 2, 1, 4])
    return graph.sum(graph.node("Mul", sums, swapped), 1, 3, 4, keep=False)


def _dense(graph: Graph, model: Any, now: Any) -> tuple[str, str]:
    """As `_sparse`."""
    n, C, k = len(now.w), model.n_outputs, model.n_factors
    linear_x, x = _normalised(graph, graph.input("X", "float", ["rows", n]), model.normalize, 1)
    linear = graph.node("MatMul", linear_x, graph.constant("w", now.w.reshape(n, C)))
    squared_x = graph.node("Mul", x, x)
    if now.fields is None:
        V = now.V.reshape(n, C, k)
        sums = graph.shaped(graph.node("MatMul", x, graph.constant("V", V.reshape(n, C * k))), [-1, C, k])
        squares = np.einsum("jck,jck->jc", V, V, dtype=np.float64)
        own = graph.node("MatMul", squared_x, graph.constant("squares", squares))
        return linear, graph.node("Sub", graph.sum(graph.node("Mul", sums, sums), 2, keep=False), own)
    F = now.n_fields
    V, fields = now.V.reshape(n, C, F, k), np.asarray(now.fields)
    of_fields = []
    for a in range(F):
        columns = np.flatnonzero(fields == a)
        taken = graph.node("Gather", x, graph.constant(f"columns_{a}", columns.astype(np.int64)), axis=1)
        S = graph.node("MatMul", taken, graph.constant(f"V_{a}", V[columns].reshape(len(columns), C * F * k)))
        of_fields.append(graph.with_axes(S, 1))
    sums = graph.shaped(graph.node("Concat", *of_fields, axis=1), [-1, F, C, F, k])
    of_own = V[np.arange(n), :, fields]
    squares = np.einsum("jck,jck->jc", of_own, of_own, dtype=np.float64)
    own = graph.node("MatMul", squared_x, graph.constant("squares", squares))
    return linear, graph.node("Sub", _between_fields(graph, sums), own)


def _finish(graph: Graph, model: Any, now: Any, linear: str, pairs: str, function: str | None) -> None:
    """Add up the parts, and name the outputs."""
    half = graph.node("Mul", pairs, graph.number(0.5))
    scores = graph.node("Add", graph.node("Add", linear, half), graph.constant("w0", now.w0))
    shape: list[Any] = ["rows", model.n_outputs]
    if not now.has_outputs:
        scores, shape = graph.shaped(scores, [-1]), ["rows"]
    graph.output(scores, "scores", shape)
    if function is not None:
        attributes = {"axis": 1} if function == "Softmax" else {}
        graph.output(graph.node(function, scores, **attributes), "probabilities", shape)
