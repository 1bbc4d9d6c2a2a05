"""Put production back to the last version that stood there before, and whose gates had passed.

Nothing is judged or trained: the version's receipt is checked as the service checks it, its files
are downloaded and tried, then the stage is moved. The next `dvc repro` does not undo it.
"""

from pathlib import Path
from typing import Any

import click

from pipeline import registry
from pipeline.candidacy import read_key
from pipeline.errors import PipelineError
from pipeline.ledger import Entry, Ledger
from pipeline.ledgerstore import LedgerStore
from pipeline.options import path_option, reason_option
from pipeline.params import load
from pipeline.promotion import PRODUCTION, move
from pipeline.tracking import open_tracking
from serving.receipt import Receipt
from serving.scorer import ModelError

EXAMPLES = """\b
Examples:
  python -m pipeline rollback --reason "twice as many alarms as last week"
  python -m pipeline rollback --to 3 --reason "the last one before the new form"
"""


def earlier(ledger: Ledger) -> list[str]:
    """Give the versions that stood in production before the one that does, the latest first."""
    now = ledger.last_move(PRODUCTION)
    return [version for version in ledger.held(PRODUCTION) if now and version != now.target]


def roll_back(store: LedgerStore, wanted: str | None, reason: str) -> Entry:
    """Move production back; raises PipelineError where no version can be gone back to."""
    key = read_key()

    def decide(source: str | None) -> dict[str, Any]:
        versions = earlier(store.read())
        if wanted is not None and wanted not in versions:
            raise PipelineError(_never_there(wanted, source, versions))
        if not versions:
            raise PipelineError(f"no other version of {store.name} has stood in production")
        why_not: list[str] = []
        for version in [wanted] if wanted else versions:
            try:
                receipt, digest = _fit(store, version, key)
            except (ModelError, PipelineError) as error:
                why_not.append(f"version {version}: {error}")
                continue
            return {
                "command": "rollback",
                "outcome": "moved",
                "target": version,
                "digest": receipt.digest,
                "gates": receipt.gates,
                "receipt": digest,
                "reason": reason,
            }
        raise PipelineError(f"no version can be gone back to; {'; '.join(why_not)}")

    return move(store, PRODUCTION, decide)


def _fit(store: LedgerStore, version: str, key: bytes | None) -> tuple[Receipt, str]:
    """Give the version's receipt with its digest; raises ModelError where it may not go back."""
    receipt, digest = registry.receipt_of(store.tracking, store.name, version, key)
    if receipt.verdict != "passed":
        raise ModelError(f"its gates had {receipt.verdict}")
    with registry.downloaded(store.tracking, store.name, version):
        return receipt, digest


def _never_there(wanted: str, source: str | None, versions: list[str]) -> str:
    if wanted == source:
        return f"version {wanted} is in production"
    known = f"; before were {', '.join(versions)}" if versions else ""
    return (
        f"version {wanted} has not stood in production{known}; "
        f"`python -m pipeline promote {wanted} --to production` puts it there by its gates"
    )


@click.command(help=__doc__, epilog=EXAMPLES)
@click.option("--to", "version", help="The version to go back to.  [default: the last good one]")
@reason_option()
@path_option("--params", default="params.yaml")
def command(version: str | None, reason: str, params: Path) -> None:
    name = load(params).name
    with open_tracking(name, create=False) as tracking:
        entry = roll_back(LedgerStore(tracking, name), version, reason)
    before = f"was version {entry.source}" if entry.source else "was empty"
    print(f"version {entry.target} of {name} is in production again, which {before}")
