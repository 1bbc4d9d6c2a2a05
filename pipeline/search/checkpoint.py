"""Finished units on disk, so that a search that was killed goes on where it was."""

import time
from collections.abc import Iterator, Sequence
from pathlib import Path

import msgspec

from pipeline.search.problem import Problem
from pipeline.search.strategy import Runner
from pipeline.search.units import ClassWeight, Done, Unit, UnitScores

FORGOTTEN_S = 30 * 24 * 3600  # a search that nobody went on with for so long


class Line(msgspec.Struct, frozen=True):
    """A finished unit and what it came to; `rows` are those that its fold was trained on."""

    rows: int
    fold: int
    gamma: float
    # Not `Penalty`: what msgspec would keep at that class could not be sent to a cluster.
    penalties: tuple[tuple[float, ClassWeight], ...]
    keep_decisions: bool
    scores: tuple[float, ...]
    fit_s: tuple[float, ...]
    score_s: tuple[float, ...]
    steps: tuple[int, ...]
    decisions: tuple[bytes, ...]

    @classmethod
    def of(cls, rows: int, unit: Unit, found: UnitScores) -> "Line":
        fold, gamma, penalties, keep_decisions = unit.plain()
        return cls(rows, fold, gamma, penalties, keep_decisions, *found)

    @property
    def unit(self) -> tuple[int, Unit]:
        return self.rows, Unit.of((self.fold, self.gamma, self.penalties, self.keep_decisions))

    @property
    def found(self) -> UnitScores:
        return UnitScores(self.scores, self.fit_s, self.score_s, self.steps, self.decisions)


class Checkpoint:
    """A file to which each finished unit is appended as a line of JSON.

    `folder` is shared by all searches, `key` names what this one's scores are a function of.
    """

    def __init__(self, folder: Path, key: str) -> None:
        self.path = folder / f"{key}.jsonl"

    def resumed(self, run: Runner) -> Runner:
        """Return a runner that takes finished units from the file and adds those that it runs."""

        def go_on(problem: Problem, units: Sequence[Unit]) -> Iterator[Done]:
            known = {line.unit: line.found for line in self._read()}
            named = {(len(problem.folds[unit.fold][0]), unit): unit for unit in units}
            for name in named.keys() & known.keys():
                yield named.pop(name), known[name]
            if not named:
                return
            self.path.parent.mkdir(parents=True, exist_ok=True)
            rows = {unit: name[0] for name, unit in named.items()}
            with self.path.open("ab", buffering=0) as file:
                # A line that a kill cut short must not swallow the next one.
                file.write(b"\n")
                for unit, found in run(problem, list(rows)):
                    file.write(msgspec.json.encode(Line.of(rows[unit], unit, found)) + b"\n")
                    yield unit, found

        return go_on

    def finished(self) -> int:
        """Count the units that are there already."""
        return len({line.unit for line in self._read()})

    def remove(self) -> None:
        """Forget the search, and those that nobody went on with."""
        self.path.unlink(missing_ok=True)
        for other in self.path.parent.glob("*.jsonl"):
            if other.stat().st_mtime < time.time() - FORGOTTEN_S:
                other.unlink(missing_ok=True)

    def _read(self) -> Iterator[Line]:
        try:
            lines = self.path.read_bytes().splitlines()
        except FileNotFoundError:
            return
        for line in lines:
            try:
                yield msgspec.json.decode(line, type=Line)
            except msgspec.DecodeError:  # cut short by a kill
                continue
