"""Everything that can be out of step: git, DVC, runs, versions, stages, the service."""

import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import msgspec
import requests

from pipeline import registry
from pipeline.ledger import Ledger
from pipeline.ledgerstore import LedgerStore
from pipeline.lineage import git_commit, project_root
from pipeline.promotion import STAGES
from pipeline.runs import FAILED_STAGE_TAG, RESULT
from pipeline.tracking import FAILURE_TAG, KIND_TAG, Tracking
from serving.scorer import DIGEST_TAG

TIMEOUT = 5  # seconds for the service to answer


class Git(msgspec.Struct, frozen=True):
    commit: str
    changed: bool


class LastRun(msgspec.Struct, frozen=True):
    """A run's name, start, status and, where it failed, the stage and the reason."""

    run_id: str
    name: str
    started: datetime
    status: str
    digest: str
    roc_auc: float | None
    failure: str


class VersionLine(msgspec.Struct, frozen=True):
    """A version: the figures of its run, and what its receipt says of its gates."""

    version: str
    digest: str
    stages: list[str]
    gates: str
    roc_auc: tuple[float, float, float] | None


class StageLine(msgspec.Struct, frozen=True):
    """Where a stage stands by the registry and by the ledger."""

    stage: str
    version: str | None
    by_ledger: str | None
    since: datetime | None
    actor: str


class ServiceLine(msgspec.Struct, frozen=True):
    """What a running service answers with, or why it does not say."""

    url: str
    version: str | None = None
    digest: str | None = None
    in_step: bool | None = None
    refused: str | None = None
    problem: str | None = None


class Overview(msgspec.Struct, frozen=True):
    """The whole view.

    `changed` are the stages of the pipeline that would run, and why; `faults` the ledger's,
    `interrupted` the stages whose last move was not finished.
    """

    model: str
    git: Git
    changed: dict[str, str]
    last_run: LastRun | None
    last_failure: LastRun | None
    versions: list[VersionLine]
    stages: list[StageLine]
    service: ServiceLine | None
    faults: list[str] = []
    interrupted: list[str] = []


def overview(tracking: Tracking | None, name: str, service: ServiceLine | None) -> Overview:
    """Look at everything; `tracking` is None where there is no store yet."""
    commit, dirty = git_commit()
    git, changed = Git(commit, dirty), changed_stages()
    if tracking is None:
        return Overview(name, git, changed, None, None, [], [], service)
    ledger = LedgerStore(tracking, name).read()
    return Overview(
        name,
        git,
        changed,
        _last(tracking, "FINISHED"),
        _last(tracking, "FAILED"),
        [_version(tracking, name, number) for number in registry.numbers(tracking, name)],
        [_stage(tracking, name, ledger, stage) for stage in STAGES],
        service,
        list(ledger.faults),
        [stage for stage in STAGES if ledger.unfinished(stage)],
    )


def changed_stages() -> dict[str, str]:
    """Ask DVC which stages would run again, and why."""
    command = [sys.executable, "-m", "dvc", "status", "--json"]
    asked = subprocess.run(command, cwd=project_root(), capture_output=True, text=True, check=False)
    if asked.returncode != 0:
        return {"dvc": " ".join(asked.stderr.split())[:300]}
    found: Mapping[str, list[Any]] = msgspec.json.decode(asked.stdout or "{}")
    return {stage: why for stage, changes in found.items() if (why := _why(changes))}


def _why(changes: list[Any]) -> str:
    """Name what changed; that `register` always runs is no change."""
    names = [
        f"{path} {_how(how)}"
        for change in changes
        if isinstance(change, dict)
        for paths in change.values()
        if isinstance(paths, dict)
        for path, how in paths.items()
    ]
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more


def _how(how: object) -> str:
    """Name the kind of change; of params.yaml DVC names the sections."""
    return f"({', '.join(how)})" if isinstance(how, dict) else str(how)


def _last(tracking: Tracking, status: str) -> LastRun | None:
    kind = f"tags.{KIND_TAG} = '{RESULT}' and " if status == "FINISHED" else ""
    runs = tracking.search(f"{kind}attributes.status = '{status}'")
    if not runs:
        return None
    run = runs[0]
    tags = run.data.tags
    failure = f"{tags.get(FAILED_STAGE_TAG, '')}: {tags.get(FAILURE_TAG, '')}"
    return LastRun(
        run_id=run.info.run_id,
        name=run.info.run_name,
        started=datetime.fromtimestamp(run.info.start_time / 1000, UTC),
        status=status,
        digest=tags.get(DIGEST_TAG, ""),
        roc_auc=run.data.metrics.get("test_roc_auc"),
        failure=failure if status == "FAILED" else "",
    )


def _stage(tracking: Tracking, name: str, ledger: Ledger, stage: str) -> StageLine:
    last = ledger.last_move(stage)
    return StageLine(
        stage,
        registry.number_at(tracking, name, stage),
        last.target if last else None,
        last.time if last else None,
        last.actor if last else "",
    )


def _version(tracking: Tracking, name: str, number: str) -> VersionLine:
    facts = registry.facts_of(tracking, name, number)
    area = [facts.metrics.get(f"test_roc_auc{end}") for end in ("", "_low", "_high")]
    return VersionLine(
        number,
        facts.tags.get(DIGEST_TAG, ""),
        facts.stages,
        facts.tags.get(registry.VERDICT_TAG, "no receipt"),
        None if None in area else (area[0], area[1], area[2]),  # type: ignore[arg-type]
    )


def ask_service(url: str, key: str) -> ServiceLine:
    """Ask a service what it answers with; `key` is empty where it needs none."""
    address = url.rstrip("/")
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    try:
        answer = requests.get(f"{address}/version", headers=headers, timeout=TIMEOUT)
    except requests.RequestException:
        return ServiceLine(url, problem="it does not answer")
    if answer.status_code in (401, 403):
        return ServiceLine(url, problem="it wants a key: set SERVING_API_KEY to one")
    try:
        told = answer.json()
        model, desired = told["model"], told["desired"]
        refused = {entry["version"]: entry["reason"] for entry in told["refused"]}
    except (ValueError, KeyError, TypeError):
        return ServiceLine(
            url, problem=f"it answers with {answer.status_code}, not as this project"
        )
    return ServiceLine(
        url,
        version=model and str(model["version"]),
        digest=model and model["digest"],
        in_step=told["in_step"],
        refused=refused.get(desired["version"]) if desired else None,
    )
