"""Evaluate a model's answers on test rows."""

import numpy as np
import pandas as pd

from pipeline.data.table import Table
from pipeline.evaluation import metrics as measures
from pipeline.evaluation.bootstrap import Bootstrap, roc_auc_interval
from pipeline.evaluation.subgroups import subgroup_gap, subgroup_table
from pipeline.params import Evaluate
from serving.model.scorer import Scorer


def evaluate(
    table: Table, scorer: Scorer, settings: Evaluate, seed: int
) -> tuple[dict[str, float], dict[str, pd.DataFrame]]:
    """Return the metrics, and a table for each plot."""
    label, probability = scorer.score(table.X)
    y, p = table.y, probability.astype(np.float64)
    low, high = roc_auc_interval(y, p, Bootstrap.of(settings, seed))
    calibration = measures.calibration_curve(y, p, settings.bins)
    counts = measures.confusion(y, label)
    parts = subgroup_table(table.X, y, p, scorer.contract, settings.subgroups, settings.confidence)
    bias, bias_error = measures.bias(y, p)
    figures = {
        "rows": len(y),
        "roc_auc": measures.roc_auc(y, p),
        "roc_auc_low": low,
        "roc_auc_high": high,
        "average_precision": measures.average_precision(y, p),
        "brier": measures.brier(y, p),
        "log_loss": measures.log_loss(y, p),
        "expected_calibration_error": measures.expected_calibration_error(calibration),
        "chance_calibration_error": measures.chance_calibration_error(p, settings.bins),
        "bias": bias,
        "bias_standard_error": bias_error,
        "threshold": scorer.contract.threshold or 0.0,
        "subgroup_gap": subgroup_gap(parts),
        **measures.rates(counts),
        **counts,
    }
    names = np.array([str(name) for name in scorer.contract.classes])
    tables = {
        "roc": measures.roc_curve(y, p),
        "precision_recall": measures.precision_recall_curve(y, p),
        "calibration": calibration,
        "confusion": pd.DataFrame({"actual": names[y], "predicted": names[label]}),
        "subgroups": parts,
    }
    return figures, tables
