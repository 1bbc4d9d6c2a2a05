"""Units of work: one fold and one gamma, for all the C that share its kernel."""

from collections.abc import Iterable
from itertools import groupby
from math import log
from typing import NamedTuple


class Candidate(NamedTuple):
    C: float
    gamma: float


class Unit(NamedTuple):
    """A piece of work: candidates of one gamma, on one fold; `C` rises."""

    fold: int
    gamma: float
    C: tuple[float, ...]


class UnitScores(NamedTuple):
    """A unit's scores for each of its C: ROC AUC, and the seconds of fitting and scoring."""

    scores: tuple[float, ...]
    fit_s: tuple[float, ...]
    score_s: tuple[float, ...]


Done = tuple[Unit, UnitScores]


def to_units(candidates: Iterable[Candidate], n_folds: int, hardest_gamma: float) -> list[Unit]:
    """Cut candidates into units, those that take longest first.

    A kernel is hard for the solver where it is neither flat nor diagonal, which is about
    `hardest_gamma`; starting there keeps all cores busy to the end. The folds of a gamma follow
    each other, so that its candidates are complete, and seen, before the next gamma's.
    """
    by_gamma = sorted({*candidates}, key=lambda candidate: (candidate.gamma, candidate.C))
    rows = [
        (gamma, tuple(candidate.C for candidate in same))
        for gamma, same in groupby(by_gamma, key=lambda candidate: candidate.gamma)
    ]
    rows.sort(key=lambda row: abs(log(row[0] / hardest_gamma)))
    return [Unit(fold, gamma, C) for gamma, C in rows for fold in range(n_folds)]
