"""Show which version was in which stage, by whom and why.

It is read from the ledger that is kept with the registry. A stage that no command of this project
moved is shown as "changed outside".
"""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import msgspec

from pipeline.errors import PipelineError
from pipeline.files import json_text
from pipeline.options import path_option
from pipeline.params_file import load
from pipeline.promotion.transitions import STAGES
from pipeline.registry.ledger import AUTOMATIC, Entry, Ledger, summary
from pipeline.registry.ledger_store import LedgerStore
from pipeline.registry.stages import number_at
from pipeline.tracking.store import open_tracking
from serving.receipts.receipt import Gate

EXAMPLES = """\b
Examples:
  python -m pipeline history
  python -m pipeline history --stage production --gates
  python -m pipeline history --at 2026-03-01T12:00 --json
"""
OUTSIDE = "changed outside"


class Line(msgspec.Struct, frozen=True, omit_defaults=True):
    """One line of a history: an entry of the ledger, or what was found now and is not in it."""

    stage: str
    what: str
    source: str | None = msgspec.field(name="from", default=None)
    target: str | None = msgspec.field(name="to", default=None)
    time: datetime | None = None
    actor: str = ""
    command: str = ""
    experiment: str = ""
    reason: str = ""
    gates: tuple[Gate, ...] = ()
    number: int | None = None


class Standing(msgspec.Struct, frozen=True):
    """A stage's version at a time, since when and by which entry."""

    stage: str
    version: str | None
    since: datetime | None
    actor: str
    reason: str


class History(msgspec.Struct, frozen=True):
    """The whole answer; `faults` are what is wrong with the ledger."""

    model: str
    lines: tuple[Line, ...]
    faults: tuple[str, ...]


def history(ledger: Ledger, stages: dict[str, str | None]) -> tuple[Line, ...]:
    """Return the entries of these stages in their order, and what was changed outside since.

    `stages` are the versions that the registry's stages name.
    """
    lines = [_line(entry) for entry in ledger.entries if entry.stage in stages]
    for stage, version in stages.items():
        if ledger.was_changed_outside(stage, version):
            before = ledger.version_in(stage)
            lines.append(Line(stage, OUTSIDE, before, version, reason="found now"))
    return tuple(lines)


def stages_at(ledger: Ledger, stages: Sequence[str], moment: datetime) -> list[Standing]:
    found = []
    for stage in stages:
        entry = ledger.last_move(stage, until=moment)
        found.append(
            Standing(stage, entry.target, entry.time, entry.actor, entry.reason)
            if entry
            else Standing(stage, None, None, "", "")
        )
    return found


def _line(entry: Entry) -> Line:
    named = _cause(entry)
    what = {"moved": named, "refused": f"{named} refused", "outside": OUTSIDE}
    forced = " (forced)" if entry.forced else ""
    return Line(
        stage=entry.stage,
        what=what[entry.outcome] + forced,
        source=entry.source,
        target=entry.target,
        time=entry.time,
        actor="" if entry.outcome == "outside" else entry.actor,
        command=entry.command,
        experiment=entry.experiment or "",
        reason=entry.reason,
        gates=entry.gates,
        number=entry.number,
    )


def _cause(entry: Entry) -> str:
    """Name the command; entries from before experiments were told apart have `register`."""
    if entry.command != AUTOMATIC or entry.experiment is None:
        return entry.command
    return "experiment" if entry.experiment else "dvc repro"


def format_history(found: History, *, with_gates: bool) -> str:
    """Write a history for people: a line for each move, and what is wrong below."""
    if not found.lines:
        text = [f"no stage of {found.model} was ever moved"]
    else:
        text = [
            line
            for entry in found.lines
            for line in (_format_line(entry), *(_format_gates(entry) if with_gates else ()))
        ]
    return "\n".join([*text, *(f"the ledger is damaged: {fault}" for fault in found.faults)])


def _format_line(line: Line) -> str:
    when = f"{line.time:%Y-%m-%d %H:%M:%S}" if line.time else "now"
    move = f"{line.source or '-'} → {line.target or '-'}"
    rest = [line.actor, line.experiment, line.reason, summary(line.gates)]
    return (
        f"{when:<20}{line.stage:<12}{move:<10}{line.what:<18}{'; '.join(filter(None, rest))}"
    ).rstrip()


def _format_gates(line: Line) -> list[str]:
    return [f"    {gate}" for gate in line.gates]


def parse_time(text: str) -> datetime:
    """Read a date or a time as ISO 8601 has it; without a zone it is UTC."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise PipelineError(
            f"{text!r} is no time: write it as 2026-03-01 or 2026-03-01T12:00"
        ) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


@click.command(help=__doc__, epilog=EXAMPLES)
@click.option("--stage", help="Only this stage.  [default: all]")
@click.option("--at", "moment", metavar="TIME", help="Where the stages stood at this time (UTC).")
@click.option("--gates", is_flag=True, help="Every gate's figure and bound as well.")
@click.option("--json", "as_json", is_flag=True, help="Print it as JSON.")
@path_option("--params", default="params.yaml")
def command(
    stage: str | None, moment: str | None, gates: bool, as_json: bool, params: Path
) -> None:
    name = load(params).name
    at = None if moment is None else parse_time(moment)
    with open_tracking(name, create=False) as tracking:
        ledger = LedgerStore(tracking, name).read()
        stages = [stage] if stage else list(dict.fromkeys([*STAGES, *ledger.stages()]))
        now = {each: number_at(tracking, name, each) for each in stages}
    if at:
        found: Any = stages_at(ledger, stages, at)
        text = "\n".join(_format_stage(each) for each in found)
    else:
        found = History(name, history(ledger, now), ledger.faults)
        text = format_history(found, with_gates=gates)
    print(json_text(found) if as_json else f"{text}\n", end="")


def _format_stage(found: Standing) -> str:
    if found.version is None:
        return f"{found.stage:<12}no version"
    return (
        f"{found.stage:<12}version {found.version}, since {found.since:%Y-%m-%d %H:%M:%S} "
        f"by {found.actor}{f': {found.reason}' if found.reason else ''}"
    )
