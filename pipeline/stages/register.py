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
from typing import Any

import click
import msgspec
import pandas as pd

from pipeline import plots, registry
from pipeline.candidacy import Candidacy, Judged, read_key
from pipeline.cards import attach_card
from pipeline.ledger import Entry
from pipeline.ledgerstore import LedgerStore
from pipeline.lineage import Lock, git_commit
from pipeline.options import path_option
from pipeline.params import Params, flatten, load
from pipeline.promotion import (
    AUTOMATIC,
    PRODUCTION,
    STAGES,
    STAGING,
    decided_by_hand,
    move,
    standing,
)
from pipeline.runs import FINGERPRINT_TAG, DatasetRecord, RunRecord, ensure_run
from pipeline.table import read_split
from pipeline.tracking import open_tracking, run_name
from serving.receipt import Gate
from serving.scorer import DIGEST_TAG, Scorer

PRODUCING_STAGES = ["preprocess", "grid_search", "evaluate"]
SWITCHED_OFF = "not promoted: register.auto_promote is off in params.yaml"
GATE_FAILED = "not promoted: a gate does not hold"


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


@dataclass(frozen=True)
class Placed:
    """Where a version stands after its gates were judged, and why not in production."""

    gates: tuple[Gate, ...]
    stages: list[str]
    why_not: str = ""


def place(candidacy: Candidacy, *, promote: bool) -> Placed:
    """Put the version in `staging`, and in `production` where it may go there."""
    store = LedgerStore(candidacy.tracking, candidacy.name)
    production = standing(store, PRODUCTION)
    judged = candidacy.judged(production)
    if standing(store, STAGING) != candidacy.version:
        candidacy.check_whole(STAGING)
        move(store, STAGING, lambda _: moved(candidacy, judged))
    why_not = ""
    if production != candidacy.version:
        judged, why_not = _promote(store, candidacy) if promote else (judged, SWITCHED_OFF)
    elif not judged.passed:
        why_not = f"{GATE_FAILED} (but still in production)"
    stages = [stage for stage in STAGES if standing(store, stage) == candidacy.version]
    return Placed(judged.gates, stages, why_not)


def _promote(store: LedgerStore, candidacy: Candidacy) -> tuple[Judged, str]:
    """Move production to the version; give what its gates said, and what keeps it out."""
    found: list[Judged] = []

    def decide(source: str | None) -> dict[str, Any]:
        # Here, since somebody may decide while the gates are judged: then this is asked again.
        ledger = store.read()
        found.append(candidacy.judged(source))
        by_hand = decided_by_hand(ledger, candidacy.version, candidacy.scorer.digest)
        if by_hand is not None:
            raise _StoppedError(_decided(by_hand, candidacy.version))
        if not found[-1].passed:
            raise _StoppedError(GATE_FAILED)
        candidacy.check_whole(PRODUCTION)
        return moved(candidacy, found[-1])

    try:
        move(store, PRODUCTION, decide)
    except _StoppedError as why_not:
        return found[-1], str(why_not)
    return found[-1], ""


class _StoppedError(Exception):
    """What keeps a version out of production, which an automatic promotion only tells."""


def moved(candidacy: Candidacy, judged: Judged) -> dict[str, Any]:
    return candidacy.entry(judged, command=AUTOMATIC, outcome="moved")


def _decided(entry: Entry, version: str) -> str:
    because = f" ({entry.reason})" if entry.reason else ""
    return (
        f"not promoted: {entry.actor} decided for version {entry.target} on {entry.time:%Y-%m-%d} "
        f"by `{entry.command}`{because}; `python -m pipeline promote {version} --to production` "
        "decides anew"
    )


def run(params_file: Path, result: Result, lock_file: Path) -> None:
    params, key = load(params_file), read_key()
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
        candidacy = Candidacy(
            tracking=tracking,
            name=params.name,
            version=version,
            scorer=scorer,
            test=test,
            test_digest=lock.md5(result.test),
            metrics=metrics,
            onnx_difference=_read_json(result.winner)["onnx_difference"],
            bounds=params.register.gates,
            confidence=params.evaluate.confidence,
            key=key,
        )
        placed = place(candidacy, promote=params.register.auto_promote)
        attach_card(tracking, params.name, version, params.card, scorer.contract)
    print(f"run {run_id} is {'new' if new_run else 'there already'}, at {tracking.shown_uri}")
    print(report(params, metrics, version, new_version, placed))


def report(
    params: Params, metrics: Mapping[str, float], version: str, new_version: bool, placed: Placed
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
            f"in stage {' and '.join(placed.stages)}",
            *(f"  {gate}" for gate in placed.gates),
            f"{placed.why_not or 'in production'}: {figures}",
        ]
    )


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
