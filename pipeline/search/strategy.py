"""Which candidates are scored on how many rows: all of them on all, or halving."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from math import ceil, floor, log
from typing import Literal, NamedTuple

import numpy as np

from pipeline.search.grid import statistics
from pipeline.search.problem import Problem
from pipeline.search.units import Candidate, Done, Unit, UnitScores, to_units

RankBy = Literal["median", "mean"]

FEWEST_PER_SPLIT = 2  # rows of each class, scikit-learn's rule for the first iteration

Runner = Callable[[Problem, Sequence[Unit]], Iterator[Done]]


class Result(NamedTuple):
    """A candidate's scores on the folds, with the seconds that fitting and scoring took in all.

    `extra` says of halving in which iteration, and on how many rows it was scored. `decisions` are,
    of a finalist, the standardised decision values of each fold's scored rows. `steps` are those
    of the solver.
    """

    candidate: Candidate
    scores: tuple[float, ...]
    fit_s: float
    score_s: float
    extra: dict[str, int]
    decisions: tuple[bytes, ...] = ()
    steps: int = 0

    def score(self, rank_by: RankBy) -> float:
        """Return the mean or median of the scores.

        Rounded, since sums in another order differ in the last bits, which must not decide.
        """
        return round(statistics(self.scores)[f"{rank_by}_test_score"], 12)


@dataclass(frozen=True)
class Callbacks:
    """Callbacks: `scored` runs for every result, `settled` once no later one replaces it."""

    scored: Callable[[Result], object] = lambda _: None
    settled: Callable[[Result], object] = lambda _: None


def exhaustive(
    problem: Problem, candidates: Sequence[Candidate], run: Runner, watch: Callbacks
) -> list[Result]:
    """Score every candidate on all rows, as `GridSearchCV` does."""

    def both(result: Result) -> None:
        watch.scored(result)
        watch.settled(result)

    return _score(problem, candidates, run, both, {})


def cross_validated(
    problem: Problem,
    finalists: Sequence[Result],
    run: Runner,
    scored: Callable[[Result], object],
) -> list[Result]:
    """Score finalists on the folds of `problem`, and keep their decision values.

    After halving it is one more iteration, on all rows.
    """
    extra = finalists[0].extra
    if extra:
        extra = {"iter": extra["iter"] + 1, "n_resources": len(problem.y)}
    candidates = [result.candidate for result in finalists]
    return _score(problem, candidates, run, scored, extra, keep_decisions=True)


class Iteration(NamedTuple):
    number: int
    rows: int
    candidates: int
    problem: Problem


class Halving(NamedTuple):
    """Halving: one candidate in `factor` goes on; the first iteration has `min_rows` rows.

    Without `min_rows` there are as few as it takes for the last iteration to use all rows.
    """

    factor: int
    min_rows: int | None
    seed: int


def schedule(problem: Problem, n_candidates: int, how: Halving) -> list[Iteration]:
    """Plan successive halving as `HalvingGridSearchCV` does.

    Each iteration scores one in `factor` of the candidates on `factor` times the rows. An iteration
    so small that a fold would lack a class is left out.
    """
    rows = len(problem.y)
    iterations: list[Iteration] = []
    planned = resources(rows, n_candidates, len(problem.folds), problem.n_classes, how)
    for number, drawn in enumerate(planned):
        smaller = problem.subsampled(drawn, how.seed)
        if smaller.has_every_class():
            iterations.append(Iteration(number, drawn, n_candidates, smaller))
            n_candidates = ceil(n_candidates / how.factor)
    return iterations or [Iteration(0, rows, n_candidates, problem)]


def resources(
    rows: int, n_candidates: int, n_folds: int, n_classes: int, how: Halving
) -> list[int]:
    """Return the rows of each iteration of halving, of so many rows in all."""
    factor = how.factor
    smallest = n_folds * FEWEST_PER_SPLIT * n_classes
    required = 1 + _whole_log(n_candidates, factor)
    exhausting = max(smallest, rows // factor ** (required - 1))
    first = min(rows, how.min_rows or exhausting)
    possible = 1 + _whole_log(rows // first, factor)
    return [min(first * factor**number, rows) for number in range(min(required, possible))]


def halving(
    problem: Problem,
    candidates: Sequence[Candidate],
    run: Runner,
    watch: Callbacks,
    how: Halving,
    rank_by: RankBy,
) -> list[Result]:
    """Score all candidates on few rows, the best of them on more, until few are left.

    Gives the last result of each candidate. Of equals the smoother model goes on.
    """
    found: dict[Candidate, Result] = {}
    remaining = list(candidates)
    iterations = schedule(problem, len(candidates), how)
    for iteration in iterations:
        extra = {"iter": iteration.number, "n_resources": iteration.rows}
        results = _score(iteration.problem, remaining, run, watch.scored, extra)
        found |= {result.candidate: result for result in results}
        results.sort(key=lambda result: (-result.score(rank_by), *result.candidate.simplicity))
        last = iteration is iterations[-1]
        kept = 0 if last else ceil(len(results) / how.factor)
        for result in results[kept:]:
            watch.settled(result)
        remaining = [result.candidate for result in results[:kept]]
    return [found[candidate] for candidate in candidates]


def _whole_log(value: int, base: int) -> int:
    """Return the whole part of a logarithm: how often `value` can be divided by `base`."""
    return floor(log(value, base) + 1e-9)


@dataclass
class _Collected:
    """A candidate's scores so far, fold by fold."""

    scores: dict[int, float] = field(default_factory=dict)
    decisions: dict[int, bytes] = field(default_factory=dict)
    fit_s: float = 0.0
    score_s: float = 0.0
    steps: int = 0

    def add(self, fold: int, found: UnitScores, place: int) -> None:
        """Take what a unit found for its penalty at that place."""
        self.scores[fold] = found.scores[place]
        self.fit_s += found.fit_s[place]
        self.score_s += found.score_s[place]
        self.steps += found.steps[place]
        if found.decisions:
            self.decisions[fold] = found.decisions[place]

    def result(self, candidate: Candidate, folds: Sequence[int], extra: dict[str, int]) -> Result:
        scores = tuple(self.scores[fold] for fold in folds)
        decisions = tuple(self.decisions[fold] for fold in folds if self.decisions)
        return Result(candidate, scores, self.fit_s, self.score_s, extra, decisions, self.steps)


def _score(
    problem: Problem,
    candidates: Sequence[Candidate],
    run: Runner,
    scored: Callable[[Result], object],
    extra: dict[str, int],
    *,
    keep_decisions: bool = False,
) -> list[Result]:
    """Run the units of the candidates; yield and report each result when its last fold is in."""
    folds = range(len(problem.folds))
    collected = {candidate: _Collected() for candidate in candidates}
    results: dict[Candidate, Result] = {}
    units = to_units(candidates, len(folds), problem.hardest_gamma(), keep_decisions=keep_decisions)
    for unit, found in run(problem, units):
        for place, penalty in enumerate(unit.penalties):
            candidate = Candidate(penalty.C, unit.gamma, penalty.class_weight)
            so_far = collected[candidate]
            so_far.add(unit.fold, found, place)
            if len(so_far.scores) == len(folds):
                results[candidate] = so_far.result(candidate, folds, extra)
                scored(results[candidate])
    return [results[candidate] for candidate in candidates]


def scores_of(results: Sequence[Result]) -> np.ndarray[tuple[int, int], np.dtype[np.float64]]:
    return np.array([result.scores for result in results])
