"""Promotion by the gates at the end of `dvc repro`."""

from dataclasses import dataclass
from typing import Any

from pipeline.promotion.challenger import Challenger, Judged
from pipeline.promotion.transitions import (
    AUTOMATIC,
    PRODUCTION,
    STAGES,
    STAGING,
    decided_by_hand,
    move,
    reconcile,
)
from pipeline.registry import stages
from pipeline.registry.ledger import Entry
from pipeline.registry.ledger_store import LedgerStore
from serving.receipts.receipt import Gate

SWITCHED_OFF = "not promoted: register.auto_promote is off in params.yaml"

GATE_FAILED = "not promoted: a gate does not hold"


@dataclass(frozen=True)
class Placed:
    """A version's stages after its gates were judged, and why it is not in production."""

    gates: tuple[Gate, ...]
    stages: list[str]
    why_not: str = ""


def place(challenger: Challenger, *, promote: bool) -> Placed:
    """Put the version in `staging`, and in `production` where it may go there."""
    store = LedgerStore(challenger.tracking, challenger.name)
    production = reconcile(store, PRODUCTION).version_in(PRODUCTION)
    judged = challenger.judged(production)
    if reconcile(store, STAGING).version_in(STAGING) != challenger.version:
        challenger.check_whole(STAGING)
        move(store, STAGING, lambda _: moved(challenger, judged))
    why_not = ""
    if production != challenger.version:
        judged, why_not = _promote(store, challenger) if promote else (judged, SWITCHED_OFF)
    elif not judged.passed:
        why_not = f"{GATE_FAILED} (but still in production)"
    placed = [
        stage
        for stage in STAGES
        if stages.number_at(store.tracking, store.name, stage) == challenger.version
    ]
    return Placed(judged.gates, placed, why_not)


def _promote(store: LedgerStore, challenger: Challenger) -> tuple[Judged, str]:
    """Move production to the version; return what its gates said, and what keeps it out."""
    found: list[Judged] = []

    def decide(source: str | None) -> dict[str, Any]:
        # Here, since somebody may decide while the gates are judged: then this is asked again.
        ledger = store.read()
        found.append(challenger.judged(source))
        by_hand = decided_by_hand(ledger, challenger.version, challenger.scorer.digest)
        if by_hand is not None:
            raise _StoppedError(_decided(by_hand, challenger.version))
        if not found[-1].passed:
            raise _StoppedError(GATE_FAILED)
        challenger.check_whole(PRODUCTION)
        return moved(challenger, found[-1])

    try:
        move(store, PRODUCTION, decide)
    except _StoppedError as why_not:
        return found[-1], str(why_not)
    return found[-1], ""


class _StoppedError(Exception):
    """A version stays out of production; an automatic promotion only reports why."""


def moved(challenger: Challenger, judged: Judged) -> dict[str, Any]:
    return challenger.entry(judged, command=AUTOMATIC, outcome="moved")


def _decided(entry: Entry, version: str) -> str:
    because = f" ({entry.reason})" if entry.reason else ""
    return (
        f"not promoted: {entry.actor} decided for version {entry.target} on {entry.time:%Y-%m-%d} "
        f"by `{entry.command}`{because}; `python -m pipeline promote {version} --to production` "
        "decides anew"
    )
