import numpy as np

from pipeline.search.grid import grid, grid_candidates
from pipeline.search.units import Candidate


def test_a_grid_is_logarithmic_and_reads_the_same_everywhere():
    values = grid(0.01, 1000, 6)
    np.testing.assert_allclose(values, [0.01, 0.1, 1, 10, 100, 1000])
    assert values.tolist() == [0.01, 0.1, 1, 10, 100, 1000]
    assert [float(f"{value:.12g}") for value in grid(0.003, 700, 17)] == grid(
        0.003, 700, 17
    ).tolist()
    assert grid(0.5, 9, 1).tolist() == [0.5]
    assert grid(2, 2, 2).tolist() == [2, 2]


def test_every_pair_is_a_candidate_once():
    pairs = grid_candidates(np.array([1.0, 2.0]), np.array([0.1, 0.1]))
    assert pairs == [Candidate(1.0, 0.1), Candidate(2.0, 0.1)]
