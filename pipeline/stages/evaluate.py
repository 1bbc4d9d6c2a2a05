"""Score the exported model on the test split, through the service's own scorer.

Reads the test split and the model's folder. Writes the metrics and the tables behind the plots.
"""

from pathlib import Path

import click
import numpy as np
import pandas as pd

from pipeline import metrics as measures
from pipeline.files import json_text, write_whole
from pipeline.options import path_option
from pipeline.params import Evaluate, Params, load
from pipeline.subgroups import subgroup_gap, subgroup_table
from pipeline.table import Table, read_split
from serving.scorer import Scorer


def evaluate(
    table: Table, scorer: Scorer, settings: Evaluate, seed: int
) -> tuple[dict[str, float], dict[str, pd.DataFrame]]:
    """Give the metrics, and a table for each plot."""
    label, probability = scorer.score(table.X)
    y, p = table.y, probability.astype(np.float64)
    low, high = measures.roc_auc_interval(
        y, p, confidence=settings.confidence, resamples=settings.resamples, seed=seed
    )
    calibration = measures.calibration_curve(y, p, settings.bins)
    counts = measures.confusion(y, label)
    parts = subgroup_table(table.X, y, p, scorer.contract, settings.subgroups)
    figures = {
        "rows": len(y),
        "roc_auc": measures.roc_auc(y, p),
        "roc_auc_low": low,
        "roc_auc_high": high,
        "average_precision": measures.average_precision(y, p),
        "brier": measures.brier(y, p),
        "log_loss": measures.log_loss(y, p),
        "expected_calibration_error": measures.expected_calibration_error(calibration),
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


def run(params: Params, test: Path, model: Path, metrics: Path, plots: Path) -> None:
    scorer = Scorer.load(model)
    table = read_split(test, scorer.contract)
    figures, tables = evaluate(table, scorer, params.evaluate, params.seed)
    for name, rows in tables.items():
        write_whole(plots / f"{name}.csv", rows.to_csv(index=False).encode())
    write_whole(metrics, json_text(figures).encode())
    print(
        f"on {figures['rows']} test rows: ROC AUC {figures['roc_auc']:.4f} "
        f"({params.evaluate.confidence:.0%} interval {figures['roc_auc_low']:.4f} "
        f"to {figures['roc_auc_high']:.4f}), Brier score {figures['brier']:.4f}"
    )


@click.command(help=__doc__)
@path_option("--params", default="params.yaml")
@path_option("--test")
@path_option("--model")
@path_option("--metrics")
@path_option("--plots")
def command(params: Path, test: Path, model: Path, metrics: Path, plots: Path) -> None:
    run(load(params), test, model, metrics, plots)
