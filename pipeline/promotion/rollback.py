"""Return to the version that was in a stage before."""

from typing import Any

from pipeline.errors import PipelineError
from pipeline.promotion.transitions import PRODUCTION, move
from pipeline.registry import receipts, versions
from pipeline.registry.ledger import Entry, Ledger
from pipeline.registry.ledger_store import LedgerStore
from pipeline.registry.receipts import read_key
from pipeline.registry.stages import show_on_results
from serving.model.scorer import ModelError
from serving.receipts.receipt import RECEIPT_TAG, SIGNATURE_TAG


def earlier(ledger: Ledger) -> list[str]:
    """Return the versions that stood in production before the one that does, the latest first."""
    now = ledger.version_in(PRODUCTION)
    return [version for version in ledger.past_versions(PRODUCTION) if version != now]


def roll_back(store: LedgerStore, wanted: str | None, reason: str) -> Entry:
    """Move production back; raises PipelineError where no version can be gone back to."""
    key = read_key()

    def decide(source: str | None) -> dict[str, Any]:
        ledger = store.read()
        versions = earlier(ledger)
        if wanted is not None and wanted not in versions:
            raise PipelineError(_never_there(wanted, source, versions))
        if not versions:
            raise PipelineError(f"no other version of {store.name} has stood in production")
        why_not: list[str] = []
        for version in [wanted] if wanted else versions:
            try:
                came = _fit(store, ledger, version, key)
            except (ModelError, PipelineError) as error:
                why_not.append(f"version {version}: {error}")
                continue
            return {
                "command": "rollback",
                "outcome": "moved",
                "target": version,
                "digest": came.digest,
                "gates": came.gates,
                "receipt": came.receipt,
                "signature": came.signature,
                "reason": reason,
            }
        raise PipelineError(f"no version can be gone back to; {'; '.join(why_not)}")

    entry = move(store, PRODUCTION, decide)
    show_on_results(store.tracking, store.name)
    return entry


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
