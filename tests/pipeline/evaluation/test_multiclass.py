import numpy as np
import pytest
import scipy.stats
from hypothesis import given
from sklearn import metrics as sk
from sklearn.calibration import calibration_curve as sk_calibration_curve

from pipeline.evaluation import metrics, multiclass
from tests.pipeline.evaluation.many_classes import many_classes, random_answers

EXACT = {"rtol": 1e-12, "atol": 1e-12}
NAMES = ("a", "b", "c", "d", "e", "f")


@given(many_classes())
def test_ranking_figures_are_scikit_learns(data):
    y, p = data
    expected = sk.roc_auc_score(y, p, multi_class="ovr", average="macro")
    np.testing.assert_allclose(metrics.roc_auc(y, p), expected, **EXACT)
    expected = sk.average_precision_score(np.eye(p.shape[1])[y], p, average="macro")
    np.testing.assert_allclose(metrics.average_precision(y, p), expected, **EXACT)


@given(many_classes())
def test_losses_are_scikit_learns(data):
    y, p = data
    np.testing.assert_allclose(metrics.brier(y, p), sk.brier_score_loss(y, p), **EXACT)
    np.testing.assert_allclose(metrics.log_loss(y, p), sk.log_loss(y, p), **EXACT)


@given(many_classes())
def test_rates_are_scikit_learns(data):
    y, p = data
    label, k = p.argmax(axis=1), p.shape[1]
    counts = multiclass.confusion_matrix(y, label, k)
    np.testing.assert_array_equal(counts, sk.confusion_matrix(y, label, labels=range(k)))
    assert multiclass.rates(counts) == pytest.approx(
        {
            "accuracy": sk.accuracy_score(y, label),
            "balanced_accuracy": sk.balanced_accuracy_score(y, label),
            "f1": sk.f1_score(y, label, average="macro", labels=range(k), zero_division=0),
            "f1_weighted": sk.f1_score(y, label, average="weighted", zero_division=0),
        },
        rel=1e-12,
        abs=1e-12,
    )


@given(many_classes())
def test_a_class_has_the_figures_of_itself_against_the_rest(data):
    y, p = data
    label, k = p.argmax(axis=1), p.shape[1]
    table = multiclass.class_table(y, label, p, NAMES[:k], 5)
    rates = sk.precision_recall_fscore_support(y, label, labels=range(k), zero_division=0)
    for name, expected in zip(("precision", "recall", "f1", "rows"), rates, strict=True):
        np.testing.assert_allclose(table[name], expected, **EXACT)
    for number, row in enumerate(table.to_dict("records")):
        of_class, in_class = p[:, number], (y == number).astype(int)
        assert row["class"] == NAMES[number]
        assert row["roc_auc"] == pytest.approx(sk.roc_auc_score(in_class, of_class))
        assert row["average_precision"] == pytest.approx(
            sk.average_precision_score(in_class, of_class)
        )
        assert row["observed"] == pytest.approx(in_class.mean())
        assert row["predicted"] == pytest.approx(of_class.mean())


def test_a_class_s_calibration_error_is_that_of_its_probability():
    y, p = random_answers()
    table = multiclass.class_table(y, p.argmax(axis=1), p, NAMES[:4], 10)
    for number, error in enumerate(table["expected_calibration_error"]):
        observed, predicted = sk_calibration_curve(y == number, p[:, number], n_bins=10)
        weights = np.bincount((p[:, number] * 10).astype(int))
        expected = np.average(np.abs(observed - predicted), weights=weights[weights > 0])
        assert error == pytest.approx(expected, rel=1e-12)


def test_the_top_class_is_right_as_often_as_the_accuracy():
    y, p = random_answers()
    hit, confidence = multiclass.top_class(y, p)
    assert hit.mean() == sk.accuracy_score(y, p.argmax(axis=1))
    np.testing.assert_array_equal(confidence, np.sort(p, axis=1)[:, -1])


def test_the_largest_bias_is_that_of_the_class_surest_to_be_off():
    # class 0 is off by 0.11 with an error of 0.04, class 2 by 0.07 with one of 0.007
    p = np.array([[0.645, 0.355, 0.0]] * 10 + [[0.0, 0.095, 0.905]] * 30)
    y = np.repeat([0, 1, 2], [2, 8, 30])
    value, error = multiclass.largest_bias(y, p)
    assert value == pytest.approx(p[:, 2].mean() - 0.75)
    assert error == pytest.approx(scipy.stats.sem(p[:, 2] - (y == 2)), rel=1e-9)


def test_each_class_has_its_curve_by_its_name():
    y, p = random_answers(classes=3)
    curves = multiclass.curves(metrics.roc_curve, y, p, ["Adelie", "Gentoo", "Chinstrap"])
    assert list(curves) == ["class", "threshold", "false_positive_rate", "true_positive_rate"]
    assert list(curves["class"].unique()) == ["Adelie", "Gentoo", "Chinstrap"]
    fpr, tpr, _ = sk.roc_curve(y == 1, p[:, 1], drop_intermediate=False)
    gentoo = curves[curves["class"] == "Gentoo"]
    np.testing.assert_allclose(gentoo["false_positive_rate"], fpr, **EXACT)
    np.testing.assert_allclose(gentoo["true_positive_rate"], tpr, **EXACT)


def test_a_class_without_rows_has_no_part_in_the_balanced_accuracy():
    counts = np.array([[2, 0, 0], [1, 1, 0], [0, 0, 0]])
    assert multiclass.rates(counts)["balanced_accuracy"] == 0.75
