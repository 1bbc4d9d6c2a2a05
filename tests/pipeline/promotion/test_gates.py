import dataclasses

import pytest

from pipeline.evaluation.bootstrap import Bootstrap
from pipeline.evaluation.delong import PairedDifference
from pipeline.evaluation.paired import roc_auc_difference
from pipeline.params import Gates
from pipeline.promotion.gates import REMEDIES, Champion, Evidence, all_passed, judge
from tests.pipeline.evaluation.many_classes import random_answers

GATES = Gates(
    min_roc_auc=0.75,
    max_brier=0.2,
    max_roc_auc_drop=0.05,
    max_calibration_error=0.1,
    max_bias=0.03,
    max_subgroup_gap=0.2,
    max_size_mb=1,
    max_latency_ms=5,
)
METRICS = {
    "roc_auc_low": 0.8,
    "brier": 0.15,
    "expected_calibration_error": 0.05,
    "chance_calibration_error": 0.04,
    "bias": 0.02,
    "bias_standard_error": 0.01,
    "subgroup_gap": 0.1,
}
EVIDENCE = Evidence(METRICS, onnx_difference=1e-12, size_mb=0.04, latency_ms=0.05)


def judged(gates=GATES, **changes):
    """Judge the good candidate, but for these of its metrics or other evidence."""
    fields = {field.name for field in dataclasses.fields(Evidence)}
    metrics = {**METRICS, **{k: v for k, v in changes.items() if k not in fields}}
    other = {k: v for k, v in changes.items() if k in fields}
    return judge(gates, dataclasses.replace(EVIDENCE, metrics=metrics, **other))


def champion(low=-0.01, difference=0.01, changes=()):
    return Champion("3", PairedDifference(difference, low, 0.03, 0.4), changes)


def test_a_good_first_version_passes_every_gate():
    verdicts = judged()
    assert [verdict.gate for verdict in verdicts] == [
        "min_roc_auc",
        "max_brier",
        "max_calibration_error",
        "max_subgroup_gap",
        "max_size_mb",
        "max_latency_ms",
        "parity",
        "max_bias",
        "max_roc_auc_drop",
        "contract",
    ]
    assert all_passed(verdicts)


@pytest.mark.parametrize(
    ("figures", "line"),
    [
        (
            {"roc_auc_low": 0.75},
            "✓ min_roc_auc: lower end of the ROC AUC, 0.7500, is at least 0.75",
        ),
        ({"roc_auc_low": 0.7499}, "✗ min_roc_auc: lower end of the ROC AUC, 0.7499, is below 0.75"),
        ({"brier": 0.2}, "✓ max_brier: Brier score, 0.2000, is at most 0.2"),
        ({"brier": 0.2001}, "✗ max_brier: Brier score, 0.2001, is above 0.2"),
        (
            {"expected_calibration_error": 0.11},
            "✗ max_calibration_error: expected calibration error, 0.1100, is above 0.1",
        ),
        (
            {"subgroup_gap": 0.21},
            "✗ max_subgroup_gap: largest difference of ROC AUC between subgroups, 0.2100, "
            "is above 0.2",
        ),
        (
            {"bias": -0.06},
            "✗ max_bias: mean prediction, -0.0600 (±0.0196) from the share of positives, "
            "is surely beyond 0.03",
        ),
        (
            {"bias": 0.049},
            "✓ max_bias: mean prediction, +0.0490 (±0.0196) from the share of positives, "
            "is within 0.03",
        ),
        ({"size_mb": 1.5}, "✗ max_size_mb: the model's size, 1.5000 MB, is above 1 MB"),
        ({"latency_ms": 7.0}, "✗ max_latency_ms: a row's answer, 7 ms, is above 5 ms"),
        (
            {"onnx_difference": 2e-5},
            "✗ parity: largest difference from scikit-learn's probability, 2e-05, is above 1e-05",
        ),
        (
            {"champion": None},
            "✓ max_roc_auc_drop: production has no other version to compare with",
        ),
        ({"champion": None}, "✓ contract: production has no other contract to keep"),
        (
            {"champion": champion(low=-0.05)},
            "✓ max_roc_auc_drop: ROC AUC +0.0100 (-0.0500 to +0.0300) against version 3 in "
            "production, on the same rows, is within a loss of 0.05",
        ),
        (
            {"champion": champion(low=-0.0501)},
            "✗ max_roc_auc_drop: ROC AUC +0.0100 (-0.0501 to +0.0300) against version 3 in "
            "production, on the same rows, is not surely within a loss of 0.05",
        ),
        (
            {"champion": Champion("3", "it takes other columns", [])},
            "✗ max_roc_auc_drop: cannot be compared with version 3 in production: "
            "it takes other columns",
        ),
        (
            {"champion": champion()},
            "✓ contract: requests that version 3 in production takes still work",
        ),
        (
            {"champion": champion(changes=["Age is removed", "BMI must be at least 12"])},
            "✗ contract: breaks callers of version 3 in production: Age is removed; "
            "BMI must be at least 12",
        ),
    ],
)
def test_each_gate_says_why_it_holds_or_not(figures, line):
    verdicts = judged(**figures)
    (found,) = [verdict for verdict in verdicts if str(verdict).startswith(line)]
    assert all_passed(verdicts) == found.passed == line.startswith("✓")
    remedy = "" if found.passed or found.figure is None else f"; {REMEDIES[found.gate]}"
    assert str(found) == line + remedy


