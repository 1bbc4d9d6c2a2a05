import msgspec
import numpy as np
import pytest
from scipy import stats
from sklearn import metrics as sk

from pipeline.evaluation.baseline import (
    baseline_curves,
    compare_with_baseline,
    format_verdict,
)
from pipeline.evaluation.baseline_facts import BaselineFacts
from pipeline.evaluation.bootstrap import Bootstrap, paired_roc_auc_interval
from pipeline.evaluation.delong import paired_roc_auc_difference
from pipeline.evaluation.metrics import brier, roc_auc
from pipeline.evaluation.paired import paired_brier_difference
from tests.pipeline.evaluation.many_classes import random_answers

BOOTSTRAP = Bootstrap(0.95, resamples=200, seed=1)
Y = np.array([1, 0, 1, 0])
A = np.array([0.9, 0.1, 0.6, 0.4])  # squared errors 0.01 0.01 0.16 0.16
B = np.array([0.7, 0.3, 0.8, 0.6])  # 0.09 0.09 0.04 0.36


def test_the_brier_difference_is_a_paired_mean_with_its_error():
    # the rows' differences are -0.08 -0.08 0.12 -0.2: mean -0.06, deviation √(0.0528 / 3)
    found = paired_brier_difference(Y, A, B, 0.95)
    error = (0.0528 / 3) ** 0.5 / 2
    assert found.difference == pytest.approx(-0.06)
    assert found.standard_error == pytest.approx(error)
    assert (found.low, found.high) == pytest.approx(
        (-0.06 - 1.959964 * error, -0.06 + 1.959964 * error)
    )


def test_models_that_answer_alike_do_not_differ():
    assert paired_brier_difference(Y, A, A, 0.9) == (0, 0, 0, 0)


@pytest.fixture
def answers():
    """Labels with the probabilities of two models, the first of which knows more."""
    rng = np.random.default_rng(3)
    y = rng.integers(0, 2, 300)
    good, poor = (stats.norm.cdf(y * 2 - 1 + rng.normal(size=300) * noise) for noise in (0.8, 4))
    return y, good, poor


def figures_of(y, svm, baseline, base_rate=(0.4,)):
    own = {"roc_auc": roc_auc(y, svm), "brier": brier(y, svm)}
    return {**own, **compare_with_baseline(y, svm, baseline, base_rate, BOOTSTRAP)}


def test_the_baselines_figures_are_those_of_scikit_learn(answers):
    y, good, poor = answers
    figures = figures_of(y, good, poor)
    always = np.full(len(y), 0.4)
    expected = {
        "baseline_roc_auc": sk.roc_auc_score(y, poor),
        "baseline_brier": sk.brier_score_loss(y, poor),
        "baseline_log_loss": sk.log_loss(y, poor),
        "base_rate_brier": sk.brier_score_loss(y, always),
        "base_rate_log_loss": sk.log_loss(y, always),
    }
    assert {name: figures[name] for name in expected} == pytest.approx(expected, rel=1e-12)


def test_differences_are_the_svms_lead(answers):
    y, good, poor = answers
    figures = figures_of(y, good, poor)
    area = paired_roc_auc_difference(y, good, poor, confidence=0.95)
    names = ("", "_low", "_high", "_p")
    assert tuple(figures[f"baseline_roc_auc_difference{name}"] for name in names) == area
    assert figures["baseline_roc_auc_difference"] > 0 > figures["baseline_brier_difference"]
    names = ("", "_low", "_high", "_standard_error")
    score = paired_brier_difference(y, good, poor, 0.95)
    assert tuple(figures[f"baseline_brier_difference{name}"] for name in names) == score


