import numpy as np
import pandas as pd
import pytest

from pipeline.evaluation.bootstrap import Bootstrap, paired_roc_auc_interval
from pipeline.evaluation.comparison import Scored, common_rows, compare, differing, side_by_side
from pipeline.evaluation.delong import paired_roc_auc_difference

NAMES = ("version 2", "version 1")


def bootstrap(confidence):
    return Bootstrap(confidence, resamples=200, seed=1)


def scored(ids, digest="t", noise=0.0, columns=("id", "x"), outcome=("y", 0, 1)):
    """Give a model's answers for rows whose class is that of their number, odd or even."""
    ids = np.asarray(ids)
    y = ids % 2
    cells = pd.DataFrame({"id": ids.astype(str), "x": (ids * 3).astype(str), "z": "0"})
    jitter = np.array([np.random.default_rng(int(i)).normal() for i in ids])
    p = 1 / (1 + np.exp(-(y + noise * jitter)))
    return Scored(cells[list(columns)], y, p, outcome, digest)


def test_on_the_same_rows_the_difference_is_the_paired_one():
    a, b = scored(range(100), noise=0.2), scored(range(100), noise=3)
    verdict = compare(a, b, NAMES, bootstrap(0.9))
    expected = paired_roc_auc_difference(a.y, a.probability, b.probability, confidence=0.9)
    assert (verdict.rows, verdict.difference) == (100, expected)
    assert expected.p < 0.05
    assert verdict.sentence == (
        "on the same 100 test rows, the ROC AUC of version 2 is "
        f"{expected.difference:.4f} higher than that of version 1 (90% interval "
        f"{expected.low:+.4f} to {expected.high:+.4f}, p = below 0.0001), "
        "more than chance readily gives"
    )


def test_the_better_one_is_named_whichever_is_given_first():
    a, b = scored(range(100), noise=3), scored(range(100), noise=0.2)
    (there, back) = (
        compare(a, b, NAMES, bootstrap(0.9)),
        compare(b, a, NAMES[::-1], bootstrap(0.9)),
    )
    assert "the ROC AUC of version 1 is 0." in there.sentence
    assert "(90% interval +0." in there.sentence
    assert there.sentence == back.sentence
    assert there.difference.difference == -back.difference.difference < 0


def test_a_difference_that_may_be_chance_is_said_to_be():
    a, b = scored(range(40), noise=1.5), scored(range(40), noise=1.6)
    verdict = compare(a, b, NAMES, bootstrap(0.95))
    assert verdict.difference is not None
    assert verdict.difference.p > 0.05
    assert verdict.sentence.endswith("), which may be chance alone")


def test_the_same_answers_are_equal_and_not_called_better():
    a = scored(range(40), noise=1.5)
    assert compare(a, a, NAMES, bootstrap(0.95)).sentence == (
        "on the same 40 test rows, version 2 and version 1 have the same ROC AUC "
        "(95% interval +0.0000 to +0.0000, p = 1)"
    )


def test_on_different_rows_only_those_count_that_both_tests_have():
    a, b = scored(range(100), "one", 2), scored(range(60, 160), "other", 3)
    verdict = compare(a, b, NAMES, bootstrap(0.95))
    inner = paired_roc_auc_difference(
        a.y[60:], a.probability[60:], b.probability[:40], confidence=0.95
    )
    assert (verdict.rows, verdict.difference) == (40, inner)
    assert verdict.sentence.startswith(
        "version 2 and version 1 were tested on different rows, so that their figures do not "
        "compare. On the 40 rows that both tests have, and that neither was trained on, the ROC"
    )


def test_where_no_rows_are_in_both_tests_no_difference_is_given():
    verdict = compare(
        scored(range(10), "one"), scored(range(10, 20), "other"), NAMES, bootstrap(0.95)
    )
    assert (verdict.rows, verdict.difference) == (0, None)
    assert "the 0 that both tests have do not hold both classes" in verdict.sentence


def test_models_of_different_outcomes_are_not_compared():
    verdict = compare(
        scored(range(10)), scored(range(10), outcome=("d", 0, 1)), NAMES, bootstrap(0.95)
    )
    assert verdict.difference is None
    assert "predict different things" in verdict.sentence


def test_rows_are_told_by_the_columns_that_both_have_in_any_order():
    a = scored([4, 1, 3, 2], columns=("id", "x")).cells
    b = scored([3, 9, 1], columns=("z", "x", "id")).cells
    of_a, of_b = common_rows(a, b)
    assert sorted(zip(of_a.tolist(), of_b.tolist(), strict=True)) == [(1, 2), (2, 0)]


def test_rows_that_stand_twice_are_left_out():
    of_a, _ = common_rows(scored([1, 2, 2, 3]).cells, scored([1, 2, 3, 3]).cells)
    assert of_a.tolist() == [0]


def test_settings_that_differ_are_shown_and_one_that_is_lacking_is_none():
    assert differing({"C": "1", "seed": "2", "old": "x"}, {"C": "3", "seed": "2", "new": "y"}) == {
        "C": ("1", "3"),
        "old": ("x", None),
        "new": (None, "y"),
    }


def test_figures_of_the_test_stand_first():
    figures = side_by_side({"cv": 1.0, "test_b": 2.0}, {"test_a": 3.0})
    assert list(figures) == ["test_a", "test_b", "cv"]
    assert figures["test_a"] == (None, 3.0)


@pytest.mark.parametrize("size", [1, 2])
def test_a_single_row_of_a_class_gives_no_false_certainty(size):
    verdict = compare(
        scored(range(size + 1), noise=1), scored(range(size + 1)), NAMES, bootstrap(0.95)
    )
    assert verdict.difference is not None
    assert verdict.difference.p == 1


def of_three(digest="t", noise=0.0, rows=60):
    ids = np.arange(rows)
    y = ids % 3
    jitter = np.random.default_rng(1).normal(size=(rows, 3)) * noise
    odds = np.exp(np.eye(3)[y] + jitter)
    probability = odds / odds.sum(axis=1, keepdims=True)
    return Scored(pd.DataFrame({"id": ids.astype(str)}), y, probability, ("y", *"abc"), digest)


def test_models_of_several_classes_differ_by_their_resamples():
    a, b = of_three(noise=0.3), of_three(noise=3)
    verdict = compare(a, b, NAMES, bootstrap(0.9))
    expected = paired_roc_auc_interval(a.y, a.probability, b.probability, bootstrap(0.9))
    assert verdict.difference == expected
    assert verdict.leads["test_brier"].high < 0
    assert verdict.leads["test_log_loss"].high < 0
    assert "the ROC AUC of version 2 is 0." in verdict.sentence


def test_rows_of_both_that_lack_one_of_several_classes_are_not_compared_on():
    verdict = compare(of_three("one"), of_three("other", rows=2), NAMES, bootstrap(0.9))
    assert "the 2 that both tests have do not hold every class" in verdict.sentence
