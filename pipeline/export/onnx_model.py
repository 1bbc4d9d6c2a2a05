"""Write the fitted estimator as an ONNX graph that holds all the model needs to answer.

From the values that mean "missing" to the decision threshold it is one file, so that it answers
alike wherever it is run. The graph is built from ONNX's own operators in double precision:
skl2onnx converts an SVM to onnxruntime's, which computes in single precision and was off by 5e-5
in the probability where C and gamma are small (many terms that cancel), beyond the parity gate.
"""

from collections.abc import Sequence
from hashlib import sha256

import numpy as np
import onnx
from onnx import TensorProto, helper
from sklearn.linear_model import LogisticRegressionCV
from sklearn.pipeline import Pipeline

from pipeline.export.graph import Array, Graph
from pipeline.export.kernel_machine import KernelMachine, standardized_machine
from pipeline.export.transformer import encode
from pipeline.training.calibrated_svm import CalibratedSVM
from serving.model.contract import Contract
from serving.model.scorer import CONTRACT_DIGEST_KEY, INPUT, probability_outputs

OPSET = 18
IR_VERSION = 9
PRODUCER = "csv-to-production"


def export(estimator: Pipeline, contract: Contract, contract_json: bytes) -> bytes:
    """Convert a fitted estimator: an SVM of `build_estimator`, or a baseline of `fit_baseline`.

    The graph takes `features [n, k]` (double) and gives `label [n]` (int64) and, for two classes,
    `probability [n]` (double), where a label is `probability >= contract.threshold`. For more it
    gives `probability_0 [n]`, `probability_1 [n]` and so on, of which the label is the largest. It
    carries the digest of `contract_json`, so that its own digest stands for both.
    """
    graph, two = Graph(), contract.is_binary
    encoded = encode(graph, estimator, contract)
    classifier = estimator.named_steps["classify"]
    if isinstance(classifier, LogisticRegressionCV):
        logits = _logistic_regression(graph, classifier, encoded)
    else:
        logits = _calibrated_svm(graph, classifier, encoded)
        logits = logits if two else _log_sigmoid(graph, logits)
    if two:
        _decide(graph, logits, contract.threshold)
    else:
        _decide_among(graph, logits, probability_outputs(contract))
    return _serialize(graph, contract, contract_json)


def _logistic_regression(graph: Graph, classifier: LogisticRegressionCV, z: str) -> str:
    graph.constant("axis_1", np.array([1], dtype=np.int64))
    return _sums(graph, z, classifier.coef_.T, classifier.intercept_)


def _calibrated_svm(graph: Graph, classifier: CalibratedSVM, z: str) -> str:
    """Add `a f + b` of each decision function `f = Σ wᵢ kᵢ + c`: Platt (1999) takes its sigmoid."""
    machine, (slopes, offsets) = standardized_machine(classifier), np.transpose(classifier.sigmoids)
    kernel = _kernel(graph, machine, z)
    return _sums(graph, kernel, slopes * machine.weights, slopes * machine.bias + offsets)


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


def _sums(graph: Graph, values: str, weights: Array, bias: Array) -> str:
    """Return `Σ wᵢ xᵢ + b` over the columns of `values` `[n, k]`, for each column of weights."""
    columns = graph.constant("weights", np.ascontiguousarray(weights))
    return graph.add("Gemm", [values, columns, graph.constant("bias", bias)], "logits")


def _log_sigmoid(graph: Graph, logits: str) -> str:
    """Return `min(x, 0) − log(1 + exp(−|x|))`, which is finite where the sigmoid itself is 0."""
    least = graph.add("Min", [logits, graph.constant("zero", 0.0)], "below_zero")
    size = graph.add("Neg", [graph.add("Abs", [logits], "sizes")], "minus_sizes")
    tail = graph.add("Exp", [size], "tails")
    more = graph.add("Add", [tail, graph.constant("one", 1.0)], "one_and_tails")
    return graph.add("Sub", [least, graph.add("Log", [more], "log_tails")], "log_sigmoids")


def _decide_among(graph: Graph, logarithms: str, outputs: Sequence[str]) -> None:
    """Add probabilities in the ratio of exponentials, and as the label the largest one's place."""
    every = graph.add("Softmax", [logarithms], "probabilities", axis=1)
    graph.add("ArgMax", [every], "label", axis=1, keepdims=0)
    for place, output in enumerate(outputs):
        column = graph.constant(f"class_{place}", np.array(place, dtype=np.int64))
        graph.add("Gather", [every, column], output, axis=1)


def _decide(graph: Graph, logits: str, threshold: float | None) -> None:
    if threshold is None:
        raise ValueError("a contract without a threshold cannot be exported")
    logit = graph.add("Squeeze", [logits, "axis_1"], "logit")
    graph.add("Sigmoid", [logit], "probability")
    at_least = graph.add(
        "GreaterOrEqual", ["probability", graph.constant("threshold", threshold)], "is_positive"
    )
    graph.add("Cast", [at_least], "label", to=TensorProto.INT64)


def _serialize(graph: Graph, contract: Contract, contract_json: bytes) -> bytes:
    features = helper.make_tensor_value_info(
        INPUT, TensorProto.DOUBLE, [None, len(contract.features)]
    )
    outputs = [helper.make_tensor_value_info("label", TensorProto.INT64, [None])]
    for name in probability_outputs(contract):
        outputs.append(helper.make_tensor_value_info(name, TensorProto.DOUBLE, [None]))
    model = helper.make_model(
        helper.make_graph(graph.nodes, "model", [features], outputs, graph.constants),
        opset_imports=[helper.make_opsetid("", OPSET)],
        ir_version=IR_VERSION,
        producer_name=PRODUCER,
    )
    helper.set_model_props(model, {CONTRACT_DIGEST_KEY: sha256(contract_json).hexdigest()})
    onnx.checker.check_model(model, full_check=True)
    return bytes(model.SerializeToString(deterministic=True))
