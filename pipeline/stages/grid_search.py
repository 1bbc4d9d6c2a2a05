"""Search C and gamma, refit the winner, choose the threshold, export the model.

Reads the training split and the data contract. Writes the model's folder (model.onnx, the contract
with the threshold, golden predictions), a table of all candidates and a summary of the winner.
"""

import sys
from pathlib import Path
from typing import Any

import click
import msgspec
import numpy as np
import pandas as pd
from sklearn.model_selection import cross_val_predict
from tqdm import tqdm

from pipeline.errors import PipelineError
from pipeline.export import export
from pipeline.files import write_whole
from pipeline.metrics import best_threshold, roc_auc
from pipeline.model import build_estimator, build_transformer, stratified_folds
from pipeline.options import path_option
from pipeline.params import GridSearch, Params, load
from pipeline.parity import check_parity
from pipeline.search import grid, results_table, search
from pipeline.table import Table, read_split
from serving.contract import Contract, FloatMatrix
from serving.scorer import CONTRACT_FILE, GOLDEN_FILE, MODEL_FILE, Golden, Prediction, Scorer

GOLDEN_ROWS = 16


def search_candidates(table: Table, settings: GridSearch, seed: int) -> pd.DataFrame:
    """Score the whole grid, with a progress bar; the first row of the table is the winner."""
    folds = list(stratified_folds(settings.folds, seed).split(table.X, table.y))
    C, gamma = (grid(*bounds, settings.grid_size) for bounds in (settings.C, settings.gamma))
    total = len(C) * len(gamma) * len(folds)
    with tqdm(total=total, desc="grid search", unit="fit", file=sys.stderr) as bar:
        scores = search(
            table.X,
            table.y,
            transformer=build_transformer(table.contract),
            folds=folds,
            C=C,
            gamma=gamma,
            on_scored=bar.update,
        )
    return results_table(C, gamma, scores, settings.rank_by)


def golden_predictions(scorer: Scorer, X: FloatMatrix) -> Golden:
    """Give rows spread over the model's probabilities with its answers, and one of all missing."""
    order = np.argsort(scorer.score(X)[1], kind="stable")
    spread = np.unique(np.linspace(0, len(order) - 1, GOLDEN_ROWS - 1).astype(int))
    rows = X[order[spread]]
    unknown = np.where([f.nullable for f in scorer.contract.features], np.nan, rows[0])
    rows = np.vstack([rows, unknown])
    labels, probabilities = scorer.score(rows)
    return Golden(
        rows=[
            {
                name: None if np.isnan(value) else value
                for name, value in zip(scorer.contract.names, row, strict=True)
            }
            for row in rows.tolist()
        ],
        predictions=[
            Prediction(label=label, probability=probability)
            for label, probability in zip(labels.tolist(), probabilities.tolist(), strict=True)
        ],
    )


def summary(winner: "pd.Series[Any]", **more: float) -> dict[str, float]:
    """Give the winner's parameters and cross-validated scores, as `dvc metrics` shows them."""
    scores = {
        f"cv_roc_auc_{statistic}": float(winner[f"{statistic}_test_score"])
        for statistic in ("median", "mean", "std")
    }
    return {"C": float(winner["param_C"]), "gamma": float(winner["param_gamma"]), **scores, **more}


def run(
    params: Params, training: Path, contract: Path, model: Path, cv_results: Path, winner: Path
) -> None:
    settings = params.grid_search
    table = _training_table(training, contract, settings.folds)
    candidates = search_candidates(table, settings, params.seed)
    best = candidates.iloc[0]

    estimator = build_estimator(
        table.contract,
        C=best["param_C"],
        gamma=best["param_gamma"],
        n_folds=settings.folds,
        seed=params.seed,
    )
    folds = stratified_folds(settings.folds, params.seed)
    out_of_fold = cross_val_predict(
        estimator, table.X, table.y, cv=folds, method="predict_proba", n_jobs=1
    )[:, 1]
    threshold = best_threshold(table.y, out_of_fold, settings.threshold)
    final_contract = msgspec.structs.replace(table.contract, threshold=threshold)

    contract_json = final_contract.to_json()
    onnx_model = export(estimator.fit(table.X, table.y), final_contract, contract_json)
    scorer = Scorer.open(onnx_model, contract_json)
    difference = check_parity(estimator, scorer, table.X)

    write_whole(model / MODEL_FILE, onnx_model)
    write_whole(model / CONTRACT_FILE, contract_json)
    write_whole(model / GOLDEN_FILE, msgspec.json.encode(golden_predictions(scorer, table.X)))
    write_whole(cv_results, candidates.to_csv(index=False).encode())
    figures = summary(
        best,
        threshold=threshold,
        out_of_fold_roc_auc=roc_auc(table.y, out_of_fold),
        onnx_difference=difference,
    )
    write_whole(winner, msgspec.json.format(msgspec.json.encode(figures), indent=2) + b"\n")
    print(
        f"best of {len(candidates)}: C {figures['C']:g}, gamma {figures['gamma']:g}, "
        f"{settings.rank_by} ROC AUC {best[f'{settings.rank_by}_test_score']:.4f} "
        f"over {settings.folds} folds; threshold {threshold:.4f} ({settings.threshold})"
    )


def _training_table(training: Path, contract: Path, n_folds: int) -> Table:
    table = read_split(training, msgspec.json.decode(contract.read_bytes(), type=Contract))
    fewest = int(np.bincount(table.y, minlength=2).min())
    # What a fold leaves for training is split once more, for the calibration.
    needed = n_folds + 2
    if fewest < needed:
        raise PipelineError(
            f"{training}: the rarer class has {fewest} rows, {n_folds} folds need {needed}; "
            "give more rows, or lower grid_search.folds in params.yaml"
        )
    return table


@click.command(help=__doc__)
@path_option("--params", default="params.yaml")
@path_option("--training")
@path_option("--contract")
@path_option("--model")
@path_option("--cv-results")
@path_option("--winner")
def command(
    params: Path, training: Path, contract: Path, model: Path, cv_results: Path, winner: Path
) -> None:
    run(load(params), training, contract, model, cv_results, winner)
