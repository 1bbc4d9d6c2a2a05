"""Check a project and its registry: each finding is a sentence with its cure."""

import platform
import sys
from collections.abc import Iterator, Mapping
from functools import partial
from hashlib import md5
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as installed_version

from packaging.requirements import Requirement

from pipeline.errors import PipelineError
from pipeline.files import project_root
from pipeline.health.finding import Finding
from pipeline.health.leaks import leak_in_production
from pipeline.health.registration import newest_result
from pipeline.lineage.dvc import is_kept
from pipeline.lineage.git import file_at, has_commit, why_no_commit
from pipeline.params import Params
from pipeline.promotion.transitions import PRODUCTION, reconcile
from pipeline.registry import receipts, stages, versions
from pipeline.registry.ledger import Ledger
from pipeline.registry.ledger_store import LedgerStore
from pipeline.registry.receipts import read_key
from pipeline.tracking.experiment import Tracking
from pipeline.tracking.store import open_tracking, project_move
from serving.model.version_files import DIGEST_TAG, ModelError

OLDEST_PYTHON = (3, 11)
LOCK_FILE = "requirements.lock"


def environment() -> Iterator[Finding]:
    """Compare Python and the packages with what the project is locked to."""
    if sys.version_info < OLDEST_PYTHON:
        sentence = f"Python {platform.python_version()} is too old: 3.11 or later is needed"
        yield Finding("environment", "fault", sentence)
    if why := why_no_commit():
        yield Finding("environment", "note", f"results have no commit: {why}")
    lock = project_root() / LOCK_FILE
    if not lock.is_file():
        return
    differing = [
        f"{pin.name} {found} (locked:{str(pin.specifier).replace('==', ' ')})"
        for pin in _pinned(lock.read_text(encoding="utf-8"))
        if (found := _installed(pin.name)) and found not in pin.specifier
    ]
    if differing:
        listed = ", ".join(differing[:5]) + (" …" if len(differing) > 5 else "")
        sentence = f"other versions than {LOCK_FILE} has: {listed}; `make install` brings them"
        yield Finding("environment", "note", sentence)


def _pinned(lock: str) -> Iterator[Requirement]:
    """Return the packages of a lock file that this system and Python need."""
    for line in lock.splitlines():
        if line[:1].isalnum():
            pin = Requirement(line.rstrip(" \\"))
            if pin.marker is None or pin.marker.evaluate():
                yield pin


def _installed(name: str) -> str:
    try:
        return installed_version(name)
    except PackageNotFoundError:
        return ""


def paths(params: Params) -> Iterator[Finding]:
    """Find a project's folder that was moved."""
    move = project_move(params.name)
    if move is None:
        return

    def fix() -> str:
        backup = move.correct()
        return f"the store now names {move.now}; it was copied to {backup.name} before"

    sentence = f"the project was moved or copied from {move.before}; its store names files there"
    yield Finding("paths", "fault", sentence, fix)


def registry(tracking: Tracking, name: str) -> Iterator[Finding]:
    """Check the registered model, the ledger, and the stages; quick enough for each `status`."""
    yield from newest_result(tracking, name)
    store = LedgerStore(tracking, name)
    try:
        ledger = store.read()
    except PipelineError as error:
        yield Finding("ledger", "fault", str(error), partial(_begin_anew, store))
        return
    yield from _ledger(store, ledger)
    yield from _stages(store, ledger)


def _begin_anew(store: LedgerStore) -> str:
    store.begin_anew()
    return "a new ledger was begun; what the old one said is lost"


def _ledger(store: LedgerStore, ledger: Ledger) -> Iterator[Finding]:
    for fault in ledger.faults:
        sentence = f"the ledger is damaged: {fault}; compare it with a backup"
        yield Finding("ledger", "fault", sentence)
    if store.is_deleted():

        def fix() -> str:
            store.restore()
            return "the ledger's run was restored"

        yield Finding("ledger", "fault", "the ledger's run was deleted in MLflow", fix)


