"""Calibrated probabilities agree with the base rate where every coefficient is at C."""

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.linear_model import LogisticRegression
from sklearn.svm import SVC

from pipeline.training.estimator import stratified_folds
from pipeline.training.standardized_svm import StandardizedSVM

ROWS = 600


def table(seed: int, share: float) -> tuple[np.ndarray, np.ndarray]:
    """Return rows whose first feature decides, with noise; as many are positive as `share`."""
    rng = np.random.default_rng(seed)
    X = rng.normal(size=(2 * ROWS, 3))
    score = 2 * X[:, 0] + rng.normal(0, 1, 2 * ROWS)
    return X, (score > np.quantile(score, 1 - share)).astype(int)


def bias(model, X, y):
    fitted = model.fit(X[:ROWS], y[:ROWS])
    return abs(fitted.predict_proba(X[ROWS:])[:, 1].mean() - y[ROWS:].mean())


@pytest.mark.parametrize("weight", [None, "balanced"])
@pytest.mark.parametrize(("C", "gamma"), [(0.01, 1e-4), (0.01, 0.01), (1, 0.01)])
@pytest.mark.parametrize("share", [0.5, 0.1])
def test_the_mean_prediction_is_as_near_the_base_rate_as_logistic_regressions(
    share, C, gamma, weight
):
    biases = []
    for seed in range(4):
        X, y = table(seed, share)
        svm = StandardizedSVM(SVC(C=C, gamma=gamma, class_weight=weight))
        calibrated = CalibratedClassifierCV(svm, cv=stratified_folds(5, 42), ensemble=False)
        biases.append((bias(calibrated, X, y), bias(LogisticRegression(), X, y)))
    ours, regression = np.mean(biases, axis=0)
    assert ours <= regression + 0.005


def test_decision_values_have_mean_0_and_deviation_1_on_the_rows_fitted_on():
    X, y = table(0, 0.5)
    values = StandardizedSVM(SVC(C=0.1, gamma=0.1)).fit(X, y).decision_function(X)
    assert values.mean() == pytest.approx(0, abs=1e-12)
    assert values.std() == pytest.approx(1)


def test_constant_decision_values_are_not_blown_up():
    X, y = np.zeros((40, 2)), np.arange(40) % 2
    values = StandardizedSVM(SVC(C=1, gamma=1.0)).fit(X, y).decision_function(X)
    assert np.abs(values).max() < 1e-9
