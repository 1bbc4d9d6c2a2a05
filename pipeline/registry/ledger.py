"""The ledger: who moved which stage from where to where, when, why, and by which gates.

Entries are numbered without a gap, and each names the digest of the one before, so that one that
was changed or taken out is found. A move is written down before the stage is moved, and marked as
done afterwards: one without its mark was interrupted.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Literal

import msgspec

from serving.receipts.receipt import Gate

ENTRY = "entry."  # before the number, in the store
DONE = "done."
DIGITS = 6

Outcome = Literal["moved", "refused", "outside"]

# The commands that move a stage: by itself at each run of the pipeline, and by a person's wish.
AUTOMATIC, ROLLBACK = "register", "rollback"


class Entry(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that happened to a stage.

    `outcome` is "moved", "refused" by a gate, or "outside" for a move that no command of ours
    made, found afterwards. `source` and `target` are versions, None for a stage that names none.
    `digest` is the target's model's, `receipt` that of its receipt, which `signature` is of.
    `experiment` is the name of the DVC experiment that moved the stage, "" for `dvc repro` and
    None where it was not written down; `newest` is the newest version there was, 0 likewise.
    """

    number: int
    time: datetime
    actor: str
    command: str
    stage: str
    outcome: Outcome
    source: str | None = msgspec.field(name="from")
    target: str | None = msgspec.field(name="to")
    digest: str = ""
    reason: str = ""
    forced: bool = False
    gates: tuple[Gate, ...] = ()
    receipt: str = ""
    signature: str = ""
    previous: str = ""
    experiment: str | None = None
    newest: int = 0

    def __str__(self) -> str:
        return f"{self.stage}: {self.source or '-'} → {self.target or '-'}"

    def to_text(self) -> str:
        return msgspec.json.encode(self).decode()


@dataclass(frozen=True)
class Ledger:
    """All entries in their order, those that were marked as done, and what is wrong with them.

    `last` is the highest number that is taken, and `head` the digest of what stands there.
    """

    entries: tuple[Entry, ...] = ()
    done: frozenset[int] = frozenset()
    faults: tuple[str, ...] = ()
    last: int = 0
    head: str = ""

    @classmethod
    def parse(cls, stored: Mapping[str, str]) -> "Ledger":
        """Read what a store keeps; what does not parse or follow is a fault, and is left out."""
        texts = _numbered(stored, ENTRY)
        entries, faults, last, head = [], [], 0, ""
        for number, text in sorted(texts.items()):
            try:
                entry = msgspec.json.decode(text, type=Entry)
            except msgspec.DecodeError:
                faults.append(f"entry {number} does not parse")
            else:
                entries.append(entry)
                if (entry.number, entry.previous) != (number, head):
                    faults.append(f"entry {number} does not follow from entry {last}")
            if number != last + 1:
                faults.append(f"entry {last + 1} is missing")
            last, head = number, digest(text)
        done = frozenset(_numbered(stored, DONE))
        return cls(tuple(entries), done, tuple(faults), last, head)

    def last_move(self, stage: str, until: datetime | None = None) -> Entry | None:
        """Return the entry that says where a stage stands, or stood at a time."""
        for entry in reversed(self.entries):
            early = until is None or entry.time <= until
            if entry.stage == stage and entry.outcome != "refused" and early:
                return entry
        return None

    def version_in(self, stage: str) -> str | None:
        """Return the version that a stage names by the ledger."""
        last = self.last_move(stage)
        return last.target if last else None

    def unfinished(self, stage: str) -> list[Entry]:
        """Return the moves that are in the ledger and were perhaps never made."""
        return [
            entry
            for entry in self.entries
            if entry.stage == stage and entry.outcome == "moved" and entry.number not in self.done
        ]

    def was_changed_outside(self, stage: str, actual: str | None) -> bool:
        """True if a stage's actual version is not the last entry's, and no move was interrupted."""
        return actual != self.version_in(stage) and not self.unfinished(stage)

    def stages(self) -> list[str]:
        return list(dict.fromkeys(entry.stage for entry in self.entries))

    def predecessor(self, stage: str, version: str) -> str | None:
        """Return the version whose place in a stage this one took by its gates or from outside."""
        moves = [e for e in self.entries if e.stage == stage and e.outcome != "refused"]
        while moves and (moves[-1].target != version or moves[-1].command == ROLLBACK):
            moves.pop()
        earlier = [e.target for e in moves if e.target not in (None, version)]
        return earlier[-1] if earlier else None

    def passed(self, stage: str, version: str) -> Entry | None:
        """Return the last entry by which a version came into a stage with all its gates passed."""
        for entry in reversed(self.entries):
            came = (entry.stage, entry.target, entry.outcome) == (stage, version, "moved")
            if came and entry.receipt and all(gate.passed for gate in entry.gates):
                return entry
        return None

    def arrival(self, stage: str, version: str) -> Entry | None:
        """Return the last entry by which a command put a version into a stage."""
        for entry in reversed(self.entries):
            if (entry.stage, entry.target, entry.outcome) == (stage, version, "moved"):
                return entry
        return None

    def rolled_back(self, stage: str) -> dict[str, Entry]:
        """Return the versions that were rolled back from and not put back since, by what entry."""
        left: dict[str, Entry] = {}
        for entry in self.entries:
            if entry.stage != stage or entry.outcome != "moved":
                continue
            if entry.command == ROLLBACK and entry.source:
                left[entry.source] = entry
            left.pop(str(entry.target), None)
        return left

    def past_versions(self, stage: str) -> list[str]:
        """Return the versions that a stage named, the latest first, each once."""
        moves = [e.target for e in self.entries if e.stage == stage and e.outcome != "refused"]
        return list(dict.fromkeys(version for version in reversed(moves) if version))


def _numbered(stored: Mapping[str, str], prefix: str) -> dict[int, str]:
    return {
        int(key.removeprefix(prefix)): text
        for key, text in stored.items()
        if key.startswith(prefix) and key.removeprefix(prefix).isdigit()
    }


def digest(text: str) -> str:
    return sha256(text.encode()).hexdigest()


def key(prefix: str, number: int) -> str:
    return f"{prefix}{number:0{DIGITS}d}"


def summary(gates: Iterable[Gate]) -> str:
    """Format the gates' verdict in a few words."""
    every = list(gates)
    failed = [gate.gate for gate in every if not gate.passed]
    if not every:
        return ""
    return f"failed: {', '.join(failed)}" if failed else f"all {len(every)} gates passed"
