import os
import time

import pytest

from pipeline.search.checkpoint import FORGOTTEN_S, Checkpoint
from pipeline.search.grid import grid, grid_candidates
from pipeline.search.strategy import Callbacks, Halving, exhaustive, halving
from pipeline.search.units import UnitScores
from tests.pipeline.search.conftest import run_with, unit

CANDIDATES = grid_candidates(grid(0.01, 100, 3), grid(0.001, 1, 3))


class Counted:
    """A runner that counts what it runs, and gives up after so many units."""

    def __init__(self, most=None):
        self.ran, self.most = [], most

    def __call__(self, problem, units):
        for done in run_with(1)(problem, units):
            if len(self.ran) == self.most:
                raise KeyboardInterrupt
            self.ran.append((len(problem.folds[done[0].fold][0]), done[0]))
            yield done


@pytest.fixture
def checkpoint(tmp_path):
    return Checkpoint(tmp_path / "search", "key")


def scores(results):
    return [result.scores for result in results]


@pytest.mark.parametrize("name", ["small", "three_classes"])
@pytest.mark.parametrize("most", [0, 1, 7])
def test_a_search_goes_on_where_it_was_and_ends_with_the_same_scores(
    request, name, checkpoint, most
):
    problem = request.getfixturevalue(name).problem(3)
    undisturbed = exhaustive(problem, CANDIDATES, run_with(), Callbacks())
    first, second = Counted(most), Counted()
    with pytest.raises(KeyboardInterrupt):
        exhaustive(problem, CANDIDATES, checkpoint.resumed(first), Callbacks())
    assert checkpoint.finished() == most
    again = exhaustive(problem, CANDIDATES, checkpoint.resumed(second), Callbacks())
    assert scores(again) == scores(undisturbed)
    assert len(second.ran) == 9 - most
    assert not {*first.ran} & {*second.ran}


def test_halving_goes_on_too_and_does_not_take_few_rows_for_many(small, checkpoint):
    problem = small.problem(3)
    options = (Halving(3, None, 1), "mean")
    undisturbed = Counted()
    expected = halving(problem, CANDIDATES, undisturbed, Callbacks(), *options)
    with pytest.raises(KeyboardInterrupt):
        halving(problem, CANDIDATES, checkpoint.resumed(Counted(11)), Callbacks(), *options)
    second = Counted()
    again = halving(problem, CANDIDATES, checkpoint.resumed(second), Callbacks(), *options)
    assert scores(again) == scores(expected)
    assert len(second.ran) == len(undisturbed.ran) - 11


def test_a_line_that_a_kill_cut_short_costs_that_unit_only(small, checkpoint):
    problem = small.problem(3)
    exhaustive(problem, CANDIDATES, checkpoint.resumed(run_with()), Callbacks())
    content = checkpoint.path.read_bytes()
    checkpoint.path.write_bytes(content[:-30])
    for left in (1, 0):
        again = Counted()
        exhaustive(problem, CANDIDATES, checkpoint.resumed(again), Callbacks())
        assert len(again.ran) == left


def test_a_unit_is_on_disk_before_anybody_hears_of_it(small, checkpoint):
    run = checkpoint.resumed(run_with(1))
    for number, _ in enumerate(run(small.problem(3), [unit(f, 0.1, 1.0) for f in range(3)]), 1):
        assert Checkpoint(checkpoint.path.parent, "key").finished() == number


def test_the_times_are_kept_with_the_scores(small, checkpoint):
    (before,) = checkpoint.resumed(run_with())(small.problem(3), [unit(0, 0.1, 1.0, 2.0)])
    (after,) = checkpoint.resumed(run_with())(small.problem(3), [unit(0, 0.1, 1.0, 2.0)])
    assert after == before
    assert isinstance(after[1], UnitScores)


def test_what_is_removed_is_forgotten_and_so_is_what_nobody_went_on_with(checkpoint):
    folder = checkpoint.path.parent
    folder.mkdir()
    for name, age in (("key", 0), ("old", FORGOTTEN_S + 60), ("new", 60)):
        (folder / f"{name}.jsonl").touch()
        os.utime(folder / f"{name}.jsonl", (time.time() - age,) * 2)
    checkpoint.remove()
    assert [path.name for path in folder.iterdir()] == ["new.jsonl"]
    checkpoint.remove()
