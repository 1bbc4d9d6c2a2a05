"""Widen a grid whose best candidate stands on its edge, where the next value promises more."""

from collections.abc import Sequence
from math import sqrt
from typing import Literal, NamedTuple

import numpy as np

from pipeline.search.grid import grid_candidates
from pipeline.search.selection import in_order
from pipeline.search.strategy import RankBy, Result
from pipeline.search.units import Candidate

MOST_STEPS = 3
LARGEST_C = 1e4  # beyond it the solver takes ever longer, and the model fits noise
SMALLEST_GAMMA = 1e-10  # below it kernels are 1 but for their rounding, which decides then

Axis = Literal["C", "gamma"]


class Edge(NamedTuple):
    """The side of the grid that a candidate stands on, and the next value on that side."""

    axis: Axis
    end: Literal["lowest", "highest"]
    value: float
    next_value: float

    @property
    def is_last(self) -> bool:
        """True if the next value is none to look at."""
        if self.axis == "C":
            return self.next_value > LARGEST_C
        return self.next_value < SMALLEST_GAMMA


class Step(NamedTuple):
    """Candidates to be added to a grid, and the edges where they would cost too much."""

    candidates: list[Candidate]
    too_long: list[Edge]


def edges_of(candidate: Candidate, candidates: Sequence[Candidate]) -> list[Edge]:
    """Return the edges of a grid that a candidate stands on; an axis of one value has none."""
    axes: tuple[Axis, ...] = ("C", "gamma")
    found = []
    for axis in axes:
        values = sorted({getattr(one, axis) for one in candidates})
        if len(values) < 2:
            continue
        value = getattr(candidate, axis)
        if value == values[0]:
            found.append(Edge(axis, "lowest", value, _next(values[0], values[1])))
        if value == values[-1]:
            found.append(Edge(axis, "highest", value, _next(values[-1], values[-2])))
    return found


def next_step(results: Sequence[Result], rank_by: RankBy) -> Step:
    """Return what to add where the best candidate beats its inner neighbour by more than chance.

    That is one standard error of their difference over the folds. The cost of a value is told by
    the solver's steps, not by a clock, so that every machine takes the same way.
    """
    best = in_order(results, rank_by)[0]
    candidates = [one.candidate for one in results]
    promising = [
        edge
        for edge in edges_of(best.candidate, candidates)
        if not edge.is_last and _is_ahead(best, _neighbour(best, edge, results))
    ]
    every = sum(one.steps for one in results)
    too_long = [edge for edge in promising if _expected_steps(edge, results) >= every]
    added = [edge for edge in promising if edge not in too_long]
    return Step(_added(candidates, added), too_long)


def _next(edge: float, inner: float) -> float:
    return float(f"{edge * edge / inner:.12g}")


def _neighbour(best: Result, edge: Edge, results: Sequence[Result]) -> Result:
    values = sorted({getattr(one.candidate, edge.axis) for one in results})
    inner = values[1] if edge.end == "lowest" else values[-2]
    wanted = best.candidate._replace(**{edge.axis: inner})
    return next(one for one in results if one.candidate == wanted)


def _is_ahead(best: Result, neighbour: Result) -> bool:
    difference = np.subtract(best.scores, neighbour.scores)
    error = float(difference.std(ddof=1)) / sqrt(len(difference))
    return float(difference.mean()) > error


def _expected_steps(edge: Edge, results: Sequence[Result]) -> float:
    """Return the solver's steps for the next value, as they grew from the last but one to it."""
    steps: dict[float, int] = {}
    for one in results:
        value = getattr(one.candidate, edge.axis)
        steps[value] = steps.get(value, 0) + one.steps
    values = sorted(steps, reverse=edge.end == "lowest")
    inner, outer = steps[values[-2]], steps[values[-1]]
    return outer * max(1.0, outer / max(1, inner))


def _added(candidates: Sequence[Candidate], edges: Sequence[Edge]) -> list[Candidate]:
    """Return the candidates of the wider grid that the grid does not have."""
    values = {axis: {getattr(one, axis) for one in candidates} for axis in ("C", "gamma")}
    for edge in edges:
        values[edge.axis].add(edge.next_value)
    weights = list(dict.fromkeys(one.class_weight for one in candidates))
    C, gamma = (np.array(sorted(values[axis])) for axis in ("C", "gamma"))
    known = {*candidates}
    return [one for one in grid_candidates(C, gamma, weights) if one not in known]
