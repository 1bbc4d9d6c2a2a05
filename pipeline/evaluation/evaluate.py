"""Evaluate a model's answers on test rows."""

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import pandas as pd

from pipeline.data.table import Table
from pipeline.evaluation import metrics as measures
from pipeline.evaluation import multiclass
from pipeline.evaluation.bootstrap import Bootstrap, roc_auc_interval
from pipeline.evaluation.metrics import Array, Labels
from pipeline.evaluation.subgroups import subgroup_gap, subgroup_table
from pipeline.params import Evaluate
from serving.model.contract import Contract
from serving.model.scorer import Scorer


class Answers(NamedTuple):
    """The test rows' classes by number, and what a model answers.

    `probability` is that of the positive class `[rows]`, or of each of more than two classes
    `[rows, classes]`.
    """

    y: Labels
    label: Labels
    probability: Array


class Own(NamedTuple):
    """Figures of probabilities and of decisions, and tables, as two classes or more have them."""

    probabilities: dict[str, float]
    decisions: dict[str, float]
    tables: dict[str, pd.DataFrame]


def evaluate(
    table: Table, scorer: Scorer, settings: Evaluate, seed: int
) -> tuple[dict[str, float], dict[str, pd.DataFrame]]:
    """Return the metrics, and a table for each plot."""
    label, probability = scorer.score(table.X)
    answers = Answers(table.y, label, probability.astype(np.float64))
    return evaluate_answers(table, answers, scorer.contract, settings, seed)


def evaluate_answers(
    table: Table, answers: Answers, contract: Contract, settings: Evaluate, seed: int
) -> tuple[dict[str, float], dict[str, pd.DataFrame]]:
    """Return what `evaluate` does, of answers that are known."""
    y, label, p = answers
    names = [str(name) for name in contract.classes]
    bootstrap = Bootstrap.of(settings, seed)
    low, high = roc_auc_interval(y, p, bootstrap)
    parts = subgroup_table(table.X, y, p, contract, settings.subgroups, bootstrap)
    own = (
        _of_two(answers, settings.bins, contract.threshold or 0.0)
        if p.ndim == 1
        else _of_more(answers, settings.bins, names)
    )
    figures = {
        "rows": len(y),
        "roc_auc": measures.roc_auc(y, p),
        "roc_auc_low": low,
        "roc_auc_high": high,
        "average_precision": measures.average_precision(y, p),
        "brier": measures.brier(y, p),
        "log_loss": measures.log_loss(y, p),
        **own.probabilities,
        "subgroup_gap": subgroup_gap(parts),
        **own.decisions,
    }
    of_label = np.array(names)
    tables = {
        "roc": multiclass.curves(measures.roc_curve, y, p, names),
        "precision_recall": multiclass.curves(measures.precision_recall_curve, y, p, names),
        "calibration": multiclass.calibration_curves(y, p, names, settings.bins),
        "confusion": pd.DataFrame({"actual": of_label[y], "predicted": of_label[label]}),
        "subgroups": parts,
        **own.tables,
    }
    return figures, tables


def _of_two(answers: Answers, bins: int, threshold: float) -> Own:
    y, label, p = answers
    counts = measures.confusion(y, label)
    probabilities = _calibration(y, p, bins, measures.bias(y, p)) | {"threshold": threshold}
    return Own(probabilities, {**measures.rates(counts), **counts}, {})


def _of_more(answers: Answers, bins: int, names: Sequence[str]) -> Own:
    y, label, p = answers
    hit, confidence = multiclass.top_class(y, p)
    counts = multiclass.confusion_matrix(y, label, len(names))
    tables = {
        "classes": multiclass.class_table(y, label, p, names, bins),
        "top_calibration": measures.calibration_curve(hit, confidence, bins),
    }
    probabilities = _calibration(hit, confidence, bins, multiclass.largest_bias(y, p))
    return Own(probabilities, {**multiclass.rates(counts), "classes": len(names)}, tables)


def _calibration(
    y: Labels, probability: Array, bins: int, bias: tuple[float, float]
) -> dict[str, float]:
    curve = measures.calibration_curve(y, probability, bins)
    return {
        "expected_calibration_error": measures.expected_calibration_error(curve),
        "chance_calibration_error": measures.chance_calibration_error(probability, bins),
        "bias": bias[0],
        "bias_standard_error": bias[1],
    }
