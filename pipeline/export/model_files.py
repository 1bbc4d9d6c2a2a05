"""A model's files: the graph, its contract, golden predictions, and what explanations need."""

from typing import NamedTuple

import msgspec
from sklearn.pipeline import Pipeline

from pipeline.data.table import Table
from pipeline.export.explanation import choose_background, export_explanation
from pipeline.export.golden import golden_predictions
from pipeline.export.onnx_model import export
from pipeline.export.parity import check_parity
from pipeline.params import Params
from serving.model.contract import Contract
from serving.model.scorer import Scorer
from serving.model.version_files import (
    CONTRACT_FILE,
    EXPLANATION_FILE,
    GOLDEN_FILE,
    MODEL_FILE,
)


class ModelFiles(NamedTuple):
    """The files by name, and how far the model is from scikit-learn's at most."""

    content: dict[str, bytes]
    onnx_difference: float


def export_svm(
    table: Table, estimator: Pipeline, threshold: float | None, params: Params
) -> ModelFiles:
    """Export a fitted SVM, with what explains it; raises PipelineError if it answers otherwise."""
    contract = msgspec.structs.replace(table.contract, threshold=threshold)
    background = choose_background(table.X, params.grid_search.background, params.seed)
    explanation = export_explanation(estimator, contract, background)
    return _export(table, estimator, contract, explanation)


def export_baseline(table: Table, estimator: Pipeline, threshold: float | None) -> ModelFiles:
    """Export logistic regression, which is not asked why."""
    contract = msgspec.structs.replace(table.contract, threshold=threshold)
    return _export(table, estimator, contract, None)


def _export(
    table: Table, estimator: Pipeline, contract: Contract, explanation: bytes | None
) -> ModelFiles:
    contract_json = contract.to_json()
    onnx_model = export(estimator, contract, contract_json, explanation)
    scorer = Scorer.open(onnx_model, contract_json, explanation)
    difference = check_parity(estimator, scorer, table.X)
    golden = golden_predictions(scorer, table.X)
    content = {
        MODEL_FILE: onnx_model,
        CONTRACT_FILE: contract_json,
        GOLDEN_FILE: msgspec.json.encode(golden),
    }
    if explanation is not None:
        content[EXPLANATION_FILE] = explanation
    return ModelFiles(content, difference)
