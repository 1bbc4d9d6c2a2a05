"""A small model that can be worked out by hand: a logistic regression on three features."""

from hashlib import sha256
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

from serving.model.contract import Contract, Feature
from serving.model.scorer import Prediction
from serving.model.version_files import CONTRACT_DIGEST_KEY

NAME = "heart"
THRESHOLD = 0.4
# Weights of Glucose (scaled), Age and Smoker; what is missing is filled with the means.
WEIGHTS = np.array([[0.02], [0.01], [0.5]], dtype=np.float64)
MEANS = np.array([120, 40, 0], dtype=np.float64)
ROWS: list[dict[str, Any]] = [
    {"Glucose": 148, "Age": 50, "Smoker": 1},
    {"Glucose": 85, "Age": 31, "Smoker": 0},
    {"Glucose": None, "Age": 22, "Smoker": 1},
    {"Glucose": 0, "Age": 22, "Smoker": 1},
]

CONTRACT = Contract(
    target="Disease",
    classes=("no", "yes"),
    threshold=THRESHOLD,
    features=(
        Feature(
            name="Glucose",
            unit="mg/dL",
            nullable=True,
            missing_values=(0,),
            minimum=20,
            maximum=1000,
            training_range=(44, 199),
        ),
        Feature(name="Age", type="integer", minimum=18, maximum=120, training_range=(21, 81)),
        Feature(name="Smoker", type="boolean"),
    ),
)


def with_features(*changes: dict[str, Any]) -> Contract:
    """Give the contract with changes to its features, in their order."""
    pairs = zip(CONTRACT.features, changes, strict=True)
    features = tuple(msgspec.structs.replace(feature, **change) for feature, change in pairs)
    return msgspec.structs.replace(CONTRACT, features=features)


# How much someone smokes, in words, where the others know only whether: 0, 1 and 2 in the graph.
SMOKING: dict[str, Any] = {
    "type": "category",
    "categories": ("never", "now, and then", "daily"),
    "missing_values": ("?",),
    "nullable": True,
}
WITH_WORDS = with_features({}, {}, SMOKING)
WITH_OTHERS = with_features(
    {}, {}, {**SMOKING, "grouped": ("weekly", "monthly"), "unseen": "other"}
)
WITH_ANY_WORD = with_features({}, {}, {**SMOKING, "unseen": "missing"})


def write(
    directory: Path, contract: Contract, bias: float = 0.0, rows: list[dict[str, Any]] = ROWS
) -> str:
    """Write a version's files into a folder and give its digest; `bias` makes versions differ.

    The features may have other names, but are these three.
    """
    directory.mkdir(parents=True, exist_ok=True)
    text = contract.to_json()
    model = graph(sha256(text).hexdigest(), bias).SerializeToString()
    probabilities = [expected_probability(row, bias) for row in rows]
    predictions = [Prediction(int(p >= THRESHOLD), p) for p in probabilities]
    golden = {"rows": [in_words(contract, row) for row in rows], "predictions": predictions}
    (directory / "model.onnx").write_bytes(model)
    (directory / "contract.json").write_bytes(text)
    (directory / "golden.json").write_bytes(msgspec.json.encode(golden))
    return sha256(model).hexdigest()


ENDLESS = 900.0  # a value of Glucose, within the limits


def write_endless(directory: Path, contract: Contract = CONTRACT, above: float = 899.0) -> str:
    """Write a version that never answers rows with a value above a bound; give its digest."""
    write(directory, contract)
    model = graph(sha256(contract.to_json()).hexdigest())
    for node in model.graph.node:
        node.input[:] = ["looped" if name == "features" else name for name in node.input]
    described = helper.make_tensor_value_info
    inputs = [
        described("i", TensorProto.INT64, []),
        described("go", TensorProto.BOOL, []),
        described("x", TensorProto.DOUBLE, [None, 3]),
    ]
    outputs = [
        described("go_on", TensorProto.BOOL, []),
        described("same", TensorProto.DOUBLE, [None, 3]),
    ]
    body = helper.make_graph(
        [
            helper.make_node("Identity", ["go"], ["go_on"]),
            helper.make_node("Identity", ["x"], ["same"]),
        ],
        "again",
        inputs,
        outputs,
    )
    model.graph.initializer.append(numpy_helper.from_array(np.array(above), "bound"))
    nodes = [
        helper.make_node("ReduceMax", ["features"], ["most"], keepdims=0),
        helper.make_node("Greater", ["most", "bound"], ["rare"]),
        helper.make_node("Loop", ["", "rare", "features"], ["looped"], body=body),
    ]
    for node in reversed(nodes):
        model.graph.node.insert(0, node)
    content = model.SerializeToString()
    (directory / "model.onnx").write_bytes(content)
    return sha256(content).hexdigest()


def in_words(contract: Contract, row: dict[str, Any]) -> dict[str, Any]:
    """Give a row by the contract's own names, with the texts of its categories."""
    values = zip(contract.features, row.values(), strict=True)
    return {f.name: f.decode(v) if f.type == "category" else v for f, v in values}