def test_the_verdict_says_which_is_better(answers):
    y, good, poor = answers
    better = format_verdict(figures_of(y, good, poor), 0.95)
    assert better.startswith("the SVM is better than logistic regression: ROC AUC 0.")
    worse = format_verdict(figures_of(y, poor, good), 0.95)
    assert worse.startswith("the SVM is worse than logistic regression: ROC AUC 0.")
    same = format_verdict(figures_of(y, good, good), 0.95)
    assert same.startswith("the SVM is not distinguishable from logistic regression: ROC AUC 0.")


def test_ranking_and_probabilities_may_be_judged_apart(answers):
    y, good, _ = answers
    figures = figures_of(y, good, good**5)  # the same order, other probabilities
    assert format_verdict(figures, 0.95).startswith(
        "the SVM is not distinguishable from logistic regression by ROC AUC and better than it by "
        "Brier score: ROC AUC "
    )


def test_the_verdict_has_both_figures_and_the_difference():
    figures = {
        "roc_auc": 0.8412,
        "baseline_roc_auc": 0.839,
        "brier": 0.152,
        "baseline_brier": 0.1544,
    }
    parts = {"": 0.0022, "_low": -0.01, "_high": 0.0144, "_p": 0.721}
    figures |= {f"baseline_roc_auc_difference{part}": value for part, value in parts.items()}
    parts = {"": -0.0024, "_low": -0.005, "_high": 0.0002}
    figures |= {f"baseline_brier_difference{part}": value for part, value in parts.items()}
    assert format_verdict({**figures, "base_rate_brier": 0.227}, 0.9) == (
        "the SVM is not distinguishable from logistic regression: "
        "ROC AUC 0.8412 and 0.8390, difference +0.0022 "
        "(90% interval -0.0100 to +0.0144, p = 0.72); "
        "Brier score 0.1520 and 0.1544, difference -0.0024 (90% interval -0.0050 to +0.0002), "
        "base rate 0.2270"
    )


def test_the_curves_are_the_baselines(answers):
    y, _, poor = answers
    curves = baseline_curves(y, poor, ("0", "1"), 4)
    assert sk.auc(*curves["baseline_roc"].iloc[:, 1:].to_numpy().T) == pytest.approx(
        sk.roc_auc_score(y, poor)
    )
    assert curves["baseline_calibration"]["rows"].sum() == len(y)
    assert set(curves["baseline_calibration"]["bin"]) <= {0, 1, 2, 3}


def test_several_classes_have_the_same_figures_and_verdict():
    y, good = random_answers(150, 3)
    poor = random_answers(150, 3, seed=8, knows=0.0)[1]
    figures = figures_of(y, good, poor, base_rate=(0.2, 0.3, 0.5))
    always = np.tile((0.2, 0.3, 0.5), (150, 1))
    expected = {
        "baseline_roc_auc": sk.roc_auc_score(y, poor, multi_class="ovr"),
        "baseline_brier": sk.brier_score_loss(y, poor),
        "baseline_log_loss": sk.log_loss(y, poor),
        "base_rate_brier": sk.brier_score_loss(y, always),
        "base_rate_log_loss": sk.log_loss(y, always),
    }
    assert {name: figures[name] for name in expected} == pytest.approx(expected, rel=1e-12)
    area = paired_roc_auc_interval(y, good, poor, BOOTSTRAP)
    assert figures["baseline_roc_auc_difference_low"] == area.low
    assert format_verdict(figures, 0.95).startswith(
        "the SVM is better than logistic regression: ROC AUC 0."
    )


def test_the_base_rate_is_that_of_the_positives_or_of_each_class():
    two = BaselineFacts(C=1.0, positive_share=0.4, onnx_difference=0.0)
    many = BaselineFacts(C=1.0, class_shares=(0.2, 0.3, 0.5), onnx_difference=0.0)
    assert (two.base_rate, many.base_rate) == ((0.4,), (0.2, 0.3, 0.5))
    # of two classes the file is what it was before there were more
    assert msgspec.to_builtins(two) == {"C": 1.0, "positive_share": 0.4, "onnx_difference": 0.0}
