"""Units of work: one fold and one gamma, for all the penalties that share its kernel."""

from collections.abc import Iterable
from itertools import groupby
from math import log
from typing import Literal, NamedTuple

ClassWeight = Literal["none", "balanced"]


class Candidate(NamedTuple):
    """A point of the grid; `balanced` weighs both classes of the training rows alike."""

    C: float
    gamma: float
    class_weight: ClassWeight = "none"

    @property
    def simplicity(self) -> tuple[float, float, bool]:
        """Order candidates that score alike: the smoother model first, then the unweighted one."""
        return self.C, self.gamma, self.class_weight != "none"


class Penalty(NamedTuple):
    """The price of a margin error: C, for each class times its weight."""

    C: float
    class_weight: ClassWeight = "none"


PlainUnit = tuple[int, float, tuple[tuple[float, ClassWeight], ...], bool]


class Unit(NamedTuple):
    """A piece of work: candidates of one gamma, on one fold; C rises within each class weight.

    With `keep_decisions` the decision values of the scored rows are kept.
    """

    fold: int
    gamma: float
    penalties: tuple[Penalty, ...]
    keep_decisions: bool = False

    def plain(self) -> PlainUnit:
        """Return it as a tuple of tuples, which needs none of our code to be unpickled."""
        penalties = tuple((penalty.C, penalty.class_weight) for penalty in self.penalties)
        return self.fold, self.gamma, penalties, self.keep_decisions

    @classmethod
    def of(cls, plain: PlainUnit) -> "Unit":
        fold, gamma, penalties, keep_decisions = plain
        return cls(fold, gamma, tuple(Penalty(*penalty) for penalty in penalties), keep_decisions)


class UnitScores(NamedTuple):
    """A unit's scores for each of its penalties, with the seconds of fitting and scoring.

    `steps` are the solver's, which tell the cost without a clock; 1 each for the approximation.

    `decisions` are the standardised decision values of the scored rows, as the bytes of doubles.
    """

    scores: tuple[float, ...]
    fit_s: tuple[float, ...]
    score_s: tuple[float, ...]
    steps: tuple[int, ...]
    decisions: tuple[bytes, ...] = ()


Done = tuple[Unit, UnitScores]


def to_units(
    candidates: Iterable[Candidate],
    n_folds: int,
    hardest_gamma: float,
    *,
    keep_decisions: bool = False,
) -> list[Unit]:
    """Cut candidates into units, those that take longest first.

    A kernel is hard for the solver where it is neither flat nor diagonal, which is about
    `hardest_gamma`; starting there keeps all cores busy to the end. The folds of a gamma follow
    each other, so that its candidates are complete, and seen, before the next gamma's.
    """
    by_gamma = sorted({*candidates}, key=lambda one: (one.gamma, one.class_weight != "none", one.C))
    rows = [
        (gamma, tuple(Penalty(one.C, one.class_weight) for one in same))
        for gamma, same in groupby(by_gamma, key=lambda candidate: candidate.gamma)
    ]
    rows.sort(key=lambda row: abs(log(row[0] / hardest_gamma)))
    return [
        Unit(fold, gamma, penalties, keep_decisions)
        for gamma, penalties in rows
        for fold in range(n_folds)
    ]
