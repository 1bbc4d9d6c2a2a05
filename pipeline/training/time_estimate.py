"""Estimate a search's time from a few units that are timed on some of its rows."""

from collections.abc import Callable, Sequence
from itertools import pairwise
from math import exp, log
from time import monotonic
from typing import NamedTuple

import numpy as np

from pipeline.search.problem import Problem
from pipeline.search.strategy import Runner
from pipeline.search.units import Candidate, Unit, to_units

FIRST_ROWS = 500
GROWTH = 2.0  # of the rows, from one round of timing to the next
# What is known of the growth of time with rows: kernels take their square, solvers up to the cube.
LOWEST_POWER, HIGHEST_POWER = 1.0, 3.0
SAMPLED_GAMMAS = 5


class Timed(NamedTuple):
    """Seconds of a unit of one gamma, trained on so many rows."""

    gamma: float
    rows: int
    seconds: float


class Estimate:
    """Seconds of a unit for any gamma and any number of training rows, by what was timed."""

    def __init__(self, timed: Sequence[Timed]) -> None:
        self.timed = list(timed)
        gammas = sorted({one.gamma for one in self.timed})
        self._curves = {gamma: _curve(self.timed, gamma) for gamma in gammas}

    def unit_s(self, gamma: float, rows: float) -> float:
        """Interpolate between the gammas that were timed, on logarithmic axes."""
        gammas = list(self._curves)
        values = [log(self._curves[known](rows)) for known in gammas]
        return exp(float(np.interp(log(gamma), [log(known) for known in gammas], values)))

    @property
    def largest(self) -> int:
        return max(one.rows for one in self.timed)


def estimate(
    problem: Problem,
    candidates: Sequence[Candidate],
    run: Runner,
    *,
    seconds: float,
    seed: int,
    wanted_rows: int,
) -> Estimate:
    """Time units of a few gammas on more and more rows, for about as long as `seconds`.

    `wanted_rows` are the training rows that the estimate is for; no more are timed.
    """
    timed: list[Timed] = []
    end = monotonic() + seconds
    shares = _shares(problem, wanted_rows)
    for share, next_share in pairwise([*shares, shares[-1]]):
        started = monotonic()
        smaller = problem.subsampled(int(share * len(problem.y)), seed) if share < 1 else problem
        if not smaller.has_every_class():
            continue
        units = _sampled(to_units(candidates, len(problem.folds), problem.hardest_gamma()))
        for unit, found in run(smaller, units):
            rows = len(smaller.folds[unit.fold][0])
            timed.append(Timed(unit.gamma, rows, sum(found.fit_s) + sum(found.score_s)))
        expected = (monotonic() - started) * (next_share / share) ** HIGHEST_POWER
        if monotonic() + expected > end and len({one.rows for one in timed}) > 1:
            break
    return Estimate(timed)


def _shares(problem: Problem, wanted_rows: int) -> list[float]:
    """Return growing shares of the rows, the last one that of the rows that are wanted, or all."""
    there = problem.shape.training
    last = min(1.0, wanted_rows / there)
    shares = [min(last / GROWTH, FIRST_ROWS / there)]
    while shares[-1] < last / GROWTH / 1.2:
        shares.append(shares[-1] * GROWTH)
    return [*shares, last]


def _sampled(units: Sequence[Unit]) -> list[Unit]:
    """Take units of a few gammas from end to end of the grid, each on another fold."""
    by_gamma: dict[float, list[Unit]] = {}
    for unit in units:
        by_gamma.setdefault(unit.gamma, []).append(unit)
    gammas = sorted(by_gamma)
    places = np.unique(np.linspace(0, len(gammas) - 1, SAMPLED_GAMMAS).round().astype(int))
    # The hardest ones come first in `units`, and weigh most.
    chosen = {units[0].gamma, *(gammas[place] for place in places)}
    order = [gamma for gamma in by_gamma if gamma in chosen]
    return [by_gamma[gamma][i % len(by_gamma[gamma])] for i, gamma in enumerate(order)]


def _curve(timed: Sequence[Timed], gamma: float) -> Callable[[float], float]:
    """Fit `seconds = a rowsᵖ` through the two largest sizes that a gamma was timed on."""
    points = sorted((one.rows, one.seconds) for one in timed if one.gamma == gamma)
    power = 2.0
    for (rows, seconds), (more_rows, more_seconds) in pairwise(points[-2:]):
        power = log(more_seconds / seconds) / log(more_rows / rows)
    power = min(HIGHEST_POWER, max(LOWEST_POWER, power))
    largest_rows, largest_seconds = points[-1]
    return lambda rows: float(largest_seconds * (rows / largest_rows) ** power)
