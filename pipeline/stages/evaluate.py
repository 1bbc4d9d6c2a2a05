"""Score the exported model on the test split.

It answers through the service's own scorer. Reads the test split and the folders of the model and
of the baseline. Writes the metrics of both and the tables behind the plots, among them which
features the model goes by.
"""

from pathlib import Path

import click
import msgspec
import numpy as np
import pandas as pd

from pipeline.data.table import Table, read_split
from pipeline.evaluation.baseline import (
    baseline_curves,
    compare_with_baseline,
    format_verdict,
)
from pipeline.evaluation.baseline_facts import FACTS_FILE, BaselineFacts
from pipeline.evaluation.bootstrap import Bootstrap
from pipeline.evaluation.evaluate import evaluate
from pipeline.evaluation.importance import (
    TABLE,
    format_importance,
    importance_table,
    shares_of,
    suspected_leak,
)
from pipeline.evaluation.threshold import format_decisions
from pipeline.files import json_text, write_whole
from pipeline.options import path_option, stage_example
from pipeline.params import Params
from pipeline.params_file import load
from serving.model.scorer import Scorer


def run(
    params: Params, test: Path, model: Path, baseline: Path, metrics: Path, plots: Path
) -> None:
    scorer = Scorer.load(model)
    table = read_split(test, scorer.contract)
    figures, tables = evaluate(table, scorer, params.evaluate, params.seed)
    beside, curves = evaluate_baseline(table, scorer, baseline, params)
    figures |= beside
    importance, sentences = explain(table, scorer, params)
    for name, rows in (tables | curves | importance).items():
        write_whole(plots / f"{name}.csv", rows.to_csv(index=False).encode())
    write_whole(metrics, json_text(figures).encode())
    confidence = params.evaluate.confidence
    print(
        f"on {figures['rows']} test rows: ROC AUC {figures['roc_auc']:.4f} "
        f"({confidence:.0%} interval {figures['roc_auc_low']:.4f} "
        f"to {figures['roc_auc_high']:.4f}), Brier score {figures['brier']:.4f}"
    )
    print(format_verdict(figures, confidence))
    print(format_decisions(figures))
    for sentence in sentences:
        print(sentence)


def evaluate_baseline(
    table: Table, scorer: Scorer, baseline: Path, params: Params
) -> tuple[dict[str, float], dict[str, pd.DataFrame]]:
    """Return the metrics of the baseline in its folder beside the SVM's, and its curves."""
    facts = msgspec.json.decode((baseline / FACTS_FILE).read_bytes(), type=BaselineFacts)
    svm, logistic = (
        model.score(table.X)[1].astype(np.float64) for model in (scorer, Scorer.load(baseline))
    )
    figures = compare_with_baseline(
        table.y, svm, logistic, facts.base_rate, Bootstrap.of(params.evaluate, params.seed)
    )
    names = [str(name) for name in scorer.contract.classes]
    return figures, baseline_curves(table.y, logistic, names, params.evaluate.bins)


def explain(
    table: Table, scorer: Scorer, params: Params
) -> tuple[dict[str, pd.DataFrame], list[str]]:
    """Return the table of importances and what to say of it; nothing of a model without any."""
    found = importance_table(scorer, table.X, params.evaluate.confidence, params.seed)
    if scorer.explainer is None:
        return {}, []
    told = format_importance(found, len(table.y), scorer.explainer.background)
    suspicion = suspected_leak(shares_of(found))
    return {TABLE: found}, [told, suspicion] if suspicion else [told]


@click.command(help=__doc__, epilog=stage_example("evaluate"))
@path_option("--params", default="params.yaml")
@path_option("--test")
@path_option("--model")
@path_option("--baseline")
@path_option("--metrics")
@path_option("--plots")
def command(
    params: Path, test: Path, model: Path, baseline: Path, metrics: Path, plots: Path
) -> None:
    run(load(params), test, model, baseline, metrics, plots)
