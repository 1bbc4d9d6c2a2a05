"""Track the result, register its model and promote it.

Runs at every `dvc repro`, whatever came from the cache. Reads what the other stages wrote. Leaves
one finished run for the pipeline's fingerprint, one version for the model's digest, that version
in stage `staging`, and in stage `production` where the gates hold. Writes no file.
"""

import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import click
import msgspec
import pandas as pd

from pipeline.data.split import SplitRule
from pipeline.data.table import read_split
from pipeline.data.table_file import read_header
from pipeline.evaluation.importance import shares_of
from pipeline.lineage.dvc_lock import Lock
from pipeline.lineage.git import checkout, git_commit, why_no_commit
from pipeline.options import path_option, stage_example
from pipeline.params import Data, Params, Selection, flatten
from pipeline.params_file import load
from pipeline.promotion.automatic import Placed, place
from pipeline.promotion.challenger import Challenger, Tested
from pipeline.promotion.compared_rows import Origin
from pipeline.promotion.precedence import Contender
from pipeline.promotion.transitions import PRODUCTION, STAGING
from pipeline.registry import versions
from pipeline.registry.receipts import read_key
from pipeline.registry.split_tag import DATA_TAG, SPLIT_TAG, TEST_FILE_TAG, split_tag
from pipeline.registry.stages import show_on_results
from pipeline.reports import run_plots
from pipeline.reports.card_publisher import attach_card
from pipeline.reports.importance_plot import read_importance
from pipeline.search.units import Candidate
from pipeline.tracking.experiment import run_name
from pipeline.tracking.importance_metrics import importance_metrics
from pipeline.tracking.result_runs import (
    FINGERPRINT_TAG,
    DatasetRecord,
    RunRecord,
    ensure_run,
    search_of,
)
from pipeline.tracking.store import open_tracking
from pipeline.tracking.views import addresses, update_views
from serving.model.scorer import Scorer
from serving.model.version_files import DIGEST_TAG

PRODUCING_STAGES = ["preprocess", "grid_search", "evaluate"]


@dataclass(frozen=True)
class Result:
    """The files that the other stages wrote."""

    training: Path
    test: Path
    model: Path
    cv_results: Path
    learning_curve: Path
    winner: Path
    metrics: Path
    plots: Path

    def check_unchanged(self, lock: Lock) -> None:
        for path in vars(self).values():
            lock.check_unchanged(path)


def origin_of(params: Params, lock: Lock) -> Origin:
    """Return the origin of the test rows; raises PipelineError for a table that was changed."""
    table, whole = Path(params.data.file), params.data.has_test_file
    file = Path(params.data.test_file) if whole else table
    for path in {table, file}:
        lock.check_unchanged(path)
    rule = SplitRule.of(params, read_header(table, params.data.read))
    return Origin(file.resolve(), lock.md5(file), split_tag(rule), rule.columns, whole)


def split_tags(data: Data, origin: Origin, lock: Lock) -> dict[str, str]:
    """Return the tags by which the test rows are found again in the user's files."""
    tags = {DATA_TAG: lock.md5(Path(data.file)), SPLIT_TAG: origin.split}
    return {**tags, TEST_FILE_TAG: origin.digest} if origin.whole else tags


def run_record(
    params: Params,
    result: Result,
    lock: Lock,
    scorer: Scorer,
    metrics: Mapping[str, float],
    origin: Origin,
) -> RunRecord:
    winner = _read_winner(result.winner)
    fingerprint = lock.fingerprint()
    commit, changed = git_commit()
    # What was chosen, and by which search, is a parameter; the rest of the summary is figures.
    chosen = {k: str(v) for k, v in winner.items() if k in Candidate._fields or "." in k}
    cv_metrics = {k: float(v) for k, v in winner.items() if k not in chosen}
    names = [*scorer.contract.names, scorer.contract.target]
    return RunRecord(
        fingerprint=fingerprint,
        name=run_name() or f"repro {fingerprint[:8]}",
        params={**flatten(params), **chosen},
        metrics={
            **cv_metrics,
            **{f"test_{key}": value for key, value in metrics.items()},
            **importance_metrics(shares_of(read_importance(result.plots))),
        },
        tags={
            DIGEST_TAG: scorer.digest,
            **split_tags(params.data, origin, lock),
            "git.commit": commit,
            "git.changed": str(changed).lower(),
        },
        datasets=[
            DatasetRecord(path, lock.md5(path), context, len(pd.read_csv(path)), names)
            for path, context in ((result.training, "training"), (result.test, "test"))
        ],
        candidates=pd.read_csv(result.cv_results),
        candidates_digest=sha256(result.cv_results.read_bytes()).hexdigest(),
        score=params.grid_search.selection.score,
        n_folds=params.grid_search.folds,
        learning_curve=pd.read_csv(result.learning_curve),
    )


