import numpy as np
import pytest
from sklearn.kernel_approximation import Nystroem as KernelMap
from sklearn.multiclass import OneVsRestClassifier
from sklearn.pipeline import Pipeline
from sklearn.svm import SVC, LinearSVC

from pipeline.evaluation.metrics import roc_auc
from pipeline.search import libsvm, solve
from pipeline.search.grid import grid
from pipeline.search.kernel import distances, rbf
from pipeline.search.memory import Layout, Plan
from pipeline.search.problem import Nystroem
from pipeline.search.solve import Method, solve_unit
from pipeline.search.units import Penalty, Unit
from tests.pipeline.search.conftest import fold_scores, unit

EXACT = Method()
C = (0.01, 1.0, 100.0, 1e4, 1e6, 1e8)


def plan_of(layout, cache_bytes=10**7):
    return Plan(layout, 1, cache_bytes, 0)


@pytest.mark.parametrize("layout", [Layout.REBUILT, Layout.OWN])
@pytest.mark.parametrize("gamma", [0.001, 0.1, 50.0])
@pytest.mark.parametrize(("name", "penalties"), [("breast_cancer", C), ("three_classes", C[:3])])
def test_every_layout_gives_the_same_bits(request, name, penalties, layout, gamma):
    fold = request.getfixturevalue(name).problem().prepared(0)
    both = tuple(Penalty(c, weight) for weight in ("none", "balanced") for c in penalties)
    work = Unit(0, gamma, both, keep_decisions=True)
    shared = solve_unit(fold, work, plan_of(Layout.SHARED), EXACT, distances(fold.A, fold.B))
    other = solve_unit(fold, work, plan_of(layout, cache_bytes=10**6), EXACT)
    assert other.scores == shared.scores
    assert other.decisions == shared.decisions


def test_the_shared_distances_are_left_as_they_are(small):
    fold = small.problem().prepared(0)
    shared = distances(fold.A, fold.B)
    before = [d.copy() for d in shared]
    solve_unit(fold, unit(0, 0.5, 1.0), plan_of(Layout.SHARED), EXACT, shared)
    for was, now in zip(before, shared, strict=True):
        np.testing.assert_array_equal(was, now)


def test_where_c_has_no_part_any_more_the_solver_is_not_asked_again(small, monkeypatch):
    fitted = []
    original = libsvm.fit
    monkeypatch.setattr(
        libsvm, "fit", lambda K, y, C, **o: fitted.append(C) or original(K, y, C, **o)
    )
    fold = small.problem().prepared(0)
    found = solve_unit(
        fold, unit(0, 50.0, *C), plan_of(Layout.SHARED), EXACT, distances(fold.A, fold.B)
    )
    assert fitted == [0.01, 1.0, 100.0, 1e4]  # 100 and 10,000 lead the same way
    svm = SVC(C=1e8, gamma=50.0).fit(fold.A, fold.targets[0].y)
    assert found.scores[-1] == roc_auc(fold.y_test, svm.decision_function(fold.B))


def test_while_c_is_a_bound_every_c_is_solved(small, monkeypatch):
    fitted = []
    original = libsvm.fit
    monkeypatch.setattr(
        libsvm, "fit", lambda K, y, C, **o: fitted.append(C) or original(K, y, C, **o)
    )
    fold = small.problem().prepared(0)
    low = (0.01, 0.02, 0.03, 0.04)
    solve_unit(fold, unit(0, 0.1, *low), plan_of(Layout.SHARED), EXACT, distances(fold.A, fold.B))
    assert fitted == list(low)


def test_c_is_a_bound_of_each_class_times_its_weight(small, monkeypatch):
    """The balanced weights of this table are below and above 1."""
    fold = small.problem().prepared(0)
    (target,) = fold.targets
    rare = fold._replace(targets=(target._replace(balance=np.array([0.01, 100.0])),))
    found = []
    for C in ((0.5, 5.0, 50.0, 500.0, 5e3, 5e4), (5e4,)):
        work = Unit(0, 50.0, tuple(Penalty(c, "balanced") for c in C), keep_decisions=True)
        found.append(solve_unit(rare, work, plan_of(Layout.SHARED), EXACT))
    assert found[0].decisions[-1] == found[1].decisions[-1]


def test_the_kernel_is_computed_once_for_all_classes(three_classes, monkeypatch):
    computed = []
    monkeypatch.setattr(solve, "rbf", lambda *args: computed.append(1) or rbf(*args))
    fold = three_classes.problem().prepared(0)
    penalties = tuple(Penalty(c, weight) for weight in ("none", "balanced") for c in C[:3])
    solve_unit(fold, Unit(0, 0.5, penalties), plan_of(Layout.REBUILT), EXACT)
    assert computed == [1]


def test_decision_values_of_all_classes_are_kept(three_classes):
    fold = three_classes.problem().prepared(0)
    work = Unit(0, 0.5, (Penalty(1.0),), keep_decisions=True)
    (kept,) = solve_unit(fold, work, plan_of(Layout.OWN), EXACT).decisions
    svm = OneVsRestClassifier(SVC(gamma=0.5)).fit(fold.A, three_classes.y[fold_rows(three_classes)])
    own = svm.decision_function(fold.A)
    expected = (svm.decision_function(fold.B) - own.mean(axis=0)) / own.std(axis=0)
    np.testing.assert_allclose(np.frombuffer(kept).reshape(-1, 3), expected, atol=1e-12)


def fold_rows(data):
    return data.problem().folds[0][0]


def test_each_fit_and_each_scoring_is_timed(small):
    fold = small.problem().prepared(0)
    found = solve_unit(fold, unit(0, 0.1, *C), plan_of(Layout.OWN), EXACT)
    assert len(found.scores) == len(found.fit_s) == len(found.score_s) == len(C)
    assert min(found.fit_s) > 0
    assert min(found.score_s) > 0


@pytest.mark.parametrize("name", ["breast_cancer", "three_classes"])
def test_the_approximation_scores_as_scikit_learn_s_map_and_linear_svm(request, name):
    data = request.getfixturevalue(name)
    svm = Pipeline(
        [
            ("map", KernelMap(n_components=40, random_state=7)),
            ("svm", LinearSVC(dual=False, tol=1e-10, max_iter=100_000)),
        ]
    )
    axes = grid(0.01, 10, 3), grid(0.001, 0.1, 3)
    theirs = fold_scores(data.grid_search_cv(*axes, svm=svm))
    # By the names of its parameters, GridSearchCV goes through C within each gamma.
    theirs = theirs.reshape(3, 3, -1).transpose(1, 0, 2).reshape(9, -1)
    ours = data.scores(*axes, approximation=Nystroem(40, 7))
    # liblinear stops a little short of the minimum, which may swap two rows.
    np.testing.assert_allclose(ours, theirs, rtol=0, atol=2e-3)
    assert np.median(np.abs(ours - theirs)) < 1e-12


def test_an_approximation_has_no_more_components_than_rows(small):
    few = small.problem(approximation=Nystroem(1000, 0)).prepared(0)
    found = solve_unit(few, unit(0, 0.1, 1.0), plan_of(Layout.MAPPED), Method(Nystroem(1000, 0)))
    exact = solve_unit(few, unit(0, 0.1, 1.0), plan_of(Layout.OWN), EXACT)
    assert found.scores[0] == pytest.approx(exact.scores[0], abs=0.1)
