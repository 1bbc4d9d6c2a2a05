from typing import NamedTuple

import pandas as pd
import pytest

from pipeline.search.grid import grid_candidates
from pipeline.training.summary import edge_sentences


class Found(NamedTuple):
    table: pd.DataFrame
    winner: object


def found(winner, C=(0.1, 1.0, 10.0), gamma=(0.01, 0.1, 1.0)):
    candidates = grid_candidates(pd.Series(C), pd.Series(gamma))
    table = pd.DataFrame(
        [{f"param_{k}": v for k, v in one._asdict().items()} for one in candidates]
    )
    return Found(table, next(one for one in candidates if one[:2] == winner))


def test_inside_the_grid_nothing_is_said():
    assert edge_sentences(found((1.0, 0.1))) == []


def test_each_edge_is_told_with_what_to_set():
    assert edge_sentences(found((10.0, 0.01))) == [
        "the winner has the highest C of the grid, 10: to look further, "
        "set grid_search.C to [0.1, 100] in params.yaml",
        "the winner has the lowest gamma of the grid, 0.01: to look further, "
        "set grid_search.gamma to [0.001, 1] in params.yaml",
    ]


@pytest.mark.parametrize("C", [(1.0, 1e4), (100.0, 5e3)])
def test_nobody_is_told_to_go_beyond_the_largest_c(C):
    assert edge_sentences(found((C[-1], 0.1), C)) == []
