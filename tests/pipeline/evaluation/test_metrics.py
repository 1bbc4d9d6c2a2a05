import numpy as np
import pandas as pd
import pytest
import scipy.stats
from hypothesis import given
from hypothesis import strategies as st
from sklearn import metrics as sk
from sklearn.calibration import calibration_curve as sk_calibration_curve

from pipeline.evaluation import metrics

# Probabilities on a coarse grid, so that many are equal, and none at the edge of a tenth.
ROW = st.tuples(st.integers(0, 1), st.integers(0, 15).map(lambda k: (2 * k + 1) / 32))
DATA = (
    st.lists(ROW, min_size=2, max_size=60)
    .filter(lambda rows: len({label for label, _ in rows}) == 2)
    .map(lambda rows: (np.array([y for y, _ in rows]), np.array([p for _, p in rows])))
)
EXACT = {"rtol": 1e-12, "atol": 1e-12}


@given(DATA)
def test_ranking_figures_are_those_of_scikit_learn(data):
    y, p = data
    np.testing.assert_allclose(metrics.roc_auc(y, p), sk.roc_auc_score(y, p), **EXACT)
    np.testing.assert_allclose(
        metrics.average_precision(y, p), sk.average_precision_score(y, p), **EXACT
    )


@given(DATA)
def test_losses_are_those_of_scikit_learn(data):
    y, p = data
    np.testing.assert_allclose(metrics.brier(y, p), sk.brier_score_loss(y, p), **EXACT)
    np.testing.assert_allclose(metrics.log_loss(y, p), sk.log_loss(y, p), **EXACT)


@given(DATA)
def test_the_bias_has_the_standard_error_of_a_paired_mean(data):
    y, p = data
    value, error = metrics.bias(y, p)
    assert value == pytest.approx(p.mean() - y.mean(), abs=1e-12)
    assert error == pytest.approx(scipy.stats.sem(p - y), rel=1e-9)


def test_a_certain_and_wrong_answer_costs_a_finite_loss():
    y, p = np.array([0, 1, 1]), np.array([1.0, 0.0, 1.0])
    assert metrics.log_loss(y, p) == pytest.approx(sk.log_loss(y, p), rel=1e-12)
    assert np.isfinite(metrics.log_loss(y, p))


@given(DATA)
def test_the_roc_curve_is_that_of_scikit_learn(data):
    y, p = data
    fpr, tpr, threshold = sk.roc_curve(y, p, drop_intermediate=False)
    curve = metrics.roc_curve(y, p)
    np.testing.assert_allclose(curve["false_positive_rate"], fpr, **EXACT)
    np.testing.assert_allclose(curve["true_positive_rate"], tpr, **EXACT)
    np.testing.assert_array_equal(curve["threshold"], threshold)


@given(DATA)
def test_the_precision_recall_curve_is_that_of_scikit_learn(data):
    y, p = data
    precision, recall, threshold = sk.precision_recall_curve(y, p)
    curve = metrics.precision_recall_curve(y, p)[::-1]
    np.testing.assert_allclose(curve["precision"], precision[:-1], **EXACT)
    np.testing.assert_allclose(curve["recall"], recall[:-1], **EXACT)
    np.testing.assert_array_equal(curve["threshold"], threshold)


@given(DATA)
def test_the_calibration_curve_is_that_of_scikit_learn(data):
    y, p = data
    observed, predicted = sk_calibration_curve(y, p, n_bins=10)
    curve = metrics.calibration_curve(y, p, 10)
    np.testing.assert_allclose(curve["observed"], observed, **EXACT)
    np.testing.assert_allclose(curve["predicted"], predicted, **EXACT)
    np.testing.assert_array_equal(curve["bin"], np.unique((p * 10).astype(int)))
    assert curve["rows"].sum() == len(y)


def test_a_certain_answer_is_in_the_last_bin():
    curve = metrics.calibration_curve(np.array([0, 1, 1]), np.array([0.0, 1.0, 0.5]), 2)
    assert curve["bin"].tolist() == [0, 1]
    assert curve["rows"].tolist() == [1, 2]


@pytest.mark.parametrize(("rows", "bins"), [(137, 10), (2_000, 10), (2_000, 5)])
def test_honest_probabilities_stay_below_the_calibration_error_of_chance(rows, bins):
    """95 times of 100: found by drawing the labels that the probabilities promise."""
    rng = np.random.default_rng(rows)
    probability = rng.beta(1, 2, rows)
    bound = metrics.chance_calibration_error(probability, bins)
    errors = [
        metrics.expected_calibration_error(metrics.calibration_curve(y, probability, bins))
        for y in (rng.random((500, rows)) < probability).astype(int)
    ]
    assert np.mean(np.array(errors) < bound) == pytest.approx(0.95, abs=0.025)


def test_the_calibration_error_weighs_each_bin_by_its_rows():
    y = np.array([0, 0, 0, 1, 1, 1, 0, 1])
    p = np.array([0.1, 0.1, 0.2, 0.4, 0.9, 0.8, 0.7, 1.0])
    # below 0.5: four rows, 0.2 predicted and 0.25 true; above: 0.85 predicted and 0.75 true
    curve = metrics.calibration_curve(y, p, 2)
    assert metrics.expected_calibration_error(curve) == pytest.approx((4 * 0.05 + 4 * 0.1) / 8)
    uneven = pd.DataFrame({"rows": [1, 3], "predicted": [0.5, 0.2], "observed": [0.1, 0.3]})
    assert metrics.expected_calibration_error(uneven) == pytest.approx((0.4 + 3 * 0.1) / 4)


@given(DATA, st.floats(0, 1))
def test_figures_at_a_threshold_are_those_of_scikit_learn(data, threshold):
    y, p = data
    label = (p >= threshold).astype(int)
    counts = metrics.confusion(y, label)
    tn, fp, fn, tp = sk.confusion_matrix(y, label, labels=[0, 1]).ravel().tolist()
    assert counts == {
        "true_positives": tp,
        "false_positives": fp,
        "true_negatives": tn,
        "false_negatives": fn,
    }
    expected = {
        "accuracy": sk.accuracy_score(y, label),
        "balanced_accuracy": sk.balanced_accuracy_score(y, label),
        "precision": sk.precision_score(y, label, zero_division=0),
        "recall": sk.recall_score(y, label),
        "specificity": sk.recall_score(y, label, pos_label=0),
        "f1": sk.f1_score(y, label),
    }
    assert metrics.rates(counts) == pytest.approx(expected, rel=1e-12, abs=1e-12)


def test_nothing_that_went_in_is_changed():
    rng = np.random.default_rng(0)
    y, p = rng.integers(0, 2, 200), np.round(rng.random(200), 2)
    copies = y.copy(), p.copy()
    metrics.roc_curve(y, p)
    metrics.calibration_curve(y, p, 5)
    np.testing.assert_array_equal((y, p), copies)
