"""A graph of ONNX that is written node by node."""

from typing import Any

import numpy as np
from numpy.typing import ArrayLike

__all__ = ["Graph"]

_OPSET = 17
_IR_VERSION = 8  # of the release that has opset 17: runtimes refuse versions that are newer than they are


class Graph:
    """Nodes and constants in order; methods return the names of results."""

    def __init__(self, onnx: Any) -> None:
        self._onnx = onnx
        self._nodes: list[Any] = []
        self._constants: dict[str, Any] = {}
        self._inputs: list[Any] = []
        self._outputs: list[Any] = []

    def input(self, name: str, kind: str, shape: list[Any]) -> str:
        """Add an input of "float" or "int64"."""
        self._inputs.append(self._value(name, kind, shape))
        return name

    def output(self, value: str, name: str, shape: list[Any]) -> None:
        """Give out a value under a name."""
        self._nodes.append(self._onnx.helper.make_node("Identity", [value], [name]))
        self._outputs.append(self._value(name, "float", shape))

    def node(self, operator: str, *inputs: str, **attributes: Any) -> str:
        """Add a node with one result."""
        name = f"{operator}_{len(self._nodes)}"
        self._nodes.append(self._onnx.helper.make_node(operator, list(inputs), [name], **attributes))
        return name

    def constant(self, name: str, value: ArrayLike) -> str:
        """Add a constant: integers stay int64, other numbers become float32."""
        array = np.asarray(value)
        if array.dtype != np.int64 or name == "off_on":
            array = array.astype(np.float32)
        self._constants[name] = self._onnx.numpy_helper.from_array(np.ascontiguousarray(array), name)
        return name

    def number(self, value: float) -> str:
        """A scalar float32."""
        return self.constant(f"number_{value}", np.float32(value))

    def integer(self, value: int) -> str:
        """A scalar int64."""
        return self.constant(f"integer_{value}", np.int64(value))

    def sum(self, value: str, *axes: int, keep: bool = True) -> str:
        """The sum over axes."""
        return self.node("ReduceSum", value, self._axes(axes), keepdims=int(keep))

    def with_axes(self, value: str, *axes: int) -> str:
        """The value with new axes of length 1 at these places."""
        return self.node("Unsqueeze", value, self._axes(axes))

    def shaped(self, value: str, shape: list[int]) -> str:
        """The value in another shape; 0 keeps the length of an axis."""
        name = "shape_" + "_".join(map(str, shape))
        return self.node("Reshape", value, self.constant(name, np.array(shape, np.int64)))

    @property
    def nodes(self) -> list[Any]:
        """The nodes, as NodeProto, in order."""
        return self._nodes

    @property
    def constants(self) -> dict[str, Any]:
        """The constants by name, as TensorProto."""
        return self._constants

    def model(self, name: str) -> Any:
        """The whole as a ModelProto."""
        helper = self._onnx.helper
        graph = helper.make_graph(self._nodes, name, self._inputs, self._outputs, [*self._constants.values()])
        opset = helper.make_opsetid("", _OPSET)
        return helper.make_model(graph, opset_imports=[opset], ir_version=_IR_VERSION, producer_name=name)

    def _axes(self, axes: tuple[int, ...]) -> str:
        return self.constant("axes_" + "_".join(map(str, axes)), np.array(axes, np.int64))

    def _value(self, name: str, kind: str, shape: list[Any]) -> Any:
        types = {"float": self._onnx.TensorProto.FLOAT, "int64": self._onnx.TensorProto.INT64}
        return self._onnx.helper.make_tensor_value_info(name, types[kind], shape)
