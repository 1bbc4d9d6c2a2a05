"""The registry's stage -> the store: fetch the version, verify it, put it in place, once.

    python -m serving.following.sync

It says in one line on stderr what happened; `follow` does the same again and again.
"""

import logging
import os
import sys
import time
import warnings
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import msgspec
from filelock import FileLock

from serving.config import ConfigError, Settings, read_settings, read_signing_key, without_password
from serving.errors import NoModelError
from serving.following import registry, trial
from serving.following.registry import (
    DEFAULT_URI,
    MLFLOW_SETTINGS,
    Found,
    Registry,
    UnreachableError,
)
from serving.following.trial import Limits
from serving.model.version_files import ModelError
from serving.receipts.receipt import Demands, check_receipt, check_tags, digest_of
from serving.store import sync_status, versions
from serving.store.sync_status import REMEMBERED, SUCCESSES, Kind, Refusal, Status
from serving.store.versions import Version

LOCK_PATIENCE = 60.0  # seconds
NO_WORD_OF_THE_REGISTRY = (Kind.UNREACHABLE, Kind.STORE_FAILED, Kind.OVERDUE, Kind.FAILED)


class Outcome(NamedTuple):
    """The outcome of a sync with its sentence; `good` if it succeeded.

    `desired` is what the stage names, where the registry could tell; `refusal` is a new one.
    """

    kind: Kind
    detail: str
    desired: Version | None = None
    refusal: Refusal | None = None

    @property
    def good(self) -> bool:
        return self.kind in SUCCESSES


def sync(settings: Settings, uri: str, *, retry: bool = False) -> Outcome:
    """Bring the store to the version that the registry's stage names, and note the outcome.

    Whatever goes wrong, the store's last good version stays in force. A version that was refused
    is not tried again while the registry says the same of it, except with `retry`.
    """
    demands = Demands(settings.require_gates, settings.allow_forced, read_signing_key())
    before = sync_status.read(settings.store)
    outcome = _outcome(settings, demands, uri, None if retry else before)
    try:
        sync_status.write(settings.store, _note(outcome, before))
    except (OSError, ValueError) as error:
        return Outcome(Kind.STORE_FAILED, f"The store cannot be used: {error}.")
    return outcome


def registry_uri() -> str:
    environ = os.environ
    given = environ.get("MLFLOW_REGISTRY_URI") or environ.get("MLFLOW_TRACKING_URI")
    return given or DEFAULT_URI


def prepare_mlflow() -> None:
    """Set what MLflow reads when it is imported, and keep it quiet."""
    warnings.simplefilter("ignore")
    logging.getLogger("alembic").setLevel(logging.ERROR)
    for name, value in MLFLOW_SETTINGS.items():
        os.environ.setdefault(name, value)


def _outcome(settings: Settings, demands: Demands, uri: str, before: Status | None) -> Outcome:
    if not registry.may_exist(uri):
        return Outcome(Kind.NO_VERSION, NoModelError(settings.model, settings.stage).detail)
    try:
        source = Registry(uri)
        found = source.resolve(settings.model, settings.stage)
        return _follow(settings, demands, source, found, before)
    except NoModelError as error:
        return Outcome(Kind.NO_VERSION, error.detail)
    except UnreachableError as error:
        where = without_password(uri)
        return Outcome(Kind.UNREACHABLE, f"The registry at {where} {error}.")
    except OSError as error:
        return Outcome(Kind.STORE_FAILED, f"The store cannot be used: {error}.")


def _follow(
    settings: Settings, demands: Demands, source: Registry, found: Found, before: Status | None
) -> Outcome:
    folder, wanted = settings.store, found.version
    limits = Limits(settings.load_memory, settings.load_timeout)
    # A verdict holds as long as what it rests on, and that is our own demands too.
    claims = f"{found.claims} {demands}"
    known = before.refusal_of(wanted.version, claims) if before else None
    if known is not None:
        return Outcome(Kind.REFUSED, f"{wanted} is refused: {known.reason}.", wanted)
    try:
        receipt = _checked_receipt(folder, demands, source, found)
        folder.mkdir(parents=True, exist_ok=True)
        # `python -m serving predict` may bring a version to the same store at the same time.
        with FileLock(folder / versions.LOCK_FILE, timeout=LOCK_PATIENCE):
            outcome = _bring(folder, source, found, limits)
            if receipt:
                versions.keep_receipt(folder, wanted.digest, receipt)
            return outcome
    except ModelError as error:
        refusal = Refusal(wanted.version, wanted.digest, str(error), time.time(), claims)
        return Outcome(Kind.REFUSED, f"{wanted} is refused: {error}.", wanted, refusal)


