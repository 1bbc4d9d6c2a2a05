"""Everything that can be out of step: git, DVC, runs, versions, stages, the service."""

from datetime import UTC, datetime

import msgspec
import requests

from pipeline.lineage.dvc import can_pull, changed_stages
from pipeline.lineage.git import git_commit
from pipeline.promotion.rollback import candidates
from pipeline.promotion.transitions import PRODUCTION, STAGES
from pipeline.registry import receipts, stages, versions
from pipeline.registry.ledger import Ledger
from pipeline.registry.ledger_store import LedgerStore
from pipeline.tracking.experiment import FAILURE_TAG, KIND_TAG, Tracking
from pipeline.tracking.result_runs import FAILED_STAGE_TAG, RESULT
from serving.model.version_files import DIGEST_TAG

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
    """A stage's version by the registry and by the ledger."""

    stage: str
    version: str | None
    by_ledger: str | None
    since: datetime | None
    actor: str


class ServiceLine(msgspec.Struct, frozen=True):
    """The version that a running service answers with, or why it is unknown."""

    url: str
    version: str | None = None
    digest: str | None = None
    in_step: bool | None = None
    refused: str | None = None
    problem: str | None = None


class Overview(msgspec.Struct, frozen=True):
    """The whole view.

    `changed` are the stages of the pipeline that would run, and why; `can_pull` is true if files of
    theirs are missing and a DVC remote may have them, `can_go_back` if a rollback finds a version.
    """

    model: str
    git: Git
    changed: dict[str, str]
    last_run: LastRun | None
    last_failure: LastRun | None
    versions: list[VersionLine]
    stages: list[StageLine]
    service: ServiceLine | None
    can_pull: bool = False
    can_go_back: bool = False


def overview(tracking: Tracking | None, name: str, service: ServiceLine | None) -> Overview:
    """Look at everything; `tracking` is None where there is no store yet."""
    commit, dirty = git_commit()
    git, changed = Git(commit, dirty), changed_stages()
    missing = can_pull(changed)
    if tracking is None:
        return Overview(name, git, changed, None, None, [], [], service, missing)
    ledger = LedgerStore(tracking, name).read()
    return Overview(
        name,
        git,
        changed,
        _last(tracking, "FINISHED"),
        _last(tracking, "FAILED"),
        [_version(tracking, name, number) for number in versions.numbers(tracking, name)],
        [_stage(tracking, name, ledger, stage) for stage in STAGES],
        service,
        missing,
        bool(candidates(ledger, stages.number_at(tracking, name, PRODUCTION))),
    )


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
        stages.number_at(tracking, name, stage),
        last.target if last else None,
        last.time if last else None,
        last.actor if last else "",
    )


def _version(tracking: Tracking, name: str, number: str) -> VersionLine:
    facts = versions.facts_of(tracking, name, number)
    area = [facts.metrics.get(f"test_roc_auc{end}") for end in ("", "_low", "_high")]
    return VersionLine(
        number,
        facts.tags.get(DIGEST_TAG, ""),
        facts.stages,
        facts.tags.get(receipts.VERDICT_TAG, "no receipt"),
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
