"""Write what a model's explanations need: its graph up to the log-odds, and background rows.

It is a file of its own, since answering needs none of it, and ONNX like the model: what fills in
and scales a row is then written once, and a worker reads both with the library that it has.
"""

import numpy as np
from sklearn.pipeline import Pipeline

from pipeline.export.graph import DOUBLE, INT64, Array, Graph
from pipeline.export.kernel_machine import calibrated_machine
from pipeline.export.log_odds import add_kernel_sums
from pipeline.export.transformer import encode
from pipeline.training.estimator import split_features
from serving.model import explanation as names
from serving.model.contract import Contract, FloatMatrix


def choose_background(X: FloatMatrix, count: int, seed: int) -> FloatMatrix:
    """Choose rows `[count, features]` at random, or all; the first of them are as random."""
    chosen = np.random.default_rng(seed).permutation(len(X))[:count]
    return X[chosen]


def export_explanation(estimator: Pipeline, contract: Contract, background: FloatMatrix) -> bytes:
    """Convert a fitted SVM of `build_estimator`, to explain it against rows of its training."""
    graph = Graph()
    encoded = encode(graph, estimator, contract)
    machine = calibrated_machine(estimator.named_steps["classify"])
    log_odds = add_kernel_sums(graph, machine, encoded)
    graph.constant("vectors", machine.vectors)
    graph.constant("background", estimator[:-1].transform(background))
    graph.constant("feature_of", _feature_of_column(contract))
    k, classes = machine.vectors.shape[1], machine.weights.shape[1]
    outputs = {
        names.ENCODED: (encoded, DOUBLE, [None, k]),
        names.LOG_ODDS: (log_odds, DOUBLE, [None, classes]),
        names.VECTORS: ("vectors", DOUBLE, [len(machine.vectors), k]),
        names.WEIGHTS: ("weights", DOUBLE, [len(machine.vectors), classes]),
        names.BIAS: ("bias", DOUBLE, [classes]),
        names.GAMMA: ("gamma", DOUBLE, []),
        names.BACKGROUND: ("background", DOUBLE, [len(background), k]),
        names.FEATURE_OF: ("feature_of", INT64, [k]),
    }
    for output, (source, _, _) in outputs.items():
        graph.add("Identity", [source], output)
    described = {output: (kind, shape) for output, (_, kind, shape) in outputs.items()}
    return graph.serialize("explanation", (names.INPUT, len(contract.features)), described, {})


def _feature_of_column(contract: Contract) -> Array:
    """Return the feature of each column that the SVM takes, in the order of `encode`."""
    places = [place for columns in split_features(contract).values() for place in columns]
    widths = [contract.features[place].model_columns for place in places]
    return np.repeat(np.array(places, dtype=np.int64), widths)