def _checked_receipt(folder: Path, demands: Demands, source: Registry, found: Found) -> bytes:
    """Return the receipt that the version is taken by, empty where none is demanded.

    It is read from the store where it is kept. Raises ModelError where it does not do.
    """
    receipt_digest = check_tags(found.tags, demands)
    if not receipt_digest:
        return b""
    wanted = found.version
    content = versions.receipt(folder, wanted.digest)
    if digest_of(content) != receipt_digest:
        content = source.receipt(wanted, receipt_digest)
    check_receipt(content, found.tags, model=wanted.name, demands=demands)
    return content


def _bring(folder: Path, source: Registry, found: Found, limits: Limits) -> Outcome:
    wanted = found.version
    here = _is_good(versions.version_dir(folder, wanted.digest), wanted.digest, limits)
    now = _current(folder)
    if here and now == wanted and versions.has_facts(folder, wanted):
        return Outcome(Kind.UNCHANGED, f"{wanted} is in force already.", wanted)
    facts = source.facts(found)
    if not here:
        _fetch(folder, source, wanted, limits)
    versions.keep_facts(folder, wanted, facts)
    versions.switch(folder, wanted)
    versions.prune(folder, wanted)
    how = "was in the store" if here else "was downloaded"
    return Outcome(Kind.UPDATED, f"{wanted} {how} and is now in force.", wanted)


def _fetch(folder: Path, source: Registry, wanted: Version, limits: Limits) -> None:
    """Download a version beside those in the store, try it, and move it in."""
    versions.remove_left_behind(folder)
    with TemporaryDirectory(dir=folder, prefix=versions.DOWNLOAD_PREFIX) as temporary:
        files = source.download(wanted, Path(temporary))
        trial.check(files, wanted.digest, limits)
        versions.adopt(folder, files, wanted)


def _is_good(directory: Path, digest: str, limits: Limits) -> bool:
    if not directory.is_dir():
        return False
    try:
        trial.check(directory, digest, limits)
    except ModelError:
        return False
    return True


def _current(folder: Path) -> Version | None:
    try:
        return versions.current(folder)
    except ModelError:  # a damaged pointer is replaced
        return None


def note_failure(settings: Settings, kind: Kind, detail: str) -> None:
    """Write for the workers why a sync came to no outcome of its own."""
    before = sync_status.read(settings.store)
    with suppress(OSError, ValueError):
        sync_status.write(settings.store, _note(Outcome(kind, detail), before))


def _note(outcome: Outcome, before: Status | None) -> Status:
    now = time.time()
    out_of_reach = outcome.kind in NO_WORD_OF_THE_REGISTRY
    refused = before.refused if before else ()
    if outcome.refusal is not None:
        others = [r for r in refused if r.version != outcome.refusal.version]
        refused = (outcome.refusal, *others[: REMEMBERED - 1])
    elif outcome.good:
        # The stage has moved on: should it come back to a refused version, that is tried anew.
        refused = tuple(msgspec.structs.replace(r, claims="") for r in refused)
    return Status(
        outcome=outcome.kind,
        detail=outcome.detail,
        checked_at=now,
        reached_at=(before.reached_at if before else None) if out_of_reach else now,
        desired=before.desired if before and out_of_reach else outcome.desired,
        refused=refused,
    )


def main() -> int:
    """Sync once; 0 where the store now holds what the registry names, else 1."""
    prepare_mlflow()
    try:
        outcome = sync(read_settings(), registry_uri(), retry=True)
    except ConfigError as error:
        print(error, file=sys.stderr)
        return 1
    print(outcome.detail, file=sys.stderr)
    return 0 if outcome.good else 1


if __name__ == "__main__":
    sys.exit(main())
