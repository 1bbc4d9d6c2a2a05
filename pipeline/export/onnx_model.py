"""Write the fitted estimator as an ONNX graph that holds all the model needs to answer.

From the values that mean "missing" to the decision threshold it is one file, so that it answers
alike wherever it is run. The graph is built from ONNX's own operators in double precision:
skl2onnx converts an SVM to onnxruntime's, which computes in single precision and was off by 5e-5
in the probability where C and gamma are small (many terms that cancel), beyond the parity gate.
"""

from hashlib import sha256
from typing import Any, NamedTuple

import numpy as np
import onnx
from onnx import TensorProto, helper
from sklearn.linear_model import LogisticRegressionCV
from sklearn.pipeline import Pipeline

from pipeline.export.graph import Array, Graph
from pipeline.export.transformer import encode
from pipeline.training.calibrated_svm import CalibratedSVM
from serving.model.contract import Contract
from serving.model.scorer import CONTRACT_DIGEST_KEY, INPUT, OUTPUTS

OPSET = 18
IR_VERSION = 9
PRODUCER = "csv-to-production"


class KernelMachine(NamedTuple):
    """A decision function `f(z) = Σ wᵢ exp(−γ‖z − vᵢ‖²) + b`, with vectors `[m, k]`."""

    vectors: Array
    weights: Array
    bias: Array
    gamma: float


def export(estimator: Pipeline, contract: Contract, contract_json: bytes) -> bytes:
    """Convert a fitted estimator: an SVM of `build_estimator`, or a baseline of `fit_baseline`.

    The graph takes `features [n, k]` (double) and gives `label [n]` (int64) and `probability [n]`
    (double), where a label is `probability >= contract.threshold`. It carries the digest of
    `contract_json`, so that its own digest stands for both.
    """
    graph = Graph()
    encoded = encode(graph, estimator, contract)
    classifier = estimator.named_steps["classify"]
    if isinstance(classifier, LogisticRegressionCV):
        _logistic_regression(graph, classifier, encoded)
    else:
        _calibrated_svm(graph, classifier, encoded)
    _decide(graph, contract.threshold)
    return _serialize(graph, contract, contract_json)


def _logistic_regression(graph: Graph, classifier: LogisticRegressionCV, z: str) -> None:
    graph.constant("axis_1", np.array([1], dtype=np.int64))
    _sigmoid_of_sum(graph, z, classifier.coef_[0], classifier.intercept_)


def _calibrated_svm(graph: Graph, classifier: CalibratedSVM, z: str) -> None:
    """Add `1 / (1 + exp(−(a f + b)))` (Platt 1999) of the decision function `f = Σ wᵢ kᵢ + c`."""
    machine, (slope, offset) = _standardized(classifier), classifier.sigmoid
    kernel = _kernel(graph, machine, z)
    _sigmoid_of_sum(graph, kernel, slope * machine.weights, slope * machine.bias + offset)


def _standardized(classifier: CalibratedSVM) -> KernelMachine:
    """Fold the standardisation of the decision values into the sum of kernels."""
    machine = _kernel_machine(classifier.svm_)
    return machine._replace(
        weights=machine.weights / classifier.scale_,
        bias=(machine.bias - classifier.mean_) / classifier.scale_,
    )


def _kernel_machine(svm: Any) -> KernelMachine:
    """Write the exact SVM, or the one on a Nyström map, as a sum of kernels.

    The map is `K(z, v) Nᵀ`, and what follows it is linear, so the two matrices become one.
    """
    # gamma is a number here: build_svm sets it.
    if isinstance(svm, Pipeline):
        kernel_map, linear = svm.named_steps["map"], svm.named_steps["svm"]
        weights = kernel_map.normalization_.T @ linear.coef_[0]
        return KernelMachine(kernel_map.components_, weights, linear.intercept_, kernel_map.gamma)
    return KernelMachine(svm.support_vectors_, svm.dual_coef_[0], svm.intercept_, svm.gamma)


def _kernel(graph: Graph, machine: KernelMachine, z: str) -> str:
    """Return `exp(−γ‖z − s‖²)` `[n, support vectors]`, as `exp(2γ z·s − γ‖s‖² − γ‖z‖²)`.

    γ is multiplied into the constants: each step on this largest of the graph's arrays counts.
    """
    S, gamma = machine.vectors, machine.gamma
    vectors = graph.constant("support_vectors", np.ascontiguousarray(2 * gamma * S.T))
    lengths = graph.constant("support_vectors_squared", -gamma * np.sum(S * S, axis=1))
    axis = graph.constant("axis_1", np.array([1], dtype=np.int64))

    products = graph.add("Gemm", [z, vectors, lengths], "products")
    z_squared = graph.add("ReduceSumSquare", [z, axis], "scaled_squared", keepdims=1)
    z_squared = graph.add("Mul", [z_squared, graph.constant("gamma", gamma)], "scaled_length")
    return graph.add("Exp", [graph.add("Sub", [products, z_squared], "exponents")], "kernel")


def _sigmoid_of_sum(graph: Graph, values: str, weights: Array, bias: Array) -> None:
    """Add `probability`, the sigmoid of `Σ wᵢ xᵢ + b` over the columns of `values` `[n, k]`."""
    column = graph.constant("weights", weights[:, np.newaxis])
    logits = graph.add("Gemm", [values, column, graph.constant("bias", bias)], "logits")
    logit = graph.add("Squeeze", [logits, "axis_1"], "logit")
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
