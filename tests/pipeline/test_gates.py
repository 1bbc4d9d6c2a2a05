import pytest

from pipeline.gates import all_passed, judge
from pipeline.params import Gates

GATES = Gates(min_roc_auc=0.75, max_brier=0.2, max_roc_auc_drop=0.01)


def judged(roc_auc=0.8, brier=0.15, incumbent=None):
    return judge(GATES, roc_auc=roc_auc, brier=brier, incumbent=incumbent)


def test_a_good_first_version_passes_every_gate():
    verdicts = judged()
    assert [verdict.gate for verdict in verdicts] == [
        "min_roc_auc",
        "max_brier",
        "max_roc_auc_drop",
    ]
    assert all_passed(verdicts)


@pytest.mark.parametrize(
    ("figures", "line"),
    [
        ({"roc_auc": 0.8}, "✓ min_roc_auc: ROC AUC 0.8000 is at least 0.75"),
        ({"roc_auc": 0.75}, "✓ min_roc_auc: ROC AUC 0.7500 is at least 0.75"),
        ({"roc_auc": 0.7499}, "✗ min_roc_auc: ROC AUC 0.7499 is below 0.75"),
        ({"brier": 0.15}, "✓ max_brier: Brier score 0.1500 is at most 0.2"),
        ({"brier": 0.2}, "✓ max_brier: Brier score 0.2000 is at most 0.2"),
        ({"brier": 0.2001}, "✗ max_brier: Brier score 0.2001 is above 0.2"),
        (
            {"incumbent": None},
            "✓ max_roc_auc_drop: production has no other version to compare with",
        ),
        (
            {"incumbent": "it takes other columns"},
            "✗ max_roc_auc_drop: the version in production cannot be compared: "
            "it takes other columns; give the new model another name in params.yaml, "
            "or take the stage away in MLflow",
        ),
        (
            {"roc_auc": 0.8, "incumbent": 0.805},
            "✓ max_roc_auc_drop: ROC AUC 0.8000 against 0.8050 in production, on the same rows, "
            "is within the margin of 0.01",
        ),
        (
            {"roc_auc": 0.8, "incumbent": 0.8101},
            "✗ max_roc_auc_drop: ROC AUC 0.8000 against 0.8101 in production, on the same rows, "
            "is worse than production by more than the margin of 0.01",
        ),
    ],
)
def test_each_gate_says_why_it_holds_or_not(figures, line):
    verdicts = judged(**figures)
    assert line in [str(verdict) for verdict in verdicts]
    assert all_passed(verdicts) == line.startswith("✓")


def test_a_drop_of_the_whole_margin_still_passes():
    gates = Gates(min_roc_auc=0, max_brier=1, max_roc_auc_drop=0.25)
    assert judge(gates, roc_auc=0.5, brier=0, incumbent=0.75)[2].passed
    assert not judge(gates, roc_auc=0.5, brier=0, incumbent=0.7501)[2].passed


def test_without_a_margin_an_equal_passes_and_a_worse_one_does_not():
    gates = Gates(min_roc_auc=0, max_brier=1, max_roc_auc_drop=0)
    passed = [
        judge(gates, roc_auc=roc_auc, brier=0, incumbent=0.8)[2].passed
        for roc_auc in (0.7999, 0.8, 0.9)
    ]
    assert passed == [False, True, True]


def test_a_figure_that_is_no_number_passes_no_gate():
    assert not any(
        verdict.passed
        for verdict in judged(roc_auc=float("nan"), brier=float("nan"), incumbent=0.8)
    )
