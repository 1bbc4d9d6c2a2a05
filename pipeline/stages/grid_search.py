"""Search C and gamma, then refit and export the winner.

Its decision threshold is chosen on the way. Reads the training split and the data contract. Writes
the model's folder (model.onnx, the contract with the threshold, golden predictions, and what
explanations need), a table of all candidates, of the winner a learning curve and a summary, and the
folder of a baseline, logistic regression. A search that was interrupted goes on where it was.
"""

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import count as count_from
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click
import msgspec
import numpy as np

from pipeline.data.table import Table, read_split
from pipeline.errors import PipelineError
from pipeline.evaluation.baseline_facts import FACTS_FILE, BaselineFacts
from pipeline.evaluation.metrics import SCORE_NAMES, roc_auc
from pipeline.evaluation.threshold import describe_threshold
from pipeline.files import json_text, project_root, write_whole
from pipeline.options import path_option, stage_example
from pipeline.params import GridSearch, Params, flatten
from pipeline.params_file import load
from pipeline.progress import Progress
from pipeline.tracking.reporter import SearchReport, report_search
from serving.model.contract import Contract

if TYPE_CHECKING:
    import pandas as pd

    from pipeline.export.model_files import ModelFiles
    from pipeline.search.checkpoint import Checkpoint
    from pipeline.search.strategy import Result
    from pipeline.search.units import Candidate
    from pipeline.training.cost import Workload
    from pipeline.training.refit import Refit
    from pipeline.training.tuning import Outcome, Search

CHECKPOINTS = Path(".dvc/tmp/search")


def summary(
    winner: "Candidate", row: "pd.Series[Any]", score: str, **more: float | str
) -> dict[str, float | str]:
    """Return the winner's parameters and cross-validated scores, as `dvc metrics` shows them."""
    scores = {
        f"cv_{score}_{statistic}": float(row[f"{statistic}_test_score"])
        for statistic in ("median", "mean", "std")
    }
    if "log_loss" in row:
        scores["cv_log_loss"] = float(row["log_loss"])
    return {**winner._asdict(), **scores, **more}


@dataclass(frozen=True)
class Written:
    """The paths of what the stage writes."""

    model: Path
    cv_results: Path
    learning_curve: Path
    winner: Path
    baseline: Path


def run(
    params: Params, training: Path, contract: Path, written: Written, report: SearchReport
) -> None:
    # Here, since scikit-learn takes a second in which the report's process imports MLflow.
    from pipeline.export.model_files import export_svm
    from pipeline.search.checkpoint import Checkpoint
    from pipeline.training import choice, tuning
    from pipeline.training.learning_curve import winners_learning_curve
    from pipeline.training.refit import refit as fit_again
    from pipeline.training.summary import edge_sentences, outcome_sentence

    settings = params.grid_search
    table = _training_table(training, contract, params)
    search = tuning.Search.of(table, settings, params.seed)
    columns, n_classes = choice.encoded_columns(table.contract), len(table.contract.classes)
    if why := choice.explain(settings, len(table.y), columns, n_classes):
        print(f"grid search: {why}", file=sys.stderr)
    checkpoint = Checkpoint(project_root() / CHECKPOINTS, search.key)
    report.begin(
        params.name,
        search.key,
        {**_tracked(params), **search.resolved},
        len(search.candidates),
        search.selection,
    )
    outcome = _search(search, checkpoint, report)
    curve = winners_learning_curve(search, table, outcome.winner)
    write_whole(written.cv_results, outcome.table.to_csv(index=False).encode())
    write_whole(written.learning_curve, curve.to_csv(index=False).encode())
    report.finish(written.cv_results, written.learning_curve)
    print("grid search: fitting the winner on all rows, with calibration", file=sys.stderr)
    refit = fit_again(search, table, outcome)
    figures = summary(
        outcome.winner,
        outcome.table.iloc[0],
        search.selection.score,
        **({} if refit.threshold is None else {"threshold": refit.threshold}),
        out_of_fold_roc_auc=roc_auc(refit.y, refit.out_of_fold),
        onnx_difference=_write_model(
            export_svm(table, refit.estimator, refit.threshold, params), written.model
        ),
        **search.resolved,
    )
    write_whole(written.winner, json_text(figures).encode())
    _write_baseline(search, table, written.baseline)
    # Only now: what was searched is kept until all that follows from it is there.
    checkpoint.remove()
    print(f"{outcome_sentence(search, outcome)}; {_decision(refit, settings)}")
    for sentence in edge_sentences(outcome):
        print(sentence)
    print(_decided(refit, settings))


def _decision(refit: "Refit", settings: GridSearch) -> str:
    if refit.threshold is None:
        return "the answer is the likeliest class (only two classes have a threshold)"
    return f"threshold {refit.threshold:.4f} ({settings.threshold})"


