import numpy as np
import pytest

from pipeline.search.grid import grid, grid_candidates
from pipeline.search.units import UnitScores
from pipeline.training.time_estimate import Estimate, Timed, estimate
from tests.pipeline.search.conftest import Searched, features

CANDIDATES = grid_candidates(grid(0.1, 10, 2), grid(0.0001, 10, 11))


def law(gamma, rows):
    """Seconds that grow with the square of the rows, and are most at a gamma of 0.1."""
    return 1e-8 * rows**2 / (1 + abs(np.log10(gamma) + 1))


@pytest.fixture
def table():
    y = np.tile([0, 1], 10_000).astype(np.int64)
    return Searched(np.random.default_rng(0).normal(size=(20_000, 5)), y, features(5))


class Clock:
    """A runner whose units take as long as the law says; nobody waits for them."""

    def __init__(self, monkeypatch):
        self.now, self.rows = 0.0, []
        monkeypatch.setattr("pipeline.training.time_estimate.monotonic", lambda: self.now)

    def __call__(self, problem, units):
        for unit in units:
            rows = len(problem.folds[unit.fold][0])
            self.rows.append(rows)
            seconds = law(unit.gamma, rows)
            self.now += seconds
            yield unit, UnitScores((0.5, 0.5), (seconds / 2, seconds / 2), (0.0, 0.0), (1, 1))


@pytest.mark.parametrize("seconds", [0.1, 1.0, 1e9])
def test_a_law_is_found_from_as_few_rows_as_time_allows(table, monkeypatch, seconds):
    clock = Clock(monkeypatch)
    found = estimate(
        table.problem(), CANDIDATES, clock, seconds=seconds, seed=0, wanted_rows=16_000
    )
    for gamma in (0.0001, 0.01, 0.1, 10.0):
        assert found.unit_s(gamma, 16_000) == pytest.approx(law(gamma, 16_000), rel=0.2)
    # Two sizes are timed in any case; the next one would take eight times as long at the most.
    assert clock.now < 8 * seconds
    assert found.largest == (16_000 if seconds == 1e9 else found.largest)
    assert len({*clock.rows}) >= 2


def test_no_more_rows_are_timed_than_are_wanted(table, monkeypatch):
    clock = Clock(monkeypatch)
    estimate(table.problem(), CANDIDATES, clock, seconds=1e9, seed=0, wanted_rows=3000)
    assert max(clock.rows) == pytest.approx(3000, abs=2)


def test_a_few_gammas_from_end_to_end_and_the_hardest_are_timed(table, monkeypatch):
    found = estimate(
        table.problem(), CANDIDATES, Clock(monkeypatch), seconds=1, seed=0, wanted_rows=16_000
    )
    gammas = sorted({one.gamma for one in found.timed})
    assert 5 <= len(gammas) <= 6
    assert (gammas[0], gammas[-1]) == (0.0001, 10.0)
    assert any(0.05 < gamma < 0.2 for gamma in gammas)


def test_between_two_gammas_it_goes_straight_on_logarithmic_axes():
    timed = [Timed(g, rows, 2.0 * rows * g) for g in (0.01, 1.0) for rows in (100, 200)]
    assert Estimate(timed).unit_s(0.1, 400) == pytest.approx(2.0 * 400 * 0.1)


@pytest.mark.parametrize(("seconds", "expected"), [((1.0, 1.1), 2.2), ((1.0, 100.0), 800.0)])
def test_the_growth_is_held_to_what_is_known_of_it(seconds, expected):
    timed = [Timed(0.1, rows, s) for rows, s in zip((100, 200), seconds, strict=True)]
    assert Estimate(timed).unit_s(0.1, 400) == pytest.approx(expected)


def test_one_size_alone_is_taken_to_grow_with_the_square():
    assert Estimate([Timed(0.1, 100, 1.0)]).unit_s(0.1, 200) == pytest.approx(4.0)
