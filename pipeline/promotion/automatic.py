"""Promotion by the gates at the end of `dvc repro`, where nothing that came later is undone."""

from dataclasses import dataclass, field
from typing import Any

from pipeline.params import Register
from pipeline.promotion.challenger import Challenger, Judged
from pipeline.promotion.precedence import Contender, why_not
from pipeline.promotion.transitions import (
    PRODUCTION,
    STAGES,
    move,
    moved_meanwhile,
    reconcile,
)
from pipeline.registry import stages
from pipeline.registry.ledger import AUTOMATIC, Entry, Ledger
from pipeline.registry.ledger_store import LedgerStore
from serving.receipts.receipt import Gate

GATE_FAILED = "a gate does not hold"


@dataclass(frozen=True)
class Placed:
    """A version's stages after its gates were judged, and what moved.

    `why_not` are the stages that it was kept out of, and why.
    """

    gates: tuple[Gate, ...]
    stages: list[str]
    moves: tuple[Entry, ...] = ()
    why_not: dict[str, str] = field(default_factory=dict)


def place(challenger: Challenger, contender: Contender, settings: Register) -> Placed:
    """Put the version in `staging`, and in `production`, where it may go there."""
    store = LedgerStore(challenger.tracking, challenger.name)
    production = reconcile(store, PRODUCTION).version_in(PRODUCTION)
    attempt = _Attempt(store, challenger, contender, settings, challenger.judged(production))
    reasons = {stage: why for stage in STAGES if (why := attempt.move(stage))}
    if production == challenger.version and not attempt.judged.passed:
        reasons[PRODUCTION] = f"{GATE_FAILED} (but still in production)"
    placed = [
        stage
        for stage in STAGES
        if stages.number_at(store.tracking, store.name, stage) == challenger.version
    ]
    return Placed(attempt.judged.gates, placed, tuple(attempt.moves), reasons)


@dataclass
class _Attempt:
    """An attempt on both stages: what the gates said last, and the moves that came of it."""

    store: LedgerStore
    challenger: Challenger
    contender: Contender
    settings: Register
    judged: Judged
    moves: list[Entry] = field(default_factory=list)

    def move(self, stage: str) -> str:
        """Move a stage to the version; return what keeps it out."""
        seen: list[Ledger] = []

        def decide(_: str | None) -> dict[str, Any]:
            # Here, since somebody may decide while the gates are judged: then this is asked again.
            ledger = self.store.read()
            if seen and (line := moved_meanwhile(seen[-1], ledger, stage)):
                print(line)
            seen.append(ledger)
            return self._decide(ledger, stage)

        if reconcile(self.store, stage).version_in(stage) == self.challenger.version:
            return ""
        try:
            self.moves.append(move(self.store, stage, decide))
        except _StoppedError as why:
            return str(why)
        return ""

    def _decide(self, ledger: Ledger, stage: str) -> dict[str, Any]:
        if reason := why_not(ledger, stage, self.contender, self.settings):
            raise _StoppedError(reason)
        self.judged = self.challenger.judged(ledger.version_in(PRODUCTION))
        if stage == PRODUCTION and not self.judged.passed:
            raise _StoppedError(GATE_FAILED)
        self.challenger.check_whole(stage)
        return self.challenger.entry(
            self.judged,
            command=AUTOMATIC,
            outcome="moved",
            experiment=self.contender.experiment,
        )


class _StoppedError(Exception):
    """A version stays out of a stage; an automatic promotion only reports why."""
