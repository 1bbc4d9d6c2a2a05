import numpy as np
import pytest
from sklearn.experimental import enable_halving_search_cv  # noqa: F401  makes the next import work
from sklearn.model_selection import HalvingGridSearchCV, StratifiedKFold
from sklearn.pipeline import Pipeline
from sklearn.svm import SVC

from pipeline.search.grid import grid, grid_candidates
from pipeline.search.strategy import Callbacks, Halving, exhaustive, halving, resources, schedule
from pipeline.training.estimator import build_transformer
from tests.pipeline.search.conftest import Searched, features, fold_scores, run_with

AXES = grid(0.03, 70, 4), grid(0.003, 0.7, 3)
CANDIDATES = grid_candidates(*AXES)


@pytest.fixture(scope="module")
def theirs(pima_training):
    """Give the `cv_results_` of scikit-learn's halving."""
    steps = [("transform", build_transformer(pima_training.contract)), ("svm", SVC())]
    search = HalvingGridSearchCV(
        Pipeline(steps),
        {"svm__C": AXES[0], "svm__gamma": AXES[1]},
        scoring="roc_auc",
        cv=StratifiedKFold(5, shuffle=True, random_state=42),
        factor=3,
        random_state=7,
        refit=False,
    )
    return search.fit(pima_training.X, pima_training.y).cv_results_


def halved(data, watch=None, rank_by="mean"):
    how = Halving(3, None, 7)
    return halving(data.problem(), CANDIDATES, run_with(), watch or Callbacks(), how, rank_by)


def test_halving_scores_as_scikit_learn_s_does_in_every_iteration(pima_training, theirs):
    scored = []
    halved(pima_training, Callbacks(scored=scored.append))
    ours = {(r.extra["n_resources"], *r.candidate[:2]): r.scores for r in scored}
    rows = zip(
        theirs["n_resources"].tolist(),
        theirs["param_svm__C"].data.astype(float).tolist(),
        theirs["param_svm__gamma"].data.astype(float).tolist(),
        strict=True,
    )
    expected = dict(zip(rows, fold_scores(theirs), strict=True))
    assert len(ours) == len(expected) == 12 + 4 + 2
    common = ours.keys() & expected.keys()
    assert len(common) >= 14
    for key in common:
        np.testing.assert_allclose(ours[key], expected[key], rtol=0, atol=1e-12)
    # Of equals scikit-learn takes any, and we the smoother one: as good ones go on.
    first, second, _ = sorted({rows for rows, *_ in ours})
    np.testing.assert_allclose(
        *(went_on(scores, first, second) for scores in (ours, expected)), atol=1e-12
    )


def went_on(scores, before, after):
    """Give the mean scores that those had before who went on, in order."""
    names = [name for rows, *name in scores if rows == after]
    return sorted(np.mean(scores[before, *name]) for name in names)


def test_each_candidate_is_settled_once_with_its_last_result(pima_training):
    settled = []
    results = halved(pima_training, Callbacks(settled=settled.append))
    assert len(settled) == len(results) == 12
    assert {result.candidate for result in settled} == {*CANDIDATES}
    last = {result.candidate: result for result in settled}
    assert [last[result.candidate] for result in results] == results
    assert [result.candidate for result in results] == CANDIDATES


def test_the_median_decides_where_it_is_asked_for(pima_training):
    by_median, by_mean = (halved(pima_training, rank_by=rank) for rank in ("median", "mean"))
    assert [r.extra["iter"] for r in by_median] != [r.extra["iter"] for r in by_mean]


def test_the_last_iteration_uses_all_rows_or_nearly():
    data = Searched(np.zeros((900, 1)), np.tile([0, 1], 450).astype(np.int64), features(1))
    iterations = schedule(data.problem(), 100, Halving(3, None, 0))
    assert [i.candidates for i in iterations] == [100, 34, 12, 4]
    assert [i.rows for i in iterations] == [20, 60, 180, 540]


@pytest.mark.parametrize(
    ("min_rows", "rows"), [(100, [100, 300, 900]), (301, [301]), (5000, [900])]
)
def test_the_first_iteration_has_the_rows_that_are_asked_for(min_rows, rows):
    data = Searched(np.zeros((900, 1)), np.tile([0, 1], 450).astype(np.int64), features(1))
    assert [i.rows for i in schedule(data.problem(), 100, Halving(3, min_rows, 0))] == rows


def test_an_iteration_in_which_a_fold_lacks_a_class_is_left_out():
    y = np.zeros(900, dtype=np.int64)
    y[::60] = 1
    data = Searched(np.zeros((900, 1)), y, features(1))
    iterations = schedule(data.problem(), 100, Halving(3, None, 0))
    assert iterations[0].rows > 20
    assert iterations[0].candidates == 100
    assert all(iteration.problem.has_every_class() for iteration in iterations)


@pytest.mark.parametrize(("n_classes", "rows"), [(2, [20, 60, 180, 540]), (6, [60, 180, 540])])
def test_the_first_iteration_has_two_rows_of_each_class_for_each_fold(n_classes, rows):
    assert resources(900, 100, 5, n_classes, Halving(3, None, 0)) == rows


def test_one_candidate_is_scored_on_all_rows(small):
    (iteration,) = schedule(small.problem(), 1, Halving(3, None, 0))
    assert (iteration.rows, iteration.candidates) == (120, 1)


def test_everybody_is_told_of_every_candidate(small):
    scored, settled = [], []
    watch = Callbacks(scored.append, settled.append)
    results = exhaustive(small.problem(3), CANDIDATES, run_with(), watch)
    assert scored == settled
    assert sorted(scored) == sorted(results)
    assert len(scored) == 12
    assert all(result.fit_s > 0 and result.score_s > 0 and not result.extra for result in results)