def test_it_is_the_lower_end_that_counts_not_the_difference():
    """A candidate that looks better, on rows too few to tell, is not shown to be no worse."""
    assert not all_passed(judged(champion=champion(difference=0.02, low=-0.2)))
    assert all_passed(judged(champion=champion(difference=-0.02, low=-0.04)))


def test_a_gate_without_a_bound_is_not_judged():
    only = Gates(min_roc_auc=0.75, max_brier=0.2, max_roc_auc_drop=0.05)
    names = [verdict.gate for verdict in judged(only, subgroup_gap=9.0, size_mb=9e9)]
    assert "max_subgroup_gap" not in names
    assert "max_size_mb" not in names


RELATIVE = Gates(max_roc_auc_drop=0.05)
BESIDE = {"roc_auc": 0.7, "roc_auc_low": 0.6, "baseline_roc_auc": 0.74, "base_rate_brier": 0.2}


def relative(gate, **changes):
    verdicts = judged(RELATIVE, **{**BESIDE, **changes})
    (found,) = [verdict for verdict in verdicts if verdict.gate == gate]
    assert all_passed(verdicts) == found.passed
    return str(found)


@pytest.mark.parametrize(
    ("gate", "figures", "line"),
    [
        (
            "min_roc_auc",
            {"roc_auc_low": 0.5001},
            "✓ min_roc_auc: lower end of the ROC AUC, 0.5001, is above 0.5, which is chance",
        ),
        (
            "min_roc_auc",
            {"roc_auc_low": 0.5},
            "✗ min_roc_auc: lower end of the ROC AUC, 0.5000, is not above 0.5, which is chance; "
            "more rows or other features may help, or set register.gates.min_roc_auc",
        ),
        (
            "baseline",
            {"baseline_roc_auc": 0.7499},
            "✓ baseline: ROC AUC, 0.7000, is at most 0.05 below that of logistic regression, "
            "0.7499",
        ),
        (
            "baseline",
            {"baseline_roc_auc": 0.7501},
            "✗ baseline: ROC AUC, 0.7000, is more than 0.05 below that of logistic regression, "
            "0.7501; widen C and gamma of grid_search, or set register.gates.min_roc_auc",
        ),
        (
            "max_brier",
            {"brier": 0.1999},
            "✓ max_brier: Brier score, 0.1999, is below 0.2000, that of always predicting the "
            "share of positives",
        ),
        (
            "max_brier",
            {"brier": 0.2},
            "✗ max_brier: Brier score, 0.2000, is not below 0.2000, that of always predicting the "
            "share of positives; more rows or other features may help, or set "
            "register.gates.max_brier",
        ),
        (
            "max_calibration_error",
            {"expected_calibration_error": 0.12, "chance_calibration_error": 0.08},
            "✓ max_calibration_error: expected calibration error, 0.1200, is within 0.05 of "
            "0.0800, which chance alone can give on so many rows",
        ),
        (
            "max_calibration_error",
            {"expected_calibration_error": 0.12, "chance_calibration_error": 0.06},
            "✗ max_calibration_error: expected calibration error, 0.1200, is not within 0.05 of "
            "0.0600, which chance alone can give on so many rows; more rows make it smaller, or "
            "set register.gates.max_calibration_error",
        ),
    ],
)
def test_a_bound_that_is_left_out_follows_from_the_table(gate, figures, line):
    assert relative(gate, **figures) == line