def _stages(store: LedgerStore, ledger: Ledger) -> Iterator[Finding]:
    every = {*ledger.stages(), *stages.stages(store.tracking, store.name)}
    for stage in sorted(every):
        expected, actual = ledger.version_in(stage), _now(store, stage)
        if ledger.unfinished(stage):
            sentence = f"the move of {stage} to {_name_version(expected)} was interrupted"
            yield Finding("stages", "fault", sentence, partial(_reconcile, store, stage))
        elif ledger.was_changed_outside(stage, actual):
            sentence = (
                f"{stage} was changed outside: the registry has {_name_version(actual)}, "
                f"the ledger {_name_version(expected)}"
            )
            yield Finding("stages", "fault", sentence, partial(_reconcile, store, stage))


def _now(store: LedgerStore, stage: str) -> str | None:
    return stages.number_at(store.tracking, store.name, stage)


def _reconcile(store: LedgerStore, stage: str) -> str:
    ledger = reconcile(store, stage)
    return f"{stage} is at {_name_version(ledger.version_in(stage))}, and the ledger says so"


def _name_version(version: str | None) -> str:
    return "no version" if version is None else f"version {version}"


def every_version(tracking: Tracking, name: str) -> Iterator[Finding]:
    """Check each version of the registry, which downloads all of them."""
    for number in versions.numbers(tracking, name):
        yield from _version(tracking, name, number)


def _version(tracking: Tracking, name: str, number: str) -> Iterator[Finding]:
    """Check one version: its files, its receipt, its run and where it came from."""
    facts = versions.facts_of(tracking, name, number)
    tags = facts.tags
    at = f"version {number}"
    if DIGEST_TAG not in tags:
        yield Finding("versions", "fault", f"{at} has no digest: `dvc repro` did not register it")
        return
    try:
        with versions.downloaded(tracking, name, number):
            pass
    except ModelError as error:
        sentence = f"{at} is not whole: {error}; delete it, and `dvc repro` registers it again"
        yield Finding("versions", "fault", sentence)
    yield from _receipt(tracking, name, number)
    if facts.params is None:
        yield Finding("lineage", "fault", f"{at}: the run that made it is no longer in the store")
    yield from _origin(at, tags, (facts.params or {}).get("data.file", "unknown"))


def _receipt(tracking: Tracking, name: str, number: str) -> Iterator[Finding]:
    at = f"version {number}"
    try:
        receipt, _ = receipts.receipt_of(tracking, name, number, read_key())
    except ModelError as error:
        sentence = f"{at}: {error}; `python -m pipeline promote {number} --to staging` judges it"
        yield Finding("versions", "fault", sentence)
        return
    if receipt.verdict != "passed" and stages.number_at(tracking, name, PRODUCTION) == number:
        how = f"forced by {receipt.forced_by}" if receipt.verdict == "forced" else "not passed"
        yield Finding("stages", "note", f"{at} is in production with its gates {how}")


def _origin(at: str, tags: Mapping[str, str], file: str) -> Iterator[Finding]:
    """Follow a version back to the table and the commit that it was made from."""
    data, commit = tags.get("data.digest", ""), tags.get("git.commit", "unknown")
    if commit == "unknown":
        yield Finding("lineage", "note", f"{at} does not say what commit it was made from")
    elif not has_commit(commit):
        sentence = f"{at}: its commit {commit[:12]} is not in this repository; `git fetch` may help"
        yield Finding("lineage", "note", sentence)
    elif tags.get("git.changed") == "true":
        sentence = f"{at} was made from files that differed from its commit {commit[:12]}"
        yield Finding("lineage", "note", sentence)
    if not data:
        yield Finding("lineage", "note", f"{at} does not say what table it learned from")
    elif not _has_table(data, file, commit):
        sentence = f"{at}: the table that it learned from ({file}, md5 {data}) is not to be found"
        yield Finding("lineage", "note", sentence)


def _has_table(digest: str, file: str, commit: str) -> bool:
    """Look for a table in its place, at its commit and in DVC's cache."""
    here = project_root() / file
    contents = (here.read_bytes() if here.is_file() else None, file_at(commit, file))
    return any(md5(content).hexdigest() == digest for content in contents if content) or is_kept(
        digest
    )


def examine(params: Params) -> Iterator[Finding]:
    """Find all that is wrong, in the order in which it is to be mended."""
    yield from environment()
    moved = list(paths(params))
    yield from moved
    if moved:  # what the store says of files is of no use until then
        return
    with open_tracking(params.name, create=False) as tracking:
        yield from registry(tracking, params.name)
        yield from leak_in_production(tracking, params.name)
        yield from every_version(tracking, params.name)
