import numpy as np
import pytest
from sklearn.svm import LinearSVC

from pipeline.search.linear_svm import PrimalSVC, path, solve, with_ones

ALIKE = np.ones(300)  # each row's part of C
RNG = np.random.default_rng(0)
X = RNG.normal(size=(300, 5))
Y = np.where(X @ [1, -1, 0.5, 0, 0] + RNG.normal(size=300) > 0.2, 1.0, -1.0)
Z = with_ones(X)


def gradient(w, C):
    margin = np.maximum(1 - Y * (Z @ w), 0)
    return w - 2 * C * Z.T @ (Y * margin)


@pytest.mark.parametrize("C", [1e-6, 0.01, 1.0, 100.0, 1e6])
def test_it_ends_at_the_minimum(C):
    w = solve(Z, Y, C * ALIKE, np.zeros(6))
    assert np.abs(gradient(w, C)).max() <= 1e-9 * max(1.0, C) * len(Y)


@pytest.mark.parametrize("weight", [None, "balanced"])
@pytest.mark.parametrize("C", [0.01, 1.0, 100.0])
def test_the_solution_is_that_of_linear_svc(C, weight):
    options = {"dual": False, "tol": 1e-12, "max_iter": 100_000}
    theirs = LinearSVC(C=C, class_weight=weight, **options).fit(X, Y)
    ours = PrimalSVC(C, weight).fit(X, Y)
    np.testing.assert_allclose(ours.coef_, theirs.coef_, atol=1e-5)
    np.testing.assert_allclose(ours.decision_function(X), theirs.decision_function(X), atol=1e-5)
    np.testing.assert_array_equal(ours.predict(X), theirs.predict(X))


def test_a_path_gives_what_each_c_gives_alone():
    penalties = [C * ALIKE for C in (0.01, 1.0, 50.0)]
    for C, w in zip(penalties, path(Z, Y, penalties), strict=True):
        np.testing.assert_allclose(w, solve(Z, Y, C, np.zeros(6)), atol=1e-9)


def test_rows_that_can_be_separated_are_no_trouble():
    separable = np.where(X[:, 0] > 0, 1.0, -1.0)
    w = solve(Z, separable, 1e5 * ALIKE, np.zeros(6))
    assert np.all(np.sign(Z @ w) == separable)
    assert np.all(np.isfinite(w))


def test_columns_that_repeat_and_a_bad_start_are_no_trouble():
    twice = with_ones(np.hstack([X, X]))
    w = solve(twice, Y, ALIKE, np.full(11, 1e3))
    np.testing.assert_allclose(w[:5], w[5:10], atol=1e-8)


def test_the_classes_keep_their_names():
    named = np.where(Y > 0, "yes", "no")
    fitted = PrimalSVC().fit(X, named)
    assert fitted.classes_.tolist() == ["no", "yes"]
    assert np.mean(fitted.predict(X) == named) > 0.7
