"""Our scores are those of scikit-learn's own search, whatever the table, the folds and the grid."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.svm import SVC

from pipeline.search.grid import grid
from pipeline.search.selection import results_table
from pipeline.search.strategy import scores_of
from tests.pipeline.search.conftest import Searched, features, fold_scores

EXACT = 1e-12


def assert_same_as_grid_search_cv(data, C, gamma, n_folds, weight="none", **options):
    svm = SVC(class_weight=None if weight == "none" else weight)
    theirs = data.grid_search_cv(C, gamma, n_folds, svm, **options)
    results = data.search(C, gamma, n_folds, class_weights=(weight,), **options)
    np.testing.assert_allclose(scores_of(results), fold_scores(theirs), rtol=0, atol=EXACT)
    assert_same_ranking(results_table(results, "mean"), theirs)


def assert_same_ranking(table, theirs):
    """The means, their spread and their order are the same, but for differences of rounding."""
    in_order = table.sort_values(["param_C", "param_gamma"])
    for column in ("mean_test_score", "std_test_score"):
        np.testing.assert_allclose(in_order[column], theirs[column], rtol=0, atol=EXACT)
    by_their_rank = np.argsort(theirs["rank_test_score"], kind="stable")
    ours = in_order["rank_test_score"].to_numpy()[by_their_rank]
    means = theirs["mean_test_score"][by_their_rank]
    steps = -np.diff(means) > EXACT
    assert np.all(np.diff(ours)[steps] > 0)
    assert np.all(np.diff(ours)[~steps] == 0)


@pytest.mark.parametrize("name", ["pima_training", "breast_cancer", "mixed"])
def test_on_real_tables_and_one_with_categories(request, name):
    data = request.getfixturevalue(name)
    assert_same_as_grid_search_cv(data, grid(0.01, 1000, 3), grid(0.0001, 10, 4), 5)


@st.composite
def searches(draw):
    """Draw a table of two to six classes, its grid, folds and class weight, and the score."""
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    n_features, n_classes = draw(st.integers(1, 6)), draw(st.integers(2, 6))
    n_folds = draw(st.integers(2, 5 if n_classes == 2 else 3))
    rarer = st.integers(n_folds, 40 if n_classes == 2 else 12)
    rows = [draw(st.integers(max(n_folds, 10), 90)), *(draw(rarer) for _ in range(n_classes - 1))]
    y = rng.permutation(np.repeat(np.arange(n_classes), rows))
    X = rng.normal(size=(len(y), n_features)) + rng.normal(size=(n_classes, n_features))[y]
    if draw(st.booleans()):  # whole numbers: many rows and distances are equal
        X = np.round(X)
    if draw(st.booleans()):
        X[:, 0] = 7.0
    categories = draw(st.sampled_from([0, 0, 4]))
    if categories:
        X[:, -1] = rng.integers(0, categories, len(y))
    if draw(st.booleans()):
        X[rng.random(X.shape) < 0.1] = np.nan
    most = 3 if n_classes == 2 else 2
    exponents = st.lists(st.integers(-3, 4), min_size=1, max_size=most, unique=True).map(sorted)
    C, gamma = (np.power(10.0, draw(exponents)) for _ in range(2))
    contract = features(n_features, categories=categories, classes=n_classes)
    weight = draw(st.sampled_from(["none", "balanced"]))
    return Searched(X, y.astype(np.int64), contract), C, gamma, n_folds, weight


@settings(max_examples=25)
@given(searches(), st.sampled_from(["roc_auc", "average_precision"]))
def test_on_any_table(drawn, scoring):
    assert_same_as_grid_search_cv(*drawn, scoring=scoring)


@pytest.mark.parametrize("name", ["pima_training", "mixed", "three_classes"])
@pytest.mark.parametrize("scoring", ["roc_auc", "average_precision"])
def test_with_class_weights_on_repeated_folds(request, name, scoring):
    data = request.getfixturevalue(name)
    C, gamma = grid(0.01, 1000, 3), grid(0.001, 10, 2)
    options = {"n_folds": 3, "repeats": 2, "scoring": scoring}
    ours = data.search(C, gamma, class_weights=("none", "balanced"), **options)
    for name, weight in (("none", None), ("balanced", "balanced")):
        theirs = data.grid_search_cv(C, gamma, svm=SVC(class_weight=weight), **options)
        of_weight = [result for result in ours if result.candidate.class_weight == name]
        np.testing.assert_allclose(scores_of(of_weight), fold_scores(theirs), rtol=0, atol=EXACT)


def test_a_constant_table_scores_one_half():
    y = np.arange(30) % 2
    data = Searched(np.ones((30, 2)), y.astype(np.int64), features(2))
    assert np.all(data.scores([1.0], [0.1, 1.0], 3) == 0.5)
