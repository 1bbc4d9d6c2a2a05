"""Write the fitted estimator as an ONNX graph that holds all the model needs to answer.

From the values that mean "missing" to the decision threshold it is one file, so that it answers
alike wherever it is run. The graph is built from ONNX's own operators in double precision:
skl2onnx converts an SVM to onnxruntime's, which computes in single precision and was off by 5e-5
in the probability where C and gamma are small (many terms that cancel), beyond the parity gate.
"""

from hashlib import sha256
from typing import Any

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper
from sklearn.pipeline import Pipeline

from serving.contract import Contract
from serving.scorer import CONTRACT_DIGEST_KEY, INPUT, OUTPUTS

OPSET = 18
IR_VERSION = 9
PRODUCER = "csv-to-production"
FAR = 1e100  # standard deviations, whose square is still finite

Array = npt.NDArray[Any]


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


def export(estimator: Pipeline, contract: Contract, contract_json: bytes) -> bytes:
    """Convert an estimator that `build_estimator` made, and that was fitted.

    The graph takes `features [n, k]` (double) and gives `label [n]` (int64) and `probability [n]`
    (double), where a label is `probability >= contract.threshold`. It carries the digest of
    `contract_json`, so that its own digest stands for both.
    """
    graph = Graph()
    known = _impute(graph, estimator.named_steps["impute"], contract)
    scaled = _scale(graph, estimator.named_steps["scale"], known)
    (calibrated,) = estimator.named_steps["classify"].calibrated_classifiers_
    distance = _decision_function(graph, calibrated.estimator, scaled)
    _calibrate(graph, calibrated.calibrators[0], distance)
    _decide(graph, contract.threshold)
    return _serialize(graph, contract, contract_json)


def _impute(graph: Graph, imputer: Any, contract: Contract) -> str:
    """Put the training median where a value is NaN or one of those that mean missing."""
    missing = graph.add("IsNaN", [INPUT], "missing")
    slots = max(len(feature.missing_values) for feature in contract.features)
    for slot in range(slots):
        # A feature with fewer such values has NaN here, which equals nothing.
        values = [
            feature.missing_values[slot] if slot < len(feature.missing_values) else np.nan
            for feature in contract.features
        ]
        stands_for = graph.constant(f"missing_value_{slot}", np.array(values))
        is_one = graph.add("Equal", [INPUT, stands_for], f"is_missing_value_{slot}")
        missing = graph.add("Or", [missing, is_one], f"missing_{slot}")
    medians = graph.constant("medians", imputer.statistics_)
    return graph.add("Where", [missing, medians, INPUT], "known")


def _scale(graph: Graph, scaler: Any, known: str) -> str:
    mean, scale = graph.constant("mean", scaler.mean_), graph.constant("scale", scaler.scale_)
    scaled = graph.add("Div", [graph.add("Sub", [known, mean], "centred"), scale], "unbounded")
    # Without bounds a value such as 1e308 would be squared to infinity and answered with NaN.
    bounds = [graph.constant("lowest", -FAR), graph.constant("highest", FAR)]
    return graph.add("Clip", [scaled, *bounds], "scaled")


def _decision_function(graph: Graph, svm: Any, z: str) -> str:
    """Give `Σ αᵢ exp(−γ‖z − sᵢ‖²) + b`, with `‖z − s‖² = ‖z‖² − 2 z·s + ‖s‖²`."""
    S = svm.support_vectors_
    vectors = graph.constant("support_vectors", np.ascontiguousarray(S.T))
    lengths = graph.constant("support_vectors_squared", np.sum(S * S, axis=1)[np.newaxis])
    weights = graph.constant("dual_coefficients", svm.dual_coef_[0][:, np.newaxis])
    axis = graph.constant("axis_1", np.array([1], dtype=np.int64))

    z_squared = graph.add("ReduceSumSquare", [z, axis], "scaled_squared", keepdims=1)
    products = graph.add("MatMul", [z, vectors], "products")
    products = graph.add("Mul", [products, graph.constant("minus_two", -2.0)], "minus_products")
    distances = graph.add("Add", [products, z_squared], "distances_part")
    distances = graph.add("Add", [distances, lengths], "squared_distances")
    # svm.gamma is a number here: build_estimator sets it.
    exponents = graph.add(
        "Mul", [distances, graph.constant("minus_gamma", -svm.gamma)], "exponents"
    )
    kernel = graph.add("Exp", [exponents], "kernel")
    sums = graph.add("MatMul", [kernel, weights], "sums")
    sums = graph.add("Squeeze", [sums, axis], "sum")
    return graph.add("Add", [sums, graph.constant("intercept", svm.intercept_)], "distance")


def _calibrate(graph: Graph, sigmoid: Any, distance: str) -> None:
    """Give `1 / (1 + exp(a f + b))` (Platt 1999)."""
    slope, offset = graph.constant("slope", -sigmoid.a_), graph.constant("offset", -sigmoid.b_)
    logit = graph.add("Add", [graph.add("Mul", [distance, slope], "sloped"), offset], "logit")
    graph.add("Sigmoid", [logit], "probability")


def _decide(graph: Graph, threshold: float | None) -> None:
    if threshold is None:
        raise ValueError("a contract without a threshold cannot be exported")
    at_least = graph.add(
        "GreaterOrEqual", ["probability", graph.constant("threshold", threshold)], "is_positive"
    )
    graph.add("Cast", [at_least], "label", to=TensorProto.INT64)


def _serialize(graph: Graph, contract: Contract, contract_json: bytes) -> bytes:
    features = helper.make_tensor_value_info(
        INPUT, TensorProto.DOUBLE, [None, len(contract.features)]
    )
    types = {"label": TensorProto.INT64, "probability": TensorProto.DOUBLE}
    outputs = [helper.make_tensor_value_info(name, types[name], [None]) for name in OUTPUTS]
    model = helper.make_model(
        helper.make_graph(graph.nodes, "model", [features], outputs, graph.constants),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name=PRODUCER,
    )
    helper.set_model_props(model, {CONTRACT_DIGEST_KEY: sha256(contract_json).hexdigest()})
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString(deterministic=True))
