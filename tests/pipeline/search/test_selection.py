import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.multiclass import OneVsRestClassifier
from sklearn.svm import SVC

from pipeline.search.calibration import Fold, fit_sigmoids
from pipeline.search.grid import grid_candidates
from pipeline.search.selection import (
    final_count,
    finalists,
    log_losses,
    results_table,
    standard_error,
    within_one_error,
)
from pipeline.search.strategy import Result, cross_validated
from pipeline.search.units import Candidate
from tests.pipeline.search.conftest import run_with


def results_of(C, gamma, scores, **extra):
    """Give the results of scores `[C, gamma, fold]`."""
    candidates = grid_candidates(C, gamma)
    flat = scores.reshape(len(candidates), -1).tolist()
    return [
        Result(one, tuple(values), 0.1, 0.1, {name: of[place] for name, of in extra.items()})
        for place, (one, values) in enumerate(zip(candidates, flat, strict=True))
    ]


def table_of(C, gamma, scores, rank_by, **extra):
    return results_table(results_of(C, gamma, scores, **extra), rank_by)


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
        "param_class_weight",
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


def result(C, scores, gamma=0.1, class_weight="none", decisions=()):
    candidate = Candidate(C, gamma, class_weight)
    return Result(candidate, tuple(scores), 0.1, 0.1, {}, tuple(decisions))


def test_the_lowest_log_loss_wins_among_those_that_have_one():
    results = [result(1.0, [0.9, 0.9]), result(2.0, [0.8, 0.9]), result(3.0, [0.7, 0.8])]
    losses = {results[0].candidate: 0.5, results[1].candidate: 0.4}
    table = results_table(results, "mean", losses)
    assert table["param_C"].tolist() == [2.0, 1.0, 3.0]
    assert table["rank_test_score"].tolist() == [1, 2, 3]
    assert table["log_loss"].tolist()[:2] == [0.4, 0.5]
    assert np.isnan(table["log_loss"].iloc[2])


def test_those_scored_on_further_folds_come_before_better_ones_that_were_not():
    results = [result(1.0, [0.9, 0.9]), result(2.0, [0.8, 0.8, 0.8, 0.8])]
    table = results_table(results, "mean")
    assert table["param_C"].tolist() == [2.0, 1.0]
    assert np.isnan(table.loc[1, "split2_test_score"])
    assert table["mean_test_score"].tolist() == pytest.approx([0.8, 0.9])


def test_of_equals_the_smaller_c_then_gamma_then_the_unweighted_one_wins():
    same = [0.8, 0.8]
    results = [
        result(2.0, same, 0.1),
        result(1.0, same, 0.2),
        result(1.0, same, 0.1, "balanced"),
        result(1.0, same, 0.1),
    ]
    losses = {one.candidate: 0.5 for one in results}
    for table in (results_table(results, "mean"), results_table(results, "mean", losses)):
        assert table["param_C"].tolist() == [1, 1, 1, 2]
        assert table["param_gamma"].tolist() == [0.1, 0.1, 0.2, 0.1]
        assert table["param_class_weight"].tolist() == ["none", "balanced", "none", "none"]
        assert table["rank_test_score"].tolist() == [1, 1, 1, 1]


def test_the_best_fifth_is_scored_again():
    results = [result(float(number), [number / 20]) for number in range(1, 12)]
    assert [one.candidate.C for one in finalists(results, "mean")] == [11, 10, 9]
    assert [one.candidate.C for one in finalists(results[:3], "mean")] == [3]


def test_decision_values_of_many_classes_take_no_more_memory():
    assert [final_count(600, svms) for svms in (1, 3, 50)] == [120, 66, 4]


def test_finalists_of_halving_were_scored_on_the_same_rows():
    rows = {"iter": [1, 1, *[0] * 8], "n_resources": [9, 9, *[3] * 8]}
    results = results_of(np.arange(1.0, 11), np.array([0.1]), np.full((10, 1, 2), 0.5), **rows)
    (*both,) = finalists(results, "mean")
    assert [one.candidate.C for one in both] == [1, 2]


def test_the_standard_error_is_that_of_the_folds_means_over_the_repeats():
    scores = (0.7, 0.8, 0.9, 0.9, 0.8, 0.7)  # two repeats of three folds
    assert standard_error(scores, 3) == pytest.approx(0, abs=1e-12)
    assert standard_error(scores[:3], 3) == pytest.approx(0.1 / np.sqrt(3))


def test_one_standard_error_below_the_best_is_as_good_as_the_best():
    best = result(1.0, [0.7, 0.8, 0.9])
    limit = 0.8 - 0.1 / np.sqrt(3)
    near, far = (result(C, [limit + shift] * 3) for C, shift in ((2.0, 1e-6), (3.0, -1e-6)))
    assert within_one_error([far, near, best], 3, "mean") == [near, best]


@pytest.mark.parametrize("name", ["small", "three_classes"])
def test_log_losses_are_those_of_cross_fitted_probabilities(request, name):
    problem = request.getfixturevalue(name).problem(3, repeats=2)
    candidates = [Candidate(1.0, 0.1), Candidate(1.0, 0.1, "balanced")]
    finals = cross_validated(
        problem, [Result(one, (), 0, 0, {}) for one in candidates], run_with(), lambda _: None
    )
    losses = log_losses(finals, problem, 3)
    for one in finals:
        unweighted = one.candidate.class_weight == "none"
        svm = SVC(C=1.0, gamma=0.1, class_weight=None if unweighted else "balanced")
        svm = svm if problem.n_classes == 2 else OneVsRestClassifier(svm)
        assert losses[one.candidate] == pytest.approx(by_hand(problem, svm), abs=1e-6)


def by_hand(problem, svm):
    """Calibrate each fold by the others of its repeat, by way of scikit-learn alone."""
    folds = []
    for number, (training, test) in enumerate(problem.folds):
        transformer = clone(problem.transformer).fit(problem.X[training])
        fitted = svm.fit(transformer.transform(problem.X[training]), problem.y[training])
        own, unseen = (
            fitted.decision_function(transformer.transform(problem.X[part]))
            for part in (training, test)
        )
        standardized = (unseen - own.mean(axis=0)) / own.std(axis=0)
        folds.append(Fold(standardized, problem.y[test], number // 3))
    losses = []
    for number, fold in enumerate(folds):
        others = [o for n, o in enumerate(folds) if n != number and o.repeat == fold.repeat]
        p = probability_of_each(others, fold)
        losses.extend(-np.log(p[np.arange(len(fold.y)), fold.y]))
    return np.mean(losses)


def probability_of_each(others, fold):
    """Give the probabilities `[rows, classes]`."""
    sigmoids = fit_sigmoids(others)
    if len(sigmoids) == 1:
        positive = sigmoids[0].probability(fold.decisions)
        return np.column_stack([1 - positive, positive])
    of_each = zip(sigmoids, fold.decisions.T, strict=True)
    p = np.column_stack([sigmoid.probability(values) for sigmoid, values in of_each])
    return p / p.sum(axis=1, keepdims=True)
