"""Calibrated probabilities agree with the base rate where every coefficient is at C."""

import numpy as np
import pytest
from sklearn.multiclass import OneVsRestClassifier
from sklearn.svm import SVC

from bench.calibration import bias, ours, regression, table
from pipeline.search.calibration import Sigmoid
from pipeline.search.units import Candidate
from pipeline.training.calibrated_svm import CalibratedSVM
from tests.pipeline.conftest import FOUR_SIGMOIDS

SIGMOIDS = (Sigmoid(2.0, -0.5),)


@pytest.mark.parametrize("weight", ["none", "balanced"])
@pytest.mark.parametrize(("C", "gamma"), [(0.01, 1e-4), (0.01, 0.01), (1, 0.01)])
@pytest.mark.parametrize("share", [0.5, 0.1])
def test_mean_prediction_is_as_near_the_base_rate_as_of_logistic_regression(
    share, C, gamma, weight
):
    candidate = Candidate(C, gamma, weight)
    svm = np.mean([bias(ours, seed, share, candidate) for seed in range(4)])
    assert svm <= np.mean([bias(regression, seed, share) for seed in range(4)]) + 0.005


def test_decision_values_are_standardised_on_the_rows_fitted_on():
    X, y = table(0, 0.5)
    values = CalibratedSVM(SVC(C=0.1, gamma=0.1), SIGMOIDS).fit(X, y).decision_function(X)
    assert values.mean() == pytest.approx(0, abs=1e-12)
    assert values.std() == pytest.approx(1)


def test_more_classes_have_an_svm_each_and_probabilities_that_sum_to_one(four_classes_model):
    model = four_classes_model
    fitted = model.estimator.named_steps["classify"]
    Z = model.estimator[:-1].transform(model.X)
    theirs = OneVsRestClassifier(SVC(C=2.0, gamma=0.3)).fit(Z, model.y).decision_function(Z)
    standardized = (theirs - theirs.mean(axis=0)) / theirs.std(axis=0)
    np.testing.assert_allclose(fitted.decision_function(Z), standardized, atol=1e-12)
    slopes, offsets = np.transpose(FOUR_SIGMOIDS)
    of_each = 1 / (1 + np.exp(-(slopes * standardized + offsets)))
    expected = of_each / of_each.sum(axis=1, keepdims=True)
    np.testing.assert_allclose(fitted.predict_proba(Z), expected, atol=1e-12)
    np.testing.assert_array_equal(fitted.predict(Z), expected.argmax(axis=1))


def test_constant_decision_values_are_not_blown_up():
    X, y = np.zeros((40, 2)), np.arange(40) % 2
    values = CalibratedSVM(SVC(C=1, gamma=1.0), SIGMOIDS).fit(X, y).decision_function(X)
    assert np.abs(values).max() < 1e-9


def test_probabilities_are_the_sigmoid_of_the_decision_values():
    X, y = table(1, 0.3)
    fitted = CalibratedSVM(SVC(C=1, gamma=0.1), SIGMOIDS).fit(X, y)
    expected = 1 / (1 + np.exp(-(2 * fitted.decision_function(X) - 0.5)))
    np.testing.assert_allclose(fitted.predict_proba(X)[:, 1], expected, atol=1e-15)
    np.testing.assert_allclose(fitted.predict_proba(X).sum(axis=1), 1)
    np.testing.assert_array_equal(fitted.predict(X), expected >= 0.5)
