"""Reconcile the tracking store and the registry with the pipeline's result, and promote it.

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

from pipeline import plots, registry
from pipeline.gates import Verdict, all_passed, judge
from pipeline.lineage import Lock, git_commit
from pipeline.metrics import roc_auc
from pipeline.options import path_option
from pipeline.params import Params, flatten, load
from pipeline.runs import FINGERPRINT_TAG, DatasetRecord, RunRecord, ensure_run
from pipeline.table import Table, read_split
from pipeline.tracking import Tracking, open_tracking, run_name
from serving.scorer import DIGEST_TAG, ModelError, Scorer

PRODUCING_STAGES = ["preprocess", "grid_search", "evaluate"]
STAGING, PRODUCTION = "staging", "production"


@dataclass(frozen=True)
class Result:
    """What the other stages wrote."""

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


def run_record(
    params: Params, result: Result, lock: Lock, scorer: Scorer, metrics: Mapping[str, float]
) -> RunRecord:
    winner = _read_json(result.winner)
    fingerprint = lock.fingerprint()
    commit, changed = git_commit()
    cv_metrics = {key: value for key, value in winner.items() if key not in ("C", "gamma")}
    names = [*scorer.contract.names, scorer.contract.target]
    return RunRecord(
        fingerprint=fingerprint,
        name=run_name() or f"repro {fingerprint[:8]}",
        params={**flatten(params), "C": str(winner["C"]), "gamma": str(winner["gamma"])},
        metrics={**cv_metrics, **{f"test_{key}": value for key, value in metrics.items()}},
        tags={
            DIGEST_TAG: scorer.digest,
            "data.digest": lock.md5(Path(params.data.file)),
            "git.commit": commit,
            "git.changed": str(changed).lower(),
        },
        datasets=[
            DatasetRecord(path, lock.md5(path), context, len(pd.read_csv(path)), names)
            for path, context in ((result.training, "training"), (result.test, "test"))
        ],
        candidates=pd.read_csv(result.cv_results),
        candidates_digest=sha256(result.cv_results.read_bytes()).hexdigest(),
        learning_curve=pd.read_csv(result.learning_curve),
    )


def write_artifacts(folder: Path, result: Result, rank_by: str, sources: Sequence[Path]) -> None:
    # In a process of its own, since a second of drawing would hold up the logging meanwhile.
    searched = [str(result.cv_results), str(result.learning_curve), rank_by]
    drawing = [sys.executable, "-m", plots.__name__, str(folder / "plots"), *searched]
    subprocess.run([*drawing, str(result.plots)], check=True)
    written = (result.metrics, result.winner, result.cv_results, result.learning_curve)
    for path in (*written, *sources):
        shutil.copyfile(path, folder / path.name)


def incumbent_roc_auc(
    tracking: Tracking, name: str, version: str, test: Table
) -> float | str | None:
    """Score the version in production on the same test rows.

    Gives None where production has no other version, and the reason where it cannot be compared.
    """
    now = registry.version_at(tracking, name, PRODUCTION)
    if now is None or str(now.version) == version:
        return None
    try:
        with registry.downloaded(now) as scorer:
            return compare_on(scorer, test)
    except ModelError as error:
        return f"version {now.version}: {error}"


def compare_on(scorer: Scorer, test: Table) -> float | str:
    """Score another model on the test rows, where they have all that it asks for."""
    theirs, ours = scorer.contract, test.contract
    if (theirs.target, theirs.classes) != (ours.target, ours.classes):
        return f"it predicts {theirs.target} {theirs.classes[1]}"
    absent = [name for name in theirs.names if name not in ours.names]
    if absent:
        return f"it needs {', '.join(absent)}"
    X = test.X[:, [ours.names.index(name) for name in theirs.names]]
    return roc_auc(test.y, scorer.score(X)[1])


def place(
    tracking: Tracking, name: str, version: str, verdicts: list[Verdict], *, promote: bool
) -> list[str]:
    """Put the version in `staging`, and in `production` where it may go there; give its stages."""
    wanted = [STAGING, PRODUCTION] if promote and all_passed(verdicts) else [STAGING]
    moves = [s for s in wanted if not registry.stands_at(tracking, name, s, version)]
    if moves:
        registry.move_stages(tracking, name, moves, version)
    return [s for s in (STAGING, PRODUCTION) if registry.stands_at(tracking, name, s, version)]


def run(params_file: Path, result: Result, lock_file: Path) -> None:
    params = load(params_file)
    lock = Lock.read(lock_file, PRODUCING_STAGES)
    result.check_unchanged(lock)
    scorer = Scorer.load(result.model)
    metrics = _read_json(result.metrics)
    test = read_split(result.test, scorer.contract)
    record = run_record(params, result, lock, scorer, metrics)
    tags = {**record.tags, FINGERPRINT_TAG: record.fingerprint}
    candidate = registry.Candidate(
        result.model, scorer, pd.DataFrame(test.X[:1], columns=scorer.contract.names)
    )
    with open_tracking(params.name) as tracking:
        run_id, new_run = ensure_run(
            tracking,
            record,
            lambda folder: write_artifacts(
                folder, result, params.grid_search.rank_by, [params_file, lock_file]
            ),
        )
        version, new_version = registry.ensure_version(
            tracking, params.name, candidate, run_id, tags
        )
        verdicts = judge(
            params.register.gates,
            roc_auc=metrics["roc_auc"],
            brier=metrics["brier"],
            incumbent=incumbent_roc_auc(tracking, params.name, version, test),
        )
        registry.note_gates(tracking, params.name, version, passed=all_passed(verdicts))
        stages = place(
            tracking, params.name, version, verdicts, promote=params.register.auto_promote
        )
    print(f"run {run_id} is {'new' if new_run else 'there already'}, at {tracking.shown_uri}")
    print(report(params, metrics, version, new_version, verdicts, stages))


def report(
    params: Params,
    metrics: Mapping[str, float],
    version: str,
    new_version: bool,
    verdicts: list[Verdict],
    stages: list[str],
) -> str:
    """Say what was found, where it stands, and why."""
    interval = f"{metrics['roc_auc_low']:.4f} to {metrics['roc_auc_high']:.4f}"
    figures = (
        f"ROC AUC {metrics['roc_auc']:.4f} ({params.evaluate.confidence:.0%} interval {interval}), "
        f"Brier score {metrics['brier']:.4f}, on {metrics['rows']:.0f} test rows"
    )
    return "\n".join(
        [
            f"version {version} of {params.name} is {'new' if new_version else 'there already'}, "
            f"in stage {' and '.join(stages)}",
            *(f"  {verdict}" for verdict in verdicts),
            f"{_outcome(params, verdicts, stages)}: {figures}",
        ]
    )


def _outcome(params: Params, verdicts: list[Verdict], stages: list[str]) -> str:
    if not params.register.auto_promote:
        why = "not promoted: register.auto_promote is off in params.yaml"
    elif not all_passed(verdicts):
        why = "not promoted: a gate does not hold"
    else:
        return "in production"
    return f"{why} (but still in production)" if PRODUCTION in stages else why


def _read_json(path: Path) -> dict[str, float]:
    return msgspec.json.decode(path.read_bytes(), type=dict[str, float])


@click.command(help=__doc__)
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
