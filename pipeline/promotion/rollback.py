"""Return to the version that was in a stage before."""

from datetime import UTC, datetime
from typing import Any

from pipeline.errors import PipelineError
from pipeline.promotion.transitions import PRODUCTION, Decide, move
from pipeline.registry import receipts, versions
from pipeline.registry.ledger import ROLLBACK, Entry, Ledger
from pipeline.registry.ledger_store import LedgerStore
from pipeline.registry.receipts import read_key
from pipeline.registry.stages import show_on_results
from serving.model.version_files import ModelError
from serving.receipts.receipt import RECEIPT_TAG, SIGNATURE_TAG


def earlier(ledger: Ledger, now: str | None) -> list[str]:
    """Return the versions that stood in production before `now`, the latest first."""
    return [version for version in ledger.past_versions(PRODUCTION) if version != now]


def candidates(ledger: Ledger, now: str | None) -> list[str]:
    """Return the earlier versions that nobody rolled back from since they were promoted."""
    left = ledger.rolled_back(PRODUCTION)
    return [version for version in earlier(ledger, now) if version not in left]


def roll_back(
    store: LedgerStore, wanted: str | None, reason: str, asked: datetime
) -> tuple[Entry, bool]:
    """Move production back; return the entry by which it went, and whether it is this one's.

    Somebody else's is returned if it was written after this was `asked` for: of two people who
    see the same fault at once, one goes back.

    Raises PipelineError where no version can be gone back to.
    """
    try:
        entry = move(store, PRODUCTION, _decide(store, wanted, reason, asked))
    except _DoneError as done:
        return done.entry, False
    show_on_results(store.tracking, store.name)
    return entry, True


class _DoneError(Exception):
    """Somebody else rolled back meanwhile, by this entry."""

    def __init__(self, entry: Entry) -> None:
        self.entry = entry


def _decide(store: LedgerStore, wanted: str | None, reason: str, asked: datetime) -> Decide:
    key, seen = read_key(), list[Entry | None]()

    def decide(source: str | None) -> dict[str, Any]:
        ledger = store.read()
        last = ledger.last_move(PRODUCTION)
        seen.append(last)
        # Beyond now is a clock that is ahead, which says nothing.
        meanwhile = last != seen[0] or (last and asked < last.time <= datetime.now(UTC))
        if last and last.outcome == "moved" and meanwhile:
            _give_way(last, wanted)
        now = ledger.version_in(PRODUCTION)
        versions = earlier(ledger, now) if wanted else candidates(ledger, now)
        if wanted is not None and wanted not in versions:
            raise PipelineError(_never_there(wanted, source, versions))
        if not versions:
            raise PipelineError(_nothing_earlier(store.name, ledger))
        version, came = _first_fit(store, ledger, [wanted] if wanted else versions, key)
        return {
            "command": ROLLBACK,
            "outcome": "moved",
            "target": version,
            "digest": came.digest,
            "gates": came.gates,
            "receipt": came.receipt,
            "signature": came.signature,
            "reason": reason,
        }

    return decide


def _give_way(last: Entry, wanted: str | None) -> None:
    """Raise where a move that was made meanwhile leaves nothing to do, or something else."""
    if last.command == ROLLBACK and wanted in (None, last.target):
        raise _DoneError(last)
    if wanted is None:
        raise PipelineError(
            f"{last.actor} moved it meanwhile by `{last.command}` ({last}): "
            "run this again to go back from there"
        )


def _nothing_earlier(name: str, ledger: Ledger) -> str:
    left = ", ".join(earlier(ledger, ledger.version_in(PRODUCTION)))
    passed_over = f" (rolled back from: {left})" if left else ""
    return (
        f"production of {name} has nothing earlier to go back to{passed_over}; "
        "`python -m pipeline promote VERSION --to production` puts a version there by its gates"
    )


def _first_fit(
    store: LedgerStore, ledger: Ledger, versions: list[str], key: bytes | None
) -> tuple[str, Entry]:
    """Return the first version that may go back, and the entry by which it stood there."""
    why_not: list[str] = []
    for version in versions:
        try:
            return version, _fit(store, ledger, version, key)
        except (ModelError, PipelineError) as error:
            why_not.append(f"version {version}: {error}")
    raise PipelineError(f"no version can be gone back to; {'; '.join(why_not)}")


def _fit(store: LedgerStore, ledger: Ledger, version: str, key: bytes | None) -> Entry:
    """Return the entry by which a version stood in production, with its receipt named again.

    It may have been judged anew since, against a better one, which says nothing of what it was.

    Raises ModelError where it may not go back.
    """
    came = ledger.passed(PRODUCTION, version)
    if came is None:
        raise ModelError("its gates had not passed when it came there")
    named = {RECEIPT_TAG: came.receipt, SIGNATURE_TAG: came.signature}
    receipt, digest = receipts.receipt_of(store.tracking, store.name, version, key, named)
    if receipt.verdict != "passed":
        raise ModelError(f"its gates had {receipt.verdict}")
    with versions.downloaded(store.tracking, store.name, version):
        receipts.name_receipt(store.tracking, store.name, version, receipt, digest, came.signature)
    return came


def _never_there(wanted: str, source: str | None, versions: list[str]) -> str:
    if wanted == source:
        return f"version {wanted} is in production"
    known = f"; before were {', '.join(versions)}" if versions else ""
    return (
        f"version {wanted} has not stood in production{known}; "
        f"`python -m pipeline promote {wanted} --to production` puts it there by its gates"
    )
