"""Put production back to an earlier version.

It is the last version that stood there before, and whose gates had passed. One that was rolled back
from is passed over until it is promoted again. Of two people who do this at once one goes back, and
the other reads who did. Nothing is judged or trained: the version's receipt is checked as the
service checks it, its files are downloaded and tried, then the stage is moved. The next `dvc repro`
does not undo it.
"""

from datetime import datetime
from pathlib import Path

import click

from pipeline.options import path_option, reason_option
from pipeline.params_file import load
from pipeline.promotion.rollback import roll_back
from pipeline.registry.ledger import Entry
from pipeline.registry.ledger_store import LedgerStore
from pipeline.tracking.store import open_tracking

EXAMPLES = """\b
Examples:
  python -m pipeline rollback --reason "twice as many alarms as last week"
  python -m pipeline rollback --to 3 --reason "the last one before the new form"
"""


def describe(entry: Entry, name: str, *, ours: bool) -> str:
    """Format what came of it, by this command or by somebody else's at the same time."""
    before = f"was version {entry.source}" if entry.source else "was empty"
    line = f"version {entry.target} of {name} is in production again, which {before}"
    if ours:
        return line
    because = f" ({entry.reason})" if entry.reason else ""
    return f"{entry.actor} has just done it{because}: {line}; run this again to go further back"


@click.command(help=__doc__, epilog=EXAMPLES)
@click.option("--to", "version", help="The version to go back to.  [default: the last good one]")
@reason_option()
@path_option("--params", default="params.yaml")
@click.pass_obj
def command(started: datetime, version: str | None, reason: str, params: Path) -> None:
    name = load(params).name
    with open_tracking(name, create=False) as tracking:
        entry, ours = roll_back(LedgerStore(tracking, name), version, reason, started)
    print(describe(entry, name, ours=ours))
