"""Put a version into a stage, by its gates.

VERSION is a version's number, a stage, a run's id or its beginning, or the name of a DVC
experiment. It is scored anew on its test rows, beside the version in production; what each gate
says is shown, written into the version's receipt, and into the ledger with the move. `staging`
takes any version that is whole, `production` one that passed every gate.
"""

from pathlib import Path

import click

from pipeline.errors import PipelineError
from pipeline.options import path_option, reason_option
from pipeline.params_file import load
from pipeline.promotion.by_hand import challenger_of, promote, show
from pipeline.promotion.challenger import Challenger
from pipeline.promotion.gates import all_passed
from pipeline.promotion.transitions import PRODUCTION, STAGES, reconcile
from pipeline.registry import stages
from pipeline.registry.ledger import Entry
from pipeline.registry.ledger_store import LedgerStore
from pipeline.registry.references import find_version
from pipeline.tracking.store import open_tracking

EXAMPLES = """\b
Examples:
  python -m pipeline promote 4 --to production --reason "seen by the board on Monday"
  python -m pipeline promote staging --to production --dry-run
  python -m pipeline promote 4 --to production --force --reason "the old form is gone"
"""


def describe_move(entry: Entry, name: str, now: str | None) -> str:
    """Print the result of the move; raises PipelineError if a gate refused it."""
    if entry.outcome == "refused":
        failed = ", ".join(gate.gate for gate in entry.gates if not gate.passed)
        raise PipelineError(
            f"version {entry.target} of {name} is not put in {entry.stage}: {failed} not passed; "
            "--force with a --reason puts it there all the same, and marks it as forced"
        )
    before = f"was version {entry.source}" if entry.source else "was empty"
    forced = ", forced past its gates" if entry.forced else ""
    line = f"version {entry.target} of {name} is in {entry.stage}{forced}, which {before}"
    if now != entry.target:
        line += f"; somebody else has put version {now} there since"
    return line


def preview(challenger: Challenger, stage: str, force: bool) -> str:
    """Show what the gates say, and say what would become of it."""
    production = stages.number_at(challenger.tracking, challenger.name, PRODUCTION)
    gates = challenger.gates_against(production)
    show(gates)
    would = "would" if all_passed(gates) or force or stage != PRODUCTION else "would not"
    return f"version {challenger.version} {would} be put in {stage}; nothing was changed"


def describe_verdict(challenger: Challenger, stage: str, production: str | None) -> str:
    judged = challenger.judged(production)
    show(judged.gates)
    gates = "its gates pass" if judged.passed else "not all of its gates pass"
    return f"version {challenger.version} is in {stage} already; {gates}"


@click.command(help=__doc__, epilog=EXAMPLES)
@click.argument("version")
@click.option("--to", "stage", required=True, type=click.Choice(STAGES), help="The stage.")
@reason_option()
@click.option("--dry-run", is_flag=True, help="Show what the gates say; change nothing.")
@click.option("--force", is_flag=True, help="Let it pass all the same; needs a --reason.")
@path_option("--params", default="params.yaml")
def command(
    version: str, stage: str, reason: str, dry_run: bool, force: bool, params: Path
) -> None:
    if force and not reason:
        raise click.UsageError("--force needs a --reason, which the receipt and the ledger keep.")
    settings = load(params)
    with open_tracking(settings.name, create=False) as tracking:
        challenger = challenger_of(
            tracking, settings, find_version(tracking, settings.name, version)
        )
        store = LedgerStore(tracking, settings.name)
        if dry_run:
            print(preview(challenger, stage, force))
            return
        if reconcile(store, stage).version_in(stage) == challenger.version and not force:
            in_production = stages.number_at(tracking, settings.name, PRODUCTION)
            print(describe_verdict(challenger, stage, in_production))
            return
        entry = promote(store, challenger, stage, reason, force)
        now = stages.number_at(tracking, settings.name, stage)
        print(describe_move(entry, settings.name, now))
