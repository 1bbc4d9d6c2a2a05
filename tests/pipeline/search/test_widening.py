import pytest

from pipeline.search.strategy import Result
from pipeline.search.units import Candidate
from pipeline.search.widening import Edge, edges_of, next_step

GRID = [Candidate(C, gamma) for C in (1.0, 10.0, 100.0) for gamma in (0.1, 1.0)]


def results(scores, steps=None, default=(0.5, 0.5)):
    """Give results of the grid; `scores` and `steps` are of (C, gamma)."""
    return [
        Result(
            one, scores.get(one[:2], default), 0.1, 0.1, {}, steps=(steps or {}).get(one[:2], 10)
        )
        for one in GRID
    ]


def test_an_edge_has_the_next_value_of_its_axis():
    assert edges_of(Candidate(100.0, 0.1), GRID) == [
        Edge("C", "highest", 100.0, 1000.0),
        Edge("gamma", "lowest", 0.1, 0.01),
    ]
    assert edges_of(Candidate(10.0, 1.0), GRID) == [Edge("gamma", "highest", 1.0, 10.0)]
    assert edges_of(Candidate(1.0, 0.1), [Candidate(1.0, 0.1)]) == []


@pytest.mark.parametrize(
    ("inner", "is_ahead"),
    [((0.70, 0.70), True), ((0.70, 0.79), True), ((0.60, 0.99), False)],
)
def test_a_value_is_added_where_the_edge_beats_its_neighbour_by_an_error(inner, is_ahead):
    step = next_step(results({(100.0, 0.1): (0.8, 0.8), (10.0, 0.1): inner}), "mean")
    added = {one.C for one in step.candidates}
    assert (1000.0 in added) == is_ahead


def test_every_candidate_of_the_new_value_is_added_and_none_twice():
    step = next_step(results({(100.0, 0.1): (0.8, 0.8)}), "mean")
    wider = {(C, gamma) for C in (1.0, 10.0, 100.0, 1000.0) for gamma in (0.01, 0.1, 1.0)}
    assert {one[:2] for one in step.candidates} == wider - {one[:2] for one in GRID}
    assert len(step.candidates) == 6


def test_inside_the_grid_nothing_is_added():
    inside = [Candidate(C, gamma) for C in (1.0, 10.0, 100.0) for gamma in (0.1, 1.0, 10.0)]
    scored = [
        Result(one, (0.9, 0.9) if one[:2] == (10.0, 1.0) else (0.5, 0.5), 0, 0, {}, steps=10)
        for one in inside
    ]
    assert next_step(scored, "mean") == ([], [])


def test_c_does_not_go_beyond_its_largest():
    grid = [Candidate(C, gamma) for C in (100.0, 1e4) for gamma in (0.1, 1.0)]
    scored = [
        Result(one, (0.9, 0.9) if one.C == 1e4 else (0.5, 0.5), 0, 0, {}, steps=10) for one in grid
    ]
    assert {one.C for one in next_step(scored, "mean").candidates} <= {100.0, 1e4}


def test_a_value_that_would_double_the_solvers_steps_is_not_added():
    steps = {(100.0, 0.1): 500, (100.0, 1.0): 500, (10.0, 0.1): 100, (10.0, 1.0): 100}
    scores = {(100.0, 1.0): (0.8, 0.8), (100.0, 0.1): (0.8, 0.8)}
    step = next_step(results(scores, steps), "mean")
    assert [edge.axis for edge in step.too_long] == ["C"]
    assert not any(one.C == 1000.0 for one in step.candidates)


def test_gamma_does_not_go_below_its_smallest():
    grid = [Candidate(C, gamma) for C in (1.0, 10.0) for gamma in (1e-9, 1.0)]
    scored = [
        Result(one, (0.9, 0.9) if one.gamma == 1e-9 else (0.5, 0.5), 0, 0, {}, steps=10)
        for one in grid
    ]
    assert {one.gamma for one in next_step(scored, "mean").candidates} <= {1e-9, 1.0}
