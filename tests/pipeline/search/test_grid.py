import numpy as np
import pandas as pd
import pytest

from pipeline.search.grid import grid, grid_candidates, results_table
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


def table_of(C, gamma, scores, rank_by, **extra):
    """Tabulate scores `[C, gamma, fold]`."""
    flat = scores.reshape(-1, scores.shape[2])
    return results_table(grid_candidates(C, gamma), flat, rank_by, extra)


# [C, gamma, fold]: the second C has the best median, the first the best mean.
SCORES = np.array([[[0.7, 0.7, 1.0], [0.5, 0.6, 0.7]], [[0.1, 0.8, 0.9], [0.5, 0.6, 0.7]]])
AXES = np.array([1.0, 10.0]), np.array([0.1, 1.0])


@pytest.mark.parametrize(("rank_by", "winner"), [("median", (10, 0.1)), ("mean", (1, 0.1))])
def test_the_first_row_wins_by_the_statistic_asked_for(rank_by, winner):
    table = table_of(*AXES, SCORES, rank_by)
    assert tuple(table.loc[0, ["param_C", "param_gamma"]]) == winner
    statistic = table[f"{rank_by}_test_score"]
    assert statistic.is_monotonic_decreasing
    assert statistic.iloc[0] == statistic.max()


def test_the_columns_are_those_of_cv_results():
    table = table_of(*AXES, SCORES, "median")
    assert list(table.columns) == [
        "param_C",
        "param_gamma",
        "split0_test_score",
        "split1_test_score",
        "split2_test_score",
        "mean_test_score",
        "median_test_score",
        "std_test_score",
        "rank_test_score",
    ]
    row = table[(table["param_C"] == 10) & (table["param_gamma"] == 0.1)].iloc[0]
    assert row[["split0_test_score", "split1_test_score", "split2_test_score"]].tolist() == [
        0.1,
        0.8,
        0.9,
    ]
    assert row["mean_test_score"] == pytest.approx(0.6)
    assert row["median_test_score"] == 0.8
    assert row["std_test_score"] == pytest.approx(np.std([0.1, 0.8, 0.9]))


def test_equals_share_a_rank_and_the_smoother_model_is_first():
    scores = np.full((2, 2, 3), 0.5)
    scores[1, 1] = 0.4
    table = table_of(*AXES, scores, "median")
    assert table["rank_test_score"].tolist() == [1, 1, 1, 4]
    assert table[["param_C", "param_gamma"]].to_numpy().tolist() == [
        [1, 0.1],
        [1, 1],
        [10, 0.1],
        [10, 1],
    ]


def test_the_last_bits_do_not_decide_between_equals():
    scores = np.full((2, 2, 3), 0.8)
    scores[1, 1] += 3e-16
    table = table_of(*AXES, scores, "mean")
    assert table["rank_test_score"].tolist() == [1, 1, 1, 1]
    assert table.loc[0, "param_C"] == 1


def test_the_ranks_are_those_of_cv_results():
    rng = np.random.default_rng(0)
    scores = rng.integers(0, 4, size=(5, 6, 3)) / 4
    table = table_of(np.arange(1.0, 6), np.arange(1.0, 7), scores, "mean")
    by_mean = pd.Series(scores.mean(axis=2).ravel()).round(12).rank(method="min", ascending=False)
    in_order = table.sort_values(["param_C", "param_gamma"])
    assert in_order["rank_test_score"].tolist() == by_mean.astype(int).tolist()


def test_a_candidate_scored_on_more_rows_comes_before_a_better_one_on_few():
    table = table_of(*AXES, SCORES, "mean", iter=[0, 1, 1, 0], n_resources=[9, 27, 27, 9])
    assert table["iter"].tolist() == [1, 1, 0, 0]
    assert table["rank_test_score"].tolist() == [1, 1, 3, 4]
    assert table["mean_test_score"].iloc[2] > table["mean_test_score"].iloc[0]
    assert table.loc[0, ["param_C", "param_gamma"]].tolist() == [1, 1]
