from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.evaluation.threshold import best_threshold, describe_threshold, format_counts
from pipeline.params import MistakeCost
from tests.pipeline.evaluation.test_metrics import DATA

# Found and false alarms as the threshold falls: 1/0 1/1 2/1 2/2 2/3 3/3 3/4 3/5, of 3 positives.
Y = np.array([1, 0, 1, 0, 0, 1, 0, 0])
P = np.array([0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3, 0.2])


def costs(false_positive, false_negative):
    return MistakeCost(false_positive=false_positive, false_negative=false_negative)


def at_cost(y, p, false_positive, false_negative):
    return best_threshold(y, p, "cost", costs(false_positive, false_negative))


def brute_force(y, p, rule, cost=None):
    """Give the highest threshold at which the rule's value, an exact fraction, is highest."""

    def value(threshold):
        label = p >= threshold
        tp, fp = int(np.sum(label & (y == 1))), int(np.sum(label & (y == 0)))
        positives, negatives = int(np.sum(y == 1)), int(np.sum(y == 0))
        of_fp, of_fn = cost or (1, 1)
        return {
            "youden": Fraction(tp, positives) - Fraction(fp, negatives),
            "f1": Fraction(2 * tp, tp + fp + positives),
            "accuracy": Fraction(tp + negatives - fp, len(y)),
            "cost": -(Fraction(of_fp) * fp + Fraction(of_fn) * (positives - tp)),
        }[rule]

    return max(sorted({1.1, *p.tolist()}, reverse=True), key=value)


@pytest.mark.parametrize("rule", ["youden", "f1", "accuracy"])
@given(data=DATA)
@settings(max_examples=200)
def test_the_threshold_is_the_best_of_all(rule, data):
    y, p = data
    best = brute_force(y, p, rule)
    threshold = best_threshold(y, p, rule)
    np.testing.assert_array_equal(p >= threshold, p >= best)
    lower = max([value for value in p if value < best], default=0.0)
    assert threshold == pytest.approx((min(best, 1.0) + lower) / 2, rel=1e-15)


COST = st.sampled_from(["0.1", "0.2", "0.3", "0.7", "1", "2", "3", "5", "1e6", "1e-6"])


@given(DATA, COST, COST)
@settings(max_examples=300)
def test_the_threshold_has_the_lowest_cost_of_all(data, of_fp, of_fn):
    y, p = data
    best = brute_force(y, p, "cost", (of_fp, of_fn))
    np.testing.assert_array_equal(p >= at_cost(y, p, float(of_fp), float(of_fn)), p >= best)


def test_of_equal_thresholds_the_highest_is_taken():
    # the Youden index is 1/3 at 0.9 and at 0.6, but not to the last bit of a double
    y = np.array([1, 0, 1, 0, 1, 0])
    p = np.array([0.9, 0.6, 0.6, 0.3, 0.2, 0.1])
    assert best_threshold(y, p, "youden") == 0.75


@pytest.mark.parametrize(
    ("of_fp", "of_fn", "threshold"),
    [
        (1, 1, 0.85),  # 2 at 0.9 and at 0.7
        (1, 2, 0.65),  # 3 at 0.7 and at 0.4
        (1, 5, 0.35),  # 3 at 0.4, before 6 at 0.7
        (1, 1e6, 0.35),  # all found, with the fewest false alarms
        (1e6, 1, 0.85),  # no false alarm, with the most found
        (0.1, 0.2, 0.65),  # only the ratio counts
    ],
)
def test_costs_decide_the_threshold(of_fp, of_fn, threshold):
    assert at_cost(Y, P, of_fp, of_fn) == pytest.approx(threshold, rel=1e-15)


@given(DATA)
def test_equal_costs_are_the_rule_accuracy(data):
    assert at_cost(*data, 2.5, 2.5) == best_threshold(*data, "accuracy")


@pytest.mark.parametrize(("highest", "threshold"), [(0.9, 0.95), (1.0, 1 + 2.3e-16)])
@pytest.mark.parametrize("rule", ["accuracy", "cost"])
def test_no_row_is_positive_where_each_alarm_costs_too_much(rule, highest, threshold):
    y, p = np.array([0, 0, 1, 0]), np.array([highest, 0.8, 0.7, 0.1])
    chosen = best_threshold(y, p, rule, costs(2, 1))
    assert chosen > highest
    assert chosen == pytest.approx(threshold, rel=1e-15)


def test_every_row_is_positive_where_a_miss_costs_too_much():
    y, p = np.array([0, 0, 1]), np.array([0.9, 0.8, 0.1])
    assert at_cost(y, p, 1, 3) == 0.05
    assert at_cost(y, p, 1, 1) > 0.9


def counts(tp, fp, tn, fn):
    names = ("true_positives", "false_positives", "true_negatives", "false_negatives")
    return dict(zip(names, (tp, fp, tn, fn), strict=True))


def test_a_decision_is_told_with_counts():
    assert format_counts(counts(6, 169, 991, 34)) == (
        "of 1,200 rows 6 of 40 positives are found, 169 are false alarms"
    )
    assert format_counts(counts(1, 1, 1, 0)).endswith(
        "1 of 1 positives are found, 1 is a false alarm"
    )


def test_a_threshold_by_cost_is_told_with_its_cost():
    assert describe_threshold(Y, P, 0.65, "cost", costs(1, 2.5)) == (
        "of 8 rows 2 of 3 positives are found, 1 is a false alarm; they cost 3.5 "
        "(1 a false positive, 2.5 a false negative)"
    )


def test_costs_that_the_rule_ignores_are_told():
    ignored = "grid_search.cost has no effect, since grid_search.threshold is f1"
    assert describe_threshold(Y, P, 0.65, "f1", costs(1, 2)).endswith(f"; {ignored}")
    for none in (costs(2, 2), None):
        assert describe_threshold(Y, P, 0.65, "f1", none).endswith("1 is a false alarm")