def write_artifacts(
    folder: Path, result: Result, selection: Selection, sources: Sequence[Path]
) -> None:
    # In a process of its own, since a second of drawing would hold up the logging meanwhile.
    column = f"{selection.rank_by}_test_score"
    searched = [str(result.cv_results), str(result.learning_curve), selection.score, column]
    drawing = [sys.executable, "-m", run_plots.__name__, str(folder / "plots"), *searched]
    subprocess.run([*drawing, str(result.plots)], check=True)
    written = (result.metrics, result.winner, result.cv_results, result.learning_curve)
    for path in (*written, *sources):
        shutil.copyfile(path, folder / path.name)


def run(params_file: Path, result: Result, lock_file: Path) -> None:
    params = load(params_file)
    read_key()  # one that is wrong is refused before anything is written
    lock = Lock.read(lock_file, PRODUCING_STAGES)
    result.check_unchanged(lock)
    scorer = Scorer.load(result.model)
    metrics = _read_metrics(result.metrics)
    test = read_split(result.test, scorer.contract)
    origin = origin_of(params, lock)
    record = run_record(params, result, lock, scorer, metrics, origin)
    tags = {**record.tags, FINGERPRINT_TAG: record.fingerprint}
    candidate = versions.TrainedModel(
        result.model, scorer, pd.DataFrame(test.X[:1], columns=scorer.contract.names)
    )
    name, state = run_name(), checkout()
    with open_tracking(params.name) as tracking:
        run_id, new_run = ensure_run(
            tracking,
            record,
            lambda folder: write_artifacts(
                folder, result, params.grid_search.selection, [params_file, lock_file]
            ),
        )
        version, new_version = versions.ensure_version(
            tracking, params.name, candidate, run_id, tags
        )
        tested = Tested(scorer, test, lock.md5(result.test), metrics, origin)
        onnx_difference = float(_read_winner(result.winner)["onnx_difference"])
        challenger = Challenger.of(tracking, params, version, tested, onnx_difference)
        contender = Contender(version, scorer.digest, name, new_version, state)
        placed = place(challenger, contender, params.register)
        attach_card(tracking, params.name, version, params.card, scorer.contract)
        show_on_results(tracking, params.name)
        update_views(tracking, search_of(tracking, run_id), params.grid_search.selection)
        compared_at, _ = addresses(tracking)
    print(f"run {run_id} is {'new' if new_run else 'there already'}, at {tracking.shown_uri}")
    if why := why_no_commit():
        print(f"no commit is recorded: {why}")
    print(report(params, metrics, version, new_version, placed))
    served = tracking.uri.startswith("http")
    print(f"compare results in MLflow{'' if served else ' (`make ui`)'}: {compared_at}")


def report(
    params: Params, metrics: Mapping[str, float], version: str, new_version: bool, placed: Placed
) -> str:
    """Format the result, its stages, and why it is in no other."""
    interval = f"{metrics['roc_auc_low']:.4f} to {metrics['roc_auc_high']:.4f}"
    figures = (
        f"ROC AUC {metrics['roc_auc']:.4f} ({params.evaluate.confidence:.0%} interval {interval}), "
        f"Brier score {metrics['brier']:.4f}, on {metrics['rows']:.0f} test rows"
    )
    why_not, kept = (placed.why_not.get(stage, "") for stage in (PRODUCTION, STAGING))
    same = kept.partition("; ")[0] == why_not.partition("; ")[0]
    at = f"stage {' and '.join(placed.stages)}" if placed.stages else "no stage"
    return "\n".join(
        [
            f"version {version} of {params.name} is {'new' if new_version else 'there already'}, "
            f"in {at}",
            *(f"  {gate}" for gate in placed.gates),
            *map(str, placed.moves),
            *([] if same else [f"not put in staging: {kept}"] if kept else []),
            f"{f'not promoted: {why_not}' if why_not else 'in production'}: {figures}",
        ]
    )


def _read_metrics(path: Path) -> dict[str, float]:
    return msgspec.json.decode(path.read_bytes(), type=dict[str, float])


def _read_winner(path: Path) -> dict[str, float | str]:
    """Read the winner's parameters, of which one is a word, and its figures."""
    return msgspec.json.decode(path.read_bytes(), type=dict[str, float | str])


@click.command(help=__doc__, epilog=stage_example("register"))
@path_option("--params", default="params.yaml")
@path_option("--lock", default="dvc.lock")
@path_option("--training")
@path_option("--test")
@path_option("--model")
@path_option("--cv-results")
@path_option("--learning-curve")
@path_option("--winner")
@path_option("--metrics")
@path_option("--plots")
def command(params: Path, lock: Path, **result: Path) -> None:
    run(params, Result(**result), lock)
