"""Moving a stage: decide, write it into the ledger, move the stage, read it back, mark it done.

Whatever kills a move on its way, the next one finds what is missing by the ledger: an entry
without its mark is carried out, and a stage that does not stand where the last entry says was
changed outside, which becomes an entry of its own. Of two moves at once the second to write finds
its number taken, and decides anew on what is there now.
"""

from collections.abc import Callable
from typing import Any

from pipeline.errors import PipelineError
from pipeline.registry import stages, versions
from pipeline.registry.ledger import Entry, Ledger
from pipeline.registry.ledger_store import LedgerStore, OvertakenError
from serving.model.version_files import ModelError

STAGING, PRODUCTION = "staging", "production"
STAGES = (STAGING, PRODUCTION)
ATTEMPTS = 20
FOUND = "found there; no command of this project moved it"
DELETED = "version {} is no longer in the registry"

# From the version that a stage names now to what the entry is to say.
Decide = Callable[[str | None], dict[str, Any]]


def move(store: LedgerStore, stage: str, decide: Decide) -> Entry:
    """Let `decide` say what happens to a stage, write it down, and do it.

    Gives the entry that was written. Raises PipelineError where others keep moving the stage.
    """
    for _ in range(ATTEMPTS):
        ledger = reconcile(store, stage)
        source = ledger.version_in(stage)
        try:
            what = decide(source)
            newest = versions.newest(store.tracking, store.name)
            entry = store.append(ledger, stage=stage, source=source, newest=newest, **what)
        except OvertakenError:
            continue
        if entry.outcome == "moved":
            complete_move(store, stage)
        return entry
    raise _contended(store, stage)


def reconcile(store: LedgerStore, stage: str) -> Ledger:
    """Make registry and ledger agree on a stage, and return the ledger.

    Carries out a move that was interrupted, and writes down one that was made outside.
    """
    for _ in range(ATTEMPTS):
        ledger = store.read()
        if ledger.unfinished(stage):
            complete_move(store, stage)
            continue
        actual = stages.number_at(store.tracking, store.name, stage)
        expected = ledger.version_in(stage)
        if actual == expected:
            return ledger
        try:
            store.append(
                ledger,
                command="",
                stage=stage,
                outcome="outside",
                source=expected,
                target=actual,
                reason=_why_outside(store, expected),
            )
        except OvertakenError:
            continue
    raise _contended(store, stage)


def complete_move(store: LedgerStore, stage: str) -> None:
    """Let the stage name what the last entry says, and mark as done what led there.

    It is read back afterwards, the ledger too: who was slower must not have the last word. Where
    the version was deleted meanwhile there is nothing to carry out: the stage stays where it is,
    which `reconcile` writes down.
    """
    for _ in range(ATTEMPTS):
        ledger = store.read()
        if not _set(store, stage, ledger.version_in(stage)):
            continue
        if store.read().last_move(stage) == ledger.last_move(stage):
            for entry in ledger.unfinished(stage):
                store.mark_done(entry)
            return
    raise _contended(store, stage)


def _why_outside(store: LedgerStore, expected: str | None) -> str:
    there = expected is None or expected in versions.numbers(store.tracking, store.name)
    return FOUND if there else DELETED.format(expected)


def _set(store: LedgerStore, stage: str, wanted: str | None) -> bool:
    """True if the stage is as wanted, or cannot be."""
    if stages.number_at(store.tracking, store.name, stage) == wanted:
        return True
    try:
        stages.set_stage(store.tracking, store.name, stage, wanted)
    except ModelError:
        return True
    return stages.number_at(store.tracking, store.name, stage) == wanted


def moved_meanwhile(before: Ledger, now: Ledger, stage: str) -> str:
    """Return whose move of a stage came between two readings of the ledger, empty if none did."""
    last = now.last_move(stage)
    if last is None or last == before.last_move(stage):
        return ""
    whose = f"{last.actor} by `{last.command}`" if last.command else "outside this tool"
    return f"{last}, moved meanwhile ({whose}): the gates are judged anew"


def _contended(store: LedgerStore, stage: str) -> PipelineError:
    return PipelineError(
        f"the stage {stage} of {store.name} does not stand still: others move it at the same time; "
        "try again, and see `python -m pipeline history`"
    )
