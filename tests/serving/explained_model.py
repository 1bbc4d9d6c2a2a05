"""A small SVM of two classes or more, with what explanations need: `small_model`'s features."""

from functools import cache
from pathlib import Path

import msgspec
import numpy as np

from pipeline.export.explanation import export_explanation
from pipeline.export.golden import golden_predictions
from pipeline.export.onnx_model import export
from pipeline.search.calibration import Sigmoid
from pipeline.search.units import Candidate
from pipeline.training.estimator import build_estimator
from serving.model.contract import Contract
from serving.model.scorer import Scorer
from serving.model.version_files import digest_of
from tests.serving.small_model import CONTRACT

BACKGROUND = 30


@cache
def svm_files(
    contract: Contract, rows: int = 120, background: int = BACKGROUND
) -> dict[str, bytes]:
    """Fit an SVM on made-up rows of a contract, and return its version's files."""
    rng = np.random.default_rng(8)
    X = np.column_stack(
        [rng.uniform(44, 199, rows), rng.integers(21, 81, rows), rng.integers(0, 2, rows)]
    )
    score = X[:, 0] / 50 + X[:, 1] / 30 + X[:, 2] + rng.normal(0, 0.7, rows)
    ends = np.quantile(score, np.linspace(0, 1, len(contract.classes) + 1)[1:-1])
    y = np.searchsorted(ends, score)
    X[rng.choice(rows, 8, replace=False), 0] = np.nan
    sigmoids = (Sigmoid(1.4, -0.2),) * (1 if contract.is_binary else len(contract.classes))
    estimator = build_estimator(contract, Candidate(2.0, 0.2, "balanced"), sigmoids).fit(X, y)
    explanation = export_explanation(estimator, contract, X[:background])
    contract_json = contract.to_json()
    model = export(estimator, contract, contract_json, explanation)
    golden = golden_predictions(Scorer.open(model, contract_json, explanation), X)
    return {
        "model.onnx": model,
        "contract.json": contract_json,
        "golden.json": msgspec.json.encode(golden),
        "explanation.onnx": explanation,
    }


def write_svm(
    directory: Path, contract: Contract = CONTRACT, rows: int = 120, background: int = BACKGROUND
) -> str:
    """Write the version's files into a folder and give its digest."""
    directory.mkdir(parents=True, exist_ok=True)
    files = svm_files(contract, rows, background)
    for name, content in files.items():
        (directory / name).write_bytes(content)
    return digest_of(files["model.onnx"])
