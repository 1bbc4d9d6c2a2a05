"""Write the fitted estimator as an ONNX graph that holds all the model needs to answer.

From the values that mean "missing" to the decision threshold it is one file, so that it answers
alike wherever it is run. The graph is built from ONNX's own operators in double precision:
skl2onnx converts an SVM to onnxruntime's, which computes in single precision and was off by 5e-5
in the probability where C and gamma are small (many terms that cancel), beyond the parity gate.
"""

from collections.abc import Sequence

import numpy as np
from sklearn.linear_model import LogisticRegressionCV
from sklearn.pipeline import Pipeline

from pipeline.export.graph import DOUBLE, INT64, Graph
from pipeline.export.kernel_machine import calibrated_machine
from pipeline.export.log_odds import add_kernel_sums, add_linear
from pipeline.export.transformer import encode
from serving.model.contract import Contract
from serving.model.scorer import INPUT, probability_outputs
from serving.model.version_files import (
    CONTRACT_DIGEST_KEY,
    EXPLANATION_DIGEST_KEY,
    digest_of,
)


def export(
    estimator: Pipeline,
    contract: Contract,
    contract_json: bytes,
    explanation: bytes | None = None,
) -> bytes:
    """Convert a fitted estimator: an SVM of `build_estimator`, or a baseline of `fit_baseline`.

    The graph takes `features [n, k]` (double) and gives `label [n]` (int64) and, for two classes,
    `probability [n]` (double), where a label is `probability >= contract.threshold`. For more it
    gives `probability_0 [n]`, `probability_1 [n]` and so on, of which the label is the largest. It
    carries the digests of `contract_json` and of the explanation that goes with it, so that its own
    digest stands for all.
    """
    graph, two = Graph(), contract.is_binary
    encoded = encode(graph, estimator, contract)
    classifier = estimator.named_steps["classify"]
    if isinstance(classifier, LogisticRegressionCV):
        logits = add_linear(graph, classifier, encoded)
    else:
        logits = add_kernel_sums(graph, calibrated_machine(classifier), encoded)
        logits = logits if two else _log_sigmoid(graph, logits)
    if two:
        _decide(graph, logits, contract.threshold)
    else:
        _decide_among(graph, logits, probability_outputs(contract))
    outputs = {"label": (INT64, [None])}
    outputs |= {name: (DOUBLE, [None]) for name in probability_outputs(contract)}
    metadata = {CONTRACT_DIGEST_KEY: digest_of(contract_json)}
    if explanation is not None:
        metadata[EXPLANATION_DIGEST_KEY] = digest_of(explanation)
    return graph.serialize("model", (INPUT, len(contract.features)), outputs, metadata)


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
    graph.add("Cast", [at_least], "label", to=INT64)
