"""Score the exported model on the test split, through the service's own scorer.

Reads the test split and the model's folder. Writes the metrics and the tables behind the plots.
"""

from pathlib import Path

import click

from pipeline.data.table import read_split
from pipeline.evaluation.evaluate import evaluate
from pipeline.evaluation.threshold import format_counts
from pipeline.files import json_text, write_whole
from pipeline.options import path_option
from pipeline.params import Params
from pipeline.params_file import load
from serving.model.scorer import Scorer


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
    print(f"at the threshold {figures['threshold']:.4f}: {format_counts(figures)}")


@click.command(help=__doc__)
@path_option("--params", default="params.yaml")
@path_option("--test")
@path_option("--model")
@path_option("--metrics")
@path_option("--plots")
def command(params: Path, test: Path, model: Path, metrics: Path, plots: Path) -> None:
    run(load(params), test, model, metrics, plots)