def expected_probability(row: dict[str, Any], bias: float = 0.0) -> float:
    """Compute a row's answer without the graph."""
    x = np.array([np.nan if row[n] is None else row[n] for n in ("Glucose", "Age", "Smoker")])
    x = np.where(np.isnan(x) | (x == [0, np.nan, np.nan]), MEANS, x)
    return float(1 / (1 + np.exp(-(x @ WEIGHTS[:, 0] - 3 + bias))))


# Three classes on the same features: each has weights of its own, of rows filled in alike.
SPECIES = msgspec.structs.replace(
    CONTRACT, target="Species", classes=("Adelie", "Chin, strap", 7), threshold=None
)
SPECIES_WEIGHTS = np.array([[0.02, 0, -0.01], [0.01, 0.02, 0], [0.5, -0.5, 0.1]], dtype=np.float64)
SPECIES_BIAS = np.array([-2.0, 1.0, 2.25], dtype=np.float64)


def write_species(directory: Path, contract: Contract = SPECIES) -> str:
    """Write a version of three classes into a folder and give its digest."""
    directory.mkdir(parents=True, exist_ok=True)
    text = contract.to_json()
    model = species_graph(sha256(text).hexdigest()).SerializeToString()
    found = [species_probabilities(row) for row in ROWS]
    predictions = [Prediction(int(np.argmax(p)), None, tuple(p)) for p in found]
    (directory / "model.onnx").write_bytes(model)
    (directory / "contract.json").write_bytes(text)
    golden = {"rows": ROWS, "predictions": predictions}
    (directory / "golden.json").write_bytes(msgspec.json.encode(golden))
    return sha256(model).hexdigest()


def species_probabilities(row: dict[str, Any]) -> list[float]:
    """Compute a row's answer without the graph."""
    x = np.array([np.nan if row[n] is None else row[n] for n in ("Glucose", "Age", "Smoker")])
    x = np.where(np.isnan(x) | (x == [0, np.nan, np.nan]), MEANS, x)
    odds = np.exp(x @ SPECIES_WEIGHTS + SPECIES_BIAS)
    found: list[float] = (odds / odds.sum()).tolist()
    return found


def species_graph(contract_digest: str) -> onnx.ModelProto:
    """Build a softmax regression, with a probability of each class."""
    places = range(len(SPECIES_BIAS))
    names = [f"probability_{place}" for place in places]
    constants = {
        "weights": SPECIES_WEIGHTS,
        "bias": SPECIES_BIAS,
        **{f"place_{place}": np.array(place, dtype=np.int64) for place in places},
    }
    nodes = [
        helper.make_node("Gemm", ["filled", "weights", "bias"], ["logits"]),
        helper.make_node("Softmax", ["logits"], ["matrix"], axis=1),
        helper.make_node("ArgMax", ["matrix"], ["label"], axis=1, keepdims=0),
        *(
            helper.make_node("Gather", ["matrix", f"place_{place}"], [name], axis=1)
            for place, name in enumerate(names)
        ),
    ]
    return _model(nodes, constants, names, contract_digest)


def graph(contract_digest: str, bias: float = 0.0) -> onnx.ModelProto:
    """Build a logistic regression that fills in missing values first."""
    constants = {
        "weights": WEIGHTS,
        "bias": np.array([bias - 3], dtype=np.float64),
        "column": np.array([-1], dtype=np.int64),
        "threshold": np.array(THRESHOLD, dtype=np.float64),
    }
    nodes = [
        helper.make_node("Gemm", ["filled", "weights", "bias"], ["logit"]),
        helper.make_node("Sigmoid", ["logit"], ["matrix"]),
        helper.make_node("Reshape", ["matrix", "column"], ["probability"]),
        helper.make_node("GreaterOrEqual", ["probability", "threshold"], ["decision"]),
        helper.make_node("Cast", ["decision"], ["label"], to=TensorProto.INT64),
    ]
    return _model(nodes, constants, ["probability"], contract_digest)


def _model(
    nodes: list[Any], constants: dict[str, Any], outputs: list[str], contract_digest: str
) -> onnx.ModelProto:
    """Build a model of `filled` features that fills in missing values first."""
    constants |= {
        "stands_for_missing": np.array([0, np.nan, np.nan], dtype=np.float64),
        "means": MEANS,
    }
    fill_in = [
        helper.make_node("IsNaN", ["features"], ["absent"]),
        helper.make_node("Equal", ["features", "stands_for_missing"], ["sentinel"]),
        helper.make_node("Or", ["absent", "sentinel"], ["missing"]),
        helper.make_node("Where", ["missing", "means", "features"], ["filled"]),
    ]
    described = helper.make_tensor_value_info
    model = helper.make_model(
        helper.make_graph(
            [*fill_in, *nodes],
            "logistic",
            [described("features", TensorProto.DOUBLE, [None, 3])],
            [
                described("label", TensorProto.INT64, [None]),
                *(described(name, TensorProto.DOUBLE, [None]) for name in outputs),
            ],
            [numpy_helper.from_array(value, name) for name, value in constants.items()],
        ),
        opset_imports=[helper.make_opsetid("", 17)],
        ir_version=9,
    )
    helper.set_model_props(model, {CONTRACT_DIGEST_KEY: contract_digest})
    onnx.checker.check_model(model)
    return model
