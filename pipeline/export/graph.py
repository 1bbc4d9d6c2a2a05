"""An ONNX graph as it is put together: nodes and constants, each by its name."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper

Array = npt.NDArray[Any]

OPSET = 18
IR_VERSION = 9
PRODUCER = "csv-to-production"
INT64, DOUBLE = TensorProto.INT64, TensorProto.DOUBLE


class Graph:
    """Collects the nodes and constants of an ONNX graph."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def constant(self, name: str, value: Array | float) -> str:
        array = np.asarray(value)
        self.constants.append(numpy_helper.from_array(array, name))
        return name

    def add(self, operator: str, inputs: list[str], output: str, **attributes: Any) -> str:
        node = helper.make_node(operator, inputs, [output], name=output, **attributes)
        self.nodes.append(node)
        return output

    def serialize(
        self,
        name: str,
        features: tuple[str, int],
        outputs: Mapping[str, tuple[int, Sequence[int | None]]],
        metadata: Mapping[str, str],
    ) -> bytes:
        """Return a checked model: of an input with so many features, of outputs `type, shape`."""
        taken = helper.make_tensor_value_info(features[0], DOUBLE, [None, features[1]])
        given = [
            helper.make_tensor_value_info(output, kind, shape)
            for output, (kind, shape) in outputs.items()
        ]
        model = helper.make_model(
            helper.make_graph(self.nodes, name, [taken], given, self.constants),
            opset_imports=[helper.make_opsetid("", OPSET)],
            ir_version=IR_VERSION,
            producer_name=PRODUCER,
        )
        helper.set_model_props(model, dict(metadata))
        onnx.checker.check_model(model, full_check=True)
        return bytes(model.SerializeToString(deterministic=True))
