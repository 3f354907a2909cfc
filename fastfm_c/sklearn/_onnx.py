"""The estimators as parts of ONNX graphs that skl2onnx makes, such as those of a Pipeline."""

import importlib
from typing import Any

import numpy as np

from fastfm_c.interop._onnx import graph_of
from fastfm_c.sklearn._classifier import FFMClassifier, FMClassifier
from fastfm_c.sklearn._regressor import FFMRegressor, FMRegressor

__all__ = ["register_onnx_converters"]

_OPSET = 13  # the first one in which ReduceSum takes its axes as `Graph` gives them


def register_onnx_converters() -> None:
    """Teach skl2onnx the estimators of this package, also as steps of a Pipeline.

    ``skl2onnx.to_onnx`` then takes `FMClassifier`, `FMRegressor`, `FFMClassifier` and `FFMRegressor`, with
    dense input and labels that are integers or strings. Nothing is registered before this is called.

    Raises
    ------
    ImportError
        Without the package skl2onnx.

    Notes
    -----
    A conversion raises ValueError for an estimator of ``solver="mcmc"``, whose predictions are means over
    models, and for a classifier of one class. `fastfm_c.interop.dump_onnx` writes a bare model, also with
    sparse input.

    Examples
    --------
    >>> from fastfm_c.sklearn import register_onnx_converters
    >>> register_onnx_converters()  # doctest: +SKIP
    >>> onnx_model = skl2onnx.to_onnx(pipeline, X[:1])  # doctest: +SKIP
    """
    try:
        skl2onnx = importlib.import_module("skl2onnx")
        shapes = importlib.import_module("skl2onnx.common.shape_calculator")
    except ImportError:
        raise ImportError(
            "register_onnx_converters needs the package skl2onnx: pip install skl2onnx"
        ) from None
    options = {"nocl": [True, False], "zipmap": [True, False, "columns"]}
    for kind in FMClassifier, FFMClassifier:
        of_labels = shapes.calculate_linear_classifier_output_shapes
        skl2onnx.update_registered_converter(
            kind, f"FastfmC{kind.__name__}", of_labels, _convert_classifier, options=options
        )
    for kind in FMRegressor, FFMRegressor:
        of_numbers = shapes.calculate_linear_regressor_output_shapes
        skl2onnx.update_registered_converter(kind, f"FastfmC{kind.__name__}", of_numbers, _convert_regressor)


class _Nodes:
    """Adds nodes and constants to what skl2onnx makes, under names that are free there."""

    def __init__(self, scope: Any, container: Any) -> None:
        self._scope, self._container = scope, container
        self._onnx = importlib.import_module("onnx")

    def add(self, operator: str, inputs: list[str], output: str | None = None, **attributes: Any) -> str:
        """Add a node; the name of its result."""
        name: str = output or self._scope.get_unique_variable_name(operator)
        self._container.add_node(
            operator,
            inputs,
            [name],
            name=self._scope.get_unique_operator_name(operator),
            op_version=_OPSET,
            **attributes,
        )
        return name

    def give(self, value: str, output: Any) -> None:
        """Give out float32 numbers, in the type that the output has: float64 where the input is."""
        data_types = importlib.import_module("skl2onnx.common.data_types")
        self.add("Cast", [value], output.full_name, to=data_types.guess_proto_type(output.type))

    def constant(self, value: Any) -> str:
        """Add a constant: of strings, int64 or float32."""
        array = np.asarray(value)
        types = self._onnx.TensorProto
        of_kind = {"i": types.INT64, "u": types.INT64, "f": types.FLOAT}
        name: str = self._scope.get_unique_variable_name("constant")
        kind = of_kind.get(array.dtype.kind, types.STRING)
        values = array.ravel().tolist()
        if kind == types.STRING:
            values = [str(v).encode() for v in values]
        self._container.add_initializer(name, kind, list(array.shape), values)
        return name

    def scores(self, estimator: Any, X: str) -> str:
        """Add the graph of an estimator's model; the name of its scores."""
        if hasattr(estimator, "posterior_"):
            raise ValueError('the estimator was fitted with solver="mcmc": it is no single model')
        graph = graph_of(self._onnx, estimator.model_, "dense", None)
        names = {"X": self.add("Cast", [X], to=self._onnx.TensorProto.FLOAT)}
        for name, tensor in graph.constants.items():
            names[name] = self.constant(self._onnx.numpy_helper.to_array(tensor))
        for node in graph.nodes:
            attributes = {a.name: self._onnx.helper.get_attribute_value(a) for a in node.attribute}
            (output,) = node.output
            names[output] = self.add(node.op_type, [names[n] for n in node.input], **attributes)
        return names["scores"]


def _convert_regressor(scope: Any, operator: Any, container: Any) -> None:
    nodes = _Nodes(scope, container)
    scores = nodes.scores(operator.raw_operator, operator.inputs[0].full_name)
    shape = nodes.constant(np.array([-1, 1]))
    nodes.give(nodes.add("Reshape", [scores, shape]), operator.outputs[0])


def _convert_classifier(scope: Any, operator: Any, container: Any) -> None:
    nodes, estimator = _Nodes(scope, container), operator.raw_operator
    labels, probabilities = operator.outputs
    if len(estimator.classes_) == 1:
        raise ValueError("the classifier has seen one class alone")
    if estimator.classes_.dtype.kind not in "iuUOS":
        raise ValueError(f"the labels have dtype {estimator.classes_.dtype}, expected integers or strings")
    scores = nodes.scores(estimator, operator.inputs[0].full_name)
    if len(estimator.classes_) == 2:
        column = nodes.add("Reshape", [scores, nodes.constant(np.array([-1, 1]))])
        both = [nodes.add("Sigmoid", [s]) for s in (nodes.add("Neg", [column]), column)]
        nodes.give(nodes.add("Concat", both, axis=1), probabilities)
        is_second = nodes.add("GreaterOrEqual", [scores, nodes.constant(np.float32(0))])
        index = nodes.add("Cast", [is_second], to=nodes._onnx.TensorProto.INT64)
    else:
        nodes.give(nodes.add("Softmax", [scores], axis=1), probabilities)
        index = nodes.add("ArgMax", [scores], axis=1, keepdims=0, select_last_index=1)
    nodes.add("Gather", [nodes.constant(estimator.classes_), index], labels.full_name, axis=0)
