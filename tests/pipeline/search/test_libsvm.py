import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.svm import SVC

from pipeline.search import libsvm

ROWS = np.random.default_rng(0).normal(size=(80, 3))
Y = (ROWS[:, 0] + ROWS[:, 1] ** 2 > 0.7).astype(np.float64)
GAMMA = 0.4
K = np.exp(-GAMMA * cdist(ROWS, ROWS, "sqeuclidean"))


@pytest.mark.parametrize("C", [0.01, 1.0, 1000.0])
@pytest.mark.parametrize(("X", "kernel", "gamma"), [(K, "precomputed", None), (ROWS, "rbf", GAMMA)])
def test_the_machine_is_that_of_svc_to_the_bit(C, X, kernel, gamma):
    theirs = SVC(C=C, kernel=kernel, gamma=gamma or "scale").fit(X, Y)
    ours = libsvm.fit(X, Y, C, cache_bytes=10**7, gamma=gamma)
    np.testing.assert_array_equal(np.abs(ours.coefficients), np.abs(theirs.dual_coef_[0]))
    np.testing.assert_array_equal(libsvm.decision(ours, X[:20]), theirs.decision_function(X[:20]))


def test_the_sign_does_not_depend_on_which_class_comes_first():
    for first in (0.0, 1.0):
        order = np.argsort(first != Y, kind="stable")
        theirs = SVC(gamma=GAMMA).fit(ROWS[order], Y[order])
        ours = libsvm.fit(ROWS[order], Y[order], 1.0, cache_bytes=10**7, gamma=GAMMA)
        np.testing.assert_array_equal(libsvm.decision(ours, ROWS), theirs.decision_function(ROWS))


def test_the_cache_changes_nothing():
    large, none = (libsvm.fit(K, Y, 100.0, cache_bytes=size) for size in (10**8, 0))
    assert large.same_as(none)


def test_nothing_is_printed(capfd):
    libsvm.fit(K, Y, 1.0, cache_bytes=10**6)
    assert capfd.readouterr() == ("", "")


def test_machines_of_different_c_differ_while_it_is_a_bound():
    low, lower = (libsvm.fit(K, Y, C, cache_bytes=10**6) for C in (0.02, 0.01))
    assert not low.same_as(lower)


@pytest.mark.parametrize("C", [0.01, 1.0, 1000.0])
def test_class_weights_are_those_of_svc(C):
    theirs = SVC(C=C, gamma=GAMMA, class_weight={0: 0.5, 1: 3.0}).fit(ROWS, Y)
    ours = libsvm.fit(K, Y, C, cache_bytes=10**7, weights=np.array([0.5, 3.0]))
    np.testing.assert_allclose(
        libsvm.decision(ours, K[:20]), theirs.decision_function(ROWS[:20]), atol=1e-12
    )


def test_decision_values_on_the_rows_fitted_on_do_not_depend_on_how_many_are_asked_for():
    machine = libsvm.fit(K, Y, 1.0, cache_bytes=10**7)
    whole = machine.decision_on(K, len(Y))
    np.testing.assert_allclose(whole, libsvm.decision(machine, K), atol=1e-12)
    in_parts = [machine.decision_on(K[rows : rows + 7], len(Y)) for rows in range(0, len(Y), 7)]
    np.testing.assert_array_equal(np.concatenate(in_parts), whole)