def test_a_bound_that_is_given_stays_absolute():
    """The baseline and the base rate do not matter then."""
    assert all_passed(judged(baseline_roc_auc=0.99, roc_auc=0.8, base_rate_brier=0.01))


def test_without_the_baseline_s_figures_nothing_follows_from_the_table():
    unknown = [v for v in judged(RELATIVE) if v.sentence.endswith("which measures it")]
    assert [(verdict.gate, verdict.passed) for verdict in unknown] == [
        ("baseline", False),
        ("max_brier", False),
    ]


def test_a_figure_that_is_no_number_passes_no_relative_gate():
    nan = float("nan")
    names = [*METRICS, *BESIDE]
    verdicts = judged(RELATIVE, **dict.fromkeys(names, nan))
    failed = [verdict.gate for verdict in verdicts if not verdict.passed]
    assert failed == ["min_roc_auc", "baseline", "max_brier", "max_calibration_error"]


def test_a_figure_that_is_no_number_passes_no_gate():
    nan = float("nan")
    verdicts = judged(
        **dict.fromkeys([*METRICS, "onnx_difference", "size_mb", "latency_ms"], nan),
        champion=champion(low=nan),
    )
    assert [verdict.gate for verdict in verdicts if verdict.passed] == ["contract"]


def test_a_figure_that_was_never_measured_passes_no_gate():
    (gap,) = [v for v in judge(GATES, Evidence({}, 0, 0, 0)) if v.gate == "max_subgroup_gap"]
    assert not gap.passed
    assert gap.sentence.endswith("is not known")


SEVERAL = {**BESIDE, "classes": 3, "bias": -0.06, "bias_standard_error": 0.01}


@pytest.mark.parametrize(
    ("gates", "line"),
    [
        (
            GATES,
            "✗ max_bias: mean prediction of the class furthest off, -0.0600 (±0.0196) from its "
            "share, is surely beyond 0.03",
        ),
        (
            GATES,
            "✓ max_calibration_error: expected calibration error of the likeliest class, 0.0500, "
            "is at most 0.1",
        ),
        (
            RELATIVE,
            "✓ max_calibration_error: expected calibration error of the likeliest class, 0.0500, "
            "is within 0.05 of 0.0400, which chance alone can give on so many rows",
        ),
        (
            RELATIVE,
            "✓ max_brier: Brier score, 0.1500, is below 0.2000, that of always predicting the "
            "share of each class",
        ),
    ],
)
def test_gates_name_what_they_look_at_for_several_classes(gates, line):
    assert any(str(verdict).startswith(line) for verdict in judged(gates, **SEVERAL))


def test_a_new_class_is_told_and_breaks_nobody():
    verdicts = judged(champion=dataclasses.replace(champion(), new_classes=["Gentoo"]))
    assert all_passed(verdicts)
    assert str(verdicts[-1]) == (
        "✓ contract: requests that version 3 in production takes still work; answers may be of a "
        "new class: Gentoo"
    )


def several_differ(y, ours, theirs):
    found = roc_auc_difference(y, ours, theirs, Bootstrap(0.95, resamples=500, seed=1))
    verdicts = judged(champion=Champion("3", found, []), **{**SEVERAL, "bias": 0.0})
    return {verdict.gate: verdict for verdict in verdicts}["max_roc_auc_drop"]


def test_several_classes_may_lose_no_more_macro_roc_auc_than_the_margin():
    y, good = random_answers(300, 3)
    poor = random_answers(300, 3, seed=9, knows=0.0)[1]
    assert several_differ(y, good, 0.98 * good + 0.02 * poor).passed
    lost = several_differ(y, 0.3 * good + 0.7 * poor, good)
    assert not lost.passed
    assert lost.figure < lost.bound == -0.05