def _decided(refit: "Refit", settings: GridSearch) -> str:
    """Return a sentence on what is decided for rows that the model had not seen."""
    y, p = refit.first_repeat
    if refit.threshold is None:
        right = int(np.sum(p.argmax(axis=1) == y))
        differ = settings.cost and settings.cost.false_positive != settings.cost.false_negative
        costs = "; grid_search.cost has no effect, since it is for two classes" if differ else ""
        return f"out of fold: of {len(y):,} rows {right:,} get their class{costs}"
    decided = describe_threshold(y, p, refit.threshold, settings.threshold, settings.cost)
    return f"out of fold, at this threshold: {decided}"


def _write_baseline(search: "Search", table: Table, folder: Path) -> None:
    """Fit logistic regression on the same rows and folds, and write it as a model of its own."""
    from pipeline.export.model_files import export_baseline
    from pipeline.training.baseline import THRESHOLD, fit_baseline

    estimator = fit_baseline(table, search.problem.folds)
    n_classes = len(table.contract.classes)
    two = n_classes == 2
    shares = np.bincount(table.y, minlength=n_classes) / len(table.y)
    exported = export_baseline(table, estimator, THRESHOLD if two else None)
    facts = BaselineFacts(
        C=float(estimator.named_steps["classify"].C_),
        positive_share=float(table.y.mean()) if two else None,
        class_shares=() if two else tuple(shares.tolist()),
        onnx_difference=_write_model(exported, folder),
    )
    write_whole(folder / FACTS_FILE, json_text(facts).encode())


def _write_model(exported: "ModelFiles", folder: Path) -> float:
    """Write the model's folder; return how far it is from scikit-learn's at most."""
    for name, content in exported.content.items():
        write_whole(folder / name, content)
    return exported.onnx_difference


def _search(search: "Search", checkpoint: "Checkpoint", report: SearchReport) -> "Outcome":
    """Run the search; each candidate goes to the progress bar and to the tracking."""
    from pipeline.search.strategy import Callbacks
    from pipeline.training.tuning import run_search

    how = search.selection
    score = f"{how.rank_by} {SCORE_NAMES[how.score]}"
    with progress_bar(search.workload, score, resumed=checkpoint.finished() > 0) as count:

        def scored(result: "Result") -> None:
            count(result, result.score(how.rank_by))

        def settled(result: "Result") -> None:
            report.candidate(
                result.candidate, result.scores, result.fit_s, result.score_s, result.extra
            )

        return run_search(search, checkpoint, Callbacks(scored, settled))


@contextmanager
def progress_bar(
    workload: "Workload", score: str, *, resumed: bool = False
) -> "Iterator[Callable[[Result, float], None]]":
    """Show on stderr how much is done, and the best so far: a bar, or a line now and then in a log.

    Gives what is called with a result and its score. A score on more rows or folds replaces one on
    fewer, however good.
    """
    best = (0, 0, -np.inf)  # rows, folds and score
    results = count_from(0)
    # The mean speed so far foretells best, but not where finished units come at once.
    smoothing = 0.3 if resumed else 0.0
    with Progress(workload.total, "grid search", smoothing=smoothing) as bar:

        def count(result: "Result", value: float) -> None:
            nonlocal best
            place = (result.extra.get("n_resources", 0), len(result.scores), value)
            if place > best:
                best = place
                C, gamma, _ = result.candidate
                text = f"best {score} {value:.4f} (C {C:.4g}, gamma {gamma:.4g})"
                bar.set_postfix_str(text, refresh=False)
            took = workload.result_s(next(results), result.candidate.gamma)
            # Values that are added to the grid come on top of the total.
            bar.total = max(bar.total or 0, bar.n + took)
            bar.update(took)

        yield count


def _tracked(params: Params) -> dict[str, str]:
    """Return the settings that a search is tracked with: its own, and the seed."""
    flat = flatten(params).items()
    return {k: v for k, v in flat if k == "seed" or k.startswith("grid_search.")}


def _training_table(training: Path, contract: Path, params: Params) -> Table:
    n_folds = params.grid_search.folds
    names = msgspec.json.decode(contract.read_bytes(), type=Contract)
    table = read_split(training, names, params.data)
    fewest = int(np.bincount(table.y, minlength=len(names.classes)).min())
    needed = params.grid_search.fewest_rows
    if fewest < needed:
        rarest = "rarer" if len(names.classes) == 2 else "rarest"
        raise PipelineError(
            f"{training}: the {rarest} class has {fewest} rows, {n_folds} folds need {needed}; "
            "give more rows, or lower grid_search.folds in params.yaml"
        )
    return table


@click.command(help=__doc__, epilog=stage_example("grid_search"))
@path_option("--params", default="params.yaml")
@path_option("--training")
@path_option("--contract")
@path_option("--model")
@path_option("--cv-results")
@path_option("--learning-curve")
@path_option("--winner")
@path_option("--baseline")
def command(params: Path, training: Path, contract: Path, **written: Path) -> None:
    settings = load(params)
    with report_search() as report:
        run(settings, training, contract, Written(**written), report)
