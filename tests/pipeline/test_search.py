import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import Pipeline
from sklearn.svm import SVC

from pipeline.model import build_transformer, stratified_folds
from pipeline.search import grid, results_table, search
from pipeline.table import read_split
from serving.contract import Contract, Feature


@pytest.fixture(scope="module")
def breast_cancer():
    """Two dozen of its values are left out."""
    X, y = load_breast_cancer(return_X_y=True)
    rng = np.random.default_rng(3)
    X[rng.integers(0, len(X), 24), rng.integers(0, 30, 24)] = np.nan
    features = tuple(Feature(name=f"f{number}", nullable=True) for number in range(30))
    return X, y.astype(np.int64), Contract(target="y", classes=(0, 1), features=features)


@pytest.fixture(scope="module")
def pima_training(pima):
    table = read_split(pima.training, Contract.read(pima.contract))
    return table.X, table.y, table.contract


def searched(data, C, gamma, n_folds=5, **options):
    X, y, contract = data
    folds = list(stratified_folds(n_folds, 42).split(X, y))
    transformer = build_transformer(contract)
    return search(X, y, transformer=transformer, folds=folds, C=C, gamma=gamma, **options)


def grid_search_cv(data, C, gamma, n_folds=5):
    X, y, contract = data
    estimator = Pipeline([("transform", build_transformer(contract)), ("svm", SVC())])
    param_grid = {"svm__C": C, "svm__gamma": gamma}
    folds = list(stratified_folds(n_folds, 42).split(X, y))
    fitted = GridSearchCV(
        estimator, param_grid, scoring="roc_auc", cv=folds, n_jobs=2, refit=False
    ).fit(X, y)
    return fitted.cv_results_


@pytest.mark.parametrize("name", ["pima_training", "breast_cancer"])
def test_the_scores_are_those_of_grid_search_cv(request, name):
    data = request.getfixturevalue(name)
    C, gamma = grid(0.01, 1000, 5), grid(0.0001, 10, 5)
    theirs = grid_search_cv(data, C, gamma)
    ours = searched(data, C, gamma)
    for fold in range(5):
        np.testing.assert_allclose(
            ours[:, :, fold].ravel(), theirs[f"split{fold}_test_score"], rtol=0, atol=1e-9
        )
    table = results_table(C, gamma, ours, "mean").sort_values(["param_C", "param_gamma"])
    for column in ("mean_test_score", "std_test_score"):
        np.testing.assert_allclose(table[column], theirs[column], rtol=0, atol=1e-9)
    np.testing.assert_array_equal(table["param_C"], theirs["param_svm__C"].data.astype(float))
    best = np.argmin(theirs["rank_test_score"])
    assert table["rank_test_score"].to_numpy()[best] == 1


def test_the_scores_do_not_depend_on_the_number_of_threads(breast_cancer):
    C, gamma = grid(0.1, 10, 3), grid(0.001, 0.1, 2)
    alone, together = (searched(breast_cancer, C, gamma, n_jobs=n_jobs) for n_jobs in (1, 2))
    np.testing.assert_array_equal(alone, together)
    assert alone.shape == (3, 2, 5)


def test_progress_is_reported_to_the_last_fit(breast_cancer):
    reported = []
    searched(
        breast_cancer, grid(0.1, 10, 3), grid(0.001, 0.1, 2), n_folds=3, on_scored=reported.append
    )
    assert sum(reported) == 3 * 2 * 3
    assert len(reported) > 1


def test_imputation_and_scaling_are_fitted_within_each_fold(breast_cancer):
    X, y, contract = breast_cancer
    fitted_on = []

    class Spy(Pipeline):
        def fit(self, X, y=None):
            fitted_on.append(len(X))
            return super().fit(X, y)

    folds = list(stratified_folds(3, 0).split(X, y))
    transformer = Spy(build_transformer(contract).steps)
    one = np.array([1.0])
    search(X, y, transformer=transformer, folds=folds, C=one, gamma=one)
    assert fitted_on == [len(training) for training, _ in folds]


def test_a_grid_is_logarithmic_and_reads_the_same_everywhere():
    values = grid(0.01, 1000, 6)
    np.testing.assert_allclose(values, [0.01, 0.1, 1, 10, 100, 1000])
    assert values.tolist() == [0.01, 0.1, 1, 10, 100, 1000]
    assert [float(f"{value:.12g}") for value in grid(0.003, 700, 17)] == grid(
        0.003, 700, 17
    ).tolist()
    assert grid(0.5, 9, 1).tolist() == [0.5]
    assert grid(2, 2, 2).tolist() == [2, 2]


# [C, gamma, fold]: the second C has the best median, the first the best mean.
SCORES = np.array([[[0.7, 0.7, 1.0], [0.5, 0.6, 0.7]], [[0.1, 0.8, 0.9], [0.5, 0.6, 0.7]]])
AXES = np.array([1.0, 10.0]), np.array([0.1, 1.0])


@pytest.mark.parametrize(("rank_by", "winner"), [("median", (10, 0.1)), ("mean", (1, 0.1))])
def test_the_first_row_wins_by_the_statistic_asked_for(rank_by, winner):
    table = results_table(*AXES, SCORES, rank_by)
    assert tuple(table.loc[0, ["param_C", "param_gamma"]]) == winner
    statistic = table[f"{rank_by}_test_score"]
    assert statistic.is_monotonic_decreasing
    assert statistic.iloc[0] == statistic.max()


def test_the_columns_are_those_of_cv_results():
    table = results_table(*AXES, SCORES, "median")
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
    table = results_table(*AXES, scores, "median")
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
    table = results_table(*AXES, scores, "mean")
    assert table["rank_test_score"].tolist() == [1, 1, 1, 1]
    assert table.loc[0, "param_C"] == 1


def test_the_ranks_are_those_of_cv_results():
    rng = np.random.default_rng(0)
    scores = rng.integers(0, 4, size=(5, 6, 3)) / 4
    table = results_table(np.arange(1.0, 6), np.arange(1.0, 7), scores, "mean")
    by_mean = pd.Series(scores.mean(axis=2).ravel()).round(12).rank(method="min", ascending=False)
    in_order = table.sort_values(["param_C", "param_gamma"])
    assert in_order["rank_test_score"].tolist() == by_mean.astype(int).tolist()
